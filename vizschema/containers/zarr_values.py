"""The values of a Zarr array, version 2 or 3, from any store that opens a key: chunk by chunk, shard by shard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing

import numpy as np

from vizschema.containers.base import Limits
from vizschema.containers.sources import Buffer, Held, Opener, Room, Rooms, Source, Undecoded, Window
from vizschema.containers.stages import bound_of, run, unwrap
from vizschema.containers.values import (
    Block,
    ChunkDamaged,
    Piece,
    clipped,
    extent_of,
    grid_counts,
    native,
    place_of,
    places,
)
from vizschema.containers.zarr_documents import read_array
from vizschema.containers.zarr_folder import Folder
from vizschema.containers.zarr_layout import Layout, Pipeline, Shard, chunk_bytes, index_bytes, v2_layout, v3_layout

_ABSENT = np.iinfo(np.uint64).max

Outcome = Block | ChunkDamaged


def zarr_values(folder: Folder, path: str, version: int, limits: Limits, opened: Opener, rooms: Rooms) -> ZarrValues:
    """The values of the array whose documents are in `folder`, and whose chunks `opened` opens by their keys.

    `path` is what to call the array. Raises `ChunkDamaged` where the documents describe no array of numbers any more.
    """
    found = read_array(folder, path, version, limits)
    if found is None or found.accounts is None or found.node["kind"] != "array":
        raise ChunkDamaged(path, "undecodable", "its metadata cannot be read any more")
    name = found.node["dtype"]
    try:
        if version == 3:
            return ZarrValues(v3_layout(found.accounts["zarr.json"], name), opened, rooms)
        return ZarrValues(v2_layout(found.accounts[".zarray"], name), opened, rooms)
    except TypeError as error:
        raise ChunkDamaged(path, "undecodable", f"its dtype {name} cannot be read: {error}") from None


class ZarrValues:
    """The stored values of one Zarr array, as `Values`."""

    def __init__(self, layout: Layout, opened: Opener, rooms: Rooms) -> None:
        self.dtype = layout.dtype
        self.shape = layout.shape
        self._layout = layout
        self._opened = opened
        self._rooms = rooms
        self._counts = grid_counts(layout.shape, layout.chunk)

    def pieces(self) -> Iterator[Piece]:
        """Every chunk, or shard, once, in the order of the grid."""
        layout = self._layout
        decoded = _block_bytes(layout.pipeline, layout.chunk, self.dtype)
        for index, place in enumerate(places(self._counts)):
            yield Piece(index, layout.key(place), decoded, self._chunks(place))

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a chunk or shard, and the shape of what it holds."""
        return extent_of(piece.index, self._counts, self._layout.chunk, self.shape)

    def read(self, piece: Piece) -> Iterator[Outcome]:
        """The blocks of a chunk or shard; a damaged chunk in their place, and the others go on."""
        place = place_of(piece.index, self._counts)
        start = tuple(at * length for at, length in zip(place, self._layout.chunk, strict=True))
        reader = _Reader(self._layout, start)
        pipeline = self._layout.pipeline
        try:
            source = self._opened(piece.key)
        except Undecoded as problem:
            yield _damaged(piece.key, problem)
            return
        if source is None:
            yield from reader.absent(pipeline, start, self._layout.chunk, piece.key)
            return
        with closing(source), self._rooms.borrowed() as room:
            yield from reader.chunk(pipeline, source, start, self._layout.chunk, piece.key, room)

    def _chunks(self, place: tuple[int, ...]) -> int:
        shard = self._layout.pipeline.shard
        if shard is None:
            return 1
        layout = self._layout
        start = [at * length for at, length in zip(place, layout.chunk, strict=True)]
        return math.prod(grid_counts(clipped(start, layout.chunk, layout.shape), innermost(layout.pipeline)))


def innermost(pipeline: Pipeline) -> tuple[int, ...]:
    """The shape of the inner chunks of a sharded array, in the order of the array's axes."""
    shard = pipeline.shard
    assert shard is not None  # asked of sharded arrays only  # noqa: S101
    inner = shard.inner if shard.pipeline.shard is None else innermost(shard.pipeline)
    return inner if pipeline.inverse is None else tuple(inner[axis] for axis in pipeline.inverse)


