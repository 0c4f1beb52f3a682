"""Facts about single values: how many are not finite, the range of the others, how many equal the first."""

from __future__ import annotations

from typing import Any

import numpy as np

from vizschema.facts.base import INFINITY, Context, Seen, Values, bits_of, greatest, least


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


class ConstantShare:
    """Counts values that equal the array's first one: zeros of either sign, and NaN of the same bits."""

    def __init__(self, context: Context) -> None:
        self._first: Values | None = None if context.first is None else bits_of(context.first.reshape(1))[0]
        self._zero = context.first is not None and not context.first
        self.equal = 0
        self.count = 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if self._first is not None:
            bits = bits_of(seen.few)
            equal = np.count_nonzero(bits == self._first)
            if self._zero:
                equal = bits.size - np.count_nonzero(bits << np.uint8(1))
            self.equal += int(equal) * seen.weight
        self.count += seen.values.size

    def merge(self, other: ConstantShare) -> None:
        """Take in what `other` has seen."""
        self.equal += other.equal
        self.count += other.count

    def result(self) -> dict[str, Any]:
        """The share; null where there is no value, or the first one cannot be read."""
        share = None if self._first is None or not self.count else self.equal / self.count
        return {"constant_share": share}
