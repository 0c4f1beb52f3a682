"""A part of an array out of its `Values`: only the pieces that it takes are read, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.values import Block, ChunkDamaged, Piece, Placed, Values
from vizschema.errors import NotAnArchive

THREADS = 8
"""Pieces that are read at a time: their bytes may come from far away."""


class Selectable:
    """An array that is read when it is indexed; `values` gives its values anew, `path` is what to call it.

    Integers and slices read the pieces that they touch; any other index is applied to the whole array.
    """

    def __init__(self, values: Callable[[], Values], path: str) -> None:
        self._values = values
        self._path = path

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """The values at a key of NumPy; raises `NotAnArchive` where a chunk that it takes is damaged."""
        try:
            values = self._values()
        except ChunkDamaged as damaged:
            raise self._damaged(damaged) from None
        box = _box(key, values.shape)
        found = np.zeros([last - first for first, last in box], values.dtype)
        with ThreadPoolExecutor(THREADS) as pool:
            pending = [pool.submit(self._copy, values, piece, box, found) for piece in _touched(values, box)]
            for future in pending:
                future.result()
        return np.asarray(found[_within(key, values.shape, box)])

    def _copy(self, values: Values, piece: Piece, box: list[tuple[int, int]], found: npt.NDArray[Any]) -> None:
        for block in values.read(piece):
            if isinstance(block, ChunkDamaged):
                raise self._damaged(block)
            _paste(block, box, found)

    def _damaged(self, damaged: ChunkDamaged) -> NotAnArchive:
        return NotAnArchive(f"{self._path}: cannot be read: chunk {damaged.key}: {damaged.reason}: {damaged.detail}")


def _touched(values: Values, box: list[tuple[int, int]]) -> Iterator[Piece]:
    """The pieces that hold anything of `box`; all of them where nobody knows."""
    if any(first >= last for first, last in box):
        return
    for piece in values.pieces():
        if isinstance(values, Placed):
            start, shape = values.extent(piece)
            sides = zip(start, shape, box, strict=True)
            if any(at >= last or at + length <= first for at, length, (first, last) in sides):
                continue
        yield piece


def _paste(block: Block, box: list[tuple[int, int]], found: npt.NDArray[Any]) -> None:
    source, target = [], []
    for at, length, (first, last) in zip(block.start, block.values.shape, box, strict=True):
        low, high = max(at, first), min(at + length, last)
        if low >= high:
            return
        source.append(slice(low - at, high - at))
        target.append(slice(low - first, high - first))
    found[tuple(target)] = block.values[tuple(source)]


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
