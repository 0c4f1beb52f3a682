"""The figures in the pages of the documentation: blocks of Markdown from the rows of a run, by name.

A page has `<!-- figures: NAME -->`, the block, and `<!-- end -->`; `fill` writes the blocks anew, so that no number in
them is typed by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vizschema.conformance.benchmarks.formats.measure import Row
from vizschema.conformance.benchmarks.formats.tables import (
    BLOSC,
    PATTERNS,
    Format,
    amplification,
    by_format,
    cpu,
    label,
    parts_of,
    quotient,
    seconds,
    select,
    speed,
    table,
)

HEAD = ("zarr-v3", BLOSC, "head", "")
CACHING = ("zarr-v3", BLOSC, "head", "caching")
DIRECT = ("zarr-v3", BLOSC, "head", "direct")
TILES = ("zarr-v3", BLOSC, "tiles32", "")
TILES_DIRECT = ("zarr-v3", BLOSC, "tiles32", "direct")
HEAD_V2 = ("zarr-v2", BLOSC, "head", "")
TILES_V2 = ("zarr-v2", BLOSC, "tiles32", "")
HDF5 = ("hdf5", BLOSC, "head", "")
HDF5_PLAIN = ("hdf5", BLOSC, "head", "no cache")
HDF5_TILES = ("hdf5", BLOSC, "tiles32", "")
NPZ = ("npz", "none", "", "")

_BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = Sequence[Row]


def fill(path: Path, rows: Rows) -> None:
    """Nothing; every block of the page at `path` is the one of these rows. Raises `KeyError` for an unknown name."""
    path.write_text(filled(path.read_text(encoding="utf-8"), rows), encoding="utf-8")


def filled(page: str, rows: Rows) -> str:
    """The page with its blocks written anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]](rows)}\n\n{found[3]}", page)


def _sizes(rows: Rows) -> list[int]:
    return sorted({row.n_res for row in rows})


def _ratio(rows: Rows, above: Format, below: Format, **condition: str | int) -> list[str]:
    """Medians of one contender over those of another, a cell a size: CPU seconds, or seconds in parallel."""
    measure = seconds if condition.get("workload") == "parallel" else cpu
    cells = []
    for size in _sizes(rows):
        found = by_format(select(rows, n_res=size, **condition))
        cells.append(quotient(measure(found.get(above, [])), measure(found.get(below, []))))
    return cells


def _table(first: str, rows: Rows, lines: Sequence[Sequence[str]]) -> str:
    """A table with a column a size."""
    text: str = table([first, *(f"n_res {size}" for size in _sizes(rows))], lines)
    return text


TIMES = "how many times as much"


def _grid_ratios(rows: Rows) -> str:
    lines = []
    for pattern in PATTERNS:
        for name, above, below in (
            ("zarr-python, v3", TILES, HEAD),
            ("zarr-python, v2", TILES_V2, HEAD_V2),
            ("own reader", TILES_DIRECT, DIRECT),
        ):
            cells = _ratio(rows, above, below, pattern=pattern, cache="warm", workers="")
            lines.append([f"{pattern}, {name}", *cells])
    return _table("tiles of 32 × 32 over one head a chunk", rows, lines)


def _price(rows: Rows) -> str:
    pairs = (
        ("tile: one head a chunk / tiles of 32 × 32, zarr-python", HEAD, TILES, "tile"),
        ("tile: one head a chunk / tiles of 32 × 32, own reader", DIRECT, TILES_DIRECT, "tile"),
        (
            "tile: one head a chunk / tiles of 128 × 128, own reader",
            DIRECT,
            (*DIRECT[:2], "tiles128", "direct"),
            "tile",
        ),
        (
            "tile: one head a chunk / shard of tiles of 64 × 64, zarr-python",
            HEAD,
            ("zarr-v3-sharded", BLOSC, "tiles64", ""),
            "tile",
        ),
        ("tiles of a head: own reader / the same with a cache", DIRECT, CACHING, "tiles of a head"),
        ("tiles of a head: zarr-python / own reader with a cache", HEAD, CACHING, "tiles of a head"),
    )
    lines = [
        [name, *_ratio(rows, above, below, pattern=pattern, cache="warm", workers="")]
        for name, above, below, pattern in pairs
    ]
    return _table(TIMES, rows, lines)


