"""The values of an HDF5 dataset in chunks: libhdf5 says where they lie, and they are decoded outside of it.

What only libhdf5 can decode (szip, nbit, scaleoffset, lzf) is read through it, under a lock. Of the filters that it
needs a plug-in for, those of `PLUG_INS` are decoded here, the same on every machine; no plug-in is ever loaded.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from h5py import h5d, h5i

from vizschema.containers.bytes.sources import Buffer, BufferPool, Buffers, Bytes, OpenFile
from vizschema.containers.bytes.target import Target
from vizschema.containers.codecs.stages import STAGES, Stage, bound_of, run
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.index import Index, Stored, filters_edges, first_astray, read_index
from vizschema.containers.hdf5.opening import CHUNK_CACHE
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, filter_name, numpy_type
from vizschema.containers.hdf5.values import LOCK, Asked, Contiguous, Hdf5Values, Open, Place, read_box
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Damage,
    Piece,
    Reads,
    absent_blocks,
    cells,
    clipped,
    extent_of,
    gap,
    native,
    plain_dtype,
    touches,
)

_LIBRARY = frozenset({"szip", "nbit", "scaleoffset", "lzf"})
PLUG_INS: Mapping[int, str] = {32001: "blosc", 32015: "zstd"}
"""Registered filters whose chunks are frames of a codec that Zarr has too, by its name there."""

_LOOKED_UP = 1 << 20
"""The most chunks that are looked up to be read at once."""


def hdf5_values(opened: Open, name: str, dtype: str, fd: int | None, pool: BufferPool) -> Contiguous | Chunked:
    """The values of a dataset of this canonical dtype; raises `ChunkDamaged` where it cannot be said how they lie."""
    try:
        dataset = opened()
        kind, creation = dataset.get_type(), dataset.get_create_plist()
        stored = numpy_type(kind)
        if stored is None:
            raise ChunkDamaged("undecodable", "they are of no fixed size, or of a type that NumPy lacks", name)
        layout = Chunked if creation.get_layout() == h5d.CHUNKED else Contiguous
        return layout(opened, name, plain_dtype(dtype, stored), Asked(dataset, kind, creation, stored), fd, pool)
    except LIBRARY_ERRORS as error:
        raise ChunkDamaged("undecodable", message(error), name) from None


class Chunked(Hdf5Values):
    """A dataset in chunks, whose index is read once, when the first piece is asked for."""

    def __init__(
        self, opened: Open, name: str, dtype: np.dtype[Any], asked: Asked, fd: int | None, pool: BufferPool
    ) -> None:
        super().__init__(opened, name, dtype, asked, pool)
        self._fd = fd
        self._file = None if fd is None else OpenFile(fd, os.fstat(fd).st_size, owned=False)
        self._index: Index | None = None
        self._sound: bool | None = None
        self._index_lock = threading.Lock()

    def _block_of(self, dataset: Any, creation: Any) -> Place:  # noqa: ARG002
        self.plain = not creation.get_nfilters()
        self._filters = _filters(creation)
        chunk = tuple(creation.get_chunk())
        self._small = math.prod(chunk) * self._item <= CHUNK_CACHE
        self.chunk = chunk if self._small or not self.plain else None  # of a large raw one, rows are read
        return chunk

    def spans(self, box: Box, steps: Sequence[int]) -> Chunked | RawBox:
        """What reads a part of the array: libhdf5 at once, where nothing is to be decoded and every chunk is there."""
        whole = self._small and self.plain and self._fd is not None and all(step == 1 for step in steps)
        return RawBox(self._open, self._name, self.dtype, self._stored, box) if whole and self._found(box) else self

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
        """The pieces that touch a box, in C order."""
        try:
            index = self._stored_chunks()
        except ChunkDamaged:
            yield from self.pieces()
            return
        spans = zip(box, self._block, strict=True)
        if 2 * len(index.cells) < math.prod(-(-end // length) - first // length for (first, end), length in spans):
            yield from (piece for piece in self.pieces() if touches(self.extent(piece), box))
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

    def reads(self, box: Box) -> Reads:
        """Return what reading a box takes: a read per chunk, of a large one without filters only its rows."""
        index, count, size = self._stored_chunks(), 0, 0
        axis = next((axis for axis, length in enumerate(self._block) if length > 1), 0)
        for piece in self.touching(box):
            stored = index.find(piece.index) if piece.count == 1 else None
            if stored is None:
                continue
            length = stored.size
            if self.chunk is None:
                (start, part), (first, end) = self.extent(piece), box[axis]
                rows = min(start[axis] + part[axis], end) - max(start[axis], first)
                length = length // self._block[axis] * rows
            count, size = count + 1, size + length
        return Reads(count, size)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a chunk, or the damage in its place; few blocks for all that were never written."""
        return self.read_into(piece, None)

    def read_into(self, piece: Piece, target: Target | None) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece; with a target, decoded there if they can be."""
        try:
            stored = self._stored_chunks().find(piece.index)
        except ChunkDamaged as damaged:
            yield damaged.at(piece.key)
            return
        if stored is None:
            yield from absent_blocks(piece, self._grid, self._key, self.fill)
            return
        start, part = extent_of(piece.index, self._counts, self._block, self.shape)
        with self._pool.borrowed() as buffers:
            try:
                yield self._decoded(stored, start, part, buffers, target)
            except ChunkDamaged as damaged:
                yield damaged.at(piece.key)

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

    def _found(self, box: Box) -> bool:
        """Whether libhdf5 finds each chunk that a box touches, in its size, in a file as long as it was."""
        near = [(first // length, -(-end // length)) for (first, end), length in zip(box, self._block, strict=True)]
        if math.prod(last - first for first, last in near) > _LOOKED_UP:
            return False
        sides = [np.arange(*ends) for ends in near]
        starts = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(box)) * np.array(self._block)
        try:
            with LOCK:
                dataset = self._open()
                end = h5i.get_file_id(dataset).get_filesize()
                size = math.prod(self._block) * self._item
                if self._sound is None:  # of raw chunks libhdf5 looks up no size
                    self._sound = dataset.get_storage_size() == dataset.get_num_chunks() * size
                astray = first_astray(dataset, starts, repeat(size, len(starts)))
        except LIBRARY_ERRORS:
            return False  # said where the chunks are read one by one
        return self._sound and astray is None and os.fstat(self._fd or 0).st_size >= end

    def _decoded(self, stored: Stored, start: Place, part: Place, buffers: Buffers, target: Target | None) -> Block:
        filtered = self._filters.edges if part != self._block else True
        if filtered is not False and self._filters.unsupported is not None:
            raise ChunkDamaged("undecodable", self._filters.unsupported)
        size = math.prod(self._block) * self._item
        self._check(stored, size)
        stages = [stage for bit, stage in enumerate(self._filters.stages) if filtered and not stored.mask >> bit & 1]
        by_library = filtered is None or (filtered and self._filters.by_library)
        if not stages and not by_library:
            return self._rows(stored, start, part, buffers, target)
        slab = None if target is None else target.slab(start, self._block)
        last = None if slab is None else Buffer(slab)
        if by_library:
            raw = (last or buffers.encoded).sized(math.prod(part) * self._item)
            read_box(self._open, start, part, raw)
            return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)
        raw = run(stages, self._raw(start, stored, buffers.encoded), size, buffers.free, last)
        return self._block_at(start, self._block, raw, stored.size)

    def _rows(self, stored: Stored, start: Place, part: Place, buffers: Buffers, target: Target | None) -> Block:
        """The block of a chunk that no filter changed: along the first axis that it spans, what is asked for."""
        size = math.prod(self._block) * self._item
        if stored.size != size:
            reason: Damage = "truncated" if stored.size < size else "wrong-length"
            raise ChunkDamaged(reason, f"{stored.size} bytes, expected {size}")
        if self._file is None or target is None or not part:
            return self._block_at(start, self._block, self._raw(start, stored, buffers.encoded), size)
        axis = next((axis for axis, length in enumerate(self._block) if length > 1), 0)
        first, end = target.box[axis]
        low, high = max(0, first - start[axis]), min(part[axis], end - start[axis])
        row = size // self._block[axis]
        start = (*start[:axis], start[axis] + low, *start[axis + 1 :])
        block = (*self._block[:axis], max(0, high - low), *self._block[axis + 1 :])
        slab = target.slab(start, block)
        rows = Stored(0, stored.address + low * row, max(0, high - low) * row)
        return self._block_at(
            start, block, self._raw(start, rows, buffers.encoded if slab is None else Buffer(slab)), size
        )

    def _block_at(self, start: Place, block: Place, raw: Bytes, stored_bytes: int) -> Block:
        """The values of `raw` in the shape of a block, as far as they lie within the array."""
        values = native(raw, self.dtype, self._stored).reshape(block)
        part = clipped(start, block, self.shape)
        if part != block:
            values = np.ascontiguousarray(values[tuple(slice(length) for length in part)])
        return Block(start, values, stored_bytes)

    def _check(self, stored: Stored, size: int) -> None:
        if stored.size > bound_of(size):
            raise ChunkDamaged("wrong-length", f"{stored.size} bytes, more than {size} bytes can take in any encoding")
        if self._fd is not None and stored.address + stored.size > os.fstat(self._fd).st_size:
            raise ChunkDamaged(
                "truncated", f"it ends at byte {stored.address + stored.size}, after the end of the file"
            )

    def _raw(self, start: Place, stored: Stored, buffer: Buffer) -> Bytes:
        if self._file is not None:
            return self._file.take(stored.address, stored.size, buffer)
        try:
            with LOCK:
                _, data = self._open().read_direct_chunk(start, out=buffer.sized(stored.size))
        except LIBRARY_ERRORS as error:
            raise ChunkDamaged("undecodable", message(error)) from None
        return np.frombuffer(data, np.uint8)


class RawBox:
    """A `box` of a dataset in raw chunks, as `Values`: one piece, read by libhdf5."""

    plain = True

    def __init__(self, opened: Open, name: str, dtype: np.dtype[Any], stored: np.dtype[Any], box: Box) -> None:
        self._open, self._name, self._stored = opened, name, stored
        self.dtype = dtype
        self._start: Place = tuple(first for first, _ in box)
        self.shape: Place = tuple(end - first for first, end in box)

    def pieces(self) -> Iterator[Piece]:
        """The box."""
        yield Piece(0, self._name, 0, 1)

    def read_into(self, _: Piece, target: Target) -> Iterator[Block | ChunkDamaged]:
        """The box, read where it belongs if its values stay as they are; or the damage in its place."""
        stays = self.dtype == self._stored and self.dtype.kind in "iufc"
        size = target.memory.size * self._stored.itemsize
        raw = target.memory.reshape(-1).view(np.uint8) if stays else np.empty(size, np.uint8)
        try:
            read_box(self._open, self._start, self.shape, raw)
        except ChunkDamaged as damaged:
            yield damaged.at(self._name)
            return
        yield Block(self._start, native(raw, self.dtype, self._stored).reshape(self.shape))


class _Filters(NamedTuple):
    """How to undo the filters of a dataset: stages in the order of writing; whether the library must; why it cannot be.

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
