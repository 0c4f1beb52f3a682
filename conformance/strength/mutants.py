"""Every single-constraint mutant of the released schemas: something dropped, a bound moved by one, a pattern loosened.

`drop` takes away a keyword, an entry of `required` or `enum`, a subschema; `unconditional` takes away a condition and
keeps its consequence; `shift` moves a bound by one unit of its last digit; `loosen` and `narrow` change a pattern.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vizschema.rules.versions import LEVELS, NAMED_MEMBERS, Schema, Spec, read_json

Path = tuple[str | int, ...]

BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "minItems",
    "maxItems",
    "maxProperties",
)
_WORDS = frozenset({"$schema", "$id", "$anchor", "$defs", "$comment", "title", "description", "then"})
_SUBSCHEMAS = frozenset({"additionalProperties", "propertyNames", "items", "not", "if", "then"})
_LISTS = frozenset({"allOf", "anyOf", "prefixItems"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one document: `place` leads to the value that `value` replaces (or `DROPPED`)."""

    document: str
    place: Path
    operator: str
    value: Any
    rule: str | None

    @property
    def name(self) -> str:
        """What is changed where, in one line."""
        where = "/".join(str(token).replace("~", "~0").replace("/", "~1") for token in self.place)
        end = "" if self.value is DROPPED else f" → {self.value}"
        return f"{self.operator} {self.document}#/{where}{end}"


class _Dropped:
    def __repr__(self) -> str:
        return "dropped"


DROPPED = _Dropped()


def mutants(spec: Spec) -> Iterator[Mutant]:
    """Every mutant of every schema of `spec`, in the order of the documents."""
    for path, level in itertools.product(sorted(spec.folder.rglob("must.schema.json")), LEVELS):
        place = path.with_name(f"{level}.schema.json")
        if place.is_file():
            yield from _schema(place.relative_to(spec.folder).as_posix(), read_json(place), (), None)


def mutated(schema: Schema, mutant: Mutant) -> Schema:
    """A copy of the document `schema` with the change; shares what is not on the way to it."""
    changed: Schema = _replaced(schema, mutant.place, mutant.value)
    return changed


def _replaced(value: Any, place: Path, new: Any) -> Any:
    token, rest = place[0], place[1:]
    if isinstance(value, list):
        index = int(token)
        inner = _replaced(value[index], rest, new) if rest else new
        return [*value[:index], *([] if inner is DROPPED else [inner]), *value[index + 1 :]]
    copy = dict(value)
    if rest:
        copy[str(token)] = _replaced(copy[str(token)], rest, new)
    elif new is DROPPED:
        del copy[str(token)]
        if token == "if":
            copy.pop("then", None)
    elif new is UNCONDITIONAL:
        copy["if"] = {}
    elif isinstance(new, tuple):  # another name
        copy = {(new[0] if key == token else key): item for key, item in copy.items()}
    else:
        copy[str(token)] = new
    return copy


def pattern_of(schema: Schema, mutant: Mutant) -> tuple[str, str] | None:
    """The pattern that `mutant` changes in its document `schema`, and what it changes it to; None of other mutants."""
    if mutant.operator not in ("loosen", "narrow"):
        return None
    if isinstance(mutant.value, tuple):  # the key of `patternProperties`
        return str(mutant.place[-1]), str(mutant.value[0])
    value: Any = schema
    for token in mutant.place:
        value = value[token]
    return str(value), str(mutant.value)


class _Unconditional:
    def __repr__(self) -> str:
        return "always"


UNCONDITIONAL = _Unconditional()


def _schema(document: str, schema: Any, place: Path, rule: str | None) -> Iterator[Mutant]:
    if not isinstance(schema, dict):
        return
    rule = schema.get("$anchor", rule)
    for keyword, value in schema.items():
        here = (*place, keyword)
        if keyword == "$defs":
            for name, inner in value.items():
                yield from _schema(document, inner, (*here, name), rule)
            continue
        if keyword in _SUBSCHEMAS:
            yield from _schema(document, value, here, rule)
        if keyword in _WORDS:
            continue
        yield from _keyword(document, schema, keyword, here, rule)


