"""Where the chunks of an HDF5 dataset lie, as libhdf5 lists them, and what of their layout h5py has no way to ask."""

from __future__ import annotations

import ctypes
import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from h5py import h5d, h5f, h5p, h5s, h5t

from vizschema.containers.values import ChunkDamaged

Place = tuple[int, ...]
Columns = Sequence[npt.NDArray[np.int64]]

_AT_ONCE = 4096
"""Chunks that are put in their places at once: what libhdf5 says of each takes hundreds of bytes in Python."""

_DONT_FILTER_PARTIAL_CHUNKS = 2
"""`H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS`: chunks that reach over an edge of the shape are stored without any filter."""

_TREE = 0
"""`H5D_CHUNK_IDX_BTREE`: the only index that no checksum guards."""

_SIZE = "H5Dget_chunk_storage_size"

_EXTENSIBLE_ARRAY = 4
"""`H5D_CHUNK_IDX_EARRAY`: the index of a dataset of which one dimension may grow without a limit."""


class Stored(NamedTuple):
    """One chunk in the file: the filters that were left out of it (bits), its address and its size in bytes."""

    mask: int
    address: int
    size: int


ANYWHERE = (1 << 64) - 1
"""The address of a chunk that was only looked up: libhdf5 reads it, and says which filters were left out of it."""


class Index:
    """The chunks that were written, by the number of their cell in C order; 28 bytes for each."""

    def __init__(self, block: Place, counts: Place, place: Callable[[Columns], Columns]) -> None:
        self._block, self._counts = block, counts
        self._place = place
        self._most = math.prod(counts)
        self._listed: list[Any] = []
        self.cells = array("Q")
        self._masks, self._addresses, self.sizes = array("I"), array("Q"), array("Q")

    def add(self, info: Any) -> bool | None:
        """Take in what libhdf5 says of a chunk; true where there are more than the grid has cells."""
        self._listed.append(info)
        if len(self._listed) < _AT_ONCE:
            return None
        self.take_in()
        return True if len(self.cells) > self._most else None

    def take_in(self) -> None:
        """Give the chunks that were added their cells, but for those beyond the shape: the dataset was larger once."""
        if not self._listed:
            return
        offsets, masks, addresses, sizes = zip(*self._listed, strict=True)
        self._listed.clear()
        named = np.array(offsets, np.int64) // np.array(self._block)
        columns = self._place(list(named.T))
        inside, cells = np.ones(len(named), np.bool_), np.zeros(len(named), np.int64)
        for column, count in zip(columns, self._counts, strict=True):
            inside &= column < count
            cells = cells * count + column
        kept = ((self.cells, cells), (self._masks, masks), (self._addresses, addresses), (self.sizes, sizes))
        for rows, found in kept:
            rows.frombytes(np.array(found, rows.typecode)[inside].tobytes())

    def sort(self) -> None:
        """Put the cells in order; raises `ChunkDamaged` where one is named twice."""
        if _ascend(self.cells):
            return
        order = np.argsort(np.asarray(self.cells), kind="stable")
        for rows in (self.cells, self._masks, self._addresses, self.sizes):
            rows[:] = array(rows.typecode, np.asarray(rows)[order].tobytes())
        if not _ascend(self.cells):
            raise ChunkDamaged("undecodable", "the index of its chunks names one of them twice")

    def find(self, cell: int) -> Stored | None:
        """The chunk of a cell, None where it was never written."""
        at = bisect_left(self.cells, cell)
        if at == len(self.cells) or self.cells[at] != cell:
            return None
        return Stored(self._masks[at], self._addresses[at], self.sizes[at])

    def gap(self, cell: int) -> tuple[int, int]:
        """The first of the cells around one that were never written, and the first behind them."""
        at = bisect_left(self.cells, cell)
        first = self.cells[at - 1] + 1 if at else 0
        return first, self.cells[at] if at < len(self.cells) else self._most


def _ascend(cells: Any) -> bool:
    numbers = np.asarray(cells)
    return bool((numbers[:-1] < numbers[1:]).all())


def read_index(dataset: Any, block: Place, counts: Place) -> Index:
    """The index of an open dataset; raises `ChunkDamaged`, and one of `LIBRARY_ERRORS`."""
    index = Index(block, counts, _placing(dataset, block))
    if math.prod(counts):
        dataset.chunk_iter(index.add)
    index.take_in()
    index.sort()
    if len(index.cells) > 1 and _asked("H5Dget_chunk_index_type", dataset.id) == _TREE and _function(_SIZE):
        _look_up(dataset, index, block, counts)
    return index


