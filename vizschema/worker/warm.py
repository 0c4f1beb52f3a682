"""The warm process that workers are forked from: this end of it. `forking.py` is the other.

It has nothing of the caller: no environment but what is listed here, no descriptor, no module, and it never sees an
archive, except the samples beside it. One serves the whole process, from the first call of `warmed` until the process
ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import vizschema
from vizschema.worker import messages

_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIZSCHEMA_DEBUG")
_ENVIRONMENT = {
    "HDF5_PLUGIN_PRELOAD": "::",  # no filter is loaded from anywhere
    "HDF5_USE_FILE_LOCKING": "FALSE",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS"), "1"),
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
}
_START = "import sys; sys.path[:] = sys.argv[1:]; from vizschema.worker.forking import main; sys.exit(main())"
VALUES = ("vizschema.scan.threads",)
"""What reading values imports, whatever contains them."""

OFTEN = 8
"""Workers from which on a sample is read once for those that follow: for fewer it would cost more than it saves."""

SAMPLES = Path(__file__).parent / "samples"
"""A small archive of each format, named by its suffix: the example of `trace`."""

_ENDING = 5.0
"""Seconds that the warm process has to end by itself."""


class Forked(NamedTuple):
    """This end of a worker: its number, and the streams of its stdin, its stdout and the reports on it."""

    number: int
    stdin: IO[bytes]
    stdout: IO[bytes]
    reports: IO[bytes]


class _Settings(NamedTuple):
    """What a warm process is started with, and whose it is."""

    owner: int
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


class Warm:
    """The process; it ends, with its workers, once nothing refers to this any more.

    A request to one that has ended raises `OSError`.
    """

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._forked = 0
        self._imported: set[str] = set()
        self._later: set[str] = set()
        self._rehearsals: dict[str, Sequence[object]] = {}
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter)
                list(settings.command),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("VIZSCHEMA_DEBUG") == "1" else subprocess.DEVNULL,
                env=dict(settings.environment),
                cwd="/",
                start_new_session=True,
            )
        self._finalizer = weakref.finalize(self, _end, self._control, self._process)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return int(self._process.wait())

    def stop(self) -> None:
        """End it, and every worker of it."""
        self._finalizer()

    def forget(self) -> None:
        """Let go of it without ending it: it belongs to the process that this one was forked from."""
        self._finalizer.detach()
        self._control.close()
        self._process.returncode = 0

    def import_(self, modules: Sequence[str]) -> None:
        """Import these modules for the workers to come, each once."""
        missing = [module for module in modules if module not in self._imported]
        if missing:
            self._imported.update(missing)
            with suppress(OSError):  # who forks learns that it has ended
                self._ask(["import", missing])

    def later(self, modules: Sequence[str]) -> None:
        """Import these modules once another worker is asked for: a last archive needs nothing more."""
        self._later.update(modules)

    def rehearse(self, suffix: str, entries: Sequence[object]) -> None:
        """Have the sample with this suffix read for `entries`, once, when many workers were asked for."""
        self._rehearsals.setdefault(suffix, entries)

    def fork(self, relay: int | None) -> Forked:
        """Start a worker, which inherits the descriptor `relay`, if any; returns at once."""
        self.import_(sorted(self._later))
        if self._forked >= OFTEN:
            self._rehearse()
        pipes: list[int] = []
        with self._lock:
            self._forked += 1
            number = self._forked
        try:
            for _ in range(3):
                pipes += os.pipe()
            stdin, to_worker, from_worker, stdout, reports, report = pipes
            theirs = [stdin, stdout, report]
            self._ask(["fork", number], [*theirs, *([] if relay is None else [relay])])
        except OSError:
            for fd in pipes:
                os.close(fd)
            raise
        for fd in theirs:
            os.close(fd)
        return Forked(number, open(to_worker, "wb"), open(from_worker, "rb"), open(reports, "rb"))  # noqa: PTH123

    def _rehearse(self) -> None:
        for suffix, entries in list(self._rehearsals.items()):
            sample = SAMPLES / f"sample{suffix}"
            if entries and sample.exists():
                self._rehearsals[suffix] = ()
                self._ask(["rehearse", str(sample), list(entries)])

    def signal(self, number: int, number_of_signal: int) -> None:
        """Signal the process group of a worker, if it has not ended."""
        with suppress(OSError):  # the worker has ended with it
            self._ask(["signal", number, number_of_signal])

    def _ask(self, request: list[object], pipes: Sequence[int] = ()) -> None:
        raw = messages.pack(request)
        with self._lock:
            sent = socket.send_fds(self._control, [raw], pipes) if pipes else 0
            self._control.sendall(raw[sent:])


_shared: Warm | None = None
_starting = threading.Lock()


def warmed(modules: Sequence[str] = ()) -> Warm:
    """The warm process, started if there is none, with these modules imported before the next worker is forked."""
    global _shared
    settings = _settings()
    with _starting:
        if _shared is None or _shared.settings != settings or not _shared.alive:
            _shared = Warm(settings)
        warm = _shared
    warm.import_(modules)
    return warm


def _settings() -> _Settings:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = (sys.executable, "-I", "-S", "-B", "-c", _START, *_search_path())
    return _Settings(os.getpid(), command, tuple({**_ENVIRONMENT, **kept}.items()))


def _search_path() -> list[str]:
    """Where a worker finds modules: as this process does, without the working directory; then its own folder."""
    ours = str(Path(vizschema.__file__).parents[1])
    try:
        here = os.getcwd()  # noqa: PTH109  (as sys.path has it)
    except FileNotFoundError:
        here = ""
    return [*(place for place in sys.path if place.startswith("/") and place != here), ours]


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _forget() -> None:
    """In a process that was forked from this one: what it inherited is not its own."""
    global _shared, _starting
    _starting = threading.Lock()
    if _shared is not None:
        _shared.forget()
    _shared = None


os.register_at_fork(after_in_child=_forget)
