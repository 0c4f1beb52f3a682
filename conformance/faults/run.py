"""The harness: a scenario once for each of its file operations and each kind of fault, and what is found afterwards."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import vizschema
from vizschema.conformance.faults import scenarios
from vizschema.errors import UsageError, VizschemaError

FAULTS = ("error", "full", "kill")
_SHIM = Path(__file__).with_name("shim.c")
_LIBRARY = "VIZSCHEMA_FAULTS"
_KILLED = -9
_LOADED = frozenset({"h5py", "numpy", "vizschema", "zarr"})


class Case(NamedTuple):
    """One run: a scenario in a container, and what happens at which of its file operations."""

    scenario: str
    container: str
    fault: str
    number: int


class Outcome(NamedTuple):
    """How a run ended: its exit status, what it acknowledged, and what is wrong afterwards."""

    status: int
    acknowledged: list[str]
    wrong: list[str]


def preload(scenario: str | None, container: str | None, every: int) -> int:
    """Run the harness in a process with the shim, which cc builds; return its exit code."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise UsageError("the faults need cc, a compiler of C, and Linux; install gcc", path="cc")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "shim.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SHIM, "-ldl"], check=True)  # noqa: S603
        environment = {**os.environ, _LIBRARY: str(library), "LD_PRELOAD": str(library)}
        command = [sys.executable, "-m", __name__, scenario or "-", container or "-", str(every)]
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


def operations(scenario: str, container: str, folder: Path) -> int:
    """How many file operations a scenario takes."""
    outcome = _forked(lambda ack: _perform(Case(scenario, container, "count", 0), folder, ack))
    return int(next(word.partition(" ")[2] for word in outcome.acknowledged if word.startswith("operations")))


def run(case: Case, folder: Path) -> Outcome:
    """Run one case in a folder of its own, and look at what it left."""
    done = _forked(lambda ack: _perform(case, folder, ack))
    wrong = []
    if done.status not in ((0, _KILLED) if case.fault == "kill" else (0,)):
        wrong.append(f"crash: ended with {done.status}")
    wrong += [word for word in done.acknowledged if word.startswith("unexpected")]
    looked = _forked(lambda ack: _look(case, folder, done, ack))
    wrong += looked.acknowledged
    if looked.status:
        wrong.append(f"check ended with {looked.status}")
    return Outcome(done.status, done.acknowledged, wrong)


