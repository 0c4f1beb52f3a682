"""A part of an array out of its `Values`: only the pieces that it touches are read, several at a time."""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vizschema.bounds import MEMORY
from vizschema.containers.bytes.target import Target
from vizschema.containers.values import Block, Box, ChunkDamaged, Piece, Placed, Values, reads_of
from vizschema.errors import Damaged
from vizschema.scan.pictures import picture
from vizschema.scan.pool import read_pieces
from vizschema.text import escape_text

THREADS = 8
"""Pieces that are read at a time where their bytes come from far away; elsewhere no more than there are CPUs."""

ALONE = 1 << 20
"""Bytes of a part that one thread reads on its own: starting others would take longer."""

IN_MEMORY = 64 << 20
"""Maximum bytes of a packed array that are decoded into memory; a larger one goes into a temporary file."""


KEPT = 16 << 20
"""Bytes of decoded parts of one archive that are kept for who reads them again."""

_ASKED = 256
"""Parts of which is known that they were asked for."""


class Cost(NamedTuple):
    """What reading a part of an archive takes, returned by `Selection.cost`; at most: what was read lately is kept.

    Attributes:
        requests: How many reads, or requests of an archive at a URL.
        bytes: How many bytes, as they are stored.
        exact: Whether the bytes are those that are stored; else they are those that they decode to, which are known
            without a request.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     cost = archive["/outputs/logits"].isel(prompt=0).cost()
        ...     print(cost.requests, cost.exact)
        1 True
    """

    requests: int
    bytes: int
    exact: bool

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        """Return both together."""
        return Cost(self.requests + other.requests, self.bytes + other.bytes, self.exact and other.exact)


Sides = tuple[tuple[int, int], ...]
"""A `Box` as a key."""


