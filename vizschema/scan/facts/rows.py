"""The sums of rows, the same to the bit however rows are cut and in whatever order the parts come.

`spec/1.0.0/judging.md` ("Row sums") defines them: values are rounded to a step that the length of a row fixes, and
doubles add multiples of it without error. A value that is not finite, or beyond ±2, leaves its row without a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vizschema.scan.facts.base import INFINITY, Context, Seen, Values, buffer, greatest, least

Doubles = npt.NDArray[np.float64]

_LARGEST = 2
"""Beyond it, no value of a row that is asked to sum to 1 may lie."""

_DECIMALS = 6
_ZERO = 0.5 * 10**-_DECIMALS
"""The largest sum that is 0 to as many decimals."""

_AT_ONCE = 1 << 17
"""How many values are widened at once, unless a row has more."""

_WRITTEN_OUT = 1 << 24
"""Values of chunks that were never written which are looked at one by one, where rows have a mask or a share."""

Key = tuple[tuple[int, ...], tuple[int, ...]]
"""The first row of a part, and how many there are, along every axis but that of the rows."""


class _Part(NamedTuple):
    """Rows of which some columns were seen: how many, their sums ([row], or [1] for all), whether any was stored."""

    columns: int
    sums: Doubles
    stored: bool


class _Ends(NamedTuple):
    """The smallest and the largest sum, and the smallest that is not 0; None where there is none."""

    minimum: float | None
    maximum: float | None
    nonzero: float | None

    def with_sums(self, sums: Doubles) -> _Ends:
        """These and the sums of other rows, NaN where a row has none."""
        smallest, largest = float(np.fmin.reduce(sums)), float(np.fmax.reduce(sums))
        if not smallest <= largest:
            return self
        nonzero = smallest
        if abs(smallest) <= _ZERO:
            nonzero = float(np.fmin.reduce(sums, where=np.abs(sums) > _ZERO, initial=np.nan))
        return self.with_ends(_Ends(smallest, largest, None if math.isnan(nonzero) else nonzero))

    def with_ends(self, other: _Ends) -> _Ends:
        """The ends of both."""
        return _Ends(
            least(self.minimum, other.minimum),
            greatest(self.maximum, other.maximum),
            least(self.nonzero, other.nonzero),
        )


_NO_SUMS = _Ends(None, None, None)


class RowSum:
    """The length of a row; of the rows that have a sum the smallest, the largest, and the smallest that isn't 0.

    Rows run along the axis `along` of the context, or along the last one; an array without axes is one row. Chunks that
    were never written may come in boxes that no stored chunk matches: rows that lack nothing else are completed by the
    fill value at the end. With a mask, entries that do not count are 0, and a row of these alone has no sum; with a
    share, it is added to the sum of its row.
    """

    def __init__(self, context: Context) -> None:
        self._along = _axis_of(context)
        self._length = context.shape[self._along] if context.shape else 1
        self._size = math.prod(context.shape)
        # Doubles near it are multiples of the step: adding and subtracting it rounds to them.
        self._shift = 1.5 * 2.0 ** (self._length.bit_length() + 1)
        self._ends = _NO_SUMS
        self._seen = 0
        self._rows = 0
        self._fill: Doubles | None = None
        self._parts: dict[Key, _Part] = {}
        self._mask, self._share = context.mask, context.share
        self._is_known = True

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not seen.values.size:
            return
        self._seen += seen.values.size
        if self._mask is not None or self._share is not None:
            if seen.uniform and seen.values.size > _WRITTEN_OUT:
                self._is_known = False
                return
            values = np.array(seen.values) if self._mask is None else self._mask.filled(seen)
            seen = Seen(seen.start, values)
        columns = seen.values.shape[self._along] if seen.values.ndim else 1
        key = self._outside(seen.start), self._outside(seen.values.shape)
        if seen.uniform:
            self._fill = _rounded(seen.few, self._shift, inside=False).copy()
            self._take(key, _Part(columns, self._fill * columns, stored=False))
        else:
            self._take(key, _Part(columns, self._sums(seen, columns), stored=True))

    def merge(self, other: RowSum) -> None:
        """Take in what `other` has seen."""
        self._ends = self._ends.with_ends(other._ends)
        self._seen += other._seen
        self._rows += other._rows
        self._fill = other._fill if self._fill is None else self._fill
        self._is_known &= other._is_known
        for key, part in other._parts.items():
            self._take(key, part)

    def result(self) -> dict[str, Any]:
        """The length of a row, and the sums to six decimals, None where no row has such a sum."""
        ends = self._ends if self._is_known else _NO_SUMS
        if self._fill is not None and self._seen == self._size:
            for sums in self._completed(self._fill):
                ends = ends.with_sums(sums)
        minimum, maximum, nonzero = (None if end is None else round(end, _DECIMALS) + 0.0 for end in ends)
        return {
            "row_length": self._length,
            "row_sum_minimum": minimum,
            "row_sum_maximum": maximum,
            "nonzero_row_sum_minimum": nonzero,
        }

    def _completed(self, fill: Doubles) -> list[Doubles]:
        """The sums of the rows of which a part was never written, and nothing is damaged."""
        stored = {key: part for key, part in self._parts.items() if part.stored}
        sums = [part.sums + fill * (self._length - part.columns) for part in stored.values()]
        rows = self._rows + sum(math.prod(shape) for _, shape in stored)
        return [*sums, fill * self._length] if rows < self._size // self._length else sums

    def _outside(self, place: tuple[int, ...]) -> tuple[int, ...]:
        return place[: self._along] + place[self._along + 1 :]

    def _sums(self, seen: Seen, columns: int) -> Doubles:
        values = seen.values
        if values.ndim and self._along < values.ndim - 1:
            # Rows side by side: columns are added one after the other, in memory order.
            return _sums_across(seen, values.reshape(math.prod(values.shape[: self._along]), columns, -1), self._shift)
        return _sums(seen, columns, self._shift)

    def _take(self, key: Key, part: _Part) -> None:
        """Add the sums of some columns to those of the others."""
        held = self._parts.pop(key, None)
        if held is not None:
            part = _Part(held.columns + part.columns, held.sums + part.sums, held.stored or part.stored)
        if part.columns < self._length:
            self._parts[key] = part
            return
        self._rows += math.prod(key[1])
        self._ends = self._ends.with_sums(self._whole(key, part.sums))

    def _whole(self, key: Key, sums: Doubles) -> Doubles:
        """The sums of whole rows [row]: NaN where the mask leaves a row out, and with their shares."""
        start, shape = key
        if self._mask is not None:
            at = self._along
            box = (*start[:at], 0, *start[at:]), (*shape[:at], self._length, *shape[at:])
            sums = np.where(self._mask.rows(*box, at), sums, np.nan)
        if self._share is not None:
            sizes = self._share.shape
            place = tuple(
                slice(first, first + length) if size > 1 else slice(None)
                for first, length, size in zip(start, shape, sizes, strict=True)
            )
            share = _rounded(np.ascontiguousarray(self._share[place]), self._shift, inside=False)
            sums = (sums.reshape(shape) + share).reshape(-1)
        return sums


def cuts_rows(context: Context, shape: Sequence[int]) -> bool:
    """Whether a block of this shape has rows in part: the parts of such blocks need not match those of others."""
    return bool(shape) and shape[_axis_of(context)] < context.shape[_axis_of(context)]


def _axis_of(context: Context) -> int:
    return len(context.shape) - 1 if context.along is None else context.along


def _inside(seen: Seen) -> bool:
    minimum, maximum, all_finite = seen.extremes
    return bool(all_finite and minimum >= -_LARGEST and maximum <= _LARGEST)


def _sums(seen: Seen, columns: int, shift: float) -> Doubles:
    """The sums of the rows of a block [row], NaN where there is none; some rows at a time, in bounded memory."""
    inside = _inside(seen)
    rows = seen.values.reshape(-1, columns)
    sums = np.empty(len(rows))
    step = max(1, _AT_ONCE // columns)
    for at in range(0, len(rows), step):
        np.einsum("ij->i", _rounded(rows[at : at + step], shift, inside=inside), out=sums[at : at + step])
    return sums


def _sums_across(seen: Seen, values: Values, shift: float) -> Doubles:
    """The sums [outer · inner] along the second axis of `values` [outer, column, inner], in bounded memory."""
    inside = _inside(seen)
    outer, columns, inner = values.shape
    sums = np.zeros((outer, inner))
    wide = max(1, min(inner, _AT_ONCE))
    step = max(1, _AT_ONCE // wide)
    for number in range(outer):
        for left in range(0, inner, wide):
            for at in range(0, columns, step):
                part = np.ascontiguousarray(values[number, at : at + step, left : left + wide])
                sums[number, left : left + wide] += _rounded(part, shift, inside=inside).sum(axis=0)
    return sums.reshape(-1)


def _rounded(values: Values, shift: float, *, inside: bool) -> Doubles:
    """Values as doubles in multiples of the step, NaN for those that have none; `inside` says that all have one.

    They hold until the thread asks for others.
    """
    doubles = buffer("doubles", values.shape, np.dtype(np.float64))
    if values.dtype in INFINITY:
        return np.take(_table(values.dtype, shift), values.view(np.uint16), out=doubles, mode="clip")
    np.copyto(doubles, values)
    return _to_steps(doubles, shift, inside=inside)


def _to_steps(doubles: Doubles, shift: float, *, inside: bool) -> Doubles:
    if not inside:
        doubles[~(np.abs(doubles) <= _LARGEST)] = np.nan
    doubles += shift
    doubles -= shift
    return doubles


@lru_cache(maxsize=8)
def _table(dtype: np.dtype[Any], shift: float) -> Doubles:
    """What every float of two bytes becomes, by its bits: a look is faster than a conversion."""
    with np.errstate(invalid="ignore"):
        doubles = np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float64)
        return _to_steps(doubles, shift, inside=False)
