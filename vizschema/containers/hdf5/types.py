"""HDF5 datatypes and filters: their names, and their forms in NumPy. Asks libhdf5 about types; opens nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from h5py import h5t

from vizschema.description import ITEM_BYTES, STORED_AS

LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
"""What h5py makes of an error of libhdf5, by its major and minor number."""

FILTERS: Mapping[int, str] = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    32000: "lzf",
}
"""The registered id of each filter that a plain h5py brings along."""

# (size in bytes, sign position, exponent position, exponent bits, mantissa position, mantissa bits), bias
_FLOATS: Mapping[tuple[tuple[int, ...], int], str] = {
    ((2, 15, 10, 5, 0, 10), 15): "float16",
    ((2, 15, 7, 8, 0, 7), 127): "bfloat16",
    ((1, 7, 3, 4, 0, 3), 7): "float8_e4m3fn",  # as HDF5 2.0 has both
    ((1, 7, 2, 5, 0, 2), 15): "float8_e5m2",
    ((4, 31, 23, 8, 0, 23), 127): "float32",
    ((8, 63, 52, 11, 0, 52), 1023): "float64",
}
_ORDERS = frozenset({h5t.ORDER_LE, h5t.ORDER_BE})
"""Byte orders that are not mixed as those of a VAX are, which NumPy does not have."""
_ORDERED = frozenset({h5t.INTEGER, h5t.FLOAT})
_BITFIELDS: Mapping[str, Any] = {
    f"{sign}u{bits // 8}": getattr(h5t, f"STD_B{bits}{order}")
    for bits in (8, 16, 32, 64)
    for sign, order in (("<", "LE"), (">", "BE"))
}
_DEPTH = 16
_COMPLEX: Mapping[str, str] = {"float32": "complex64", "float64": "complex128"}


def type_name(kind: Any) -> str:
    """The canonical dtype of an HDF5 datatype, whatever its byte order; one of HDF5's own for what has none."""
    name = _NAMES.get(kind.get_class(), "unknown")
    return name if isinstance(name, str) else name(kind)


def numpy_type(kind: Any, depth: int = 0) -> np.dtype[Any] | None:
    """The type of NumPy whose items are stored as those of an HDF5 datatype are; None where there is none.

    An enumeration is its integers, a bitfield an unsigned integer. What leads elsewhere in the file has no such type.
    """
    family, name = kind.get_class(), type_name(kind)
    part = kind
    while name in ITEM_BYTES and part.get_class() not in _ORDERED:
        part = part.get_member_type(0) if part.get_class() == h5t.COMPOUND else part.get_super()
    big = part.get_class() in _ORDERED and part.get_order() == h5t.ORDER_BE
    if name in ITEM_BYTES:
        return np.dtype(STORED_AS.get(name, name)).newbyteorder(">" if big else "<")
    if family == h5t.FLOAT and kind.equal(h5t.NATIVE_LDOUBLE):
        return np.dtype(np.longdouble)
    if family == h5t.BITFIELD:
        return next((np.dtype(code) for code, whole in _BITFIELDS.items() if kind.equal(whole)), None)
    if family == h5t.ENUM:
        return numpy_type(kind.get_super(), depth)
    if family == h5t.OPAQUE:
        return np.dtype(str(kind.dtype.str))
    if family == h5t.STRING and depth and not kind.is_variable_str():
        return np.dtype(f"S{kind.get_size()}")
    if family == h5t.ARRAY and depth:
        inner = numpy_type(kind.get_super(), depth + 1) if depth < _DEPTH else None
        return None if inner is None else np.dtype((inner, kind.get_array_dims()))
    return _record(kind, depth + 1) if family == h5t.COMPOUND and depth < _DEPTH else None


