"""The accumulator of one array's hash: takes blocks of values in any order, from any thread, and can be merged.

What lies along the logical order is hashed where it stands. What lies across it waits in a window until its neighbours
have come; where windows take more memory than there is, blocks are left out, and `missing` says which to read again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.scan.hashing.tree import BLOCK_BYTES, Tree, hash_of
from vizschema.scan.hashing.window import Window, slab

Bytes = npt.NDArray[np.uint8]


class Memory:
    """Bytes that accumulators may hold between them; for many threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left = most
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether `size` bytes were free; they are taken now."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        """Hand back what was taken."""
        with self._lock:
            self._left += size


class ArrayHash:
    """The hash of the values of one array of a `shape` and `dtype`, while blocks come in; holds at most `memory`."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], memory: Memory) -> None:
        self._shape = shape
        self._stored = logical_dtype(dtype)
        self._size = math.prod(shape) * self._stored.itemsize
        self._tree = Tree(-(-self._size // BLOCK_BYTES))
        self._memory = memory
        self._lock = threading.Lock()
        self._edges: dict[int, _Edge] = {}
        self._windows: dict[int, Window] = {}
        self._refused: set[int] = set()
        self._refused_blocks: set[int] = set()
        self._absent: tuple[Bytes, bytes] | None = None

    @property
    def root(self) -> bytes | None:
        """The hash of the array's values; None while some are missing."""
        return self._tree.root

    @property
    def item_bytes(self) -> int:
        """Bytes of a value."""
        return self._stored.itemsize

    def missing(self) -> list[tuple[int, int]]:
        """Ranges of entries (first, end) in C order that must come again, ascending, whole blocks each."""
        item = self._stored.itemsize
        ranges = self._tree.missing()
        return [(low * BLOCK_BYTES // item, min(high * BLOCK_BYTES, self._size) // item) for low, high in ranges]

    def add(self, start: tuple[int, ...], values: npt.NDArray[Any], *, uniform: bool = False) -> None:
        """Take in a block of values whose first entry has the index `start`; every entry comes once, until `release`.

        `uniform` says that all of them are the same; the block may then be broadcast, and is never copied whole.
        """
        values = logical(values, self._stored)
        if not values.size:
            return
        first, end = slab(start, values.shape, self._shape)
        if end - first == values.size:
            if uniform:
                self._repeat(first, end, values)
            else:
                self._enter(first, np.ascontiguousarray(values).reshape(-1))
            return
        window = self._window(first, end)
        if window is None:
            return
        taken = window.put(start, values)
        with self._lock:
            window.left -= taken
            if window.left:
                return
            del self._windows[first]
        self._enter(first, window.data)
        self._memory.give(window.data.nbytes)

    def put(self, first: int, values: npt.NDArray[Any]) -> None:
        """Take in the entries from `first` on, in C order [entry], of the dtype that `logical` gives; whole blocks."""
        self._enter(first, values)

    def merge(self, other: ArrayHash) -> None:
        """Take over what `other` has of the same array."""
        self._tree.merge(other._tree)
        for number, edge in other._edges.items():
            for start, part in edge.parts():
                self._edge(number, start, part)

    def release(self) -> None:
        """Let go of all that waits for neighbours: no more blocks will come in this pass, or they come again."""
        with self._lock:
            held = len(self._edges) * BLOCK_BYTES + sum(window.data.nbytes for window in self._windows.values())
            self._edges.clear()
            self._windows.clear()
            self._refused.clear()
            self._refused_blocks.clear()
            self._memory.give(held)

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: hashes, and the pieces of blocks at both ends; windows come again."""
        kept = list(self._edges.items())[:_SENT]
        parts = [(number, start, part) for number, edge in kept for start, part in edge.parts()]
        return {"shape": self._shape, "dtype": self._stored.str, "tree": self._tree, "parts": parts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        fresh = ArrayHash(state["shape"], np.dtype(state["dtype"]), Memory(_SENT * BLOCK_BYTES))
        fresh._tree = state["tree"]
        for number, start, part in state["parts"]:
            fresh._edge(number, start, part)
        vars(self).update(vars(fresh))

    def _window(self, first: int, end: int) -> Window | None:
        """The window that holds the entries from `first` to `end`; None if there is no memory for it."""
        size = (end - first) * self._stored.itemsize
        with self._lock:
            window = self._windows.get(first)
            if window is not None:
                return window
            # Half of the memory: threads are at work on the next slab while one is being filled.
            if first not in self._refused and size <= self._memory.most // 2 and self._memory.take(size):
                window = self._windows[first] = Window(first, end, self._shape, self._stored)
                return window
            self._refuse(first, end)
            return None

    def _refuse(self, first: int, end: int) -> None:
        """Take nothing of a slab in this pass, nor the blocks that it shares with others."""
        item = self._stored.itemsize
        if (end - first) * item <= self._memory.most // 2:
            self._refused.add(first)  # a larger one is refused each time, whatever the memory
        for number in {first * item // BLOCK_BYTES, (end * item - 1) // BLOCK_BYTES}:
            self._refused_blocks.add(number)
            if self._edges.pop(number, None) is not None:
                self._memory.give(BLOCK_BYTES)

    def _enter(self, first: int, values: npt.NDArray[Any]) -> None:
        """Hash the blocks that contiguous values fill, and keep the pieces at both ends."""
        data = values.view(np.uint8)
        at, end = first * self._stored.itemsize, first * self._stored.itemsize + data.size
        for number, low, high in self._cut(at, end):
            part = data[low - at : high - at]
            if high - low == self._length(number):
                if number not in self._tree:
                    self._done(number, hash_of(part))
            else:
                self._edge(number, low - number * BLOCK_BYTES, part)

    def _repeat(self, first: int, end: int, values: npt.NDArray[Any]) -> None:
        """The same for one value over and over, however often: a full block of it is hashed once."""
        if self._absent is None:
            one = values[(slice(0, 1),) * values.ndim].reshape(-1)
            pattern = np.repeat(one, BLOCK_BYTES // self._stored.itemsize).view(np.uint8)
            self._absent = pattern, hash_of(pattern)
        pattern, full = self._absent
        at, end = first * self._stored.itemsize, end * self._stored.itemsize
        whole, behind = -(-at // BLOCK_BYTES), end // BLOCK_BYTES
        if whole < behind:
            with self._lock:
                self._tree.put_same(whole, behind, full)
            ends = [(at, whole * BLOCK_BYTES), (behind * BLOCK_BYTES, end)]
        else:
            ends = [(at, end)]
        for number, low, high in (cut for part in ends for cut in self._cut(*part)):
            if high - low == self._length(number):
                self._done(number, hash_of(pattern[: high - low]))
            else:
                self._edge(number, low - number * BLOCK_BYTES, pattern[: high - low])

    def _cut(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """A range of bytes, cut where blocks end: (number of the block, first byte, end)."""
        while at < end:
            number = at // BLOCK_BYTES
            stop = min(end, (number + 1) * BLOCK_BYTES)
            yield number, at, stop
            at = stop

    def _length(self, number: int) -> int:
        return min(BLOCK_BYTES, self._size - number * BLOCK_BYTES)

    def _done(self, number: int, value: bytes) -> None:
        with self._lock:
            self._tree.put(number, value)

    def _edge(self, number: int, start: int, part: Bytes) -> None:
        """Keep a piece of a block until the others have come."""
        with self._lock:
            edge = self._edges.get(number)
            if edge is None:
                if number in self._tree or number in self._refused_blocks:
                    return
                if not self._memory.take(BLOCK_BYTES):
                    self._refused_blocks.add(number)
                    return
                edge = self._edges[number] = _Edge(self._length(number))
        edge.data[start : start + part.size] = part
        with self._lock:
            edge.ranges.append((start, start + part.size))
            edge.left -= part.size
            # A slab that shares this block may have been refused meanwhile.
            if edge.left or self._edges.pop(number, None) is None:
                return
        self._done(number, hash_of(edge.data))
        self._memory.give(BLOCK_BYTES)


_SENT = 64
"""How many blocks in the making go along when an accumulator is sent to another process."""


class _Edge:
    """A block in the making: its bytes, which of them are there, and how many are not."""

    __slots__ = ("data", "left", "ranges")

    def __init__(self, length: int) -> None:
        self.data: Bytes = np.empty(length, np.uint8)
        self.ranges: list[tuple[int, int]] = []
        self.left = length

    def parts(self) -> Iterator[tuple[int, Bytes]]:
        for start, end in self.ranges:
            yield start, self.data[start:end]


def logical_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype whose bytes are hashed: little-endian, with the bits of what NumPy lacks as unsigned integers."""
    if dtype.kind == "V" or dtype.type.__module__ != "numpy":
        dtype = np.dtype(f"u{dtype.itemsize}")
    return dtype.newbyteorder("<")


def logical(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """`values` in the dtype that `logical_dtype` gives, bit for bit; not copied on a little-endian machine."""
    if values.dtype.type.__module__ != "numpy":
        values = values.view(f"u{values.dtype.itemsize}")
    return values.astype(dtype, copy=False)
