"""The bytes of one chunk or shard of Zarr to blocks: indices of shards, codecs, transpositions. Opens no key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.bytes.sources import Buffer, Buffers, Held, Source, Window
from vizschema.containers.bytes.target import Target
from vizschema.containers.codecs.stages import bound_of, run, unwrap
from vizschema.containers.texts import texts_of
from vizschema.containers.values import (
    Block,
    Box,
    ChunkDamaged,
    Reads,
    boxes,
    clipped,
    grid_counts,
    native,
    number_of,
    place_of,
)
from vizschema.containers.zarr.layout import Layout, Pipeline, Shard, chunk_bytes, index_bytes

_ABSENT = np.iinfo(np.uint64).max

Outcome = Block | ChunkDamaged
Place = tuple[int, ...]


def innermost(pipeline: Pipeline) -> Place:
    """The shape of the inner chunks of a sharded array, in the order of the array's axes."""
    shard = pipeline.shard
    assert shard is not None  # asked of sharded arrays only  # noqa: S101
    inner = shard.inner if shard.pipeline.shard is None else innermost(shard.pipeline)
    return inner if pipeline.inverse is None else tuple(inner[axis] for axis in pipeline.inverse)


def block_bytes(pipeline: Pipeline, shape: Place, dtype: np.dtype[np.generic]) -> int:
    """Maximum bytes that are held for one block of a chunk of this shape; an index is held whole."""
    if pipeline.shard is None or pipeline.stages:
        return chunk_bytes(shape, dtype)
    shape = _turned(shape, pipeline.forward)
    index = index_bytes(pipeline.shard, math.prod(grid_counts(shape, pipeline.shard.inner)))
    return max(index, block_bytes(pipeline.shard.pipeline, pipeline.shard.inner, dtype))


@dataclass(frozen=True, slots=True)
class Cell:
    """A chunk, or a chunk within a shard: how it is decoded, where it lies, and what to call it.

    `start` and `shape` are in the order of axes that its own pipeline begins with; `axes` turns that order into the
    array's, None where it is the same.
    """

    pipeline: Pipeline
    start: Place
    shape: Place
    key: str
    axes: Place | None = None

    def placed(self, layout: Layout) -> tuple[Place, Place]:
        """Its first entry, and the shape of what lies within the array, which may hold numbers below 1."""
        start = _turned(self.start, self.axes)
        return start, clipped(start, _turned(self.shape, self.axes), layout.shape)

    def counts(self, shard: Shard) -> Place:
        """How many inner chunks a shard has along every axis of its own."""
        return grid_counts(_turned(self.shape, self.pipeline.forward), shard.inner)

    def inner(self, shard: Shard, number: int) -> Cell:
        """The chunk of a shard with this number, which may lie beyond the array."""
        pipeline = self.pipeline
        axes = self._inner_axes()
        place = place_of(number, self.counts(shard))
        start = _turned(self.start, pipeline.forward)
        first = tuple([begin + at * length for begin, at, length in zip(start, place, shard.inner, strict=True)])
        return Cell(shard.pipeline, first, shard.inner, f"{self.key}[{', '.join(map(str, place))}]", axes)

    def touching(self, shard: Shard, box: Box, numbers: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], int]:
        """Which of the chunks of a shard with these numbers touch a box of the array, and how many of all do."""
        axes = self._inner_axes()
        order = range(len(box)) if axes is None else axes
        sides = [side for _, side in sorted(zip(order, box, strict=True))]
        start, shape = _turned(self.start, self.pipeline.forward), _turned(self.shape, self.pipeline.forward)
        touching, count = np.ones(numbers.size, np.bool_), 1
        places = np.unravel_index(numbers, self.counts(shard)) if box else ()
        for place, (low, high), at, size, length in zip(places, sides, start, shape, shard.inner, strict=True):
            first, end = max(0, low - at) // length, -(-min(size, high - at) // length)
            touching &= (first <= place) & (place < end)
            count *= max(0, end - first)
        return numbers[touching], count

    def _inner_axes(self) -> Place | None:
        """What turns the order of axes of the chunks within a shard into the array's; None where it is the same."""
        axes = self.pipeline.inverse
        if self.axes is None:
            return axes
        return self.axes if axes is None else tuple(axes[axis] for axis in self.axes)


