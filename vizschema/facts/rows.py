"""The sums over the last axis, exact to nine digits however the rows are cut and in whatever order the parts arrive.

Every sum is known to lie in a narrow interval; only where its ends round to different numbers of nine digits is it
computed exactly. Rows that come in parts are kept as sums of whole multiples of fixed powers of two, which doubles add
without error. Source of the method: Demmel and Nguyen, "Parallel Reproducible Summation", IEEE Trans. Computers 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.facts.base import Context, Seen, Values, greatest, least, scaled_doubles

Doubles = npt.NDArray[np.float64]

_WIDTH = 22
"""Bits of one level: doubles add 2^31 numbers of so many bits without error."""

_DIGITS = 9
_UNIT = 2.0**-53
_LARGE = 960
"""The exponent from which sums are computed as fractions, since doubles might overflow on the way."""

_AT_ONCE = 1 << 17
"""How many values are widened at once, unless a row has more."""

Ends = tuple[float | None, float | None]
Key = tuple[tuple[int, ...], tuple[int, ...]]


class _Region:
    """Rows of which some columns were seen: exact sums by level [row], and rows with a value that is not finite.

    What is the same for all rows is held once [1]: there may be more of them than memory.
    """

    def __init__(self) -> None:
        self.columns = 0
        self.levels: dict[int, Doubles] = {}
        self.lost = np.zeros(1, bool)

    def add(self, part: Doubles) -> None:
        """Take in columns [row, column]."""
        self.columns += part.shape[1]
        finite = np.isfinite(part)
        if not finite.all():
            self.lost = self.lost | ~finite.all(axis=1)
            part = np.where(finite, part, 0.0)
        level = _level(float(np.abs(part).max()))
        while part.any():
            whole = np.trunc(np.ldexp(part, -_WIDTH * level))
            self._sum(level, whole.sum(axis=1))
            part = part - np.ldexp(whole, _WIDTH * level)
            level -= 1

    def add_same(self, value: float, columns: int) -> None:
        """Take in columns that hold one value."""
        self.columns += columns
        if not math.isfinite(value):
            self.lost = np.ones(1, bool)
            return
        level = _level(abs(value))
        while value:
            whole = math.trunc(math.ldexp(value, -_WIDTH * level))
            self._sum(level, np.array([float(whole * columns)]))
            value -= math.ldexp(float(whole), _WIDTH * level)
            level -= 1

    def merge(self, other: _Region) -> None:
        """Take in other columns of the same rows."""
        self.columns += other.columns
        self.lost = self.lost | other.lost
        for level, sums in other.levels.items():
            self._sum(level, sums)

    def _sum(self, level: int, sums: Doubles) -> None:
        held = self.levels.get(level)
        self.levels[level] = sums if held is None else held + sums

    def ends(self) -> Ends:
        """The smallest and the largest sum of the rows that are finite."""
        lost, *sums_by_level = np.broadcast_arrays(self.lost, *self.levels.values())
        self.levels = dict(zip(self.levels, sums_by_level, strict=True))
        rows = np.flatnonzero(~lost)
        if not rows.size:
            return None, None
        if max(self.levels, default=0) * _WIDTH > _LARGE:
            exact = [self._exact(int(row)) for row in rows]
            return _ends_of([value for value in exact if value is not None])
        sums, sizes = np.zeros(rows.size), np.zeros(rows.size)
        for level, units in sorted(self.levels.items()):
            term = np.ldexp(units[rows], _WIDTH * level)
            sums += term
            sizes += np.abs(term)
        errors = sizes * ((len(self.levels) + 2) * _UNIT)
        return _ends(sums, errors, lambda at: self._exact(int(rows[at])))

    def _exact(self, row: int) -> float | None:
        lowest = min(self.levels, default=0)
        total = sum(int(units[row]) << _WIDTH * (level - lowest) for level, units in self.levels.items())
        return _rounded(Fraction(total) * Fraction(2) ** (_WIDTH * lowest))


class RowSum:
    """The smallest and the largest sum of a finite row; an array without axes is one row."""

    def __init__(self, context: Context) -> None:
        self._length = context.shape[-1] if context.shape else 1
        self._ends: Ends = None, None
        self._regions: dict[Key, _Region] = {}

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not seen.values.size:
            return
        columns = seen.values.shape[-1] if seen.values.ndim else 1
        rows = seen.values.size // columns
        if columns < self._length:
            region = _Region()
            if seen.uniform:
                region.add_same(float(seen.doubles[0]), columns)
            else:
                region.add(seen.doubles.reshape(rows, columns))
            self._take((seen.start[:-1], seen.values.shape[:-1]), region)
        elif seen.uniform:
            value = float(seen.doubles[0])
            total = _rounded(Fraction(value) * columns) if math.isfinite(value) else None
            self._widen(_ends_of([] if total is None else [total]))
        else:
            self._widen(_whole(seen, rows, columns))

    def merge(self, other: RowSum) -> None:
        """Take in what `other` has seen."""
        self._widen(other._ends)
        for key, region in other._regions.items():
            self._take(key, region)

    def result(self) -> dict[str, Any]:
        """Both, null where no row is finite."""
        return {"row_sum_minimum": self._ends[0], "row_sum_maximum": self._ends[1]}

    def _take(self, key: Key, region: _Region) -> None:
        held = self._regions.setdefault(key, region)
        if held is not region:
            held.merge(region)
        if held.columns >= self._length:
            del self._regions[key]
            self._widen(held.ends())

    def _widen(self, ends: Ends) -> None:
        self._ends = least(self._ends[0], ends[0]), greatest(self._ends[1], ends[1])


def _whole(seen: Seen, rows: int, columns: int) -> Ends:
    """Of rows that are whole."""
    extremes = seen.extremes
    if extremes.minimum is None:
        return None, None
    largest = max(abs(extremes.minimum), abs(extremes.maximum))
    if largest * columns > 2.0**_LARGE:
        doubles = seen.doubles.reshape(rows, columns)
        finite = doubles[np.isfinite(doubles).all(axis=1)]
        exact = [_exact(row) for row in finite]
        return _ends_of([value for value in exact if value is not None])
    values = seen.few.reshape(rows, columns)
    sums = _sums(values, all_finite=extremes.all_finite)
    unit = (columns + 2) * _UNIT
    share, fixed = (unit, 0.0) if extremes.minimum >= 0 else (0.0, columns * largest * unit)
    if extremes.all_finite:
        smallest, most = float(np.minimum.reduce(sums)), float(np.maximum.reduce(sums))
        ends = _within(smallest, smallest * share + fixed), _within(most, most * share + fixed)
        if None not in ends:
            return ends
    kept = np.flatnonzero(np.isfinite(sums))
    sums = sums[kept]
    if not sums.size:
        return None, None

    def exactly(at: int) -> float | None:
        row, scale = scaled_doubles(values[kept[at]], all_finite=True)
        return _exact(row * scale)

    return _ends(sums, sums * share + fixed, exactly)


def _within(value: float, error: float) -> float | None:
    """The number that all within `error` of `value` round to, null where they round to more than one."""
    low = _nine(value - error)
    return low if low == _nine(value + error) else None


def _sums(values: Values, *, all_finite: bool) -> Doubles:
    """The sums of rows as doubles add them [row], some rows at a time, in bounded memory."""
    sums = np.empty(values.shape[0])
    step = max(1, _AT_ONCE // values.shape[1])
    scale = 1.0
    for at in range(0, sums.size, step):
        doubles, scale = scaled_doubles(values[at : at + step], all_finite=all_finite)
        np.einsum("ij->i", doubles, out=sums[at : at + step])
    if scale != 1.0:
        sums *= scale
    return sums


def _ends(sums: Doubles, errors: Doubles, exact: Callable[[int], float | None]) -> Ends:
    """The rounded ends of exact sums, each of which lies within its error of `sums`."""
    return _least(sums, errors, exact), _negated(_least(-sums, errors, lambda at: _negated(exact(at))))


def _least(sums: Doubles, errors: Doubles, exact: Callable[[int], float | None]) -> float | None:
    high = float((sums + errors).min())
    low = float((sums - errors).min())
    if _nine(low) == _nine(high):
        return _nine(high)
    values = [exact(int(at)) for at in np.flatnonzero(sums - errors <= high)]
    return min((_nine(value) for value in values if value is not None), default=None)


def _ends_of(values: Sequence[float]) -> Ends:
    rounded = [_nine(value) for value in values]
    return min(rounded, default=None), max(rounded, default=None)


def _nine(value: float) -> float:
    """`value` to nine digits; monotone, so that the smallest value rounds to the smallest of the rounded."""
    return float(f"{value:.{_DIGITS - 1}e}") + 0.0


def _negated(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _exact(row: Doubles) -> float | None:
    values = row.tolist()
    try:
        return math.fsum(values)
    except OverflowError:
        return _rounded(sum(map(Fraction, values), Fraction()))


def _rounded(exact: Fraction) -> float | None:
    """The nearest double, null where that is no finite one."""
    try:
        return float(exact)
    except OverflowError:
        return None


def _level(largest: float) -> int:
    return (math.frexp(largest)[1] - 1) // _WIDTH
