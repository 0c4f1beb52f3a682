"""The tree of hashes over the numbered blocks of one array: filled in any order, on any machine, and merged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blake3 import blake3

BLOCK_BYTES = 1 << 20
"""Bytes of a block: the leaves of the tree."""

FAN_OUT = 1024
"""How many hashes make one of the next level."""

HASH_BYTES = 32


def hash_of(data: Any) -> bytes:
    """The hash of contiguous bytes."""
    return blake3(data).digest()


class _Run:
    """The hashes of up to `FAN_OUT` neighbours, some of them still missing."""

    __slots__ = ("hashes", "left", "there")

    def __init__(self, length: int) -> None:
        self.hashes = bytearray(length * HASH_BYTES)
        self.there = bytearray(length)
        self.left = length

    def put(self, at: int, value: bytes) -> bool:
        """Whether the run is complete, now that `value` is at `at`, where there was none."""
        self.there[at] = 1
        self.left -= 1
        self.hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] = value
        return not self.left

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for at, there in enumerate(self.there):
            if there:
                yield at, bytes(self.hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES])


class Tree:
    """The hashes of `count` blocks; of a complete run of 1,024 only its hash is kept: 32 KiB for a GiB in the making.

    Can be pickled. Not for several threads at a time.
    """

    def __init__(self, count: int) -> None:
        self._counts = [count]
        while self._counts[-1] > 1:
            self._counts.append(-(-self._counts[-1] // FAN_OUT))
        self._levels: list[dict[int, _Run]] = [{} for _ in self._counts]
        self._root: bytes | None = None if count else hash_of(b"")

    @property
    def root(self) -> bytes | None:
        """The hash of the whole; None while a block is missing."""
        return self._root

    def put(self, block: int, value: bytes) -> None:
        """Enter the hash of a block; once is enough, again does nothing."""
        if block not in self:
            self._put(0, block, value)

    def put_same(self, first: int, end: int, value: bytes) -> None:
        """Enter one hash for all blocks from `first` to `end`, in time that grows with their logarithm."""
        for level, count in enumerate(self._counts):
            low, high = -(-first // FAN_OUT), end // FAN_OUT
            short = count % FAN_OUT if end == count else 0
            if count == 1 or low > high or (low == high and not short):
                self._put_each(level, range(first, end), value)
                return
            self._put_each(level, range(first, low * FAN_OUT), value)
            if not short:
                self._put_each(level, range(high * FAN_OUT, end), value)
            self._forget(level, low, high + (short > 0))
            if short:
                self._put_each(level + 1, range(high, high + 1), hash_of(value * short))
            first, end, value = low, high, hash_of(value * FAN_OUT)

    def _put_each(self, level: int, blocks: range, value: bytes) -> None:
        for block in blocks:
            if not self._has(level, block):
                self._put(level, block, value)

    def _forget(self, level: int, low: int, high: int) -> None:
        """Drop the runs from `low` to `high` of a level, since a hash of each is known."""
        runs = self._levels[level]
        for number in [number for number in runs if low <= number < high]:
            del runs[number]

    def __contains__(self, block: int) -> bool:
        return self._has(0, block)

    def missing(self) -> Iterator[tuple[int, int]]:
        """The blocks that are missing, as ranges (first, end), ascending and not touching."""
        if self._root is not None:
            return
        first = None
        for low in range(0, self._counts[0], FAN_OUT):
            high = min(low + FAN_OUT, self._counts[0])
            run = self._levels[0].get(low // FAN_OUT)
            there = bytes([self._has(0, low)]) * (high - low) if run is None else bytes(run.there)
            for block, is_there in enumerate(there, low):
                if is_there and first is not None:
                    yield first, block
                    first = None
                elif not is_there and first is None:
                    first = block
        if first is not None:
            yield first, self._counts[0]

    def merge(self, other: Tree) -> None:
        """Take over what `other`, a tree of the same array, has."""
        if other._root is not None:
            self._root = other._root
            return
        for level in reversed(range(len(self._counts))):
            for number, run in other._levels[level].items():
                for at, value in run:
                    if not self._has(level, number * FAN_OUT + at):
                        self._forget_below(level, number * FAN_OUT + at)
                        self._put(level, number * FAN_OUT + at, value)

    def _has(self, level: int, at: int) -> bool:
        while self._root is None and level < len(self._counts) - 1:
            run = self._levels[level].get(at // FAN_OUT)
            if run is not None:
                return bool(run.there[at % FAN_OUT])
            level, at = level + 1, at // FAN_OUT
        return self._root is not None

    def _put(self, level: int, at: int, value: bytes) -> None:
        while level < len(self._counts) - 1:
            number, inside = divmod(at, FAN_OUT)
            runs = self._levels[level]
            run = runs.get(number)
            if run is None:
                run = runs[number] = _Run(min(FAN_OUT, self._counts[level] - number * FAN_OUT))
            if not run.put(inside, value):
                return
            del runs[number]
            level, at, value = level + 1, number, hash_of(run.hashes)
        self._root = value
        self._levels = [{} for _ in self._counts]

    def _forget_below(self, level: int, at: int) -> None:
        """Drop the incomplete runs below a hash that is known now."""
        for below in range(level):
            width = FAN_OUT ** (level - 1 - below)
            for number in [key for key in self._levels[below] if key // width == at]:
                del self._levels[below][number]
