"""The figures of a run, as PNG and SVG: one a workload, and one of grids for the rules on chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from vizschema.conformance.benchmarks.formats.measure import Row
from vizschema.conformance.benchmarks.formats.tables import (
    BLOSC,
    PATTERNS,
    amplification,
    by_format,
    cell,
    label,
    seconds,
    select,
)

mpl.use("Agg")

import matplotlib.pyplot as plt

COLOURS: Mapping[str, str] = {
    "npz": "#8c8c8c",
    "hdf5": "#1f77b4",
    "zarr-v2": "#d62728",
    "zarr-v3": "#ff7f0e",
    "zarr-v3-sharded": "#9467bd",
    "asdf": "#2ca02c",
    "pickle": "#8c564b",
    "sqlite": "#e377c2",
    "safetensors": "#17becf",
}
GRIDS = (
    ("hdf5", BLOSC, "head", ""),
    ("hdf5", BLOSC, "tiles32", ""),
    ("zarr-v3", BLOSC, "whole", ""),
    ("zarr-v3", BLOSC, "head", ""),
    ("zarr-v3", BLOSC, "head", "caching"),
    ("zarr-v3", BLOSC, "rows32", ""),
    ("zarr-v3", BLOSC, "tiles128", ""),
    ("zarr-v3", BLOSC, "tiles32", ""),
    ("zarr-v3", BLOSC, "tiles32", "direct"),
    ("zarr-v3-sharded", BLOSC, "rows32", ""),
    ("zarr-v3-sharded", BLOSC, "tiles64", ""),
)
"""What the figure of grids compares."""


def draw(out: Path, rows: Sequence[Row]) -> None:
    """Nothing; a PNG and an SVG of each figure that the rows have something for lie in `out`."""
    style: Any = {"font.size": 8, "svg.hashsalt": "vizschema", "svg.fonttype": "none", "axes.grid.axis": "x"}
    with plt.rc_context(style):
        for name, figure in _FIGURES.items():
            drawn = figure(rows)
            if drawn is not None:
                drawn.savefig(out / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
                drawn.savefig(out / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
                plt.close(drawn)


def _lines(
    rows: Sequence[Row], title: str, unit: str, measure: Callable[[Iterable[Row]], float | None], *, log: bool = True
) -> Any:
    """A line a contender over n_res."""
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(8, 4.5))
    sizes = sorted({row.n_res for row in rows})
    for number, (key, own) in enumerate(by_format(rows).items()):
        values: list[Any] = [measure(select(own, n_res=size)) for size in sizes]
        axes.plot(sizes, values, **_style(key, number))
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    if log:
        axes.set_yscale("log")
    axes.set_xlabel("n_res")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=7)
    return figure


def _style(key: tuple[str, str, str, str], number: int) -> dict[str, Any]:
    return {
        "color": COLOURS[key[0]],
        "marker": "osD^vP*X"[number % 8],
        "markersize": 4,
        "linewidth": 1,
        "linestyle": {"none": ":", "deflate": "--"}.get(key[1], "-"),
        "label": label(key),
    }


def _bars(panels: Mapping[str, Sequence[Row]], title: str, unit: str, measure: Any, *, log: bool = True) -> Any:
    """A bar a contender, a panel a name."""
    panels = {name: rows for name, rows in panels.items() if rows}
    if not panels:
        return None
    keys = list(dict.fromkeys(key for rows in panels.values() for key in by_format(rows)))
    size = (2.6 * len(panels) + 1.8, 0.24 * len(keys) + 1.2)
    figure, columns = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for axes, (name, rows) in zip(columns[0], panels.items(), strict=True):
        found = by_format(rows)
        values = [measure(found.get(key, [])) or 0 for key in keys]
        axes.barh(range(len(keys)), values, color=[COLOURS[key[0]] for key in keys])
        for place, value in enumerate(values):
            axes.text(value, place, f" {value:.3g}" if value else " –", va="center", fontsize=6)
        if log:
            axes.set_xscale("log")
        axes.margins(x=0.25)
        axes.set_title(name, fontsize=8)
        axes.set_xlabel(unit)
    columns[0][0].set_yticks(range(len(keys)), [label(key) for key in keys])
    columns[0][0].invert_yaxis()
    figure.suptitle(title)
    figure.tight_layout()
    return figure


def _largest(rows: Sequence[Row]) -> int:
    """The largest n_res, of at most 256, at which everything was measured; what the figures with bars show."""
    return max((row.n_res for row in rows if row.n_res <= 256), default=max((row.n_res for row in rows), default=0))


def _milliseconds(rows: Iterable[Row]) -> float | None:
    middle = seconds(rows)
    return None if middle is None else middle * 1e3


def _speed(rows: Iterable[Row]) -> float | None:
    found = list(rows)
    middle = seconds(found)
    return None if not middle or not found[0].wanted else found[0].wanted / middle / 1e6


def _requests(rows: Iterable[Row]) -> float | None:
    return next((float(row.requests) for row in rows if row.requests is not None), None)


def _size(rows: Sequence[Row]) -> Any:
    n_res = _largest(rows)
    found = {data: select(rows, workload="size", data=data, n_res=n_res) for data in ("smooth", "noise")}
    return _bars(found, f"Stored bytes / bytes in memory, n_res {n_res}", "share", amplification, log=False)


def _full(rows: Sequence[Row]) -> Any:
    return _lines(select(rows, workload="full", cache="warm"), "Full read, warm", "MB/s in memory", _speed)


def _write(rows: Sequence[Row]) -> Any:
    return _lines(select(rows, workload="write"), "Writing layer by layer", "MB/s in memory", _speed)


def _files(rows: Sequence[Row]) -> Any:
    count = lambda found: next((row.files for row in found), None)  # noqa: E731
    return _lines(select(rows, workload="files"), "Files of one trace", "files", count)


def _layer(rows: Sequence[Row]) -> Any:
    return _access(rows, ("layer", "head"), "Reading a layer and a head")


def _random(rows: Sequence[Row]) -> Any:
    return _access(rows, PATTERNS[2:], "Random access")


def _access(rows: Sequence[Row], patterns: Sequence[str], title: str) -> Any:
    n_res = _largest(rows)
    found = {
        pattern: [row for row in select(rows, pattern=pattern, cache="warm", n_res=n_res) if not row.workers]
        for pattern in patterns
    }
    return _bars(found, f"{title}, n_res {n_res}, warm", "ms", _milliseconds)


def _parallel(rows: Sequence[Row]) -> Any:
    n_res = _largest(rows)
    own = select(rows, workload="parallel", n_res=n_res)
    found = {
        f"{pattern}, {workers}": select(own, pattern=pattern, workers=workers)
        for pattern in ("head", "tile")
        for workers in dict.fromkeys(row.workers for row in own)
    }
    return _bars(found, f"Parallel reads, each worker opens once, n_res {n_res}", "ms a read", _milliseconds)


def _remote(rows: Sequence[Row]) -> Any:
    n_res = _largest(rows)
    own = select(rows, workload="remote", n_res=n_res)
    if not own:
        return None
    figure = _bars({"time to first head": own}, f"Over HTTP, 20 ms an answer, n_res {n_res}", "ms", _milliseconds)
    axes = figure.axes[0]
    for place, found in enumerate(by_format(own).values()):
        note = f"{_requests(found):.0f} requests, {cell(amplification(found), '{:.2g}')} × wanted"
        axes.text(0.98, place, note, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=6)
    figure.set_size_inches(7, figure.get_size_inches()[1])
    return figure


def _grids(rows: Sequence[Row]) -> Any:
    n_res = _largest(rows)
    own = [row for row in select(rows, cache="warm", n_res=n_res) if row.workload in ("layer", "random")]
    own = [row for row in own if (row.container, row.codec, row.chunks, row.reader) in GRIDS]
    found: dict[str, Sequence[Row]] = {pattern: select(own, pattern=pattern) for pattern in PATTERNS}
    return _bars(found, f"Grids: latency of attention [8, {n_res}, {n_res}]", "ms", _milliseconds)


def _amplified(rows: Sequence[Row]) -> Any:
    n_res = _largest(rows)
    own = [row for row in select(rows, cache="warm", n_res=n_res) if row.workload in ("layer", "random")]
    own = [row for row in own if (row.container, row.codec, row.chunks, row.reader) in GRIDS]
    found: dict[str, Sequence[Row]] = {pattern: select(own, pattern=pattern) for pattern in PATTERNS}
    return _bars(found, f"Grids: bytes read / bytes wanted, attention [8, {n_res}, {n_res}]", "×", amplification)


_FIGURES: Mapping[str, Callable[[Sequence[Row]], Any]] = {
    "size": _size,
    "full": _full,
    "layer": _layer,
    "random": _random,
    "parallel": _parallel,
    "write": _write,
    "remote": _remote,
    "files": _files,
    "grids": _grids,
    "amplification": _amplified,
}
