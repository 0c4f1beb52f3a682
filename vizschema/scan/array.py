"""One array while it is scanned: its accumulators, what is known beforehand, the damage that was met, and its facts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.bounds import Progress
from vizschema.containers.values import (
    SHOWN,
    Block,
    ChunkDamaged,
    Damage,
    HasValues,
    Piece,
    Values,
    clipped,
    grid_counts,
    grid_of,
    places,
    read_whole,
)
from vizschema.description import ITEM_BYTES, Description, Node, axis_key
from vizschema.scan.facts import FLOATS, Asked, asked_of
from vizschema.scan.facts.base import Accumulator, Context, Seen, quiet
from vizschema.scan.facts.masks import Mask, beside_rows, mask_of
from vizschema.scan.hashing.array import ArrayHash, Memory
from vizschema.scan.hashing.finish import finish
from vizschema.text import escape_text

PARTNER_BYTES = 64 << 20
"""The largest partner that is read; with a larger one the fact is None."""

_CACHED = 1 << 20
DamagedAt = tuple[int, int, ChunkDamaged]
"""Damage and where it stands in storage order."""


@dataclass(slots=True)
class Part:
    """What was found in some pieces of an array."""

    accumulators: list[Accumulator]
    damaged: list[DamagedAt] = field(default_factory=list)
    damaged_count: int = 0
    absent: int = 0
    absent_in: list[tuple[int, str]] = field(default_factory=list)
    pieces: int = 0
    chunks_read: int = 0
    bytes_read: int = 0


class ScannedArray:
    """The array at `path`, from before its first piece is read until its facts are asked for."""

    def __init__(
        self,
        container: HasValues,
        description: Description,
        path: str,
        entries: Sequence[Mapping[str, Any]],
        memory: int,
        progress: Progress | None = None,
        hashing: Memory | None = None,
    ) -> None:
        self.path = path
        self.node: Node = description["nodes"][path]
        self.seen = False
        self.begun = False
        self.first: Any = None
        self._container = container
        self._description = description
        self._asked: tuple[Asked, ...] = asked_of(entries, path, self.node)
        self._hash: ArrayHash | None = None
        self._hashing = hashing
        self._masks: dict[str | None, Mask | None] = {None: None}
        self._memory = memory
        self._progress = progress
        self._values: Values | None = None
        self._contexts: list[Context] | None = None
        self._begin = threading.Lock()
        self._total: Part | None = None
        self._given: int | None = None
        self._refused = Part([])

    @property
    def damaged_count(self) -> int:
        """How many chunks were found to be damaged so far."""
        return self._refused.damaged_count + (self._total.damaged_count if self._total else 0)

    @property
    def chunks_read(self) -> int:
        """How many chunks were read, those included that were never written."""
        return self._total.chunks_read if self._total else 0

    @property
    def bytes_read(self) -> int:
        """How many decoded bytes were read."""
        return self._total.bytes_read if self._total else 0

    def pieces(self) -> Iterator[Piece]:
        """Every piece; after the last one, what was not read is missing and not merely to come."""
        self.seen = True
        given = 0
        values = self.open()
        if values is not None:
            for piece in values.pieces():
                given += 1
                yield piece
        self._given = given

    def open(self) -> Values | None:
        """The values, opened; None, and noted as damage, where that cannot be done."""
        try:
            self._values = self._container.values(self.path)
        except ChunkDamaged as damaged:
            _note(self._refused, 0, damaged)
            return None
        if self._hashing is not None:
            self._hash = ArrayHash(self._values.shape, self._values.dtype, self._hashing)
        return self._values

    def begin(self, first: Any) -> None:
        """Take `first` for the array's first value [], None where it could not be read: another process looked."""
        self.first = first
        self._contexts = [self._context(asked, first) for asked in self._asked]
        self._total = Part(self._start(self._contexts))

    @property
    def values(self) -> Values | None:
        """The values, once they were opened."""
        return self._values

    def note(self, damaged: ChunkDamaged) -> None:
        """Note damage that was met when values were read again."""
        _note(self._refused, 0, damaged)

    def refuse(self, piece: Piece, detail: str) -> None:
        """Note that a piece is not read, since it is over a limit."""
        _note(self._refused, piece.index, ChunkDamaged("over-limit", detail, piece.key))
        self._refused.pieces += 1

    def read(self, pieces: Sequence[Piece], stop: threading.Event) -> Part:
        """What is in `pieces`, on any thread; ends early once `stop` is set."""
        values = self._values
        assert values is not None  # pieces come from it  # noqa: S101
        part: Part | None = None
        done = 0
        with quiet():
            for piece in pieces:
                if stop.is_set():
                    break
                done += 1
                chunks = piece.chunks
                for found in values.read(piece):
                    if part is None:
                        part = self._part(found)
                    if isinstance(found, ChunkDamaged):
                        _note(part, piece.index, found)
                        chunks -= 1
                        continue
                    if found.absent:
                        _note_absent(part, piece.index, found)
                    self._add(part, found)
                if part is not None:
                    part.chunks_read += max(chunks, 0)
        part = part or Part([])
        part.pieces = done
        return part

    def expect_blocks(self) -> None:
        """Get all blocks by `take`, so that nothing is read."""
        self.seen, self._given = True, 0

    def take(self, block: Block) -> None:
        """Take in a block; from one thread."""
        part = self._part(block)
        self._add(part, block)
        self.merge(part)

    def merge(self, part: Part) -> None:
        """Take in what `read` found; from one thread."""
        self.begun = True
        if self._total is None or not self._total.accumulators:
            part, self._total = self._total or Part([]), part
        total = self._total
        for mine, other in zip(total.accumulators, part.accumulators, strict=False):
            mine.merge(other)
        total.damaged = sorted([*total.damaged, *part.damaged], key=lambda damage: damage[:2])[:SHOWN]
        total.damaged_count += part.damaged_count
        total.absent += part.absent
        total.absent_in = sorted({*total.absent_in, *part.absent_in})[:SHOWN]
        total.pieces += part.pieces
        total.chunks_read += part.chunks_read
        total.bytes_read += part.bytes_read
        if self._hash is not None and self.is_read:
            self._hash.release()

    @property
    def is_read(self) -> bool:
        """Whether every piece was read, or refused."""
        done = self._refused.pieces + (self._total.pieces if self._total else 0)
        return self._given is not None and done >= self._given

    @property
    def is_settled(self) -> bool:
        """Whether the facts will change no more: every piece was read, and the hash, if any, lacks nothing."""
        return self.is_read and (self.hash is None or self.hash.root is not None)

    @property
    def hash(self) -> ArrayHash | None:
        """What the values are hashed into, where they are, and none of them is damaged."""
        return None if self.damaged_count else self._hash

    @property
    def hashed(self) -> ArrayHash | None:
        """What the values are hashed into, damage or not."""
        return self._hash

    def axis_size(self, name: str) -> int | None:
        """The size of an axis that has one in the scope of this array."""
        key = axis_key(self._description["nodes"], self.path, name)
        sizes = self._description["axes"].get(key, {})
        return int(next(iter(sizes))) if len(sizes) == 1 else None

    def partner(self, path: str) -> Any:
        """The values of another array of numbers; None where there is none, it is too large, or it cannot be read."""
        node = self._description["nodes"].get(path, {"kind": "group"})
        if node["kind"] != "array" or node["dtype"] not in ITEM_BYTES:
            return None
        try:
            return read_whole(self._container.values(path), min(PARTNER_BYTES, self._memory))
        except ChunkDamaged:
            return None

    def _mask(self, attribute: str | None) -> Mask | None:
        """The mask that an attribute names; None where there is none, or where it does not fit."""
        if attribute not in self._masks:
            values, axes = self._named(attribute, {"bool"})
            of, shape = self.node["axes"], self.node["shape"]
            self._masks[attribute] = None if values is None else mask_of(values, axes, of, shape)
        return self._masks[attribute]

    def _named(self, attribute: str | None, dtypes: Set[str]) -> tuple[Any, Sequence[str | None]]:
        """Values and axes of the array that an attribute names; None and nothing where it does not fit."""
        attributes, references = (self.node.get(key, {}) for key in ("attributes", "references"))
        path = attributes.get(attribute)
        node = self._description["nodes"].get(path, {}) if isinstance(path, str) else {}
        fits = references.get(attribute, {}).get("axes_fit", True)
        if node.get("dtype") not in dtypes or not fits or not self.node["axes"]:
            return None, ()
        values = self.partner(path)
        return values, node["axes"] or (None,) * len(node["shape"])

    def share(self, attribute: str | None, along: int | None) -> Any:
        """The values of floats that an attribute names, beside the rows along an axis; None where none fit."""
        values, axes = self._named(attribute, FLOATS)
        at = len(self.node["shape"]) - 1 if along is None else along
        of, shape = self.node["axes"], self.node["shape"]
        return None if values is None else beside_rows(values, axes, of, shape, at)

    def finish(self, threads: int) -> None:
        """Read again what the hash of the values lacks after all pieces were read once."""
        if self.hash is None or self._values is None or self._hashing is None:
            return
        try:
            finish(self._values, self.hash, self._hashing.most, threads, self._memory)
        except ChunkDamaged as damaged:
            self.note(damaged)

    def facts(self) -> Node:
        """The facts of the array as JSON; of one that was read in part, the damage alone."""
        total = self._total or Part(self._start(None))
        damaged = sorted([*total.damaged, *self._refused.damaged], key=lambda damage: damage[:2])[:SHOWN]
        facts: Node = {
            "damaged_chunks": [
                {"key": escape_text(problem.key), "reason": problem.reason, "detail": escape_text(problem.detail)}
                for _, _, problem in damaged
            ]
        }
        if not self.is_read:
            return facts
        stray: Sequence[str] = getattr(
            self._values, "stray", tuple
        )()  # of containers that list what lies beside chunks
        if stray:
            facts["stray"] = [escape_text(key) for key in stray]
        facts["absent_chunks"] = total.absent
        if total.absent:
            facts["absent_keys"] = [escape_text(key) for _, key in total.absent_in]
        for accumulator in total.accumulators or self._start(None):
            facts.update(accumulator.result())
        if damaged and "constant" in facts:
            facts["constant"] = False  # what lies in a damaged chunk may differ
        return facts

    def _part(self, found: Block | ChunkDamaged) -> Part:
        """Accumulators that have seen nothing; the first block of all says what the array's first value is."""
        with self._begin:
            if self._contexts is None:
                if isinstance(found, Block) and not any(found.start) and found.values.size:
                    self.first = np.array(found.values[(0,) * found.values.ndim])
                self._contexts = [self._context(asked, self.first) for asked in self._asked]
        return Part(self._start(self._contexts))

    def _start(self, contexts: list[Context] | None) -> list[Accumulator]:
        if contexts is None:
            contexts = [self._context(asked, None) for asked in self._asked]
        return [asked.fact.start(context) for asked, context in zip(self._asked, contexts, strict=True)]

    def _context(self, asked: Asked, first: Any) -> Context:
        return Context(
            tuple(self.node["shape"]),
            np.dtype(np.uint8) if first is None else first.dtype,
            first,
            fill=getattr(self._values, "fill", None),  # of values that have one: those of containers with chunks
            mask=self._mask(asked.entry.get("with_attribute")),
            **asked.fact.context(asked.entry, self),
        )

    def _add(self, part: Part, block: Block) -> None:
        size = block.values.nbytes
        part.bytes_read += size
        if self._progress is not None:
            self._progress(size)
        if not block.values.size:
            return
        whole = Seen(block.start, block.values, uniform=block.absent > 0)
        small = block.absent or size <= _CACHED
        seen = [whole] if small else list(_cached(whole))
        contexts = self._contexts or ()  # there are some, since `part` was made of them
        for asked, context, accumulator in zip(self._asked, contexts, part.accumulators, strict=True):
            for each in [whole] if asked.fact.whole(context, block.values.shape) else seen:
                mask = None if asked.fact.looks else context.mask
                accumulator.add(each if mask is None else mask.within(each))