class Kept:
    """Parts of the arrays of an archive as they were decoded, those asked for last; for many threads."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Any, npt.NDArray[Any]] = OrderedDict()
        self._asked: OrderedDict[Any, None] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Any) -> npt.NDArray[Any] | None:
        """The part under a key; not to be changed."""
        with self._lock:
            part = self._parts.get(key)
            if part is not None:
                self._parts.move_to_end(key)
            return part

    def keep(self, key: Any, part: npt.NDArray[Any]) -> None:
        """Keep a part of at most `KEPT` bytes, and as many of the others as fit beside it."""
        with self._lock:
            if key not in self._parts:
                self._parts[key] = part
                self._bytes += part.nbytes
            while self._bytes > KEPT:
                self._bytes -= self._parts.popitem(last=False)[1].nbytes

    def again(self, key: Any) -> bool:
        """Whether the part under a key was asked for lately."""
        with self._lock:
            found = key in self._asked
            self._asked[key] = None
            self._asked.move_to_end(key)
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)
            return found

    def clear(self) -> None:
        """Keep nothing more of what there was."""
        with self._lock:
            self._parts.clear()
            self._bytes = 0


class Selectable:
    """The array at `path`, read when it is indexed; `opened` gives the values of a path, `kept` holds parts of them.

    Integers and slices read the pieces that they touch, which are kept as long as they are small; any other index is
    applied to the whole array, and so is every one where the array is packed as a whole: it is decoded once.
    """

    def __init__(self, path: str, opened: Callable[[str], Values], kept: Kept, *, remote: bool = False) -> None:
        self._path = path
        self._opened = opened
        self._kept = kept
        self.remote = remote
        self._whole: npt.NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """The values at a key of NumPy, in memory of their own; raises `Damaged` where a chunk cannot be read."""
        try:
            values = self._opened(self._path)
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        asked = _asked(key, values.shape)
        around = _around(asked, values)
        place = (self._path, around)
        found = None if around is None else self._kept.find(place)
        if around is None or (found is None and self._once(values, asked, around)):
            return np.asarray(self._read(values, asked.box, asked.steps)[asked.within])
        if found is None:
            found = self._read(values, around, [1] * len(around))
            self._kept.keep(place, found)
        part = [
            slice(first - low, end - low, step)
            for (first, end), (low, _), step in zip(asked.box, around, asked.steps, strict=True)
        ]
        return np.array(found[tuple(part)][asked.within])

    @property
    def by_range(self) -> bool:
        """Whether a part of the array is read without decoding all of it."""
        try:
            return bool(getattr(self._opened(self._path), "by_range", True))
        except ChunkDamaged:
            return True

    def check(self) -> None:
        """Raise `Damaged` where a checksum of the whole array is another one; nothing that is read is kept."""
        try:
            values = self._opened(self._path)
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        for piece in values.pieces():
            for block in values.read(piece):
                if isinstance(block, ChunkDamaged):
                    raise self._damaged(block)

    def _once(self, values: Values, asked: _Asked, around: Sides) -> bool:
        """Whether a part is read and not kept: nothing else is decoded with it, and it was not asked for lately."""
        alone = getattr(values, "plain", False) or (asked.exact and around == asked.box)
        return alone and not self._kept.again((self._path, around))

    def cost(self, key: Sequence[int | range]) -> Cost:
        """Return what reading these positions along every axis takes; raise `Damaged` if an index cannot be read."""
        ends = [(index, index) if isinstance(index, int) else _ends(index) for index in key]
        box = [(min(one, other), max(one, other) + 1) for one, other in ends]
        if any(isinstance(index, range) and not index for index in key):
            return Cost(0, 0, exact=True)
        try:
            values = self._opened(self._path)
            found = reads_of(values, box)
            if found is not None:
                return Cost(found.number, found.bytes, exact=not self.remote)
            pieces = list(values.touching(box)) if isinstance(values, Placed) else list(values.pieces())
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        return Cost(len(pieces), sum(piece.decoded_bytes * piece.chunks for piece in pieces), exact=False)

    def picture(self, axes: Sequence[str | None] | None) -> dict[str, Any] | None:
        """Return a picture of at most 8 MiB of the values, as `scan.pictures` draws it; None if there is none."""
        try:
            return None if self.remote else picture(self._opened(self._path), axes, every=True)
        except ChunkDamaged:
            return None

    def _read(self, values: Values, box: Box, steps: Sequence[int]) -> npt.NDArray[Any]:
        """The values of a box at these steps."""
        sizes = [-(-(end - first) // step) for (first, end), step in zip(box, steps, strict=True)]
        if 0 in sizes:
            return np.empty(sizes, values.dtype)
        if hasattr(values, "spans"):
            spans: Values | None = values.spans(box, steps)
            if spans is None:
                if self._whole is None:
                    everything = [(0, size) for size in values.shape]
                    self._whole = self._filled(values, Target(everything, [1] * len(everything), _space(values)))
                cut = zip(box, steps, strict=True)
                return np.array(self._whole[tuple([slice(first, end, step) for (first, end), step in cut])])
            values = spans
        empty = np.zeros if values.dtype.kind == "V" else np.empty  # nothing is copied between the fields of records
        return self._filled(values, Target(box, steps, empty(sizes, values.dtype)))

    def _filled(self, values: Values, target: Target) -> npt.NDArray[Any]:
        """The memory of the target once every one of its values was read."""
        found = target.memory
        if not found.size:
            return found
        pieces = values.touching(target.box) if hasattr(values, "touching") else values.pieces()
        first = list(islice(pieces, 2))
        plain = found.nbytes <= ALONE or getattr(values, "plain", False)
        alone = len(first) < 2 or (plain and not self.remote)
        copied: list[int] = []

        def read(piece: Piece) -> None:
            copied.append(self._copied(values, piece, target))

        if alone:
            for piece in chain(first, pieces):
                read(piece)
        else:
            threads = THREADS if self.remote else min(THREADS, os.cpu_count() or 1)
            read_pieces(read, chain(first, pieces), threads, MEMORY)
        cells = sum(copied)
        if cells != found.size:
            detail = f"{found.size - cells} of {found.size} values are in no chunk"
            raise Damaged(self._path, self._path, "truncated", detail)
        return found

    def _copied(self, values: Values, piece: Piece, target: Target) -> int:
        """How many values of `piece` were put into the target."""
        if target.sparse and isinstance(values, Placed) and not target.meets(*values.extent(piece)):
            return 0
        cells = 0
        into = getattr(values, "read_into", None)  # of a shard, not all of it
        for block in values.read(piece) if into is None else into(piece, target):
            if isinstance(block, ChunkDamaged):
                raise self._damaged(block)
            cells += target.put(block)
        return cells

    def _damaged(self, damaged: ChunkDamaged) -> Damaged:
        return Damaged(self._path, escape_text(damaged.key), damaged.reason, escape_text(damaged.detail))


class Held:
    """Values in memory, as `Values`."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.dtype, self.shape, self._values = values.dtype, values.shape, values

    def pieces(self) -> Iterator[Piece]:
        """Return all of them as one piece."""
        yield Piece(0, "", self._values.nbytes, 1)

    def read(self, _: Piece) -> Iterator[Block | ChunkDamaged]:
        """Return all of them as one block."""
        yield Block((0,) * self._values.ndim, np.ascontiguousarray(self._values).reshape(self.shape))


