"""What it costs to validate values: beside the usual library with NumPy's checks, the bare decode, and memcpy.

Writes one trace in every form into a temporary folder, then measures every contender in turn, round after round, each
time in a fresh process that is warm: its imports are done, on a small archive of the same form, and the files were read
before. Ratios count, times depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.scan_archives import FORMS, UNIT_BYTES
from vizschema.conformance.benchmarks.engine.scan_large import LARGE
from vizschema.conformance.benchmarks.engine.scan_page import fill, peaks_table, table
from vizschema.conformance.benchmarks.engine.scan_peers import bare, memcpy, usual
from vizschema.validation import validate


def _validate(path: Path, jobs: int, *, digest: bool = False) -> int:
    report = validate(path, jobs=jobs, digest=digest)
    if report.coverage is None or report.coverage["bytes_read"] != report.coverage["bytes"]:
        raise ValueError(f"{path}: not all of it was read: {report.coverage}")
    return report.coverage["bytes_read"]


CONTENDERS: Mapping[str, Callable[[Path, int], int]] = {
    "validate": _validate,
    "digest": lambda path, jobs: _validate(path, jobs, digest=True),
    "usual": usual,
    "bare": bare,
    "memcpy": memcpy,
}
_RUNS = (("validate", 1), ("bare", 1), ("digest", 1), ("validate", 2), ("bare", 2), ("usual", 1), ("memcpy", 1))
_PEAK_THREADS = (2, 8)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    arguments = _parser().parse_args(argv)
    if arguments.child:
        return _child(*arguments.child)
    if arguments.repeats < 1 or 0 < arguments.size < UNIT_BYTES >> 20:
        raise SystemExit(f"--repeats is 1 or more, --size 0, or {UNIT_BYTES >> 20} or more")
    result: dict[str, Any] = _kept(arguments.result)
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        if arguments.size:
            result["scan"] = _rounds(Path(folder), arguments.forms, arguments.size << 20, arguments.repeats)
            print(table(result["scan"]), end="\n\n", flush=True)
        if arguments.peak:
            result["peaks"] = _peaks(Path(folder), arguments.peak << 20)
            print(peaks_table(result["peaks"]), flush=True)
    if arguments.result:
        arguments.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.page:
        fill(arguments.page, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vizschema benchmark scan", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--size", type=int, default=200, metavar="MIB", help="MiB of values; 0: no rounds (default: 200)")
    add("--repeats", type=int, default=3, help="rounds (default: 3)")
    add("--forms", nargs="+", choices=tuple(FORMS), default=tuple(FORMS), metavar="FORM", help="only these")
    add("--peak", type=int, metavar="MIB", help="the peak memory too, on archives of so many MiB")
    add("--result", type=Path, metavar="FILE", help="keep every measurement in this JSON file, which may be there")
    add("--page", type=Path, metavar="FILE", help="write the tables into this page, between its comments")
    add("--child", nargs=4, help=argparse.SUPPRESS)
    return parser


def _kept(path: Path | None) -> dict[str, Any]:
    """What an earlier run left, so that rounds and peaks can be measured one after the other."""
    if path is None or not path.exists():
        return {}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _child(contender: str, path: str, small: str, jobs: str) -> int:
    run = CONTENDERS[contender]
    if small:
        run(Path(small), int(jobs))
    started, used = time.perf_counter(), time.process_time()
    size = run(Path(path), int(jobs))
    seconds, used = time.perf_counter() - started, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu": used, "peak": _peak(), "bytes": size}))
    return 0


def _peak() -> float:
    """The most memory that this process had at a time, in MiB; `ru_maxrss` would be that of its parent, if more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _measured(contender: str, path: Path, small: Path | None, jobs: int) -> dict[str, Any]:
    """What a fresh process found: seconds, CPU seconds, its peak memory in MiB, and the bytes that were read."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "vizschema.conformance.benchmarks.engine.scan",
        "--child",
        contender,
        str(path),
    ]
    ended = subprocess.run(  # noqa: S603  (our own module)
        [*command, str(small or ""), str(jobs)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _rounds(folder: Path, forms: Sequence[str], size: int, repeats: int) -> dict[str, Any]:
    archives: dict[str, Path] = {}
    small: dict[str, Path] = {}
    for form in forms:
        name, write = FORMS[form]
        for place, amount in ((archives, size), (small, UNIT_BYTES)):
            place[form] = folder / ("large" if place is archives else "small") / name
            place[form].parent.mkdir(exist_ok=True)
            write(place[form], amount)
    expected = memcpy(next(iter(archives.values())), 1)
    runs: list[dict[str, Any]] = []
    machine = _machine()
    for number in range(repeats):
        for form, path in archives.items():
            for contender, jobs in _RUNS:
                found = _measured(contender, path, small[form], jobs)
                if found["bytes"] != expected:
                    raise ValueError(f"{contender} read {found['bytes']} bytes of {form}, expected {expected}")
                runs.append({"round": number, "form": form, "contender": contender, "threads": jobs, **found})
    return {"machine": machine, "bytes": expected, "repeats": repeats, "load": _load(), "runs": runs}


def _peaks(folder: Path, size: int) -> dict[str, Any]:
    runs = []
    for form, (name, write) in LARGE.items():
        path = folder / name
        write(path, size)
        runs += [{"form": form, "threads": jobs, **_measured("validate", path, None, jobs)} for jobs in _PEAK_THREADS]
        if path.is_file():
            path.unlink()  # the next one needs the room
    return {"machine": _machine(), "runs": runs}


def _machine() -> str:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cpus} CPUs, Python {platform.python_version()}"


def _load() -> float:
    """How many processes wanted a CPU in the last minutes, this one's included."""
    return round(os.getloadavg()[2], 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
