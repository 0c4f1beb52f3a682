"""How the values of an array are read: in pieces that are independent of one another, each giving blocks.

A piece is what is fetched and decoded at once: a chunk, a shard, a range of a contiguous array, or a whole member that
can only be streamed. A block is what is handed on: an array in memory and where it lies. Nothing is larger than was
declared, and nothing is allocated before its size is checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import ml_dtypes
import numpy as np
import numpy.typing as npt

Damage = Literal["truncated", "wrong-length", "checksum", "undecodable", "over-limit"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is fetched at once. `key` is the container's own name for it; `decoded_bytes` bounds one block of it.

    `index` counts pieces in storage order; `chunks` is how many chunks of the array it holds.
    """

    index: int
    key: str
    decoded_bytes: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Block:
    """Values [any axes], C order, native byte order, and the index of their first entry along every axis.

    `absent` blocks were never written: `values` is the fill value, broadcast (no memory). `stored_bytes` were read.
    """

    start: tuple[int, ...]
    values: npt.NDArray[Any]
    stored_bytes: int = 0
    absent: bool = False


class ChunkDamaged(Exception):
    """A chunk that cannot be used: `key` as the container names it, a `reason` from a closed list, a `detail`."""

    def __init__(self, key: str, reason: Damage, detail: str) -> None:
        super().__init__(f"{key}: {reason}: {detail}")
        self.key = key
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[ChunkDamaged], tuple[str, Damage, str]]:
        return ChunkDamaged, (self.key, self.reason, self.detail)


class Values(Protocol):
    """The stored values of one array, of a dtype among `description.ITEM_BYTES`; threads may share one."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order; lazily, since there may be millions."""

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece, none beyond the shape; a damaged chunk in their place, and the others go on."""


class HasValues(Protocol):
    """What values can be read of: an open container, or arrays in memory."""

    def values(self, path: str) -> Values:
        """The values of the array at `path`; raises `ChunkDamaged` where it cannot be opened."""


@runtime_checkable
class Placed(Protocol):
    """`Values` that know where a piece lies without reading it."""

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a piece, and the shape of what it holds."""


@runtime_checkable
class Ahead(Protocol):
    """`Values` that fetch pieces before they are asked for."""

    def until(self, last: int) -> None:
        """Fetch nothing ahead that lies behind the piece with this index: nobody will ask for it."""


BLOCK_BYTES = 4 << 20
"""How much of an array without chunks is handed on at once."""


def grid_of(shape: Sequence[int], item_bytes: int, most: int = BLOCK_BYTES) -> tuple[int, ...]:
    """The shape of the largest blocks of `most` bytes that are one range of memory each, at least one entry."""
    block = [1] * len(shape)
    room = max(1, most // item_bytes)
    for axis in reversed(range(len(shape))):
        block[axis] = max(1, min(shape[axis], room))
        if block[axis] < shape[axis]:
            break
        room //= block[axis]
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


def place_of(index: int, counts: Sequence[int]) -> tuple[int, ...]:
    """The place that `places` gives as number `index`."""
    place = []
    for count in reversed(counts):
        index, at = divmod(index, count)
        place.append(at)
    return tuple(place[::-1])


def extent_of(
    index: int, counts: Sequence[int], block: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and shape of block number `index` of a regular grid in C order, as far as it lies within `shape`."""
    start = tuple(at * length for at, length in zip(place_of(index, counts), block, strict=True))
    return start, clipped(start, block, shape)


def clipped(start: Sequence[int], block: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of that part of a block which lies within `shape`; an entry of 0 or less says that none does."""
    return tuple([min(length, size - first) for first, length, size in zip(start, block, shape, strict=True)])


def dtype_of(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a canonical name among `description.ITEM_BYTES`."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def native(raw: npt.NDArray[np.uint8], dtype: np.dtype[Any], stored: np.dtype[Any]) -> npt.NDArray[Any]:
    """Bytes, as `dtype` in native order; `stored` says how they lie. Booleans are true where they are not 0."""
    values = raw.view(stored)
    if not stored.isnative:
        values = values.byteswap().view(stored.newbyteorder("="))
    if dtype.kind == "b":
        return values.view(np.uint8) != 0 if raw.size and raw.max() > 1 else values.view(dtype)
    return values.view(dtype)


def read_whole(values: Values, most: int) -> npt.NDArray[Any] | None:
    """The whole array, null where it has more than `most` bytes or a chunk of it is damaged."""
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
