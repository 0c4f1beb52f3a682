"""What the schemas of a profile ask of one place, given what is already decided of the description around it.

Three-valued: what nothing is known of is `UNKNOWN`, and a condition that is unknown is taken to hold, so that its
consequence is obeyed either way.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vizschema.rules.assertions import NAMES
from vizschema.rules.judge import entry_of
from vizschema.rules.versions import Profile, Schema, resolve

Place = tuple[str, ...]


class Unknown:
    """A value that is not decided."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Any = Unknown()


class Partial(dict[str, Any]):
    """An object of which further members may be decided later."""


ITEM = "[]"
"""The step of a place into every item of a list."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`schema` (one keyword, and what it is read with) applies by `rule`; `sure` where no condition is unknown."""

    rule: str
    schema: Schema
    sure: bool


@functools.lru_cache(maxsize=32)
def whole(profile: Profile) -> Schema:
    """Both schemas of `profile` as one, with what they refer to in place of every reference."""
    inlined: Schema = _inlined(entry_of(profile), "", profile, frozenset())
    return inlined


def _inlined(value: Any, base: str, profile: Profile, above: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, base, profile, above) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        url, tokens = resolve(value["$ref"], base, profile.documents)
        target: Any = profile.documents[url]
        for token in tokens:
            target = target[token]
        here = f"{url}#{'/'.join(tokens)}"
        return {} if here in above else _inlined(target, url, profile, above | {here})
    return {key: _inlined(item, base, profile, above) for key, item in value.items() if key != "$defs"}


def holds(schema: Any, value: Any) -> bool | None:
    """Whether `value` obeys `schema`; null where that hangs on what is unknown."""
    if schema is True:
        return True
    found: bool | None = True
    for keyword, wanted in schema.items():
        check = _CHECKS.get(keyword)
        if check is not None:
            found = _both(found, check(wanted, value, schema))
            if found is False:
                return False
    return found


def _both(first: bool | None, second: bool | None) -> bool | None:
    if first is False or second is False:
        return False
    return True if first and second else None


def _all(found: Iterator[bool | None]) -> bool | None:
    total: bool | None = True
    for each in found:
        total = _both(total, each)
    return total


def _not(found: bool | None) -> bool | None:
    return None if found is None else not found


def _simple(test: Any, kinds: Any) -> Any:
    def check(wanted: Any, value: Any, _: Schema) -> bool | None:
        if value is UNKNOWN:
            return None
        if isinstance(value, bool) or not isinstance(value, kinds):
            return True
        return bool(test(wanted, value))

    return check


_KINDS: Mapping[str, Any] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, int | float) and value == int(value),
    "string": lambda value: isinstance(value, str),
}


def _type(wanted: Any, value: Any, _: Schema) -> bool | None:
    if value is UNKNOWN:
        return None
    return any(_KINDS[kind](value) for kind in ([wanted] if isinstance(wanted, str) else wanted))


def same(first: Any, second: Any) -> bool:
    """Whether two values are one in JSON, where true is not 1."""
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _enum(wanted: Any, value: Any, _: Schema) -> bool | None:
    return None if value is UNKNOWN else any(same(value, each) for each in wanted)


def _members(_: Any, value: Any, schema: Schema) -> bool | None:
    """All of `properties`, `patternProperties` and `additionalProperties`."""
    if not isinstance(value, dict):
        return None if value is UNKNOWN else True
    known = _all(holds(child, member) for name, member in value.items() for child in members_of(schema, name))
    return _both(known, None) if isinstance(value, Partial) else known


