"""safetensors: a JSON header, then raw values. Its library wants all tensors at once, so the header is written here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from vizschema.conformance.benchmarks.formats.base import Format, Selection
from vizschema.conformance.benchmarks.formats.trace import Named, Values

HEADER_BYTES = 1 << 16
"""Room for the header, which is written last and filled up with spaces, as the format allows."""


def write(path: Path, arrays: Iterator[Named], _codec: str, _grid: str) -> None:
    """Nothing; the arrays lie at `path`."""
    header: dict[str, Any] = {}
    place = 0
    with path.open("wb") as file:
        file.seek(8 + HEADER_BYTES)
        for name, values in arrays:
            span = [place, place + values.nbytes]
            header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": span}
            file.write(np.ascontiguousarray(values).data)
            place += values.nbytes
        file.seek(0)
        file.write(HEADER_BYTES.to_bytes(8, "little") + json.dumps(header).encode().ljust(HEADER_BYTES))


class Safetensors:
    """The library, which maps the file into memory and copies what is asked for."""

    def __init__(self, source: Path) -> None:
        self._file: Any = safe_open(source, framework="numpy")

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`."""
        if not selection:
            return np.asarray(self._file.get_tensor(name))
        return np.asarray(self._file.get_slice(name)[selection])

    def close(self) -> None:
        """Let go of the mapping."""
        del self._file


class Ranges:
    """The same by ranges of an open file, as one reads it from a web server: header, then the values of one tensor."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._start = 8 + int.from_bytes(source.read(8), "little")
        self._header = json.loads(source.read(self._start - 8))

    def part(self, name: str, selection: Selection) -> Values:
        """See `base.Reader`; where the first index is a number, that slice alone is read."""
        entry = self._header[name]
        begin, end = entry["data_offsets"]
        shape, rest = tuple(entry["shape"]), selection
        if selection and isinstance(selection[0], int):
            step = (end - begin) // shape[0]
            begin, end = begin + selection[0] * step, begin + (selection[0] + 1) * step
            shape, rest = shape[1:], selection[1:]
        self._source.seek(self._start + begin)
        return np.frombuffer(self._source.read(end - begin), "<f4").reshape(shape)[rest]

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _open(source: Any) -> Safetensors | Ranges:
    return Safetensors(source) if isinstance(source, Path) else Ranges(source)


FORMAT = Format(".safetensors", write, _open)
