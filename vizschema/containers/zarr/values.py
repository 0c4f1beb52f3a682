"""The values of a Zarr array, version 2 or 3, from any store that opens a key: chunk by chunk, shard by shard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from vizschema.containers.base import Unreadable
from vizschema.containers.bytes.sources import BufferPool, Opener
from vizschema.containers.bytes.target import Target
from vizschema.containers.values import (
    SHOWN,
    Box,
    ChunkDamaged,
    Grid,
    Piece,
    Reads,
    absent_blocks,
    box_around,
    cells,
    gap,
    place_of,
    places,
    touches,
)
from vizschema.containers.zarr.chunks import Cell, Outcome, Place, block_bytes, chunk_blocks, inner_reads, innermost
from vizschema.containers.zarr.layout import Layout, layout_of
from vizschema.containers.zarr.listing import Listable, Listing, listing_of
from vizschema.containers.zarr.walk import At, Walk

_ASKED = 256
"""Up to so many chunks are asked for by their keys, rather than that a folder is listed."""


def located(walk: Walk, path: str, at: At = lambda _: None) -> tuple[list[str], Layout]:
    """Where the array at `path` lies, by the names of folders, and how it is read.

    Raises `ChunkDamaged` where its documents describe no array of numbers any more.
    """
    try:
        names, array = walk.array(path, at)
        if array is None:
            raise ChunkDamaged("undecodable", "its metadata cannot be read any more", path)
        return names, layout_of(array)
    except Unreadable as unreadable:
        raise ChunkDamaged("undecodable", f"it cannot be opened: {unreadable.detail}", path) from None
    except TypeError as error:
        raise ChunkDamaged("undecodable", f"its dtype cannot be read: {error}", path) from None


class ZarrValues:
    """The stored values of one Zarr array, as `Values`.

    `opened_folder` lists what is there, `size_of` gives the stored bytes under a key; None where a store cannot.
    """

    def __init__(
        self,
        layout: Layout,
        opened: Opener,
        pool: BufferPool,
        opened_folder: Callable[[], Listable] | None = None,
        size_of: Callable[[str], int | None] | None = None,
    ) -> None:
        self.dtype = layout.dtype
        self.shape = layout.shape
        self._layout = layout
        self._opened = opened
        self._pool = pool
        self._opened_folder = opened_folder
        self._size_of = size_of
        self._listing: Listing | None = None
        self.fill = layout.fill
        inner = layout.chunk if layout.pipeline.shard is None else innermost(layout.pipeline)
        self._grid = Grid(layout.shape, layout.chunk, inner)
        self.chunk = inner
        self._counts = self._grid.counts

    def pieces(self) -> Iterator[Piece]:
        """Every chunk or shard that is there, and gaps between them, in the order of the grid.

        Every chunk or shard, there or not, once, where the store cannot list.
        """
        decoded = self._decoded_bytes()
        listing = self._listed()
        if listing is None:
            for index, place in enumerate(places(self._counts)):
                yield self._piece(index, place, decoded)
            return
        for first, end in listing.ranges():
            if first == end:
                yield self._piece(first, place_of(first, self._counts), decoded)
            else:
                yield gap(first, end, self._grid, self._key)

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box: those of `pieces`, or, where that takes less time, every cell for itself."""
        if any(first >= end for first, end in box):
            return
        sides = zip(box, self._grid.cell, strict=True)
        near = math.prod(-(-end // length) - first // length for (first, end), length in sides)
        listing = self._listed() if near > _ASKED else None
        if listing is not None and near > listing.cells.size:
            yield from (piece for piece in self.pieces() if touches(self.extent(piece), box))
            return
        decoded = self._decoded_bytes()
        for index in cells(box, self._counts, self._layout.chunk):
            yield self._piece(index, place_of(index, self._counts), decoded)

    def reads(self, box: Box) -> Reads | None:
        """Return what reading a box takes: a read per chunk; of a shard that is read in part, its index too."""
        if self._size_of is None:
            return None
        count = size = 0
        sharded = self._layout.pipeline.shard is not None and not self._layout.pipeline.stages
        for piece in self.touching(box):
            stored = self._size_of(piece.key) if piece.count == 1 else None
            if stored is None:
                continue
            found = Reads(1 + piece.chunks if sharded else 1, stored)
            if sharded and not self._within(piece, box):
                found = self._inner_reads(piece, box)
            count, size = count + found.number, size + found.bytes
        return Reads(count, size)

    def _within(self, piece: Piece, box: Box) -> bool:
        """Whether all of a piece is in a box."""
        sides = zip(*self.extent(piece), box, strict=True)
        return all(first <= at and at + length <= end for at, length, (first, end) in sides)

    def _inner_reads(self, piece: Piece, box: Box) -> Reads:
        """Return what reading those chunks of a shard takes that touch a box; its index is read."""
        source = self._opened(piece.key)
        if source is None:
            return Reads(0, 0)
        with closing(source):
            return inner_reads(self._cell(piece), source, box)

    def extent(self, piece: Piece) -> tuple[Place, Place]:
        """The index of the first entry of a piece, and the shape of what it holds; of a gap, of a box around it."""
        return box_around(piece, self._grid)

    def stray(self) -> Sequence[str]:
        """The first sixteen names of what lies in the folder of the array, and is not a chunk and no document of it."""
        listing = self._listing
        if listing is None:
            return ()
        # Chunks of another encoding are not files beside the point where those that the metadata name are absent.
        return sorted([*listing.stray, *(listing.others if listing.complete else ())])[:SHOWN]

    def read(self, piece: Piece) -> Iterator[Outcome]:
        """The blocks of a piece; a damaged chunk in their place, and the others follow."""
        return self.read_into(piece, None)

    def read_into(self, piece: Piece, target: Target | None) -> Iterator[Outcome]:
        """The blocks of a piece; with a target, of a shard only those that touch it, decoded there if they can be."""
        source = None
        try:
            if piece.count == 1:
                source = self._opened(piece.key)
        except ChunkDamaged as damaged:
            yield damaged.at(piece.key)
            return
        if source is None:
            yield from self._absent(piece)
            return
        with closing(source), self._pool.borrowed() as buffers:
            yield from chunk_blocks(self._layout, self._cell(piece), source, buffers, target)

    def _cell(self, piece: Piece) -> Cell:
        place = place_of(piece.index, self._counts)
        start = tuple([at * length for at, length in zip(place, self._layout.chunk, strict=True)])
        return Cell(self._layout.pipeline, start, self._layout.chunk, piece.key)

    def _absent(self, piece: Piece) -> Iterator[Outcome]:
        """The fill value in place of a piece, or why it is none: what lies in its place, or under other keys."""
        listing = self._listed()
        blocking = None if listing is None else listing.blocking(piece.index)
        if blocking is not None:
            yield ChunkDamaged("undecodable", "a symbolic link, which is never followed, or no folder", blocking)
        elif listing is not None and listing.others:
            field = "dimension_separator in .zarray" if self._layout.version == 2 else "chunk_key_encoding in zarr.json"
            words = (
                f"expected a chunk under this key, found {listing.others[0]}: correct {field}, or the names of chunks"
            )
            yield ChunkDamaged("misplaced", words, piece.key)
        else:
            yield from absent_blocks(piece, self._grid, self._key, self.fill)

    def _listed(self) -> Listing | None:
        """What lies in the folder of the array, listed once; None where the store cannot list."""
        if self._listing is None and self._opened_folder is not None:
            try:
                with closing(self._opened_folder()) as folder:
                    self._listing = listing_of(self._layout, self._counts, folder)
            except Unreadable:
                self._opened_folder = None  # without the right to list, each chunk is asked for by its key
        return self._listing

    def _piece(self, index: int, place: Place, decoded_bytes: int) -> Piece:
        return Piece(index, self._layout.key(place), decoded_bytes, self._grid.chunks(place, (1,) * len(place)))

    def _key(self, index: int) -> str:
        return self._layout.key(place_of(index, self._counts))

    def _decoded_bytes(self) -> int:
        return block_bytes(self._layout.pipeline, self._layout.chunk, self.dtype)