class _Unreadable:
    """A container none of whose values can be read."""

    def __init__(self, damaged: ChunkDamaged) -> None:
        self._damaged = damaged

    def values(self, path: str) -> Values:  # noqa: ARG002
        raise self._damaged


def facts_of_unread(
    description: Description, path: str, entries: Sequence[Mapping[str, Any]], reason: Damage, detail: str
) -> Node:
    """The facts of an array of which nothing can be read: what is measured of no entries, and the damage."""
    damaged = ChunkDamaged(reason, detail, path)
    array = ScannedArray(_Unreadable(damaged), description, path, entries, memory=0)
    array.expect_blocks()
    array.note(damaged)
    return array.facts()


def _cached(whole: Seen) -> Iterator[Seen]:
    """A block in parts that a processor's cache holds, rows whole."""
    values = whole.values
    grid = grid_of(values.shape, values.dtype.itemsize, _CACHED)
    grid = (*grid[:-1], values.shape[-1])
    for place in places(grid_counts(values.shape, grid)):
        start = tuple(at * length for at, length in zip(place, grid, strict=True))
        size = clipped(start, grid, values.shape)
        part = values[tuple(slice(first, first + length) for first, length in zip(start, size, strict=True))]
        yield Seen(tuple(at + first for at, first in zip(whole.start, start, strict=True)), part)


def _note_absent(part: Part, index: int, block: Block) -> None:
    """Count chunks that were never written, and keep where they would be: in a shard, once for all of its chunks."""
    part.absent += block.absent
    for number, key in enumerate(block.absent_keys, index):
        if len(part.absent_in) < SHOWN and (number, key) not in part.absent_in[-1:]:
            part.absent_in.append((number, key))


def _note(part: Part, index: int, damaged: ChunkDamaged) -> None:
    if len(part.damaged) < SHOWN:
        part.damaged.append((index, part.damaged_count, damaged))
    part.damaged_count += 1
