"""The workloads that take whole traces: size, write, full, files. One archive is on disk at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from vizschema.conformance.benchmarks.formats.contenders import ARCHIVES, Contender
from vizschema.conformance.benchmarks.formats.measure import Bar, Row, drop_cache, flush, row, stored_files, timed
from vizschema.conformance.benchmarks.formats.trace import Named, Trace, digest

WORKLOADS = ("size", "write", "full", "files")
NOISE_BYTES = 32 << 20
"""Of noise, whose size alone is measured."""


def steps(rounds: int) -> int:
    """How many steps of the progress bar `measure` takes."""
    return len(ARCHIVES) * (rounds + 1)


def measure(trace: Trace, folder: Path, rounds: int, wanted: Collection[str], memory: int, bar: Bar) -> Iterator[Row]:
    """The rows of the workloads in `wanted`: `rounds` rounds over all formats, and one of noise for the sizes.

    A format whose writer needs the whole trace at once is left out where that is more than half of `memory` bytes.
    """
    expected = digest(trace.arrays())
    noise = replace(trace, data="noise").within(NOISE_BYTES)
    for number in range(rounds):
        for contender in ARCHIVES:
            bar.step(f"{trace.n_res}: {contender.label}")
            if contender.format.streams or trace.bytes <= memory // 2:
                yield from _rows(contender, trace, folder, number, wanted, expected)
    for contender in ARCHIVES if "size" in wanted else ():
        bar.step(f"{trace.n_res}: {contender.label}, noise")
        yield from _rows(contender, noise, folder, 0, {"size"}, "")


def _rows(
    contender: Contender, trace: Trace, folder: Path, number: int, wanted: Collection[str], expected: str
) -> Iterator[Row]:
    path = folder / contender.filename
    seconds = write(contender, trace, path)
    sizes = [file.stat().st_size for file in stored_files(path)]
    stored = {"bytes": sum(sizes), "wanted": trace.bytes}
    if "write" in wanted:
        yield row("write", contender, trace, number, seconds=seconds, **stored)
    if number == 0 and "size" in wanted:
        yield row("size", contender, trace, number, **stored)
    if number == 0 and "files" in wanted:
        yield row("files", contender, trace, number, files=len(sizes), **stored)
    if "full" in wanted:
        yield _full(contender, trace, path, number, "warm", expected)
        flush()
        if drop_cache(path):
            yield _full(contender, trace, path, number, "cold", expected)
    remove(path)


def write(contender: Contender, trace: Trace, path: Path) -> float:
    """Seconds that the writer took, without the time in which the trace was made."""
    made = 0.0

    def arrays() -> Iterator[Named]:
        nonlocal made
        source = trace.arrays()
        while True:
            begin = time.perf_counter()
            pair = next(source, None)
            made += time.perf_counter() - begin
            if pair is None:
                return
            yield pair

    start = time.perf_counter()
    contender.format.write(path, arrays(), contender.codec, contender.grid)
    return time.perf_counter() - start - made


def remove(path: Path) -> None:
    """Nothing; the archive is gone."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _full(contender: Contender, trace: Trace, path: Path, number: int, cache: str, expected: str) -> Row:
    """Every array into memory, one after the other; the digest is taken between the reads, and not timed."""
    seconds, cpu, read = 0.0, 0.0, 0
    known = True

    def arrays() -> Iterator[Named]:
        nonlocal seconds, cpu, read, known
        with timed() as opening:
            reader = contender.format.open(path)
        known = opening.bytes is not None
        seconds, cpu, read = opening.seconds, opening.cpu, opening.bytes or 0
        for name in names(trace):
            with timed() as taken:
                values = reader.part(name, ())
            seconds += taken.seconds
            cpu += taken.cpu
            read += taken.bytes or 0
            yield name, values
            del values  # before the next one is read
        reader.close()

    same = digest(arrays()) == expected
    count = read if known and not contender.mapped else None
    measured = {"seconds": seconds, "cpu": cpu, "bytes": count, "wanted": trace.bytes, "checked": same}
    return row("full", contender, trace, number, cache=cache, **measured)


def names(trace: Trace) -> Iterator[str]:
    """The names of the arrays, in the order of the trace."""
    kinds = ("attention", "pair", "single") if trace.pair_channels else ("attention",)
    yield from (f"{kind}/layer_{layer:02}" for layer in range(trace.layers) for kind in kinds)
