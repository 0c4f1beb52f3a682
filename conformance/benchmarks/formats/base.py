"""What each format's module offers to the benchmark, and how arrays are cut where a format can cut them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from vizschema.conformance.benchmarks.formats.trace import Named, Values

Selection = tuple[int | slice, ...]
Source = Path | BinaryIO | str
"""A path; for formats of one file also an open file; for Zarr also a URL."""

CHUNK_BYTES = 4 << 20
LEVEL = 4
"""Of deflate, wherever it is used."""
BLOSC_LEVEL = 3


class Reader(Protocol):
    """An open archive."""

    def part(self, name: str, selection: Selection) -> Values:
        """The selected values of one array, `()` for all of them; in memory, and of nobody else."""

    def close(self) -> None:
        """Let go of every file."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format as its own community uses it: how to write arrays that come one by one, and how to open the result."""

    suffix: str
    write: Callable[[Path, Iterator[Named], str, str], None]
    """(path, arrays, codec, grid); a codec or grid that the format lacks is not asked for."""
    open: Callable[[Any], Reader]
    streams: bool = True
    """Whether the writer needs only one array in memory at a time."""
    remote: Callable[[str], Reader] | None = None
    """From a URL, where the format is not one file that can be read in ranges."""


def chunks_of(grid: str, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunk of an array in one of the grids.

    Attention [head, query, key] is cut in `head` (1, N, N), `whole` (H, N, N), `rows32` (1, 32, N) or `tiles32`
    (1, 32, 32) and so on; representations in chunks of 4 MiB at most, but in grids of tiles as the original study cut
    them: tiles of residues with all channels.
    """
    side = int(grid[5:]) if grid.startswith("tiles") else None
    if name.startswith("attention"):
        heads, queries, keys = shape
        if side is not None:
            return (1, min(side, queries), min(side, keys))
        return {"head": (1, queries, keys), "whole": (heads, queries, keys), "rows32": (1, min(32, queries), keys)}[
            grid
        ]
    if side is not None and name.startswith("pair"):
        return (min(side, shape[0]), min(side, shape[1]), shape[2])
    row_bytes = 4
    for size in shape[1:]:
        row_bytes *= size
    return (max(1, min(shape[0], CHUNK_BYTES // row_bytes)), *shape[1:])
