"""Whether `facts.json` of a profile by hand measures what its rules judge, and nothing that no rule judges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vizschema.errors import SpecError
from vizschema.rules.keywords import matches, misfits
from vizschema.rules.tables.relations import ALWAYS, FIELDS
from vizschema.text import suggestion

Entry = Mapping[str, Any]

_BESIDE = ("allOf", "anyOf", "if", "then", "not")


class Judged(NamedTuple):
    """A fact that a schema judges, at nodes of a path (a pattern, where `is_pattern`; None: any other)."""

    path: str | None
    is_pattern: bool
    fact: str


def require_form(place: Path, document: Any, schema: Path) -> None:
    """Raise `SpecError` where `document`, the `facts.json` at `place`, is not as `schema` says."""
    for misfit in misfits(document, schema):
        raise SpecError(misfit, path=place)
    for entry in document.get("facts", ()):
        try:
            re.compile(entry["at"], re.ASCII)
        except re.error as error:
            raise SpecError(path=place, expected="a pattern of paths", found=f"{entry['at']!r}: {error}") from None
        if matches(entry["at"], "/") is None:
            raise SpecError(path=place, expected="a pattern that needs no backtracking", found=repr(entry["at"]))


def require_judged(place: Path, asked: Sequence[Entry], own: Sequence[Any], entries: Sequence[Entry]) -> None:
    """Raise `SpecError` where `asked`, the entries of `facts.json` at `place`, and the rules of a profile do not fit.

    `own` are the schemas of the profile itself, `entries` everything that is measured for it.
    """
    judged = [each for schema_ in own for each in judged_by(schema_)]
    axes = {axis.partition(":")[0] for schema_ in own for axis in _axes(schema_)}
    for entry in asked:
        _require_judged(entry, judged, place)
        axis = entry.get("axis")
        if axes and axis is not None and axis not in axes:
            raise SpecError(f"no rule has the axis {axis!r}{suggestion(axis, axes)}", path=place)
    measured = [(entry["at"], field) for entry in entries for fact in entry["measure"] for field in _fields(fact)]
    for each in judged:
        flaw = unmeasured(each, measured)
        if flaw is not None:
            raise SpecError(flaw, path=place)


def unmeasured(judged: Judged, measured: Sequence[tuple[str, str]]) -> str | None:
    """Say that nothing measures what is judged; None where something does.

    `measured` are pairs of a pattern of paths and a field of facts.
    """
    places = [at for at, field in measured if field == judged.fact]
    reached = judged.is_pattern or judged.path is None or any(matches(at, judged.path) for at in places)
    if judged.fact in ALWAYS or (places and reached):
        return None
    known = {*ALWAYS, *(field for _, field in measured), *(field for fields in FIELDS.values() for field in fields)}
    measure = next((fact for fact, fields in FIELDS.items() if judged.fact in fields), judged.fact)
    hint = f"; measure `{measure}` there" if judged.fact in known else suggestion(judged.fact, known)
    return f"nothing measures {judged.fact}, which a rule judges at {judged.path or 'every node'}{hint}"


def _require_judged(entry: Entry, judged: Sequence[Judged], place: Path) -> None:
    """Raise `SpecError` where an entry measures for an axis or a partner what no rule judges there."""
    for fact in entry["measure"]:
        if not {"axis", "with"} & entry.keys():
            continue
        where = [each for each in judged if each.fact in _fields(fact)]
        if not any(each.is_pattern or each.path is None or re.search(entry["at"], each.path) for each in where):
            paths = [each.path for each in where if each.path]
            known = suggestion(str(entry["at"]).strip("^$"), paths)
            raise SpecError(f"no rule judges {fact} at {entry['at']}{known}", path=place)


def _fields(fact: str) -> tuple[str, ...]:
    return FIELDS.get(fact, (fact,))


def judged_by(schema: Any) -> Iterator[Judged]:
    """Every fact that a schema of descriptions judges."""
    for nodes in _inside(schema, "nodes"):
        for path, is_pattern, node in _members(nodes):
            for facts in _inside(node, "facts"):
                yield from (Judged(path, is_pattern, fact) for fact in _names(facts))


def _inside(schema: Any, name: str) -> Iterator[Any]:
    """What a schema says of its property `name`."""
    for each in _beside(schema):
        if name in each.get("properties", {}):
            yield each["properties"][name]


def _beside(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A schema, and those that it applies to the same value."""
    if isinstance(schema, list):
        for item in schema:
            yield from _beside(item)
    elif isinstance(schema, dict):
        yield schema
        for keyword in _BESIDE:
            yield from _beside(schema.get(keyword, ()))


def _members(schema: Any) -> Iterator[tuple[str | None, bool, Any]]:
    for each in _beside(schema):
        yield from ((path, False, node) for path, node in each.get("properties", {}).items())
        yield from ((path, True, node) for path, node in each.get("patternProperties", {}).items())
        if "additionalProperties" in each:
            yield None, False, each["additionalProperties"]


def _names(facts: Any) -> Iterator[str]:
    for each in _beside(facts):
        yield from each.get("properties", {})
        yield from each.get("required", ())


def _axes(schema: Any) -> Iterator[str]:
    """Every name of an axis that a schema of descriptions asks for."""
    for nodes in _inside(schema, "nodes"):
        for _, _, node in _members(nodes):
            for axes in _inside(node, "axes"):
                yield from _texts(axes)


def _texts(value: Any) -> Iterator[str]:
    for each in _beside(value):
        listed = [each["const"]] if "const" in each else each.get("enum", [])
        yield from (axis for axes in listed if isinstance(axes, list) for axis in axes if isinstance(axis, str))
        for item in each.get("prefixItems", ()):
            yield from (str(axis["const"]) for axis in _beside(item) if isinstance(axis.get("const"), str))
