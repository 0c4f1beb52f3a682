"""How an array is cut without chosen chunks: by the layout of a version, from path, shape and axes alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


def default_chunks(
    path: str, shape: Sequence[int], axes: Sequence[str], item_bytes: int, layout: Mapping[str, Any]
) -> tuple[int, ...]:
    """The shape of a chunk of the array at `path`, by the first rule of `layout` that matches the path.

    At most the `chunk_bytes` of the rule, and at least about half of that where the array is larger, except where unit
    axes alone make it smaller. Never 0 along an axis, so that an empty array has a chunk shape too.
    """
    rule = _rule(path, layout)
    units = unit_axes(path, axes, layout)
    chunks = [1 if number in units else max(1, size) for number, size in enumerate(shape)]
    for dimension, length in enumerate(chunks):
        row_bytes = math.prod(chunks) // length * item_bytes
        if row_bytes * length > rule["chunk_bytes"]:
            chunks[dimension] = _even(length, max(1, rule["chunk_bytes"] // row_bytes))
    return tuple(chunks)


def unit_axes(path: str, axes: Sequence[str | None], layout: Mapping[str, Any]) -> frozenset[int]:
    """The numbers of the axes along which a chunk of the array at `path` has one entry, by the rule of `layout`."""
    pattern = _rule(path, layout)["unit_axes"]
    if pattern is None:
        return frozenset()
    bases = [(name or "").partition(":")[0] for name in axes]
    return frozenset(number for number, base in enumerate(bases) if re.search(pattern, base))


def _rule(path: str, layout: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(rule for rule in layout["rules"] if re.search(rule["paths"], path))
    return found


def _even(length: int, most: int) -> int:
    """The length of the fewest pieces of at most `most`, all but the last alike: 76 in pieces of 38, not 70 and 6."""
    return math.ceil(length / math.ceil(length / most))
