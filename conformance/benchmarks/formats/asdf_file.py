"""ASDF: a YAML tree followed by binary blocks. The library takes the whole tree: the whole trace is in memory once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asdf
import numpy as np

from vizschema.conformance.benchmarks.formats.base import LEVEL, Format, Selection
from vizschema.conformance.benchmarks.formats.trace import Named, Values

_CODECS: dict[str, dict[str, Any]] = {
    "none": {},
    "deflate": {"all_array_compression": "zlib", "compression_kwargs": {"level": LEVEL}},
}


def write(path: Path, arrays: Iterator[Named], codec: str, _grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    tree: dict[str, dict[str, Values]] = {}
    for name, values in arrays:
        group, _, member = name.partition("/")
        tree.setdefault(group, {})[member] = values
    asdf.AsdfFile(tree).write_to(path, **_CODECS[codec])


class Asdf:
    """Blocks are found when asked for; those without compression are mapped into memory, others are decoded whole."""

    def __init__(self, source: Any) -> None:
        self._file = asdf.open(source, lazy_load=True, memmap=isinstance(source, Path))

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        group, _, member = name.partition("/")
        return np.array(self._file[group][member][selection if selection else ...])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


FORMAT = Format(".asdf", write, Asdf, streams=False)
