"""Zarr v3 with shards: a file holds many chunks of the grid, which can be read one by one; writing holds a shard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import zarr

from vizschema.conformance.benchmarks.formats.base import Format, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named
from vizschema.conformance.benchmarks.formats.zarr_v3 import Zarr, codec_of, consolidate, from_url

SHARD_BYTES = 256 << 20
"""Of a shard at most, so that writing one takes little memory."""


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`, each in one shard, or in several along its first axis."""
    root = zarr.create_group(str(path), zarr_format=3)
    for name, values in arrays:
        chunks = chunks_of(grid, name, values.shape)
        root.create_array(
            name, data=values, chunks=chunks, shards=_shards(values.shape, chunks), compressors=codec_of(codec)
        )
    consolidate(path)


def _shards(shape: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Whole chunks along every axis, and as many along the first as `SHARD_BYTES` has room for."""
    counts = [math.ceil(size / length) for size, length in zip(shape, chunks, strict=True)]
    row_bytes = 4 * math.prod(chunks) * math.prod(counts[1:])
    counts[0] = min(counts[0], max(1, SHARD_BYTES // row_bytes))
    return tuple(count * length for count, length in zip(counts, chunks, strict=True))


FORMAT = Format(".zarr", write, Zarr, remote=from_url)
