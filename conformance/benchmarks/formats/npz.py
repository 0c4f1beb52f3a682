"""NPZ: a zip of .npy members, as `numpy.savez` and `numpy.savez_compressed` write it, but one array at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.benchmarks.formats.base import LEVEL, Format, Selection
from vizschema.conformance.benchmarks.formats.trace import Named, Values

_METHODS = {"none": zipfile.ZIP_STORED, "deflate": zipfile.ZIP_DEFLATED}


def write(path: Path, arrays: Iterator[Named], codec: str, _grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    with zipfile.ZipFile(path, "w", _METHODS[codec], allowZip64=True, compresslevel=LEVEL) as archive:
        for name, values in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


class Npz:
    """Members are decoded whole, however little of them is asked for."""

    def __init__(self, source: Any) -> None:
        self._members = np.load(source, allow_pickle=False)

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        values: Values = self._members[name]
        return values[selection].copy() if selection else values

    def close(self) -> None:
        """Close the file."""
        self._members.close()


FORMAT = Format(".npz", write, Npz)
