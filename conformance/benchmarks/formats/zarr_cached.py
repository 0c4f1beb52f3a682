"""A reader of Zarr v3 that does what follows from the figures: fetch chunks together, and keep what was decoded.

Of regular grids without shards, float32, with Blosc. Chunks are read and decoded on a few threads, straight from their
files, and the last ones are kept, up to `cache` bytes.
"""

from __future__ import annotations

import itertools
import json
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc

from vizschema.conformance.benchmarks.formats import zarr_v3
from vizschema.conformance.benchmarks.formats.base import Format, Selection
from vizschema.conformance.benchmarks.formats.trace import Values

THREADS = 2
CACHE = 64 << 20
Place = tuple[int, ...]


class CachedZarr:
    """An open folder; `cache` 0 keeps nothing, and shows what the chunks cost without zarr-python."""

    def __init__(self, source: Path, cache: int = CACHE) -> None:
        self._folder = source
        self._most = cache
        self._kept: OrderedDict[tuple[str, Place], Values] = OrderedDict()
        self._grids: dict[str, tuple[Place, Place]] = {}
        self._pool = ThreadPoolExecutor(THREADS)

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        shape, chunk = self._grid(name)
        whole = (*selection, *(slice(None) for _ in shape[len(selection) :]))
        bounds = [_bounds(index, size) for index, size in zip(whole, shape, strict=True)]
        result = np.empty([end - begin for begin, end in bounds], np.float32)
        ranges = [range(begin // c, (end - 1) // c + 1) for (begin, end), c in zip(bounds, chunk, strict=True)]
        places = list(itertools.product(*ranges))
        load = partial(self._chunk, name, chunk)
        loaded = self._pool.map(load, places) if len(places) > 1 else map(load, places)
        for place, values in zip(places, loaded, strict=True):
            inside, outside = [], []
            for (begin, end), index, length in zip(bounds, place, chunk, strict=True):
                low, high = max(begin, index * length), min(end, (index + 1) * length)
                inside.append(slice(low - index * length, high - index * length))
                outside.append(slice(low - begin, high - begin))
            result[tuple(outside)] = values[tuple(inside)]
        self._trim()
        return result[tuple(0 if isinstance(index, int) else slice(None) for index in selection)]

    def _grid(self, name: str) -> tuple[Place, Place]:
        if name not in self._grids:
            document: Any = json.loads((self._folder / name / "zarr.json").read_bytes())
            chunk = document["chunk_grid"]["configuration"]["chunk_shape"]
            self._grids[name] = (tuple(document["shape"]), tuple(chunk))
        return self._grids[name]

    def _chunk(self, name: str, chunk: Place, place: Place) -> Values:
        key = (name, place)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        path = "/".join([name, "c", *map(str, place)])
        values = np.frombuffer(blosc.decompress((self._folder / path).read_bytes()), "<f4").reshape(chunk)
        self._kept[key] = values
        return values

    def _trim(self) -> None:
        """Forget the oldest chunks, until what is kept is small enough."""
        held = sum(values.nbytes for values in self._kept.values())
        while held > self._most:
            held -= self._kept.popitem(last=False)[1].nbytes

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()


def _bounds(index: int | slice, size: int) -> tuple[int, int]:
    return (index, index + 1) if isinstance(index, int) else index.indices(size)[:2]


FORMAT = Format(".zarr", zarr_v3.write, CachedZarr)
DIRECT = Format(".zarr", zarr_v3.write, partial(CachedZarr, cache=0))