def _ends(index: range) -> tuple[int, int]:
    """The first and the last of positions; anything for none."""
    return (index[0], index[-1]) if index else (0, 0)


def _space(values: Values) -> npt.NDArray[Any]:
    """Memory for the whole array, or a file that is gone when the array is."""
    if values.dtype.hasobject or math.prod(values.shape) * values.dtype.itemsize <= IN_MEMORY:
        return np.empty(values.shape, values.dtype)
    with tempfile.TemporaryFile(prefix="vizschema-") as file:
        return np.memmap(file, values.dtype, "w+", shape=values.shape)


def expanded(key: Any, rank: int) -> list[Any] | None:
    """One integer or slice for every axis; None for any other kind of index."""
    steps = list(key) if isinstance(key, tuple) else [key]
    if any(not (isinstance(step, slice | int | np.integer) or step is Ellipsis) for step in steps):
        return None
    if any(isinstance(step, bool | np.bool_) for step in steps) or sum(step is Ellipsis for step in steps) > 1:
        return None
    missing = rank - sum(step is not Ellipsis for step in steps)
    if missing < 0:
        return None
    if Ellipsis not in steps:
        steps.append(Ellipsis)
    place = steps.index(Ellipsis)
    return [*steps[:place], *[slice(None)] * missing, *steps[place + 1 :]]


class _Asked(NamedTuple):
    """The box that a key reads, every how many entries of it, and the index of what is asked for within these.

    `exact` is whether that is all of the box.
    """

    box: Sides
    steps: Sequence[int]
    within: Any
    exact: bool


_FORWARD, _TURNED = slice(None), slice(None, None, -1)


def _asked(key: Any, shape: tuple[int, ...]) -> _Asked:
    """What a key asks for of an array of this shape; raises `IndexError`."""
    everything = tuple([(0, size) for size in shape])
    keys = expanded(key, len(shape))
    if keys is None:
        return _Asked(everything, [1] * len(shape), key, exact=False)
    box: list[tuple[int, int]] = []
    steps: list[int] = []
    within: list[Any] = []
    for axis, (step, size) in enumerate(zip(keys, shape, strict=True)):
        if isinstance(step, slice):
            entries = range(*step.indices(size))
            ends = (entries[0], entries[-1]) if entries else (0, -1)
            box.append((min(ends), max(ends) + 1) if entries else (0, 0))
            steps.append(abs(entries.step))
            within.append(_FORWARD if entries.step > 0 else _TURNED)
            continue
        at = int(step) + size if step < 0 else int(step)
        if not 0 <= at < size:
            raise IndexError(f"index {step} is out of bounds for axis {axis} with size {size}")
        box.append((at, at + 1))
        steps.append(1)
        within.append(0)
    exact = steps.count(1) == len(steps)
    return _Asked(tuple(box), steps, (*within, ...), exact)


def _around(asked: _Asked, values: Values) -> Sides | None:
    """The chunks that are touched, as a box, or what is asked for where there are none; None for what is not kept."""
    chunk, item = getattr(values, "chunk", None), values.dtype.itemsize
    if values.dtype.hasobject or (chunk is None and not asked.exact):
        return None
    around = []
    for (first, end), length, size in zip(asked.box, chunk or [1] * len(asked.box), values.shape, strict=True):
        if first >= end:
            return None
        low, high = first // length * length, min(size, -(-end // length) * length)
        around.append((low, high))
        item *= high - low
    return tuple(around) if item <= KEPT else None
