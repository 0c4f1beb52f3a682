"""Blocks that come one by one, kept in a file until all of them are known: then their array has a shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.errors import UsageError
from vizschema.writer.arraylike import Lazy, readable


def spooled(path: str, blocks: Iterator[Any], file: Path) -> Lazy:
    """The array of `blocks`, which follow each other along its first axis; read from `file`, which must not exist.

    Raises `UsageError` where a block does not fit the one before it, or there is none.
    """
    rows = 0
    rest: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    with file.open("xb") as target:
        for number, block in enumerate(blocks):
            values = readable(path, block)
            if dtype is None and values.shape:
                rest, dtype = values.shape[1:], values.dtype
            if not values.shape or (values.shape[1:], values.dtype) != (rest, dtype):
                found = f"{values.dtype} of the shape {values.shape}"
                expected = "blocks with an axis" if dtype is None else f"{dtype} of the shape [any, *{list(rest)}]"
                raise UsageError(path=path, expected=expected, found=f"{found} as block {number}")
            whole = np.ascontiguousarray(values[...])
            target.write(whole.reshape(-1).view(np.uint8).data)
            rows += values.shape[0]
    if dtype is None:
        raise UsageError(path=path, expected="blocks", found="an iterator of none")
    return Lazy((rows, *rest), dtype, _rows(file, (rows, *rest), dtype))


def _rows(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    def fetch(key: Any) -> Any:
        if not math.prod(shape):
            return np.zeros(shape, dtype)[key]
        # Mapped anew each time, so that what was read does not stay in memory.
        return np.memmap(file, dtype, "r", shape=shape)[key].copy()

    return fetch
