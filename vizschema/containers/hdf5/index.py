"""Where the chunks of an HDF5 dataset lie, as libhdf5 lists them, and what of their layout h5py has no way to ask."""

from __future__ import annotations

import ctypes
import math
from array import array
from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

from vizschema.containers.values import ChunkDamaged, place_of

Place = tuple[int, ...]

_DONT_FILTER_PARTIAL_CHUNKS = 2
"""`H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS`: chunks that reach over an edge of the shape are stored without any filter."""

_TREE = 0
"""`H5D_CHUNK_IDX_BTREE`: the only index that no checksum guards."""

_EXTENSIBLE_ARRAY = 4
"""`H5D_CHUNK_IDX_EARRAY`: the index of a dataset of which one dimension may grow without a limit."""


class Stored(NamedTuple):
    """One chunk in the file: the filters that were left out of it (bits), its address and its size in bytes."""

    mask: int
    address: int
    size: int


class Index:
    """The chunks that were written, by the number of their cell in C order; 28 bytes for each."""

    def __init__(self, block: Place, counts: Place, place: Callable[[Place], Place]) -> None:
        self._block, self._counts = block, counts
        self._place = place
        self._most = math.prod(counts)
        self.cells = array("Q")
        self._masks, self._addresses, self.sizes = array("I"), array("Q"), array("Q")

    def add(self, info: Any) -> bool | None:
        """Take in what libhdf5 says of a chunk; true where there are more than the grid has cells."""
        cell = 0
        place = self._place(tuple([at // length for at, length in zip(info.chunk_offset, self._block, strict=True)]))
        for at, count in zip(place, self._counts, strict=True):
            if at >= count:
                return None  # beyond the shape: the dataset was larger once
            cell = cell * count + at
        self.cells.append(cell)
        self._masks.append(info.filter_mask)
        self._addresses.append(info.byte_offset)
        self.sizes.append(info.size)
        return True if len(self.cells) > self._most else None

    def sort(self) -> None:
        """Put the cells in order; raises `ChunkDamaged` where one is named twice."""
        if all(one < other for one, other in pairwise(self.cells)):
            return
        order = np.argsort(np.asarray(self.cells), kind="stable")
        for rows in (self.cells, self._masks, self._addresses, self.sizes):
            rows[:] = array(rows.typecode, np.asarray(rows)[order].tobytes())
        if any(one == other for one, other in pairwise(self.cells)):
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


def read_index(dataset: Any, block: Place, counts: Place) -> Index:
    """The index of an open dataset; raises `ChunkDamaged`, and one of `LIBRARY_ERRORS`."""
    index = Index(block, counts, _placing(dataset, block))
    if math.prod(counts):
        dataset.chunk_iter(index.add)
    index.sort()
    if len(index.cells) > 1 and _asked("H5Dget_chunk_index_type", dataset.id) == _TREE:
        _look_up(dataset, index, block, counts)
    return index


def _look_up(dataset: Any, index: Index, block: Place, counts: Place) -> None:
    """Raise `ChunkDamaged` where a tree leads to other chunks than it lists, or to none: libhdf5 looks up."""
    function = _function("H5Dget_chunk_storage_size")
    if function is None:
        return
    function.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(ctypes.c_uint64)]
    offset, found = (ctypes.c_uint64 * len(block))(), ctypes.c_uint64()
    for cell, size in zip(index.cells, index.sizes, strict=True):
        place = place_of(cell, counts)
        offset[:] = [at * length for at, length in zip(place, block, strict=True)]
        with h5f.phil:
            failed = function(dataset.id, offset, ctypes.byref(found)) < 0
        if failed or found.value != size:
            raise ChunkDamaged(
                "undecodable", f"the index of its chunks does not lead to the chunk {place} that it lists"
            )


def filters_edges(creation: Any) -> bool | None:
    """Whether chunks that reach over an edge are filtered; None where libhdf5 cannot be asked."""
    options = _asked("H5Pget_chunk_opts", creation.id)
    return None if options is None else not options & _DONT_FILTER_PARTIAL_CHUNKS


def _placing(dataset: Any, block: Place) -> Callable[[Place], Place]:
    """How to tell the place of a chunk from the one that libhdf5 names.

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

    def place_of(named: Place) -> Place:
        number = named[first]
        for axis in range(first + 1, len(counts)):
            number = number * counts[axis] + named[axis]
        place = [0] * len(counts)
        for axis in (*range(len(counts) - 1, first, -1), *range(first - 1, -1, -1)):
            number, place[axis] = divmod(number, counts[axis])
        place[first] = number
        return tuple(place)

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
