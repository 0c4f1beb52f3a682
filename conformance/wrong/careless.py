"""Careless readers and writers: each takes one kind of value, attribute or node for a simpler one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from vizschema.conformance.corpus.encodings.cutting import box
from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.conformance.wrong.decoders import filled
from vizschema.conformance.wrong.kinds import Wrong
from vizschema.conformance.wrong.readers import Change, attributes, kept, typed, values
from vizschema.description import STORED_AS


def _nodes(change: Callable[[RawNode], RawNode]) -> Change:
    """Changes every array."""
    return lambda nodes: {path: node if node.values is None else change(node) for path, node in nodes.items()}


def _swapped(*dtypes: str) -> Change:
    def of(node: RawNode) -> RawNode:
        if node.values is None or node.dtype not in dtypes:
            return node
        other = node.stored.byteswap()
        return replace(node, values=other.view(ml_dtypes.bfloat16) if node.dtype == "bfloat16" else other)

    return _nodes(of)


def _filled(change: Callable[[Values], Any]) -> Change:
    """Takes another fill value for absent chunks."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or node.fill is None or not node.absent or node.dtype in STORED_AS:
            return node
        stored = node.stored.copy()
        for place in node.absent:
            stored[box(place, node.chunks)] = np.asarray(change(node.fill)).astype(stored.dtype)
        return replace(node, values=stored)

    return _nodes(of)


def _through_double(fill: Values) -> Any:
    if fill.dtype.kind not in "iu":
        return fill
    limits = np.iinfo(fill.dtype)
    return np.array(min(max(int(float(int(fill))), int(limits.min)), int(limits.max)), fill.dtype)


def _double(fill: Any, dtype: str) -> Any:
    if not isinstance(fill, int) or isinstance(fill, bool) or not dtype.endswith(("int64", "i8", "u8")):
        return fill
    return min(int(float(fill)), 2**64 - 1 if "u" in dtype else 2**63 - 1)


def _parts_swapped(node: RawNode) -> RawNode:
    if node.values is None or node.values.dtype.kind != "c":
        return node
    made = np.empty_like(node.values)
    made.real, made.imag = node.values.imag, node.values.real
    return replace(node, values=made)


def _negative_nan(stored: Values) -> Values:
    return np.where(np.isnan(stored), np.abs(stored), stored) if stored.dtype.kind == "f" else stored


def _infinite(stored: Values) -> Values:
    if stored.dtype.kind != "f":
        return stored
    largest = np.finfo(stored.dtype).max
    return np.where(np.isinf(stored), np.copysign(largest, stored), stored)


def _narrow(node: RawNode) -> RawNode:
    """int64 as int32 where it holds the values."""
    if node.values is None or node.dtype != "int64":
        return node
    small = node.values.astype("int32")
    return replace(node, values=small, dtype="int32") if np.array_equal(small, node.values) else node


def _lossless(node: RawNode) -> RawNode:
    """float64 as float32 where it holds the values."""
    if node.values is None or node.dtype != "float64":
        return node
    with np.errstate(all="ignore"):
        small = node.values.astype("float32")
    same = np.array_equal(small.astype("float64"), node.values, equal_nan=True)
    return replace(node, values=small, dtype="float32") if same else node


def _shaped(change: Callable[[RawNode], tuple[int, ...]], axes: Callable[[Any], Any] = lambda axes: axes) -> Change:
    def of(node: RawNode) -> RawNode:
        if node.values is None or change(node) == node.values.shape:
            return node
        return replace(node, values=node.values.reshape(change(node)), axes=axes(node.axes), chunks=())

    return _nodes(of)


def _shape(node: RawNode) -> tuple[int, ...]:
    return () if node.values is None else node.values.shape


def _deep(value: Any, change: Callable[[Any], Any]) -> Any:
    """Changes every value within a JSON value."""
    if isinstance(value, list):
        return [_deep(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _deep(item, change) for key, item in value.items()}
    return change(value)


def _texts(change: Callable[[str], Any]) -> Change:
    return attributes(lambda value: _deep(value, lambda each: change(each) if isinstance(each, str) else each))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _numeric(text: str) -> Any:
    try:
        return float(text) if text.isascii() and text[:1].isdigit() else text
    except ValueError:
        return text


def _inner(value: Any, change: Callable[[Any], Any]) -> Any:
    """Changes what lies in lists and objects alone."""
    return _deep(value, change) if isinstance(value, list | dict) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, float) else value


