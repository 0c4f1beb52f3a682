"""Zarr v2 through zarr-python: a folder of chunk files, with Blosc and consolidated metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numcodecs
import zarr

from vizschema.conformance.benchmarks.formats.base import BLOSC_LEVEL, LEVEL, Format, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named
from vizschema.conformance.benchmarks.formats.zarr_v3 import Zarr, consolidate, from_url


def _codec(codec: str) -> Any:
    if codec == "blosc-zstd":
        return numcodecs.Blosc(cname="zstd", clevel=BLOSC_LEVEL, shuffle=numcodecs.Blosc.SHUFFLE)
    return numcodecs.GZip(level=LEVEL) if codec == "deflate" else None


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    root = zarr.create_group(str(path), zarr_format=2)
    for name, values in arrays:
        chunks = chunks_of(grid, name, values.shape)
        root.create_array(name, data=values, chunks=chunks, compressors=_codec(codec))
    consolidate(path)


FORMAT = Format(".zarr", write, Zarr, remote=from_url)
