"""An ndarray whose values have gaps, or lie in an order of their own: its block is decoded whole, and never repeated.

Source: ASDF Standard, schema core/ndarray-1.1.0: the bytes to step along each axis, from the first value at `offset`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vizschema.containers.base import Unreadable, quote
from vizschema.containers.bytes.packed import STEP, Run
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Piece,
    Reads,
    extent_of,
    grid_counts,
    grid_of,
    native,
    plain_dtype,
)

MOST = 64 << 20
"""Bytes of a block that is held in memory."""


def require_strided(run: Run, shape: Sequence[int], strides: Sequence[int], offset: int, item_bytes: int) -> None:
    """Raise `Unreadable` where values lie outside the block, or share bytes, or the block is too large."""
    shown = f"the strides {quote(repr(list(strides)))}"
    steps = sorted((abs(stride), size, stride) for stride, size in zip(strides, shape, strict=True) if size > 1)
    first, end, span = offset, offset + item_bytes, item_bytes
    for length, size, stride in steps:
        if length < span:
            raise Unreadable("unsupported", f"{shown} give values that share bytes")
        span += length * (size - 1)
        first += min(0, stride * (size - 1))
        end += max(0, stride * (size - 1))
    if first < 0 or end > run.size:
        raise Unreadable("unsupported", f"{shown} lead to bytes {first} to {end} of {run.key}, which has {run.size}")
    if run.size > MOST:
        raise Unreadable("unsupported", f"{shown} with gaps or in another order in {run.size} bytes, more than {MOST}")


class StridedValues:
    """`Values` of an array of `shape` in the decoded bytes of `run`, at these strides."""

    def __init__(
        self, run: Run, dtype: str, stored: np.dtype[Any], shape: tuple[int, ...], offset: int, strides: tuple[int, ...]
    ) -> None:
        self.dtype = plain_dtype(dtype, stored)
        self.shape = self.chunk = shape
        self._run, self._stored, self._offset, self._strides = run, stored, offset, strides

    def pieces(self) -> Iterator[Piece]:
        """The array as one piece."""
        if math.prod(self.shape):
            yield Piece(0, self._run.key, self._run.size + 2 * STEP, 1)

    def extent(self, _: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The whole array."""
        return (0,) * len(self.shape), self.shape

    def touching(self, _: Box) -> Iterator[Piece]:
        """The only piece."""
        return self.pieces()

    def reads(self, _: Box) -> Reads:
        """Return what reading any part takes: all of the block."""
        return Reads(1, self._run.packed) if math.prod(self.shape) else Reads(0, 0)

    def read(self, _: Piece) -> Iterator[Block | ChunkDamaged]:
        """Blocks of the array, once all of its bytes were decoded and their checksum compared."""
        decoded, at = np.empty(self._run.size, np.uint8), 0
        try:
            for part in self._run.stream():
                decoded[at : at + part.size] = part
                at += part.size
        except ChunkDamaged as damaged:
            yield damaged
            return
        values = np.ndarray(self.shape, self._stored, decoded, self._offset, self._strides)
        grid = grid_of(self.shape, self._stored.itemsize)
        counts = grid_counts(self.shape, grid)
        for index in range(math.prod(counts)):
            start, extent = extent_of(index, counts, grid, self.shape)
            within = tuple(slice(first, first + length) for first, length in zip(start, extent, strict=True))
            raw = np.ascontiguousarray(values[within]).reshape(-1).view(np.uint8)
            yield Block(start, native(raw, self.dtype, self._stored).reshape(extent), 0 if index else self._run.packed)
