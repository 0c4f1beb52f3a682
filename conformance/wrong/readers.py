"""Wrong readers and writers: each loses or changes something of what it reads, or is to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.conformance.wrong.decoders import absent_zeroed
from vizschema.conformance.wrong.kinds import Nodes, Wrong
from vizschema.description import STORED_AS

Change = Callable[[Nodes], Nodes]


def values(change: Callable[[Values], Values]) -> Change:
    """Changes the values of every array that NumPy has a type for."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or node.dtype in STORED_AS:
            return node
        with np.errstate(all="ignore"):
            changed = np.asarray(change(node.values))
        return replace(node, values=changed.reshape(node.values.shape).astype(node.values.dtype))

    return lambda nodes: {path: of(node) for path, node in nodes.items()}


def _bits(change: Callable[[Values], Values]) -> Change:
    """Changes the stored values of every array, bits of what NumPy lacks too."""

    def of(node: RawNode) -> RawNode:
        if node.values is None:
            return node
        changed = np.ascontiguousarray(change(node.stored)).reshape(node.values.shape)
        return replace(node, values=changed.view(node.values.dtype) if node.dtype in STORED_AS else changed)

    return lambda nodes: {path: of(node) for path, node in nodes.items()}


def attributes(change: Callable[[Any], Any]) -> Change:
    """Changes the value of each attribute; one that becomes None is dropped."""

    def of(node: RawNode) -> RawNode:
        made = {key: change(value) for key, value in node.attributes.items()}
        return replace(node, attributes={key: value for key, value in made.items() if value is not None})

    return lambda nodes: {path: of(node) for path, node in nodes.items()}


def kept(keep: Callable[[str, RawNode, Nodes], bool]) -> Change:
    """Drops the nodes that `keep` (path, node, all nodes) is false for."""
    return lambda nodes: {path: node for path, node in nodes.items() if keep(path, node, nodes)}


def _transposed(values: Values) -> Values:
    return values.ravel(order="F").reshape(values.shape)


def _swapped(values: Values) -> Values:
    return values.byteswap()


def _positive_zero(values: Values) -> Values:
    return values + 0.0 if values.dtype.kind in "fc" else values


def flushed(values: Values) -> Values:
    """Floats with zeros for subnormal numbers."""
    if values.dtype.kind != "f":
        return values
    return np.where(np.abs(values) < np.finfo(values.dtype).smallest_normal, np.copysign(0.0, values), values)


def _double(values: Values) -> Values:
    if values.dtype.kind not in "iu" or values.itemsize < 8:
        return values
    limits = np.iinfo(values.dtype)
    made = [min(max(int(float(int(each))), int(limits.min)), int(limits.max)) for each in values.ravel()]
    return np.array(made, values.dtype).reshape(values.shape)


def _single(values: Values) -> Values:
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _canonical_nan(values: Values) -> Values:
    return np.where(np.isnan(values), np.array(np.nan, values.dtype), values) if values.dtype.kind == "f" else values


def _real(values: Values) -> Values:
    return values.real if values.dtype.kind == "c" else values


def typed(dtype: str, other: str, *, widened: bool) -> Change:
    """Takes one dtype for another: by converting the values, or by their bits."""

    def of(node: RawNode) -> RawNode:
        if node.dtype != dtype or node.values is None:
            return node
        return RawNode(node.attributes, node.values.astype(other) if widened else node.stored, other, node.axes)

    return lambda nodes: {path: of(node) for path, node in nodes.items()}


def edges_zeroed(nodes: Nodes) -> Nodes:
    """Chunks that hang over the edge are read as zeros."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or not len(node.chunks) or not node.values.size:
            return node
        stored = node.stored.copy()
        for axis, (size, length) in enumerate(zip(stored.shape, node.chunks, strict=True)):
            if size % length:
                stored[(*[slice(None)] * axis, slice(size - size % length, None))] = 0
        return replace(node, values=stored.view(node.values.dtype))

    return {path: of(node) for path, node in nodes.items()}


def _absent_zero(nodes: Nodes) -> Nodes:
    """Chunks that are absent are read as zeros."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or not node.absent:
            return node
        stored = node.stored.copy()
        for place in node.absent:
            stored[tuple(slice(at * n, (at + 1) * n) for at, n in zip(place, node.chunks, strict=True))] = 0
        return replace(node, values=stored.view(node.values.dtype))

    return {path: of(node) for path, node in nodes.items()}


