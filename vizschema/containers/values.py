"""How the values of an array are read: in pieces that are independent of one another, each giving blocks.

A piece is what is fetched and decoded at once: a chunk, a shard, a range of a contiguous array, or a whole member that
can only be streamed. A block is what is handed on: an array in memory and where it lies. Nothing is larger than was
declared, and nothing is allocated before its size is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

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


class Values(Protocol):
    """The stored values of one array, of a dtype among `description.ITEM_BYTES`; threads may share one."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order; lazily, since there may be millions."""

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece, none beyond the shape; a damaged chunk in their place, and the others go on."""
