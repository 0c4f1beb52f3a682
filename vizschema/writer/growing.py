"""Arrays that are not written in one piece: one that takes regions in any order, and one whose axes grow.

What is there before an array grows stays as it is until the new size is written, which is the last step. So a writer
that is killed leaves the old size, and chunks beyond it, which `sweep` removes.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.array import AsyncArray
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata
from zarr.storage import LocalStore, StorePath

from vizschema.containers.values import dtype_of
from vizschema.description import Node
from vizschema.errors import UsageError
from vizschema.writer.arraylike import readable
from vizschema.writer.capture import Capture
from vizschema.writer.forms.base import PlannedArray
from vizschema.writer.forms.zarr import settled
from vizschema.writer.forms.zarr_documents import read_document, replace_document

Box = tuple[tuple[int, ...], tuple[int, ...]]

_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs"})
GROWING_BYTES = 1 << 18
"""The size of chunks of an array that grows, which are read and written again as they fill."""


@dataclass(frozen=True, slots=True)
class Sized:
    """An array of which only shape and dtype are known here."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any, /) -> Any:
        raise NotImplementedError


def planned_of(node: Node) -> PlannedArray:
    """What was planned for an array that is in an archive already."""
    stored = node["storage"] or {"chunks": node["shape"], "shards": None}
    shards = None if stored["shards"] is None else tuple(stored["shards"]["shape"])
    axes = None if node["axes"] is None else tuple(node["axes"])
    values = Sized(tuple(node["shape"]), dtype_of(node["dtype"]))
    return PlannedArray(values, node["dtype"], axes, node["attributes"], tuple(stored["chunks"]), shards)


class Slot:
    """An array that takes its values region by region, from any threads; returned by `Trace.reserve`.

    It is in the archive once every value was given; until then, it counts for nothing.

    Examples:
        >>> attributes = {"/metadata": {"model_name": "m", "model_version": "1"}}
        >>> with vizschema.create("new.zarr", profile="trace", attributes=attributes) as trace:
        ...     slot = trace.reserve("/outputs/logits", (4, 3), "float32", ["sample", "class"])
        ...     slot[:2] = np.zeros((2, 3), "float32")
        ...     slot[2:] = np.ones((2, 3), "float32")
        ...     print("/outputs/logits" in trace)
        True
    """

    def __init__(
        self,
        place: str,
        planned: PlannedArray,
        array: Any,
        watch: Callable[[tuple[int, ...], npt.NDArray[Any]], None] | None,
        done: Callable[[], None],
        discarded: Callable[[], None],
    ) -> None:
        self.path = place
        self.shape = planned.shape
        self._planned = planned
        self._array = array
        self._watch = watch
        self._done = done
        self._discarded = discarded
        self._boxes: list[Box] = []
        self._given = 0
        self._finished = False
        self._lock = threading.Lock()

    def __setitem__(self, region: Any, values: Any) -> None:
        """Write the values of a region, each value of the array once.

        Raises:
            UsageError: A value of the region was given before, or the values do not fit it.
            NotConforming: The whole array, of which this was the last region, does not conform; it is discarded.
        """
        box = _box(self.path, region, self.shape)
        start, extent = box
        given = np.asarray(readable(self.path, values)[...])
        if given.dtype != self._planned.values.dtype or given.shape != extent:
            raise UsageError(
                path=self.path,
                expected=f"{self._planned.dtype} of the shape {extent} for the region",
                found=f"{given.dtype} of the shape {given.shape}",
            )
        given = np.ascontiguousarray(given).reshape(extent)
        with self._lock:
            self._require_new(box)
            where = tuple(slice(at, at + length) for at, length in zip(start, extent, strict=True))
            stored = self._planned.stored(given)
            with settled():
                self._array[where] = stored
            self._boxes.append(box)
            self._given += math.prod(extent)
            if self._watch is not None:
                self._watch(start, given)
            if self._given == self.size:
                self._finished = True
                self._done()

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def given(self) -> int:
        """How many of its values were given."""
        return self._given

    def discard(self) -> None:
        """Give the array up: nothing of it is kept."""
        with self._lock:
            if not self._finished:
                self._finished = True
                self._discarded()

    def _require_new(self, box: Box) -> None:
        if self._finished:
            raise UsageError("is whole, or was given up; arrays cannot be changed", path=self.path)
        for start, extent in self._boxes:
            sides = zip(start, extent, *box, strict=True)
            if all(one < other + length and other < one + size for one, size, other, length in sides):
                found = f"{list(start)} and {list(extent)} beside {list(box[0])} and {list(box[1])} (start and size)"
                raise UsageError(path=self.path, expected="regions that do not overlap", found=found)


def _box(path: str, region: Any, shape: Sequence[int]) -> Box:
    """Return start and extent of a region of slices without steps and integers."""
    given = region if isinstance(region, tuple) else (region,)
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given = (*given[:at], *[slice(None)] * (len(shape) - len(given) + 1), *given[at + 1 :])
    given = (*given, *[slice(None)] * (len(shape) - len(given)))
    ranges = [range(size)[part] if isinstance(part, slice) else None for part, size in zip(given, shape, strict=False)]
    if len(given) != len(shape) or any(found is None or found.step != 1 for found in ranges):
        raise UsageError(path=path, expected=f"a slice without step per dimension of {tuple(shape)}", found=region)
    found = [each for each in ranges if each is not None]
    return tuple(each.start for each in found), tuple(len(each) for each in found)


