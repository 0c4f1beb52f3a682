"""Values that are read by regions: views of arrays that are not in memory, with their axes moved or folded."""

from __future__ import annotations

import hashlib
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vizschema.canonical import canonical
from vizschema.containers.values import Region, boxes, dtype_of, grid_of, number_of, regions
from vizschema.description import ITEM_BYTES
from vizschema.errors import Refused
from vizschema.sources.item import Item, Tree, Values

REGION = 64 << 20
"""Most bytes of a region that is read for a digest, or to see what rows obey."""

KEPT = 64 << 20
"""Most bytes of arrays that are kept after they were read as a whole; one is kept whatever its size."""


@dataclass(frozen=True, slots=True)
class View:
    """Values of `shape` and `dtype`; `fetch` reads a region, whose slices have a first entry and an end.

    `chunks` are how the values lie: regions of whole chunks are read without decoding any twice.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fetch: Callable[[Region], Values]
    chunks: tuple[int, ...] | None = None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: Region) -> Values:
        return self.fetch(key)

    def whole(self) -> Values:
        """All values, in memory."""
        return self.fetch(everything(self.shape))


def view_of(array: Any) -> View:
    """A view of what has a shape and a dtype, and is indexed: an array in memory, or one of an open archive."""
    return View(tuple(array.shape), array.dtype, lambda region: np.asarray(array[region or ...]))


def everything(shape: Sequence[int]) -> Region:
    """The region that is the whole of an array."""
    return tuple(slice(0, size) for size in shape)


def turned(view: View, order: Sequence[int]) -> View:
    """A view with the axes of another one in a new order."""

    def fetch(region: Region) -> Values:
        return view[tuple(region[order.index(axis)] for axis in range(len(order)))].transpose(order)

    chunks = None if view.chunks is None else tuple(view.chunks[axis] for axis in order)
    return View(tuple(view.shape[axis] for axis in order), view.dtype, fetch, chunks)


def without(view: View, axis: int, index: int) -> View:
    """A view of one entry along an axis, which the view does not have."""

    def fetch(region: Region) -> Values:
        return np.squeeze(view[(*region[:axis], slice(index, index + 1), *region[axis:])], axis)

    chunks = None if view.chunks is None else (*view.chunks[:axis], *view.chunks[axis + 1 :])
    return View((*view.shape[:axis], *view.shape[axis + 1 :]), view.dtype, fetch, chunks)


def expanded(view: View, axis: int) -> View:
    """A view with one more axis, of size 1."""

    def fetch(region: Region) -> Values:
        return np.expand_dims(view[(*region[:axis], *region[axis + 1 :])], axis)

    chunks = None if view.chunks is None else (*view.chunks[:axis], 1, *view.chunks[axis:])
    return View((*view.shape[:axis], 1, *view.shape[axis:]), view.dtype, fetch, chunks)


def cast(view: View, dtype: np.dtype[Any]) -> View:
    """A view of the values as another dtype."""
    return View(view.shape, dtype, lambda region: converted(view[region], dtype), view.chunks)


def converted(values: Values, dtype: np.dtype[Any]) -> Values:
    """Values as another dtype, whether or not they are exact in it."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


def reshaped(view: View, shape: tuple[int, ...]) -> View:
    """A view of the same values, in C order, of another shape."""

    def fetch(region: Region) -> Values:
        lengths = [part.stop - part.start for part in region]
        if 0 in lengths:
            return np.empty(lengths, view.dtype)
        # Behind the first axis with more than one entry, whole rows are read.
        axis = next((axis for axis, length in enumerate(lengths) if length > 1), len(shape))
        rest = shape[axis + 1 :]
        start = number_of([part.start for part in region[: axis + 1]] + [0] * len(rest), shape)
        rows = [*lengths[: axis + 1], *rest]
        cut = (*(slice(None) for _ in lengths[: axis + 1]), *region[axis + 1 :])
        return _range(view, start, start + math.prod(rows)).reshape(rows)[cut or ...]

    return View(shape, view.dtype, fetch)


