"""The values of an HDF5 dataset: ranges read where they lie in the file; what only libhdf5 can find, through it.

Nothing here holds a dataset open: each takes tens of KiB in libhdf5, and there may be any number of them.
Chunks are in `hdf5_chunks.py`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from h5py import h5d, h5s

from vizschema.containers.bytes.sources import Buffer, BufferPool, Bytes, OpenFile
from vizschema.containers.bytes.spans import Spans
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.nodes import Layout
from vizschema.containers.hdf5.types import LIBRARY_ERRORS
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Grid,
    Piece,
    Reads,
    absent_blocks,
    box_around,
    boxes,
    cells,
    grid_of,
    native,
    number_of,
    place_of,
    plain_dtype,
)

LOCK = threading.Lock()
"""Held while libhdf5 is asked, so that no thread of a scan waits in it for another one."""

Place = tuple[int, ...]
Open = Callable[[], Any]
"""The dataset, opened again where it was closed meanwhile; raises one of `LIBRARY_ERRORS`."""


class Hdf5Values:
    """What both layouts share: the grid of pieces, and the fill value.

    `name` is what to call the dataset; `fd`, of both, the descriptor of its file where positions are those of libhdf5.
    """

    def __init__(self, opened: Open, name: str, layout: Layout, stored: np.dtype[Any], pool: BufferPool) -> None:
        self._open = opened
        self._name = name
        self._pool = pool
        self.dtype = plain_dtype(layout.dtype, stored)
        self.shape: Place = tuple(layout.shape)
        self._stored = stored
        self._item = int(layout.item_bytes)
        self.fill = _fill(layout, self.dtype, stored)
        self._block = self._block_of(layout)
        self._grid = Grid(self.shape, self._block, self._block)
        self._counts = self._grid.counts

    def _block_of(self, layout: Layout) -> Place:
        raise NotImplementedError

    def extent(self, piece: Piece) -> tuple[Place, Place]:
        """The index of the first entry of a piece, and the shape of what it holds; of a gap, of a box around it."""
        return box_around(piece, self._grid)

    def _key(self, index: int) -> str:
        return self._named(place_of(index, self._counts))

    def _named(self, place: Place) -> str:
        return f"{self._name}[{', '.join(map(str, place))}]"


def read_box(opened: Open, start: Place, part: Place, raw: Bytes) -> None:
    """Have libhdf5 read a box into `raw`, in the type of the file: nothing is converted; raises `ChunkDamaged`."""
    try:
        with LOCK:
            dataset = opened()
            kind, space = dataset.get_type(), dataset.get_space()
            if part:
                space.select_hyperslab(start, part)
            memory = h5s.create_simple(part) if part else h5s.create(h5s.SCALAR)
            dataset.read(memory, space, raw.view(np.dtype((np.void, kind.get_size()))).reshape(part), kind)
    except LIBRARY_ERRORS as error:
        raise ChunkDamaged("undecodable", message(error)) from None


class _ByLibrary:
    """The bytes of an array of `shape`, whose boxes libhdf5 reads, in ranges as a `Source` gives them."""

    def __init__(self, opened: Open, shape: Place, item: int) -> None:
        self._open, self._shape, self._item = opened, shape, item

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`, read into `buffer`."""
        raw = buffer.sized(length)
        at = 0
        for first, part in boxes(start // self._item, (start + length) // self._item, self._shape):
            size = math.prod(part) * self._item
            read_box(self._open, first, part, raw[at : at + size])
            at += size
        return raw


class Contiguous(Hdf5Values):
    """A dataset without chunks, in row ranges read at their offset; compact ones, and odd files, by the library.

    One that nothing was ever written to is one cell, which is absent.
    """

    def __init__(
        self, opened: Open, name: str, layout: Layout, stored: np.dtype[Any], fd: int | None, pool: BufferPool
    ) -> None:
        super().__init__(opened, name, layout, stored, pool)
        offset = opened().get_offset()
        size = math.prod(self.shape) * self._item
        self._source: OpenFile | _ByLibrary = _ByLibrary(opened, self.shape, self._item)
        if fd is not None and offset is not None:
            self._source = OpenFile(fd, max(0, min(os.fstat(fd).st_size - offset, size)), offset, owned=False)

    def spans(self, box: Box, steps: Sequence[int]) -> Contiguous | Spans:
        """What reads a part of the array; nothing else of what was never written."""
        if not self._written:
            return self
        take, name = self._source.take, self._name
        return Spans(take, name, self.dtype, self._stored, self.shape, box, steps, self._pool, at_once=True)

    def reads(self, box: Box) -> Reads:
        """Return what reading a box takes; nothing if no value was ever written."""
        spans = self.spans(box, [1] * len(box))
        return spans.reads() if isinstance(spans, Spans) else Reads(0, 0)

    def _block_of(self, layout: Layout) -> Place:
        compact = layout.creation.get_layout() == h5d.COMPACT
        self._written = compact or self._open().get_space_status() != h5d.SPACE_STATUS_NOT_ALLOCATED
        return grid_of(self.shape, self._item) if self._written else self.shape

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in C order."""
        return map(self._piece, range(math.prod(self._counts)))

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in C order."""
        return map(self._piece, cells(box, self._counts, self._block))

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a piece, or the damage in its place."""
        if not self._written:
            yield from absent_blocks(piece, self._grid, self._key, self.fill)
            return
        start, part = self.extent(piece)
        with self._pool.borrowed() as buffers:
            try:
                first = number_of(start, self.shape)
                raw = self._source.take(first * self._item, math.prod(part) * self._item, buffers.encoded)
            except ChunkDamaged as damaged:
                yield damaged.at(piece.key)
                return
            yield Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)

    def _piece(self, index: int) -> Piece:
        decoded = math.prod(self._block) * self._item if self._written else 0
        return Piece(index, self._key(index), decoded, int(index == 0))


def _fill(layout: Layout, dtype: np.dtype[Any], stored: np.dtype[Any]) -> npt.NDArray[Any]:
    """The fill value in no dimensions; 0 where none was set."""
    if layout.creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return np.zeros((), dtype)
    value = np.zeros((), layout.kind.dtype)
    layout.creation.get_fill_value(value)
    return native(np.frombuffer(value.tobytes(), np.uint8), dtype, stored).reshape(())
