"""The workload parallel: eight workers, threads or processes, each of which opens the archive once."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vizschema.conformance.benchmarks.formats.access import PATTERNS, Task, tasks, wanted_bytes
from vizschema.conformance.benchmarks.formats.contenders import PARALLEL, Contender
from vizschema.conformance.benchmarks.formats.measure import Bar, Row, row
from vizschema.conformance.benchmarks.formats.trace import Trace

WORKERS = 8
KINDS = ("threads", "processes")
PATTERNS_READ = ("head", "tile")
WAIT = 120.0
"""Seconds after which workers that do not come together give up."""

_together: Any = None
"""The barrier of this process, where the workers are processes."""


class Job(NamedTuple):
    """What one worker does: which archive, which reads."""

    contender: Contender
    path: Path
    reads: Sequence[Task]


class Done(NamedTuple):
    """When one worker began and ended (the clock is the same for all processes), and the digest of what it read."""

    begin: float
    end: float
    digest: str


def steps(repeats: int) -> int:
    """How many steps of the progress bar `measure` takes."""
    return len(KINDS) * len(PATTERNS_READ) * len(PARALLEL) * repeats


def measure(trace: Trace, folder: Path, repeats: int, bar: Bar) -> Iterator[Row]:
    """The rows: `seconds` is the time in which all workers were ready, over the number of all their reads."""
    attention = [trace.attention(layer) for layer in range(trace.layers)]
    for kind in KINDS:
        with _pool(kind) as run:
            for number in range(repeats):
                for pattern in PATTERNS_READ:
                    reads = [tasks(pattern, trace, 1000 * number + worker) for worker in range(WORKERS)]
                    expected = [_digest([attention[int(n[-2:])][s] for n, s in own]) for own in reads]
                    for contender in PARALLEL:
                        bar.step(f"{trace.n_res}: {WORKERS} {kind}, {contender.label}")
                        done = run([Job(contender, folder / contender.filename, own) for own in reads])
                        seconds = max(one.end for one in done) - min(one.begin for one in done)
                        yield row(
                            "parallel",
                            contender,
                            trace,
                            number,
                            pattern=pattern,
                            workers=f"{WORKERS} {kind}",
                            seconds=seconds / (WORKERS * PATTERNS[pattern].reads),
                            wanted=wanted_bytes(pattern, trace.n_res),
                            checked=[one.digest for one in done] == expected,
                        )


@contextmanager
def _pool(kind: str) -> Iterator[Callable[[Sequence[Job]], list[Done]]]:
    if kind == "threads":
        barrier = threading.Barrier(WORKERS)
        with ThreadPoolExecutor(WORKERS) as threads:
            yield lambda jobs: _run(threads, [(job, barrier) for job in jobs])
        return
    # Workers are forked from a small server that has imported everything and started no thread.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    shared = context.Barrier(WORKERS)
    with ProcessPoolExecutor(WORKERS, context, _begin, (shared,)) as processes:
        yield lambda jobs: _run(processes, [(job, None) for job in jobs])


def _run(pool: Executor, jobs: Sequence[tuple[Job, Any]]) -> list[Done]:
    return [future.result() for future in [pool.submit(_work, job, barrier) for job, barrier in jobs]]


def _begin(barrier: Any) -> None:
    global _together
    _together = barrier


def _work(job: Job, barrier: Any) -> Done:
    reader = job.contender.format.open(job.path)
    reader.part(job.reads[0].name, (0, 0))  # metadata, once
    (_together if barrier is None else barrier).wait(WAIT)
    begin = time.perf_counter()
    values = [reader.part(task.name, task.selection) for task in job.reads]
    end = time.perf_counter()
    reader.close()
    return Done(begin, end, _digest(values))


def _digest(parts: Sequence[Any]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return whole.hexdigest()