def chunk_blocks(
    layout: Layout, cell: Cell, source: Source, buffers: Buffers, target: Target | None = None
) -> Iterator[Outcome]:
    """The blocks of what `source` holds; of a shard, with a target, only those that touch its box."""
    pipeline = cell.pipeline
    if pipeline.unsupported is not None:
        yield ChunkDamaged("undecodable", pipeline.unsupported, cell.key)
        return
    try:
        if pipeline.shard is None:
            yield _block(layout, cell, source, buffers, target)
            return
        if pipeline.stages:
            source = _unwrapped(pipeline, source, cell.shape, layout)
        index = _Index(pipeline.shard, source, cell.counts(pipeline.shard))
    except ChunkDamaged as damaged:
        yield damaged.at(cell.key)
        return
    stored = np.flatnonzero(~index.absent)
    count = index.absent.size
    if target is not None:
        stored, count = cell.touching(pipeline.shard, target.box, stored)
    gaps = stored.size < count
    at = 0
    for number in [*map(int, stored), index.absent.size]:
        if gaps:
            yield from _absent(layout, cell, at, number)
        at = number + 1
        if number < index.absent.size:
            yield from _inner(layout, cell.inner(pipeline.shard, number), source, index, number, buffers, target)


def inner_reads(cell: Cell, source: Source, box: Box) -> Reads:
    """Return what reading those chunks of a shard takes that touch a box, by its index; raises `ChunkDamaged`."""
    shard = cell.pipeline.shard
    assert shard is not None  # asked of shards only  # noqa: S101
    try:
        index = _Index(shard, source, cell.counts(shard))
    except ChunkDamaged as damaged:
        raise damaged.at(cell.key) from None
    stored, _ = cell.touching(shard, box, np.flatnonzero(~index.absent))
    lengths = np.minimum(index.entries[stored, 1], np.uint64(source.size))
    return Reads(1 + stored.size, index_bytes(shard, index.absent.size) + int(lengths.sum()))


def _inner(
    layout: Layout, cell: Cell, source: Source, index: _Index, number: int, buffers: Buffers, target: Target | None
) -> Iterator[Outcome]:
    """The blocks of one chunk of a shard, where the range of bytes that the index gives is its own."""
    if min(cell.placed(layout)[1], default=1) <= 0:
        return
    offset, length = (int(value) for value in index.entries[number])
    words = f"the index says bytes {offset} to {offset + length}"
    if offset + length > source.size:
        yield ChunkDamaged("truncated", f"{words}, and the shard has {source.size}", cell.key)
    elif index.shared[number]:
        yield ChunkDamaged("undecodable", f"{words}, some of which are another chunk's or the index's", cell.key)
    else:
        yield from chunk_blocks(layout, cell, Window(source, offset, length), buffers, target)


def _absent(layout: Layout, cell: Cell, first: int, end: int) -> Iterator[Outcome]:
    """The fill value in place of inner chunks `first` to `end` of a shard: as few blocks as there are boxes of them."""
    shard = cell.pipeline.shard
    assert shard is not None  # asked of shards only  # noqa: S101
    innermost_chunk = innermost(layout.pipeline)
    for start, extent in boxes(first, end, cell.counts(shard)):
        inner = cell.inner(shard, number_of(start, cell.counts(shard)))
        sizes = tuple(count * length for count, length in zip(extent, shard.inner, strict=True))
        place, part = replace(inner, shape=sizes).placed(layout)
        if min(part, default=1) > 0:
            absent = math.prod(grid_counts(part, innermost_chunk))
            yield Block(place, np.broadcast_to(layout.fill, part), 0, absent, (cell.key.partition("[")[0],))