def _first_chunk(nodes: Nodes) -> Nodes:
    """Only the first chunk is read."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or not len(node.chunks):
            return node
        stored = np.zeros_like(node.stored)
        first = tuple(slice(0, length) for length in node.chunks)
        stored[first] = node.stored[first]
        return replace(node, values=stored.view(node.values.dtype))

    return {path: of(node) for path, node in nodes.items()}


def _integers(value: Any) -> Any:
    if isinstance(value, list):
        return [_integers(item) for item in value]
    return int(float(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _flags(value: Any) -> Any:
    return (
        [_flags(item) for item in value]
        if isinstance(value, list)
        else int(value)
        if isinstance(value, bool)
        else value
    )


def _unlisted(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _empty(value: Any) -> Any:
    return None if value in ("", []) and not isinstance(value, bool | int | float) else value


def _latin(value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass").decode("latin-1") if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, list) else value


def _no_roles(nodes: Nodes) -> Nodes:
    def of(node: RawNode) -> RawNode:
        return (
            node if node.axes is None else replace(node, axes=[name and name.partition(":")[0] for name in node.axes])
        )

    return {path: of(node) for path, node in nodes.items()}


def _bare_arrays(nodes: Nodes) -> Nodes:
    return {path: node if node.values is None else replace(node, attributes={}) for path, node in nodes.items()}


def _has_members(path: str, node: RawNode, nodes: Nodes) -> bool:
    return node.values is not None or path == "/" or any(other.startswith(f"{path}/") for other in nodes)


def _has_entries(_: str, node: RawNode, __: Nodes) -> bool:
    return node.values is None or node.values.size > 0


CHANGES: tuple[tuple[str, str, Change], ...] = (
    ("transposed", "values transposed", _bits(_transposed)),
    ("swapped", "bytes swapped", _bits(_swapped)),
    ("bfloat16_bits", "bfloat16 as uint16", typed("bfloat16", "uint16", widened=False)),
    ("float16_widened", "float16 widened", typed("float16", "float32", widened=True)),
    ("positive_zero", "−0 normalised", values(_positive_zero)),
    ("subnormals_flushed", "subnormals flushed", values(flushed)),
    ("nan_normalised", "payloads of NaN lost", values(_canonical_nan)),
    ("integers_through_double", "int64 through double", values(_double)),
    ("edges_zeroed", "edge chunks zeroed", edges_zeroed),
    ("absent_zeroed", "absent chunks as zeros", _absent_zero),
    ("first_chunk_read", "only the first chunk read", _first_chunk),
    ("attributes_through_double", "attributes: integers through double", attributes(_integers)),
    ("flags_as_integers", "attributes: booleans as integers", attributes(_flags)),
    ("one_as_scalar", "list of one as scalar", attributes(_unlisted)),
    ("empty_dropped", "empty text or list dropped", attributes(_empty)),
    ("latin_1", "text as Latin-1", attributes(_latin)),
    ("roles_dropped", "roles dropped", _no_roles),
    ("zero_size_dropped", "zero-size arrays dropped", kept(_has_entries)),
    ("imaginary_dropped", "imaginary part dropped", values(_real)),
    ("bare_arrays", "array attributes dropped", _bare_arrays),
    ("empty_groups_dropped", "groups without members dropped", kept(_has_members)),
    ("double_through_single", "float64 through float32", values(_single)),
    ("lists_as_text", "lists as text", attributes(_as_text)),
)

_ON_DISK: Mapping[str, Callable[[Path], bool]] = {"absent_zeroed": absent_zeroed}
"""Faults that a program has on the archive: nothing that it reads says which chunks are absent."""

READERS: tuple[Wrong, ...] = tuple(
    Wrong(f"read_{name}", "reader", fault, nodes=change, archive=_ON_DISK.get(name)) for name, fault, change in CHANGES
)

_NOT_WRITTEN = frozenset({"edges_zeroed", "absent_zeroed", "first_chunk_read"})
"""Faults about chunks, which a writer chooses."""

WRITERS: tuple[Wrong, ...] = (
    *(
        Wrong(f"write_{name}", "writer", fault, nodes=change)
        for name, fault, change in CHANGES
        if name not in _NOT_WRITTEN
    ),
    Wrong("write_never_refuses", "writer", "never refuses", written=True),
    Wrong("write_always_refuses", "writer", "always refuses", written=False),
)