def _range(view: View, first: int, end: int) -> Values:
    """The entries from `first` to `end` in C order."""
    found = [
        view[tuple(slice(at, at + length) for at, length in zip(start, extent, strict=True))].reshape(-1)
        for start, extent in boxes(first, end, view.shape)
    ]
    return found[0] if len(found) == 1 else np.concatenate(found)


def parts(values: View | Values, whole: int | None = None, limit: int = REGION) -> Iterator[Values]:
    """All values, region by region, as `blocks` gives them, without where they lie."""
    return (block for _, block in blocks(values, whole, limit))


def blocks(values: View | Values, whole: int | None = None, limit: int = REGION) -> Iterator[tuple[Region, Values]]:
    """All values by regions, of at most `limit` bytes where an entry, or a row along `whole`, is smaller.

    They come in C order, unless an axis is to be `whole` in each of them.
    """
    view = values if isinstance(values, View) else view_of(values)
    item = max(1, view.dtype.itemsize)
    chunks = view.chunks or (1,) * view.ndim
    block = list(grid_of(view.shape, item, limit)) if whole is None else _rows(view.shape, chunks, item, whole, limit)
    axis = next((axis for axis, length in enumerate(block) if length > 1), None)
    if axis is not None and chunks[axis] < block[axis] < view.shape[axis]:
        block[axis] -= block[axis] % max(1, chunks[axis])
    return ((region, view[region]) for region in regions(view.shape, block))


def _rows(shape: Sequence[int], chunks: Sequence[int], item: int, whole: int, limit: int) -> list[int]:
    """A block with all of an axis, of whole chunks if these fit within the limit."""
    for lengths in (chunks, [1] * len(shape)):
        block = [max(1, min(length, size)) for length, size in zip(lengths, shape, strict=True)]
        block[whole] = max(1, shape[whole])
        if math.prod(block) * item <= limit:
            break
    for axis in reversed(range(len(shape))):
        block[axis] = max(1, min(shape[axis], block[axis] * max(1, limit // (math.prod(block) * item))))
    return block


def digest(values: View | Values) -> str:
    """The SHA-256 of dtype, shape and values: the bytes in C order, little-endian; of texts, their canonical JSON."""
    kind = "string" if values.dtype.kind in "UT" else values.dtype.name
    found = hashlib.sha256(f"{kind} {list(values.shape)} ".encode())
    for part in parts(values, limit=REGION if kind != "string" else sys.maxsize):
        if kind == "string":
            found.update(canonical(part.astype(object).tolist()))
        else:
            plain = np.ascontiguousarray(part)
            found.update(plain.astype(plain.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def require_within(tree: Tree, memory: int) -> None:
    """Raise `Refused` if an array needs more than `memory` bytes at a time."""
    for item in tree.values():
        needed = min(item.size, REGION) if item.chunks is not None else item.size
        if needed > memory:
            words = f"{item.path}: {needed} bytes are read at a time, more than the limit of {memory}"
            raise Refused([f"{words}; raise --memory"])


class Kept:
    """Views of the items of a source; small arrays, and those that can only be read as a whole, are kept for a time."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[Values, int]] = OrderedDict()
        self._bytes = 0

    def view(self, item: Item) -> View:
        """A view of the values of an array, which are read when the view is; texts and records are read now."""
        if item.dtype not in ITEM_BYTES:
            return view_of(item.values())
        dtype = dtype_of(item.dtype)
        if item.chunks is not None and item.size > KEPT:
            return View(item.shape, dtype, item.values, item.chunks)
        return View(item.shape, dtype, lambda region: self._whole(item)[region or ...])

    def _whole(self, item: Item) -> Values:
        if item.path not in self._held:
            while self._held and self._bytes + item.size > KEPT:
                self._bytes -= self._held.popitem(last=False)[1][1]
            self._held[item.path] = (item.values(), item.size)
            self._bytes += item.size
        self._held.move_to_end(item.path)
        return self._held[item.path][0]
