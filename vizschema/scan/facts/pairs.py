"""Facts about an array and something else: the size of an axis, or the values of a partner of fitting shape.

Where that is not there, is damaged, or does not fit, the fact is None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.description import STORED_AS
from vizschema.scan.facts.base import Context, Seen, Values, plain


class _Counted:
    """A count that is None if the array has no fitting partner."""

    field = ""

    def __init__(self, *, measurable: bool) -> None:
        self._measurable = measurable
        self.count = 0

    def merge(self, other: _Counted) -> None:
        """Take in what `other` has seen."""
        self.count += other.count

    def __getstate__(self) -> dict[str, Any]:
        # What has seen its blocks travels to be merged; the partner, as large as an array, does not.
        return {**vars(self), "_partner": None}

    def result(self) -> dict[str, Any]:
        """The count."""
        return {self.field: self.count if self._measurable else None}


class BeyondAxis(_Counted):
    """Counts values at or past the size of an axis; negative ones do not count."""

    field = "beyond_axis"

    def __init__(self, context: Context) -> None:
        super().__init__(measurable=context.axis_size is not None)
        self._size = context.axis_size or 0

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if self._measurable:
            self.count += int(np.count_nonzero(seen.few >= self._size)) * seen.weight


class ArgmaxDiffers(_Counted):
    """Counts entries that are not an argmax of the partner along its last axis; rows with NaN are skipped."""

    field = "argmax_differs"

    def __init__(self, context: Context) -> None:
        partner = context.partner
        fits = partner is not None and partner.ndim > 0 and partner.shape[:-1] == context.shape
        fits = fits and partner is not None and partner.shape[-1] > 0 and _is_real(partner)
        super().__init__(measurable=fits)
        self._partner = partner

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not self._measurable or self._partner is None:
            return
        rows = _comparable(self._partner[_region(seen)])
        picked, classes = seen.values, rows.shape[-1]
        inside = (picked >= 0) & (picked < classes)
        index = np.where(inside, picked, 0).astype(np.int64)
        chosen = np.take_along_axis(rows, index[..., np.newaxis], axis=-1)[..., 0]
        largest = rows.max(axis=-1)
        skipped = np.isnan(largest) if largest.dtype.kind == "f" else np.zeros(largest.shape, bool)
        self.count += int(np.count_nonzero(~skipped & ~(inside & (chosen == largest))))


class DecodeDiffers(_Counted):
    """Counts entries that are not the place in the table of the partner's letter; letters it lacks are its last."""

    field = "decode_differs"

    def __init__(self, context: Context) -> None:
        partner = context.partner
        fits = partner is not None and partner.shape == context.shape and partner.dtype.kind in "iu"
        super().__init__(measurable=fits and bool(context.table))
        self._partner = partner
        self._last = max(len(context.table) - 1, 0)
        self._places = np.full(256, self._last, np.int64)
        for place, letter in enumerate(context.table):
            if ord(letter) < self._places.size:
                self._places[ord(letter)] = place

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not self._measurable or self._partner is None:
            return
        codes = self._partner[_region(seen)]
        known = (codes >= 0) & (codes < self._places.size)
        expected = np.where(known, self._places[np.where(known, codes, 0).astype(np.int64)], self._last)
        self.count += int(np.count_nonzero(seen.values != expected))


class MaskedNonzero(_Counted):
    """Counts entries that are not 0 where the partner, broadcast over the last axes, is 0."""

    field = "masked_nonzero"

    def __init__(self, context: Context) -> None:
        partner = context.partner
        super().__init__(measurable=partner is not None and partner.shape == context.shape[: partner.ndim])
        self._partner = partner

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if not self._measurable or self._partner is None:
            return
        shape = seen.values.shape
        hidden = self._partner[_region(seen)[: self._partner.ndim]] == 0
        if seen.uniform:
            below = math.prod(shape[self._partner.ndim :])
            self.count += int(np.count_nonzero(hidden)) * below * int(np.count_nonzero(seen.few))
        else:
            self.count += int(np.count_nonzero(seen.values[hidden]))


class StartsDiffer:
    """Counts starts of parts along the first axis that do not fit.

    The first one is 0, none is below the one before it, and the last one is the size of that axis. What is not a list
    differs in every entry, and once at least.
    """

    def __init__(self, context: Context) -> None:
        starts = context.partner
        self._count = None if starts is None else _unlike_starts(starts, context.shape[0] if context.shape else 1)

    def add(self, seen: Seen) -> None:
        """Do nothing: the starts and the shape say all."""

    def merge(self, other: StartsDiffer) -> None:
        """Do nothing: the count is the same."""

    def result(self) -> dict[str, Any]:
        """The count; None without an array of integers that can be read."""
        return {"starts_differ": self._count}


def _unlike_starts(starts: Values, size: int) -> int | None:
    if starts.dtype.kind not in "iu" or starts.dtype.name in STORED_AS:
        return None
    if starts.ndim != 1 or not starts.size:
        return max(starts.size, 1)
    return int(starts[0] != 0) + int(np.count_nonzero(starts[1:] < starts[:-1])) + int(starts[-1] != size)


def _region(seen: Seen) -> tuple[slice, ...]:
    return tuple(slice(first, first + size) for first, size in zip(seen.start, seen.values.shape, strict=True))


def _is_real(values: Values) -> bool:
    return values.dtype.kind in "biuf" or values.dtype.name in STORED_AS


def _comparable(values: Values) -> npt.NDArray[Any]:
    """The values in a dtype that NumPy compares fast; halves exactly as singles."""
    return values.astype(np.float32) if values.dtype.itemsize == 2 and values.dtype.kind not in "iu" else plain(values)
