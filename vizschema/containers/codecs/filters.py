"""Filters of numcodecs that compute with numbers, not bytes: their sizes are known before they are undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numcodecs
import numpy as np

from vizschema.containers.bytes.sources import Bytes, as_bytes
from vizschema.containers.codecs.stages import Stage
from vizschema.containers.values import ChunkDamaged

_NUMBER = re.compile(
    r"[<>|=]?(b1|[iu][1248]|f[248]|c(8|16))|bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)", re.ASCII
)


def stage_of(name: str, configuration: Mapping[str, Any]) -> Stage:
    """The stage of a filter among `FILTERS`; raises `ValueError` for a configuration that is none."""
    plain, stored = FILTERS[name](configuration)
    codec = numcodecs.get_codec({**configuration, "id": name})

    def encoded(size: int | None) -> int | None:
        return None if size is None else size // plain.itemsize * stored.itemsize

    def decode(data: Bytes, *_: Any) -> Bytes:
        if data.size % stored.itemsize:
            raise ChunkDamaged("wrong-length", f"{data.size} bytes are not a whole number of {stored.str} for {name}")
        with np.errstate(all="ignore"):
            return as_bytes(codec.decode(data.view(stored)))

    return Stage(name, decode, encoded)


def filter_of(name: str, configuration: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[Stage, np.dtype[Any]]:
    """The stage of a filter of Zarr v3 on values of `dtype`, and the type of what it makes; raises `ValueError`."""
    if name == "packbits":
        if dtype != np.bool_:
            raise ValueError(f"values of {dtype.name}, expected bool")
        return packbits(configuration), np.dtype(np.uint8)
    key = "decode_dtype" if name == "astype" else "dtype"
    configuration = {**configuration, key: configuration.get(key) or dtype.str}
    plain, stored = FILTERS[name](configuration)
    if plain != dtype:
        raise ValueError(f"{key} {plain.name}, for values of {dtype.name}")
    return stage_of(name, configuration), stored


def packbits(_: Mapping[str, Any]) -> Stage:
    """The stage of eight booleans a byte, after a byte that counts those that only fill it up."""
    codec = numcodecs.PackBits()

    def decode(data: Bytes, *_: Any) -> Bytes:
        if not data.size:
            raise ChunkDamaged("truncated", "packbits: no byte that counts the padding")
        if data[0] > 7:
            raise ChunkDamaged("undecodable", f"packbits: {data[0]} bits of padding")
        return as_bytes(codec.decode(data))

    return Stage("packbits", decode, lambda size: None if size is None else 1 + -(-size // 8))


def _dtype(configuration: Mapping[str, Any], key: str) -> np.dtype[Any]:
    value = configuration.get(key)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError(f"{key} {value!r} is not a type of numbers")
    return np.dtype(value)


def _with_astype(configuration: Mapping[str, Any]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    plain = _dtype(configuration, "dtype")
    return plain, plain if configuration.get("astype") is None else _dtype(configuration, "astype")


def _astype(configuration: Mapping[str, Any]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    return _dtype(configuration, "decode_dtype"), _dtype(configuration, "encode_dtype")


FILTERS: Mapping[str, Callable[[Mapping[str, Any]], tuple[np.dtype[Any], np.dtype[Any]]]] = {
    "delta": _with_astype,
    "fixedscaleoffset": _with_astype,
    "quantize": _with_astype,
    "astype": _astype,
}
"""Each filter, and how its configuration names the dtype before and after it."""
