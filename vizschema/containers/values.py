"""How the values of an array are read: in pieces that are independent of one another, each giving blocks.

A piece is what is fetched and decoded at once: a chunk, a shard, a range of a contiguous array, or a whole member that
can only be streamed. A block is what is handed on: an array in memory and where it lies. Nothing is larger than was
declared, and nothing is allocated before its size is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import ml_dtypes
import numpy as np
import numpy.typing as npt

from vizschema.description import ITEM_BYTES, NIBBLES, STORED_AS, TEXTS

Damage = Literal["truncated", "wrong-length", "checksum", "undecodable", "over-limit", "misplaced"]


SHOWN = 16
"""How many keys of absent chunks are kept."""

Box = Sequence[tuple[int, int]]
"""The first entry along every axis, and the one after the last."""

Region = tuple[slice, ...]
"""A box as an index: of each axis the first entry, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is fetched at once. `key` is the container's own name for it; `decoded_bytes` bounds one block of it.

    `index` counts cells of the grid (chunks, shards) in storage order; `chunks` is how many chunks of the array it
    holds. A piece of several cells (`count`) is a gap: none of them was ever written, and it decodes nothing.
    """

    index: int
    key: str
    decoded_bytes: int
    chunks: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Block:
    """Values [any axes], C order, native byte order, and the index of their first entry along every axis.

    `stored_bytes` were read. `absent` is how many chunks that were never written it stands for: `values` is then the
    fill value, broadcast to any size (no memory), and `absent_keys` are the keys of the first sixteen of them.
    """

    start: tuple[int, ...]
    values: npt.NDArray[Any]
    stored_bytes: int = 0
    absent: int = 0
    absent_keys: tuple[str, ...] = ()


class ChunkDamaged(Exception):
    """A chunk that cannot be used: a `reason` from a closed list, a `detail`, and its `key` as the container names it.

    Where bytes are decoded, the key is unknown: it is empty until a caller that knows it says `at` which it happened.
    """

    def __init__(self, reason: Damage, detail: str, key: str = "") -> None:
        super().__init__(f"{key}: {reason}: {detail}" if key else detail)
        self.key = key
        self.reason: Damage = reason
        self.detail = detail

    def at(self, key: str) -> ChunkDamaged:
        """The same damage, of the chunk under this key."""
        return ChunkDamaged(self.reason, self.detail, key)

    def __reduce__(self) -> tuple[type[ChunkDamaged], tuple[Damage, str, str]]:
        return ChunkDamaged, (self.reason, self.detail, self.key)


class Values(Protocol):
    """The stored values of one array; of another dtype than those of `description.ITEM_BYTES` only `open` reads any.

    Threads may share one.

    Those of which some values are decoded with others have the shape of these as `chunk`.
    Those with chunks that may be absent have a `fill` beside, the value [] of these; those that can list where their
    chunks are give by `stray()` the first sixteen names of what else is there, once `pieces` was begun.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order; lazily, since there may be millions."""

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece, none beyond the shape; a damaged chunk in their place, and the others follow."""


class HasValues(Protocol):
    """What values can be read of: an open container, or arrays in memory."""

    def values(self, path: str) -> Values:
        """The values of the array at `path`; raises `ChunkDamaged` where it cannot be opened."""


@runtime_checkable
class Placed(Protocol):
    """`Values` that know where a piece lies without reading it."""

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a piece, and the shape of what it holds; of a gap, of a box around it."""

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in storage order, without a look at the others."""


@runtime_checkable
class Ahead(Protocol):
    """`Values` that fetch pieces before they are asked for."""

    def until(self, last: int) -> None:
        """Fetch nothing ahead that lies behind the piece with this index: it will not be requested."""


class Reads(NamedTuple):
    """How many reads of a container something takes, and how many of its bytes, as they are stored; at most."""

    number: int
    bytes: int


@runtime_checkable
class Sized(Protocol):
    """`Values` that know what reading takes before anything is read."""

    def reads(self, box: Box) -> Reads | None:
        """Return what reading a box takes, by metadata and indices alone; None if only requests could find out.

        Raises `ChunkDamaged`.
        """


def reads_of(values: Values, box: Box) -> Reads | None:
    """Return what reading a box of `values` takes; None if that is unknown. Raises `ChunkDamaged`."""
    return values.reads(box) if isinstance(values, Sized) else None


BLOCK_BYTES = 4 << 20
"""How much of an array without chunks is handed on at once."""


