"""The values of an archive that is being fixed, as a writer asks for them: read as the archive was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.values import dtype_of
from vizschema.description import Description, Node
from vizschema.errors import NotAnArchive
from vizschema.measure import Measured
from vizschema.rules import versions
from vizschema.rules.chunking import default_chunks
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.fixes.storage import small_arrays
from vizschema.text import escape_text
from vizschema.writer.forms.base import Form, PlannedArray

MOST_BYTES = 16 << 20
"""Bytes that are asked for at once."""


class Taken:
    """The values of one array, read box by box as they are indexed, and never more than `MOST_BYTES` at once."""

    def __init__(self, archive: Measured, path: str, node: Node) -> None:
        self.shape = tuple(node["shape"])
        self.dtype = dtype_of(node["dtype"])
        self._archive = archive
        self._path = path

    def __getitem__(self, key: Any, /) -> npt.NDArray[Any]:
        box = [part.indices(size)[:2] for part, size in zip(key, self.shape, strict=True)]
        values = np.empty([end - first for first, end in box], self.dtype)
        for part in _parts(box, self.dtype.itemsize):
            place = tuple(slice(first - low, end - low) for (first, end), (low, _) in zip(part, box, strict=True))
            values[place] = self._archive.take(self._path, part)
        return values


def _parts(box: Sequence[tuple[int, int]], item: int) -> list[list[tuple[int, int]]]:
    """`box` in parts of at most `MOST_BYTES`, cut along its first axes."""
    sides: list[list[tuple[int, int]]] = []
    rest = math.prod(end - first for first, end in box) * item
    for first, end in box:
        length = end - first
        if rest > MOST_BYTES and length > 1:
            step = max(1, MOST_BYTES * length // rest)
            sides.append([(at, min(at + step, end)) for at in range(first, end, step)])
            rest = -(-rest // length) * step
        else:
            sides.append([(first, end)])
    return [list(part) for part in product(*sides)]


def small_values(archive: Measured, description: Description) -> dict[str, Any]:
    """The values of arrays that may become attributes, as JSON, by path; without those that cannot be read."""
    found: dict[str, Any] = {}
    for path in small_arrays(description):
        if path not in archive.description["nodes"]:
            continue
        node = description["nodes"][path]
        with suppress(NotAnArchive):  # what cannot be read stays an array
            values = archive.take(path, [(0, size) for size in node["shape"]]).tolist()
            if _is_plain(values):
                found[path] = values
    return found


def _is_plain(value: Any) -> bool:
    """Whether a value, or each of a list, is a finite number or printable text, as an attribute has to be."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return escape_text(value) == value if isinstance(value, str) else math.isfinite(value)


def planned(archive: Measured, description: Description, draft: Draft, path: str, form: Form) -> PlannedArray:
    """The array of a draft at `path`, ready to be written: in its new chunks, or in those that it has."""
    node, origin = draft.nodes[path], draft.origin[path]
    source = description["nodes"][origin]
    values = Taken(archive, origin, source)
    cut: Mapping[str, Any] | None = source["storage"]
    axes = None if node["axes"] is None else tuple(node["axes"])
    chunks = draft.recut.get(path) or (_default(path, node, axes) if cut is None else tuple(cut["chunks"]))
    chunks = tuple(min(max(1, length), max(1, size)) for length, size in zip(chunks, values.shape, strict=True))
    stored = None if cut is None else tuple((cut["shards"] or {"shape": cut["chunks"]})["shape"])
    shards = form.default_shards(values.shape, chunks, values.dtype.itemsize)
    return PlannedArray(values, node["dtype"], axes, node["attributes"], chunks, shards, stored)


def _default(path: str, node: Node, axes: Sequence[str | None] | None) -> tuple[int, ...]:
    names = [name or "" for name in (axes or [""] * len(node["shape"]))]
    item = dtype_of(node["dtype"]).itemsize
    return default_chunks(path, node["shape"], names, item, versions.layout_of(versions.default()))
