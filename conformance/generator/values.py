"""JSON values that obey some schemas, drawn without throwing any away: a builder for every allowed keyword.

The schemas are merged into one `Wanted` first, and the value is drawn from what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from vizschema.conformance.generator.constraints import holds, members_of
from vizschema.conformance.generator.languages import Language
from vizschema.rules.versions import Schema

KINDS = ("string", "integer", "boolean", "number", "array")
"""Types of values, the simplest first; an object is drawn only where it is asked for."""
PLAIN = Language((r"^[a-zA-Z0-9 ~_/.:+,é-]*$",))
"""Texts of one printable line, in which nothing has to be escaped."""
_MOST = 1 << 31


@dataclass(slots=True)
class Wanted:
    """What is left after all schemas have had their say."""

    kinds: set[str] = field(default_factory=lambda: {*KINDS, "object", "null"})
    named: bool = False
    allowed: list[Any] | None = None
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    length: int = 0
    language: Language = PLAIN
    least: int = 0
    most: int | None = None
    unique: bool = False
    prefix: list[list[Schema]] = field(default_factory=list)
    items: list[Schema] = field(default_factory=list)
    contains: list[Schema] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    members: list[Schema] = field(default_factory=list)
    names: list[Schema] = field(default_factory=list)
    properties: int | None = None
    choices: list[list[Schema]] = field(default_factory=list)
    tests: list[Schema] = field(default_factory=list)


def merged(schemas: Iterable[Schema], language: Language = PLAIN) -> Wanted:
    """All of `schemas` as one, conditions taken to hold; texts are those of `language` to begin with."""
    wanted = Wanted(language=language)
    for schema in schemas:
        _merge(wanted, schema)
    return wanted


def _merge(wanted: Wanted, schema: Schema) -> None:
    for keyword, value in schema.items():
        build = BUILDERS.get(keyword)
        if build is not None:
            build(wanted, value, schema)


def _type(wanted: Wanted, value: Any, _: Schema) -> None:
    kinds = {value} if isinstance(value, str) else set(value)
    wanted.kinds &= kinds | ({"integer"} if "number" in kinds else set())
    wanted.named = True


def _enum(wanted: Wanted, value: Any, _: Schema) -> None:
    wanted.allowed = list(value) if wanted.allowed is None else [each for each in wanted.allowed if each in value]


def _bound(name: str, choose: Callable[[Any, Any], Any]) -> Callable[[Wanted, Any, Schema], None]:
    def build(wanted: Wanted, value: Any, _: Schema) -> None:
        have = getattr(wanted, name)
        setattr(wanted, name, value if have is None else choose(have, value))

    return build


def _not(wanted: Wanted, value: Any, _: Schema) -> None:
    """What is excluded: a type, texts of a pattern, items; anything else is looked at where the values are few."""
    keywords = set(value) & set(BUILDERS)
    if keywords == {"type"}:
        wanted.kinds -= {value["type"]} if isinstance(value["type"], str) else set(value["type"])
    elif keywords <= {"type", "pattern"}:
        wanted.language &= Language((), (value["pattern"],))
    elif keywords == {"not"}:
        _merge(wanted, value["not"])
    elif keywords == {"items"}:
        wanted.contains.append({"not": value["items"]})
    elif keywords == {"propertyNames"} and set(value["propertyNames"]) == {"not"}:
        wanted.required.append(Language((value["propertyNames"]["not"]["pattern"],)).shortest())
    else:
        wanted.tests.append({"not": value})


def _prefix(wanted: Wanted, value: Any, _: Schema) -> None:
    wanted.prefix += [[] for _ in range(len(value) - len(wanted.prefix))]
    for place, child in zip(wanted.prefix, value, strict=False):
        place.append(child)


def _append(name: str) -> Callable[[Wanted, Any, Schema], None]:
    return lambda wanted, value, _: getattr(wanted, name).append(value)


def _members(wanted: Wanted, _: Any, schema: Schema) -> None:
    if schema not in wanted.members:
        wanted.members.append(schema)


def _all(wanted: Wanted, value: Any, _: Schema) -> None:
    for child in value:
        _merge(wanted, child)


def _pattern(wanted: Wanted, value: Any, _: Schema) -> None:
    wanted.language &= Language((value,))


BUILDERS: Mapping[str, Callable[[Wanted, Any, Schema], None]] = {
    "type": _type,
    "const": lambda wanted, value, schema: _enum(wanted, [value], schema),
    "enum": _enum,
    "minimum": _bound("low", max),
    "maximum": _bound("high", min),
    "exclusiveMinimum": _bound("above", max),
    "exclusiveMaximum": _bound("below", min),
    "minLength": _bound("length", max),
    "pattern": _pattern,
    "minItems": _bound("least", max),
    "maxItems": _bound("most", min),
    "uniqueItems": lambda wanted, value, _: setattr(wanted, "unique", value),
    "prefixItems": _prefix,
    "items": _append("items"),
    "required": lambda wanted, value, _: wanted.required.extend(value),
    "properties": _members,
    "patternProperties": _members,
    "additionalProperties": _members,
    "propertyNames": _append("names"),
    "maxProperties": _bound("properties", min),
    "allOf": _all,
    "anyOf": _append("choices"),
    "not": _not,
    "if": lambda wanted, _, schema: _merge(wanted, schema["then"]),
    "then": lambda *_: None,
}
"""How each keyword narrows what is wanted."""


def values(schemas: Iterable[Schema]) -> st.SearchStrategy[Any]:
    """Values that obey all of `schemas`; raises `ValueError` where nothing does, or nothing that can be built."""
    schemas = list(schemas)
    wanted = merged(schemas)
    if wanted.choices:
        rest = [_without(schema, "anyOf") for schema in schemas]
        return st.one_of(list(_branches(rest, wanted.choices)))
    if wanted.allowed is not None:
        left = [each for each in wanted.allowed if all(holds(schema, each) for schema in schemas)]
        if not left:
            raise ValueError(f"nothing obeys all of {schemas}")
        return st.sampled_from(left)
    kinds = [kind for kind in (*KINDS, "null", "object") if kind in wanted.kinds]
    if not wanted.named:
        kinds = [kind for kind in _natural(wanted) if kind in kinds]
    return st.one_of([_DRAWN[kind](wanted) for kind in kinds])


def _branches(rest: list[Schema], choices: list[list[Schema]]) -> Iterator[st.SearchStrategy[Any]]:
    """The branches that something obeys beside the rest."""
    for number in range(max(map(len, choices))):
        try:
            yield values([*rest, *_picked(choices, number)])
        except ValueError:
            continue


def _without(schema: Any, keyword: str) -> Any:
    """`schema` without a keyword, also in what it is made of and in consequences of conditions."""
    made = {key: value for key, value in schema.items() if key != keyword}
    for key in ("allOf", "then"):
        if key in made:
            made[key] = (
                [_without(each, keyword) for each in made[key]] if key == "allOf" else _without(made[key], keyword)
            )
    return made


def _picked(choices: list[list[Schema]], number: int) -> list[Schema]:
    return [branches[min(number, len(branches) - 1)] for branches in choices]


def _natural(wanted: Wanted) -> tuple[str, ...]:
    """The types that the other keywords are about."""
    if wanted.members or wanted.required or wanted.names:
        return ("object",)
    if wanted.items or wanted.prefix or wanted.contains or wanted.unique or wanted.most is not None or wanted.least:
        return ("array",)
    if any(each is not None for each in (wanted.low, wanted.high, wanted.above, wanted.below)):
        return ("integer",)
    return KINDS if wanted.language == PLAIN and not wanted.length else ("string",)


def integers_of(wanted: Wanted) -> tuple[int, int]:
    """The least and the greatest integer that are wanted."""
    low, high = -_MOST, _MOST
    if wanted.low is not None:
        low = -int(-wanted.low // 1)
    if wanted.above is not None:
        low = max(low, int(wanted.above // 1) + 1)
    if wanted.high is not None:
        high = int(wanted.high // 1)
    if wanted.below is not None:
        high = min(high, -int(-wanted.below // 1) - 1)
    return low, max(low, high)


def _integers(wanted: Wanted) -> st.SearchStrategy[Any]:
    return st.integers(*integers_of(wanted))


def _numbers(wanted: Wanted) -> st.SearchStrategy[Any]:
    low, high = integers_of(wanted)
    return st.integers(low * 4, high * 4 if high > low else low * 4).map(lambda number: number / 4)


def _texts(wanted: Wanted) -> st.SearchStrategy[Any]:
    language = wanted.language
    longer = language & Language((f"^.{{{wanted.length},}}$",)) if wanted.length else language
    texts: st.SearchStrategy[Any] = longer.texts()
    return texts


def _lists(wanted: Wanted) -> st.SearchStrategy[Any]:
    heads = [values(schemas) for schemas in wanted.prefix]
    heads += [values([*wanted.items, schema]) for schema in wanted.contains]
    items = values(wanted.items) if wanted.items else st.integers(0, 9)
    most = max(wanted.least, min(wanted.most if wanted.most is not None else 3, 3)) - len(heads)
    least = max(0, wanted.least - len(heads))
    spare = len(heads) if wanted.unique else 0
    tails = st.lists(
        items,
        min_size=least + spare if least else 0,
        max_size=max(least, most) + spare,
        unique_by=repr if wanted.unique else None,
    )
    return st.tuples(*heads, tails).map(lambda drawn: _joined(drawn, max(least, most), unique=wanted.unique))


def _joined(drawn: tuple[Any, ...], most: int, *, unique: bool) -> list[Any]:
    """The first items and `most` of the others, which are none of the first where all are unique."""
    heads, tail = list(drawn[:-1]), drawn[-1]
    return [*heads, *[item for item in tail if not unique or item not in heads][:most]]


def _objects(wanted: Wanted) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            name: values([child for schema in wanted.members for child in members_of(schema, name)])
            for name in wanted.required
        }
    )


_DRAWN: Mapping[str, Callable[[Wanted], st.SearchStrategy[Any]]] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
    "array": _lists,
    "object": _objects,
}