def _without_attributes(chosen: Callable[[str, RawNode], bool]) -> Change:
    return lambda nodes: {
        path: replace(node, attributes={}) if chosen(path, node) else node for path, node in nodes.items()
    }


def _renamed(change: Callable[[str], str]) -> Change:
    return lambda nodes: {change(path): node for path, node in nodes.items()}


def _named(change: Callable[[str | None, int], str | None]) -> Change:
    """Changes the name of each axis of an array that names any: `change` (name, place)."""

    def of(node: RawNode) -> RawNode:
        made = [change(name, at) for at, name in enumerate(node.axes or ())]
        return node if node.axes is None or made == list(node.axes) else replace(node, axes=made)

    return _nodes(of)


def _no_axes(node: RawNode) -> RawNode:
    return replace(node, axes=None) if node.axes else node


CHANGES: Mapping[str, tuple[str, Change]] = {
    # Values
    "float16_swapped": ("bytes of float16 alone swapped", _swapped("float16", "bfloat16")),
    "integers_swapped": ("bytes of integers alone swapped", _swapped("int16", "int32", "int64", "uint16", "uint32", "uint64")),
    "complex_swapped": ("bytes of complex numbers swapped as a whole", _swapped("complex64", "complex128")),
    "parts_swapped": ("real and imaginary part exchanged", _nodes(_parts_swapped)),
    "uint64_signed": ("uint64 as int64", typed("uint64", "int64", widened=True)),
    "flags_as_bytes": ("bool as uint8", typed("bool", "uint8", widened=True)),
    "complex_widened": ("complex64 widened", typed("complex64", "complex128", widened=True)),
    "narrowed": ("int64 as int32 where it is large enough", _nodes(_narrow)),
    "narrowed_floats": ("float64 as float32 where nothing is lost", _nodes(_lossless)),
    "nan_unsigned": ("the sign of NaN lost", values(_negative_nan)),
    "infinity_largest": ("infinities as the largest number", values(_infinite)),
    # Shapes and axes
    "scalars_listed": ("an array without dimensions as one of one entry", _shaped(lambda node: _shape(node) or (1,), lambda axes: axes or ["one"])),
    "ones_dropped": ("dimensions of size 1 dropped", _shaped(lambda node: tuple(size for size in _shape(node) if size != 1), lambda _: None)),
    "scalars_dropped": ("arrays without dimensions dropped", kept(lambda _, node, __: node.values is None or node.values.ndim > 0)),
    "deep_dropped": ("arrays of more than four dimensions dropped", kept(lambda _, node, __: node.values is None or node.values.ndim < 5)),
    "empty_retyped": ("arrays without values as float64", _nodes(lambda node: node if node.stored.size else replace(node, values=np.zeros(node.stored.shape), dtype="float64"))),
    "axes_reversed": ("axes in the other order", _nodes(lambda node: replace(node, axes=list(reversed(node.axes))) if node.axes else node)),
    "axes_lost": ("names of axes lost", _nodes(_no_axes)),
    "scalar_axes_lost": ("axes of an array without dimensions null", _nodes(lambda node: replace(node, axes=None) if node.axes is not None and not len(node.axes) else node)),
    "axes_empty": ("a dimension without a name as one of an empty name", _named(lambda name, _: name or "")),
    "axes_numbered": ("a dimension without a name named by its place", _named(lambda name, at: name or f"dim_{at}")),
    "axes_lower": ("names of axes in lower case", _named(lambda name, _: name and name.lower())),
    "axes_partly": ("names of axes lost where one is missing", _nodes(lambda node: replace(node, axes=None) if node.axes and None in node.axes else node)),
    # Attributes
    "composed": ("texts in normal form C", _texts(lambda text: unicodedata.normalize("NFC", text))),
    "decomposed": ("texts in normal form D", _texts(lambda text: unicodedata.normalize("NFD", text))),
    "stripped": ("spaces at the ends of texts lost", _texts(str.strip)),
    "lower_case": ("texts in lower case", _texts(str.lower)),
    "texts_cut": ("texts cut after 255 characters", _texts(lambda text: text[:255])),
    "texts_parsed": ("texts that are JSON parsed", _texts(_parsed)),
    "texts_as_numbers": ("texts that are numbers as numbers", _texts(_numeric)),
    "ascii_only": ("text that is not ASCII replaced", _texts(lambda text: text.encode("ascii", "replace").decode())),
    "objects_dropped": ("objects dropped", attributes(lambda value: None if isinstance(value, dict) else value)),
    "objects_as_text": ("objects as JSON texts", attributes(lambda value: json.dumps(value) if isinstance(value, dict) else value)),
    "inner_flags": ("booleans within lists and objects as integers", attributes(lambda value: _inner(value, lambda each: int(each) if isinstance(each, bool) else each))),
    "inner_integers": ("integers within lists and objects through double", attributes(lambda value: _inner(value, lambda each: int(float(each)) if isinstance(each, int) and not isinstance(each, bool) else each))),
    "lists_flattened": ("lists of lists flattened", attributes(lambda value: [item for each in value for item in (each if isinstance(each, list) else [each])] if isinstance(value, list) else value)),
    "lists_of_one_kind": ("mixed lists as texts", attributes(lambda value: list(map(str, value)) if isinstance(value, list) and len({type(item) for item in value}) > 1 else value)),
    "lists_sorted": ("lists sorted", attributes(lambda value: sorted(value) if isinstance(value, list) and all(map(_is_plain, value)) else value)),
    "floats_single": ("attributes: floats through float32", attributes(lambda value: _deep(value, _single))),
    "floats_short": ("attributes: floats to six digits", attributes(lambda value: float(f"{value:.6g}") if isinstance(value, float) else value)),
    "integers_32": ("attributes: integers of 32 bits", attributes(lambda value: (value + 2**31) % 2**32 - 2**31 if isinstance(value, int) and not isinstance(value, bool) else value)),
    "root_bare": ("attributes of the root dropped", _without_attributes(lambda path, _: path == "/")),
    "groups_bare": ("attributes of groups below the root dropped", _without_attributes(lambda path, node: node.values is None and path != "/")),
    # Names
    "not_ascii_dropped": ("nodes whose names are not ASCII dropped", kept(lambda path, _, __: path.isascii())),
    "digits_dropped": ("nodes named by digits dropped", kept(lambda path, _, __: not path.rpartition("/")[2].isdecimal())),
    "lower_names": ("names in lower case", _renamed(str.lower)),
    "shallow_tree": ("nodes deeper than two names dropped", kept(lambda path, _, __: path.count("/") <= 2)),
}  # fmt: skip

