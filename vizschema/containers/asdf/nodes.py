"""An ndarray of an ASDF tree: whether readers find an array under its tag, and its values in a block or in the tree.

Source: ASDF Standard, schemas core/ndarray-1.0.0 and -1.1.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vizschema.containers.asdf.arrays import Ndarray, in_block, read_datatype, read_sizes
from vizschema.containers.asdf.blocks import STANDARDS, StoredBlock
from vizschema.containers.asdf.tree import Broken, Tagged
from vizschema.containers.base import Unreadable, quote
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.ranges import MemoryRanges
from vizschema.containers.zarr.dtypes import Dtype

TAG = re.compile(r"tag:stsci\.edu:asdf/core/ndarray-[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)
TAGS = ("tag:stsci.edu:asdf/core/ndarray-1.0.0", "tag:stsci.edu:asdf/core/ndarray-1.1.0")
"""The tag of an ndarray up to version 1.5.0 of the standard, and that of 1.6.0."""

_KNOWN = {"source", "datatype", "byteorder", "shape", "offset", "strides", "data", "mask"}
_INLINE = {"data", "datatype", "shape"}
_KINDS: Mapping[str, str] = {"b": "bool", "i": "int64", "f": "float64"}


def is_ndarray(value: Any) -> bool:
    """Whether a value of the tree is tagged as an ndarray."""
    return type(value) is Tagged and TAG.fullmatch(value.tag) is not None


def read_ndarray(tagged: Tagged, blocks: Sequence[StoredBlock], standard: str) -> Ndarray:
    """The array that a value under the tag describes, by this version of the standard; raises `Unreadable`."""
    _require_tag(tagged.tag, standard)
    value = tagged.value
    if type(value) is Broken:
        raise Unreadable(*value)
    if type(value) is list:
        return _inline({"data": value})
    if type(value) is not dict:
        raise Unreadable("metadata-invalid", f"the ndarray is {quote(repr(value))}, no mapping")
    others = sorted(value.keys() - _KNOWN)
    if others:
        raise Unreadable("unsupported", f"the ndarray has the field {quote(others[0])}, unknown to this reader")
    if "mask" in value or ("data" in value and "source" in value):
        raise Unreadable("unsupported", f"the ndarray has {'a mask' if 'mask' in value else 'both data and a source'}")
    if value.get("datatype") == "float16" and standard != STANDARDS[-1]:
        raise Unreadable(
            "metadata-invalid", f"datatype float16, which version {standard} of the standard does not have"
        )
    return in_block(value, blocks) if "source" in value else _inline(value)


def _require_tag(tag: str, standard: str) -> None:
    """Raise `Unreadable` where readers do not take what is under the tag for an array."""
    expected = TAGS[standard == STANDARDS[-1]]
    if tag != expected:
        short = [each.rpartition("/")[2] for each in (expected, tag)]
        words = f"its tag: expected {short[0]}, that of ASDF Standard {standard}, found {short[1]}"
        raise Unreadable("unsupported", f"{words}, under which readers find no array")


def _inline(value: Mapping[str, Any]) -> Ndarray:
    """The array whose values are in the tree, which bounds how many there are."""
    others = sorted(value.keys() - _INLINE - {"byteorder"})
    if others or type(value.get("data")) is not list:
        words = f"the field {quote(others[0])} beside values" if others else "values that are not a list"
        raise Unreadable("unsupported", f"the ndarray has {words} in the tree itself")
    shape = _shape_of(value["data"])
    items = _items(value["data"], len(shape))
    if "datatype" in value:
        dtype, stored = read_datatype(value["datatype"], "<")
    else:
        dtype, stored = _inferred(items)
    if stored is None:
        return Ndarray(dtype, None, tuple(shape), Run(MemoryRanges(b""), "the tree", 0, 0, 0), 0, fortran=False)
    types = {type(item) for item in items}
    if str in types or (float in types and stored.kind in "biu"):
        raise Unreadable("metadata-invalid", f"values in the tree that are not of type {dtype.name}")
    try:
        values = np.asarray(items, stored)
    except (OverflowError, ValueError, TypeError) as error:
        raise Unreadable("metadata-invalid", f"values in the tree that are not of type {dtype.name}: {error}") from None
    if "shape" in value:
        wanted = read_sizes(value["shape"])
        if wanted != shape and (values.size or math.prod(wanted)):
            raise Unreadable("metadata-invalid", f"the shape {quote(wanted)} for values of the shape {quote(shape)}")
        shape = wanted
    run = Run(MemoryRanges(values.tobytes()), "the tree", 0, values.nbytes, values.nbytes)
    return Ndarray(dtype, stored, tuple(shape), run, 0, fortran=False)


def _shape_of(data: Any) -> list[int]:
    shape = []
    while type(data) is list:
        shape.append(len(data))
        data = data[0] if data else None
    return read_sizes(shape)


def _items(data: list[Any], rank: int) -> list[Any]:
    """The values in C order; raises `Unreadable` where lists of one level differ in length, or hold something else."""
    items: list[Any] = data
    for _ in range(rank - 1):
        lengths = {len(item) if type(item) is list else -1 for item in items}
        if len(lengths) > 1 or -1 in lengths:
            raise Unreadable("metadata-invalid", "values in the tree in lists of different lengths")
        items = [inner for item in items for inner in item]
    odd = [item for item in items if type(item) not in (bool, int, float, str)]
    if odd:
        what = "a value that is masked (null)" if odd[0] is None else f"{quote(repr(odd[0]))} among its values"
        raise Unreadable("unsupported", f"the ndarray has {what}")
    return items


def _inferred(items: Sequence[Any]) -> tuple[Dtype, np.dtype[Any] | None]:
    """The type of values without a datatype, as the standard infers it."""
    types = {type(item) for item in items}
    if str in types:
        return Dtype("string", 4 * max(len(str(item)) for item in items)), None
    if not items:
        return Dtype("float64", 8), np.dtype("<f8")
    name = _KINDS["f" if float in types else "i" if int in types else "b"]
    stored = np.dtype(name)
    return Dtype(name, stored.itemsize), stored
