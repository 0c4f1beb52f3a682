"""Zarr's data types, and fill values: what stands where a chunk was never written. Checks without NumPy."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from vizschema.containers.base import Unreadable, quote
from vizschema.description import ITEM_BYTES, NIBBLES

MAXIMUM = 1 << 63
"""No size of anything reaches this: it could neither be addressed nor be a JSON integer for all readers."""


class Dtype(NamedTuple):
    """The canonical name of a data type, and the bytes of one element (0 where they vary, or are not known)."""

    name: str
    item_bytes: int


_V2 = re.compile(r"([<>|])([biufcmMSUVO])([0-9]{0,9})(\[[0-9]{0,9}[A-Za-zμ]{1,9}\])?", re.ASCII)
_V2_NUMBERS: Mapping[str, tuple[str, int]] = {
    "b1": ("bool", 1),
    **{f"i{size}": (f"int{size * 8}", size) for size in (1, 2, 4, 8)},
    **{f"u{size}": (f"uint{size * 8}", size) for size in (1, 2, 4, 8)},
    **{f"f{size}": (f"float{size * 8}", size) for size in (2, 4, 8, 12, 16)},
    **{f"c{size}": (f"complex{size * 8}", size) for size in (8, 16, 24, 32)},
}
_V2_SIZED: Mapping[str, tuple[str, int]] = {"S": ("bytes", 1), "U": ("string", 4), "V": ("opaque", 1)}
_BY_BITS = "; store its bits as {0} with the attribute stored_dtype, or write Zarr v3"
_ADVICE: Mapping[str, str] = {
    "bfloat16": _BY_BITS.format("uint16"),
    **dict.fromkeys(("float8_", "float6_", "float4_", "int4", "uint4", "int2", "uint2"), _BY_BITS.format("uint8")),
}
"""By the beginnings of names that tensorstore writes and no other reader knows: how to store the same values."""

_V2_TIMES: Mapping[str, str] = {"m": "timedelta", "M": "datetime"}
_OBJECT_CODECS: Mapping[str, str] = {
    "vlen-utf8": "string",
    "vlen-bytes": "bytes",
    "vlen-array": "vlen",
    "json2": "object",
    "msgpack2": "object",
    "categorize": "string",
}
"""What numcodecs' filters that turn objects into bytes without pickling make of `|O`."""

_V3_NAMED: Mapping[str, Dtype] = {
    **{name: Dtype(name, size) for name, size in ITEM_BYTES.items()},
    "complex_float32": Dtype("complex64", 8),
    "complex_float64": Dtype("complex128", 16),
    "string": Dtype("string", 0),
    "bytes": Dtype("bytes", 0),
    "variable_length_bytes": Dtype("bytes", 0),
    "numpy.datetime64": Dtype("datetime", 8),
    "numpy.timedelta64": Dtype("timedelta", 8),
    **{name: Dtype(name, 1) for name in ("int2", "uint2")},
}
_V3_SIZED: Mapping[str, str] = {"fixed_length_utf32": "string", "null_terminated_bytes": "bytes", "raw_bytes": "opaque"}
_V3_RAW = re.compile(r"r([0-9]{1,9})", re.ASCII)


def v2_dtype(value: Any, filters: list[str]) -> Dtype:
    """The type of a `.zarray`; `filters` are the ids of its codecs, which decide what `|O` may be."""
    if type(value) is str:
        return _v2_named(value, filters)
    if type(value) is not list or not value:
        raise Unreadable("metadata-invalid", f"dtype {quote(value)} is neither a type string nor a list of fields")
    return Dtype("compound", _size(sum(_v2_field(field) for field in value)))


def v3_dtype(value: Any) -> Dtype:
    """The type of a version 3 array, named by a string or by an object with a configuration."""
    if type(value) is str:
        return _v3_named(value, {})
    if type(value) is not dict or type(value.get("name")) is not str:
        raise Unreadable("metadata-invalid", f"data_type {quote(value)} is neither a name nor an object with one")
    configuration = value.get("configuration")
    if type(configuration) is not dict:
        raise Unreadable("metadata-invalid", f"data_type {quote(value)} has no object as its configuration")
    return _v3_named(value["name"], configuration)


