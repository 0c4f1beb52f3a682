"""The values of an HDF5 dataset in chunks: libhdf5 says where they lie, and they are decoded outside of it.

What only libhdf5 can decode (szip, nbit, scaleoffset, lzf) is read through it, under a lock. Of the filters that it
needs a plug-in for, those of `PLUG_INS` are decoded here, the same on every machine; no plug-in is ever loaded.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from h5py import h5d

from vizschema.containers.bytes.sources import Bytes, OpenFile, Room, Rooms
from vizschema.containers.codecs.stages import Stage, bound_of, run
from vizschema.containers.codecs.table import STAGES
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.index import Index, Stored, filters_edges, read_index
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, filter_name
from vizschema.containers.hdf5.values import LOCK, Contiguous, Hdf5Values, Open, Place
from vizschema.containers.values import Block, Box, ChunkDamaged, Piece, absent_blocks, cells, gap, native

_LIBRARY = frozenset({"szip", "nbit", "scaleoffset", "lzf"})
PLUG_INS: Mapping[int, str] = {32001: "blosc", 32015: "zstd"}
"""Registered filters whose chunks are frames of a codec that Zarr has too, by its name there."""


def hdf5_values(opened: Open, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> Contiguous | Chunked:
    """The values of a dataset; raises `ChunkDamaged` where the library cannot say how it is stored."""
    try:
        chunked = opened().get_create_plist().get_layout() == h5d.CHUNKED
        return (Chunked if chunked else Contiguous)(opened, name, dtype, fd, rooms)
    except LIBRARY_ERRORS as error:
        raise ChunkDamaged("undecodable", message(error), name) from None


class Chunked(Hdf5Values):
    """A dataset in chunks, whose index is read once, when the first piece is asked for."""

    def __init__(self, opened: Open, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        super().__init__(opened, name, dtype, fd, rooms)
        self._filters = _filters(opened().get_create_plist())
        self._index: Index | None = None
        self._index_lock = threading.Lock()

    def _block_of(self, dataset: Any, creation: Any) -> Place:  # noqa: ARG002
        return tuple(creation.get_chunk())

    def pieces(self) -> Iterator[Piece]:
        """Every chunk that was written once, in C order, and what lies between them; without an index, one piece."""
        try:
            index = self._stored_chunks()
        except ChunkDamaged:
            yield Piece(0, self._key(0), 0, 1, math.prod(self._counts))
            return
        at = 0
        for cell in index.cells:
            if at < cell:
                yield gap(at, cell, self._grid, self._key)
            yield self._piece(cell)
            at = cell + 1
        if at < math.prod(self._counts):
            yield gap(at, math.prod(self._counts), self._grid, self._key)

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in C order, and where all are few, some beside it."""
        try:
            index = self._stored_chunks()
        except ChunkDamaged:
            yield from self.pieces()
            return
        spans = zip(box, self._block, strict=True)
        if 2 * len(index.cells) < math.prod(-(-end // length) - first // length for (first, end), length in spans):
            yield from self.pieces()
            return
        at = 0
        for cell in cells(box, self._counts, self._block):
            if cell < at:
                continue
            if index.find(cell) is not None:
                yield self._piece(cell)
                continue
            first, at = index.gap(cell)
            yield gap(first, at, self._grid, self._key)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a chunk, or the damage in its place; few blocks for all that were never written."""
        try:
            written = self._stored_chunks().find(piece.index) is not None
        except ChunkDamaged as damaged:
            yield damaged.at(piece.key)
            return
        if written:
            yield from self._read(piece)
        else:
            yield from absent_blocks(piece, self._grid, self._key, self.fill)

    def _piece(self, cell: int) -> Piece:
        return Piece(cell, self._key(cell), math.prod(self._block) * self._item, 1)

    def _stored_chunks(self) -> Index:
        with self._index_lock:
            if self._index is None:
                try:
                    with LOCK:
                        self._index = read_index(self._open(), self._block, self._counts)
                except LIBRARY_ERRORS as error:
                    raise ChunkDamaged("undecodable", f"the index of its chunks: {message(error)}") from None
            return self._index

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:
        stored = self._stored_chunks().find(piece.index)
        assert stored is not None  # asked by `read`  # noqa: S101
        filtered = self._filters.edges if part != self._block else True
        if filtered is not False and self._filters.unsupported is not None:
            raise ChunkDamaged("undecodable", self._filters.unsupported)
        size = math.prod(self._block) * self._item
        self._check(stored, size)
        if filtered is None or (filtered and self._filters.by_library):
            return self._by_library(start, part, room)
        raw = self._raw(start, stored, room)
        stages = [stage for bit, stage in enumerate(self._filters.stages) if filtered and not stored.mask >> bit & 1]
        if stages:
            raw = run(stages, raw, size, room.free)
        elif raw.size != size:
            raise ChunkDamaged("truncated" if raw.size < size else "wrong-length", f"{raw.size} bytes, expected {size}")
        values = native(raw, self.dtype, self._stored).reshape(self._block)
        if part != self._block:
            values = values[tuple(slice(length) for length in part)]
        return Block(start, np.ascontiguousarray(values), stored.size)

    def _check(self, stored: Stored, size: int) -> None:
        if stored.size > bound_of(size):
            raise ChunkDamaged("wrong-length", f"{stored.size} bytes, more than {size} bytes can take in any encoding")
        if self._fd is not None and stored.address + stored.size > os.fstat(self._fd).st_size:
            raise ChunkDamaged(
                "truncated", f"it ends at byte {stored.address + stored.size}, after the end of the file"
            )

    def _raw(self, start: Place, stored: Stored, room: Room) -> Bytes:
        if self._fd is not None:
            return OpenFile(self._fd, stored.size, stored.address, owned=False).take(0, stored.size, room.encoded)
        try:
            with LOCK:
                _, data = self._open().read_direct_chunk(start, out=room.encoded.sized(stored.size))
        except LIBRARY_ERRORS as error:
            raise ChunkDamaged("undecodable", message(error)) from None
        return np.frombuffer(data, np.uint8)


class _Filters(NamedTuple):
    """How to undo the filters of a dataset: stages in the order of writing; that the library must; why nobody can.

    `edges` is whether they hold for chunks that reach over an edge of the shape, None where libhdf5 cannot be asked.
    """

    stages: list[Stage]
    by_library: bool
    unsupported: str | None
    edges: bool | None


def _filters(creation: Any) -> _Filters:
    """How to undo the filters that a creation property list names."""
    stages: list[Stage] = []
    by_library = False
    edges = filters_edges(creation) if creation.get_nfilters() else True
    for position in range(creation.get_nfilters()):
        number, _, numbers, _ = creation.get_filter(position)
        name = filter_name(number)
        if name == "deflate":
            stages.append(STAGES["zlib"]({}))
        elif name == "shuffle" and numbers and 0 < numbers[0] <= 1 << 16:
            stages.append(STAGES["shuffle"]({"elementsize": int(numbers[0])}))
        elif name == "fletcher32":
            stages.append(STAGES["fletcher32"]({}))
        elif name in _LIBRARY:
            by_library = True
        elif number in PLUG_INS:
            stages.append(STAGES[PLUG_INS[number]]({}))
        else:
            return _Filters([], False, f"codec {name} is not part of a plain installation", edges)
    return _Filters(stages, by_library, None, edges)
