"""SQLite: a table of blobs, one a chunk of the grid along the first axis; what databases of embeddings look like."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

from vizschema.conformance.benchmarks.formats.base import BLOSC_LEVEL, LEVEL, Format, Selection, chunks_of
from vizschema.conformance.benchmarks.formats.trace import Named, Values

_BLOSC = numcodecs.Blosc(cname="zstd", clevel=BLOSC_LEVEL, shuffle=numcodecs.Blosc.SHUFFLE)
_ENCODE: Mapping[str, Callable[[Values], Any]] = {
    "none": lambda part: part.tobytes(),
    "deflate": lambda part: zlib.compress(part, LEVEL),
    "blosc-zstd": lambda part: bytes(_BLOSC.encode(part)),
}
_DECODE: Mapping[str, Callable[[bytes], Any]] = {
    "none": lambda blob: blob,
    "deflate": zlib.decompress,
    "blosc-zstd": _BLOSC.decode,
}


def write(path: Path, arrays: Iterator[Named], codec: str, grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE arrays (name TEXT PRIMARY KEY, shape TEXT, rows INTEGER, codec TEXT)")
    database.execute("CREATE TABLE chunks (name TEXT, number INTEGER, data BLOB, PRIMARY KEY (name, number))")
    for name, values in arrays:
        rows = chunks_of(grid, name, values.shape)[0]
        database.execute("INSERT INTO arrays VALUES (?, ?, ?, ?)", (name, json.dumps(values.shape), rows, codec))
        for number, first in enumerate(range(0, len(values), rows)):
            blob = _ENCODE[codec](values[first : first + rows])
            database.execute("INSERT INTO chunks VALUES (?, ?, ?)", (name, number, blob))
        database.commit()
    database.close()


class Blobs:
    """Reads and decodes the blobs that the first axis of the selection needs."""

    def __init__(self, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            self._database = sqlite3.connect(":memory:")
            self._database.deserialize(source)
        else:
            self._database = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
        rows = self._database.execute("SELECT name, shape, rows, codec FROM arrays")
        self._arrays = {name: (tuple(json.loads(shape)), step, codec) for name, shape, step, codec in rows}

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        shape, step, codec = self._arrays[name]
        whole = selection if selection else (slice(None),)
        first = whole[0]
        begin, end = (first, first + 1) if isinstance(first, int) else first.indices(shape[0])[:2]
        values = np.empty((end - begin, *shape[1:]), np.float32)
        query = "SELECT number, data FROM chunks WHERE name = ? AND number BETWEEN ? AND ?"
        for number, blob in self._database.execute(query, (name, begin // step, (end - 1) // step)):
            part = np.frombuffer(_DECODE[codec](blob), np.float32).reshape(-1, *shape[1:])
            start = number * step
            low, high = max(begin, start), min(end, start + len(part))
            values[low - begin : high - begin] = part[low - start : high - start]
        return values[(0 if isinstance(first, int) else slice(None), *whole[1:])]

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def from_url(url: str) -> Blobs:
    """The database at `url`, fetched whole."""
    with urllib.request.urlopen(url) as response:  # noqa: S310  (the benchmark's own server)
        return Blobs(response.read())


FORMAT = Format(".db", write, Blobs, remote=from_url)
