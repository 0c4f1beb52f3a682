"""A source of a migration, read by a worker: its items, and the values of each when they are asked for."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from vizschema.bounds import Bounds
from vizschema.containers.values import Region, dtype_of
from vizschema.description import ITEM_BYTES
from vizschema.errors import NotAnArchive, UsageError
from vizschema.sources import folder
from vizschema.sources.item import Item, Tree, Values
from vizschema.text import scheme_of
from vizschema.worker.process import Worker, WorkerDied, hexed

_CODE = re.compile(r"[<>|=]?[SUVmM][0-9]{1,9}(\[[0-9a-zA-Z]{1,20}\])?", re.ASCII)
_FIELDS = {
    **dict.fromkeys(("path", "kind", "dtype", "reason"), str),
    **dict.fromkeys(("attributes", "unsupported"), dict),
    "size": int,
}


@contextmanager
def opened(path: str, *, isolated: bool, memory: int) -> Iterator[Tree]:
    """The items of the source at `path`, as `sources.folder.opened` gives them; by a worker if they are `isolated`.

    `memory` is the most bytes of one array. Raises `NotAnArchive`, also where a worker ends early.
    """
    if not isolated:
        with folder.opened(path) as tree:
            yield tree
        return
    if scheme_of(path) is not None:
        raise UsageError("a source on the network is not read in the sandbox; download it, or add --trust", path=path)
    if not os.path.lexists(path):
        raise NotAnArchive("no such file or folder", path=path)
    try:
        with Worker([path], Bounds(memory=memory)) as worker:
            yield _items(worker, path, memory)
    except WorkerDied as died:
        raise NotAnArchive(f"cannot be read: {died.detail}", path=path) from died


def _items(worker: Worker, path: str, memory: int) -> Tree:
    found: dict[str, Item] = {}
    for message in worker.run("source", {"path": hexed(path)}):
        match message:
            case ["item", dict(fields)] if _is_item(fields):
                place = fields["path"]
                shape, axes, chunks = (_tuple(fields.pop(name)) for name in ("shape", "axes", "chunks"))
                read = partial(_values, worker, place, shape, memory) if fields["kind"] == "array" else None
                found[place] = Item(**fields, shape=shape, axes=axes, chunks=chunks, read=read)
            case ["end", None]:
                return found
            case _:
                raise worker.senseless()
    raise worker.senseless()


def _is_item(fields: Mapping[str, Any]) -> bool:
    """Whether these are the fields of an item, which a worker may have made up."""
    if fields.keys() != {*_FIELDS, "shape", "axes", "chunks"} or any(
        type(fields[name]) is not _FIELDS[name] for name in _FIELDS
    ):
        return False
    shape, axes, chunks = fields["shape"], fields["axes"], fields["chunks"]
    sizes = _are_sizes(shape) and (chunks is None or (_are_sizes(chunks) and len(chunks) == len(shape)))
    named = axes is None or (isinstance(axes, list) and all(each is None or isinstance(each, str) for each in axes))
    return sizes and named and fields["path"].startswith("/") and fields["size"] >= 0


def _are_sizes(sizes: Any) -> bool:
    return isinstance(sizes, list) and all(type(size) is int and 0 <= size < 1 << 63 for size in sizes)


def _tuple(fields: list[Any] | None) -> Any:
    return None if fields is None else tuple(fields)


def _values(worker: Worker, path: str, whole: tuple[int, ...], memory: int, region: Region | None = None) -> Values:
    """The values of an array, or of a region of it; raises `NotAnArchive`, `WorkerDied`."""
    box = None if region is None else [[part.start, part.stop] for part in region]
    shape = whole if box is None else tuple(end - first for first, end in box)
    for message in worker.run("values", {"path": path, "region": box}):
        match message:
            case ["end", {"code": str(code), "size": int(size)}]:
                dtype = _dtype(worker, code)
                if size != math.prod(shape) * dtype.itemsize:
                    raise worker.senseless()
                if size > memory:
                    raise NotAnArchive(f"it has {size} bytes, more than the limit of {memory}", path=path)
                flat = np.empty(size, np.uint8)
                worker.fill(flat.data)
                return flat.view(dtype).reshape(shape)
            case ["end", list(texts)] if all(isinstance(text, str) for text in texts):
                if len(texts) != math.prod(shape):
                    raise worker.senseless()
                return np.array(texts, np.dtypes.StringDType()).reshape(shape)
    raise worker.senseless()


def _dtype(worker: Worker, code: str) -> np.dtype[Any]:
    if code in ITEM_BYTES:
        return dtype_of(code)
    if not _CODE.fullmatch(code) or not np.dtype(code).itemsize:
        raise worker.senseless()
    return np.dtype(code)
