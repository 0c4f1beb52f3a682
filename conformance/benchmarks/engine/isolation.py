"""What it costs that archives are read by a worker: the same command with and without, in turn, on warm files.

Each measurement is a fresh `vizschema validate` of a small example (its structure), as somebody would type it, once and
eight times over: what a further archive costs is the worker alone, without what a command needs anyway.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine import promises
from vizschema.conformance.benchmarks.engine.pages import fill
from vizschema.conformance.examples import write_example
from vizschema.writer.forms import FORMS

AIM = 0.300
"""Seconds that isolation may cost for each archive."""

MANY = 8


_SUFFIXES = {"hdf5": ".h5", "npz": ".npz", "asdf": ".asdf"}


def seconds_of(paths: Sequence[str], *, trust: bool) -> float:
    """Seconds of one command that judges `paths`, in which every archive must conform."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "vizschema",
        "validate",
        "--no-values",
        *(["--trust"] if trust else []),
        *paths,
    ]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (our own module)
    return time.perf_counter() - start


def rounds(archives: Mapping[str, str], repeats: int) -> dict[tuple[str, int, bool], list[float]]:
    """Seconds by (container, archives in the command, trusted), taken in turn, after one round that does not count."""
    seconds: dict[tuple[str, int, bool], list[float]] = {}
    for number in range(repeats + 1):
        for container, path in archives.items():
            for many in (1, MANY):
                for trust in (True, False):
                    taken = seconds_of([path] * many, trust=trust)
                    if number:
                        seconds.setdefault((container, many, trust), []).append(taken)
    return seconds


def report(seconds: Mapping[tuple[str, int, bool], Sequence[float]]) -> str:
    """The figures as text: the cost of isolation for the first archive, and for each further one."""
    median = {key: statistics.median(values) for key, values in seconds.items()}
    repeats = len(next(iter(seconds.values())))
    lines = [
        f"medians of {repeats} rounds in turn, warm files, ms; aim: less than {AIM * 1e3:.0f} an archive",
        "",
        f"{'':15} {'one, trusted':>14} {'one, isolated':>14} {'isolation costs':>16} {'each further one':>17}",
    ]
    for container in dict.fromkeys(key[0] for key in seconds):
        trusted, isolated = median[container, 1, True], median[container, 1, False]
        further = (median[container, MANY, False] - isolated - median[container, MANY, True] + trusted) / (MANY - 1)
        cells = (trusted, isolated, isolated - trusted, further)
        columns = zip((14, 14, 16, 17), cells, strict=True)
        lines.append(f"{container:15} " + " ".join(f"{cell * 1e3:{width}.0f}" for width, cell in columns))
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark isolation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--page", type=Path, help="a page with <!-- measured: isolation -->, to be filled")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error("--repeats is 1 or more")
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        archives = {}
        for container in FORMS:
            archives[container] = str(Path(folder) / f"{container}{_SUFFIXES.get(container, '.zarr')}")
            write_example("trace", archives[container], container=container)
        seconds = rounds(archives, arguments.repeats)
        text = "\n".join([report(seconds), "", *promises.lines(archives["zarr-v3"], Path(folder))])
    print(text)
    if arguments.page is not None:
        fill(arguments.page, "isolation", text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
