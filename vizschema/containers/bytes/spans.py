"""A box of an array without chunks in ranges of bytes, each read once: into the target where the values can stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from operator import mul
from typing import Any

import numpy as np

from vizschema.containers.bytes.sources import Buffer, BufferPool, Buffers, Bytes
from vizschema.containers.bytes.target import Target
from vizschema.containers.values import BLOCK_BYTES, Block, Box, ChunkDamaged, Piece, Reads, native, place_of

HOLE = 16 << 10
"""Bytes between two rows that are read with them: a read of its own for each row takes longer."""

Take = Callable[[int, int, Buffer], Bytes]
"""From the first byte and the length of a range to the bytes; raises `ChunkDamaged`."""


class Spans:
    """The values of a `box` as `Values`, of an array of `shape` whose items lie as `stored`, the last axis fastest.

    `turned` says that the axes of `box` and `shape` are in the reverse of the array's order; `at_once` that one thread
    reads all ranges as fast as several; `plain` that nothing is decoded.
    """

    plain = True

    def __init__(
        self,
        take: Take,
        key: str,
        dtype: np.dtype[Any],
        stored: np.dtype[Any],
        shape: Sequence[int],
        box: Box,
        steps: Sequence[int],
        pool: BufferPool,
        *,
        turned: bool = False,
        at_once: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = tuple(shape)
        self._take, self._key, self._stored, self._pool, self._turned = take, key, stored, pool, turned
        self._box = box
        self._strides = [stored.itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        self._part, self._jumps = self._cut(steps)
        dense = self._length(self._part) == math.prod(self._part) * stored.itemsize
        cut = zip(steps, self._part, self._jumps, strict=True)
        every = all(step == 1 or (length == 1 and jump == step) for step, length, jump in cut)
        numbers = dtype == stored.newbyteorder("=") and dtype.kind in "iufc"
        self._as_they_are = at_once and dense and every and numbers
        self._counts = [-(-(end - first) // jump) for (first, end), jump in zip(box, self._jumps, strict=True)]

    def _cut(self, steps: Sequence[int]) -> tuple[list[int], list[int]]:
        """The shape of what is read at once, and from how many entries to the next along every axis."""
        part, jumps = [1] * len(steps), list(steps)
        span = self._stored.itemsize
        for axis in reversed(range(len(steps))):
            (first, end), stride = self._box[axis], self._strides[axis]
            if stride * steps[axis] - span > HOLE:
                break
            part[axis] = jumps[axis] = max(1, min(end - first, (BLOCK_BYTES - span) // stride + 1))
            if part[axis] < end - first:
                break
            span += (part[axis] - 1) * stride
        return part, jumps

    def pieces(self) -> Iterator[Piece]:
        """Every range once, in the order of the file; where they all stay as they are, one piece."""
        size = self._length(self._part)
        count = 1 if self._as_they_are else math.prod(self._counts)
        return (Piece(index, self._key, size, 1) for index in range(count))

    def reads(self) -> Reads:
        """Return how many ranges there are, and their bytes."""
        count = math.prod(self._counts)
        if not count:
            return Reads(0, 0)
        size = count * (self._stored.itemsize - sum(self._strides))
        for (first, end), length, jump, stride, many in zip(
            self._box, self._part, self._jumps, self._strides, self._counts, strict=True
        ):
            entries = sum(min(length, end - at) for at in range(first, end, jump))
            size += stride * entries * (count // many)
        return Reads(count, size)

    def read_into(self, piece: Piece, target: Target) -> Iterator[Block | ChunkDamaged]:
        """The block of a piece, or the damage in its place."""
        with self._pool.borrowed() as buffers:
            try:
                if not self._as_they_are:
                    yield self._block(*self._place(piece.index), target, buffers)
                    return
                at, memory = 0, target.memory.reshape(-1).view(np.uint8)
                for index in range(math.prod(self._counts)):
                    start, part = self._place(index)
                    length = self._length(part)
                    self._take(self._offset(start), length, Buffer(memory[at : at + length]))
                    at += length
                if not self._stored.isnative:
                    target.memory.byteswap(inplace=True)
                yield Block((), target.memory)
            except ChunkDamaged as damaged:
                yield damaged.at(damaged.key or self._key)

    def _block(self, start: Sequence[int], part: Sequence[int], target: Target, buffers: Buffers) -> Block:
        length = self._length(part)
        dense = length == math.prod(part) * self._stored.itemsize
        slab = target.slab(tuple(start), tuple(part)) if dense and not self._turned else None
        raw = self._take(self._offset(start), length, buffers.encoded if slab is None else Buffer(slab))
        values = native(raw, self.dtype, self._stored)
        if dense:
            values = values.reshape(part)
        else:
            strides = [stride // self._stored.itemsize * values.itemsize for stride in self._strides]
            values = np.ndarray(part, values.dtype, values, strides=strides)
        return Block(tuple(start[::-1]), values.T) if self._turned else Block(tuple(start), values)

    def _place(self, index: int) -> tuple[list[int], list[int]]:
        """The first entry of a piece along every axis, and its shape."""
        place = place_of(index, self._counts)
        start = [first + at * jump for at, jump, (first, _) in zip(place, self._jumps, self._box, strict=True)]
        return start, [min(length, end - at) for length, at, (_, end) in zip(self._part, start, self._box, strict=True)]

    def _offset(self, start: Sequence[int]) -> int:
        return sum(map(mul, start, self._strides))

    def _length(self, part: Sequence[int]) -> int:
        """The bytes from the first value of a part to the last one."""
        return int(sum(map(mul, part, self._strides)) - sum(self._strides) + self._stored.itemsize)
