"""What accumulators share: the block as they see it, computed once for all of them, and what they know of the array."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import ml_dtypes
import numpy as np
import numpy.typing as npt

from vizschema.description import NIBBLES, STORED_AS
from vizschema.scan.hashing.array import ArrayHash

if TYPE_CHECKING:
    from vizschema.scan.facts.masks import Mask

Values = npt.NDArray[Any]

_BUFFERS = threading.local()
_KEPT = 1 << 20
"""The largest number of entries of a buffer that a thread keeps."""

INFINITY: Mapping[np.dtype[Any], int] = {np.dtype(np.float16): 0x7C00, np.dtype(ml_dtypes.bfloat16): 0x7F80}
"""The bits of infinity of the halves, on whose floats NumPy is 78 times slower than on their bits."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of an array before its blocks are seen.

    `first` is its first value (None if it could not be read), `along` the number of an axis, `axis_size` the size
    of the axis that a fact is about, `partner` the values of another array, `hash` what all blocks are hashed into,
    `fill` the value [] of chunks that were never written; None where there is none, or more than one. With a `mask`,
    only the entries that count are brought, or a fact takes them itself. `share` is added to the sums of rows [the axes
    but for `along`, or 1 along one].
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    first: Values | None = None
    along: int | None = None
    axis_size: int | None = None
    partner: Values | None = None
    table: str = ""
    hash: ArrayHash | None = None
    fill: Values | None = None
    mask: Mask | None = None
    share: Values | None = None


class Accumulator(Protocol):
    """Facts of one array: of nothing at first, of a block after `add`, of both after `merge`."""

    def add(self, seen: Seen) -> None:
        """Take in one block; called where NumPy says nothing of invalid values, which NaN are (`quiet`)."""

    def merge(self, other: Self) -> None:
        """Take in what `other` has seen of other blocks of the same array."""

    def result(self) -> dict[str, Any]:
        """The facts as JSON."""


def quiet() -> Any:
    """Where accumulators take in blocks: NumPy says nothing of NaN, which they count."""
    return np.errstate(invalid="ignore")


class Extremes(NamedTuple):
    """Smallest and largest finite value as Python numbers, None if there is none; whether all are finite."""

    minimum: Any
    maximum: Any
    all_finite: bool


class Seen:
    """A block of values [any axes] that begins at the index `start`; of a uniform one, its value once.

    `values` are those of the block, `few` the same without repetition, each standing for `weight` values.
    """

    def __init__(self, start: tuple[int, ...], values: Values, *, uniform: bool = False) -> None:
        self.start = start
        self.values = values
        self.uniform = uniform and values.size > 0
        self.few: Values = values[(slice(1),) * values.ndim].reshape(-1).copy() if self.uniform else values
        self.weight = values.size if self.uniform else 1
        self._extremes: Extremes | None = None

    @property
    def extremes(self) -> Extremes:
        """Of all values but complex ones."""
        if self._extremes is None:
            self._extremes = _extremes(self.few)
        return self._extremes


def plain(values: Values) -> Values:
    """Values of one byte that NumPy lacks, exactly, in a dtype that it has; all others as they are."""
    wider = _WIDER.get(values.dtype)
    return values if wider is None else values.astype(wider)


_WIDER: Mapping[np.dtype[Any], type] = {
    **{np.dtype(getattr(ml_dtypes, name)): np.float32 for name in STORED_AS if name.startswith("float8")},
    **{np.dtype(getattr(ml_dtypes, name)): np.int8 for name in NIBBLES},
}


def _extremes(few: Values) -> Extremes:
    few = plain(few)
    if not few.size:
        return Extremes(None, None, True)
    if few.dtype in INFINITY:
        return _half_extremes(few)
    flat = few.reshape(-1)
    minimum, maximum = np.minimum.reduce(flat).item(), np.maximum.reduce(flat).item()
    if few.dtype.kind in "biu":
        return Extremes(int(minimum), int(maximum), True)
    if math.isfinite(minimum) and math.isfinite(maximum):
        return Extremes(minimum + 0.0, maximum + 0.0, True)
    finite = few[np.isfinite(few)]
    if not finite.size:
        return Extremes(None, None, False)
    return Extremes(float(finite.min()) + 0.0, float(finite.max()) + 0.0, False)


def _half_extremes(few: Values) -> Extremes:
    """Of float16 or bfloat16 by their bits: as unsigned numbers they grow away from zero, the negative ones on top."""
    infinity = INFINITY[few.dtype]
    bits = few.reshape(-1).view(np.uint16)
    highest, largest = int(bits.max()), int(bits.view(np.int16).max())
    if largest >= infinity or highest >= 0x8000 | infinity:
        bits = bits[(bits & 0x7FFF) < infinity]
        if not bits.size:
            return Extremes(None, None, False)
        return _half_extremes(bits.view(few.dtype))._replace(all_finite=False)
    lowest = int(bits.min()) if highest < 0x8000 or largest < 0 else None
    if lowest is None:
        minimum, maximum = highest, largest
    elif highest < 0x8000:
        minimum, maximum = lowest, highest
    else:
        minimum, maximum = highest, lowest
    ends = np.array([minimum, maximum], np.uint16).view(few.dtype).astype(np.float64)
    return Extremes(float(ends[0]) + 0.0, float(ends[1]) + 0.0, True)


def buffer(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Memory under this name, the same for every call of a thread: new memory costs more than filling it."""
    size = math.prod(shape)
    held: npt.NDArray[Any] | None = getattr(_BUFFERS, name, None)
    if held is None or held.size < size:
        held = np.empty(size, dtype)
        if size <= _KEPT:
            setattr(_BUFFERS, name, held)
    return held[:size].reshape(shape)


def bits_of(values: Values) -> npt.NDArray[Any]:
    """Values as unsigned integers of their bits."""
    return values.view(np.dtype(f"u{values.dtype.itemsize}"))


def least(one: Any, other: Any) -> Any:
    """The smaller of two numbers, either of which may be None."""
    return other if one is None else one if other is None else min(one, other)


def greatest(one: Any, other: Any) -> Any:
    """The larger of two numbers, either of which may be None."""
    return other if one is None else one if other is None else max(one, other)
