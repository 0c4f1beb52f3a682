"""Fill values of Zarr: what stands where a chunk was never written. Opens nothing, and checks without NumPy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vizschema.description import ITEM_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SPECIAL: Mapping[str, float] = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": -float("inf")}
_BITS = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)


def require_fill(value: Any, dtype: str, version: int) -> None:
    """Nothing; raises `ValueError` for what is no fill value of the canonical dtype in this version of the format.

    Of dtypes that hold no numbers nothing is asked.
    """
    if dtype not in ITEM_BYTES or (value is None and version == 2):
        return
    if dtype == "bool":
        fits = type(value) is bool or value in (0, 1)
    elif dtype.startswith("complex"):
        size = ITEM_BYTES[dtype] // 2
        fits = type(value) is list and len(value) == 2 and all(_is_float(part, size) for part in value)
    elif "int" in dtype:
        fits = _is_integer(value, dtype)
    else:
        fits = _is_float(value, ITEM_BYTES[dtype])
    if not fits:
        raise ValueError(f"the fill_value {str(value)[:60]!r} is none of the type {dtype}")


def fill_of(value: Any, dtype: np.dtype[Any], version: int) -> npt.NDArray[Any]:
    """The fill value, in no dimensions; null in version 2 is 0. Raises `ValueError` for one that the format lacks."""
    import numpy as np

    require_fill(value, dtype.name, version)
    filled = np.zeros((), dtype)
    if value is None:
        return filled
    if dtype.kind == "c":
        half = np.dtype(f"f{dtype.itemsize // 2}")
        filled.reshape(1).view(half)[:] = [_float(part, half) for part in value]
    elif dtype.kind == "b":
        filled[()] = bool(value)
    elif dtype.kind in "iu":
        filled[()] = int(value)
    else:
        filled[()] = _float(value, dtype)
    return filled


def _is_integer(value: Any, dtype: str) -> bool:
    bits = 8 * ITEM_BYTES[dtype]
    least, most = (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return whole and least <= value <= most


def _is_float(value: Any, size: int) -> bool:
    if type(value) is str:
        return value in _SPECIAL or (_BITS.fullmatch(value) is not None and int(value, 16) < 1 << 8 * size)
    return type(value) in (int, float)


def _float(value: Any, dtype: np.dtype[Any]) -> Any:
    import numpy as np

    if isinstance(value, str) and value not in _SPECIAL:
        return np.array(int(value, 16), f"u{dtype.itemsize}").view(dtype)
    with np.errstate(over="ignore"):
        return np.float64(_SPECIAL[value] if isinstance(value, str) else value).astype(dtype)
