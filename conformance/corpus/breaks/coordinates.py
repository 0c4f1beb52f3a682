"""Coordinates in closed worlds: every axis of a profile at the root, every group with one, and what only looks like one.

Groups and axes are read from the rows of the table of a profile. One neighbour of each profile has all coordinates; each
array that is not a coordinate is a case of its own, in a group and with an axis in turn, so that all of both occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vizschema.conformance.corpus.breaks.edits import Break, Edit, add, array, broken, group, valid
from vizschema.conformance.corpus.breaks.openfold import slug_of
from vizschema.conformance.corpus.cases import base
from vizschema.rules.profiles import table_at
from vizschema.rules.tables.axes import names_in
from vizschema.rules.tables.paths import example, groups_of, overlap
from vizschema.rules.tables.table import Node
from vizschema.rules.versions import load

CLOSED: Mapping[str, Sequence[str]] = {"1.0.0": ("mnist", "vit", "openfold"), "1.1.0": ("lm",)}
"""The profiles of each version that are closed."""
PLAIN = {"pattern": "listed", "values": [0, 1, 1]}

# A table reads better with a case a line.
# fmt: off


def breaks(spec: str = "1.0.0") -> Iterator[Break]:
    """Every break of this table for a version."""
    for profile in CLOSED[spec]:
        yield from _of(spec, profile)


def _of(spec: str, profile: str) -> Iterator[Break]:
    rule, nodes = f"{profile}-known-nodes", _nodes(spec, profile)
    places = [place for family in _families(nodes) for place in _paired(*family)]
    held = base(spec, profile)["nodes"]
    missing = {path: _missing(nodes, held, path) for path, _ in places}
    every = {path: edit for edits in missing.values() for path, edit in edits.items()}
    coordinates = [edit for path, axis in places for edit in _in_all(path, held, axis, _coordinate(axis))]
    yield valid(rule, profile, "coordinates-everywhere", "A coordinate of every axis, and one in every group.", *every.values(), *coordinates)
    for path, axis in places:
        slug, dtype = slug_of(f"{path}/{axis}"), "float32" if path.startswith("/attention") else "int64"
        others = _in_all(path, held, axis, _coordinate(axis))
        odd = add(f"{path}/{axis}", array("unit:query unit:key", dtype, PLAIN if dtype == "int64" else None, normalization="none", source="unknown"))
        yield broken(rule, profile, f"no-coordinate-{slug}", f"{path}/{axis} has other axes than its name.", *missing[path].values(), *others, odd)


def _nodes(spec: str, profile: str) -> list[Node]:
    return table_at(load(spec).folder / profile, spec).all_nodes()


def _coordinate(axis: str) -> dict[str, Any]:
    node: dict[str, Any] = array(axis, "int64", {"pattern": "ramp"})
    return node


def _families(nodes: Sequence[Node]) -> list[tuple[list[str], list[str]]]:
    """Groups, and the axes that a coordinate in them may be called after, since no row and no group has that name."""
    rows = [node.steps for node in nodes]
    taken = [*rows, *groups_of(rows)]
    found: dict[tuple[str, ...], list[str]] = {}
    for steps in ((), *groups_of(rows)):
        free = tuple(axis for axis in names_in(nodes) if not any(overlap((*steps, axis), each) for each in taken))
        found.setdefault(free, []).append(example(steps).rstrip("/"))
    return [(groups, list(axes)) for axes, groups in found.items() if axes]


def _paired(groups: Sequence[str], axes: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of a group and an axis, as few as have all of both."""
    count = max(len(groups), len(axes))
    return [(groups[number % len(groups)], axes[number % len(axes)]) for number in range(count)]


def _in_all(path: str, held: Mapping[str, Any], axis: str, node: dict[str, Any]) -> list[Edit]:
    """`node` in the group at `path`, and in the other members of its series, so that they stay alike."""
    stem, _, digits = path.rpartition("_")
    split = [(each, each.rpartition("_")) for each in held]
    alike = [each for each, (first, _, last) in split if first == stem and last.isdecimal()] if digits.isdecimal() else []
    return [add(f"{each}/{axis}", node) for each in {path: None, **dict.fromkeys(alike)}]


def _missing(nodes: Sequence[Node], held: Mapping[str, Any], path: str) -> dict[str, Edit]:
    """The group at `path` and those above it that the base does not have; what belongs together is whole, and series declared."""
    edits: dict[str, Edit] = {}
    steps = path.split("/")
    for length in range(2, len(steps) + 1):
        place, inner = "/".join(steps[:length]), steps[length] if length < len(steps) else ""
        if place not in held:
            rows = [node for node in nodes if place.endswith("_00") or node.row.need == "together"]
            held_there = {row: edit for node in rows for row, edit in _row(node, place).items()}
            names = (inner, *(row.rpartition("/")[2] for row in held_there))
            counts = {f"num_{name.removesuffix('_00')}s": 1 for name in names if name.endswith("_00")}
            edits |= {place: add(place, group(**counts)), **held_there}
    return edits


def _row(node: Node, group_: str) -> dict[str, Edit]:
    """The array of a row, where it is one of the members of a group."""
    path, dtype = example(node.steps), node.row.columns["dtype"]
    if path.rpartition("/")[0] != group_:
        return {}
    whole = {"integers": "int32", "floats": "float32"}.get(dtype, dtype)
    contents = PLAIN if "int" in whole else {"pattern": "softmax", "seed": 7}
    return {path: add(path, array(" ".join(node.axes[0]), whole, contents))}
