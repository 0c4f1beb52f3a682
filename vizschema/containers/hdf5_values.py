"""The values of an HDF5 dataset: chunks and ranges read where they lie in the file, and decoded outside of libhdf5.

What only libhdf5 can decode (szip, nbit, scaleoffset, lzf) or find (in files of other drivers, or with a user block),
and what is compact, is read through it, under a lock. Of the filters that libhdf5 needs a plug-in for, those of
`PLUG_INS` are decoded here, the same on every machine; no plug-in is ever loaded.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from h5py import h5d, h5p, h5s, h5t

from vizschema.containers.codecs import STAGES
from vizschema.containers.hdf5_attributes import message
from vizschema.containers.hdf5_types import LIBRARY_ERRORS, filter_name
from vizschema.containers.sources import Bytes, OpenFile, Room, Rooms, Undecoded
from vizschema.containers.stages import Stage, bound_of, run
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

_LIBRARY = frozenset({"szip", "nbit", "scaleoffset", "lzf"})
PLUG_INS: Mapping[int, str] = {32001: "blosc", 32015: "zstd"}
"""Registered filters whose chunks are frames of a codec that Zarr has too, by its name there."""

_DONT_FILTER_PARTIAL_CHUNKS = 2
"""`H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS`: chunks that reach over an edge of the shape are stored without any filter."""

_LOCK = threading.Lock()

Place = tuple[int, ...]


class Stored(NamedTuple):
    """One chunk in the file: the filters that were left out of it (bits), its address and its size in bytes."""

    mask: int
    address: int
    size: int


class _Filters(NamedTuple):
    """How to undo the filters of a dataset: stages in the order of writing; that the library must; why nobody can.

    `edges` is whether they hold for chunks that reach over an edge of the shape, None where libhdf5 cannot be asked.
    """

    stages: list[Stage]
    by_library: bool
    foreign: str | None
    edges: bool | None


def hdf5_values(dataset: Any, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> Hdf5Values:
    """The values of an open dataset; `name` is what to call it, `fd` the handle of its file where there is a plain one.

    Raises `ChunkDamaged` where the library cannot say how it is stored.
    """
    try:
        creation = dataset.get_create_plist()
        if creation.get_layout() == h5d.CHUNKED:
            return _Chunked(dataset, name, dtype, fd, rooms)
        return _Contiguous(dataset, name, dtype, fd, rooms)
    except LIBRARY_ERRORS as error:
        raise ChunkDamaged(name, "undecodable", message(error)) from None


class Hdf5Values:
    """What both layouts share: the grid of pieces, the fill value, and reading through the library."""

    def __init__(self, dataset: Any, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        self._dataset = dataset
        self._name = name
        self._fd = fd
        self._rooms = rooms
        self.dtype = dtype
        self.shape: Place = tuple(dataset.shape)
        kind = dataset.get_type()
        self._stored = _byte_order(kind, dtype)
        self._item = int(kind.get_size())
        self.fill = _fill(dataset.get_create_plist(), kind, dtype, self._stored)
        self._block = self._grid()
        self._cells = Grid(self.shape, self._block, self._block)
        self._counts = self._cells.counts

    def _grid(self) -> Place:
        raise NotImplementedError

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:
        raise NotImplementedError

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in C order."""
        return map(self._piece, range(math.prod(self._counts)))

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in C order."""
        return map(self._piece, cells(box, self._counts, self._block))

    def extent(self, piece: Piece) -> tuple[Place, Place]:
        """The index of the first entry of a piece, and the shape of what it holds; of a gap, of a box around it."""
        return box_around(piece, self._cells)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The block of a piece, or the damage in its place."""
        place = place_of(piece.index, self._counts)
        start = tuple(at * length for at, length in zip(place, self._block, strict=True))
        with self._rooms.borrowed() as room:
            try:
                yield self._values(piece, start, clipped(start, self._block, self.shape), room)
            except Undecoded as problem:
                yield ChunkDamaged(piece.key, problem.reason, problem.detail)

    def _piece(self, index: int) -> Piece:
        return Piece(index, self._key(index), math.prod(self._block) * self._item, self._chunks(index))

    def _key(self, index: int) -> str:
        return f"{self._name}[{', '.join(map(str, place_of(index, self._counts)))}]"

    def _chunks(self, index: int) -> int:  # noqa: ARG002  (a dataset without chunks counts as one)
        return 1

    def _absent(self, piece: Piece) -> Block:
        return next(absent_blocks(piece, self._cells, self._key, self.fill))

    def _by_library(self, start: Place, part: Place, room: Room) -> Block:
        """A block read by libhdf5, in the type of the file, so that nothing is converted."""
        raw = room.encoded.sized(math.prod(part) * self._item)
        try:
            with _LOCK:
                space = self._dataset.get_space()
                if part:
                    space.select_hyperslab(start, part)
                target = raw.view(np.dtype((np.void, self._item))).reshape(part)
                memory = h5s.create_simple(part) if part else h5s.create(h5s.SCALAR)
                self._dataset.read(memory, space, target, self._dataset.get_type())
        except LIBRARY_ERRORS as error:
            raise Undecoded("undecodable", message(error)) from None
        return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)


