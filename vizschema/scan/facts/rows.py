"""The sums of rows, the same to the bit however rows are cut and in whatever order the parts come.

`spec/1.0.0/spec.md` ("Row sums") defines them: values are rounded to a step that the length of a row fixes, and doubles
add multiples of it without error. A value that is not finite, or beyond ±2, leaves its row without a sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.scan.facts.base import INFINITY, Context, Seen, Values, buffer, greatest, least

Doubles = npt.NDArray[np.float64]

_LARGEST = 2
"""Beyond it, no value of a row that is asked to sum to 1 may lie."""

_DECIMALS = 6
_AT_ONCE = 1 << 17
"""How many values are widened at once, unless a row has more."""

Key = tuple[tuple[int, ...], tuple[int, ...]]
"""The first row of a part, and how many there are, along every axis but the last."""


class RowSum:
    """The smallest and the largest sum of a row that has one; an array without axes is one row."""

    def __init__(self, context: Context) -> None:
        self._length = context.shape[-1] if context.shape else 1
        # Doubles near it are multiples of the step: adding and subtracting it rounds to them.
        self._shift = 1.5 * 2.0 ** (self._length.bit_length() + 1)
        self._minimum: float | None = None
        self._maximum: float | None = None
        self._parts: dict[Key, tuple[int, Doubles]] = {}

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not seen.values.size:
            return
        columns = seen.values.shape[-1] if seen.values.ndim else 1
        if seen.uniform:
            sums = _rounded(seen.few, self._shift, inside=False) * columns
        else:
            sums = _sums(seen, columns, self._shift)
        if columns == self._length:
            self._widen(sums)
        else:
            self._take((seen.start[:-1], seen.values.shape[:-1]), columns, sums)

    def merge(self, other: RowSum) -> None:
        """Take in what `other` has seen."""
        self._minimum = least(self._minimum, other._minimum)
        self._maximum = greatest(self._maximum, other._maximum)
        for key, (columns, sums) in other._parts.items():
            self._take(key, columns, sums)

    def result(self) -> dict[str, Any]:
        """Both to six decimals, None where no row has a sum."""
        ends = self._minimum, self._maximum
        minimum, maximum = (None if end is None else round(end, _DECIMALS) + 0.0 for end in ends)
        return {"row_sum_minimum": minimum, "row_sum_maximum": maximum}

    def _take(self, key: Key, columns: int, sums: Doubles) -> None:
        """Add the sums [row] of some columns to those of the others; one [1] stands for all rows."""
        held, others = self._parts.pop(key, (0, np.zeros(1)))
        if held + columns == self._length:
            self._widen(others + sums)
        else:
            self._parts[key] = held + columns, others + sums

    def _widen(self, sums: Doubles) -> None:
        smallest, largest = float(np.fmin.reduce(sums)), float(np.fmax.reduce(sums))
        if smallest <= largest:  # else no row has a sum
            self._minimum = least(self._minimum, smallest)
            self._maximum = greatest(self._maximum, largest)


def _sums(seen: Seen, columns: int, shift: float) -> Doubles:
    """The sums of the rows of a block [row], NaN where there is none; some rows at a time, in bounded memory."""
    minimum, maximum, all_finite = seen.extremes
    inside = all_finite and minimum >= -_LARGEST and maximum <= _LARGEST
    rows = seen.values.reshape(-1, columns)
    sums = np.empty(len(rows))
    step = max(1, _AT_ONCE // columns)
    for at in range(0, len(rows), step):
        np.einsum("ij->i", _rounded(rows[at : at + step], shift, inside=inside), out=sums[at : at + step])
    return sums


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