def _block_bytes(pipeline: Pipeline, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> int:
    """The most bytes that are held for one block of a chunk of this shape; an index is held whole."""
    if pipeline.shard is None or pipeline.stages:
        return chunk_bytes(shape, dtype)
    shape = _turned(shape, pipeline.forward)
    index = index_bytes(pipeline.shard, math.prod(grid_counts(shape, pipeline.shard.inner)))
    return max(index, _block_bytes(pipeline.shard.pipeline, pipeline.shard.inner, dtype))


class _Reader:
    """Reads one chunk or shard, whose first entry has the index `start`."""

    def __init__(self, layout: Layout, start: tuple[int, ...]) -> None:
        self._layout = layout
        self._start = start

    def chunk(
        self, pipeline: Pipeline, source: Source, start: tuple[int, ...], shape: tuple[int, ...], key: str, room: Room
    ) -> Iterator[Outcome]:
        """The blocks of what `source` holds; `start` and `shape` are in the order of the array's axes."""
        if pipeline.foreign is not None:
            yield ChunkDamaged(key, "undecodable", pipeline.foreign)
            return
        try:
            if pipeline.shard is None:
                yield self._block(pipeline, source, start, shape, room)
                return
            if pipeline.stages:
                source = _unwrapped(pipeline, source, shape, self._layout)
            yield from self._shard(pipeline, source, start, shape, key, room)
        except Undecoded as problem:
            yield _damaged(key, problem)

    def absent(self, pipeline: Pipeline, start: tuple[int, ...], shape: tuple[int, ...], key: str) -> Iterator[Outcome]:
        """The fill value in place of a chunk; of a shard, once for every chunk that it would hold."""
        layout = self._layout
        if pipeline.shard is not None:
            forward = pipeline.forward
            turned = _turned(shape, forward)
            for place in places(grid_counts(turned, pipeline.shard.inner)):
                inner_start, inner_shape = _inner(pipeline, start, place)
                if min(clipped(inner_start, inner_shape, layout.shape), default=1) > 0:
                    yield from self.absent(pipeline.shard.pipeline, inner_start, inner_shape, _inner_key(key, place))
            return
        if layout.fill is None:
            yield ChunkDamaged(key, "undecodable", f"it was never written, and {layout.fill_detail}")
            return
        yield Block(start, np.broadcast_to(layout.fill, clipped(start, shape, layout.shape)), absent=True)

    def _block(
        self, pipeline: Pipeline, source: Source, start: tuple[int, ...], shape: tuple[int, ...], room: Room
    ) -> Block:
        layout = self._layout
        size = chunk_bytes(shape, pipeline.stored)
        stored = source.size
        if not pipeline.stages and stored != size:
            raise Undecoded("truncated" if stored < size else "wrong-length", f"{stored} bytes, expected {size}")
        most = bound_of(size)
        if stored > most:
            raise Undecoded("wrong-length", f"{stored} bytes, more than {size} bytes can take in any encoding")
        if not stored and size:
            raise Undecoded("truncated", "it is empty")
        raw = source.take(0, stored, room.encoded)
        if pipeline.stages:
            raw = run(pipeline.stages, raw, size, room.next)
        values = native(raw, layout.dtype, pipeline.stored).reshape(_turned(shape, pipeline.forward))
        if pipeline.inverse is not None:
            values = values.transpose(pipeline.inverse)
        part = clipped(start, shape, layout.shape)
        if part != shape:
            values = values[tuple(slice(length) for length in part)]
        return Block(start, np.ascontiguousarray(values).reshape(part), stored)

    def _shard(
        self, pipeline: Pipeline, source: Source, start: tuple[int, ...], shape: tuple[int, ...], key: str, room: Room
    ) -> Iterator[Outcome]:
        shard = pipeline.shard
        assert shard is not None  # its caller looked  # noqa: S101
        counts = grid_counts(_turned(shape, pipeline.forward), shard.inner)
        index = _index(shard, source, math.prod(counts))
        for number, place in enumerate(places(counts)):
            inner_start, inner_shape = _inner(pipeline, start, place)
            if min(clipped(inner_start, inner_shape, self._layout.shape), default=1) <= 0:
                continue
            inner_key = _inner_key(key, place)
            offset, length = int(index[number, 0]), int(index[number, 1])
            if offset == length == _ABSENT:
                yield from self.absent(shard.pipeline, inner_start, inner_shape, inner_key)
            elif offset + length > source.size:
                words = f"the index says bytes {offset} to {offset + length}, and the shard has {source.size}"
                yield ChunkDamaged(inner_key, "truncated", words)
            else:
                part = Window(source, offset, length)
                yield from self.chunk(shard.pipeline, part, inner_start, inner_shape, inner_key, room)


def _index(shard: Shard, source: Source, entries: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """Offset and length of every inner chunk [chunk, 2], checked against its checksum."""
    size = index_bytes(shard, entries)
    if source.size < size:
        raise Undecoded("truncated", f"{source.size} bytes, fewer than the {size} of its index")
    raw = source.take(0 if shard.index_first else source.size - size, size, Buffer())
    decoded = run(shard.index, raw, 16 * entries, Buffer) if shard.index else raw
    return decoded.view(shard.index_dtype).reshape(entries, 2)


def _unwrapped(pipeline: Pipeline, source: Source, shape: tuple[int, ...], layout: Layout) -> Source:
    """A shard that was encoded again as a whole, in memory; how large it is, only the headers of codecs say."""
    size = chunk_bytes(shape, layout.dtype)
    most = bound_of(bound_of(size))
    if source.size > most:
        raise Undecoded("wrong-length", f"{source.size} bytes, more than {size} bytes can take in any encoding")
    return Held(unwrap(pipeline.stages, source.take(0, source.size, Buffer()), most))


def _inner(
    pipeline: Pipeline, start: tuple[int, ...], place: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and shape of an inner chunk, in the order of the array's axes."""
    shard = pipeline.shard
    assert shard is not None  # its callers looked  # noqa: S101
    inside = _turned(tuple(at * length for at, length in zip(place, shard.inner, strict=True)), pipeline.inverse)
    inner = _turned(shard.inner, pipeline.inverse)
    return tuple(first + offset for first, offset in zip(start, inside, strict=True)), inner


def _turned(lengths: tuple[int, ...], axes: tuple[int, ...] | None) -> tuple[int, ...]:
    return lengths if axes is None else tuple(lengths[axis] for axis in axes)


def _inner_key(key: str, place: tuple[int, ...]) -> str:
    return f"{key}[{', '.join(map(str, place))}]"


def _damaged(key: str, problem: Undecoded) -> ChunkDamaged:
    return ChunkDamaged(key, problem.reason, problem.detail)
