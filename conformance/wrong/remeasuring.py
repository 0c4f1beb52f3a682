"""Wrong validators that read values wrongly: facts are measured again, of other values or along other axes.

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
from vizschema.description import STORED_AS, Description

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


def _only(fact: str, change: Callable[[Values], Values], kinds: str = "f") -> Measure:
    """One fact of other values, those of arrays whose NumPy type is of one of these kinds; other facts stay."""
    other = _each(lambda node: _of_kind(node, kinds, change))

    def measured(nodes: Nodes, entries: Entries) -> Facts:
        changed = measure(other(nodes), entries)
        return {
            path: {**facts, **({fact: changed[path][fact]} if fact in facts else {})}
            for path, facts in measure(nodes, entries).items()
        }

    return measured


def _of_kind(node: RawNode, kinds: str, change: Callable[[Values], Values]) -> RawNode:
    if node.values is None or node.values.dtype.kind not in kinds or node.dtype in STORED_AS or not node.values.size:
        return node
    with np.errstate(all="ignore"):
        return replace(node, values=np.asarray(change(node.values)).astype(node.values.dtype))


def _kinds(kinds: str, change: Callable[[Values], Values]) -> Measure:
    return _of(_each(lambda node: _of_kind(node, kinds, change)))


def _by_query(node: RawNode, *, squares_alone: bool) -> RawNode:
    """Rows along the axis with the role query, in each array or in those where it has the size of the key axis."""
    names = [str(name).partition(":")[2] for name in node.axes or ()]
    if node.values is None or names.count("key") != 1 or names.count("query") != 1:
        return node
    key, query = names.index("key"), names.index("query")
    if squares_alone and node.values.shape[key] != node.values.shape[query]:
        return node
    return replace(node, values=np.swapaxes(node.values, key, query), axes=node.axes)


def _part(chosen: Callable[[Values], Values]) -> readers.Change:
    """A part of the entries alone, of arrays that are measured without a mask or a share."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or not node.values.ndim or any(key in node.attributes for key in ("mask", "sink")):
            return node
        return replace(node, values=chosen(node.values))

    return _each(of)


def _first_of_largest(scores: Values) -> Values:
    """Scores of which no other one is as large as the first of the largest."""
    if not scores.ndim:
        return scores
    made, places = scores.copy(), scores.argmax(-1)
    largest = scores == scores.max(-1, keepdims=True)
    largest &= np.arange(scores.shape[-1]) != places[..., None]
    made[largest] = -np.inf
    return made


_TABLE: Mapping[str, tuple[str, Measure]] = {
    "first_chunk_alone": ("only the first chunk read", _of(_first_chunk_alone)),
    "last_axis": ("rows along the last axis, whatever its role", _last_axis),
    "sums_in_single": ("row sums in float32, in order", _sums_in_single),
    "rows_by_query": (
        "rows along the axis with the role query",
        _of(_each(lambda node: _by_query(node, squares_alone=False))),
    ),
    "rows_of_squares": (
        "rows of square attention along the other axis",
        _of(_each(lambda node: _by_query(node, squares_alone=True))),
    ),
    "sums_of_sizes": ("weights without a sign summed", _kinds("f", np.abs)),
    "first_entries": ("the first along the first axis alone", _of(_part(lambda found: found[:1]))),
    "last_left_out": (
        "the last along the first axis left out",
        _of(_part(lambda found: found[: max(1, len(found) - 1)])),
    ),
    "masks_inverted": ("masks taken the other way", _kinds("b", np.logical_not)),
    "largest_smallest": ("the smallest score taken for the largest", _only("argmax_differs", np.negative)),
    "first_of_ties": ("of equal scores the first alone", _only("argmax_differs", _first_of_largest)),
    "nan_smallest": (
        "scores of rows with NaN compared",
        _only("argmax_differs", lambda found: np.where(np.isnan(found), -np.inf, found)),
    ),
    "index_of_size": (
        "an index of the size of its axis tolerated",
        _only("beyond_axis", lambda found: np.where(found > 0, found - 1, found), "iu"),
    ),
    "index_below_zero": (
        "an index below 0 taken for one past the axis",
        _only("beyond_axis", lambda found: np.where(found < 0, np.iinfo(found.dtype).max, found), "i"),
    ),
    "slices_nearly_equal": (
        "slices that are alike to three digits taken for equal",
        _only("duplicate_slices", lambda found: np.round(found, 3)),
    ),
    "slices_by_value": ("slices compared by value: 0 is −0", _only("duplicate_slices", lambda found: found + 0.0)),
    "nearly_constant": (
        "values that are alike to three digits taken for equal",
        _only("constant", lambda found: np.round(found, 3)),
    ),
    "zeros_differ": (
        "zeros of two signs not equal",
        _only("constant", lambda found: np.where((found == 0) & np.signbit(found), 1, found)),
    ),
    "constant_first": (
        "the first along the first axis alone asked whether it is constant",
        _only("constant", lambda found: np.broadcast_to(found[:1], found.shape) if found.ndim else found),
    ),
    "range_truncated": ("minimum and maximum as whole numbers", _only("maximum", np.trunc)),
    "least_truncated": ("minimum as a whole number", _only("minimum", np.trunc)),
    "small_as_zero": (
        "small numbers taken for 0",
        _only("masked_nonzero", lambda found: np.where(np.abs(found) < 0.1, 0, found)),
    ),
    "small_left_out": (
        "small weights outside of a mask taken for 0",
        _only("left_out_nonzero", lambda found: np.where(np.abs(found) < 0.01, 0, found)),
    ),
    "starts_sorted": (
        "starts that fall not seen",
        _only("starts_differ", lambda found: np.sort(found.ravel()).reshape(found.shape), "iu"),
    ),
    "starts_from_anywhere": (
        "a first start other than 0 not seen",
        _only("starts_differ", lambda found: np.where(np.arange(found.size).reshape(found.shape) == 0, 0, found), "iu"),
    ),
    "masks_ignored": ("masks ignored", _without("with_attribute")),
    "values_transposed": ("values transposed before they are measured", _of(_each(_flat))),
    "edges_lost": ("chunks at the edges read as zeros", _of(readers.edges_zeroed)),
    "subnormals_lost": ("subnormal numbers taken for 0", _of(readers.values(readers.flushed))),
}

REMEASURING: tuple[Wrong, ...] = tuple(
    Wrong(name, "validator", fault, facts=measured) for name, (fault, measured) in _TABLE.items()
)
