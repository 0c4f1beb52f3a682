"""What an array looks like: one slice as grey levels, and a histogram, both small. Reads a bounded part of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.base import Container
from vizschema.containers.values import Block, ChunkDamaged, Values
from vizschema.description import ITEM_BYTES, Node

ARRAYS = 24
"""Arrays of an archive of which pictures are made."""

BYTES = 8 << 20
"""Decoded bytes that are read of an array."""

SIDE = 96
BINS = 32
_SAMPLE = 1 << 14
"""Values of a block that are counted in a histogram, evenly spread."""
_ABSENT = 64
"""Chunks that were never written of which a sample is made at a time: they can be any number."""

Floats = npt.NDArray[np.float64]


def pictures(
    container: Container, nodes: Mapping[str, Node], wanted: Sequence[str], *, every: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, what `vizschema.findings.Picture` holds, as JSON) of each of `wanted` that is an array of numbers.

    With `every`, the last two axes are drawn as a map whichever they are.
    """
    arrays = [path for path in wanted if nodes.get(path, {}).get("dtype") in ITEM_BYTES]
    for path in arrays[:ARRAYS]:
        try:
            drawn = picture(container.values(path), nodes[path]["axes"], every=every)
        except ChunkDamaged:
            continue
        if drawn is not None:
            yield path, drawn


def picture(values: Values, axes: Sequence[str | None] | None, *, every: bool = False) -> dict[str, Any] | None:
    """The picture of one array, None where nothing of it can be shown; complex numbers by their absolute value."""
    shown = None
    if len(values.shape) > 1:
        shown = _last_axes(axes) if every else _slice_axes(axes)
    canvas = _Canvas(values.shape) if shown else None
    samples: list[Floats] = []
    seen = 0
    for block in _blocks(values):
        seen += block.values.size
        samples.append(_numbers(_sample(block)))
        if canvas is not None:
            canvas.paint(block)
    numbers = np.concatenate(samples) if samples else np.zeros(0)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    counts, _ = np.histogram(finite, BINS, (low, high) if low < high else (low - 0.5, high + 0.5))
    total = math.prod(values.shape)
    part = "all values" if seen == total else f"the first {seen} of {total} values"
    drawn: dict[str, Any] = {"minimum": low, "maximum": high, "counts": [int(count) for count in counts], "seen": part}
    if canvas is not None and shown is not None:
        drawn |= {"levels": canvas.levels(low, high).hex(), "columns": canvas.columns, "axes": list(shown)}
    return drawn


def _sample(block: Block) -> npt.NDArray[Any]:
    """Values of a block, evenly spread; of chunks that were never written, as many as they would have given."""
    size = block.values.size
    if block.absent:
        return np.resize(block.values[(0,) * block.values.ndim], min(size, _SAMPLE * min(block.absent, _ABSENT)))
    return block.values.reshape(-1)[:: max(1, size // _SAMPLE)]


def _slice_axes(axes: Sequence[str | None] | None) -> tuple[str, str] | None:
    """The last two axes where they are two roles of one axis: what is worth a look as a map."""
    if axes is None or len(axes) < 2 or axes[-1] is None or axes[-2] is None:
        return None
    same = axes[-1].partition(":")[0] == axes[-2].partition(":")[0]
    return (axes[-2], axes[-1]) if same else None


def _last_axes(axes: Sequence[str | None] | None) -> tuple[str, str]:
    """The names of the last two axes."""
    down, across = (axes or (None, None))[-2:]
    return (down or "the last axis but one", across or "the last axis")


def _blocks(values: Values) -> Iterator[Block]:
    """The first blocks of an array, as long as what is decoded for them stays within bounds."""
    left = BYTES
    for piece in values.pieces():
        left -= piece.decoded_bytes
        if left < 0:
            return
        yield from (block for block in values.read(piece) if isinstance(block, Block))


def _numbers(values: npt.NDArray[Any]) -> Floats:
    with np.errstate(all="ignore"):
        if values.dtype.kind == "c":
            values = np.abs(values)
        return values.astype(np.float64)


class _Canvas:
    """The first slice along all axes but the last two, thinned out to at most `SIDE` rows and columns."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._steps = tuple(max(1, -(-size // SIDE)) for size in shape[-2:])
        rows, self.columns = (-(-size // step) for size, step in zip(shape[-2:], self._steps, strict=True))
        self._entries = np.full((rows, self.columns), np.nan)

    def paint(self, block: Block) -> None:
        """Put that part of a block on the canvas which lies in the first slice."""
        if any(block.start[:-2]):
            return
        slice_ = block.values[(0,) * (block.values.ndim - 2)]  # which may be the fill value, of any size
        picks, targets = [], []
        for first, length, step in zip(block.start[-2:], slice_.shape, self._steps, strict=True):
            offset = -first % step
            picks.append(slice(offset, length, step))
            at = (first + offset) // step
            targets.append(slice(at, at + len(range(offset, length, step))))
        self._entries[targets[0], targets[1]] = _numbers(slice_[picks[0], picks[1]])

    def levels(self, low: float, high: float) -> bytes:
        """Grey levels from 0 (`low`) to 254 (`high`), row by row; 255 where nothing is known."""
        with np.errstate(all="ignore"):
            scaled = np.clip((self._entries - low) / ((high - low) or 1.0), 0.0, 1.0) * 254
        return np.where(np.isfinite(self._entries), scaled, 255).astype(np.uint8).tobytes()
