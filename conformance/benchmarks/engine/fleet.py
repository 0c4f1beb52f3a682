"""What many archives cost as one job: confined over trusted, two cores over one, two processes of a cluster over one.

All are copies of one small example, values read. What is compared is run in turn, and the least of the rounds counts:
CPU seconds of a command and all processes that it starts, or seconds by the clock where cores are compared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import vizschema
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine import promises
from vizschema.conformance.benchmarks.engine.pages import fill
from vizschema.conformance.examples import write_example

ARCHIVES = (60, 1000)
PARALLEL = 200
ARRAYS = 800

AIMS = {"many": 2.0, "one": 1.25, "cores": 0.55, "death": 2.0, "dask": 1.8}
"""Ratios: the last one at least, the others at most."""


def copies(folder: Path, number: int) -> list[str]:
    """The paths of so many copies of a small example, below `folder`."""
    folder.mkdir()
    paths = [folder / f"{index:05}.zarr" for index in range(number)]
    write_example("trace", paths[0])
    for path in paths[1:]:
        copytree(paths[0], path)
    return [str(path) for path in paths]


def least(repeats: int, *measures: Callable[[], Any]) -> list[Any]:
    """The least of so many rounds of each measure, run in turn; of several figures, the first counts."""
    rounds = [[measure() for measure in measures] for _ in range(repeats)]
    return [min(each) for each in zip(*rounds, strict=True)]


def line(what: str, seconds: Sequence[float], aim: str) -> str:
    """A row of the table: what was measured, both figures and their ratio."""
    above, below = seconds
    return f"{what:64} {above:8.2f} {below:8.2f} {above / below:7.2f} {AIMS[aim]:6}"


def confined(paths: Sequence[str], what: str, repeats: int, aim: str) -> str:
    """CPU of a command that judges `paths`, confined over trusted."""
    commands = [lambda trust=trust: promises.cpu_seconds_of([*paths], trust=trust) for trust in (False, True)]
    return line(f"{what}, CPU s, confined over trusted", least(repeats, *commands), aim)


def clock(call: Callable[[], object]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@contextmanager
def on_cores(number: int) -> Iterator[None]:
    """Let processes that are started in the block have so many cores of those that there are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def by_cores(folder: str, cores: int) -> float:
    """Seconds of a command that judges the archives below `folder` on so many cores."""
    with on_cores(cores):
        return clock(lambda: promises.cpu_seconds_of([folder], trust=False))


def by_cluster(paths: Sequence[str], processes: int) -> tuple[float, float, float]:
    """Seconds in which a cluster of so many processes, which runs already, judges `paths`; CPU of these; CPU of us."""
    distributed: Any = import_module("distributed")
    loopback = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=processes, threads_per_worker=1, **loopback) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        address = cluster.scheduler_address
        list(vizschema.validate_many(paths[: 8 * processes], isolated=False, dask=address))  # imports
        theirs, ours = sum(client.run(time.process_time).values()), time.process_time()
        seconds = clock(lambda: list(vizschema.validate_many(paths, isolated=False, dask=address)))
        ours = time.process_time() - ours
        return seconds, sum(client.run(time.process_time).values()) - theirs, ours


def by_clusters(paths: Sequence[str], repeats: int) -> Iterator[str]:
    """One process of a cluster over two, and what two cores allow: client and scheduler need one of them, too."""
    one, two = least(repeats, *(lambda number=number: by_cluster(paths, number) for number in (1, 2)))
    yield line(f"{len(paths)} archives, s, one process of a Dask cluster over two", (one[0], two[0]), "dask")
    theirs, ours = two[1:]
    yield f"{'  of two processes, CPU s, over that of client and scheduler':64} {theirs:8.2f} {ours:8.2f}"
    yield f"{'  two cores allow at most':64} {2 * theirs:8.2f} {theirs + ours:8.2f} {2 * theirs / (theirs + ours):7.2f}"


def lines(folder: Path, many: Sequence[int], parallel: int, arrays: int, repeats: int) -> Iterator[str]:
    """The table, row by row."""
    yield f"least of {repeats} in turn, on {os.cpu_count()} cores"
    yield ""
    yield f"{'':64} {'':8} {'over':>8} {'ratio':>7} {'aim':>6}"
    yield confined(copies(folder / "one", 1), "one archive", max(3, repeats), "one")
    for number in many:
        yield confined(copies(folder / str(number), number), f"{number} archives", repeats, "many")
    paths = copies(folder / "parallel", parallel)
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        seconds = least(repeats, *(lambda cores=cores: by_cores(str(folder / "parallel"), cores) for cores in (2, 1)))
        yield line(f"{parallel} archives, confined, s, two cores over one", seconds, "cores")
    else:
        yield f"{parallel} archives, two cores over one: not measured, as this process has one"
    healthy = promises.write_arrays(folder / "arrays.zarr", arrays)
    deaths = least(
        repeats, *(lambda dying=dying: promises.cpu_of_workers(healthy, dying=dying) for dying in (True, False))
    )
    yield line(f"{arrays} arrays, one of which ends the worker, CPU s, over healthy", deaths, "death")
    if find_spec("distributed") is None:
        yield "a Dask cluster: not measured, as the extra `dask` is not installed"
        return
    yield from by_clusters(paths, repeats)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark fleet", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--archives", type=int, nargs="+", default=ARCHIVES, help="archives of one command (default: 60 1000)"
    )
    parser.add_argument(
        "--parallel", type=int, default=PARALLEL, help="archives for cores and processes (default: 200)"
    )
    parser.add_argument(
        "--arrays", type=int, default=ARRAYS, help="arrays beside the one that ends a worker (default: 800)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--page", type=Path, help="a page with <!-- measured: fleet -->, to be filled")
    arguments = parser.parse_args(argv)
    if min(*arguments.archives, arguments.parallel, arguments.arrays, arguments.repeats) < 1:
        parser.error("every number is 1 or more")
    printed = []
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        sizes = arguments.archives, arguments.parallel, arguments.arrays, arguments.repeats
        for row in lines(Path(folder), *sizes):
            print(row, flush=True)
            printed.append(row)
    if arguments.page is not None:
        fill(arguments.page, "fleet", "\n".join(printed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
