"""A part of an array out of its `Values`: only the pieces that it touches are read, several at a time."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.bounds import MEMORY
from vizschema.containers.values import BLOCK_BYTES, Block, Box, ChunkDamaged, Piece, Values
from vizschema.errors import Damaged
from vizschema.scan.pool import read_pieces
from vizschema.text import escape_text

THREADS = 8
"""Pieces that are read at a time where their bytes come from far away; elsewhere no more than there are CPUs."""

ALONE = 1 << 20
"""Bytes of a part that one thread reads on its own: starting others would take longer."""

FLOOR = 64 << 10
"""Bytes of the smallest range that is read of an array without chunks."""

IN_MEMORY = 64 << 20
"""The most bytes of a packed array that are decoded into memory; a larger one goes into a temporary file."""


class Selectable:
    """The array at `path`, read when it is indexed; `opened` gives the values of a path.

    Integers and slices read the pieces that they touch; any other index is applied to the whole array, and so is every
    one where the array is packed as a whole: it is decoded once.
    """

    def __init__(self, path: str, opened: Callable[[str], Values], *, remote: bool = False) -> None:
        self._path = path
        self._opened = opened
        self._threads = THREADS if remote else min(THREADS, os.cpu_count() or 1)
        self._alone = 0 if remote else ALONE
        self._whole: npt.NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """The values at a key of NumPy, in memory of their own; raises `Damaged` where a chunk cannot be read."""
        try:
            values = self._opened(self._path)
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        box = _box(key, values.shape)
        everything = [(0, size) for size in values.shape]
        if box != everything and hasattr(values, "ranged"):
            most = min(BLOCK_BYTES, max(FLOOR, _cells(box) * values.dtype.itemsize))
            ranged: Values | None = values.ranged(most)
            if ranged is None:
                if self._whole is None:
                    self._whole = self._filled(values, everything, _space(values))
                return np.array(self._whole[key])
            values = ranged
        found = np.empty([last - first for first, last in box], values.dtype)
        return np.asarray(self._filled(values, box, found)[_within(key, values.shape, box)])

    def _filled(self, values: Values, box: Box, found: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`found` once every one of its values was read."""
        if not found.size:
            return found
        pieces = values.touching(box) if hasattr(values, "touching") else values.pieces()
        first = list(islice(pieces, 2))
        alone = len(first) < 2 or found.nbytes <= self._alone
        copied: list[int] = []
        read_pieces(
            lambda piece: copied.append(self._copied(values, piece, box, found)),
            chain(first, pieces),
            1 if alone else self._threads,
            MEMORY,
        )
        cells = sum(copied)
        if cells != found.size:
            detail = f"{found.size - cells} of {found.size} values are in no chunk"
            raise Damaged(self._path, self._path, "truncated", detail)
        return found

    def _copied(self, values: Values, piece: Piece, box: Box, found: npt.NDArray[Any]) -> int:
        """How many values of `piece` were put into `found`."""
        cells = 0
        within = getattr(values, "read_within", None)  # of a shard, not all of it
        for block in values.read(piece) if within is None else within(piece, box):
            if isinstance(block, ChunkDamaged):
                raise self._damaged(block)
            cells += _paste(block, box, found)
        return cells

    def _damaged(self, damaged: ChunkDamaged) -> Damaged:
        return Damaged(self._path, escape_text(damaged.key), damaged.reason, escape_text(damaged.detail))


def _cells(box: Box) -> int:
    return math.prod(last - first for first, last in box)


def _space(values: Values) -> npt.NDArray[Any]:
    """Memory for the whole array, or a file that is gone when the array is."""
    if values.dtype.kind == "T" or math.prod(values.shape) * values.dtype.itemsize <= IN_MEMORY:
        return np.empty(values.shape, values.dtype)
    with tempfile.TemporaryFile(prefix="vizschema-") as file:
        return np.memmap(file, values.dtype, "w+", shape=values.shape)


def _paste(block: Block, box: Box, found: npt.NDArray[Any]) -> int:
    """How many values of a block lie in the box; they are put into `found`."""
    source, target = [], []
    cells = 1
    for at, length, (first, last) in zip(block.start, block.values.shape, box, strict=True):
        low, high = max(at, first), min(at + length, last)
        if low >= high:
            return 0
        source.append(slice(low - at, high - at))
        target.append(slice(low - first, high - first))
        cells *= high - low
    found[tuple(target)] = block.values[tuple(source)]
    return cells


def _expanded(key: Any, rank: int) -> list[Any] | None:
    """One integer or slice for every axis; null for any other kind of index."""
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


def _box(key: Any, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """The first entry along every axis that is read, and the one after the last."""
    steps = _expanded(key, len(shape))
    if steps is None:
        return [(0, size) for size in shape]
    box = []
    for axis, (step, size) in enumerate(zip(steps, shape, strict=True)):
        if isinstance(step, slice):
            entries = range(*step.indices(size))
            box.append((min(entries[0], entries[-1]), max(entries[0], entries[-1]) + 1) if entries else (0, 0))
            continue
        at = int(step) + size if step < 0 else int(step)
        if not 0 <= at < size:
            raise IndexError(f"index {step} is out of bounds for axis {axis} with size {size}")
        box.append((at, at + 1))
    return box


def _within(key: Any, shape: tuple[int, ...], box: list[tuple[int, int]]) -> Any:
    """The key, for the box alone."""
    steps = _expanded(key, len(shape))
    if steps is None:
        return key
    inner: list[Any] = []
    for step, size, (first, last) in zip(steps, shape, box, strict=True):
        if not isinstance(step, slice):
            inner.append(0)
        elif first == last:
            inner.append(slice(0, 0))
        else:
            start, _, stride = step.indices(size)
            inner.append(slice(start - first, None, stride))
    return tuple(inner)
