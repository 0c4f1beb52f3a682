"""What has to be there: from the needs of rows to JSON Schema. One entry for each word of the column `need`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vizschema.errors import SpecError
from vizschema.rules.tables.paths import SERIES, Steps, above, is_fixed, is_free, pattern, shown
from vizschema.rules.tables.table import Node

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema


def needed(nodes: Sequence[Node]) -> Iterator[Schema]:
    """What the needs of `nodes`, which one rule judges, assert."""
    for need, make in _NEEDS.items():
        wanted = [node.steps for node in nodes if node.row.need == need]
        if wanted:
            yield from make(wanted)


def check(nodes: Sequence[Node]) -> None:
    """Raise `SpecError` where the need of a row cannot be asked where it is."""
    for node in nodes:
        fixed = is_fixed(node.steps[:-1]) and not node.steps[-1].startswith("<")
        if node.row.need in ("yes", "recommended", "unless declared") and not fixed:
            raise SpecError(
                f"need: {node.row.need!r} is for a node, or a series, in groups with fixed names",
                path=node.row.path,
                fix="write some or together",
            )
        if node.row.need == "together":
            beside = [each for each in nodes if each.steps[:-1] == node.steps[:-1]]
            others = [each.row.path for each in beside if each.row.need != "together"]
            if others or len(beside) < 2 or not is_fixed(node.steps[-1:]):
                raise SpecError(
                    "need: together is for all rows of a group, two at least, without a series; "
                    f"found {', '.join(others) or len(beside)}",
                    path=node.row.path,
                )


def _where(groups: Sequence[Steps], then: Schema, undeclared: Sequence[Schema] = ()) -> Schema:
    """`then` where the root and `groups` are groups, or are missing, and one of `undeclared`, if any, holds."""
    named = ["/", *map(shown, groups)]
    where: Schema = {"nodes": {"properties": {name: {"properties": {"kind": {"const": "group"}}} for name in named}}}
    if len(undeclared) == 1:
        where |= undeclared[0]
    either = {"anyOf": [{"properties": each} for each in undeclared]} if len(undeclared) > 1 else {}
    return {"if": {"properties": where, **either}, "then": then}


def _undeclared(nodes: Sequence[Steps]) -> list[Schema]:
    """For each of `nodes`, that the archive does not declare it as not captured, nor a group above it."""
    names = dict.fromkeys(tuple(shown(steps) for steps in (*above(node), node) if is_fixed(steps)) for node in nodes)
    return [{"not_captured": {"propertyNames": {"not": {"enum": list(each)}}}} for each in names]


def _each(nodes: Sequence[Steps]) -> Iterator[Schema]:
    """That every one of `nodes` is there, by the group that holds it."""
    parents: dict[Steps, list[Steps]] = {}
    for steps in nodes:
        parents.setdefault(steps[:-1], []).append(steps)
    for members in parents.values():
        yield _members(members, ())


def _each_undeclared(nodes: Sequence[Steps]) -> Iterator[Schema]:
    """That every one of `nodes` is there, or declared as not captured."""
    yield from (_members([steps], _undeclared([steps])) for steps in nodes)


def _members(members: Sequence[Steps], undeclared: Sequence[Schema]) -> Schema:
    """That `members` of one group are there."""
    parent = members[0][:-1]
    series = [shown(steps).removesuffix(SERIES) for steps in members if steps[-1].endswith(SERIES)]
    single = [shown(steps) for steps in members if not steps[-1].endswith(SERIES)]
    there: Schema = {"nodes": {"required": single}} if single else {}
    if series:
        there["series"] = {"required": series, "properties": {name: _begun() for name in series}}
    return _where([*above(parent), parent] if parent else [], {"properties": there}, undeclared)


def _begun() -> Schema:
    """That a series has a member, unless `series-gap` reports that it has none."""
    elsewhere = [
        {"properties": {"partial": {"const": True}}},
        {"properties": {"missing": {"maxItems": 0}}},
        {"properties": {"siblings": {"minimum": 1}}},
    ]
    return {"if": {"anyOf": elsewhere}, "then": {"properties": {"indices": {"minItems": 1}}}}


def _one_undeclared(nodes: Sequence[Steps]) -> Iterator[Schema]:
    """That one of `nodes` is there, or each of them is declared as not captured."""
    yield from _one(nodes, _undeclared(nodes))


def _one(nodes: Sequence[Steps], undeclared: Sequence[Schema] = ()) -> Iterator[Schema]:
    """That one of `nodes` is there, unless a group that would hold one cannot be read."""
    groups = list(dict.fromkeys(group for steps in nodes for group in above(steps)))
    shared = [group for group in groups if is_fixed(group) and all(steps[: len(group)] == group for steps in nodes)]
    inner = [group for group in groups if group not in shared]
    free, named = [steps for steps in nodes if is_free(steps)], [steps for steps in nodes if not is_free(steps)]
    none: Schema = {"propertyNames": {"not": {"pattern": pattern(named)}}} if named else {}
    if free:  # a coordinate is none of them
        none["patternProperties"] = {pattern(free): {"not": {"properties": {"coordinate": {"not": {"const": True}}}}}}
    if inner:
        readable = {"properties": {"kind": {"enum": ["group", "array"]}}}
        none["patternProperties"] = {**none.get("patternProperties", {}), pattern(inner): readable}
    yield _where(shared, {"properties": {"nodes": {"not": none}}}, undeclared)


def _all_or_none(nodes: Sequence[Steps]) -> Iterator[Schema]:
    """That groups which hold one of `nodes` hold them all, by the number of their members: the world is closed."""
    counts: dict[Steps, int] = {}
    for steps in nodes:
        counts[steps[:-1]] = counts.get(steps[:-1], 0) + 1
    found: dict[str, Schema] = {}
    for count in dict.fromkeys(counts.values()):
        held = {"properties": {"kind": {"const": "group"}, "members": {"minimum": 1}}}
        schema = {"if": held, "then": {"properties": {"members": {"minimum": count}}}}
        found[pattern([group for group, members in counts.items() if members == count])] = schema
    yield {"properties": {"nodes": {"patternProperties": found}}}


_NEEDS: Mapping[str, Callable[[Sequence[Steps]], Iterator[Schema]]] = {
    "yes": _each,
    "recommended": _each,
    "some": _one,
    "unless declared": _each_undeclared,
    "some unless declared": _one_undeclared,
    "together": _all_or_none,
}