def _forked(call: Callable[[Callable[[str], None]], None]) -> Outcome:
    """Call it in a child; the words that it acknowledges are in a pipe, whatever becomes of it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 70
        with suppress(BaseException):
            call(lambda word: _say(writing, word))
            code = 0
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as words:
        said = words.read().splitlines()
    return Outcome(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said, [])


def _say(pipe: int, word: str) -> None:
    os.write(pipe, f"{word}\n".encode())


def _target(folder: Path) -> Path:
    return folder / "place" / "archive"


def _perform(case: Case, folder: Path, ack: Callable[[str], None]) -> None:
    path = _target(folder)
    path.parent.mkdir(parents=True)
    scenarios.prepare(path, case.container, case.scenario)
    shim: Any = ctypes.CDLL(os.environ[_LIBRARY])
    shim.fault_count.restype = ctypes.c_long
    mode = ("count", *FAULTS).index(case.fault)
    shim.fault_arm(os.fsencode(path.parent), ctypes.c_long(case.number), mode)
    try:
        scenarios.SCENARIOS[case.scenario](path, case.container, ack)
        ack("complete")
    except (OSError, vizschema.NotConforming):
        pass
    except BaseException as error:  # noqa: BLE001  (what it is, is what is asked)
        ack(f"unexpected {type(error).__name__}: {error}"[:300].replace("\n", " "))
    ack(f"operations {shim.fault_count()}")
    shim.fault_arm(b"", ctypes.c_long(0), 0)


def _look(case: Case, folder: Path, done: Outcome, ack: Callable[[str], None]) -> None:
    """Say what is wrong with what is there now."""
    path = _target(folder)
    completed = "complete" in done.acknowledged
    steps = [word for word in done.acknowledged if word != "complete" and not word.startswith(("op", "un"))]
    allowed = scenarios.expected(case.scenario, steps)
    conforms = path.exists() and vizschema.validate(path, jobs=1).conforms
    if conforms and not any(_equal(path, each) for each in allowed):
        ack("lie: a conforming archive with something else than what was added")
    if completed and not conforms:
        ack("lost: acknowledged as complete, and does not conform")
    if case.scenario in scenarios.REPLACING and not conforms:
        ack("gap: no archive at the target")
    left = sorted(each.name for each in path.parent.iterdir() if each != path)
    found = [leftover.kind for leftover in vizschema.recover(path)]
    if left and not found:
        ack(f"unfound: {left}")
    unfinished = "capture" in found or "unfinished" in found
    if case.scenario in scenarios.CAPTURING and steps and not completed and (unfinished or not conforms):
        _resume(case, path, allowed, ack)
    vizschema.recover(path, remove=True)
    left = sorted(each.name for each in path.parent.iterdir() if each != path)
    if left:
        ack(f"left: {left} after recover")


def _resume(case: Case, path: Path, allowed: list[scenarios.Values], ack: Callable[[str], None]) -> None:
    try:
        with vizschema.create(path, profile="trace", container=case.container, resume=True):
            pass
    except VizschemaError as error:
        ack(f"lost: cannot be resumed: {error}"[:300].replace("\n", " "))
        return
    if case.scenario == "recapture":
        allowed = [
            {place: each for place, each in scenarios.archive_of(scenarios.NEW).items() if place in now}
            for now in [vizschema.describe(path)["nodes"]]
        ]
    if not any(_equal(path, each) for each in allowed):
        ack("lost: after resume the archive has not what was flushed")


def _equal(path: Path, arrays: scenarios.Values) -> bool:
    with vizschema.open(path) as archive:
        nodes = archive.description["nodes"]
        found = {place for place, node in nodes.items() if node["kind"] == "array"}
        stored: Mapping[str, Any] = archive
        return found == set(arrays) and all(
            np.array_equal(np.asarray(stored[place][...]), each) for place, each in arrays.items()
        )


def cases(scenario: str | None, container: str | None, every: int, folder: Path) -> Iterator[Case]:
    """The cases: each scenario and container (None: all), at every so many of the file operations."""
    for name in scenarios.SCENARIOS if scenario is None else [scenario]:
        for form in scenarios.containers_of(name):
            if container in (None, form):
                count = operations(name, form, folder / f"{name}-{form}")
                for number in range(1, count + 1, every):
                    yield from (Case(name, form, fault, number) for fault in FAULTS)


def _warm(folder: Path) -> None:
    """Load once what every child needs; what starts a thread, which a child would lack, is left to one of them."""
    for container in ("zarr-v3", "hdf5"):
        path = folder / container
        done = _forked(partial(_first, path, container))
        for name in done.acknowledged:
            import_module(name)
        vizschema.validate(path, jobs=1)
        _equal(path, scenarios.archive_of(scenarios.NEW))
        vizschema.recover(path)


def _first(path: Path, container: str, ack: Callable[[str], None]) -> None:
    """Capture an archive in the place of another, and acknowledge the modules that this takes."""
    before = {*sys.modules}
    scenarios.put(path, container, scenarios.OLD)
    scenarios.recapture(path, container, lambda _: None)
    for name in [name for name in sys.modules if name not in before and name.partition(".")[0] in _LOADED]:
        ack(name)


def main(arguments: list[str]) -> int:
    """0 where nothing is wrong after any fault; prints the cases that are, and how many there were."""
    scenario, container, every = (None if word == "-" else word for word in arguments)
    wrong = 0
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as base:
        _warm(Path(base))
        for number, case in enumerate(cases(scenario, container, int(every or 1), Path(base))):
            outcome = run(case, Path(base) / str(number))
            counts[case.scenario, case.container] += 1
            for words in outcome.wrong:
                print(*case, words, flush=True)
            wrong += bool(outcome.wrong)
            shutil.rmtree(Path(base) / str(number), ignore_errors=True)
    for (name, form), count in counts.items():
        print(f"{name:10} {form:16} {count:5} runs")
    print(f"{sum(counts.values())} runs, {wrong} with something wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
