"""How long a command takes to start, beside a process that imports only what it needs of other people's modules.

Of each command: the CPU seconds of the whole process, work and all, and what `-X importtime` says of its imports. What
a command needs is listed here, and a test holds that it imports nothing else. Everything is a fresh process, in turn.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.pages import fill
from vizschema.conformance.examples import write_example

AIM = 1.5
"""How many times the CPU seconds of its imports a command may take."""

ARCHIVE = "example.zarr"

_PARSING = (
    "__future__",
    "argparse",
    "contextlib",
    "gettext",
    "locale",
    "math",
    "re",
    "shutil",
    "signal",
    "textwrap",
    "typing",
)
_JUDGING = (
    *("dataclasses", "datetime", "errno", "gc", "hashlib", "json", "pathlib", "stat", "tomllib", "unicodedata"),
    *("urllib.parse", "orjson", "jsonschema_rs"),
)
_STARTING = ("atexit", "socket", "subprocess", "threading", "weakref")
_DESCRIBING = (
    *(
        "__future__",
        "contextlib",
        "ctypes",
        "dataclasses",
        "errno",
        "gc",
        "json",
        "orjson",
        "re",
        "resource",
        "select",
        "signal",
        "socket",
        "threading",
    ),
    *("typing", "unicodedata"),
)


class Command(NamedTuple):
    """A command, and the modules that it needs; those of its worker, where it has one, are in that process."""

    arguments: tuple[str, ...]
    needs: tuple[str, ...]
    worker_needs: tuple[str, ...] = ()


COMMANDS: Mapping[str, Command] = {
    "--help": Command(("--help",), _PARSING),
    "validate --help": Command(("validate", "--help"), _PARSING),
    "validate --no-values --trust": Command(
        ("validate", "--no-values", "--trust", ARCHIVE),
        (*_PARSING, *_JUDGING),
    ),
    "validate --no-values": Command(
        ("validate", "--no-values", ARCHIVE),
        (*_PARSING, *_JUDGING, *_STARTING),
        _DESCRIBING,
    ),
}


def bare(command: Command) -> list[str]:
    """A process that imports what `command` needs, and starts one that imports what its worker needs."""
    program = f"import {', '.join(command.needs)}"
    if command.worker_needs:
        worker = f"import sys; sys.path[:] = sys.argv[1:]; import {', '.join(command.worker_needs)}"
        program += f"; import sys; subprocess.run([sys.executable, '-I', '-S', '-B', '-c', {worker!r}, *sys.path])"
    return [sys.executable, "-P", "-c", program]


def whole(command: Command) -> list[str]:
    """`command`, as somebody would type it."""
    return [sys.executable, "-P", "-m", "vizschema", *command.arguments]


def cpu_seconds(process: Sequence[str], folder: str) -> float:
    """CPU seconds of a process and of those that it starts, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603  (our own interpreter)
        process, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=_environment()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports(process: Sequence[str], folder: str) -> dict[str, int]:
    """Microseconds of every module that a process imports, without those that it imports in turn."""
    told = subprocess.run(  # noqa: S603  (our own interpreter)
        [process[0], "-X", "importtime", *process[1:]],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=_environment(),
    ).stderr
    lines = re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", told, re.MULTILINE)
    return {module: int(own) for own, module in lines}


def _environment() -> dict[str, str]:
    """That of this process, but that modules are compiled once and kept, as they are by default."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Measured(NamedTuple):
    """What one round said of one command: seconds, and microseconds by module; beside those of what it needs."""

    seconds: float
    needed_seconds: float
    modules: dict[str, int]
    needed_modules: dict[str, int]


def rounds(folder: str, repeats: int) -> dict[str, list[Measured]]:
    """Every command measured so many times, in turn, after one round that does not count."""
    found: dict[str, list[Measured]] = {name: [] for name in COMMANDS}
    for number in range(repeats + 1):
        for name, command in COMMANDS.items():
            ours, needed = whole(command), bare(command)
            measured = Measured(
                cpu_seconds(ours, folder), cpu_seconds(needed, folder), imports(ours, folder), imports(needed, folder)
            )
            if number:
                found[name].append(measured)
    return found


_HEAD = f"{'':29} {'CPU':>5} {'needs':>6} {'ratio':>6} {'imports':>9} {'needs':>6} {'ratio':>6} {'modules':>9}"


def report(found: Mapping[str, Sequence[Measured]], most: int) -> str:
    """The figures as text: a line a command, then the modules that take it longest to import."""
    repeats = len(next(iter(found.values())))
    lines = [f"medians of {repeats} rounds in turn, ms; aim: a ratio of at most {AIM}", "", _HEAD]
    lines += [_line(name, measured) for name, measured in found.items()]
    for name, measured in found.items() if most else ():
        took = {
            module: statistics.median(each.modules.get(module, 0) for each in measured) for module in measured[0][2]
        }
        longest = sorted(took.items(), key=lambda item: -item[1])[:most]
        named = ", ".join(f"{module} {microseconds / 1e3:.1f}" for module, microseconds in longest)
        lines += ["", f"{name}, ms by module: {named}"]
    return "\n".join(lines)


def _line(name: str, measured: Sequence[Measured]) -> str:
    seconds = [(each.seconds * 1e3, each.needed_seconds * 1e3) for each in measured]
    imported = [(sum(each.modules.values()) / 1e3, sum(each.needed_modules.values()) / 1e3) for each in measured]
    (taken, needed, ratio), (imports_taken, imports_needed, imports_ratio) = map(_medians, (seconds, imported))
    return (
        f"{name:29} {taken:5.0f} {needed:6.0f} {ratio:6.2f} {imports_taken:9.0f} {imports_needed:6.0f} "
        f"{imports_ratio:6.2f} {len(measured[0].modules):9}"
    )


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The medians of both sides, and of their ratio round by round."""
    ours, needed = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(needed), statistics.median(a / b for a, b in pairs)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark start", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=11, help="how often everything is measured (default: 11)")
    parser.add_argument("--modules", type=int, default=8, metavar="N", help="how many modules are named (default: 8)")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the figures into this page, between its comments"
    )
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error("--repeats is 1 or more")
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        write_example("trace", str(Path(folder) / ARCHIVE))
        found = rounds(folder, arguments.repeats)
    text = report(found, arguments.modules)
    print(text)
    if arguments.page is not None:
        fill(arguments.page, "start", text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
