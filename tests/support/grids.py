"""Values in memory, cut into any grid and given in any order: for whatever takes blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Grid,
    Piece,
    absent_blocks,
    box_around,
    clipped,
    gap,
    gaps,
)


@dataclass
class GridValues:
    """`array`, cut into chunks of the shape `chunk`, which come in the `order` of these numbers (default: C order).

    Counts how often each piece was read. `damaged` numbers come as damage, `absent` ones as the fill value 0.
    """

    array: npt.NDArray[Any]
    chunk: Sequence[int]
    order: Sequence[int] | None = None
    damaged: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()
    reads: dict[int, int] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def starts(self) -> list[tuple[int, ...]]:
        steps = (range(0, size, length) for size, length in zip(self.shape, self.chunk, strict=True))
        return list(itertools.product(*steps))

    def pieces(self) -> Iterator[Piece]:
        starts = self.starts()
        size = int(np.prod(self.chunk)) * self.dtype.itemsize
        for number in range(len(starts)) if self.order is None else self.order:
            yield Piece(number, f"c/{number}", size, 1)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        self.reads[piece.index] = self.reads.get(piece.index, 0) + 1
        start, extent = self.where(piece)
        if piece.index in self.damaged:
            yield ChunkDamaged("truncated", "cut short", piece.key)
        elif piece.index in self.absent:
            yield Block(start, np.broadcast_to(np.zeros((), self.dtype), extent), absent=1, absent_keys=(piece.key,))
        else:
            part = tuple(slice(first, first + length) for first, length in zip(start, extent, strict=True))
            yield Block(start, np.ascontiguousarray(self.array[part]).reshape(extent))

    def where(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        start = self.starts()[piece.index]
        return start, clipped(start, self.chunk, self.shape)


class PlacedGridValues(GridValues):
    """The same, and it says where a piece lies; the fill value is 0."""

    extent = GridValues.where

    @property
    def fill(self) -> npt.NDArray[Any]:
        return np.zeros((), self.dtype)

    def touching(self, box: Box) -> Iterator[Piece]:
        for piece in self.pieces():
            start, extent = self.where(piece)
            sides = zip(start, extent, box, strict=True)
            if all(at < end and first < at + length for at, length, (first, end) in sides):
                yield piece


class GappedValues(PlacedGridValues):
    """The same, with `absent` chunks that follow one another as one piece, as containers give them."""

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, tuple(self.chunk), tuple(self.chunk))

    def pieces(self) -> Iterator[Piece]:
        stored = {piece.index: piece for piece in super().pieces() if piece.index not in self.absent}
        missing = dict(gaps(sorted(stored), math.prod(self.grid.counts)))
        for number in sorted({*stored, *missing}):
            yield stored[number] if number in stored else gap(number, missing[number], self.grid, "c/{}".format)

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return box_around(piece, self.grid)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        if piece.index in self.absent:
            return absent_blocks(piece, self.grid, "c/{}".format, self.fill)
        return super().read(piece)


@st.composite
def grids(draw: st.DrawFn, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a chunk for an array of this shape."""
    return tuple(draw(st.integers(1, max(1, size))) for size in shape)


def shapes(most_entries: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of up to four dimensions, empty ones too."""
    sizes = st.lists(st.integers(0, 12), max_size=4).map(tuple)
    return sizes.filter(lambda shape: int(np.prod(shape)) <= most_entries)
