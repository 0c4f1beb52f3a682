"""What a raw writer is given: nodes with their values, and how they are to be cut and encoded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.description import STORED_AS

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class RawNode:
    """A group (`values` is null) or an array; `axes` is null, or has a name or null a dimension.

    `fill` (0-d, of the type of the stored values) and `absent` (places in the grid of chunks) are for the writers of
    `encodings` alone: the chunks at these places hold nothing but the fill value, and are not written.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    values: Values | None = None
    dtype: str = ""
    axes: Sequence[str | None] | None = None
    chunks: Sequence[int] = ()
    shards: Sequence[int] | None = None
    codecs: Sequence[str] | None = None
    fill: Values | None = None
    absent: frozenset[tuple[int, ...]] = frozenset()

    @property
    def stored(self) -> Values:
        """The values in little-endian order, the bits of what NumPy lacks as unsigned integers."""
        if self.values is None:
            raise ValueError("a group has no values")
        values = self.values.view(STORED_AS[self.dtype]) if self.dtype in STORED_AS else self.values
        return values.astype(values.dtype.newbyteorder("<"), copy=False)

    @property
    def marked(self) -> dict[str, Any]:
        """The attributes, with `stored_dtype` where the stored values are bits."""
        return {**self.attributes, **({"stored_dtype": self.dtype} if self.dtype in STORED_AS else {})}


def blocks(values: Values, chunks: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Values]]:
    """Every chunk: its place in the grid, and its values, padded with zeros to the full length at the ends."""
    counts = [-(-size // length) for size, length in zip(values.shape, chunks, strict=True)]
    for place in itertools.product(*map(range, counts)):
        window = tuple(slice(at * length, (at + 1) * length) for at, length in zip(place, chunks, strict=True))
        inner = values[window]
        if inner.shape == tuple(chunks):
            yield place, np.ascontiguousarray(inner).reshape(inner.shape)
            continue
        whole = np.zeros(chunks, values.dtype)
        whole[tuple(slice(size) for size in inner.shape)] = inner
        yield place, whole