def _grids(rows: Rows, size: int, *, bytes_too: bool = False) -> str:
    containers = ("hdf5", "zarr-v3", "zarr-v3-sharded")
    text: str = parts_of(rows, size, "warm", containers, BLOSC, bytes_too=bytes_too)
    return text


def _middle(rows: Rows) -> int:
    sizes = _sizes(rows)
    return sizes[len(sizes) // 2]


def _size_parity(rows: Rows) -> str:
    lines = []
    for data in ("smooth", "noise"):
        for codec in ("none", "deflate", BLOSC):
            cells = []
            for size in _sizes(rows):
                found = by_format(select(rows, workload="size", data=data, codec=codec, n_res=size))
                shares = {key: amplification(own) for key, own in found.items() if key[2] != "tiles32"}
                values = [share for share in shares.values() if share is not None]
                cells.append(f"{min(values):.3f} to {max(values):.3f}" if values else "–")
            lines.append([f"{data}, {codec}", *cells])
    return _table("stored / in memory, all containers", rows, lines)


def _full(rows: Rows) -> str:
    keys = (NPZ, ("hdf5", "none", "contiguous", ""), HDF5, HEAD_V2, TILES_V2, HEAD, ("asdf", "none", "", ""))
    lines = []
    for key in keys:
        found = by_format(select(rows, workload="full", cache="warm")).get(key, [])
        cells = []
        for size in _sizes(rows):
            own = select(found, n_res=size)
            middle, rate = seconds(own), speed(own)
            cells.append(f"{middle * 1e3:.0f} ms, {rate:.0f} MB/s" if middle and rate else "–")
        lines.append([label(key), *cells])
    return _table("every byte, checked by digest", rows, lines)


def _against_hdf5(rows: Rows, patterns: Sequence[str]) -> str:
    lines = []
    for pattern in patterns:
        for name, above, below in (
            ("tiles of 32 × 32: zarr-python / h5py", TILES, HDF5_TILES),
            ("one head a chunk: zarr-python / h5py", HEAD, HDF5),
            ("one head a chunk: zarr-python / h5py without its cache", HEAD, HDF5_PLAIN),
            ("one head a chunk: own reader / h5py without its cache", DIRECT, HDF5_PLAIN),
        ):
            cells = _ratio(rows, above, below, pattern=pattern, cache="warm", workers="")
            lines.append([f"{pattern}, {name}", *cells])
    return _table(TIMES, rows, lines)


def _parallel(rows: Rows) -> str:
    lines = []
    for pattern in ("head", "tile"):
        for workers in dict.fromkeys(row.workers for row in select(rows, workload="parallel")):
            for name, above, below in (
                ("tiles of 32 × 32: zarr-v2 / hdf5", TILES_V2, HDF5_TILES),
                ("one head a chunk: zarr-v3 / hdf5", HEAD, HDF5),
                ("one head a chunk: caching reader / hdf5", CACHING, HDF5),
            ):
                cells = _ratio(rows, above, below, workload="parallel", pattern=pattern, workers=workers)
                lines.append([f"{pattern}, {workers}, {name}", *cells])
    return _table(TIMES, rows, lines)


BLOCKS: Mapping[str, Callable[[Rows], str]] = {
    "grid-ratios": _grid_ratios,
    "price": _price,
    "latency-small": lambda rows: _grids(rows, _middle(rows)),
    "latency-large": lambda rows: _grids(rows, _sizes(rows)[-1]),
    "amplification": lambda rows: _grids(rows, _middle(rows), bytes_too=True),
    "size-parity": _size_parity,
    "full": _full,
    "partial": lambda rows: _against_hdf5(rows, ("layer", "head")),
    "random": lambda rows: _against_hdf5(rows, ("tile", "row", "residue")),
    "parallel": _parallel,
}
"""The blocks that a page may ask for."""
