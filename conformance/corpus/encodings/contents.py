"""What encoded archives hold: by hashes for readers, and for validators such that a wrong decode flips the verdict.

`hashes`: every dtype, every class of number, sizes of 0, ranks 0 to 5, attributes that a double does not hold.
`right`: valid, and invalid for a reader that ignores byte order, memory order, fill values or all but the first chunk.
`wrong`: invalid, and valid for one of these readers: `flip` says for which.
`spoiled`: like `right`, but a checksum is wrong; where the encoding has none there is no such content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from vizschema.conformance.corpus.encodings.cutting import absent_of, box, chunk_of, fill_of, places
from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.hostile.case import ATTRIBUTES
from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.description import STORED_AS

Nodes = dict[str, RawNode]

WHY: Mapping[str, str] = {
    "hashes": "Every dtype, class of number and rank in another encoding",
    "right": "Attention that conforms if it is decoded as the encoding says",
    "wrong": "Attention or activations that conform only if a part of the encoding is ignored",
    "spoiled": "Attention of which a checksum, and nothing else, is wrong",
}
"""What each content is there for."""

_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
_AXES = {0: "nothing", 1: "single", 2: "pair", 3: "row", 4: "column", 5: "layer", 7: "item"}
"""The name of an axis by its size: no two in an archive have one name and two sizes."""

_LAYER = "/activations/layer_00"
_HEAD, _QUERY, _KEY = 2, 3, 4


def nodes(content: str, container: str, encoding: Encoding, number: int) -> Nodes:
    """Every node of a content, cut as the encoding has it, by path; parents first. `number` varies the values."""
    made: Nodes = {path: RawNode(attributes) for path, attributes in ATTRIBUTES.items()}
    if content == "hashes":
        made["/extra/noted"] = RawNode({**_ATTRIBUTES, "number": number})
        made |= {path: RawNode() for path in _GROUPS}
        for path, values, dtype in _arrays(number):
            if dtype == "float16" and encoding.get("tag") == "1.0.0":
                continue  # ASDF had no such type before its standard 1.6
            if dtype == "complex128" and container == "safetensors":
                continue  # which has no such type
            attributes = _OF_ARRAY if path in ("/extra/deep", "/extra/scalar_float32") else {}
            made[path] = _cut(values, dtype, container, encoding, attributes)
        for path, axes in (_AXES_OF if number >= WRITTEN else {}).items():
            made[path] = replace(made["/extra/c/0"], axes=axes)
        made[_LAYER] = _activations(container, encoding, number, "")
        return {path: made[path] for path in sorted(made)}
    chosen = flip(container, encoding, number) if content == "wrong" else ""
    made[_LAYER] = _activations(container, encoding, number, chosen)
    made["/attention"] = RawNode()
    made["/attention/self"] = RawNode({"num_layers": 1})
    made["/attention/self/layer_00"] = _attention(container, encoding, number, chosen)
    return {path: made[path] for path in sorted(made)}


_ATTRIBUTES: Mapping[str, Any] = {
    "seed": 9007199254740993,
    "large": [2**63 - 1, -(2**63), 1],
    "largest": 2**64 - 1,
    "one": [7],
    "one_float": [0.1],
    "one_text": ["größe"],
    "one_flag": [True],
    "no_text": "",
    "no_list": [],
    "empty_texts": ["", "a"],
    "whole": 1.0,
    "integer": 1,
    "flag": False,
    "text": "größe 層 🧬",
    "long": 0.1 + 0.2,
    "small": 5e-324,
    "zero": -0.0,
    "decomposed": "gro\u0308\u00dfe",
    "spaced": [" a", "b ", "  "],
    "letters": ["A", "a"],
    "like_number": "1.50",
    "like_integer": "0012",
    "like_flag": "true",
    "like_nothing": "null",
    "like_list": "[1, 2]",
    "like_object": '{"a": 1}',
    "like_date": "2024-05-06",
    "mixed": [1, 2.5, "3", True],
    "flags": [True, False],
    "nested": {"flag": True, "list": [[1, 2], []], "text": "", "seed": 9007199254740993, "more": {"a": 0.5}},
    "listed": [[1, 0], [True, False]],
    "k2_": "a short name",
    "long_text": "ä" * 300,
}
"""Attributes that a careless reader changes: integers, texts, lists and objects that look like something else."""

_OF_ARRAY: Mapping[str, Any] = {"unit": "Å", "seed": 9007199254740993, "one": [1], "flag": True}

WRITTEN = 3
"""How many contents of each container's encodings a writer is asked for; it chooses the encoding itself."""

