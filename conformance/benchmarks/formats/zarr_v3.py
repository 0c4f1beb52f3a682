"""Zarr v3 through zarr-python: a folder of chunk files, metadata consolidated at the end."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import BloscCodec, GzipCodec

from vizschema.conformance.benchmarks.formats.base import BLOSC_LEVEL, LEVEL, Format, Selection, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named, Values


def codec_of(codec: str) -> Any:
    """The compressor of that name, for zarr-python."""
    if codec == "blosc-zstd":
        return BloscCodec(cname="zstd", clevel=BLOSC_LEVEL, shuffle="shuffle")
    return GzipCodec(level=LEVEL) if codec == "deflate" else None


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    root = zarr.create_group(str(path), zarr_format=3)
    for name, values in arrays:
        chunks = chunks_of(grid, name, values.shape)
        root.create_array(name, data=values, chunks=chunks, compressors=codec_of(codec))
    consolidate(path)


def consolidate(path: Path) -> None:
    """Nothing; the root has a copy of all metadata."""
    with warnings.catch_warnings():
        # zarr-python says that other implementations may not know consolidated metadata in v3.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(path))


class Zarr:
    """zarr-python as it is: it keeps no chunk that it has decoded."""

    def __init__(self, source: Any) -> None:
        self._root = zarr.open_group(source if not isinstance(source, Path) else str(source), mode="r")
        self._arrays: dict[str, Any] = {}

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        if name not in self._arrays:
            self._arrays[name] = self._root[name]
        values: Values = self._arrays[name][selection if selection else ...]
        return values

    def close(self) -> None:
        """Let go of the store."""
        self._root.store.close()


def from_url(url: str) -> Zarr:
    """The archive at `url`, through fsspec."""
    return Zarr(zarr.storage.FsspecStore.from_url(url, read_only=True))


FORMAT = Format(".zarr", write, Zarr, remote=from_url)