def _block(layout: Layout, cell: Cell, source: Source, buffers: Buffers, target: Target | None) -> Block:
    pipeline = cell.pipeline
    size, stored = chunk_bytes(cell.shape, pipeline.stored), source.size
    if pipeline.stored.kind == "O":
        return _placed(layout, cell, texts_of(source, pipeline.stages, math.prod(cell.shape)), stored)
    if not pipeline.stages and stored != size:
        raise ChunkDamaged("truncated" if stored < size else "wrong-length", f"{stored} bytes, expected {size}")
    if stored > bound_of(size):
        raise ChunkDamaged("wrong-length", f"{stored} bytes, more than {size} bytes can take in any encoding")
    if not stored and size:
        raise ChunkDamaged("truncated", "it is empty")
    turned = pipeline.inverse is not None or cell.axes is not None
    slab = None if target is None or turned else target.slab(cell.start, cell.shape)
    last = None if slab is None else Buffer(slab)
    raw = source.take(0, stored, buffers.encoded if pipeline.stages or last is None else last)
    if pipeline.stages:
        raw = run(pipeline.stages, raw, size, buffers.free, last)
    return _placed(layout, cell, native(raw, layout.dtype, pipeline.stored), stored)


def _placed(layout: Layout, cell: Cell, values: npt.NDArray[Any], stored: int) -> Block:
    """The decoded values of a chunk, as far as they lie within the array."""
    pipeline = cell.pipeline
    values = values.reshape(_turned(cell.shape, pipeline.forward))
    for axes in (pipeline.inverse, cell.axes):
        values = values if axes is None else values.transpose(axes)
    start, part = cell.placed(layout)
    if part != values.shape:
        values = values[tuple(slice(length) for length in part)]
    return Block(start, np.ascontiguousarray(values).reshape(part), stored)


class _Index:
    """The index of a shard: offset and length of every inner chunk [chunk, 2], those that are absent, and those that
    share bytes with another one or with the index itself. Raises `ChunkDamaged`."""

    def __init__(self, shard: Shard, source: Source, counts: Place) -> None:
        pipeline, count = shard.index, math.prod(counts)
        size = index_bytes(shard, count)
        if source.size < size:
            raise ChunkDamaged("truncated", f"{source.size} bytes, fewer than the {size} of its index")
        begin = 0 if shard.index_first else source.size - size
        raw = source.take(begin, size, Buffer())
        decoded = run(pipeline.stages, raw, 16 * count, lambda _: Buffer()) if pipeline.stages else raw
        entries = decoded.view(pipeline.stored).reshape(_turned((*counts, 2), pipeline.forward))
        if pipeline.inverse is not None:
            entries = entries.transpose(pipeline.inverse)
        self.entries = np.ascontiguousarray(entries, np.uint64).reshape(count, 2)
        self.absent = (self.entries == _ABSENT).all(axis=1)
        self.shared = _shared(self.entries, source.size, begin, size)


def _shared(entries: npt.NDArray[np.uint64], size: int, begin: int, length: int) -> npt.NDArray[np.bool_]:
    """Which ranges [chunk, 2] share bytes with another one, or with the index at `begin`, of `length` bytes."""
    offsets, lengths = entries[:, 0], entries[:, 1]
    whole = np.uint64(size)
    inside = np.flatnonzero((offsets <= whole) & (lengths <= whole - np.minimum(offsets, whole)) & (lengths > 0))
    inside = inside[np.argsort(offsets[inside], kind="stable")]
    starts, ends = offsets[inside].astype(np.int64), (offsets[inside] + lengths[inside]).astype(np.int64)
    shared = (starts < begin + length) & (ends > begin)
    reached = np.maximum.accumulate(ends)
    shared[1:] |= starts[1:] < reached[:-1]
    shared[:-1] |= starts[1:] < ends[:-1]
    found = np.zeros(len(entries), np.bool_)
    found[inside] = shared
    return found


def _unwrapped(pipeline: Pipeline, source: Source, shape: Place, layout: Layout) -> Source:
    """A shard that was encoded again as a whole, in memory; how large it is, only the headers of codecs say."""
    size = chunk_bytes(shape, layout.dtype)
    most = bound_of(bound_of(size))
    if source.size > most:
        raise ChunkDamaged("wrong-length", f"{source.size} bytes, more than {size} bytes can take in any encoding")
    return Held(unwrap(pipeline.stages, source.take(0, source.size, Buffer()), most))


def _turned(lengths: Place, axes: Place | None) -> Place:
    return lengths if axes is None else tuple(lengths[axis] for axis in axes)