_AXES_OF: Mapping[str, list[str | None] | None] = {
    "/extra/unnamed": None,
    "/extra/partly": [None, "column"],
    "/extra/scripts": ["Größe", "column"],
    "/extra/roles": ["pair:query", "Column:key"],
}
"""Axes that a careless reader changes, of arrays that a writer, who may insist on names, is not asked for."""

_GROUPS = ("/extra/empty", "/extra/größe", "/extra/c", "/extra/a.b", "/extra/_a")
"""Groups below /extra: without members, not in ASCII, named like the start of the key of a chunk, and like a file."""


def _ramp(shape: tuple[int, ...], number: int) -> Values:
    count = int(np.prod(shape, dtype=np.int64))
    return (1.1 + number + 0.37 * np.arange(count) * (-1.0) ** np.arange(count)).reshape(shape)


def _arrays(number: int) -> list[tuple[str, Values, str]]:
    """Path, values and dtype of the arrays of `hashes`; the sizes of all axes of an array differ."""
    found = [(f"/extra/{dtype}", _values(dtype, (2, 3, 4), number), dtype) for dtype in _DTYPES]
    found += [(f"/extra/scalar_{dtype}", _values(dtype, (), number), dtype) for dtype in _SCALARS]
    found += [(f"/extra/{name}", np.zeros(shape, _dtype(dtype)), dtype) for name, (shape, dtype) in _EMPTY.items()]
    found += [(path, _values("int32", (2, 4), number), "int32") for path in ("/extra/c/0", "/extra/größe/層")]
    found.append(("/extra/deep", _values("int16", (1, 3, 2, 5, 4), number), "int16"))
    found += [(f"/extra/signalling_{dtype}", _signalling(*bits), dtype) for dtype, bits in _BITS.items()]
    found.append(("/extra/flat", _values("float64", (7,), number), "float64"))
    return found


_SCALARS = ("bool", "int16", "int64", "bfloat16", "float32", "complex64")
_EMPTY: Mapping[str, tuple[tuple[int, ...], str]] = {
    "empty_first": ((0, 3, 2), "float32"),
    "empty_middle": ((3, 0, 2), "int64"),
    "empty_last": ((3, 2, 0), "bool"),
    "empty_flat": ((0,), "complex64"),
}