def parts_of(kind: Any, depth: int = 0) -> int | None:
    """How many texts of any length, and lists of what has a fixed size, one value has; None where it has others."""
    family = kind.get_class()
    if family == h5t.STRING and kind.is_variable_str():
        return 1
    if family == h5t.VLEN:
        return None if numpy_type(kind.get_super(), 1) is None else 1
    if numpy_type(kind, depth) is not None:
        return 0
    if family == h5t.ARRAY and 0 < depth < _DEPTH:
        inner = parts_of(kind.get_super(), depth + 1)
        return None if inner is None else inner * math.prod(kind.get_array_dims())
    if family != h5t.COMPOUND or depth >= _DEPTH:
        return None
    members = [parts_of(kind.get_member_type(member), depth + 1) for member in range(kind.get_nmembers())]
    return None if None in members else sum(filter(None, members))


def _record(kind: Any, depth: int) -> np.dtype[Any] | None:
    """The structured type of a compound one."""
    members = range(kind.get_nmembers())
    formats = [numpy_type(kind.get_member_type(member), depth) for member in members]
    if any(each is None for each in formats):
        return None
    names = [kind.get_member_name(member).decode() for member in members]
    offsets = [kind.get_member_offset(member) for member in members]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": kind.get_size()})


def filter_name(number: int) -> str:
    """The name of the filter with this registered id."""
    return FILTERS.get(number, f"hdf5-{number}")


def is_boolean(kind: Any) -> bool:
    """Whether an enumeration is what h5py writes for `bool`: FALSE and TRUE in one byte."""
    if kind.get_size() != 1 or kind.get_nmembers() != 2 or kind.get_super().get_precision() != 8:
        return False
    return {kind.get_member_name(i): kind.get_member_value(i) for i in range(2)} == {b"FALSE": 0, b"TRUE": 1}


def _integer(kind: Any) -> str:
    bits, width = kind.get_precision(), 8 * kind.get_size()
    sign = "u" if kind.get_sign() == h5t.SGN_NONE else ""
    plain = bits == width and width <= 64 and kind.get_order() in _ORDERS
    return f"{sign}int{width}" if plain else f"{sign}int{bits}of{width}"


def _float(kind: Any) -> str:
    """A name that NumPy has only for a type whose every bit lies as IEEE 754 says, in a plain byte order."""
    size, bits = kind.get_size(), kind.get_precision()
    name = _FLOATS.get(((size, *kind.get_fields()), kind.get_ebias()))
    plain = kind.get_norm() == h5t.NORM_IMPLIED and bits == 8 * size and kind.get_order() in _ORDERS
    return name if name and plain else f"float{bits}of{8 * size}"


def _enum(kind: Any) -> str:
    return "bool" if is_boolean(kind) else "enum"


def _opaque(kind: Any) -> str:
    tag = kind.get_tag()
    if tag.startswith((b"NUMPY:<M8", b"NUMPY:>M8")):
        return "datetime"
    return "timedelta" if tag.startswith((b"NUMPY:<m8", b"NUMPY:>m8")) else "opaque"


def _compound(kind: Any) -> str:
    """`complex64` or `complex128` for two floats named r and i, side by side, as h5py writes them."""
    if kind.get_nmembers() != 2 or [kind.get_member_name(i) for i in range(2)] != [b"r", b"i"]:
        return "compound"
    real, imaginary = (kind.get_member_type(i) for i in range(2))
    half = real.get_size()
    if not real.equal(imaginary) or kind.get_size() != 2 * half or kind.get_member_offset(1) != half:
        return "compound"
    return _COMPLEX.get(type_name(real), "compound")


def _native_complex(kind: Any) -> str:
    return _COMPLEX.get(type_name(kind.get_super()), "complex")


_NAMES: Mapping[int, str | Callable[[Any], str]] = {
    h5t.INTEGER: _integer,
    h5t.FLOAT: _float,
    h5t.ENUM: _enum,
    h5t.COMPOUND: _compound,
    h5t.OPAQUE: _opaque,
    h5t.STRING: "string",
    h5t.VLEN: "vlen",
    h5t.ARRAY: "array",
    h5t.REFERENCE: "reference",
    h5t.BITFIELD: "bitfield",
    h5t.TIME: "time",
    # Since HDF5 2.0; an older h5py has no such class.
    getattr(h5t, "COMPLEX", -2): _native_complex,
}