def grid_of(shape: Sequence[int], item_bytes: int, most: int = BLOCK_BYTES) -> tuple[int, ...]:
    """The shape of the largest blocks of `most` bytes that are one range of memory each, at least one entry."""
    block = [1] * len(shape)
    left = max(1, most // item_bytes)
    for axis in reversed(range(len(shape))):
        block[axis] = max(1, min(shape[axis], left))
        if block[axis] < shape[axis]:
            break
        left //= block[axis]
    return tuple(block)


def grid_counts(shape: Sequence[int], block: Sequence[int]) -> tuple[int, ...]:
    """How many blocks of a regular grid lie along every axis of `shape`."""
    return tuple(-(-size // length) if length else 0 for size, length in zip(shape, block, strict=True))


def places(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The places of a grid in C order, one at a time; `itertools.product` would hold every range."""
    place = [0] * len(counts)
    if 0 in counts:
        return
    while True:
        yield tuple(place)
        for axis in reversed(range(len(counts))):
            place[axis] += 1
            if place[axis] < counts[axis]:
                break
            place[axis] = 0
        else:
            return


def regions(shape: Sequence[int], block: Sequence[int]) -> Iterator[Region]:
    """The blocks of a regular grid in C order, as far as they lie within `shape`, each as an index."""
    for place in places(grid_counts(shape, block)):
        start = [at * length for at, length in zip(place, block, strict=True)]
        extent = clipped(start, block, shape)
        yield tuple(slice(at, at + length) for at, length in zip(start, extent, strict=True))


def place_of(index: int, counts: Sequence[int]) -> tuple[int, ...]:
    """The place that `places` gives as number `index`."""
    place = []
    for count in reversed(counts):
        index, at = divmod(index, count)
        place.append(at)
    return tuple(place[::-1])


def number_of(place: Sequence[int], counts: Sequence[int]) -> int:
    """The number under which `places` gives a place."""
    number = 0
    for at, count in zip(place, counts, strict=True):
        number = number * count + at
    return number


def extent_of(
    index: int, counts: Sequence[int], block: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and shape of block number `index` of a regular grid in C order, as far as it lies within `shape`."""
    start = tuple(map(mul, place_of(index, counts), block))
    return start, clipped(start, block, shape)


def clipped(start: Sequence[int], block: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of that part of a block which lies within `shape`; an entry of 0 or less says that none does."""
    return tuple([min(length, size - first) for first, length, size in zip(start, block, shape, strict=True)])


def touches(extent: tuple[Sequence[int], Sequence[int]], box: Box) -> bool:
    """Whether the box with this first entry and this shape has any entry of the other."""
    return all(at < end and first < at + length for at, length, (first, end) in zip(*extent, box, strict=True))


def cells(box: Box, counts: Sequence[int], block: Sequence[int]) -> Iterator[int]:
    """The numbers of the cells of a regular grid that touch a box, ascending."""
    if any(first >= end for first, end in box):
        return
    low = [first // length for (first, _), length in zip(box, block, strict=True)]
    many = [-(-end // length) - at for (_, end), length, at in zip(box, block, low, strict=True)]
    for place in places(many):
        number = 0
        for at, first, count in zip(place, low, counts, strict=True):
            number = number * count + at + first
        yield number


def gaps(stored: Iterable[int], total: int) -> Iterator[tuple[int, int]]:
    """The ranges (first, end) of numbers below `total` that lie between those `stored`, which ascend."""
    at = 0
    for number in stored:
        if at < number:
            yield at, number
        at = number + 1
    if at < total:
        yield at, total


def boxes(first: int, end: int, shape: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The boxes (start, extent), each a range of its own, that make up the entries from `first` to `end` in C order.

    At most 2 n − 1 of them in n dimensions. One that does not reach along the whole last axis has one entry along every
    other axis.
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    while first < end:
        start, rest = [], first
        for stride in strides:
            at, rest = divmod(rest, stride)
            start.append(at)
        # The outermost axis along which whole rows begin here and fit.
        axis = next((axis for axis, stride in enumerate(strides) if not first % stride and first + stride <= end), -1)
        if axis < 0:  # no dimensions
            yield (), ()
            return
        count = min((end - first) // strides[axis], shape[axis] - start[axis])
        yield tuple(start), (1,) * axis + (count,) + tuple(shape[axis + 1 :])
        first += count * strides[axis]


class Grid(NamedTuple):
    """A regular grid of cells over an array: its shape, that of a cell, that of a chunk (in a shard, many a cell)."""

    shape: tuple[int, ...]
    cell: tuple[int, ...]
    chunk: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many cells lie along every axis."""
        return grid_counts(self.shape, self.cell)

    def chunks(self, start: Sequence[int], extent: Sequence[int]) -> int:
        """How many chunks lie in the cells of a box, as far as they hold anything of the array."""
        first = [at * length for at, length in zip(start, self.cell, strict=True)]
        sizes = [count * length for count, length in zip(extent, self.cell, strict=True)]
        return math.prod(grid_counts(clipped(first, sizes, self.shape), self.chunk))


def gap(first: int, end: int, grid: Grid, key: Callable[[int], str]) -> Piece:
    """The piece for cells `first` to `end` of a grid that were never written; `key` names a cell by its number."""
    chunks = sum(grid.chunks(*box) for box in boxes(first, end, grid.counts))
    return Piece(first, key(first), 0, chunks, end - first)


def absent_blocks(piece: Piece, grid: Grid, key: Callable[[int], str], fill: npt.NDArray[Any]) -> Iterator[Block]:
    """The fill value in place of the cells of a piece: as few blocks as there are boxes; the first one has the keys."""
    end = piece.index + piece.count
    keys = tuple(key(number) for number in range(piece.index, min(end, piece.index + SHOWN)))
    for start, extent in boxes(piece.index, end, grid.counts):
        first = tuple(at * length for at, length in zip(start, grid.cell, strict=True))
        sizes = [count * length for count, length in zip(extent, grid.cell, strict=True)]
        values = np.broadcast_to(fill, clipped(first, sizes, grid.shape))
        yield Block(first, values, absent=grid.chunks(start, extent), absent_keys=keys)
        keys = ()


def box_around(piece: Piece, grid: Grid) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The index of the first entry of the box around the cells of a piece, and its shape."""
    if piece.count == 1:
        return extent_of(piece.index, grid.counts, grid.cell, grid.shape)
    low, high = place_of(piece.index, grid.counts), place_of(piece.index + piece.count - 1, grid.counts)
    axis = next(axis for axis, (one, other) in enumerate(zip(low, high, strict=True)) if one != other)
    low = (*low[: axis + 1], *(0 for _ in low[axis + 1 :]))
    high = (*high[: axis + 1], *(count - 1 for count in grid.counts[axis + 1 :]))
    first = tuple(at * length for at, length in zip(low, grid.cell, strict=True))
    sizes = [(end - at + 1) * length for at, end, length in zip(low, high, grid.cell, strict=True)]
    return first, clipped(first, sizes, grid.shape)


_NIBBLE = 0x0F
_NIBBLES = frozenset(np.dtype(getattr(ml_dtypes, name)) for name in NIBBLES)


def dtype_of(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a canonical name among `description.ITEM_BYTES` and `TEXTS`."""
    if name in TEXTS:
        return np.dtypes.StringDType()
    return np.dtype(getattr(ml_dtypes, name) if name in STORED_AS else name)


def plain_dtype(name: str, stored: np.dtype[Any]) -> np.dtype[Any]:
    """What values of this canonical name, which lie as `stored`, are given as."""
    return dtype_of(name) if name in ITEM_BYTES or name in TEXTS else stored.newbyteorder("=")


def native(raw: npt.NDArray[np.uint8], dtype: np.dtype[Any], stored: np.dtype[Any]) -> npt.NDArray[Any]:
    """Bytes, as `dtype` in native order; `stored` says how they lie. Booleans are true where they are not 0."""
    if stored == dtype and dtype.kind in "iufc":
        return raw.view(dtype)
    if dtype in _NIBBLES and raw.size and raw.max() > _NIBBLE:
        raw = raw & np.uint8(_NIBBLE)  # the upper bits say nothing
    values = raw.view(stored)
    if stored.kind == "V":
        if stored == dtype:
            return values
        records = np.zeros(values.shape, dtype)  # with what lies between their fields
        records[...] = values
        return records
    if not stored.isnative:
        values = values.byteswap().view(stored.newbyteorder("="))
    if stored.kind in "SU":
        return _text(values)
    if dtype.kind == "b":
        return values.view(np.uint8) != 0 if raw.size and raw.max() > 1 else values.view(dtype)
    return values.view(dtype)


def _text(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Text of a fixed width, UTF-8 or UTF-32; what is none of it is escaped, or U+FFFD."""
    if values.dtype.kind == "S":
        texts = [text.decode("utf-8", "backslashreplace") for text in values.tolist()]
        return np.array(texts, dtype_of("string"))
    codes = values.view(np.uint32).copy()
    codes[(codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))] = 0xFFFD
    return codes.view(values.dtype).astype(dtype_of("string"))


def read_whole(values: Values, most: int) -> npt.NDArray[Any] | None:
    """The whole array, None where it has more than `most` bytes or a chunk of it is damaged."""
    if math.prod(values.shape) * values.dtype.itemsize > most:
        return None
    whole = np.empty(values.shape, values.dtype)
    for piece in values.pieces():
        if piece.decoded_bytes > most:
            return None
        for block in values.read(piece):
            if isinstance(block, ChunkDamaged):
                return None
            ends = (first + length for first, length in zip(block.start, block.values.shape, strict=True))
            whole[tuple(slice(first, end) for first, end in zip(block.start, ends, strict=True))] = block.values
    return whole
