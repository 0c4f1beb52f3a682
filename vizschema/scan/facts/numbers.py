"""Facts about single values: how many are not finite, the range of the others, how many equal the first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vizschema.scan.facts.base import INFINITY, Context, Seen, Values, bits_of, count_equal, greatest, least


class NonFinite:
    """Counts NaN and infinities; a complex number with a NaN in it counts as NaN."""

    def __init__(self, _: Context) -> None:
        self.nan = 0
        self.infinite = 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        few = seen.few
        if few.dtype.kind != "c" and seen.extremes.all_finite:
            return
        if few.dtype in INFINITY:
            size = few.view(np.uint16) & 0x7FFF
            nan, infinite = size > INFINITY[few.dtype], size == INFINITY[few.dtype]
        else:
            nan = np.isnan(few)
            infinite = np.isinf(few) & ~nan
        self.nan += int(np.count_nonzero(nan)) * seen.weight
        self.infinite += int(np.count_nonzero(infinite)) * seen.weight

    def merge(self, other: NonFinite) -> None:
        """Take in what `other` has seen."""
        self.nan += other.nan
        self.infinite += other.infinite

    def result(self) -> dict[str, Any]:
        """The counts, and their sum."""
        return {"non_finite": self.nan + self.infinite, "nan": self.nan, "infinite": self.infinite}


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
        """Both, null where no value is finite."""
        return {"minimum": self.minimum, "maximum": self.maximum}


class _First:
    """The first value of an array, which others equal: zeros of either sign do, and NaN of the same bits."""

    def __init__(self, first: Values) -> None:
        self._bits = bits_of(first.reshape(1))[0]
        self._value = float(first)

    def count(self, few: Values) -> int:
        """How many values equal it."""
        bits = bits_of(few)
        if self._value != 0:
            return count_equal(bits, self._bits)
        if few.dtype in INFINITY:
            return count_equal(bits, 0) + count_equal(bits, 0x8000)
        return count_equal(few, 0)

    def beyond(self, seen: Seen) -> bool:
        """Whether no value of a block can equal it, by their range."""
        ends = seen.extremes
        if not math.isfinite(self._value):
            return ends.all_finite
        return ends.minimum is None or not ends.minimum <= self._value <= ends.maximum

    def everywhere(self, seen: Seen) -> bool:
        """Whether all values of a block equal it; only what is not finite has to be looked at for that."""
        ends = seen.extremes
        if ends.all_finite:
            return bool(ends.minimum == ends.maximum == self._value)
        return not self.beyond(seen) and self.count(seen.few) == seen.few.size


class Constant:
    """Whether there are values and all of them equal the first; no, where that one cannot be read."""

    def __init__(self, context: Context) -> None:
        self._first = None if context.first is None else _First(context.first)
        self.same = True
        self.some = False

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not seen.values.size:
            return
        self.some = True
        self.same = self.same and self._first is not None and self._first.everywhere(seen)

    def merge(self, other: Constant) -> None:
        """Take in what `other` has seen."""
        self.same = self.same and other.same
        self.some = self.some or other.some

    def result(self) -> dict[str, Any]:
        """The answer."""
        return {"constant": self.some and self.same}


class ConstantShare:
    """Counts values that equal the array's first one: zeros of either sign, and NaN of the same bits."""

    def __init__(self, context: Context) -> None:
        self._first = None if context.first is None else _First(context.first)
        self.equal = 0
        self.count = 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if self._first is not None and not self._first.beyond(seen):
            self.equal += self._first.count(seen.few) * seen.weight
        self.count += seen.values.size

    def merge(self, other: ConstantShare) -> None:
        """Take in what `other` has seen."""
        self.equal += other.equal
        self.count += other.count

    def result(self) -> dict[str, Any]:
        """The share; null where there is no value, or the first one cannot be read."""
        share = None if self._first is None or not self.count else self.equal / self.count
        return {"constant_share": share}
