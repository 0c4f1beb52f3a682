"""Arrays in memory as something whose values are read in blocks, so that they are measured before they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from vizschema.containers.values import Block, ChunkDamaged, Piece, clipped, grid_counts, grid_of, place_of, places


class Indexed(Protocol):
    """An array, or what gives one as it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along every axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, native."""

    def __getitem__(self, key: Any, /) -> Any: ...


class ArrayValues:
    """The values of an array in memory, as `Values`."""

    def __init__(self, path: str, array: Indexed) -> None:
        self.dtype = array.dtype
        self.shape = array.shape
        self._path = path
        self._array = array
        self._grid = grid_of(array.shape, array.dtype.itemsize)
        self._counts = grid_counts(array.shape, self._grid)

    def pieces(self) -> Iterator[Piece]:
        """Every range of rows once."""
        size = int(np.prod(self._grid, dtype=np.int64)) * self.dtype.itemsize
        return (Piece(index, self._path, size, int(index == 0)) for index, _ in enumerate(places(self._counts)))

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The one block of a piece."""
        place = place_of(piece.index, self._counts)
        start = tuple(at * length for at, length in zip(place, self._grid, strict=True))
        part = clipped(start, self._grid, self.shape)
        values: Any = self._array[tuple(slice(first, first + size) for first, size in zip(start, part, strict=True))]
        yield Block(start, np.ascontiguousarray(values).reshape(part))


class InMemory:
    """Arrays by path, as something that has values."""

    def __init__(self, arrays: Mapping[str, Indexed]) -> None:
        self._arrays = arrays

    def values(self, path: str) -> ArrayValues:
        """The values of the array at `path`."""
        return ArrayValues(path, self._arrays[path])
