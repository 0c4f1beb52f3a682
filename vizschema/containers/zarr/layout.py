"""From a Zarr document that was checked to how its chunks are found and decoded. Opens nothing.

A `Pipeline` is what the format calls codecs: transpositions, then a way to bytes (`bytes`, or the shards within), then
stages from bytes to bytes. `unsupported` names a codec that a plain installation lacks: then nothing is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.base import quote
from vizschema.containers.codecs.filters import FILTERS, filter_of, packbits, stage_of
from vizschema.containers.codecs.stages import STAGES, Stage
from vizschema.containers.stored import fill_stored, stored_v2, stored_v3
from vizschema.containers.texts import fill_text
from vizschema.containers.values import native, plain_dtype
from vizschema.containers.zarr.codecs import Codecs, order_of
from vizschema.containers.zarr.metadata import ZarrArray
from vizschema.description import ITEM_BYTES, TEXTS
from vizschema.text import escape_text

Make = Callable[[Mapping[str, Any]], Stage]

_NUMCODECS = "numcodecs."
"""What zarr-python puts before the names of codecs of version 2 in documents of version 3."""

_V2_STAGES: Mapping[str, Make] = {
    **STAGES,
    **{name: partial(stage_of, name) for name in FILTERS},
    "packbits": packbits,
}
_V3_STAGES: Mapping[str, Make] = {
    **{name: STAGES[name] for name in ("blosc", "zstd", "gzip", "crc32c")},
    **{f"{_NUMCODECS}{name}": make for name, make in STAGES.items()},
}
_V3_FILTERS = frozenset(f"{_NUMCODECS}{name}" for name in (*FILTERS, "packbits"))


@dataclass(frozen=True, slots=True)
class Shard:
    """How a chunk is cut into inner ones: their shape and pipeline, and that of the index [*chunks, 2]."""

    inner: tuple[int, ...]
    pipeline: Pipeline
    index: Pipeline
    index_first: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How to decode one chunk; `inverse` are the axes that undo all transpositions, None where there are none."""

    stored: np.dtype[Any]
    inverse: tuple[int, ...] | None
    stages: list[Stage]
    shard: Shard | None = None
    unsupported: str | None = None

    @property
    def forward(self) -> tuple[int, ...] | None:
        """The transposition that a writer applies."""
        return None if self.inverse is None else tuple(int(axis) for axis in np.argsort(self.inverse))


@dataclass(frozen=True, slots=True)
class Layout:
    """All that reading needs: `fill` in no dimensions, and how keys are made."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    pipeline: Pipeline
    fill: npt.NDArray[Any]
    prefix: str
    separator: str
    version: int

    def key(self, place: Sequence[int]) -> str:
        """The key of the chunk at a place of the grid."""
        return self.prefix + (self.separator.join(map(str, place)) if place else "0" * (self.prefix != "c"))


def layout_of(array: ZarrArray) -> Layout:
    """How an array is read; raises `TypeError` where its data type is not read."""
    stored, shape = (stored_v2 if array.version == 2 else stored_v3)(array.data_type), tuple(array.shape)
    dtype = plain_dtype(array.dtype, stored)
    if array.dtype in TEXTS:
        fill = fill_text(array.fill, stored.kind)
    elif array.dtype in ITEM_BYTES:
        bits = _fill(array.fill, stored.newbyteorder("=")).reshape(1).view(np.uint8)
        fill = native(bits, dtype, stored.newbyteorder("=")).reshape(())
    elif stored.hasobject:
        raise TypeError("each of its items is an object")
    else:
        fill = fill_stored(array.fill, stored)
    encoding, separator = array.keys
    prefix = "" if encoding == "v2" else f"c{separator}" if shape else "c"
    pipeline = (_v2_pipeline if array.version == 2 else _v3_pipeline)(array, stored)
    return Layout(dtype, shape, tuple(array.chunk), pipeline, fill, prefix, separator, array.version)


def _fill(parts: Sequence[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The fill value of these numbers or bits, in no dimensions; 0 where there are none."""
    filled = np.zeros((), dtype)
    item = dtype if dtype.kind != "c" else np.dtype(f"f{dtype.itemsize // 2}")
    places = filled.reshape(1).view(item)
    for place, part in enumerate(parts):
        if isinstance(part, bytes):
            places[place] = np.array(int.from_bytes(part, "big"), f"u{item.itemsize}").view(item)
        else:
            with np.errstate(over="ignore"):
                places[place] = np.float64(part).astype(item) if isinstance(part, float) else part
    return filled


def _v2_pipeline(array: ZarrArray, stored: np.dtype[Any]) -> Pipeline:
    rank, given = len(array.shape), array.codecs.given
    inverse = tuple(range(rank))[::-1] if array.order == "F" and rank > 1 else None
    if stored.kind == "O" and given[:1] == [("vlen-utf8", {"id": "vlen-utf8"})]:
        given = given[1:]
    stages, unsupported = _stages(given, _V2_STAGES)
    return Pipeline(stored, inverse, stages, unsupported=unsupported)


