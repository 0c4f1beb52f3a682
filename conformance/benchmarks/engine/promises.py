"""What confinement costs in CPU, what the death of a worker costs, and whether the deadline is kept."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import vizschema
from vizschema import Array
from vizschema.bounds import Bounds
from vizschema.worker import warm

MANY = 60
"""Archives of one command."""

ARRAYS = 400
SECONDS = 3.0

_READ = """
import os, time
from vizschema.scan.array import ScannedArray
read = ScannedArray.read
def instead(self, *given):
    if self.path == "/extra/x_000":
        os.abort()
    time.sleep({pause})
    return read(self, *given)
ScannedArray.read = instead
"""


def cpu_seconds_of(paths: list[str], *, trust: bool) -> float:
    """CPU seconds of one command that judges `paths`."""
    return cpu_seconds("validate", "-q", *(["--trust"] if trust else []), *paths)


def cpu_seconds(*arguments: str) -> float:
    """CPU seconds of one command, which ends with 0, and of all processes that it starts."""
    before = _children()
    command = [sys.executable, "-P", "-m", "vizschema", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (our own module)
    return _children() - before


def lines(archive: str, folder: Path) -> Iterator[str]:
    """The figures as lines of text; `archive` conforms, and `folder` is empty."""
    yield "CPU of one command, values read, least of 3 in turn"
    for many in (1, MANY):
        rounds = [[cpu_seconds_of([archive] * many, trust=trust) for trust in (False, True)] for _ in range(3)]
        confined, trusted = (min(each) for each in zip(*rounds, strict=True))
        ratio = confined / trusted
        yield f"{many:4} archives   sandboxed {confined:6.2f} s   trusted {trusted:6.2f} s   ratio {ratio:5.2f}"
    path = write_arrays(folder / "arrays.zarr", ARRAYS)
    dying, healthy = cpu_of_workers(path, dying=True), cpu_of_workers(path, dying=False)
    yield f"{ARRAYS:4} arrays     one of which ends the worker, over healthy: {dying / healthy:5.2f} times the CPU"
    with _workers_that(_READ.format(pause=0.5)):
        start = time.monotonic()
        vizschema.validate(path, isolated=True, jobs=1, bounds=Bounds(seconds=SECONDS))
        yield f"deadline of {SECONDS:g} s, slow arrays, one of which ends the worker: {time.monotonic() - start:.1f} s"


def write_arrays(path: Path, number: int) -> Path:
    """Write an archive of so many small arrays; returns `path`."""
    arrays = {f"/extra/x_{index:03}": Array(np.arange(4, dtype="f4"), ["sample"]) for index in range(number)}
    arrays["/outputs/logits"] = Array(np.arange(4, dtype="f4"), ["sample"])
    attributes = {"/": {"generator": "benchmark 1"}, "/metadata": {"model_name": "m", "model_version": "1"}}
    vizschema.write(path, arrays, attributes, profile="trace")
    return path


def cpu_of_workers(path: Path, *, dying: bool) -> float:
    """CPU seconds of the workers that read an archive of `write_arrays`; if `dying`, one ends at its first array."""
    before = _children()
    with _workers_that(_READ.format(pause=0) if dying else ""):
        vizschema.validate(path, isolated=True, jobs=1)
    return _children() - before


@contextmanager
def _workers_that(code: str) -> Iterator[None]:
    """Workers of a warm process of their own, which has ended with the block, so that its CPU time is counted."""
    start = warm._START
    warm._START = start.replace("sys.exit(", f"exec({code!r}); sys.exit(")
    try:
        yield
    finally:
        warm.warmed().stop()
        warm._START = start


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
