"""A run from beginning to end: the workloads in turn, the CSV, a README with machine and versions, figures, tables."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vizschema.conformance.benchmarks.formats import access, archives, figures, parallel, remote, tables
from vizschema.conformance.benchmarks.formats.measure import Bar, Row, load, save
from vizschema.conformance.benchmarks.formats.pages import fill
from vizschema.conformance.benchmarks.formats.trace import Trace

__all__ = ["RESULTS", "Plan", "draw", "fill", "load", "measure", "record"]

RESULTS = "benchmark_results.csv"
ACCESS_LAYERS = 4
"""Of the traces of which parts are read: attention only, and all archives on disk at the same time."""

LIBRARIES = ("numpy", "zarr", "numcodecs", "h5py", "hdf5plugin", "asdf", "safetensors")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: sizes, workloads, how often, how large a trace may be, and how much memory there is."""

    n_res: tuple[int, ...]
    workloads: tuple[str, ...]
    repeats: int
    rounds: int
    layers: int
    most: int | None
    memory: int


def measure(plan: Plan, folder: Path, known: Sequence[Row] = ()) -> Iterator[list[Row]]:
    """All rows so far, after each size; archives lie in `folder` while they are needed.

    Sizes of which there are `known` rows are not measured again.
    """
    whole = [name for name in plan.workloads if name in archives.WORKLOADS]
    parts = [name for name in plan.workloads if name not in archives.WORKLOADS]
    steps = archives.steps(plan.rounds) * bool(whole) + access.steps(plan.repeats, parts) * bool(parts)
    steps += parallel.steps(plan.repeats) * ("parallel" in parts) + remote.steps(plan.repeats) * ("remote" in parts)
    sizes = [n_res for n_res in plan.n_res if n_res not in {row.n_res for row in known}]
    bar = Bar(steps * len(sizes))
    rows = list(known)
    for n_res in sizes:
        place = folder / str(n_res)
        place.mkdir()
        if whole:
            trace = Trace(n_res, plan.layers).within(plan.most)
            rows.extend(archives.measure(trace, place, plan.rounds, whole, plan.memory, bar))
        if parts:
            trace = Trace(n_res, min(ACCESS_LAYERS, plan.layers), pair_channels=0).within(
                None if plan.most is None else plan.most // 2
            )
            rows.extend(_parts(trace, place, plan.repeats, parts, bar))
        archives.remove(place)
        yield rows
    bar.close()


def _parts(trace: Trace, place: Path, repeats: int, wanted: Sequence[str], bar: Bar) -> list[Row]:
    access.archives(trace, place, wanted, bar)
    rows: list[Row] = []
    if "layer" in wanted or "random" in wanted:
        rows.extend(access.measure(trace, place, repeats, wanted, bar))
    if "parallel" in wanted:
        rows.extend(parallel.measure(trace, place, repeats, bar))
    if "remote" in wanted:
        rows.extend(remote.measure(trace, place, repeats, bar))
    return rows


def record(out: Path, rows: Sequence[Row], argv: Sequence[str]) -> None:
    """Nothing; the CSV and a README about the run lie in `out`."""
    save(out / RESULTS, rows)
    command = shlex.join(["vizschema", "benchmark", *argv])
    sizes = ", ".join(map(str, sorted({row.n_res for row in rows})))
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines = [
        "# Results of the format benchmark",
        "",
        f"    {command}",
        "",
        f"{len(rows)} measurements at n_res {sizes} in `{RESULTS}`, one a row; `tables.md` and the figures are drawn"
        " from it.",
        "",
        f"- Machine: {platform.machine()}, {os.cpu_count()} CPUs, {_memory()} memory, {platform.system()} "
        f"{platform.release().split('-')[0]}; shared with other work unless you know better.",
        f"- Python {platform.python_version()}, {libraries}.",
        "- Compare numbers within one run, never between runs. Cold means dropped from the page cache of this system;"
        " the host beneath may have its own.",
        "",
    ]
    (out / "run.md").write_text("\n".join(lines), encoding="utf-8")


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"


def draw(out: Path, rows: Sequence[Row]) -> None:
    """Nothing; figures and tables lie in `out`."""
    (out / "tables.md").write_text(tables.document(rows), encoding="utf-8")
    figures.draw(out, rows)
