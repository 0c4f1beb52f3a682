"""Fill values of Zarr: what stands where a chunk was never written. Opens nothing, and checks without NumPy."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vizschema.description import ITEM_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SPECIAL: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BITS = re.compile(r"0x[0-9a-fA-F]*", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.I)
"""What zarr-python takes for a number where a writer of version 2 made a text of it."""

_PACKED: Mapping[str, str] = {"float16": ">e", "bfloat16": ">f", "float32": ">f", "float64": ">d"}
_HALVES: Mapping[str, str] = {"complex64": "float32", "complex128": "float64"}


def require_fill(value: Any, dtype: str, version: int) -> None:
    """Raise `ValueError` unless `value` is a fill value of the canonical dtype in this version of the format.

    Of dtypes that hold no numbers nothing is asked.
    """
    if dtype not in ITEM_BYTES or (value is None and version == 2):
        return
    if _parts(value, dtype, version) is None:
        shown = str(value)[:60]
        advice = ": write its number" if version == 2 and type(value) is str and _BITS.fullmatch(value) else ""
        raise ValueError(f"the fill_value {shown!r} is none of the type {dtype}{advice}")


def fill_bits(value: Any, dtype: str, version: int) -> Any:
    """What a checked fill value comes to, however it is written: equal for the same bits; without NumPy."""
    if dtype not in ITEM_BYTES or value is None:
        return value
    kind = _PACKED.get(_HALVES.get(dtype, dtype))
    parts = _parts(value, dtype, version) or []
    return parts if kind is None else [_packed(part, kind) for part in parts]


def fill_of(value: Any, dtype: np.dtype[Any], version: int) -> npt.NDArray[Any]:
    """The fill value, in no dimensions; None in version 2 is 0. Raise `ValueError` for one that the format lacks."""
    import numpy as np

    require_fill(value, dtype.name, version)
    filled = np.zeros((), dtype)
    if value is None:
        return filled
    item = dtype if dtype.kind != "c" else np.dtype(f"f{dtype.itemsize // 2}")
    places = filled.reshape(1).view(item)
    for place, part in enumerate(_parts(value, dtype.name, version) or ()):
        if isinstance(part, bytes):
            places[place] = np.array(int.from_bytes(part, "big"), f"u{item.itemsize}").view(item)
        else:
            with np.errstate(over="ignore"):
                places[place] = np.float64(part).astype(item) if isinstance(part, float) else part
    return filled


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
    bits = 8 * ITEM_BYTES[dtype]
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
