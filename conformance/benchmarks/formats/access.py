"""The workloads that take parts of the attention: layer, random, parallel, remote. All archives lie side by side."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vizschema.conformance.benchmarks.formats.archives import write
from vizschema.conformance.benchmarks.formats.base import Reader, Selection
from vizschema.conformance.benchmarks.formats.contenders import ACCESS, PARALLEL, REMOTE, Contender
from vizschema.conformance.benchmarks.formats.measure import Bar, Row, Timed, drop_cache, flush, row, timed
from vizschema.conformance.benchmarks.formats.trace import HEADS, Trace, Values, attention_name

TILE = 32
BUDGET = 3.0
"""Seconds after which a pattern of a contender is not repeated again, once it was three times."""
LEAST = 3


class Pattern(NamedTuple):
    """What a reader asks for: the workload, how many reads make one measurement, and whether all are in one head."""

    workload: str
    reads: int
    one_head: bool = False


PATTERNS: Mapping[str, Pattern] = {
    "layer": Pattern("layer", 1),
    "head": Pattern("layer", 4),
    "row": Pattern("random", 8),
    "residue": Pattern("random", 4),
    "tile": Pattern("random", 8),
    "tiles of a head": Pattern("random", 16, one_head=True),
}
"""Reads of attention [head, query, key]: all of it, one head, one row of a head, one residue's rows in all heads, a
tile of 32 × 32; and tiles one after the other in the same head, as somebody does who looks around."""


class Task(NamedTuple):
    """One read."""

    name: str
    selection: Selection


def archives(trace: Trace, folder: Path, wanted: Collection[str], bar: Bar) -> None:
    """Nothing; every archive that the workloads in `wanted` need lies in `folder`."""
    for contender in _needed(wanted):
        path = folder / contender.filename
        bar.step(f"{trace.n_res}: writing {contender.label}")
        if not path.exists():
            write(contender, trace, path)
    flush()


def steps(repeats: int, wanted: Collection[str]) -> int:
    """How many steps of the progress bar `archives` and `measure` take."""
    patterns = sum(pattern.workload in wanted for pattern in PATTERNS.values())
    return len(_needed(wanted)) + patterns * len(ACCESS) * repeats


def _needed(wanted: Collection[str]) -> list[Contender]:
    tables = {"layer": ACCESS, "random": ACCESS, "parallel": PARALLEL, "remote": REMOTE}
    return list(dict.fromkeys(contender for name in tables if name in wanted for contender in tables[name]))


def tasks(pattern: str, trace: Trace, seed: int) -> list[Task]:
    """The reads of one measurement; the same for every contender."""
    choose = random.Random(f"{pattern} {seed}")  # noqa: S311  (the same everywhere is what is wanted)
    layer, head = choose.randrange(trace.layers), choose.randrange(HEADS)
    found = []
    for _ in range(PATTERNS[pattern].reads):
        if not PATTERNS[pattern].one_head:
            layer, head = choose.randrange(trace.layers), choose.randrange(HEADS)
        found.append(Task(attention_name(layer), _selection(pattern, trace.n_res, head, choose)))
    return found


def _selection(pattern: str, n_res: int, head: int, choose: random.Random) -> Selection:
    row, column = choose.randrange(n_res), choose.randrange(n_res)
    top, left = (place // TILE * TILE for place in (row, column))
    tile = (head, *(slice(first, min(first + TILE, n_res)) for first in (top, left)))
    selections: Mapping[str, Selection] = {
        "layer": (),
        "head": (head,),
        "row": (head, row),
        "residue": (slice(None), row),
        "tile": tile,
        "tiles of a head": tile,
    }
    return selections[pattern]


def measure(trace: Trace, folder: Path, repeats: int, wanted: Collection[str], bar: Bar) -> Iterator[Row]:
    """The rows of the workloads layer and random: round after round over all contenders, warm, then cold once."""
    attention = [trace.attention(layer) for layer in range(trace.layers)]
    spent: dict[tuple[str, Contender], float] = {}
    for number in range(repeats):
        for contender in ACCESS:
            reader = contender.format.open(folder / contender.filename)
            for name, pattern in PATTERNS.items():
                if pattern.workload not in wanted:
                    continue
                bar.step(f"{trace.n_res}: {name}, {contender.label}")
                taken = spent.get((name, contender), 0.0)
                if number >= LEAST and taken > BUDGET:
                    continue
                if number == 0:
                    _read(reader, tasks(name, trace, -1))  # what is only needed once: imports, metadata, page cache
                found = _timed(reader, contender, trace, name, number, attention)
                spent[name, contender] = taken + (found.seconds or 0.0) * pattern.reads
                yield found
            reader.close()
    for contender in ACCESS:
        yield from _cold(contender, trace, folder, wanted, attention)


def _timed(
    reader: Reader, contender: Contender, trace: Trace, name: str, number: int, attention: Sequence[Values]
) -> Row:
    chosen = tasks(name, trace, number)
    with timed() as taken:
        values = _read(reader, chosen)
    return _row(contender, trace, name, number, "warm", taken, _same(chosen, values, attention))


def _cold(
    contender: Contender, trace: Trace, folder: Path, wanted: Collection[str], attention: Sequence[Values]
) -> Iterator[Row]:
    """A first read after the files were dropped from the page cache; opening counts, since it reads files too."""
    for name, pattern in PATTERNS.items():
        path = folder / contender.filename
        if pattern.workload not in wanted or pattern.one_head or not drop_cache(path):
            continue
        chosen = tasks(name, trace, 0)[:1]
        with timed() as taken:
            reader = contender.format.open(path)
            values = _read(reader, chosen)
        reader.close()
        same = _same(chosen, values, attention)
        yield _row(contender, trace, name, 0, "cold", taken, same, reads=1)


def _row(
    contender: Contender,
    trace: Trace,
    name: str,
    number: int,
    cache: str,
    taken: Timed,
    same: bool,
    reads: int | None = None,
) -> Row:
    pattern = PATTERNS[name]
    count = reads or pattern.reads
    return row(
        pattern.workload,
        contender,
        trace,
        number,
        pattern=name,
        cache=cache,
        seconds=taken.seconds / count,
        cpu=taken.cpu / count,
        bytes=None if taken.bytes is None or contender.mapped else taken.bytes // count,
        wanted=wanted_bytes(name, trace.n_res),
        checked=same,
    )


def wanted_bytes(pattern: str, n_res: int) -> int:
    """The bytes of one read."""
    tile = min(TILE, n_res) ** 2
    values: dict[str, int] = {"layer": HEADS * n_res**2, "head": n_res**2, "row": n_res, "residue": HEADS * n_res}
    count: int = values.get(pattern, tile)
    return 4 * count


def _read(reader: Reader, chosen: Sequence[Task]) -> list[Values]:
    return [reader.part(task.name, task.selection) for task in chosen]


def _same(chosen: Sequence[Task], values: Sequence[Values], attention: Sequence[Values]) -> bool:
    return all(
        np.array_equal(part, attention[int(task.name[-2:])][task.selection])
        for task, part in zip(chosen, values, strict=True)
    )
