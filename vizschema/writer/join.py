"""`join`: archives of several processes as one, put together along an axis."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vizschema.containers.base import Container
from vizschema.containers.opening import open_container
from vizschema.containers.values import Region, dtype_of
from vizschema.describing import describe_open
from vizschema.description import Description, Node
from vizschema.digests import digest
from vizschema.errors import UsageError
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.rules.chunking import default_chunks
from vizschema.rules.verdict import choose
from vizschema.text import local_path
from vizschema.writer.convert import supported
from vizschema.writer.forms import form_of
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.source import SourceValues
from vizschema.writer.write import write_judged

JOINED_FROM = "joined_from"
"""The attribute of `/metadata` that lists the digests of the parts."""

_METADATA = "/metadata"
_LARGEST = "recomputed_error"
_SHOWN = 5


class _Part(NamedTuple):
    """An archive to be joined, open."""

    name: str
    opened: Container
    description: Description

    def node(self, path: str) -> Node:
        """The node at `path`, which every part has."""
        found: Node = self.description["nodes"][path]
        return found

    def values(self, path: str) -> SourceValues:
        """The values of an array."""
        node = self.node(path)
        return SourceValues(path, self.opened, tuple(node["shape"]), dtype_of(node["dtype"]))


class Joined:
    """The values of several arrays behind each other along the axis number `along`."""

    def __init__(self, parts: Sequence[SourceValues], along: int) -> None:
        self._parts = parts
        self._along = along
        self._ends = np.cumsum([part.shape[along] for part in parts]).tolist()
        shape = list(parts[0].shape)
        shape[along] = self._ends[-1]
        self.shape = tuple(shape)
        self.dtype = parts[0].dtype

    def __getitem__(self, key: Any, /) -> npt.NDArray[Any]:
        along = self._along
        found = []
        for part, end in zip(self._parts, self._ends, strict=True):
            begin = end - part.shape[along]
            first, last = max(key[along].start, begin), min(key[along].stop, end)
            if first < last:
                found.append(part[(*key[:along], slice(first - begin, last - begin), *key[along + 1 :])])
            elif first >= end:
                part.release()
        if found:
            return np.concatenate(found, along) if len(found) > 1 else found[0]
        return np.zeros([part.stop - part.start for part in key], self.dtype)


def join(
    parts: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    axis: str,
    container: str | None = None,
    overwrite: bool = False,
    values: bool = True,
) -> Report:
    """Join archives along an axis: arrays that have it are put together in the order given, all else must be equal.

    `created_at` is the earliest, `recomputed_error` the largest, `device` of `/metadata` the list of all that differ,
    `size_<axis>` the sum; the digests of the parts are kept in `/metadata` as `joined_from`. The result is written and
    judged as by `write`.

    Parameters:
        parts: The archives, two or more, in order.
        target: Where to write.
        axis: The name of the axis, such as `sample`.
        container: Such as `zarr-v3`, `hdf5` or `npz` (None: by the suffix of `target`).
        overwrite: Replace an archive at `target`.
        values: Judge the values too (False: the structure only).

    Returns:
        The report on the archive, which conforms.

    Raises:
        NotConforming: The joined archive would not conform; nothing is written.
        UsageError: The parts differ in something else, or an argument does not fit.
        NotSupported: The container of the target cannot store the archive.
        NotAnArchive: A part cannot be read.

    Examples:
        >>> parts = []
        >>> for rank in range(2):
        ...     x = vizschema.Array(np.full((2, 3), rank + 0.5, "float32"), ["sample", "class"])
        ...     attributes = {"/metadata": {"model_name": "m", "model_version": "1"}}
        ...     parts.append(f"rank_{rank}.zarr")
        ...     report = vizschema.write(parts[-1], {"/outputs/logits": x}, attributes, profile="trace")
        >>> vizschema.join(parts, "joined.zarr", axis="sample").verdict
        'conforms'
    """
    path = Path(target)
    form = form_of(path, container)
    if len(parts) < 2:
        raise UsageError(path="parts", expected="two archives or more", found=len(parts))
    with ExitStack() as stack:
        opened = []
        for place in [local_path(os.fspath(part)) for part in parts]:
            archive = stack.enter_context(closing(open_container(place)))
            opened.append(_Part(place, archive, supported(place, describe_open(archive), form)))
        _require_same_nodes(opened)
        along = _along(opened[0], axis)
        groups, arrays = _attributes(opened, axis), _arrays(opened, along, form)
        chosen = choose(opened[0].description)
        return write_judged(path, form, groups, arrays, chosen, overwrite=overwrite, values=values)


def _require_same_nodes(parts: Sequence[_Part]) -> None:
    first, *others = parts
    for other in others:
        differ = sorted(first.description["nodes"].keys() ^ other.description["nodes"].keys())
        if differ:
            shown = ", ".join(differ[:_SHOWN]) + (f" and {len(differ) - _SHOWN} more" if differ[_SHOWN:] else "")
            raise UsageError(path=other.name, expected=f"the nodes of {first.name}", found=f"a difference in {shown}")


def _along(part: _Part, axis: str) -> dict[str, int]:
    """The number of the axis, by the path of the arrays that have it."""
    found = {}
    for path, node in part.description["nodes"].items():
        names = [(name or "").partition(":")[0] for name in node.get("axes") or ()]
        if names.count(axis) > 1:
            raise UsageError(path=path, expected=f"at most one axis {axis} to join along", found=node["axes"])
        if axis in names:
            found[path] = names.index(axis)
    if not found:
        raise UsageError(path=part.name, expected=f"arrays with the axis {axis}", found="none")
    return found


def _attributes(parts: Sequence[_Part], axis: str) -> dict[str, Mapping[str, Any]]:
    """The attributes of the groups; raises `UsageError` where they differ and must not."""
    groups: dict[str, Mapping[str, Any]] = {}
    for path, node in sorted(parts[0].description["nodes"].items()):
        if node["kind"] == "group":
            groups[path] = _merged(path, parts, axis)
    digests = [digest(part.name) for part in parts]
    groups[_METADATA] = {**groups.get(_METADATA, {}), JOINED_FROM: digests}
    return groups


def _merged(path: str, parts: Sequence[_Part], axis: str = "") -> dict[str, Any]:
    given = [part.node(path)["attributes"] for part in parts]
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key for each in given for key in each):
        found = [each.get(key) for each in given]
        if path == "/" and key == "created_at":
            merged[key] = min(map(str, found))
        elif axis and key == f"size_{axis}" and all(isinstance(size, int) for size in found):
            merged[key] = sum(found)
        elif path == _METADATA and key == "device" and any(each != found[0] for each in found):
            merged[key] = list(dict.fromkeys(map(str, found)))
        elif key == _LARGEST and all(isinstance(each, float | int) for each in found):
            merged[key] = max(found)
        else:
            merged[key] = found[0]
            _require_equal(path, f"attribute {key}", parts, found)
    return merged


def _require_equal(path: str, what: str, parts: Sequence[_Part], found: Sequence[Any]) -> None:
    for part, value in zip(parts, found, strict=True):
        if value != found[0]:
            expected = f"{what} as in {parts[0].name} ({found[0]!r})"
            raise UsageError(path=f"{part.name}: {path}", expected=expected, found=repr(value))


def _arrays(parts: Sequence[_Part], along: Mapping[str, int], form: Form) -> dict[str, PlannedArray]:
    layout = versions.read_json(versions.default().folder / "layout.json")
    planned = {}
    for path, node in parts[0].description["nodes"].items():
        if node["kind"] != "array":
            continue
        number = along.get(path)
        for what in ("dtype", "axes", "shape"):
            found = [part.node(path)[what] for part in parts]
            if what == "shape" and number is not None:
                found = [[*shape[:number], *shape[number + 1 :]] for shape in found]
            _require_equal(path, what, parts, found)
        sources = [part.values(path) for part in parts]
        values: Any = sources[0] if number is None else Joined(sources, number)
        names = [name or "" for name in node["axes"] or [""] * len(node["shape"])]
        chunks = default_chunks(path, values.shape, names, values.dtype.itemsize, layout)
        cut = tuple(min(length, max(1, size)) for length, size in zip(chunks, values.shape, strict=True))
        shards = form.default_shards(values.shape, cut, values.dtype.itemsize)
        axes = None if node["axes"] is None else tuple(node["axes"])
        stored = node["storage"]
        lies = None if stored is None else tuple((stored["shards"] or {"shape": stored["chunks"]})["shape"])
        planned[path] = PlannedArray(values, node["dtype"], axes, _merged(path, parts), cut, shards, lies)
        if number is None:
            _require_same_values(path, planned[path], parts, sources)
    return planned


def _require_same_values(
    path: str, planned: PlannedArray, parts: Sequence[_Part], sources: Sequence[SourceValues]
) -> None:
    for part, source in zip(parts[1:], sources[1:], strict=True):
        other = replace(planned, values=source)
        if any(one != two for one, two in _both(planned, other, planned.rows())):
            raise UsageError(path=f"{part.name}: {path}", expected=f"the values of {parts[0].name}", found="others")
        source.release()


def _both(one: PlannedArray, other: PlannedArray, regions: Iterator[Region]) -> Iterator[tuple[bytes, bytes]]:
    return ((one.part(region).tobytes(), other.part(region).tobytes()) for region in regions)
