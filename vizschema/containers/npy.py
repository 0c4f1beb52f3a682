"""The header of a `.npy` member: bytes to dtype, shape and order, by a strict parser of its own. Evaluates nothing.

Source: numpy.lib.format, versions 1.0, 2.0 and 3.0.
"""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache
from typing import Any, NamedTuple

from vizschema.containers.zarr_dtypes import MAXIMUM, Dtype, v2_dtype
from vizschema.containers.zarr_json import Unreadable, quote

MAGIC = b"\x93NUMPY"
HEADER = 64 << 10
"""The most bytes of a header; NumPy itself refuses more than 10,000 unless it is told to trust the file."""

FIRST = 128
"""Bytes that hold the whole header of nearly every array."""

_DEPTH = 16
_RANK = 64
_TOKEN = re.compile(r"\s*(?:'([^'\\]*)'|\"([^\"\\]*)\"|(-?[0-9]{1,20})L?|(True|False|None)|([(){}\[\]:,]))", re.ASCII)
_END = {"(": ")", "[": "]", "{": "}"}
_WORDS = {"True": True, "False": False, "None": None}


class Header(NamedTuple):
    """What a header says: canonical type, NumPy's type string (null for structures), shape, order; and its bytes."""

    dtype: Dtype
    code: str | None
    shape: tuple[int, ...]
    fortran: bool
    bytes: int


def header_length(head: bytes) -> int:
    """How many bytes stand before the values; `head` is at least the first 12 bytes. Raises `Unreadable`."""
    if head[:6] != MAGIC:
        raise Unreadable("metadata-malformed", "the member does not begin like a .npy file")
    version = tuple(head[6:8])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise Unreadable("unsupported", f"version {'.'.join(map(str, version))} of the .npy format")
    wide = version[0] > 1
    if len(head) < (12 if wide else 10):
        raise Unreadable("metadata-malformed", "the .npy header is broken off")
    length = struct.unpack_from("<I" if wide else "<H", head, 8)[0] + (12 if wide else 10)
    if length > HEADER:
        raise Unreadable("over-limit", f"the .npy header has {length} bytes, more than {HEADER}")
    return int(length)


@lru_cache(maxsize=1024)
def read_header(head: bytes) -> Header:
    """The header that `head` is; raises `Unreadable`. Remembered: the arrays of a series have one header."""
    length = header_length(head)
    if len(head) < length:
        raise Unreadable("metadata-malformed", "the .npy header is broken off")
    raw = head[10 if head[6] == 1 else 12 : length]
    try:
        text = raw.decode("utf-8" if head[6] == 3 else "latin-1")
    except UnicodeDecodeError:
        raise Unreadable("metadata-malformed", "the .npy header is not UTF-8") from None
    fields = literal(text)
    if type(fields) is not dict or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise Unreadable("metadata-invalid", "the .npy header does not hold descr, fortran_order and shape alone")
    if type(fields["fortran_order"]) is not bool:
        raise Unreadable("metadata-invalid", f"fortran_order of the .npy header is {quote(fields['fortran_order'])}")
    dtype = _dtype(fields["descr"])
    shape = _shape(fields["shape"], dtype)
    code = fields["descr"] if type(fields["descr"]) is str else None
    return Header(dtype, code, shape, fields["fortran_order"], length)


def literal(text: str) -> Any:
    """The value of a Python literal of strings, whole numbers, True, False, None, tuples, lists and dictionaries.

    Without escapes in strings, at most 16 levels deep, no key twice; raises `Unreadable` for anything else.
    """
    value, place = _value(text, 0, 0)
    if text[place:].strip(" \t\r\n\0"):
        raise _malformed(text, place)
    return value


def _value(text: str, place: int, depth: int) -> tuple[Any, int]:
    match = _TOKEN.match(text, place)
    if match is None:
        raise _malformed(text, place)
    single, double, digits, word, mark = match.groups()
    place = match.end()
    if mark is None:
        if digits is not None:
            return int(digits), place
        if word is not None:
            return _WORDS[word], place
        return (single if single is not None else double), place
    if mark not in _END:
        raise _malformed(text, place)
    if depth == _DEPTH:
        raise Unreadable("over-limit", f"the .npy header is nested deeper than {_DEPTH} levels")
    return _collection(text, place, depth, mark)


def _collection(text: str, place: int, depth: int, mark: str) -> tuple[Any, int]:
    """The collection that `mark` opened: a list for `[`, a tuple for `(`, a dictionary for `{`."""
    items: list[Any] = []
    keys: list[Any] = []
    comma = False
    while True:
        found, after = _mark(text, place)
        if found == _END[mark]:
            break
        if items and not comma:
            raise _malformed(text, place)
        item, place = _value(text, place, depth + 1)
        if mark == "{":
            keys.append(item)
            found, after = _mark(text, place)
            if type(item) is not str or found != ":":
                raise _malformed(text, place)
            item, place = _value(text, after, depth + 1)
        items.append(item)
        found, after = _mark(text, place)
        comma = found == ","
        place = after if comma else place
    if mark == "{":
        if len(set(keys)) != len(keys):
            raise Unreadable("metadata-malformed", "the .npy header repeats a key")
        return dict(zip(keys, items, strict=True)), after
    if mark == "(" and (len(items) != 1 or comma):
        return tuple(items), after
    return (items[0] if mark == "(" else items), after


def _mark(text: str, place: int) -> tuple[str | None, int]:
    match = _TOKEN.match(text, place)
    return (None, place) if match is None else (match[5], match.end())


def _malformed(text: str, place: int) -> Unreadable:
    return Unreadable("metadata-malformed", f"the .npy header is no plain literal at {quote(text[place : place + 20])}")


def _dtype(descr: Any) -> Dtype:
    try:
        return v2_dtype(_listed(descr), [])
    except Unreadable as unreadable:
        if unreadable.reason == "pickle":
            raise Unreadable("pickle", "an array of objects, which only unpickling could read") from None
        raise


def _listed(descr: Any) -> Any:
    """Structured types as Zarr v2 writes them: lists for tuples, and the name of a field without its title."""
    if isinstance(descr, tuple | list):
        items = [_listed(item) for item in descr]
        titled = isinstance(descr, tuple) and items and type(items[0]) is list and len(items[0]) == 2
        return [items[0][1], *items[1:]] if titled else items
    return descr


def _shape(shape: Any, dtype: Dtype) -> tuple[int, ...]:
    if type(shape) is not tuple or any(type(size) is not int or size < 0 for size in shape):
        raise Unreadable("metadata-invalid", f"shape of the .npy header is {quote(shape)}, no tuple of sizes")
    if len(shape) > _RANK:
        raise Unreadable("over-limit", f"the shape has {len(shape)} dimensions, more than {_RANK}")
    if any(size >= MAXIMUM for size in shape) or math.prod(size or 1 for size in shape) * dtype.item_bytes >= MAXIMUM:
        raise Unreadable("metadata-invalid", f"the shape {quote(list(shape))} is one of 2^63 bytes or more")
    return shape
