"""Facts about single values: how many are not finite, the range of the others, whether all are the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from vizschema.scan.facts.base import INFINITY, Context, Seen, Values, bits_of, greatest, least, plain


class NonFinite:
    """Counts NaN, infinities and those above 0 in any part; a complex number with a NaN in it counts as NaN."""

    def __init__(self, _: Context) -> None:
        self.nan = 0
        self.infinite = 0
        self.positive = 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        few = seen.few
        if few.dtype.kind != "c" and seen.extremes.all_finite:
            return
        if few.dtype in INFINITY:
            size = few.view(np.uint16) & 0x7FFF
            nan, infinite = size > INFINITY[few.dtype], size == INFINITY[few.dtype]
            positive = few.view(np.uint16) == INFINITY[few.dtype]
        else:
            few = plain(few)
            nan = np.isnan(few)
            infinite = np.isinf(few) & ~nan
            positive = infinite & (np.isposinf(few.real) | np.isposinf(few.imag))
        self.nan += int(np.count_nonzero(nan)) * seen.weight
        self.infinite += int(np.count_nonzero(infinite)) * seen.weight
        self.positive += int(np.count_nonzero(positive)) * seen.weight

    def merge(self, other: NonFinite) -> None:
        """Take in what `other` has seen."""
        self.nan += other.nan
        self.infinite += other.infinite
        self.positive += other.positive

    def result(self) -> dict[str, Any]:
        """The counts, and the sum of the first two."""
        return {
            "non_finite": self.nan + self.infinite,
            "nan": self.nan,
            "infinite": self.infinite,
            "positive_infinite": self.positive,
        }


class Range:
    """The smallest and the largest finite value."""

    def __init__(self, _: Context) -> None:
        self.minimum: Any = None
        self.maximum: Any = None

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        self.minimum = least(self.minimum, seen.extremes.minimum)
        self.maximum = greatest(self.maximum, seen.extremes.maximum)

    def merge(self, other: Range) -> None:
        """Take in what `other` has seen."""
        self.minimum = least(self.minimum, other.minimum)
        self.maximum = greatest(self.maximum, other.maximum)

    def result(self) -> dict[str, Any]:
        """Both, None where no value is finite."""
        return {"minimum": self.minimum, "maximum": self.maximum}


class LeftOutNonzero:
    """How many entries do not count by the mask and are not 0; None without a mask."""

    def __init__(self, context: Context) -> None:
        self._mask = context.mask
        self._count = 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if self._mask is not None:
            self._count += self._mask.left_out(seen)

    def merge(self, other: LeftOutNonzero) -> None:
        """Take in what `other` has seen."""
        self._count += other._count

    def result(self) -> dict[str, Any]:
        """The number."""
        return {"left_out_nonzero": None if self._mask is None else self._count}


class Constant:
    """Whether there are values and all of them equal the first; no, where that one cannot be read.

    With a mask, the first one is any that counts. Zeros of either sign are equal, and so are NaN of the same bits.
    """

    def __init__(self, context: Context) -> None:
        self._any_first = context.mask is not None
        self._first = None if self._any_first else context.first
        self.same = self._any_first or self._first is not None
        self.some = False

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not seen.values.size:
            return
        self.some = True
        if self._any_first and self._first is None:
            self._first = seen.few.reshape(-1)[0].copy()
        self.same = self.same and self._first is not None and _repeats(seen, self._first)

    def merge(self, other: Constant) -> None:
        """Take in what `other` has seen."""
        self.same = self.same and other.same
        if self._any_first and other._first is not None:
            self._first = other._first if self._first is None else self._first
            self.same = self.same and _repeats(Seen((0,), other._first.reshape(1)), self._first)
        self.some = self.some or other.some

    def result(self) -> dict[str, Any]:
        """The answer."""
        return {"constant": self.some and self.same}


def _repeats(seen: Seen, first: Values) -> bool:
    """Whether all values of a block equal `first` []; the bits are compared only where none of them is finite."""
    ends = seen.extremes
    if ends.all_finite:
        return bool(ends.minimum == ends.maximum == float(first))
    return ends.minimum is None and bool(np.all(bits_of(seen.few) == bits_of(first.reshape(1))))
