"""A source of a migration, read by a worker: its items, and the values of each when they are asked for."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from vizschema.bounds import Bounds
from vizschema.containers.values import Region, dtype_of
from vizschema.description import ITEM_BYTES
from vizschema.errors import NotAnArchive, UsageError
from vizschema.rules.sent import is_item
from vizschema.sources import folder
from vizschema.sources.item import Item, Tree, Values
from vizschema.text import scheme_of
from vizschema.worker.process import Worker, WorkerDied, hexed

_CODE = re.compile(r"[<>|=]?[SVmM][0-9]{1,9}(\[[0-9a-zA-Z]{1,20}\])?", re.ASCII)


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
            case ["item", fields] if is_item(fields) and fields["path"] not in found:
                place = fields["path"]
                shape, axes, chunks = (_tuple(fields.pop(name)) for name in ("shape", "axes", "chunks"))
                asked = partial(_values, worker, place, fields["dtype"], shape, memory)
                read = asked if fields["kind"] == "array" else None
                found[place] = Item(**fields, shape=shape, axes=axes, chunks=chunks, read=read)
            case ["end", None]:
                return found
            case _:
                raise worker.senseless()
    raise worker.senseless()


def _tuple(fields: list[Any] | None) -> Any:
    return None if fields is None else tuple(fields)


def _values(
    worker: Worker, path: str, kind: str, whole: tuple[int, ...], memory: int, region: Region | None = None
) -> Values:
    """The values of an array, or of a region of it; raises `NotAnArchive`, `WorkerDied`."""
    box = None if region is None else [[part.start, part.stop] for part in region]
    shape = whole if box is None else tuple(end - first for first, end in box)
    for message in worker.run("values", {"path": path, "region": box}):
        match message:
            case ["end", {"code": str(code), "size": int(size)}]:
                dtype = _dtype(worker, kind, code)
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


def _dtype(worker: Worker, kind: str, code: str) -> np.dtype[Any]:
    """The dtype of values that the worker sends; `kind` is what it said of them before."""
    if code in ITEM_BYTES or kind in ITEM_BYTES:
        if code != kind:
            raise worker.senseless()
        return dtype_of(code)
    try:
        dtype = np.dtype(code if _CODE.fullmatch(code) else "")
    except TypeError:
        raise worker.senseless() from None
    if not dtype.itemsize:
        raise worker.senseless()
    return dtype
