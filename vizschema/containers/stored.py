"""The type of NumPy whose items lie as those of a data type of Zarr or `.npy` do, and its fill values."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.values import dtype_of
from vizschema.description import ITEM_BYTES


def stored_v2(data_type: Any) -> np.dtype[Any]:
    """That of a type string, or of a list of fields, which `v2_dtype` has checked; raises `TypeError` for none."""
    if data_type == "|O":
        return np.dtype(object)
    if isinstance(data_type, list):
        return _sized([(name, stored_v2(kind), *map(_lengths, shape)) for name, kind, *shape in data_type])
    return _sized(data_type)


def stored_v3(data_type: Any) -> np.dtype[Any]:
    """That of a name, or of an object with one, which `v3_dtype` has checked; raises `TypeError` for none."""
    name, configuration = data_type, {}
    if isinstance(data_type, dict):
        name, configuration = data_type["name"], data_type["configuration"]
    if name == "string":
        return np.dtype(object)
    if name in ITEM_BYTES:
        return dtype_of(name)
    if name.startswith("r") and name[1:].isdigit():
        return _sized(f"V{int(name[1:]) // 8}")
    if name not in _V3:
        raise TypeError(f"NumPy has no type {name}")
    return _sized(_V3[name](configuration))


def _fields(configuration: Mapping[str, Any]) -> Any:
    fields = [tuple(field.values()) if isinstance(field, dict) else field for field in configuration["fields"]]
    return [(name, stored_v3(kind)) for name, kind in fields]


def _time(letter: str) -> Callable[[Mapping[str, Any]], Any]:
    def code(given: Mapping[str, Any]) -> str:
        unit = given["unit"]
        return f"{letter}8" if unit == "generic" else f"{letter}8[{given.get('scale_factor', 1)}{unit}]"

    return code


_V3: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "fixed_length_utf32": lambda given: f"U{given['length_bytes'] // 4}",
    "null_terminated_bytes": lambda given: f"S{given['length_bytes']}",
    "raw_bytes": lambda given: f"V{given['length_bytes']}",
    "numpy.datetime64": _time("M"),
    "numpy.timedelta64": _time("m"),
    "structured": _fields,
    "struct": _fields,
}
"""What NumPy calls each data type, by its configuration."""


def _sized(kind: Any) -> np.dtype[Any]:
    try:
        if kind is None:
            raise TypeError(kind)
        dtype: np.dtype[Any] = np.dtype(kind)
    except (TypeError, ValueError, KeyError) as error:
        raise TypeError(f"NumPy has no such type: {error}") from None
    if not dtype.itemsize or dtype.hasobject:
        raise TypeError("its items have no size")
    return dtype


def _lengths(shape: Any) -> Any:
    return tuple(shape) if isinstance(shape, list) else shape


def fill_stored(value: Any, stored: np.dtype[Any]) -> npt.NDArray[Any]:
    """The fill value of times and records in no dimensions: whole numbers, or bytes in base64; raises `TypeError`."""
    plain = stored.newbyteorder("=")
    if value is None or value == 0:
        return np.zeros((), plain)
    if stored.kind in "mM" and (type(value) is int or value == "NaT"):
        return np.array(np.iinfo(np.int64).min if value == "NaT" else value, np.int64).view(plain)
    try:
        raw = base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raw = b""
    if len(raw) != stored.itemsize:
        raise TypeError(f"its fill value is none of {stored.itemsize} bytes")
    return np.frombuffer(raw, stored).astype(plain)[0:1].reshape(())
