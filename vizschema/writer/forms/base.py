"""What every writer of a container offers, and what it is given to write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vizschema.containers.attributes import STORED
from vizschema.containers.values import Region, grid_of, regions
from vizschema.description import NIBBLES, STORED_AS, Node
from vizschema.errors import UsageError

AT_ONCE = 32 << 20
"""Maximum bytes of an array that a writer takes at once, where one chunk of it is no larger."""

Watch = Callable[[tuple[int, ...], np.ndarray[Any, Any]], None]
"""Called with the first index of a region, and its values."""


class Readable(Protocol):
    """Values that are read as they are indexed: a NumPy array, or one in another archive."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along every axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, native."""

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """One array, ready to be written: portable values in native byte order, and how to cut and describe them.

    `cut` is how values that are read from elsewhere lie there in chunks, `watch` gets every part as it passes.
    """

    values: Readable
    dtype: str
    axes: tuple[str | None, ...] | None
    attributes: Mapping[str, Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    cut: tuple[int, ...] | None = None
    watch: Watch | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along every axis."""
        return tuple(self.values.shape)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The dtype as NumPy's own: unsigned integers for the bits of what it lacks."""
        return np.dtype(STORED_AS[self.dtype]) if self.dtype in STORED_AS else self.values.dtype

    @property
    def marked(self) -> dict[str, Any]:
        """The attributes, with what says which dtype is stored, for a container that has no name for it."""
        return {**self.attributes, **({STORED: self.dtype} if self.dtype in STORED_AS else {})}

    def part(self, region: Region) -> np.ndarray[Any, Any]:
        """The values of a region as `stored_dtype`, C order."""
        values = np.asarray(self.values[region])
        extent = tuple(along.stop - along.start for along in region)
        if values.shape != extent:
            raise UsageError(expected=f"values of the shape {extent} for a region", found=f"the shape {values.shape}")
        values = np.ascontiguousarray(values).reshape(extent)
        if self.watch is not None:
            self.watch(tuple(part.start for part in region), values)
        return self.stored(values)

    def stored(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Contiguous values as `stored_dtype`."""
        stored = values.view(self.stored_dtype)
        return stored & 0x0F if self.dtype in NIBBLES else stored

    def regions(self) -> Iterator[Region]:
        """Regions that hold whole chunks (whole shards) and as many as `AT_ONCE` allows, in C order."""
        return regions(self.shape, _grown(self, self.shards or self.chunks))

    def rows(self) -> Iterator[Region]:
        """Regions that are one range of memory each, in C order."""
        block = list(grid_of(self.shape, self.stored_dtype.itemsize, AT_ONCE))
        axis = next((axis for axis, length in enumerate(block) if length > 1), 0)
        if self.cut is not None and block and block[axis] < self.shape[axis]:
            # Whole chunks of what is read, so that none is decoded twice.
            block[axis] -= block[axis] % self.cut[axis] if block[axis] > self.cut[axis] else 0
        return regions(self.shape, block)


def _grown(planned: PlannedArray, grid: Sequence[int]) -> list[int]:
    """The grid in multiples: first up to the chunks of what is read, then up to `AT_ONCE`."""
    item = planned.stored_dtype.itemsize
    block = list(grid)
    if planned.cut is not None:
        wide = [length * -(-cut // length) for length, cut in zip(grid, planned.cut, strict=True)]
        block = wide if math.prod(wide) * item <= AT_ONCE else block
    for axis in reversed(range(len(block))):
        times = AT_ONCE // max(1, math.prod(block) * item)
        if times > 1:
            most = -(-planned.shape[axis] // block[axis]) if planned.shape[axis] else 1
            block[axis] *= min(times, most)
    return block


class Writer(Protocol):
    """An open archive that is being written. What a method has written is with the operating system when it returns."""

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Called with everything that will be written, in its order, before any of it; only `create` cannot tell."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Write a group; its parent is there already, or it is the root."""

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array with its values; its parent is there already."""

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group that is there, and keep its others."""

    def finish(self) -> None:
        """Write what sums up the whole archive (consolidated metadata), where the container has such a thing."""

    def close(self) -> None:
        """Let go of every file."""


def no_shards(_: Sequence[int], __: Sequence[int], ___: int) -> tuple[int, ...] | None:
    """Return None: an array is sharded only on request."""
    return None


def holds(_: str, __: Mapping[str, Any]) -> str | None:
    """Return None: the container supports a node of any path and attributes."""
    return None


@dataclass(frozen=True, slots=True)
class Form:
    """A container that can be written: its name, its `container` block once finished, how it stores, how to begin.

    `captured` is the version of Zarr in which it is written array by array, each safe once it is written (None: it
    cannot be), at the target if `in_place`, else beside it. `default_shards` gives the shards of a shape cut into
    chunks of so many bytes an item, `refusal` in words why the container cannot hold a node of this path and these
    attributes, `lacks` the dtypes that it cannot hold.
    """

    name: str
    identity: Mapping[str, Any]
    shards: bool
    storage: Callable[[PlannedArray], Node | None]
    begin: Callable[[Path], Writer]
    captured: int | None = None
    in_place: bool = False
    default_shards: Callable[[Sequence[int], Sequence[int], int], tuple[int, ...] | None] = no_shards
    refusal: Callable[[str, Mapping[str, Any]], str | None] = holds
    lacks: frozenset[str] = frozenset()

    def why_not(self, path: str, attributes: Mapping[str, Any], dtype: str | None = None) -> str | None:
        """In words why the container cannot hold a group, or an array of this dtype; None where it can."""
        if dtype in self.lacks:
            return f"{self.name} has no {dtype}; choose another container"
        return self.refusal(path, attributes)


def unchunked(_: PlannedArray) -> Node | None:
    """Return None: the container has no chunks."""
    return None
