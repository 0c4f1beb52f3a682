"""HDF5 through h5py: contiguous or chunked datasets, deflate or (with the plug-in) Blosc."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from vizschema.conformance.benchmarks.formats.base import BLOSC_LEVEL, LEVEL, Format, Selection, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named, Values


def _codec(codec: str) -> Mapping[str, Any]:
    if codec == "blosc-zstd":
        import hdf5plugin

        return dict(hdf5plugin.Blosc(cname="zstd", clevel=BLOSC_LEVEL, shuffle=hdf5plugin.Blosc.SHUFFLE))
    return {"compression": "gzip", "compression_opts": LEVEL} if codec == "deflate" else {}


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`, in the grid `contiguous` without chunks."""
    options = _codec(codec)
    with h5py.File(path, "w") as file:
        for name, values in arrays:
            chunks = None if grid == "contiguous" else chunks_of(grid, name, values.shape)
            file.create_dataset(name, data=values, chunks=chunks, **options)


class Hdf5:
    """h5py as it is: a chunk cache of 1 MiB a dataset, unless `cache` bytes are given."""

    def __init__(self, source: Any, cache: int | None = None) -> None:
        import hdf5plugin  # noqa: F401  (registers the filter)

        options = {} if cache is None else {"rdcc_nbytes": cache}
        self._file = h5py.File(source, "r", locking=False if isinstance(source, Path) else None, **options)
        self._datasets: dict[str, Any] = {}

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        if name not in self._datasets:
            self._datasets[name] = self._file[name]
        values: Values = self._datasets[name][selection]
        return values

    def close(self) -> None:
        """Close the file."""
        self._file.close()


FORMAT = Format(".h5", write, Hdf5)
NO_CACHE = Format(".h5", write, partial(Hdf5, cache=0))
