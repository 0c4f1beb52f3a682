"""Chunks for arrays whose writer chose none. The rules are data (`layout.json` of a version), applied here."""

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
    rule = next(rule for rule in layout["rules"] if re.search(rule["paths"], path))
    unit = re.compile(rule["unit_axes"]) if rule["unit_axes"] is not None else None
    chunks = [
        1 if unit is not None and unit.search(name.partition(":")[0]) else max(1, size)
        for name, size in zip(axes, shape, strict=True)
    ]
    for dimension, length in enumerate(chunks):
        row_bytes = math.prod(chunks) // length * item_bytes
        if row_bytes * length > rule["chunk_bytes"]:
            chunks[dimension] = _even(length, max(1, rule["chunk_bytes"] // row_bytes))
    return tuple(chunks)


def _even(length: int, most: int) -> int:
    """The length of the fewest pieces of at most `most`, all but the last alike: 76 in pieces of 38, not 70 and 6."""
    return math.ceil(length / math.ceil(length / most))
