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
from vizschema.containers.bytes.target import Target
from vizschema.containers.values import ChunkDamaged, Piece, Placed, Values
from vizschema.errors import Damaged
from vizschema.scan.pool import read_pieces
from vizschema.text import escape_text

THREADS = 8
"""Pieces that are read at a time where their bytes come from far away; elsewhere no more than there are CPUs."""

ALONE = 1 << 20
"""Bytes of a part that one thread reads on its own: starting others would take longer."""

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
        self._remote = remote
        self._whole: npt.NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """The values at a key of NumPy, in memory of their own; raises `Damaged` where a chunk cannot be read."""
        try:
            values = self._opened(self._path)
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        box, steps = _box(key, values.shape)
        if hasattr(values, "spans"):
            spans: Values | None = values.spans(box, steps)
            if spans is None:
                if self._whole is None:
                    everything = [(0, size) for size in values.shape]
                    self._whole = self._filled(values, Target(everything, [1] * len(everything), _space(values)))
                return np.array(self._whole[key])
            values = spans
        sizes = [-(-(end - first) // step) for (first, end), step in zip(box, steps, strict=True)]
        empty = np.zeros if values.dtype.kind == "V" else np.empty  # nothing is copied between the fields of records
        found = self._filled(values, Target(box, steps, empty(sizes, values.dtype)))
        return np.asarray(found[_within(key, values.shape)])

    def _filled(self, values: Values, target: Target) -> npt.NDArray[Any]:
        """The memory of the target once every one of its values was read."""
        found = target.memory
        if not found.size:
            return found
        pieces = values.touching(target.box) if hasattr(values, "touching") else values.pieces()
        first = list(islice(pieces, 2))
        plain = found.nbytes <= ALONE or getattr(values, "plain", False)
        alone = len(first) < 2 or (plain and not self._remote)
        copied: list[int] = []

        def read(piece: Piece) -> None:
            copied.append(self._copied(values, piece, target))

        if alone:
            for piece in chain(first, pieces):
                read(piece)
        else:
            read_pieces(read, chain(first, pieces), self._threads, MEMORY)
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


def _space(values: Values) -> npt.NDArray[Any]:
    """Memory for the whole array, or a file that is gone when the array is."""
    if values.dtype.kind == "T" or math.prod(values.shape) * values.dtype.itemsize <= IN_MEMORY:
        return np.empty(values.shape, values.dtype)
    with tempfile.TemporaryFile(prefix="vizschema-") as file:
        return np.memmap(file, values.dtype, "w+", shape=values.shape)


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


def _box(key: Any, shape: tuple[int, ...]) -> tuple[list[tuple[int, int]], list[int]]:
    """The first entry along every axis that is read, and the one after the last; and from each to the next."""
    steps = _expanded(key, len(shape))
    if steps is None:
        return [(0, size) for size in shape], [1] * len(shape)
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
    return box, [abs(step.step or 1) if isinstance(step, slice) else 1 for step in steps]


def _within(key: Any, shape: tuple[int, ...]) -> Any:
    """The key, for what was read of the box."""
    steps = _expanded(key, len(shape))
    if steps is None:
        return key
    turned = [slice(None, None, -1 if (step.step or 1) < 0 else 1) if isinstance(step, slice) else 0 for step in steps]
    return (*turned, ...)
