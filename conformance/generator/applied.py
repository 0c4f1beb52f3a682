"""Which assertions of a profile have a say about a description, and about what: the places where it can be broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vizschema.conformance.generator.constraints import ITEM, UNKNOWN, Place, holds, members_of, whole
from vizschema.conformance.generator.languages import Language
from vizschema.description import Description
from vizschema.rules.assertions import NAMES
from vizschema.rules.versions import Profile, Schema

_STRUCTURE = frozenset(
    {"allOf", "if", "then", "properties", "patternProperties", "additionalProperties", "propertyNames", "items"}
)
_WORDS = frozenset({"$schema", "$id", "$anchor", "$comment", "title", "description", "prefixItems"})
_KEYED = ("nodes", "axes", "series", "not_captured")


@dataclass(frozen=True, slots=True)
class Applied:
    """The assertion `keyword`: `value` of `rule`, which applies at `place`."""

    rule: str
    place: Place
    keyword: str
    value: Any

    @property
    def field(self) -> str:
        """The field that the place is: names of nodes, axes, families, attributes and members are stars."""
        steps = list(self.place)
        if len(steps) > 1 and steps[0] in _KEYED and steps[1] != NAMES:
            steps[1] = "*"
        if steps[0] == "axes" and len(steps) > 2 and steps[2] != NAMES:
            steps[2] = "*"
        for number in range(2, len(steps) - 1):
            if (
                steps[number] in ("attributes", "members", "chunk_of", "references", "unsupported")
                and steps[number + 1] != NAMES
            ):
                steps[number + 1] = "*"
        return "/".join(steps)


def applied(profile: Profile, description: Description) -> list[Applied]:
    """Every assertion that applies to `description`, also to what is not there but may be."""
    found = _walk(whole(profile), description, (), "")
    return list({(each.rule, each.place, each.keyword, repr(each.value)): each for each in found}.values())


def _walk(schema: Schema, value: Any, place: Place, rule: str) -> Iterator[Applied]:
    rule = schema.get("$anchor", rule)
    for child in schema.get("allOf", ()):
        yield from _walk(child, value, place, rule)
    if "if" in schema and holds(schema["if"], value) is not False:
        yield from _walk(schema["then"], value, place, rule)
    for keyword, wanted in schema.items():
        if keyword not in _STRUCTURE and keyword not in _WORDS:
            yield Applied(rule, place, keyword, wanted)
    if "propertyNames" in schema:
        yield from _walk(schema["propertyNames"], UNKNOWN, (*place, NAMES), rule)
    if isinstance(schema.get("items"), dict):
        yield from _walk(schema["items"], UNKNOWN, (*place, ITEM), rule)
    for number, child in enumerate(schema.get("prefixItems", ())):
        yield from _walk(child, UNKNOWN, (*place, f"[{number}]"), rule)
    if isinstance(value, dict):
        for name in [*value, *_absent(schema, value, place)]:
            for child in members_of(schema, name):
                inner = {} if name == "shards" and value.get(name) is None else value.get(name, UNKNOWN)
                yield from _walk(child, inner, (*place, name), rule)


def _absent(schema: Schema, value: Any, place: Place) -> list[str]:
    """Names of members that are not there, of which the schema has something to say."""
    if not place or (len(place) == 1 and place[0] in _KEYED):
        return []
    listed = [name for name in schema.get("properties", ()) if name not in value]
    if place[-1] in ("attributes", "unsupported"):
        listed += [Language((pattern,)).shortest() for pattern in schema.get("patternProperties", ())]
        listed += ["made_up"] if "additionalProperties" in schema else []
    return [name for name in listed if name not in value]


def pairs(profile: Profile) -> set[tuple[str, str]]:
    """Every (field, keyword) that the schemas of `profile` use, whatever a description holds."""
    return {(each.field, each.keyword) for each in _everything(whole(profile), (), "")}


def _everything(schema: Schema, place: Place, rule: str) -> Iterator[Applied]:
    rule = schema.get("$anchor", rule)
    beside = [*schema.get("allOf", ()), *([schema["then"]] if "then" in schema else [])]
    for child in beside:
        yield from _everything(child, place, rule)
    for keyword, wanted in schema.items():
        if keyword not in _STRUCTURE and keyword not in _WORDS:
            yield Applied(rule, place, keyword, wanted)
    for step, child in _steps(schema):
        yield from _everything(child, (*place, step), rule)


def _steps(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for keyword in ("properties", "patternProperties"):
        yield from ((name, child) for name, child in schema.get(keyword, {}).items() if isinstance(child, dict))
    for keyword, step in (("additionalProperties", "*"), ("propertyNames", NAMES), ("items", ITEM)):
        if isinstance(schema.get(keyword), dict):
            yield step, schema[keyword]
    yield from ((f"[{number}]", child) for number, child in enumerate(schema.get("prefixItems", ())))


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a rule applies: nodes of these names, which obey these conditions; `inside` members of a family."""

    language: Language
    schema: Schema
    inside: bool = False


def wishes(profile: Profile, rule: str) -> list[Wish]:
    """The nodes without which there may be nothing that `rule` says anything about."""
    return list(_wishes(whole(profile), (), "", rule, (), ()))


def _wishes(
    schema: Schema, place: Place, inside: str, rule: str, language: tuple[str, ...], above: tuple[Schema, ...]
) -> Iterator[Wish]:
    inside = schema.get("$anchor", inside)
    if "if" in schema:
        more = (*above, schema["if"]) if len(place) == 2 and place[0] == "nodes" else above
        yield from _wishes(schema["then"], place, inside, rule, language, more)
    for child in schema.get("allOf", ()):
        yield from _wishes(child, place, inside, rule, language, above)
    if inside == rule and any(keyword not in _STRUCTURE | _WORDS for keyword in schema) and language:
        inner = place[2:3] == ("members",) and place[0] == "series"
        names = tuple(f"{pattern.removesuffix('$')}/[^/]+$" for pattern in language) if inner else language
        yield Wish(Language(names), {"allOf": list(above)}, inner)
    for step, child in _steps(schema):
        yield from _wishes(child, (*place, step), inside, rule, _named(place, step, schema, language), above)


def _named(place: Place, step: str, schema: Schema, language: tuple[str, ...]) -> tuple[str, ...]:
    """The names of nodes that a step leads to: those of members of a family, where it leads to one."""
    if place not in (("nodes",), ("series",)) or step in (NAMES, ITEM):
        return language
    pattern = step
    if step in schema.get("properties", ()):
        pattern = f"^{re.escape(step)}$"
    if step == "*":
        pattern = "^/[^em].*" if place == ("series",) else "^/[^em]"
    return (f"{pattern.removesuffix('$')}_[0-9]{{2}}$",) if place == ("series",) else (pattern,)
