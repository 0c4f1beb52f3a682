"""What it costs to validate values: beside the usual library with NumPy's checks, the bare decode, and memcpy.

Writes one trace in every form into a temporary folder, then measures every contender in turn, round after round, each
time in a fresh process that was warmed up on the same archive; files are warm. Ratios count, times depend on the
machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from vizschema.conformance.benchmarks.scan_archives import FORMS, UNIT_BYTES, linked
from vizschema.conformance.benchmarks.scan_peers import bare, memcpy, usual
from vizschema.validate import validate

Measured = Mapping[tuple[str, str, int], tuple[float, float]]
"""(form, contender, threads) → (median seconds, median peak memory in MiB)."""


def _validate(path: Path, jobs: int) -> int:
    report = validate(path, jobs=jobs)
    if report.coverage is None or report.coverage["bytes_read"] != report.coverage["bytes"]:
        raise ValueError(f"{path}: not all of it was read: {report.coverage}")
    return report.coverage["bytes_read"]


Run = tuple[str, int]
"""A contender, and its threads."""

Cell = Callable[[Mapping[Run, float], Mapping[Run, float], int], str]
"""From seconds, peaks and the size of the values to what the table says."""

CONTENDERS: Mapping[str, Callable[[Path, int], int]] = {
    "validate": _validate,
    "usual": usual,
    "bare": bare,
    "memcpy": memcpy,
}
_RUNS = (("validate", 1), ("validate", 2), ("usual", 1), ("bare", 1), ("bare", 2), ("memcpy", 1))


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = argparse.ArgumentParser(prog="vizschema benchmark scan", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=200, metavar="MB", help="MiB of values (default: 200)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument(
        "--forms", nargs="+", choices=tuple(FORMS), default=tuple(FORMS), metavar="FORM", help="only these"
    )
    parser.add_argument("--peak", type=int, metavar="MB", help="only the peak memory, on an archive of so many MiB")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child:
        return _child(*arguments.child)
    if arguments.peak:
        return _peaks(arguments.peak << 20)
    if arguments.repeats < 1 or arguments.size < UNIT_BYTES >> 20:
        parser.error(f"--repeats is 1 or more, --size {UNIT_BYTES >> 20} or more")
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        archives = {}
        for form in arguments.forms:
            name, write = FORMS[form]
            archives[form] = Path(folder) / name
            write(archives[form], arguments.size << 20)
        size = memcpy(next(iter(archives.values())), 1)
        measured = _rounds(archives, size, arguments.repeats)
    print(report(measured, size, arguments.repeats))
    return 0


def _child(contender: str, path: str, jobs: str) -> int:
    run = CONTENDERS[contender]
    run(Path(path), int(jobs))
    started = time.perf_counter()
    size = run(Path(path), int(jobs))
    seconds = time.perf_counter() - started
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, size]))
    return 0


def _peaks(size: int) -> int:
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        path = Path(folder) / "linked.zarr"
        linked(path, size)
        for jobs in (1, 2, 8):
            found = _measured("validate", path, jobs)
            print(f"{found[2] >> 20} MiB of values, {jobs} threads: peak of the process {found[1]:.0f} MiB")
    return 0


def _measured(contender: str, path: Path, jobs: int) -> tuple[float, float, int]:
    """Seconds, peak memory in MiB, and the bytes that were read, in a fresh process."""
    command = [sys.executable, "-m", "vizschema.conformance.benchmarks.scan", "--child", contender]
    ended = subprocess.run([*command, str(path), str(jobs)], capture_output=True, text=True, check=True)  # noqa: S603
    seconds, peak, size = json.loads(ended.stdout.splitlines()[-1])
    return seconds, peak, size


def _rounds(archives: Mapping[str, Path], size: int, repeats: int) -> Measured:
    taken: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for _ in range(repeats):
        for form, path in archives.items():
            for contender, jobs in _RUNS:
                seconds, peak, found = _measured(contender, path, jobs)
                if found != size:
                    raise ValueError(f"{contender} read {found} bytes of {form}, expected {size}")
                taken.setdefault((form, contender, jobs), []).append((seconds, peak))
    return {
        key: (statistics.median(s for s, _ in runs), statistics.median(p for _, p in runs))
        for key, runs in taken.items()
    }


def _ratio(over: Run, under: Run) -> Cell:
    return lambda seconds, _, __: f"{seconds[over] / seconds[under]:.2f}"


def _rate(run: Run) -> Cell:
    return lambda seconds, _, size: f"{size / seconds[run] / 1e9:.2f}"


def _peak(run: Run) -> Cell:
    return lambda _, peaks, __: f"{peaks[run]:.0f}"


_COLUMNS: Sequence[tuple[str, str, Cell]] = (
    ("bare 1", "time of validating over that of the bare decode, one thread", _ratio(("validate", 1), ("bare", 1))),
    ("bare 2", "likewise, two threads", _ratio(("validate", 2), ("bare", 2))),
    (
        "faster 1",
        "time of the usual library over that of validating by one thread",
        _ratio(("usual", 1), ("validate", 1)),
    ),
    ("faster 2", "likewise, by two threads", _ratio(("usual", 1), ("validate", 2))),
    ("gain", "time of one thread over that of two, validating", _ratio(("validate", 1), ("validate", 2))),
    ("bare gain", "likewise, the bare decode", _ratio(("bare", 1), ("bare", 2))),
    ("GB/s 1", "decoded bytes validated a second, one thread", _rate(("validate", 1))),
    ("GB/s 2", "likewise, two threads", _rate(("validate", 2))),
    ("usual", "GB/s of the usual library with NumPy's checks", _rate(("usual", 1))),
    ("memcpy", "GB/s of copying as many bytes", _rate(("memcpy", 1))),
    ("MiB", "peak memory of validating by two threads", _peak(("validate", 2))),
    ("usual MiB", "peak memory of the usual library", _peak(("usual", 1))),
)


def report(measured: Measured, size: int, repeats: int) -> str:
    """The table: ratios first, then GB/s and MiB."""
    lines = [
        f"{size >> 20} MiB of values a form; medians of {repeats} interleaved rounds, fresh processes, warm files.",
        "",
        *(f"  {name:10} {words}" for name, words, _ in _COLUMNS),
        "",
        f"{'':20}" + "".join(f"{name:>11}" for name, _, _ in _COLUMNS),
    ]
    for form in dict.fromkeys(form for form, _, _ in measured):
        seconds = {(contender, jobs): measured[form, contender, jobs][0] for contender, jobs in _RUNS}
        peaks = {(contender, jobs): measured[form, contender, jobs][1] for contender, jobs in _RUNS}
        lines.append(f"{form:20}" + "".join(f"{cell(seconds, peaks, size):>11}" for _, _, cell in _COLUMNS))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