def _keyword(document: str, schema: Schema, keyword: str, here: Path, rule: str | None) -> Iterator[Mutant]:
    value = schema[keyword]
    if keyword in NAMED_MEMBERS:
        for name, inner in value.items():
            yield Mutant(document, (*here, name), "drop", DROPPED, rule)
            if keyword == "patternProperties":
                for operator, pattern in patterns(name):
                    if pattern not in value:
                        yield Mutant(document, (*here, name), operator, (pattern,), rule)
            yield from _schema(document, inner, (*here, name), rule)
        return
    if keyword in _LISTS:
        for index, inner in enumerate(value):
            if len(value) > 1:
                yield Mutant(document, (*here, index), "drop", DROPPED, inner.get("$anchor", rule))
            yield from _schema(document, inner, (*here, index), rule)
        return
    yield Mutant(document, here, "drop", DROPPED, rule)
    if keyword == "if":
        yield Mutant(document, here, "unconditional", UNCONDITIONAL, rule)
    if keyword in _ENTRIES and isinstance(value, list) and len(value) > 1:
        for index in range(len(value)):
            yield Mutant(document, (*here, index), "drop", DROPPED, rule)
    if keyword in BOUNDS:
        unit = Decimal(1).scaleb(int(Decimal(str(value)).as_tuple().exponent))
        for moved in (Decimal(str(value)) - unit, Decimal(str(value)) + unit):
            if moved >= 0 or keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
                yield Mutant(document, here, "shift", int(moved) if isinstance(value, int) else float(moved), rule)
    if keyword == "pattern":
        for operator, pattern in patterns(value):
            yield Mutant(document, here, operator, pattern, rule)


_ENTRIES = frozenset({"required", "enum", "type"})


def patterns(pattern: str) -> Iterator[tuple[str, str]]:
    """(operator, another pattern) for each single change: an anchor, a class, a repetition, an alternative."""
    seen = {pattern}
    for operator, changed in (*_anchors(pattern), *_classes(pattern), *_repetitions(pattern), *_alternatives(pattern)):
        if changed not in seen and _compiles(changed):
            seen.add(changed)
            yield operator, changed


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _anchors(pattern: str) -> Iterator[tuple[str, str]]:
    if pattern.startswith("^"):
        yield "loosen", pattern[1:]
    if pattern.endswith("$"):
        yield "loosen", pattern[:-1]


def _classes(pattern: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"\[[^\]]*\]", pattern):
        yield "loosen", f"{pattern[: match.start()]}.{pattern[match.end() :]}"


def _repetitions(pattern: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"\{([0-9]+)(,([0-9]+))?\}", pattern):
        yield "loosen", f"{pattern[: match.start()]}+{pattern[match.end() :]}"
    for match in re.finditer(r"(?<=\])\+|(?<=\))\?", pattern):
        yield "loosen", f"{pattern[: match.start()]}*{pattern[match.end() :]}"


def _alternatives(pattern: str) -> Iterator[tuple[str, str]]:
    """The pattern without one of the alternatives of one of its groups."""
    for opening, closing in _groups(pattern):
        bars = [opening, *_bars(pattern, opening, closing), closing]
        if len(bars) > 2:
            for left, right in itertools.pairwise(bars):
                start, end = (left + 1, right + 1) if left == opening else (left, right)
                yield "narrow", pattern[:start] + pattern[end:]


def _groups(pattern: str) -> Iterator[tuple[int, int]]:
    stack: list[int] = []
    for index, character in _outside_classes(pattern):
        if character == "(":
            stack.append(index)
        elif character == ")":
            yield stack.pop(), index


def _bars(pattern: str, opening: int, closing: int) -> Iterator[int]:
    depth = 0
    for index, character in _outside_classes(pattern):
        if opening < index < closing:
            depth += (character == "(") - (character == ")")
            if character == "|" and not depth:
                yield index


def _outside_classes(pattern: str) -> Iterator[tuple[int, str]]:
    inside = False
    for index, character in enumerate(pattern):
        if inside:
            inside = character != "]"
        elif character == "[":
            inside = True
        else:
            yield index, character


Killer = Callable[[Mapping[str, Schema]], bool]
