"""Where the entries of an array count: by a mask over some of its axes, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from vizschema.scan.facts.base import Seen, Values

Bools = npt.NDArray[np.bool_]

MAX_PLACES = 64
"""Ways to read a mask: one over tokens has two, queries and keys. Axes of size 1 can be made to have billions."""


class Mask:
    """A mask [some axes of an array]; `places` are the ways to read its axes as numbers of the array's axes.

    An entry counts where the mask is true in all of these ways: one over tokens is read along queries and along keys.
    """

    def __init__(self, values: Bools, places: Sequence[tuple[int, ...]]) -> None:
        self._values = values
        self._places = tuple(places)

    def within(self, seen: Seen) -> Seen:
        """The entries of a block that count, in a row; of a uniform block their number decides."""
        if seen.uniform:
            count = self._count(seen.start, seen.values.shape)
            return Seen((0,), np.broadcast_to(seen.few, (count,)), uniform=True)
        counts = np.ones((1,) * seen.values.ndim, np.bool_)
        for part in self._parts(seen.start, seen.values.shape):
            counts = counts & part
        return Seen((0,), seen.values[np.broadcast_to(counts, seen.values.shape)])

    def filled(self, seen: Seen) -> Values:
        """The values of a block [its axes], with 0 in place of the entries that do not count."""
        values = np.array(seen.values)
        for part in self._parts(seen.start, seen.values.shape):
            values[np.broadcast_to(~part, values.shape)] = 0
        return values

    def left_out(self, seen: Seen) -> int:
        """How many entries of a block do not count and are not 0."""
        if seen.uniform:
            count = self._count(seen.start, seen.values.shape)
            return (seen.values.size - count) * int(seen.few[0] != 0)
        return int(np.count_nonzero(seen.values) - np.count_nonzero(self.within(seen).values))

    def rows(self, start: Sequence[int], shape: Sequence[int], along: int) -> Bools:
        """Which rows of a box that is whole along the axis `along` have an entry that counts [row, in memory order]."""
        counts = across = np.ones((1,) * len(shape), np.bool_)
        for part, place in zip(self._parts(start, shape), self._places, strict=True):
            if along in place:
                across = across & part
            else:
                counts = counts & part
        counts = counts & across.any(axis=along, keepdims=True)
        return np.broadcast_to(counts, (*shape[:along], 1, *shape[along + 1 :])).reshape(-1)

    def _parts(self, start: Sequence[int], shape: Sequence[int]) -> list[Bools]:
        """The mask in each way, over a box, with size 1 along all other axes."""
        parts = []
        for place in self._places:
            box = self._values[tuple(slice(start[axis], start[axis] + shape[axis]) for axis in place)]
            order = sorted(range(len(place)), key=place.__getitem__)
            sizes = [shape[axis] if axis in place else 1 for axis in range(len(shape))]
            parts.append(box.transpose(order).reshape(sizes))
        return parts

    def _count(self, start: Sequence[int], shape: Sequence[int]) -> int:
        """How many entries of a box count; axes that one way alone is about are summed up first."""
        counts = [part.astype(np.int64) for part in self._parts(start, shape)]
        total = 1
        for axis, size in enumerate(shape):
            having = [number for number, place in enumerate(self._places) if axis in place]
            if not having:
                total *= size
            elif len(having) == 1:
                counts[having[0]] = counts[having[0]].sum(axis=axis, keepdims=True)
        return total * int(math.prod(counts, start=np.ones((1,) * len(shape), np.int64)).sum())


def mask_of(values: Bools, axes: Sequence[str | None], of: Sequence[str | None], shape: Sequence[int]) -> Mask | None:
    """The mask that `values` over `axes` are for an array over the axes `of`; None where they do not fit.

    An axis without a role stands for the axes of that name whatever their role. More than `MAX_PLACES` ways do not fit.
    """
    places = _ways(values.shape, axes, of, shape)
    return Mask(values, places) if places else None


def beside_rows(
    values: Values, axes: Sequence[str | None], of: Sequence[str | None], shape: Sequence[int], along: int
) -> Values | None:
    """A share of each row: `values` over `axes` as they lie beside the rows of an array over the axes `of`.

    The result has the axes of the array but for `along`, of size 1 where `values` have none of them. None where they do
    not fit, or fit in more than one way.
    """
    outside = [number for number in range(len(shape)) if number != along]
    names, sizes = [of[number] for number in outside], [shape[number] for number in outside]
    places = _ways(values.shape, axes, names, sizes)
    if len(places) != 1:
        return None
    order = sorted(range(values.ndim), key=places[0].__getitem__)
    return values.transpose(order).reshape([size if at in places[0] else 1 for at, size in enumerate(sizes)])


def _ways(
    lengths: Sequence[int], axes: Sequence[str | None], of: Sequence[str | None], shape: Sequence[int]
) -> list[tuple[int, ...]]:
    """The ways to read axes of these lengths as numbers of the axes `of`; none beyond `MAX_PLACES` of them."""
    fitting = [
        [
            number
            for number, (other, size) in enumerate(zip(of, shape, strict=True))
            if name is not None and name in (other, (other or "").partition(":")[0]) and size == length
        ]
        for name, length in zip(axes, lengths, strict=True)
    ]
    if math.prod(map(len, fitting)) > MAX_PLACES:
        return []
    return [place for place in product(*fitting) if len(set(place)) == len(place)]
