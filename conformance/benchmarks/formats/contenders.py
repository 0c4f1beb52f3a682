"""Which formats, codecs, grids and readers take part in which workloads: literal tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vizschema.conformance.benchmarks.formats import (
    asdf_file,
    hdf5,
    npz,
    pickled,
    safetensors_file,
    sqlite_blobs,
    zarr_cached,
    zarr_v2,
    zarr_v3,
    zarr_v3_sharded,
)
from vizschema.conformance.benchmarks.formats.base import Format

FORMATS: Mapping[str, Format] = {
    "npz": npz.FORMAT,
    "hdf5": hdf5.FORMAT,
    "hdf5, no cache": hdf5.NO_CACHE,
    "zarr-v2": zarr_v2.FORMAT,
    "zarr-v3": zarr_v3.FORMAT,
    "zarr-v3-sharded": zarr_v3_sharded.FORMAT,
    "zarr-v3, direct": zarr_cached.DIRECT,
    "zarr-v3, caching": zarr_cached.FORMAT,
    "asdf": asdf_file.FORMAT,
    "pickle": pickled.FORMAT,
    "sqlite": sqlite_blobs.FORMAT,
    "safetensors": safetensors_file.FORMAT,
}
"""Formats, some of them with a reader of another kind: `container, reader`."""

BLOSC = "blosc-zstd"


class Contender(NamedTuple):
    """One way to store a trace and to read it."""

    kind: str
    codec: str
    grid: str = ""

    @property
    def container(self) -> str:
        """The container alone."""
        return self.kind.partition(", ")[0]

    @property
    def reader(self) -> str:
        """The reader, empty for the usual one."""
        return self.kind.partition(", ")[2]

    @property
    def format(self) -> Format:
        """How it is written and opened."""
        return FORMATS[self.kind]

    @property
    def mapped(self) -> bool:
        """Whether the file is mapped into memory, so that nobody counts what is read of it."""
        return self.container == "safetensors" or (self.container, self.codec) == ("asdf", "none")

    @property
    def filename(self) -> str:
        """The same for all readers of one archive."""
        stem = "-".join(part for part in (self.container, self.codec, self.grid) if part)
        return f"{stem}{self.format.suffix}"

    @property
    def label(self) -> str:
        """For figures and tables."""
        return " ".join(part for part in (self.container, self.codec, self.grid, self.reader) if part)


ARCHIVES = (
    Contender("npz", "none"),
    Contender("npz", "deflate"),
    Contender("hdf5", "none", "contiguous"),
    Contender("hdf5", "deflate", "head"),
    Contender("hdf5", BLOSC, "head"),
    Contender("zarr-v2", "none", "head"),
    Contender("zarr-v2", "deflate", "head"),
    Contender("zarr-v2", BLOSC, "head"),
    Contender("zarr-v2", BLOSC, "tiles32"),
    Contender("zarr-v3", "none", "head"),
    Contender("zarr-v3", "deflate", "head"),
    Contender("zarr-v3", BLOSC, "head"),
    Contender("zarr-v3-sharded", BLOSC, "head"),
    Contender("asdf", "none"),
    Contender("asdf", "deflate"),
    Contender("pickle", "none"),
    Contender("sqlite", BLOSC, "head"),
    Contender("safetensors", "none"),
)
"""Of the workloads that take whole traces: size, write, full, files."""

ACCESS = (
    Contender("npz", "none"),
    Contender("npz", "deflate"),
    Contender("hdf5", "none", "contiguous"),
    Contender("hdf5", BLOSC, "head"),
    Contender("hdf5, no cache", BLOSC, "head"),
    Contender("hdf5", BLOSC, "tiles32"),
    Contender("hdf5", BLOSC, "tiles128"),
    Contender("hdf5", BLOSC, "rows32"),
    Contender("zarr-v2", BLOSC, "head"),
    Contender("zarr-v2", BLOSC, "tiles32"),
    Contender("zarr-v3", "none", "head"),
    Contender("zarr-v3", BLOSC, "whole"),
    Contender("zarr-v3", BLOSC, "head"),
    Contender("zarr-v3, direct", BLOSC, "head"),
    Contender("zarr-v3, caching", BLOSC, "head"),
    Contender("zarr-v3", BLOSC, "rows32"),
    Contender("zarr-v3", BLOSC, "tiles128"),
    Contender("zarr-v3, direct", BLOSC, "tiles128"),
    Contender("zarr-v3", BLOSC, "tiles32"),
    Contender("zarr-v3, direct", BLOSC, "tiles32"),
    Contender("zarr-v3-sharded", BLOSC, "head"),
    Contender("zarr-v3-sharded", BLOSC, "rows32"),
    Contender("zarr-v3-sharded", BLOSC, "tiles64"),
    Contender("asdf", "none"),
    Contender("pickle", "none"),
    Contender("sqlite", BLOSC, "head"),
    Contender("safetensors", "none"),
)
"""Of the workloads that take parts of the attention: layer and random."""

PARALLEL = (
    Contender("npz", "none"),
    Contender("hdf5", "none", "contiguous"),
    Contender("hdf5", BLOSC, "head"),
    Contender("hdf5", BLOSC, "tiles32"),
    Contender("zarr-v2", BLOSC, "head"),
    Contender("zarr-v2", BLOSC, "tiles32"),
    Contender("zarr-v3", BLOSC, "head"),
    Contender("zarr-v3, caching", BLOSC, "head"),
    Contender("zarr-v3-sharded", BLOSC, "tiles64"),
    Contender("asdf", "none"),
    Contender("sqlite", BLOSC, "head"),
    Contender("safetensors", "none"),
)

REMOTE = (
    Contender("npz", "none"),
    Contender("npz", "deflate"),
    Contender("hdf5", "none", "contiguous"),
    Contender("hdf5", BLOSC, "head"),
    Contender("hdf5", BLOSC, "tiles32"),
    Contender("zarr-v2", BLOSC, "head"),
    Contender("zarr-v2", BLOSC, "tiles32"),
    Contender("zarr-v3", BLOSC, "head"),
    Contender("zarr-v3-sharded", BLOSC, "head"),
    Contender("zarr-v3-sharded", BLOSC, "tiles64"),
    Contender("asdf", "none"),
    Contender("pickle", "none"),
    Contender("sqlite", BLOSC, "head"),
    Contender("safetensors", "none"),
)