def is_pickle(codec: str) -> bool:
    """Whether a codec of this name would unpickle."""
    return codec.rpartition(".")[2].lower() == "pickle"


def _v2_named(value: str, filters: list[str]) -> Dtype:
    match = _V2.fullmatch(value)
    if match is None:
        advice = next((words for start, words in _ADVICE.items() if value.startswith(start)), "")
        raise Unreadable("metadata-invalid", f"dtype {quote(value)} is not a NumPy type string{advice}")
    order, kind, digits, unit = match.groups()
    if kind == "O":
        return _v2_object(filters)
    if kind in _V2_TIMES:
        if digits != "8" or order == "|":
            raise Unreadable("metadata-invalid", f"dtype {quote(value)} has no size of 8 bytes, or no byte order")
        return Dtype(_V2_TIMES[kind], 8)
    if unit is None and digits and kind in _V2_SIZED:
        name, width = _V2_SIZED[kind]
        return Dtype(name, int(digits) * width)
    number = _V2_NUMBERS.get(kind + digits) if unit is None else None
    if number is None or (order == "|" and number[1] > 1) or (kind == "b" and order != "|"):
        raise Unreadable("metadata-invalid", f"dtype {quote(value)} is not a NumPy type string")
    return Dtype(*number)


def _v2_object(filters: list[str]) -> Dtype:
    for codec in filters:
        if codec in _OBJECT_CODECS:
            return Dtype(_OBJECT_CODECS[codec], 0)
    raise Unreadable("pickle", "dtype |O without a filter that encodes objects as text: only unpickling could read it")


def _v2_field(field: Any) -> int:
    """The bytes of one field of a structured type: `[name, dtype]` or `[name, dtype, shape]`."""
    if type(field) is not list or len(field) not in (2, 3) or type(field[0]) is not str:
        raise Unreadable("metadata-invalid", f"dtype has a field {quote(field)} that is not [name, type]")
    size = v2_dtype(field[1], []).item_bytes
    for length in _lengths(field[2] if len(field) == 3 else []):
        size = _size(size * length)
    return size


def _lengths(value: Any) -> list[int]:
    lengths = value if type(value) is list else [value]
    if any(type(length) is not int or not 0 <= length < MAXIMUM for length in lengths):
        raise Unreadable("metadata-invalid", f"dtype has a field of the shape {quote(value)}")
    return lengths


