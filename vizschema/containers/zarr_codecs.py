"""Zarr's codecs: their names in order, and how a sharding codec cuts a chunk. Decodes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vizschema.containers.zarr_dtypes import MAXIMUM, is_pickle
from vizschema.containers.zarr_json import Unreadable, quote

_BLOSC_COMPRESSORS = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
"""What every build of blosc has; snappy is the one that most lack."""


class Pipeline(NamedTuple):
    """The codecs of an array by name, and its inner chunk where it is sharded, in the order of the array's axes."""

    names: list[str]
    inner: list[int] | None


def v2_codecs(filters: Any, compressor: Any) -> list[str]:
    """The ids of the filters, then of the compressor."""
    if filters is not None and type(filters) is not list:
        raise Unreadable("metadata-invalid", f"filters {quote(filters)} is neither null nor a list")
    names = []
    for codec in [*(filters or ()), *(() if compressor is None else (compressor,))]:
        if type(codec) is not dict or type(codec.get("id")) is not str:
            raise Unreadable("metadata-invalid", f"the filter or compressor {quote(codec)} has no id")
        names.append(_named(codec["id"], codec))
    return names


def v3_codecs(codecs: Any, chunk: Sequence[int]) -> Pipeline:
    """The pipeline of an array whose chunk (or shard) has the shape `chunk`."""
    names, inner = _pipeline(codecs, list(chunk), list(range(len(chunk))), "codecs")
    if inner is None:
        return Pipeline(names, None)
    restored = [0] * len(chunk)
    for axis, length in inner:
        restored[axis] = length
    return Pipeline(names, restored)


def _pipeline(
    codecs: Any, chunk: list[int], axes: list[int], place: str
) -> tuple[list[str], list[tuple[int, int]] | None]:
    """Names, and (axis, length) of the innermost chunk; `axes` are the array's, in the order of `chunk`."""
    if type(codecs) is not list or not codecs:
        raise Unreadable("metadata-invalid", f"{place} is not a list of codecs")
    names: list[str] = []
    inner: list[tuple[int, int]] | None = None
    for codec in codecs:
        name, configuration = named(codec, place)
        names.append(_named(name, configuration))
        if name == "transpose":
            order = _order(configuration.get("order"), len(axes))
            chunk, axes = [chunk[axis] for axis in order], [axes[axis] for axis in order]
        elif name == "sharding_indexed":
            if inner is not None:
                raise Unreadable("metadata-invalid", f"{place} shards twice")
            length = _inner_chunk(configuration.get("chunk_shape"), chunk)
            within, deeper = _pipeline(configuration.get("codecs"), length, axes, "the codecs of sharding_indexed")
            # The index has one axis more, for offset and length.
            rank = len(axes) + 1
            index, _ = _pipeline(configuration.get("index_codecs"), [1] * rank, list(range(rank)), "the index_codecs")
            if configuration.get("index_location", "end") not in ("start", "end"):
                raise Unreadable("metadata-invalid", "the index_location of sharding_indexed is neither start nor end")
            names += within + index
            inner = list(zip(axes, length, strict=True)) if deeper is None else deeper
    return names, inner


def named(value: Any, place: str) -> tuple[str, Mapping[str, Any]]:
    """Name and configuration of an extension: a string, or an object with a name."""
    if type(value) is str:
        return value, {}
    if type(value) is not dict or type(value.get("name")) is not str:
        raise Unreadable("metadata-invalid", f"{place} holds {quote(value)}, which has no name")
    configuration = value.get("configuration")
    if configuration is None:
        configuration = {}
    if type(configuration) is not dict:
        raise Unreadable("metadata-invalid", f"the configuration of {quote(value['name'])} is no object")
    return value["name"], configuration


def _named(name: str, configuration: Mapping[str, Any]) -> str:
    if is_pickle(name):
        raise Unreadable("pickle", f"the codec {quote(name)}: only unpickling could read the values")
    compressor = configuration.get("cname") if name == "blosc" else None
    if compressor is not None and compressor not in _BLOSC_COMPRESSORS:
        return f"blosc-{quote(compressor)}"
    return quote(name)


def _order(order: Any, rank: int) -> list[int]:
    if order == "C":
        return list(range(rank))
    if order == "F":
        return list(range(rank))[::-1]
    if type(order) is not list or any(type(axis) is not int for axis in order) or sorted(order) != list(range(rank)):
        raise Unreadable("metadata-invalid", f"the order {quote(order)} of transpose is no permutation of {rank} axes")
    return order


def _inner_chunk(inner: Any, shard: list[int]) -> list[int]:
    if type(inner) is not list or len(inner) != len(shard):
        raise Unreadable(
            "metadata-invalid", f"the inner chunk {quote(inner)} does not have the {len(shard)} axes of the shard"
        )
    for length, whole in zip(inner, shard, strict=True):
        if type(length) is not int or not 0 < length < MAXIMUM or whole % length:
            raise Unreadable("metadata-invalid", f"the inner chunk {inner} does not divide the shard {shard}")
    return inner