class _Contiguous(Hdf5Values):
    """A dataset without chunks, in row ranges read at their offset; compact ones, and odd files, by the library."""

    def __init__(self, dataset: Any, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        creation = dataset.get_create_plist()
        self._offset: int | None = dataset.get_offset()
        self._compact = creation.get_layout() == h5d.COMPACT
        self._source = None
        super().__init__(dataset, name, dtype, fd, rooms)
        self._written = self._compact or dataset.get_space_status() != h5d.SPACE_STATUS_NOT_ALLOCATED
        if fd is not None and self._offset is not None:
            size = max(0, min(os.fstat(fd).st_size - self._offset, math.prod(self.shape) * self._item))
            self._source = OpenFile(fd, size, self._offset, owned=False)

    def ranged(self, most: int) -> _Contiguous:
        """The same values in ranges of at most `most` bytes."""
        finer = copy(self)
        finer._block = grid_of(self.shape, self._item, most)
        finer._cells = Grid(self.shape, finer._block, finer._block)
        finer._counts = finer._cells.counts
        return finer

    def _grid(self) -> Place:
        return grid_of(self.shape, self._item)

    def _chunks(self, index: int) -> int:
        return int(index == 0)

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:
        if not self._written:
            return self._absent(piece)
        if self._source is None:
            return self._by_library(start, part, room)
        first = 0
        for at, size in zip(start, self.shape, strict=True):
            first = first * size + at
        raw = self._source.take(first * self._item, math.prod(part) * self._item, room.encoded)
        return Block(start, native(raw, self.dtype, self._stored).reshape(part), raw.size)


class _Chunked(Hdf5Values):
    """A dataset in chunks, whose index is read once, when the first piece is asked for."""

    def __init__(self, dataset: Any, name: str, dtype: np.dtype[Any], fd: int | None, rooms: Rooms) -> None:
        super().__init__(dataset, name, dtype, fd, rooms)
        self._filters = _filters(dataset.get_create_plist())
        self._index: dict[Place, Stored] | None = None
        self._index_lock = threading.Lock()

    def _grid(self) -> Place:
        return tuple(self._dataset.get_create_plist().get_chunk())

    def _stored_chunks(self) -> dict[Place, Stored]:
        with self._index_lock:
            if self._index is None:
                index: dict[Place, Stored] = {}

                def collect(info: Any) -> None:
                    index[tuple(info.chunk_offset)] = Stored(info.filter_mask, info.byte_offset, info.size)

                try:
                    with _LOCK:
                        if math.prod(self.shape):
                            self._dataset.chunk_iter(collect)
                except LIBRARY_ERRORS as error:
                    raise Undecoded("undecodable", f"the index of its chunks: {message(error)}") from None
                self._index = index
            return self._index

    def _values(self, piece: Piece, start: Place, part: Place, room: Room) -> Block:
        stored = self._stored_chunks().get(start)
        if stored is None:
            return self._absent(piece)
        filtered = self._filters.edges if part != self._block else True
        if filtered is not False and self._filters.foreign is not None:
            raise Undecoded("undecodable", self._filters.foreign)
        size = math.prod(self._block) * self._item
        self._check(stored, size)
        if filtered is None or (filtered and self._filters.by_library):
            return self._by_library(start, part, room)
        raw = self._raw(start, stored, room)
        stages = [stage for bit, stage in enumerate(self._filters.stages) if filtered and not stored.mask >> bit & 1]
        if stages:
            raw = run(stages, raw, size, room.free)
        elif raw.size != size:
            raise Undecoded("truncated" if raw.size < size else "wrong-length", f"{raw.size} bytes, expected {size}")
        values = native(raw, self.dtype, self._stored).reshape(self._block)
        if part != self._block:
            values = values[tuple(slice(length) for length in part)]
        return Block(start, np.ascontiguousarray(values), stored.size)

    def _check(self, stored: Stored, size: int) -> None:
        if stored.size > bound_of(size):
            raise Undecoded("wrong-length", f"{stored.size} bytes, more than {size} bytes can take in any encoding")
        if self._fd is not None and stored.address + stored.size > os.fstat(self._fd).st_size:
            raise Undecoded("truncated", f"it ends at byte {stored.address + stored.size}, after the end of the file")

    def _raw(self, start: Place, stored: Stored, room: Room) -> Bytes:
        if self._fd is not None:
            return OpenFile(self._fd, stored.size, stored.address, owned=False).take(0, stored.size, room.encoded)
        try:
            with _LOCK:
                _, data = self._dataset.read_direct_chunk(start, out=room.encoded.sized(stored.size))
        except LIBRARY_ERRORS as error:
            raise Undecoded("undecodable", message(error)) from None
        return np.frombuffer(data, np.uint8)


def _filters(creation: Any) -> _Filters:
    """How to undo the filters that a creation property list names."""
    stages: list[Stage] = []
    by_library = False
    edges = _filters_edges(creation) if creation.get_nfilters() else True
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


def _filters_edges(creation: Any) -> bool | None:
    """Whether chunks that reach over an edge are filtered; None where libhdf5 has no such function, or not by name.

    h5py has no way to ask: the function is looked up in the library that h5py's own module is linked to.
    """
    try:
        ask = ctypes.CDLL(h5p.__file__).H5Pget_chunk_opts
    except (OSError, AttributeError):
        return None
    ask.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_uint)]
    options = ctypes.c_uint()
    with _LOCK:
        failed = ask(creation.id, ctypes.byref(options)) < 0
    return None if failed else not options.value & _DONT_FILTER_PARTIAL_CHUNKS


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
