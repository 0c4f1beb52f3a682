"""The values of an HDF5 dataset in chunks: libhdf5 says where they lie, and they are decoded outside of it.

What only libhdf5 can decode (szip, nbit, scaleoffset, lzf) is read through it, under a lock. Of the filters that it
needs a plug-in for, those of `PLUG_INS` are decoded here, the same on every machine; no plug-in is ever loaded.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from operator import floordiv, mul
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from h5py import h5i

from vizschema.containers.bytes.sources import Buffer, BufferPool, Buffers, Bytes, OpenFile
from vizschema.containers.bytes.target import Target
from vizschema.containers.codecs.stages import STAGES, Stage, bound_of, run
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.index import ANYWHERE, Index, Stored, filters_edges, read_index, sizes_of
from vizschema.containers.hdf5.nodes import Layout
from vizschema.containers.hdf5.opening import CHUNK_CACHE
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, filter_name, numpy_type
from vizschema.containers.hdf5.values import LOCK, Contiguous, Hdf5Values, Open, Place, read_box
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
    gap,
    native,
    place_of,
    touches,
)

_LIBRARY = frozenset({"szip", "nbit", "scaleoffset", "lzf"})
PLUG_INS: Mapping[int, str] = {32001: "blosc", 32015: "zstd"}
"""Registered filters whose chunks are frames of a codec that Zarr has too, by its name there."""

_LOOKED_UP = 1 << 20
"""The most chunks that are looked up to be read at once."""

_TOGETHER = 1 << 20
"""Decoded bytes of chunks that were looked up, which one thread reads in a row."""

_FEW = 4096
"""The most chunks that are looked up to be decoded one by one."""


def hdf5_values(opened: Open, name: str, layout: Layout, fd: int | None, pool: BufferPool) -> Contiguous | Chunked:
    """The values of a dataset of this layout; raises `ChunkDamaged` where it cannot be said how they lie."""
    try:
        stored = numpy_type(layout.kind)
        if stored is None:
            raise ChunkDamaged("undecodable", "they are of no fixed size, or of a type that NumPy lacks", name)
        return (Contiguous if layout.chunks is None else Chunked)(opened, name, layout, stored, fd, pool)
    except LIBRARY_ERRORS as error:
        raise ChunkDamaged("undecodable", message(error), name) from None


class Chunked(Hdf5Values):
    """A dataset in chunks, whose index is read once, when the first piece is asked for."""

    def __init__(
        self, opened: Open, name: str, layout: Layout, stored: np.dtype[Any], fd: int | None, pool: BufferPool
    ) -> None:
        super().__init__(opened, name, layout, stored, pool)
        self._fd = fd
        self._file = None if fd is None else OpenFile(fd, os.fstat(fd).st_size, owned=False)
        self._index: Index | None = None
        self._end: float | None = None
        self._index_lock = threading.Lock()

    def _block_of(self, layout: Layout) -> Place:
        self.plain = not layout.creation.get_nfilters()
        self._filters = _filters(layout.creation)
        chunk = tuple(layout.chunks or ())
        self._size = math.prod(chunk) * self._item
        self._small = self._size <= CHUNK_CACHE
        self.chunk = chunk if self._small or not self.plain else None  # of a large raw one, rows are read
        return chunk

    def spans(self, box: Box, steps: Sequence[int]) -> Chunked | RawBox | LookedUp:
        """What reads a part of the array: chunks that are all there without the index; raw ones by libhdf5 at once."""
        raw = self.plain and self._small
        if self._fd is None or (self.plain and not self._small) or (raw and any(step != 1 for step in steps)):
            return self
        low = [first // length for (first, _), length in zip(box, self._block, strict=True)]
        many = [-(-end // length) - at for (_, end), length, at in zip(box, self._block, low, strict=True)]
        count = math.prod(many)
        if count > (_LOOKED_UP if raw else _FEW):
            return self
        starts = (np.indices(many, np.int64).reshape(len(many), count).T + np.array(low)) * np.array(self._block)
        sizes = self._found(starts)
        if sizes is None:
            return self
        if raw:
            return RawBox(self._open, self._name, self.dtype, self._stored, box)
        chunks = list(zip(map(tuple, starts.tolist()), sizes.tolist(), strict=True))
        return LookedUp(self, self._pool, self._size, chunks)

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
        start = tuple(map(mul, place_of(piece.index, self._counts), self._block))
        with self._pool.borrowed() as buffers:
            yield self.chunk_at(start, stored, buffers, target)

    def chunk_at(self, start: Place, stored: Stored, buffers: Buffers, target: Target | None) -> Block | ChunkDamaged:
        """The block of a chunk whose first entry is at `start`, or the damage in its place."""
        try:
            return self._decoded(stored, start, clipped(start, self._block, self.shape), buffers, target)
        except ChunkDamaged as damaged:
            return damaged.at(self._named(tuple(map(floordiv, start, self._block))))

    def _piece(self, cell: int) -> Piece:
        return Piece(cell, self._key(cell), self._size, 1)

    def _stored_chunks(self) -> Index:
        with self._index_lock:
            if self._index is None:
                try:
                    with LOCK:
                        self._index = read_index(self._open(), self._block, self._counts)
                except LIBRARY_ERRORS as error:
                    raise ChunkDamaged("undecodable", f"the index of its chunks: {message(error)}") from None
            return self._index

    def _found(self, starts: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """The sizes of the chunks that begin at `starts` [chunk, axis], as libhdf5 looks them up.

        None unless each is there, and the file as long as it was.
        """
        try:
            with LOCK:
                dataset = self._open()
                if self._end is None:
                    size = self._size if self.plain else 0  # of raw chunks libhdf5 looks up no size
                    stored = dataset.get_storage_size() if size else 0
                    sound = stored == math.prod(self._counts) * size or stored == dataset.get_num_chunks() * size
                    self._end = h5i.get_file_id(dataset).get_filesize() if sound else math.inf
                sizes = sizes_of(dataset, starts)
        except LIBRARY_ERRORS:
            return None  # said where the chunks are read one by one
        whole = sizes is not None and sizes.all() and os.fstat(self._fd or 0).st_size >= self._end
        return sizes if whole else None

    def _decoded(self, stored: Stored, start: Place, part: Place, buffers: Buffers, target: Target | None) -> Block:
        filters = self._filters
        filtered = filters.edges if part != self._block else True
        if filtered is not False and filters.unsupported is not None:
            raise ChunkDamaged("undecodable", filters.unsupported)
        self._check(stored)
        by_library = filtered is None or (filtered and filters.by_library)
        if not by_library and (self.plain or not filtered):
            return self._rows(stored, start, part, buffers, target)
        slab = None if target is None else target.slab(start, self._block)
        last = None if slab is None else Buffer(slab)
        if by_library:
            raw = (last or buffers.encoded).sized(math.prod(part) * self._item)
            read_box(self._open, start, part, raw)
            return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)
        mask, raw = self._raw(start, stored, buffers.encoded)
        stages = [stage for bit, stage in enumerate(filters.stages) if not mask >> bit & 1]
        values = native(run(stages, raw, self._size, buffers.free, last), self.dtype, self._stored).reshape(self._block)
        return Block(start, _cut(values, part), stored.size)

    def _rows(self, stored: Stored, start: Place, part: Place, buffers: Buffers, target: Target | None) -> Block:
        """The block of a chunk that no filter changed: along the first axis that it spans, what is asked for."""
        if stored.size != self._size:
            reason: Damage = "truncated" if stored.size < self._size else "wrong-length"
            raise ChunkDamaged(reason, f"{stored.size} bytes, expected {self._size}")
        if self._file is None or stored.address == ANYWHERE or target is None or not part:
            return self._block_at(start, self._block, self._raw(start, stored, buffers.encoded)[1], self._size)
        axis = next((axis for axis, length in enumerate(self._block) if length > 1), 0)
        first, end = target.box[axis]
        low, high = max(0, first - start[axis]), min(part[axis], end - start[axis])
        row = self._size // self._block[axis]
        start = (*start[:axis], start[axis] + low, *start[axis + 1 :])
        block = (*self._block[:axis], max(0, high - low), *self._block[axis + 1 :])
        slab = target.slab(start, block)
        buffer = buffers.encoded if slab is None else Buffer(slab)
        raw = self._file.take(stored.address + low * row, max(0, high - low) * row, buffer)
        return self._block_at(start, block, raw, self._size)

    def _block_at(self, start: Place, block: Place, raw: Bytes, stored_bytes: int) -> Block:
        """The values of `raw` in the shape of a block, as far as they lie within the array."""
        values = native(raw, self.dtype, self._stored).reshape(block)
        return Block(start, _cut(values, clipped(start, block, self.shape)), stored_bytes)

    def _check(self, stored: Stored) -> None:
        if stored.size > bound_of(self._size):
            words = f"{stored.size} bytes, more than {self._size} bytes can take in any encoding"
            raise ChunkDamaged("wrong-length", words)
        end = stored.address + stored.size
        if self._file is not None and stored.address != ANYWHERE and end > self._file.size:
            raise ChunkDamaged("truncated", f"it ends at byte {end}, after the end of the file")

    def _raw(self, start: Place, stored: Stored, buffer: Buffer) -> tuple[int, Bytes]:
        """The filters that were left out of a chunk (bits), and its bytes."""
        if self._file is not None and stored.address != ANYWHERE:
            return stored.mask, self._file.take(stored.address, stored.size, buffer)
        try:
            with LOCK:
                mask, data = self._open().read_direct_chunk(start, out=buffer.sized(stored.size))
        except LIBRARY_ERRORS as error:
            raise ChunkDamaged("undecodable", message(error)) from None
        return mask, np.frombuffer(data, np.uint8)


class LookedUp:
    """Chunks of a dataset that are all there, as `Values`: the first entry and the stored size of each."""

    plain = False

    def __init__(self, whole: Chunked, pool: BufferPool, size: int, chunks: Sequence[tuple[Place, int]]) -> None:
        self.dtype, self.shape = whole.dtype, whole.shape
        self._whole, self._pool, self._size, self._chunks = whole, pool, size, chunks
        self._many = max(1, _TOGETHER // max(1, size))

    def pieces(self) -> Iterator[Piece]:
        """Every chunk once, in C order."""
        for first in range(0, len(self._chunks), self._many):
            yield Piece(first, "", self._size, min(self._many, len(self._chunks) - first))

    def read_into(self, piece: Piece, target: Target) -> Iterator[Block | ChunkDamaged]:
        """The blocks of the chunks of a piece that belong to the target, or the damage in their place."""
        sparse, block = target.sparse, self._whole.chunk or ()
        with self._pool.borrowed() as buffers:
            for start, size in self._chunks[piece.index : piece.index + piece.chunks]:
                if not sparse or target.meets(start, block):
                    yield self._whole.chunk_at(start, Stored(0, ANYWHERE, size), buffers, target)


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


def _cut(values: npt.NDArray[Any], part: Place) -> npt.NDArray[Any]:
    """The values of a block as far as they lie within the array."""
    return values if values.shape == part else np.ascontiguousarray(values[tuple(map(slice, part))])


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