def _v3_named(name: str, configuration: Mapping[str, Any]) -> Dtype:
    known = _V3_NAMED.get(name)
    if known is not None:
        return known
    if name in _V3_SIZED:
        return Dtype(_V3_SIZED[name], _length(name, configuration.get("length_bytes")))
    if name in ("structured", "struct"):
        return Dtype("compound", _v3_fields(configuration.get("fields")))
    raw = _V3_RAW.fullmatch(name)
    if raw is not None:
        if int(raw[1]) % 8:
            raise Unreadable("metadata-invalid", f"data_type {name} is not a whole number of bytes")
        return Dtype("opaque", int(raw[1]) // 8)
    if is_pickle(name):
        raise Unreadable("pickle", f"data_type {quote(name)}: only unpickling could read it")
    return Dtype(quote(name), 1 if name.startswith(("float8_", "float6_", "float4_")) else 0)


def _v3_fields(fields: Any) -> int:
    """The bytes of a structured type, whose fields are `[name, type]` or `{name, data_type}`."""
    if type(fields) is not list or not fields:
        raise Unreadable("metadata-invalid", "data_type is structured and has no fields")
    size = 0
    for field in fields:
        if type(field) is list and len(field) == 2:
            size += v3_dtype(field[1]).item_bytes
        elif type(field) is dict and "data_type" in field:
            size += v3_dtype(field["data_type"]).item_bytes
        else:
            raise Unreadable("metadata-invalid", f"data_type has a field {quote(field)} that is not [name, type]")
    return _size(size)


def _length(name: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise Unreadable("metadata-invalid", f"data_type {name} has the length_bytes {quote(value)}")
    return _size(value)


def _size(size: int) -> int:
    if size >= MAXIMUM:
        raise Unreadable("metadata-invalid", "an element of the data type has 2^63 bytes or more")
    return size


_SPECIAL: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BITS = re.compile(r"0x[0-9a-fA-F]*", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.I)
"""What zarr-python takes for a number where a writer of version 2 made a text of it."""

_PACKED: Mapping[str, str] = {"float16": ">e", "bfloat16": ">f", "float32": ">f", "float64": ">d"}
_HALVES: Mapping[str, str] = {"complex64": "float32", "complex128": "float64"}


def fill_parts(value: Any, dtype: str, version: int) -> Any:
    """The numbers that a fill value stands for, two of a complex one, bits as bytes; none for None in version 2.

    Of dtypes that hold no numbers, the value. Raise `ValueError` for one that this version lacks for canonical `dtype`.
    """
    if dtype not in ITEM_BYTES:
        return value
    if value is None and version == 2:
        return []
    parts = _parts(value, dtype, version)
    if parts is None:
        shown = str(value)[:60]
        advice = ": write its number" if version == 2 and type(value) is str and _BITS.fullmatch(value) else ""
        raise ValueError(f"the fill_value {shown!r} is none of the type {dtype}{advice}")
    return parts


def fill_bits(value: Any, dtype: str, version: int) -> Any:
    """What a checked fill value comes to, however it is written: equal for the same bits; without NumPy."""
    if dtype not in ITEM_BYTES or value is None:
        return value
    kind = _PACKED.get(_HALVES.get(dtype, dtype))
    parts = _parts(value, dtype, version) or []
    return parts if kind is None else [_packed(part, kind) for part in parts]


def _parts(value: Any, dtype: str, version: int) -> list[Any] | None:
    """The numbers of a fill value, two for a complex one; bits as bytes. None where it is none."""
    if dtype == "bool":
        return [bool(value)] if type(value) is bool or value in (0, 1) else None
    if dtype in _HALVES:
        if type(value) is not list or len(value) != 2:
            return None
        parts = [_float(part, ITEM_BYTES[dtype] // 2, version, text=False) for part in value]
    elif "int" in dtype:
        return _integer(value, dtype, text=version == 2)
    else:
        parts = [_float(value, ITEM_BYTES[dtype], version, text=version == 2)]
    return None if None in parts else parts


def _integer(value: Any, dtype: str, *, text: bool) -> list[int] | None:
    whole = type(value) is int or (type(value) is float and value.is_integer())
    if not whole and not (text and type(value) is str and _WHOLE.fullmatch(value)):
        return None
    bits = 4 if dtype in NIBBLES else 8 * ITEM_BYTES[dtype]
    least, most = (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return [int(value)] if least <= int(value) <= most else None


def _float(value: Any, size: int, version: int, *, text: bool) -> float | bytes | None:
    if type(value) in (int, float):
        return float(value)
    if type(value) is not str:
        return None
    if value in _SPECIAL:
        return _SPECIAL[value]
    if version == 3 and _BITS.fullmatch(value) and len(value) == 2 + 2 * size:  # of other lengths readers disagree
        return bytes.fromhex(value[2:])
    return float(value) if text and _DECIMAL.fullmatch(value) else None


def _packed(part: float | bytes, kind: str) -> bytes:
    if isinstance(part, bytes):
        return part.ljust(struct.calcsize(kind), b"\0")  # bfloat16 is the first half of a float32
    try:
        return struct.pack(kind, part)
    except OverflowError:
        return struct.pack(kind, math.copysign(math.inf, part))
