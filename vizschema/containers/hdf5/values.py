"""The values of an HDF5 dataset: ranges read where they lie in the file; what only libhdf5 can find, through it.

Nothing here holds a dataset open: each takes tens of KiB in libhdf5, and there may be any number of them.
Chunks are in `hdf5_chunks.py`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from h5py import h5d, h5s, h5t

from vizschema.containers.bytes.sources import OpenFile, Room, Rooms
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.types import LIBRARY_ERRORS
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Grid,
    Piece,
    absent_blocks,
    box_around,
    cells,
    clipped,
    grid_of,
    native,
    place_of,
)

LOCK = threading.Lock()
"""Held while libhdf5 is asked, so that no thread of a scan waits in it for another one."""

Place = tuple[int, ...]
Open = Callable[[], Any]
"""The dataset, opened again where it was closed meanwhile; raises one of `LIBRARY_ERRORS`."""


class Hdf5Values:
    """What both layouts share: the grid of pieces, the fill value, and reading through the library.

    `name` is what to call the dataset, `fd` the descriptor of its file where positions in it are those of libhdf5.
    """

    def __init__(self, opened: Open, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        dataset = opened()
        self._open = opened
        self._name = name
        self._fd = fd
        self._rooms = rooms
        self.dtype = dtype
        self.shape: Place = tuple(dataset.shape)
        kind, creation = dataset.get_type(), dataset.get_create_plist()
        self._stored = _byte_order(kind, dtype)
        self._item = int(kind.get_size())
        self.fill = _fill(creation, kind, dtype, self._stored)
        self._block = self._block_of(dataset, creation)
        self._grid = Grid(self.shape, self._block, self._block)
        self._counts = self._grid.counts

    def _block_of(self, dataset: Any, creation: Any) -> Place:
        raise NotImplementedError

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:
        raise NotImplementedError

    def extent(self, piece: Piece) -> tuple[Place, Place]:
        """The index of the first entry of a piece, and the shape of what it holds; of a gap, of a box around it."""
        return box_around(piece, self._grid)

    def _read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a piece that was written, or the damage in its place; its buffer is in use until the next."""
        start = tuple(at * length for at, length in zip(place_of(piece.index, self._counts), self._block, strict=True))
        with self._rooms.borrowed() as room:
            try:
                yield self._values(piece, start, clipped(start, self._block, self.shape), room)
            except ChunkDamaged as damaged:
                yield damaged.at(piece.key)

    def _key(self, index: int) -> str:
        return f"{self._name}[{', '.join(map(str, place_of(index, self._counts)))}]"

    def _by_library(self, start: Place, part: Place, room: Room) -> Block:
        """A block read by libhdf5, in the type of the file, so that nothing is converted."""
        raw = room.encoded.sized(math.prod(part) * self._item)
        try:
            with LOCK:
                dataset = self._open()
                space = dataset.get_space()
                if part:
                    space.select_hyperslab(start, part)
                target = raw.view(np.dtype((np.void, self._item))).reshape(part)
                memory = h5s.create_simple(part) if part else h5s.create(h5s.SCALAR)
                dataset.read(memory, space, target, dataset.get_type())
        except LIBRARY_ERRORS as error:
            raise ChunkDamaged("undecodable", message(error)) from None
        return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)


class Contiguous(Hdf5Values):
    """A dataset without chunks, in row ranges read at their offset; compact ones, and odd files, by the library.

    One that nothing was ever written to is one cell, which is absent.
    """

    def __init__(self, opened: Open, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        super().__init__(opened, name, dtype, fd, rooms)
        offset = opened().get_offset()
        self._source = None
        if fd is not None and offset is not None:
            size = max(0, min(os.fstat(fd).st_size - offset, math.prod(self.shape) * self._item))
            self._source = OpenFile(fd, size, offset, owned=False)

    def ranged(self, most: int) -> Contiguous:
        """The same values in ranges of at most `most` bytes; nothing else of what was never written."""
        if not self._written:
            return self
        finer = copy(self)
        finer._block = grid_of(self.shape, self._item, most)
        finer._grid = Grid(self.shape, finer._block, finer._block)
        finer._counts = finer._grid.counts
        return finer

    def _block_of(self, dataset: Any, creation: Any) -> Place:
        compact = creation.get_layout() == h5d.COMPACT
        self._written = compact or dataset.get_space_status() != h5d.SPACE_STATUS_NOT_ALLOCATED
        return grid_of(self.shape, self._item) if self._written else self.shape

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in C order."""
        return map(self._piece, range(math.prod(self._counts)))

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in C order."""
        return map(self._piece, cells(box, self._counts, self._block))

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a piece, or the damage in its place."""
        if self._written:
            yield from self._read(piece)
        else:
            yield from absent_blocks(piece, self._grid, self._key, self.fill)

    def _piece(self, index: int) -> Piece:
        decoded = math.prod(self._block) * self._item if self._written else 0
        return Piece(index, self._key(index), decoded, int(index == 0))

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:  # noqa: ARG002
        if self._source is None:
            return self._by_library(start, part, room)
        first = 0
        for at, size in zip(start, self.shape, strict=True):
            first = first * size + at
        raw = self._source.take(first * self._item, math.prod(part) * self._item, room.encoded)
        return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)


def _byte_order(kind: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """How an item lies in the file."""
    if kind.get_class() == h5t.COMPOUND:
        kind = kind.get_member_type(0)
    elif kind.get_class() not in (h5t.INTEGER, h5t.FLOAT):
        kind = kind.get_super()
    return dtype.newbyteorder(">") if kind.get_order() == h5t.ORDER_BE else dtype


def _fill(creation: Any, kind: Any, dtype: np.dtype[Any], stored: np.dtype[Any]) -> npt.NDArray[Any]:
    """The fill value in no dimensions; 0 where none was set."""
    raw = np.zeros(int(kind.get_size()), np.uint8)
    if creation.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        value = np.zeros((), kind.dtype)
        creation.get_fill_value(value)
        raw = np.frombuffer(value.tobytes(), np.uint8)
    return native(raw, dtype, stored).reshape(())
