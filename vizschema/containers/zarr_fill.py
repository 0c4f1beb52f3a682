"""Fill values of Zarr: what stands where a chunk was never written. Opens nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_SPECIAL: Mapping[str, float] = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
_BITS = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)


def fill_of(value: Any, dtype: np.dtype[Any], version: int) -> npt.NDArray[Any]:
    """The fill value, in no dimensions; null in version 2 is 0. Raises `ValueError` for one that the format lacks."""
    if value is None and version == 2:
        return np.zeros((), dtype)
    filled = np.zeros((), dtype)
    if dtype.kind == "c":
        parts = value if isinstance(value, list) else [value, 0.0]
        if len(parts) != 2:
            raise ValueError(_words(value, dtype))
        half = np.dtype(f"f{dtype.itemsize // 2}")
        filled.reshape(1).view(half)[:] = [_float(part, half, value) for part in parts]
    elif dtype.kind == "b":
        filled[()] = _boolean(value, dtype)
    elif dtype.kind in "iu":
        filled[()] = _integer(value, dtype)
    else:
        filled[()] = _float(value, dtype, value)
    return filled


def _boolean(value: Any, dtype: np.dtype[Any]) -> bool:
    if type(value) is bool or value in (0, 1):
        return bool(value)
    raise ValueError(_words(value, dtype))


def _integer(value: Any, dtype: np.dtype[Any]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    limits = np.iinfo(dtype)
    if type(value) is not int or not limits.min <= value <= limits.max:
        raise ValueError(_words(value, dtype))
    return value


def _float(value: Any, dtype: np.dtype[Any], whole: Any) -> Any:
    if type(value) in (int, float):
        with np.errstate(over="ignore"):
            return np.float64(value).astype(dtype)
    if isinstance(value, str) and value in _SPECIAL:
        return np.float64(_SPECIAL[value]).astype(dtype)
    if isinstance(value, str) and _BITS.fullmatch(value) and int(value, 16) < 1 << 8 * dtype.itemsize:
        return np.array(int(value, 16), f"u{dtype.itemsize}").view(dtype)
    raise ValueError(_words(whole, dtype))


def _words(value: Any, dtype: np.dtype[Any]) -> str:
    return f"the fill_value {str(value)[:60]!r} is none of the type {dtype.name}"