FILLS: Mapping[str, tuple[str, Change, Callable[[Path], bool]]] = {
    "fill_payload_lost": ("payload of NaN in a fill value lost", _filled(lambda fill: np.nan if fill.dtype.kind == "f" and np.isnan(fill) else fill), filled(lambda fill, _: "NaN" if isinstance(fill, str) and fill.startswith("0x7") else fill)),
    "fill_unsigned_zero": ("−0 as fill value normalised", _filled(lambda fill: fill + 0.0 if fill.dtype.kind == "f" else fill), filled(lambda fill, _: 0.0 if fill == 0.0 and isinstance(fill, float) else fill)),
    "fill_through_double": ("fill values of 64-bit integers through double", _filled(_through_double), filled(_double)),
    "fill_real": ("imaginary part of a fill value lost", _filled(lambda fill: fill.real if fill.dtype.kind == "c" else fill), filled(lambda fill, _: [fill[0], 0] if isinstance(fill, list) else fill)),
    "fill_finite": ("fill values that are not finite taken for 0", _filled(lambda fill: fill if fill.dtype.kind != "f" or np.isfinite(fill) else 0), filled(lambda fill, dtype: 0 if fill in ("NaN", "Infinity", "-Infinity") or (str(fill).startswith("0x") and "bfloat" not in dtype) else fill)),
    "fill_of_flags": ("fill value of bool taken for false", _filled(lambda fill: False if fill.dtype.kind == "b" else fill), filled(lambda fill, _: False if fill is True else fill)),
}  # fmt: skip
"""Faults about fill values: what they change of nodes, and of the documents of an archive in Zarr."""

CARELESS_READERS: tuple[Wrong, ...] = (
    *(Wrong(f"read_{name}", "reader", fault, nodes=change) for name, (fault, change) in CHANGES.items()),
    *(
        Wrong(f"read_{name}", "reader", fault, nodes=change, archive=archive)
        for name, (fault, change, archive) in FILLS.items()
    ),
)
_NOT_WRITTEN = frozenset({"axes_empty", "axes_numbered", "axes_lower", "axes_partly"})
"""Faults about names of axes that a writer, who may insist on names in lower case, is not asked for."""

CARELESS_WRITERS: tuple[Wrong, ...] = tuple(
    Wrong(f"write_{name}", "writer", fault, nodes=change)
    for name, (fault, change) in CHANGES.items()
    if name not in _NOT_WRITTEN
)