def members_of(schema: Schema, name: str) -> Iterator[Schema]:
    """What `schema` asks of the member `name`."""
    listed = schema.get("properties", {})
    matching = [child for pattern, child in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
    if name in listed:
        matching.append(listed[name])
    elif not matching and "additionalProperties" in schema:
        matching.append(schema["additionalProperties"])
    yield from (child for child in matching if isinstance(child, dict))


def _required(wanted: Any, value: Any, _: Schema) -> bool | None:
    if not isinstance(value, dict):
        return None if value is UNKNOWN else True
    missing = any(name not in value for name in wanted)
    return (None if isinstance(value, Partial) else False) if missing else True


def _names(wanted: Any, value: Any, _: Schema) -> bool | None:
    if not isinstance(value, dict):
        return None if value is UNKNOWN else True
    found = _all(holds(wanted, name) for name in value)
    return _both(found, None) if isinstance(value, Partial) else found


def _items(wanted: Any, value: Any, schema: Schema) -> bool | None:
    if not isinstance(value, list):
        return None if value is UNKNOWN else True
    return _all(holds(wanted, item) for item in value[len(schema.get("prefixItems", ())) :])


def _prefix(wanted: Any, value: Any, _: Schema) -> bool | None:
    if not isinstance(value, list):
        return None if value is UNKNOWN else True
    return _all(holds(child, item) for child, item in zip(wanted, value, strict=False))


def _any(wanted: Any, value: Any, _: Schema) -> bool | None:
    found = [holds(child, value) for child in wanted]
    return True if True in found else (None if None in found else False)


def _condition(wanted: Any, value: Any, schema: Schema) -> bool | None:
    found = holds(wanted, value)
    then = holds(schema["then"], value) if found is not False else True
    return then if found or then else None


def _unique(_: Any, value: Any, __: Schema) -> bool | None:
    if not isinstance(value, list):
        return None if value is UNKNOWN else True
    return not any(same(value[i], value[j]) for i in range(len(value)) for j in range(i))


_CHECKS: Mapping[str, Any] = {
    "type": _type,
    "const": lambda wanted, value, schema: _enum([wanted], value, schema),
    "enum": _enum,
    "minimum": _simple(lambda wanted, value: value >= wanted, int | float),
    "maximum": _simple(lambda wanted, value: value <= wanted, int | float),
    "exclusiveMinimum": _simple(lambda wanted, value: value > wanted, int | float),
    "exclusiveMaximum": _simple(lambda wanted, value: value < wanted, int | float),
    "minLength": _simple(lambda wanted, value: len(value) >= wanted, str),
    "pattern": _simple(lambda wanted, value: re.search(wanted, value), str),
    "minItems": _simple(lambda wanted, value: len(value) >= wanted, list),
    "maxItems": _simple(lambda wanted, value: len(value) <= wanted, list),
    "uniqueItems": _unique,
    "prefixItems": _prefix,
    "items": _items,
    "required": _required,
    "properties": _members,
    "patternProperties": _members,
    "additionalProperties": _members,
    "propertyNames": _names,
    "maxProperties": _simple(lambda wanted, value: len(value) <= wanted, dict),
    "allOf": lambda wanted, value, _: _all(holds(child, value) for child in wanted),
    "anyOf": _any,
    "not": lambda wanted, value, _: _not(holds(wanted, value)),
    "if": _condition,
}
_WORDS = frozenset({"$schema", "$id", "$anchor", "$comment", "title", "description", "then"})
_TOGETHER = ("properties", "patternProperties", "additionalProperties")


Reached = tuple[Schema, str, bool]


def asked(profile: Profile, place: Sequence[str], known: Any) -> list[Asked]:
    """What is asked at `place` (steps from the description inwards), where `known` is what is decided of it."""
    return _asked(((whole(profile), "", True),), tuple(place), known)


def asked_of_node(profile: Profile, path: str, steps: Sequence[str], node: Any) -> list[Asked]:
    """What is asked at `steps` from the node at `path` inwards, where `node` is what is decided of it.

    Values are read, and the nodes above are groups.
    """
    return _asked(_node(profile, path, tuple(steps)), tuple(steps), node)


@functools.lru_cache(maxsize=1 << 14)
def _node(profile: Profile, path: str, steps: Place) -> tuple[Reached, ...]:
    """What is asked of a node that can have a say about `steps`."""
    return tuple(each for each in _of_node(profile, path) if _touches(each[0], steps))


def _touches(schema: Schema, place: Place) -> bool:
    if not place:
        return True
    beside = [*schema.get("allOf", ()), *([schema["then"]] if "then" in schema else [])]
    inwards = (_touches(child, place[1:]) for child, _ in _inwards(schema, place[0], UNKNOWN))
    return any(_touches(child, place) for child in beside) or any(inwards)


@functools.lru_cache(maxsize=1 << 14)
def _of_node(profile: Profile, path: str) -> tuple[Reached, ...]:
    nodes = {above: Partial(kind="group") for above in _above(path)}
    known = Partial(values="read", nodes=Partial(nodes))
    found = _reach(whole(profile), ("nodes",), known, "", sure=True)
    inside = [(child, rule, sure) for schema, rule, sure in found for child, _ in _inwards(schema, path, UNKNOWN)]
    return tuple(inside)


def _above(path: str) -> Iterator[str]:
    steps = path.split("/")[1:]
    yield from ("/" + "/".join(steps[:number]) for number in range(len(steps)) if path != "/")


def _asked(reached: Sequence[Reached], place: Place, known: Any) -> list[Asked]:
    return [
        Asked(rule, single, sure)
        for start, above, certain in reached
        for schema, rule, sure in _reach(start, place, known, above, sure=certain)
        for single in _singles(schema)
    ]


def _singles(schema: Schema) -> Iterator[Schema]:
    """The assertions of `schema`, each with what it is read with."""
    together = {name: schema[name] for name in _TOGETHER if name in schema}
    if together:
        yield together
    for keyword, value in schema.items():
        if keyword not in _WORDS and keyword not in ("allOf", "if", *together):
            beside = {"prefixItems": schema["prefixItems"]} if keyword == "items" and "prefixItems" in schema else {}
            yield {keyword: value, **beside}


def _reach(schema: Schema, place: Place, known: Any, rule: str, *, sure: bool) -> Iterator[Reached]:
    """The subschemas that apply at `place`, each with its rule, and whether that is sure."""
    rule = schema.get("$anchor", rule)
    for child in schema.get("allOf", ()):
        yield from _reach(child, place, known, rule, sure=sure)
    if "if" in schema:
        found = holds(schema["if"], known)
        if found is not False:
            yield from _reach(schema["then"], place, known, rule, sure=sure and bool(found))
    if not place:
        yield schema, rule, sure
        return
    for child, inner in _inwards(schema, place[0], known):
        yield from _reach(child, place[1:], inner, rule, sure=sure)


def _inwards(schema: Schema, step: str, known: Any) -> Iterator[tuple[Schema, Any]]:
    """What `schema` asks one step further in, with what is known there."""
    if step == NAMES:
        if "propertyNames" in schema:
            yield schema["propertyNames"], UNKNOWN
    elif step == ITEM:
        if isinstance(schema.get("items"), dict):
            yield schema["items"], UNKNOWN
    else:
        inner = known.get(step, UNKNOWN) if isinstance(known, dict) else UNKNOWN
        yield from ((child, inner) for child in members_of(schema, step))
