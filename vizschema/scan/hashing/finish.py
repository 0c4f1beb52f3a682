"""What an array's hash still lacks after a pass over its blocks: read again, range by range along the logical order.

Only the pieces that reach into a range are read for it. A grid that runs across the logical order so costs several
readings of its chunks, and never more memory than there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from vizschema.containers.values import ChunkDamaged, Piece, Placed, Values
from vizschema.scan.hashing.array import ArrayHash, logical, logical_dtype
from vizschema.scan.hashing.tree import BLOCK_BYTES
from vizschema.scan.hashing.window import Window, span
from vizschema.scan.pool import read_pieces


def finish(values: Values, accumulator: ArrayHash, most: int, jobs: int, max_bytes: int) -> None:
    """Complete `accumulator`, holding `most` bytes (one block at least) beside the pieces that `fill` reads."""
    accumulator.release()
    fill(values, accumulator, ranges(accumulator, most, values.dtype.itemsize), jobs, max_bytes)


def ranges(accumulator: ArrayHash, most: int, item_bytes: int) -> Iterator[tuple[int, int]]:
    """What `accumulator` lacks, as ranges of entries (first, end) of at most `most` bytes, ascending."""
    return _ranges(accumulator.missing(), max(1, most // BLOCK_BYTES) * BLOCK_BYTES // item_bytes)


def fill(values: Values, accumulator: ArrayHash, wanted: Iterable[tuple[int, int]], jobs: int, max_bytes: int) -> None:
    """Hashes the entries in `wanted`, ranges as `ranges` gives them, into `accumulator`.

    Pieces are read by `jobs` threads, `max_bytes` of them at a time. Raises the `ChunkDamaged` that it meets first.
    """
    dtype = logical_dtype(values.dtype)
    cursor = _Cursor(values)
    for first, end in wanted:
        window = Window(first, end, values.shape, dtype)

        def put(piece: Piece, window: Window = window) -> None:
            for block in values.read(piece):
                if isinstance(block, ChunkDamaged):
                    raise block
                window.put(block.start, logical(block.values, dtype))

        read_pieces(put, cursor.reaching_into(window), jobs, max_bytes)
        accumulator.put(first, window.data)


def _ranges(missing: Iterable[tuple[int, int]], step: int) -> Iterator[tuple[int, int]]:
    """`missing` in ranges of at most `step` entries; small gaps are read along."""
    low = high = -1
    for first, end in missing:
        at = first
        while at < end:
            if low >= 0 and (at >= low + step or at - high > step // 8):
                yield low, high
                low = -1
            if low < 0:
                low = at
            at = high = min(end, low + step)
    if low >= 0:
        yield low, high


class _Reach(NamedTuple):
    """A piece, where it lies, and the range of entries between its first and its last one."""

    first: int
    end: int
    piece: Piece
    start: tuple[int, ...]
    extent: tuple[int, ...]


class _Cursor:
    """The pieces of an array, asked for range by range, ascending; holds those of about one range.

    Pieces that do not come in logical order are all held.
    """

    def __init__(self, values: Values) -> None:
        ordered = all(one.first <= other.first for one, other in pairwise(_reaches(values)))
        self._coming = _reaches(values) if ordered else iter(sorted(_reaches(values), key=attrgetter("first")))
        self._held: list[_Reach] = []
        self._latest = -1

    def reaching_into(self, window: Window) -> Iterator[Piece]:
        """Every piece that has an entry in the window."""
        self._held = [reach for reach in self._held if reach.end > window.first]
        while self._latest < window.end:
            reach = next(self._coming, None)
            if reach is None:
                break
            self._latest = reach.first
            self._held.append(reach)
        for reach in self._held:
            if reach.first < window.end and window.holds(reach.start, reach.extent):
                yield reach.piece


def _reaches(values: Values) -> Iterator[_Reach]:
    for piece in values.pieces():
        if isinstance(values, Placed):
            start, extent = values.extent(piece)
        else:
            start, extent = (0,) * len(values.shape), values.shape
        yield _Reach(*span(start, extent, values.shape), piece, start, extent)
