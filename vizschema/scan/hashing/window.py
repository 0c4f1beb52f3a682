"""Ranges of an array in C order: which boxes they are made of, and how boxes of values are put into one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.values import boxes

Place = tuple[int, ...]


def flat(start: Sequence[int], shape: Sequence[int]) -> int:
    """The number of an entry in C order."""
    number = 0
    for at, size in zip(start, shape, strict=True):
        number = number * size + at
    return number


def span(start: Sequence[int], extent: Sequence[int], shape: Sequence[int]) -> tuple[int, int]:
    """The shortest range of entries (first, end) in C order that holds a box."""
    last = [at + length - 1 for at, length in zip(start, extent, strict=True)]
    return flat(start, shape), flat(last, shape) + 1


def slab(start: Sequence[int], extent: Sequence[int], shape: Sequence[int]) -> tuple[int, int]:
    """The range of entries (first, end) that a box shares with those beside it: all that has its leading indices.

    A box whose slab has no more entries than itself lies along the logical order.
    """
    axis = 0
    while axis < len(shape) - 1 and extent[axis] == 1:
        axis += 1
    if not shape:
        return 0, 1
    inside = math.prod(shape[axis + 1 :])
    first = flat(start[: axis + 1], shape[: axis + 1]) * inside
    return first, first + extent[axis] * inside


class Window:
    """The bytes of the entries from `first` to `end` of an array, filled from boxes of values.

    `put` may be called from several threads, for boxes that do not overlap; `left` is theirs to keep.
    """

    __slots__ = ("_boxes", "data", "end", "first", "left")

    def __init__(self, first: int, end: int, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.first = first
        self.end = end
        self.left = end - first
        self.data: npt.NDArray[Any] = np.empty(end - first, dtype)
        self._boxes = []
        at = 0
        for start, extent in boxes(first, end, shape):
            size = math.prod(extent)
            self._boxes.append((start, extent, self.data[at : at + size].reshape(extent)))
            at += size

    def put(self, start: Sequence[int], values: npt.NDArray[Any]) -> int:
        """How many entries of a box of values, the first of which has the index `start`, were in the range."""
        taken = 0
        for first, extent, target in self._boxes:
            here, there = [], []
            for at, length, low, size in zip(start, values.shape, first, extent, strict=True):
                begin, stop = max(at, low), min(at + length, low + size)
                if begin >= stop:
                    break
                here.append(slice(begin - low, stop - low))
                there.append(slice(begin - at, stop - at))
            else:
                part = values[tuple(there)]
                target[tuple(here)] = part
                taken += part.size
        return taken

    def holds(self, start: Sequence[int], extent: Sequence[int]) -> bool:
        """Whether a box has an entry in the range."""
        return any(
            all(
                max(at, low) < min(at + length, low + size)
                for at, length, low, size in zip(start, extent, first, many, strict=True)
            )
            for first, many, _ in self._boxes
        )
