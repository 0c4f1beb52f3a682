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
from vizschema.conformance.wrong.readers import Change, attributes, flushed, kept, typed, values
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


def _dtype_of(dtype: str, values: Callable[[Values], Any]) -> Change:
    """Changes the values of arrays of one dtype."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or node.dtype != dtype:
            return node
        with np.errstate(all="ignore"):
            return replace(node, values=np.asarray(values(node.values)).astype(node.values.dtype))

    return _nodes(of)


def _by_kind(kinds: str, change: Callable[[Values], Any]) -> Change:
    """Changes the values of arrays whose NumPy type is of one of these kinds."""
    return values(lambda stored: np.asarray(change(stored)) if stored.dtype.kind in kinds else stored)


def _turned(chosen: Callable[[tuple[int, ...]], bool]) -> Change:
    """Arrays of some shapes with their last two dimensions exchanged."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or node.values.ndim < 2 or not chosen(node.values.shape):
            return node
        axes = node.axes and [*node.axes[:-2], node.axes[-1], node.axes[-2]]
        return replace(node, values=np.swapaxes(node.values, -1, -2), axes=axes, chunks=())

    return _nodes(of)


def _typed(**others: str) -> Change:
    """Takes the bits of some dtypes for those of others."""

    def of(node: RawNode) -> RawNode:
        if node.values is None or node.dtype not in others:
            return node
        return RawNode(node.attributes, node.stored.view(others[node.dtype]), others[node.dtype], node.axes)

    return _nodes(of)


def _inner_keys(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_inner_keys(item, change) for item in value]
    return {change(key): _inner_keys(item, change) for key, item in value.items()} if isinstance(value, dict) else value


def _roles_exchanged(name: str | None, _: int) -> str | None:
    if name is None:
        return None
    axis, _colon, role = name.partition(":")
    return f"{axis}:{_OTHER_ROLE[role]}" if role in _OTHER_ROLE else name


_OTHER_ROLE = {"query": "key", "key": "query"}


def _imaginary_zero(found: Values) -> Values:
    made = found.copy()
    made.imag = found.imag + 0.0
    return made


def _quieted(node: RawNode) -> RawNode:
    """NaN as a processor hands it on that a program computes with."""
    if node.values is None or node.dtype not in ("float32", "float64"):
        return node
    bits, quiet = (np.uint32, 22) if node.dtype == "float32" else (np.uint64, 51)
    stored = np.where(np.isnan(node.stored), node.stored.view(bits) | bits(1 << quiet), node.stored.view(bits))
    return replace(node, values=stored.view(node.stored.dtype))


def _packed(node: RawNode) -> RawNode:
    if node.values is None or node.dtype != "bool" or not node.values.size:
        return node
    flat = np.packbits(node.values.ravel()).view("bool").copy()
    return replace(node, values=np.resize(flat, node.values.shape), chunks=())


def _last_zero(stored: Values) -> Values:
    made = stored.copy()
    made.reshape(-1)[-1:] = 0
    return made


def _values(node: RawNode) -> Values:
    return np.empty(0) if node.values is None else node.values