def grown_shape(path: str, before: PlannedArray, given: Sequence[int], along: Sequence[int]) -> tuple[int, ...]:
    """Return the shape after values of the shape `given` were appended along the axes of these numbers.

    Along the first, the sizes add up; along the others, `given` is the new size. Raises `UsageError` where the rest
    differs.
    """
    shape = list(before.shape)
    first, *others = along
    fits = len(given) == len(shape) and all(
        size == old or number in along for number, (size, old) in enumerate(zip(given, shape, strict=True))
    )
    if not fits or any(given[number] < shape[number] for number in others):
        raise UsageError(
            path=path,
            expected=f"values that fit the shape {tuple(shape)} along all axes but {', '.join(_named(before, along))}",
            found=f"the shape {tuple(given)}",
        )
    for number in others:
        shape[number] = given[number]
    shape[first] += given[first]
    return tuple(shape)


def _named(planned: PlannedArray, along: Sequence[int]) -> list[str]:
    return [str((planned.axes or ())[number]) for number in along]


def grow(
    capture: Capture, place: str, before: PlannedArray, shape: tuple[int, ...], data: PlannedArray, first: int
) -> None:
    """Write `data` behind what is there along the axis number `first`, zeros where older rows are longer now.

    The new `shape` is written last.
    """
    folder = capture.at(place)
    array, document, content = _opened(folder, capture.version, shape, before.stored_dtype)
    old = before.shape
    offset = old[first]
    for number, (was, now) in enumerate(zip(old, shape, strict=True)):
        if number != first and now > was:  # older rows are longer now
            # From the older end, and over axes that were treated before only up to their old size.
            gap = [slice(0, old[each] if each == first or each < number else shape[each]) for each in range(len(shape))]
            gap[number] = slice(was, now)
            with settled():
                array[tuple(gap)] = np.zeros((), before.stored_dtype)
    for region in data.regions():
        where = list(region)
        where[first] = slice(offset + region[first].start, offset + region[first].stop)
        part = data.part(region)
        with settled():
            array[tuple(where)] = part
    replace_document(document, content, capture.stage)


def _opened(folder: Path, version: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Path, Any]:
    """Return the array in `folder` as it will be with `shape`, its document, and what that will contain."""
    document = folder / ("zarr.json" if version == 3 else ".zarray")
    content = {**read_document(document), "shape": list(shape)}
    known = json.loads(json.dumps(content))
    metadata: Any
    if version == 3:
        if known["data_type"] != dtype.name:  # what zarr-python has no name for is stored by its bits
            known |= {"data_type": dtype.name, "fill_value": 0}
        metadata = ArrayV3Metadata.from_dict(known)
    else:
        metadata = ArrayV2Metadata.from_dict({**known, "attributes": {}})
    store = StorePath(LocalStore(folder), "")
    config: Any = {"write_empty_chunks": True}
    return zarr.Array(AsyncArray(metadata=metadata, store_path=store, config=config)), document, content


def sweep(folder: Path, counts: Sequence[int]) -> None:
    """Remove chunks that lie beyond a grid of so many chunks, and temporary files: what an unfinished `append` left."""
    found = sorted(folder.rglob("*"), reverse=True)  # what is in a folder before it
    for path in [each for each in found if each.name not in _DOCUMENTS]:
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
            continue
        steps = path.relative_to(folder).as_posix().removeprefix("c/").replace("/", ".").split(".")
        numbers = [int(step) for step in steps if step.isascii() and step.isdecimal()]
        beyond = len(numbers) == len(counts) and any(at >= count for at, count in zip(numbers, counts, strict=True))
        if beyond or path.suffix == ".partial":
            path.unlink()


def growing_chunks(
    shape: Sequence[int], along: Sequence[int], item_bytes: int, given: Sequence[int]
) -> tuple[int, ...]:
    """Return chunk lengths for an array that grows: those `given`, longer along the axes that grow.

    They are a power of two times `given`, up to `GROWING_BYTES` and not beyond 64 values per axis and call.
    """
    chunks = list(given)
    for number in along:
        while math.prod(chunks) * 2 * item_bytes <= GROWING_BYTES and chunks[number] < 64 * max(1, shape[number]):
            chunks[number] *= 2
    return tuple(chunks)


def axis_numbers(path: str, planned: PlannedArray, axis: Sequence[str]) -> list[int]:
    """Return the numbers of the axes that grow; raise `UsageError` for one that the array does not have."""
    axes: Mapping[str | None, int] = {name: number for number, name in enumerate(planned.axes or ())}
    for name in axis:
        if name not in axes:
            known = ", ".join(str(each) for each in axes) or "none"
            raise UsageError(path=path, expected=f"an axis of the array to append along ({known})", found=repr(name))
    if not axis:
        raise UsageError(path=path, expected="an axis to append along", found="none")
    return [axes[name] for name in axis]
