"""Values that lie in one run of bytes, row by row: the members of an NPZ and the blocks of an ASDF file.

Raw runs without an MD5 are cut into ranges that are read independently; any other run is streamed as one piece.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vizschema.containers.bytes.deflating import deflate
from vizschema.containers.bytes.packed import STEP, Run, crc32_combine
from vizschema.containers.bytes.sources import Buffer, BufferPool, Buffers, Bytes
from vizschema.containers.bytes.spans import Spans
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Piece,
    Reads,
    cells,
    extent_of,
    grid_counts,
    grid_of,
    native,
    plain_dtype,
)


class FlatValues:
    """`Values` of an array of `shape` that begins `skip` bytes into the decoded bytes of `run`.

    `stored` is the dtype as it lies there; `dtype` what is handed on (native, bfloat16 for its bits). With `fortran`
    the first axis runs fastest. Blocks lie in the buffers of `pool`.
    """

    def __init__(
        self,
        run: Run,
        dtype: str,
        stored: np.dtype[Any],
        shape: Sequence[int],
        skip: int = 0,
        *,
        fortran: bool = False,
        pool: BufferPool | None = None,
    ) -> None:
        self.dtype = plain_dtype(dtype, stored)
        self.shape = tuple(shape)
        self._run = run
        self.chunk = self.shape if run.codec else None
        self._pool = pool or BufferPool()
        self._stored = stored
        self._skip = skip
        self._fortran = fortran
        self._lying = self.shape[::-1] if fortran else self.shape
        self._extent = grid_of(self._lying, stored.itemsize)
        self._counts = grid_counts(self._lying, self._extent)
        self._sums: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    @property
    def by_range(self) -> bool:
        """Whether any part of the array can be read without what comes before."""
        return not self._run.codec and self._run.md5 is None

    def spans(self, box: Box, steps: Sequence[int]) -> FlatValues | Spans | None:
        """What reads a part of the array, or all of it with its checksum; None for a part of what is packed."""
        whole = all(first == 0 and end == size for (first, end), size in zip(box, self.shape, strict=True))
        if whole and (self._run.codec or self._run.md5 is not None or self._run.crc is not None):
            return self
        if self._run.codec:
            return None
        turned = slice(None, None, -1 if self._fortran else 1)
        return Spans(
            lambda start, length, buffer: self._run.fill(self._skip + start, buffer.sized(length)),
            self._run.key,
            self.dtype,
            self._stored,
            self._lying,
            box[turned],
            steps[turned],
            self._pool,
            turned=self._fortran,
        )

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order: the blocks themselves of a raw run, otherwise one."""
        if not math.prod(self.shape):
            return
        if not self.by_range:
            yield Piece(0, self._run.key, 2 * max(STEP, math.prod(self._extent) * self._stored.itemsize), 1)
            return
        yield from map(self._piece, range(math.prod(self._counts)))

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a piece, and the shape of what it holds."""
        if not self.by_range:
            return tuple(0 for _ in self.shape), self.shape
        start, extent = self._place(piece.index)
        return (start[::-1], extent[::-1]) if self._fortran else (start, extent)

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in storage order; the only one of what is streamed."""
        if not self.by_range:
            yield from self.pieces()
            return
        for index in cells(box[::-1] if self._fortran else box, self._counts, self._extent):
            yield self._piece(index)

    def reads(self, box: Box) -> Reads:
        """Return what reading a box takes: all of what is packed, else ranges."""
        if not math.prod(self.shape) or any(first >= end for first, end in box):
            return Reads(0, 0)
        if self._run.codec:
            return Reads(1, self._run.packed)
        spans = self.spans(box, [1] * len(box))
        if isinstance(spans, Spans):
            return spans.reads()
        return Reads(sum(1 for _ in self.pieces()), math.prod(self.shape) * self._stored.itemsize)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece; after damage in a stream nothing more comes."""
        with self._pool.borrowed() as buffers:
            try:
                yield from self._range(piece.index, buffers) if self.by_range else self._streamed(buffers)
            except ChunkDamaged as damaged:
                yield damaged

    def _range(self, index: int, buffers: Buffers) -> Iterator[Block | ChunkDamaged]:
        start, extent = self._place(index)
        item = self._stored.itemsize
        offset = self._skip + int(np.ravel_multi_index(start, self._lying)) * item if start else self._skip
        raw = self._run.fill(offset, buffers.encoded.sized(math.prod(extent) * item))
        yield self._block(start, extent, raw, raw.size)
        damaged = self._sum(index, raw)
        if damaged is not None:
            yield damaged

    def _sum(self, index: int, raw: Bytes) -> ChunkDamaged | None:
        """Notes the CRC-32 of one range; once all are known, the damage that their sum shows."""
        if self._run.crc is None:
            return None
        crc = deflate.crc32(raw)
        with self._lock:
            self._sums[index] = crc, raw.size
            if len(self._sums) < math.prod(self._counts):
                return None
            sums, self._sums = self._sums, {}
        crc = deflate.crc32(self._run.fetch(0, self._skip))
        for each in range(len(sums)):
            crc = crc32_combine(crc, *sums[each])
        if crc == self._run.crc:
            return None
        return self._run.damaged("checksum", f"CRC-32 {crc:08x} is not the declared {self._run.crc:08x}")

    def _streamed(self, buffers: Buffers) -> Iterator[Block]:
        grid = map(self._place, range(math.prod(self._counts)))
        gathered = _Gathered(self._stored, buffers.encoded)
        skip, left = self._skip, self._run.packed
        following = next(grid, None)
        for part in self._run.stream():
            data = part[skip:]
            skip -= min(skip, part.size)
            while following is not None:
                start, extent = following
                raw, data = gathered.take(data, math.prod(extent) * self._stored.itemsize)
                if raw is None:
                    break
                yield self._block(start, extent, raw, left)
                left = 0
                following = next(grid, None)

    def _block(self, start: tuple[int, ...], extent: tuple[int, ...], raw: Bytes, stored_bytes: int) -> Block:
        values = native(raw, self.dtype, self._stored).reshape(extent)
        if self._fortran:
            return Block(start[::-1], np.ascontiguousarray(values.T).reshape(extent[::-1]), stored_bytes)
        return Block(start, values, stored_bytes)

    def _piece(self, index: int) -> Piece:
        return Piece(index, self._run.key, math.prod(self._place(index)[1]) * self._stored.itemsize, 1)

    def _place(self, index: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where the block of this index begins, and its shape, as the array lies."""
        return extent_of(index, self._counts, self._extent, self._lying)


class _Gathered:
    """Blocks out of a stream: where they lie if a part holds them whole, otherwise gathered in one buffer."""

    def __init__(self, stored: np.dtype[Any], buffer: Buffer) -> None:
        self._stored = stored
        self._buffer = buffer
        self._held = 0

    def take(self, data: Bytes, size: int) -> tuple[Bytes | None, Bytes]:
        """The next block of `size` bytes, None where `data` does not complete it, and what is left of `data`."""
        if not self._held and data.size >= size and data[:size].view(self._stored).flags.aligned:
            return data[:size], data[size:]
        block, more = self._buffer.sized(size), min(size - self._held, data.size)
        block[self._held : self._held + more] = data[:more]
        self._held += more
        if self._held < size:
            return None, data[more:]
        self._held = 0
        return block, data[more:]
