"""Wrong validators that read values wrongly: facts are measured again, of other values or along other axes.

What a fault changes of the facts by the plain reference is what it changes of the description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode
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


def _last_axis(nodes: Nodes, entries: Entries) -> Facts:
    """Rows along the last axis, whatever role it has."""
    found: Facts = measure(
        nodes, [_less(entry, "along") if "row_sum" in entry["measure"] else entry for entry in entries]
    )
    return found


def _sums_in_single(nodes: Nodes, entries: Entries) -> Facts:
    """Rows without a mask or a share added up in float32, one entry after the other."""
    found: dict[str, Mapping[str, Any]] = dict(measure(nodes, entries))
    for path, facts in found.items():
        node = nodes[path]
        keys = [at for at, name in enumerate(node.axes or ()) if str(name).endswith(":key")]
        plain = len(keys) == 1 and not {"mask", "sink"} & node.attributes.keys()
        if plain and node.values is not None and facts.get("row_sum_minimum") is not None:
            rows = np.moveaxis(np.asarray(node.values, np.float32), keys[0], -1)
            sums = [round(float(each), 6) for each in np.cumsum(rows, -1, np.float32)[..., -1].ravel()]
            found[path] = {**facts, "row_sum_minimum": min(sums), "row_sum_maximum": max(sums)}
    return found


def _less(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def _without(attribute: str) -> Measure:
    """Masks, or shares of rows, not looked at."""
    return lambda nodes, entries: measure(
        nodes, [{**entry, attribute: "none"} if attribute in entry else entry for entry in entries]
    )


def _each(change: Callable[[RawNode], RawNode]) -> readers.Change:
    return lambda nodes: {path: change(node) for path, node in nodes.items()}


def _flat(node: RawNode) -> RawNode:
    return (
        node if node.values is None else replace(node, values=node.values.ravel(order="F").reshape(node.values.shape))
    )


_TABLE: Mapping[str, tuple[str, Measure]] = {
    "first_chunk_alone": ("only the first chunk read", _of(_first_chunk_alone)),
    "last_axis": ("rows along the last axis, whatever its role", _last_axis),
    "sums_in_single": ("row sums in float32, in order", _sums_in_single),
    "masks_ignored": ("masks ignored", _without("with_attribute")),
    "values_transposed": ("values transposed before they are measured", _of(_each(_flat))),
    "edges_lost": ("chunks at the edges read as zeros", _of(readers.edges_zeroed)),
    "subnormals_lost": ("subnormal numbers taken for 0", _of(readers.values(readers.flushed))),
}

REMEASURING: tuple[Wrong, ...] = tuple(
    Wrong(name, "validator", fault, facts=measured) for name, (fault, measured) in _TABLE.items()
)
