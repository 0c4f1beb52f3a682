"""Wrong validators that read values wrongly: facts are measured again, of other values or by other arithmetic.

What a fault changes of the facts by the plain reference is what it changes of the description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.conformance.corpus.reference_facts import measure
from vizschema.conformance.wrong import readers
from vizschema.conformance.wrong.kinds import Nodes, Wrong
from vizschema.description import Description

Entries = Sequence[Mapping[str, Any]]
Facts = Mapping[str, Mapping[str, Any]]
Measure = Callable[[Nodes, Entries], Facts]
"""The facts of each array, by its path."""


def differing(wrong: Wrong, nodes: Nodes, entries: Entries) -> Facts:
    """The facts that a fault changes, of the arrays of which it changes any."""
    if wrong.facts is None:
        return {}
    right, other = measure(nodes, entries), wrong.facts(nodes, entries)
    found = {
        path: {key: value for key, value in facts.items() if repr(right[path].get(key)) != repr(value)}
        for path, facts in other.items()
    }
    return {path: facts for path, facts in found.items() if facts}


def remeasured(description: Description, facts: Facts) -> Description:
    """`description` with other facts; itself where none of its arrays has them."""
    nodes = description["nodes"]
    changed = {
        path: {**nodes[path], "facts": {**nodes[path]["facts"], **each}}
        for path, each in facts.items()
        if "facts" in nodes.get(path, {})
    }
    return {**description, "nodes": {**nodes, **changed}} if changed else description


def _of(change: readers.Change) -> Measure:
    """Facts of values that were read wrongly."""
    return lambda nodes, entries: measure(change(nodes), entries)


def _first_chunk_alone(nodes: Nodes) -> Nodes:
    """Arrays of which nothing but the first chunk is read; its entries stand for all."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or not len(node.chunks) or any(mask in node.attributes for mask in ("mask", "sink")):
            return node
        return replace(node, values=node.values[tuple(slice(0, length) for length in node.chunks)])

    return {path: of(node) for path, node in nodes.items()}


def _rows(node: RawNode) -> Values | None:
    """The rows along the axis with the role key; None of what has no such axis, or a mask."""
    along = [at for at, name in enumerate(node.axes or ()) if str(name).endswith(":key")]
    if node.values is None or len(along) != 1 or not node.values.size or {"mask", "sink"} & set(node.attributes):
        return None
    moved = np.moveaxis(node.values, along[0], -1)
    rows: Values = moved.reshape(-1, moved.shape[-1])
    return rows


def _sums(add: Callable[[Values], Values]) -> Measure:
    """Sums of rows by `add`, in the order of their entries."""

    def measured(nodes: Nodes, entries: Entries) -> Facts:
        found = {path: dict(facts) for path, facts in measure(nodes, entries).items()}
        for path, facts in found.items():
            rows = _rows(nodes[path]) if "row_sum_minimum" in facts else None
            if rows is None:
                continue
            with np.errstate(all="ignore"):
                sums = [float(each) for each in add(rows) if np.isfinite(each)]
            facts["row_sum_minimum"], facts["row_sum_maximum"] = min(sums, default=None), max(sums, default=None)
            facts["nonzero_row_sum_minimum"] = min((each for each in sums if each), default=None)
        return found

    return measured


def _one_by_one(dtype: Any) -> Callable[[Values], Values]:
    def add(rows: Values) -> Values:
        total = np.zeros(len(rows), dtype)
        for column in range(rows.shape[1]):
            total = (total + rows[:, column].astype(dtype)).astype(dtype)
        return total

    return add


def _last_axis(nodes: Nodes, entries: Entries) -> Facts:
    """Rows along the last axis, whatever role it has."""
    found: Facts = measure(
        nodes, [_less(entry, "along") if "row_sum" in entry["measure"] else entry for entry in entries]
    )
    return found


def _less(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def _without(attribute: str) -> Measure:
    """Masks, or shares of rows, not looked at."""
    return lambda nodes, entries: measure(
        nodes, [{**entry, attribute: "none"} if attribute in entry else entry for entry in entries]
    )


def _nan_by_value(nodes: Nodes, entries: Entries) -> Facts:
    """NaN is never equal to NaN, so that no array, and no two slices, with one are the same."""
    found = {path: dict(facts) for path, facts in measure(nodes, entries).items()}
    for path, facts in found.items():
        values = nodes[path].values
        if values is None or "nan" not in facts or not facts["nan"]:
            continue
        if "constant" in facts:
            facts["constant"] = False
        if facts.get("duplicate_slices"):
            facts["duplicate_slices"] = 0
    return found


def _nan_alike(node: RawNode) -> RawNode:
    """Every NaN is the same one."""
    if node.values is None or node.values.dtype.kind != "f":
        return node
    return replace(node, values=np.where(np.isnan(node.values), np.array(np.nan, node.values.dtype), node.values))


def _each(change: Callable[[RawNode], RawNode]) -> readers.Change:
    return lambda nodes: {path: change(node) for path, node in nodes.items()}


def _real_only(node: RawNode) -> RawNode:
    if node.values is None or node.values.dtype.kind != "c":
        return node
    return replace(node, values=node.values.real.astype(node.values.dtype))


def _flat(node: RawNode) -> RawNode:
    return (
        node if node.values is None else replace(node, values=node.values.ravel(order="F").reshape(node.values.shape))
    )


_TABLE: Mapping[str, tuple[str, Measure]] = {
    "first_chunk_alone": ("only the first chunk read", _of(_first_chunk_alone)),
    "last_axis": ("rows along the last axis, whatever its role", _last_axis),
    "masks_ignored": ("masks ignored", _without("with_attribute")),
    "values_transposed": ("values transposed before they are measured", _of(_each(_flat))),
    "edges_lost": ("chunks at the edges read as zeros", _of(readers.edges_zeroed)),
    "subnormals_lost": ("subnormal numbers taken for 0", _of(readers.values(readers.flushed))),
}

REMEASURING: tuple[Wrong, ...] = tuple(
    Wrong(name, "validator", fault, facts=measured) for name, (fault, measured) in _TABLE.items()
)