def _look_up(dataset: Any, index: Index, block: Place, counts: Place) -> None:
    """Raise `ChunkDamaged` where a tree leads to other chunks than it lists, or to none: libhdf5 looks up."""
    places = np.stack(np.unravel_index(np.asarray(index.cells, np.int64), counts), axis=1)
    sizes = sizes_of(dataset, places * np.array(block))
    astray = np.flatnonzero(sizes != np.asarray(index.sizes)) if sizes is not None else [0]
    if len(astray):
        place = tuple(places[astray[0]].tolist())
        words = f"the index of its chunks does not lead to the chunk {place} that it lists"
        raise ChunkDamaged("undecodable", words)


def sizes_of(dataset: Any, starts: npt.NDArray[Any]) -> npt.NDArray[np.uint64] | None:
    """The sizes of the chunks that begin at `starts` [chunk, axis], as libhdf5 looks them up.

    The first that is not there, and all behind it, have 0. None where libhdf5 fails, or cannot be asked. Of chunks
    without filters it gives the size that they should have.
    """
    function = _function(_SIZE)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    offsets, sizes = np.ascontiguousarray(starts, np.uint64), np.zeros(len(starts), np.uint64)
    first, step, into = offsets.ctypes.data, offsets.strides[0], sizes.ctypes.data
    identifier, found = dataset.id, sizes.data
    with h5f.phil:
        for number in range(len(starts)):
            if function(identifier, first + number * step, into + number * 8) < 0:
                return None
            if not found[number]:
                break
    return sizes


def filters_edges(creation: Any) -> bool | None:
    """Whether chunks that reach over an edge are filtered; None where libhdf5 cannot be asked."""
    options = _asked("H5Pget_chunk_opts", creation.id)
    return None if options is None else not options & _DONT_FILTER_PARTIAL_CHUNKS


def _placing(dataset: Any, block: Place) -> Callable[[Columns], Columns]:
    """How to tell the places of chunks [axis][chunk] from those that libhdf5 names.

    Where the dimension that grows is not the first one, an extensible array is ordered as if it were; libhdf5 (up to
    2.0 at least) counts through it as if it were not, and so names other places than it reads from.
    """
    most = dataset.get_space().get_simple_extent_dims(True)
    growing = [axis for axis, size in enumerate(most) if size == h5s.UNLIMITED]
    if len(growing) != 1 or not growing[0] or not _counts_in_disorder():
        return lambda place: place
    kind = _asked("H5Dget_chunk_index_type", dataset.id)
    if kind is None:
        raise ChunkDamaged("undecodable", "this libhdf5 does not say how the index of its chunks is ordered")
    if kind != _EXTENSIBLE_ARRAY:
        return lambda place: place
    (first,) = growing
    counts = [-(-size // length) for size, length in zip(most, block, strict=True)]

    def place_of(named: Columns) -> Columns:
        number, places = named[first], list(named)
        for axis in range(first + 1, len(counts)):
            number = number * counts[axis] + named[axis]
        for axis in (*range(len(counts) - 1, first, -1), *range(first - 1, -1, -1)):
            number, places[axis] = np.divmod(number, counts[axis])
        places[first] = number
        return places

    return place_of


@cache
def _counts_in_disorder() -> bool:
    """Whether this libhdf5 names a chunk of a small array in memory by a place that it does not have."""
    access, creation = h5p.create(h5p.FILE_ACCESS), h5p.create(h5p.DATASET_CREATE)
    access.set_fapl_core(backing_store=False)
    access.set_libver_bounds(h5f.LIBVER_LATEST, h5f.LIBVER_LATEST)
    creation.set_chunk((1, 1))
    named: list[Place] = []
    file = h5f.create(b"order", h5f.ACC_TRUNC, fapl=access)
    try:
        space = h5s.create_simple((2, 2), (2, h5s.UNLIMITED))
        dataset = h5d.create(file, b"x", h5t.STD_U8LE, space, creation)
        dataset.write(h5s.ALL, h5s.ALL, np.zeros((2, 2), np.uint8))
        dataset.chunk_iter(lambda info: named.append(info.chunk_offset))
    finally:
        file.close()
    return any(place[1] > 1 for place in named)


def _asked(name: str, identifier: int) -> int | None:
    """What a function of libhdf5 gives for an object that h5py holds; None where there is none, or not by name."""
    function = _function(name)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_int)]
    found = ctypes.c_int()
    with h5f.phil:  # libhdf5 takes one call at a time
        failed = function(identifier, ctypes.byref(found)) < 0
    return None if failed else found.value


@cache
def _function(name: str) -> Any:
    """A function of the libhdf5 that h5py's own module is linked to, where h5py has no method for it; or None."""
    try:
        return getattr(ctypes.CDLL(h5p.__file__), name)
    except (OSError, AttributeError):
        return None