def _v3_pipeline(array: ZarrArray, stored: np.dtype[Any]) -> Pipeline:
    return _pipeline(array.codecs, stored, len(array.shape))


def _stages(
    codecs: Sequence[tuple[str, Mapping[str, Any]]], makes: Mapping[str, Make]
) -> tuple[list[Stage], str | None]:
    """The stages, and why there are none where a codec is unsupported or its configuration is bad."""
    stages: list[Stage] = []
    for name, configuration in codecs:
        try:
            if name not in makes:
                return [], f"codec {quote(name)} is not part of a plain installation"
            stages.append(makes[name](configuration))
        except (ValueError, TypeError, KeyError) as error:
            return [], _misconfigured(name, error)
    return stages, None


def _filters(codecs: Sequence[tuple[str, Mapping[str, Any]]], dtype: np.dtype[Any]) -> tuple[list[Stage], str | None]:
    """The stages of filters of numcodecs on values of `dtype`, each on what the one before it makes, like `_stages`."""
    stages: list[Stage] = []
    for name, configuration in codecs:
        try:
            stage, dtype = filter_of(name.removeprefix(_NUMCODECS), configuration, dtype)
        except (ValueError, TypeError, KeyError) as error:
            return [], _misconfigured(name, error)
        stages.append(stage)
    return stages, None


def _misconfigured(name: str, error: Exception) -> str:
    return f"the configuration of codec {quote(name)}: {escape_text(str(error))[:200]}"


def _pipeline(codecs: Codecs, dtype: np.dtype[Any], rank: int) -> Pipeline:
    axes = tuple(range(rank))
    order = axes
    shard: Shard | None = None
    endian = "little"
    serialised = False
    filters: list[tuple[str, Mapping[str, Any]]] = []
    rest: list[tuple[str, Mapping[str, Any]]] = []
    for name, configuration in codecs.given:
        if name == "transpose" and not serialised and not filters:
            order = tuple(order[axis] for axis in order_of(configuration["order"], rank))
        elif name == "vlen-utf8" and dtype.kind == "O" and not serialised:
            serialised = True
        elif name == "bytes" and dtype.kind != "O" and not serialised:
            serialised, endian = True, configuration.get("endian", "little")
        elif name == "sharding_indexed" and not serialised:
            serialised, shard = True, _shard(codecs, configuration, dtype, rank)
        elif name in _V3_FILTERS and not serialised:
            filters.append((name, configuration))
        else:
            rest.append((name, configuration))
    stages, unsupported = _filters(filters, dtype)
    if unsupported is None:
        after, unsupported = _stages(rest, _V3_STAGES)
        stages += after
    if not serialised and unsupported is None:
        unsupported = "its codecs lack one from array to bytes"
    if filters and (endian != "little" or shard is not None):
        unsupported = f"codec {quote(filters[0][0])}: expected little-endian values behind it, and no shards"
    if endian not in ("little", "big"):
        unsupported = f"the endian {quote(endian)} of codec bytes is neither little nor big"
    inverse = None if order == axes else tuple(int(axis) for axis in np.argsort(order))
    stored = dtype.newbyteorder(">") if endian == "big" else dtype
    return Pipeline(stored, inverse, stages, shard, unsupported)


def _shard(codecs: Codecs, configuration: Mapping[str, Any], dtype: np.dtype[Any], rank: int) -> Shard:
    assert codecs.within is not None  # as it is sharded  # noqa: S101
    assert codecs.of_index is not None  # likewise  # noqa: S101
    index = _pipeline(codecs.of_index, np.dtype(np.uint64), rank + 1)
    inner = _pipeline(codecs.within, dtype, rank)
    fixed = _index_bytes(index.stages, 1) is not None and index.shard is None
    unsupported = inner.unsupported or index.unsupported
    if not unsupported and not fixed:
        unsupported = "the index of its shards has no fixed size"
    return Shard(
        tuple(configuration["chunk_shape"]),
        replace(inner, unsupported=unsupported),
        index,
        configuration.get("index_location", "end") == "start",
    )


def index_bytes(shard: Shard, entries: int) -> int:
    """How many bytes the index of so many inner chunks takes as it is stored."""
    return _index_bytes(shard.index.stages, entries) or 0


def _index_bytes(stages: Sequence[Stage], entries: int) -> int | None:
    size: int | None = 16 * entries
    for stage in stages:
        size = stage.encoded(size)
    return size


def chunk_bytes(shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """The decoded bytes of a chunk."""
    return math.prod(shape) * dtype.itemsize
