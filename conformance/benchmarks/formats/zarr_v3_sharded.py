"""Zarr v3 with shards: one file a layer, in which the chunks of the grid can be read one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import zarr

from vizschema.conformance.benchmarks.formats.base import Format, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named
from vizschema.conformance.benchmarks.formats.zarr_v3 import Zarr, codec_of, consolidate, from_url


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`, each in one shard."""
    root = zarr.create_group(str(path), zarr_format=3)
    for name, values in arrays:
        chunks = chunks_of(grid, name, values.shape)
        shards = tuple(length * math.ceil(size / length) for size, length in zip(values.shape, chunks, strict=True))
        root.create_array(name, data=values, chunks=chunks, shards=shards, compressors=codec_of(codec))
    consolidate(path)


FORMAT = Format(".zarr", write, Zarr, remote=from_url)