def _values(dtype: str, shape: tuple[int, ...], number: int) -> Values:
    """Values of a dtype: what is special first, then numbers that are not their own byte swap."""
    count = max(1, int(np.prod(shape, dtype=np.int64)))
    if dtype == "bool":
        flat = np.array([(at * at + number + at // 5) % 3 == 0 for at in range(count)])
        return flat.reshape(shape)
    if dtype.startswith("complex"):
        part = "float32" if dtype == "complex64" else "float64"
        real, imaginary = _values(part, (count,), number), _values(part, (count,), number + 5)
        made = np.empty(count, dtype)
        made.real, made.imag = real, imaginary * np.where(np.arange(count) % 4 < 2, 1, -1).astype(part)
        return made.reshape(shape)
    if "int" in dtype:
        edges = np.iinfo(dtype)
        special = [edges.max, edges.min, *([2**53 + 1, 2**53 + 3] if edges.bits == 64 else [])]
        step = 3 if edges.bits == 8 else 259
        others = [(edges.max if edges.bits == 8 else 1 << 14) - step * (at + number % 7) - 2 for at in range(count)]
        rotated = special + [int(max(edges.min, each)) for each in others]
        return np.array(_turned(rotated[:count], number), dtype).reshape(shape)
    if dtype in STORED_AS:
        wide = _values("float32", (count,), number).view("u4")
        return ((wide >> 16) | (wide >> 16 == 0)).astype("u2").view(ml_dtypes.bfloat16).reshape(shape)
    bits = _BITS[dtype]
    special_values = np.array(_special(*bits), f"u{bits[1] // 8}").view(dtype)
    flat = np.concatenate([special_values, _ramp((count,), number).astype(dtype)])
    return np.roll(flat[:count], -(number % 5)).reshape(shape)


def _special(mantissa: int, size: int) -> list[int]:
    """The bits of −0, the smallest and largest subnormal, the largest number, both infinities, and two NaN."""
    sign, exponent = 1 << (size - 1), ((1 << (size - 1 - mantissa)) - 1) << mantissa
    quiet = exponent | 1 << (mantissa - 1)
    return [sign, 1, sign | (1 << mantissa) - 1, exponent - 1, exponent, sign | exponent, quiet | 1, sign | quiet | 5]


_BITS: Mapping[str, tuple[int, int]] = {"float16": (10, 16), "float32": (23, 32), "float64": (52, 64)}
"""Bits of the mantissa, and all, of a float."""


def _signalling(mantissa: int, size: int) -> Values:
    """NaN without the bit that says it is quiet, which a program sets that computes with it."""
    sign, exponent = 1 << (size - 1), ((1 << (size - 1 - mantissa)) - 1) << mantissa
    return np.array([exponent | 1, sign | exponent | 6], f"u{size // 8}").view(f"f{size // 8}")


def _turned(items: list[int], number: int) -> list[int]:
    turn = number % 5
    return items[turn:] + items[:turn]


def _chunk(shape: tuple[int, ...], container: str, encoding: Encoding, *, whole: tuple[str, ...]) -> tuple[int, ...]:
    """The shape of a chunk; all of the array where the container has no chunks, or the layout is one of `whole`."""
    if container in ("npz", "asdf", "safetensors") or encoding.get("layout") in whole:
        return tuple(max(1, size) for size in shape)
    found: tuple[int, ...] = chunk_of(shape, encoding.get("grid", "divides"))
    if container == "hdf5":  # no chunk is longer than an axis that cannot grow
        return tuple(min(length, max(1, size)) for length, size in zip(found, shape, strict=True))
    return found


_UNCHUNKED = ("contiguous", "compact")


def _cut(values: Values, dtype: str, container: str, encoding: Encoding, attributes: Mapping[str, Any]) -> RawNode:
    """An array with its chunks; those that are absent hold its fill value."""
    chunk = _chunk(values.shape, container, encoding, whole=(*_UNCHUNKED, "single"))
    axes = [_AXES[size] for size in values.shape]
    fill = fill_of(dtype, encoding.get("fill", "zero"))
    node = RawNode(attributes, values.astype(_dtype(dtype)), dtype, axes, chunk, fill=fill)
    return _without(node, absent_of(values.shape, chunk, encoding.get("absent", "none")))


def _dtype(dtype: str) -> Any:
    return getattr(ml_dtypes, dtype) if dtype in STORED_AS else dtype


def _without(node: RawNode, absent: frozenset[tuple[int, ...]]) -> RawNode:
    if node.values is None or node.fill is None or not absent:
        return node
    stored = node.stored.copy()
    for place in absent:
        stored[box(place, node.chunks)] = node.fill
    values = stored.view(_dtype(node.dtype)) if node.dtype in STORED_AS else stored
    return replace(node, values=values, absent=absent)


# For validators


def flip(container: str, encoding: Encoding, number: int) -> str:
    """What a reader has to ignore to find the content `wrong` valid: one of what the encoding has, by turns.

    `endian`, `order`, `fill` (an absent chunk read as 0), or `last` (anything but the first chunk is not read).
    """
    kinds = []
    if encoding.get("endian") == "big":
        kinds.append("endian")
    if _reorders(encoding, container) and encoding.get("grid", "divides") == "divides":
        kinds.append("order")
    if encoding.get("absent", "none") != "none" and container != "hdf5":
        kinds.append("fill")
    if "order" in kinds:
        kinds = [kind for kind in kinds if kind != "fill"]  # which has cases enough
    turn = number + (container != "asdf")  # so that each has three rows or more in each container
    return kinds[turn % len(kinds)] if kinds else "last"


def _reorders(encoding: Encoding, container: str) -> bool:
    """Whether the entries of a chunk are in another order than C, and those of a shard where a reader expects them."""
    if container == "safetensors" or encoding.get("shards") == "turned":
        return False
    return encoding.get("order", "C") not in ("C", "none") or encoding.get("strides", "C") == "F"


def _activations(container: str, encoding: Encoding, number: int, chosen: str) -> RawNode:
    """Activations of which a chunk is absent where that is what `wrong` is about: NaN, and not 0."""
    values = _ramp((3, 4), number).astype("float32")
    chunk = _chunk(values.shape, container, encoding, whole=_UNCHUNKED)
    fill = np.array(np.nan if chosen == "fill" else 0.25, "float32")
    node = RawNode({}, values, "float32", ["token", "hidden"], chunk, fill=fill)
    return _without(node, absent_of(values.shape, chunk, "edge" if chosen == "fill" else "none"))


def _attention(container: str, encoding: Encoding, number: int, chosen: str) -> RawNode:
    """Attention in rows that sum to 1 exactly, and in columns that do not; where a chunk is absent it holds 1/4."""
    shape = (_HEAD, _QUERY, _KEY)
    chunk = _chunk(shape, container, encoding, whole=_UNCHUNKED)
    level = encoding.get("absent", "none")
    absent = absent_of(shape, chunk, "edge" if level == "all" else level)
    if encoding.get("layout") in _UNCHUNKED or encoding.get("fill") in ("default", "never", "undefined"):
        absent = frozenset()
    held = np.zeros(shape, bool)
    for place in absent:
        held[box(place, chunk)] = True
    values = _CHANGES[chosen](_rows(held, number), chunk, encoding, held)
    attributes = {"normalization": "softmax", "source": "captured"}
    axes = ["head", "target:query", "source:key"]
    fill = np.array(0.25, "float32")
    return RawNode(attributes, values, "float32", axes, chunk, fill=fill, absent=absent)


def _rows(held: Values, number: int) -> Values:
    """Rows of 1/4 where it is `held`, and dyadic numbers elsewhere, that sum to 1."""
    values = np.full(held.shape, 0.25, "float32")
    for row, place in enumerate(np.ndindex(held.shape[:-1])):
        free = np.flatnonzero(~held[place])
        parts = _PARTS[len(free)]
        for at, key in enumerate(free):
            values[(*place, key)] = parts[(at + row + number) % len(parts)]
    return values


_PARTS: Mapping[int, tuple[float, ...]] = {
    4: (0.5, 0.25, 0.125, 0.125),
    3: (0.5, 0.125, 0.125),
    2: (0.4375, 0.0625),
    1: (0.25,),
    0: (0.25,),
}


def _same(values: Values, *_: Any) -> Values:
    return values


def _swapped(values: Values, chunk: Any, encoding: Encoding, held: Values) -> Values:
    """The numbers whose bytes, read the other way, are these; but where no chunk is written."""
    del chunk, encoding
    return np.where(held, values, values.byteswap())


def _reordered(values: Values, chunk: tuple[int, ...], encoding: Encoding, held: Values) -> Values:
    """The numbers whose bytes, read in C order, are these."""
    del held
    changed = values.copy()
    for place in places(values.shape, chunk):
        inner = np.ascontiguousarray(values[box(place, chunk)])
        order = permutation(encoding.get("order", "F"), inner.ndim)
        moved = inner.reshape([inner.shape[axis] for axis in order])
        changed[box(place, chunk)] = moved.transpose(np.argsort(order))
    return changed


def _broken(values: Values, chunk: Any, encoding: Encoding, held: Values) -> Values:
    """One number more than the sum of its row allows, as far behind as a chunk is written."""
    del chunk, encoding
    changed = values.copy()
    changed[tuple(np.argwhere(~held)[-1])] += 0.125
    return changed


_CHANGES: Mapping[str, Callable[..., Values]] = {
    "": _same,
    "endian": _swapped,
    "order": _reordered,
    "fill": _same,
    "last": _broken,
}


def permutation(level: str, rank: int) -> list[int]:
    """The order of the axes in the bytes of a chunk: axis `permutation[0]` runs slowest."""
    axes = list(range(rank))
    if level in ("reversed", "F"):
        return axes[::-1]
    if level == "cycled":
        return axes[-1:] + axes[:-1]
    if level == "twice":
        first, second = permutation("reversed", rank), permutation("cycled", rank)
        return [first[axis] for axis in second]
    return axes
