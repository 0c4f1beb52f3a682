"""Pickle: pairs of name and array, one after the other. For comparison only: who opens one runs what is in it."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from vizschema.conformance.benchmarks.formats.base import LEVEL, Format, Selection
from vizschema.conformance.benchmarks.formats.trace import Named, Values


def write(path: Path, arrays: Iterator[Named], codec: str, _grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    with path.open("wb") if codec == "none" else gzip.open(path, "wb", LEVEL) as file:
        for pair in arrays:
            pickle.dump(pair, file, protocol=5)


class Pickled:
    """Pairs are loaded from the start until the name is found; there is no index."""

    def __init__(self, source: Any) -> None:
        self._file: IO[bytes] = _open(source) if isinstance(source, Path) else source

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        self._file.seek(0)
        while True:
            found, values = pickle.load(self._file)  # noqa: S301  (a file that the benchmark wrote itself)
            if found == name:
                return np.array(values[selection]) if selection else np.asarray(values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")


FORMAT = Format(".pkl", write, Pickled)
