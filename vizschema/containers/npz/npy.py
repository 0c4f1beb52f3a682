"""The header of a `.npy` member: bytes to dtype, shape and order, by a strict parser of its own. Evaluates nothing.

It accepts a part of what NumPy accepts, with the same meaning; a test compares the two on random headers.
Source: numpy.lib.format, versions 1.0, 2.0 and 3.0.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from vizschema.containers.base import Unreadable, quote
from vizschema.containers.zarr.dtypes import MAXIMUM, Dtype, v2_dtype

MAGIC = b"\x93NUMPY"
HEADER = 64 << 10
"""Maximum bytes of a header that are read."""

CHARACTERS = 10_000
"""The most characters of a header that NumPy reads, unless the caller trusts the file."""

FIRST = 128
"""Bytes that hold the whole header of nearly every array."""

_DEPTH = 16
_RANK = 64
_TOKEN = re.compile(
    r"[ \t\n]*(?:'([^'\\\n\r\0]*)'|\"([^\"\\\n\r\0]*)\"|(-?(?:0|[1-9][0-9]{0,19}))(?![0-9.eEjJ_xXoObBlL])"
    r"|(True|False|None)|([(){}\[\]:,]))",
    re.ASCII,
)
_LONG = re.compile(r"(?<=[0-9])L(?=[,) ])")
_END = {"(": ")", "[": "]", "{": "}"}
_WORDS = {"True": True, "False": False, "None": None}
_TYPE = re.compile(r"([<>=|]?)(.+)", re.DOTALL)
_LETTERS: Mapping[str, str] = {
    **{"?": "b1", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "q": "i8", "Q": "u8"},
    **{"e": "f2", "f": "f4", "d": "f8", "F": "c8", "D": "c16"},
}
"""Types of NumPy that have a letter and one size on every machine."""

_NAMES: Mapping[str, str] = {
    **{"bool": "b1", "half": "f2", "single": "f4", "double": "f8", "float": "f8", "complex": "c16"},
    **{f"{sign}int{bits}": f"{sign[:1] or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"f{bits // 8}" for bits in (16, 32, 64)},
    **{f"complex{bits}": f"c{bits // 8}" for bits in (64, 128)},
}
_BYTEWISE = ("b1", "i1", "u1", "S", "V", "O")


class Header(NamedTuple):
    """What a header says: canonical type, NumPy's type string (None for structures), shape, order; and its bytes."""

    dtype: Dtype
    code: Any
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
        raise Unreadable("metadata-malformed", "the .npy header is truncated")
    length = struct.unpack_from("<I" if wide else "<H", head, 8)[0] + (12 if wide else 10)
    if length > HEADER:
        raise Unreadable("over-limit", f"the .npy header has {length} bytes, more than {HEADER}")
    return int(length)


@lru_cache(maxsize=1024)
def read_header(head: bytes) -> Header:
    """The header that `head` is; raises `Unreadable`. Remembered: the arrays of a series have one header."""
    length = header_length(head)
    if len(head) < length:
        raise Unreadable("metadata-malformed", "the .npy header is truncated")
    raw = head[10 if head[6] == 1 else 12 : length]
    try:
        text = raw.decode("utf-8" if head[6] == 3 else "latin-1")
    except UnicodeDecodeError:
        raise Unreadable("metadata-malformed", "the .npy header is not UTF-8") from None
    fields = literal(text, long=head[6] < 3)
    if type(fields) is not dict or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise Unreadable("metadata-invalid", "the .npy header does not hold descr, fortran_order and shape alone")
    if type(fields["fortran_order"]) is not bool:
        raise Unreadable("metadata-invalid", f"fortran_order of the .npy header is {quote(fields['fortran_order'])}")
    code = _spelt(fields["descr"]) if type(fields["descr"]) is str else None
    dtype = _dtype(fields["descr"], code)
    shape = _shape(fields["shape"], dtype)
    return Header(dtype, code or _listed(fields["descr"]), shape, fields["fortran_order"], length)


def literal(text: str, *, long: bool = False) -> Any:
    """The value of a Python literal of strings, whole numbers, True, False, None, tuples, lists and dictionaries.

    Without escapes in strings, at most 16 levels deep, no key twice; raises `Unreadable` for anything else. With
    `long`, a number may end in L, as Python 2 wrote it.
    """
    if len(text) > CHARACTERS:
        raise Unreadable(
            "metadata-malformed",
            f"the .npy header has {len(text)} characters, and NumPy refuses more than {CHARACTERS}",
        )
    text = text.lstrip(" \t")
    if text.startswith("\n"):
        raise _malformed(text, 0)
    if long:
        text = _LONG.sub("", text)
    value, place = _value(text, 0, 0)
    if text[place:].rstrip("\n").strip(" \t"):
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
    return Unreadable(
        "metadata-malformed", f"the .npy header is not a plain literal at {quote(text[place : place + 20])}"
    )


def _dtype(descr: Any, code: str | None) -> Dtype:
    try:
        return v2_dtype(_listed(descr) if code is None else code, [])
    except Unreadable as unreadable:
        if unreadable.reason == "pickle":
            raise Unreadable("pickle", "an array of objects, which only unpickling could read") from None
        if code is None:
            raise
        detail = f"descr of the .npy header: expected a type such as '<f4' or '|b1', found {quote(descr)}"
        raise Unreadable("metadata-invalid", detail) from None


def _spelt(descr: str) -> str:
    """A type string of NumPy as Zarr v2 writes it: `|b1`, `<f4`; one without a byte order is little-endian."""
    match = _TYPE.fullmatch(descr)
    if match is None:
        return descr
    order, kind = match.groups()
    kind = _LETTERS.get(kind, kind) if order else _LETTERS.get(kind, _NAMES.get(kind, kind))
    if kind in _BYTEWISE or kind[:1] in _BYTEWISE:
        return f"|{kind}"
    return f"{'>' if order == '>' else '<'}{kind}"


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
