"""Arrays of NPZ and ASDF for reading by index: mapped where they lie raw, otherwise decoded once, whole."""

from __future__ import annotations

import tempfile
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vizschema.containers.flat_values import FlatValues
from vizschema.containers.values import ChunkDamaged
from vizschema.errors import NotAnArchive

IN_MEMORY = 64 << 20
"""The most bytes of a packed array that are decoded into memory; a larger one goes into a temporary file."""


class _Flat(Protocol):
    def values(self, path: str) -> Any:
        """The values of the array at `path`."""


class Unpacked:
    """The array at `path` of an open container; nothing is read before the first index."""

    def __init__(self, path: str, container: _Flat) -> None:
        self._path = path
        self._container = container
        self._whole: npt.NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        if self._whole is None:
            try:
                self._whole = self._opened(self._container.values(self._path))
            except ChunkDamaged as damaged:
                raise NotAnArchive(f"{self._path}: cannot be read: {damaged}") from None
        # A copy: what is handed out must not change, or fail, with the file.
        return np.array(self._whole[key])

    def _opened(self, values: FlatValues) -> npt.NDArray[Any]:
        mapped = values.mapped()
        if mapped is not None:
            return mapped
        whole = _room(values)
        for piece in values.pieces():
            for block in values.read(piece):
                if isinstance(block, ChunkDamaged):
                    raise block
                ends = (first + length for first, length in zip(block.start, block.values.shape, strict=True))
                whole[tuple(slice(first, end) for first, end in zip(block.start, ends, strict=True))] = block.values
        return whole


def _room(values: FlatValues) -> npt.NDArray[Any]:
    """Memory for the whole array, or a file that is gone when the array is."""
    if np.prod(values.shape, dtype=object) * values.dtype.itemsize <= IN_MEMORY:
        return np.empty(values.shape, values.dtype)
    with tempfile.TemporaryFile(prefix="vizschema-") as file:
        return np.memmap(file, values.dtype, "w+", shape=values.shape)
