"""The fields of an ndarray of ASDF, checked, to a type, a shape and a place in a block. Opens nothing.

Source: ASDF Standard, schemas core/ndarray-1.0.0 and -1.1.0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Any, NamedTuple

import numpy as np

from vizschema.containers.asdf.blocks import StoredBlock
from vizschema.containers.asdf.strided import require_strided
from vizschema.containers.asdf.tree import Alias
from vizschema.containers.base import Unreadable, quote
from vizschema.containers.bytes.packed import Run
from vizschema.containers.zarr.dtypes import MAXIMUM, Dtype

_RANK = 64
_NUMBERS = {
    "bool8": ("bool", "b1"),
    **{f"int{bits}": (f"int{bits}", f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (f"uint{bits}", f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": (f"float{bits}", f"f{bits // 8}") for bits in (16, 32, 64)},
    **{f"complex{bits}": (f"complex{bits}", f"c{bits // 8}") for bits in (64, 128)},
}
_LONGEST = 1 << 20
"""Characters of a text: NumPy has no larger ones."""

_TEXT = {"ascii": ("bytes", 1), "ucs4": ("string", 4)}
ORDERS = {"little": "<", "big": ">"}


class Ndarray(NamedTuple):
    """An array: its canonical type, its NumPy type (None if it is not numeric), shape, and where it lies.

    `strides` are None where the values lie side by side.
    """

    dtype: Dtype
    stored: np.dtype[Any] | None
    shape: tuple[int, ...]
    run: Run
    offset: int
    fortran: bool
    strides: tuple[int, ...] | None = None


def in_block(value: Mapping[str, Any], blocks: Sequence[StoredBlock]) -> Ndarray:
    """The array whose values are in a block; raises `Unreadable`."""
    if type(value.get("byteorder")) is not str or value["byteorder"] not in ORDERS:
        raise Unreadable(
            "metadata-invalid", f"byteorder: expected little or big, found {quote(repr(value.get('byteorder')))}"
        )
    dtype, stored = read_datatype(value.get("datatype"), ORDERS[value["byteorder"]])
    block = _block(value["source"], blocks)
    offset = _offset(value.get("offset", 0))
    shape = _shape(value.get("shape"), dtype, block.run.size - offset)
    fortran = _fortran(value.get("strides"), shape, dtype.item_bytes)
    if fortran is None:
        require_strided(block.run, shape, value["strides"], offset, dtype.item_bytes)
        return Ndarray(dtype, stored, shape, block.run, offset, False, tuple(value["strides"]))
    need = math.prod(shape) * dtype.item_bytes
    if offset + need > block.run.size:
        detail = f"the ndarray needs {need} bytes from {offset} of {block.run.key}, which has {block.run.size}"
        raise Unreadable("metadata-invalid", detail)
    return Ndarray(dtype, stored, shape, block.run, offset, fortran)


def _block(source: Any, blocks: Sequence[StoredBlock]) -> StoredBlock:
    if type(source) is str:
        raise Unreadable("external-storage", f"the values are in the file {quote(source)}")
    if type(source) is not int:
        raise Unreadable("metadata-invalid", f"source is {quote(repr(source))}, no number of a block")
    if not -len(blocks) <= source < len(blocks):
        raise Unreadable("damaged", f"the values are in block {source}, and the file has {len(blocks)}")
    block = blocks[source]
    if block.problem is not None:
        raise Unreadable(*block.problem)
    return block


def read_datatype(value: Any, order: str) -> tuple[Dtype, np.dtype[Any] | None]:
    """The canonical type, and the type as NumPy has it (None for what is not a number); raises `Unreadable`."""
    if type(value) is str and value in _NUMBERS:
        name, code = _NUMBERS[value]
        stored = np.dtype(order + code)
        return Dtype(name, stored.itemsize), stored
    if type(value) is list and len(value) == 2 and type(value[0]) is str and value[0] in _TEXT:
        name, width = _TEXT[value[0]]
        length = _whole("the length of text", value[1])
        code = f"{order}{'S' if width == 1 else 'U'}{length}"
        return Dtype(name, width * length), np.dtype(code) if length <= _LONGEST else None
    if type(value) is list and value:
        fields = [_field(field, order, number) for number, field in enumerate(value)]
        size = _whole("a structure", sum(size for size, _ in fields))
        return Dtype("compound", size), _record([kind for _, kind in fields])
    if value is None:
        raise Unreadable("metadata-invalid", "the ndarray has no datatype")
    raise Unreadable("unsupported", f"the datatype {quote(value if type(value) is str else repr(value))}")


def _field(field: Any, order: str, number: int) -> tuple[int, tuple[Any, ...] | None]:
    """A field of a structure, a datatype or a mapping with one, and perhaps a shape: its bytes, and as NumPy has it."""
    given = field if type(field) is dict else {"datatype": field}
    inner, stored = read_datatype(given.get("datatype"), ORDERS.get(str(given.get("byteorder")), order))
    sizes = read_sizes(given.get("shape", []))
    kind = None if stored is None else (given.get("name", f"f{number}"), stored, tuple(sizes))
    return _whole("a field", inner.item_bytes * math.prod(sizes)), kind


def _record(fields: list[tuple[Any, ...] | None]) -> np.dtype[Any] | None:
    """The structure of these fields; None for one that NumPy does not have."""
    try:
        return None if None in fields else np.dtype(fields)
    except (TypeError, ValueError):
        return None


def _shape(shape: Any, dtype: Dtype, available: int) -> tuple[int, ...]:
    """The shape; a first dimension `*` is as long as the block has space for."""
    if type(shape) is list and shape and shape[0] == "*":
        inner = read_sizes(shape[1:])
        row = math.prod(inner) * dtype.item_bytes
        shape = [max(0, available) // row if row else 0, *inner]
    sizes = read_sizes(shape)
    if math.prod(size or 1 for size in sizes) * dtype.item_bytes >= MAXIMUM:
        raise Unreadable("metadata-invalid", f"the shape {quote(list(sizes))} is one of 2^63 bytes or more")
    return tuple(sizes)


def read_sizes(shape: Any) -> list[int]:
    """A shape; raises `Unreadable`."""
    if type(shape) is Alias:
        raise Unreadable("unsupported", "the shape is an alias")
    if type(shape) is not list:
        raise Unreadable("metadata-invalid", f"the shape is {quote(repr(shape))}, no list of sizes")
    if len(shape) > _RANK:
        raise Unreadable("over-limit", f"the shape has {len(shape)} dimensions, more than {_RANK}")
    return [_whole("a size", size) for size in shape]


def _whole(what: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAXIMUM:
        raise Unreadable("metadata-invalid", f"{what} is {quote(repr(value))}, no whole number")
    return value


def _offset(value: Any) -> int:
    return _whole("the offset", value)


def _fortran(strides: Any, shape: Sequence[int], item_bytes: int) -> bool | None:
    """Whether the first axis runs fastest; None where the values have gaps, or another order. Raises `Unreadable`."""
    if strides is None:
        return False
    if type(strides) is not list or len(strides) != len(shape) or any(type(each) is not int for each in strides):
        raise Unreadable("metadata-invalid", f"strides are {quote(repr(strides))} for {len(shape)} dimensions")
    if 0 in strides:
        raise Unreadable("metadata-invalid", f"strides are {quote(repr(strides))}: expected none of 0")
    if not math.prod(shape):
        return False
    moving = [index for index, size in enumerate(shape) if size > 1]
    found = [strides[index] for index in moving]
    sizes = [shape[index] for index in moving]
    if found == _steps(sizes[::-1], item_bytes)[::-1]:
        return False
    return True if found == _steps(sizes, item_bytes) else None


def _steps(sizes: Sequence[int], item_bytes: int) -> list[int]:
    """The strides of an array without gaps whose first axis runs fastest."""
    return list(accumulate(sizes[:-1], mul, initial=item_bytes))[: len(sizes)]
