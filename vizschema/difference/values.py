"""Where the values of two arrays differ: box by box, in memory that two boxes take. Sees no container."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

BOX = 4 << 20
"""Bytes of each array that are compared at a time, as far as chunks allow."""

LARGEST = 16 << 20
"""Bytes of a box at most; a larger chunk is read in parts."""

TEXT_BYTES = 1 << 10
"""Bytes that a text counts as, when it is decided how many are compared at a time."""

Box = list[tuple[int, int]]
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Values are equal if one of these allows it: a distance, a share of the larger value, steps of their dtype."""

    absolute: float = 0.0
    relative: float = 0.0
    ulp: int = 0

    @property
    def exact(self) -> bool:
        """Whether nothing is allowed but equal bits, and NaN for NaN."""
        return not (self.absolute or self.relative or self.ulp)


class Differences:
    """What was found so far in two arrays of one shape."""

    def __init__(self, shape: Sequence[int], tolerance: Tolerance) -> None:
        self.shape = tuple(shape)
        self.count = 0
        self.largest = self._sum = 0.0
        self.first: tuple[int, Any, Any] | None = None
        self._finite = 0
        self._tolerance = tolerance

    def add(self, box: Box, one: Array, other: Array) -> None:
        """Compare the values of both in a box, numbers or text."""
        if one.dtype.kind == "T":
            differs = np.asarray(one != other)
        else:
            differs = different(one, other, self._tolerance)
            distances = _distances(one, other)
            known = distances[np.isfinite(distances)]
            self._sum += float(known.sum())
            self._finite += known.size
            self.largest = max(self.largest, float(np.fmax.reduce(distances[differs], initial=0.0)))
        found = int(np.count_nonzero(differs))
        if not found:
            return
        self.count += found
        at = np.unravel_index(int(np.argmax(differs)), differs.shape)
        place = tuple(int(step) + low for step, (low, _) in zip(at, box, strict=True))
        flat = int(np.ravel_multi_index(place, self.shape)) if place else 0
        if self.first is None or flat < self.first[0]:
            self.first = flat, one[at], other[at]

    @property
    def mean(self) -> float:
        """The mean distance of all values whose distance is finite."""
        return self._sum / self._finite if self._finite else 0.0

    @property
    def index(self) -> list[int]:
        """Where the first difference is, in storage order of the axes."""
        return [int(step) for step in np.unravel_index(self.first[0], self.shape)] if self.first else []


def different(one: Array, other: Array, tolerance: Tolerance) -> npt.NDArray[np.bool_]:
    """Which values differ by more than the tolerance; NaN equals NaN, and without tolerance 0.0 is not -0.0."""
    both_nan = _nan(one) & _nan(other)
    if tolerance.exact:
        same = _equal(one, other)
        if one.dtype == other.dtype and one.dtype.kind != "b":
            size = one.dtype.itemsize
            bits = (np.ascontiguousarray(each).reshape(-1).view(np.uint8).reshape(-1, size) for each in (one, other))
            same = (next(bits) == next(bits)).all(axis=1).reshape(one.shape)
        return ~(same | both_nan)
    distances = _distances(one, other)
    with np.errstate(all="ignore"):
        larger = np.maximum(np.abs(_wide(one)), np.abs(_wide(other)))
        allowed = np.where(np.isfinite(larger), np.maximum(tolerance.absolute, tolerance.relative * larger), 0.0)
        same = (distances <= allowed) | _equal(one, other)
    if tolerance.ulp and one.dtype == other.dtype and _steps(one) is not None:
        steps = np.abs(_steps(one) - _steps(other))  # type: ignore[operator]
        same |= (steps <= tolerance.ulp) & ~np.isnan(distances)
    return np.asarray(~(same | both_nan))


def boxes(shape: Sequence[int], chunks: Sequence[int] | None, item_bytes: int) -> Iterator[Box]:
    """Boxes that cover an array, each of whole chunks and of about `BOX` bytes, or parts of a chunk that is larger."""
    sides = [min(length, size) for length, size in zip(chunks or [1] * len(shape), shape, strict=True)]
    for axis in reversed(range(len(shape))):
        size = max(1, math.prod(sides) * item_bytes)
        sides[axis] = min(shape[axis], sides[axis] * max(1, BOX // size))
        if sides[axis] < shape[axis]:
            break
    for axis in range(len(shape)):
        size = math.prod(sides) * item_bytes
        if size > LARGEST:
            sides[axis] = max(1, sides[axis] * LARGEST // size)
    starts = (range(0, size, max(1, side)) for size, side in zip(shape, sides, strict=True))
    for corner in product(*starts):
        yield [(low, min(size, low + side)) for low, size, side in zip(corner, shape, sides, strict=True)]


def _wide(values: Array) -> Array:
    return values if values.dtype.kind == "c" else values.astype(np.float64)


def _distances(one: Array, other: Array) -> npt.NDArray[np.float64]:
    """How far values are from each other; 0 for equal ones (infinities too) and for NaN beside NaN."""
    with np.errstate(all="ignore"):
        if one.dtype.kind in "iu" and one.dtype == other.dtype:
            far = np.where(one > other, one - other, other - one)  # wraps to the right unsigned distance
            distances = far.view(f"u{one.dtype.itemsize}").astype(np.float64)
        else:
            distances = np.abs(_wide(one) - _wide(other)).astype(np.float64)
        return np.where(_equal(one, other) | (_nan(one) & _nan(other)), 0.0, distances)


def _equal(one: Array, other: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(one == other if one.dtype == other.dtype else _wide(one) == _wide(other))


def _nan(values: Array) -> npt.NDArray[np.bool_]:
    return np.zeros(values.shape, np.bool_) if values.dtype.kind in "iub" else np.asarray(np.isnan(_wide(values)))


def _steps(values: Array) -> Array | None:
    """Floats as numbers of which neighbours differ by 1, as float64 of whole numbers; None for what is not a float."""
    size = values.dtype.itemsize
    if values.dtype.kind in "iubc" or size > 8:
        return None
    bits = np.ascontiguousarray(values).view(f"i{size}").astype(np.int64)
    lowest = np.int64(-1) << (8 * size - 1) if size < 8 else np.int64(-(2**63))
    ordered = np.where(bits < 0, lowest - bits, bits)
    return np.asarray(ordered.astype(np.longdouble))