def _pruned(value: Any) -> Any:
    if isinstance(value, list):
        return [_pruned(item) for item in value if item is not None]
    return {key: _pruned(item) for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _once(listed: list[Any]) -> list[Any]:
    return [item for at, item in enumerate(listed) if item not in listed[:at]]


def _short(name: str) -> str:
    stem, line, number = name.rpartition("_")
    return f"{stem}_{int(number)}" if line and number.isascii() and number.isdecimal() else name


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
    "uint64_clamped": ("uint64 clamped to the largest int64", _dtype_of("uint64", lambda found: np.minimum(found, np.uint64(2**63 - 1)))),
    "int64_clamped": ("int64 clamped to 32 bits", _dtype_of("int64", lambda found: np.clip(found, -(2**31), 2**31 - 1))),
    "int8_unsigned": ("int8 as uint8", _typed(int8="uint8")),
    "int16_unsigned": ("int16 and int32 as unsigned", _typed(int16="uint16", int32="uint32")),
    "conjugated": ("the sign of the imaginary part lost", _by_kind("c", lambda found: found.real + 1j * np.abs(found.imag))),
    "imaginary_zero": ("−0 of an imaginary part normalised", _by_kind("c", _imaginary_zero)),
    "complex_128_single": ("complex128 through complex64", _dtype_of("complex128", lambda found: found.astype("complex64"))),
    "nan_as_zero": ("NaN as 0", _by_kind("f", lambda found: np.where(np.isnan(found), 0, found))),
    "infinity_as_nan": ("infinities as NaN", _by_kind("f", lambda found: np.where(np.isinf(found), np.nan, found))),
    "infinity_unsigned": ("the sign of infinities lost", _by_kind("f", lambda found: np.where(np.isinf(found), np.inf, found))),
    "nan_quiet": ("the quiet bit of NaN set", _nodes(_quieted)),
    "single_through_half": ("float32 through float16", _dtype_of("float32", lambda found: found.astype("float16"))),
    "half_through_brain": ("float16 through bfloat16", _dtype_of("float16", lambda found: found.astype(ml_dtypes.bfloat16))),
    "single_to_six_digits": ("float32 to six digits", _dtype_of("float32", lambda found: np.array([float(f"{float(each):.6g}") for each in found.ravel()]).reshape(found.shape))),
    "double_to_15_digits": ("float64 to 15 digits", _dtype_of("float64", lambda found: np.array([float(f"{float(each):.15g}") for each in found.ravel()]).reshape(found.shape))),
    "halves_alike": ("bfloat16 as float16", _typed(bfloat16="float16")),
    "subnormals_of_halves": ("subnormal numbers of float16 flushed", _dtype_of("float16", flushed)),
    "flags_inverted": ("bool inverted", _by_kind("b", np.logical_not)),
    "flags_packed": ("bool as bits", _nodes(_packed)),
    "last_entry_zero": ("the last entry as 0", values(_last_zero)),
    "empty_filled": ("arrays without values as one of a zero", _nodes(lambda node: replace(node, values=np.zeros([max(size, 1) for size in _shape(node)], node.stored.dtype).view(_values(node).dtype), chunks=()) if 0 in _shape(node) else node)),
    # Shapes and axes
    "matrices_turned": ("matrices with their dimensions exchanged", _turned(lambda shape: len(shape) == 2)),
    "squares_turned": ("square matrices turned", _turned(lambda shape: shape[-1] == shape[-2] > 1)),
    "cubes_turned": ("the last dimensions of three exchanged", _turned(lambda shape: len(shape) == 3)),
    "vectors_as_rows": ("an array of one dimension as one row", _shaped(lambda node: (1, *_shape(node)) if len(_shape(node)) == 1 else _shape(node), lambda axes: axes and ["one", *axes])),
    "matrices_flattened": ("matrices flattened", _shaped(lambda node: (int(np.prod(_shape(node))),) if len(_shape(node)) == 2 else _shape(node), lambda _: None)),
    "roles_exchanged": ("roles query and key exchanged", _named(_roles_exchanged)),
    "role_of_key_lost": ("the role key lost", _named(lambda name, _: name and name.removesuffix(":key"))),
    "axes_digits_lost": ("digits at the end of names of axes lost", _named(lambda name, _: name and (name.rstrip("0123456789") or name))),
    "axes_sorted": ("names of axes in the order of their letters", _nodes(lambda node: replace(node, axes=sorted(node.axes, key=str)) if node.axes else node)),
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
    "null_dropped": ("null dropped from attributes", attributes(lambda value: _pruned(value))),
    "zero_dropped": ("attributes that are 0 or false dropped", attributes(lambda value: None if value in (0, False) and isinstance(value, int | float) else value)),
    "empty_objects_dropped": ("empty objects dropped", attributes(lambda value: None if value == {} else value)),
    "nested_as_text": ("lists of lists as JSON texts", attributes(lambda value: json.dumps(value) if isinstance(value, list) and any(isinstance(each, list | dict) for each in value) else value)),
    "flags_as_text": ("booleans as texts", attributes(lambda value: str(value) if isinstance(value, bool) else value)),
    "numbers_as_text": ("numbers as texts", attributes(lambda value: str(value) if _is_plain(value) else value)),
    "floats_whole": ("floats cut to whole numbers", attributes(lambda value: int(value) if isinstance(value, float) and abs(value) < 1e300 else value)),
    "floats_15": ("floats to 15 digits", attributes(lambda value: _deep(value, lambda each: float(f"{each:.15g}") if isinstance(each, float) else each))),
    "negative_positive": ("numbers without a sign", attributes(lambda value: _deep(value, lambda each: abs(each) if _is_plain(each) else each))),
    "large_as_text": ("integers beyond 2^53 as texts", attributes(lambda value: _deep(value, lambda each: str(each) if _is_plain(each) and isinstance(each, int) and abs(each) > 2**53 else each))),
    "large_clamped": ("integers clamped to 64 bits with a sign", attributes(lambda value: _deep(value, lambda each: min(each, 2**63 - 1) if _is_plain(each) and isinstance(each, int) else each))),
    "texts_to_nul": ("texts cut at a line", _texts(lambda text: text.split("\n")[0])),
    "newlines_lost": ("line ends as spaces", _texts(lambda text: text.replace("\n", " ").replace("\t", " "))),
    "texts_cut_64": ("texts cut after 64 KiB", _texts(lambda text: text[:65535])),
    "beyond_16_bits": ("characters beyond 16 bits replaced", _texts(lambda text: "".join(each if ord(each) < 0x10000 else "?" for each in text))),
    "lists_of_100": ("lists cut after 100 items", attributes(lambda value: value[:100] if isinstance(value, list) else value)),
    "lists_once": ("items of lists once", attributes(lambda value: _once(value) if isinstance(value, list) else value)),
    "lists_backwards": ("lists in the other order", attributes(lambda value: value[::-1] if isinstance(value, list) else value)),
    "inner_keys_lower": ("names within objects in lower case", attributes(lambda value: _inner_keys(value, str.lower))),
    "axes_attributes_lost": ("attributes of arrays without dimensions dropped", _without_attributes(lambda _, node: node.values is not None and not node.values.ndim)),
    "root_bare": ("attributes of the root dropped", _without_attributes(lambda path, _: path == "/")),
    "groups_bare": ("attributes of groups below the root dropped", _without_attributes(lambda path, node: node.values is None and path != "/")),
    # Names
    "not_ascii_dropped": ("nodes whose names are not ASCII dropped", kept(lambda path, _, __: path.isascii())),
    "digits_dropped": ("nodes named by digits dropped", kept(lambda path, _, __: not path.rpartition("/")[2].isdecimal())),
    "lower_names": ("names in lower case", _renamed(str.lower)),
    "names_decomposed": ("names in normal form D", _renamed(lambda path: unicodedata.normalize("NFD", path))),
    "names_with_spaces": ("spaces in names as underscores", _renamed(lambda path: path.replace(" ", "_"))),
    "names_with_points": ("nodes with a point in their names dropped", kept(lambda path, _, __: "." not in path)),
    "names_hidden": ("nodes whose names begin with an underscore dropped", kept(lambda path, _, __: "/_" not in path)),
    "numbers_short": ("zeros before the number of a member lost", _renamed(lambda path: "/".join(_short(name) for name in path.split("/")))),
    "root_alone": ("groups below /extra dropped", kept(lambda path, node, _: node.values is not None or not path.startswith("/extra/"))),
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
