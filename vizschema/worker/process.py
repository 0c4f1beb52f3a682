"""Our end of a worker: started, asked, listened to, watched over, ended. Knows nothing of what it is asked.

Reads nothing of an archive, and takes nothing that a worker says for more than a message. Of a remote archive a worker
gets a socket at which we fetch for it, and the URL without its secrets.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import vizschema
from vizschema import errors
from vizschema.bounds import Bounds
from vizschema.errors import VizschemaError
from vizschema.text import archive_name, scheme_of
from vizschema.worker import messages

if TYPE_CHECKING:
    from vizschema.containers.remote.store import Remote

ALLOWANCE = 320 << 20
"""Bytes that a worker may have beside its `memory`: interpreter, libraries, the metadata of a node."""

_GRACE = 10.0
"""Seconds that an interrupted worker has to say what it knows."""

_STARTING = 60.0
"""Seconds in which a worker has to be ready; a slow disk says nothing of the archive."""

_REPORTED = {kind.__name__: kind for kind in (errors.NotAnArchive, errors.UsageError)}
_SIGNALS = {each.value: each.name for each in signal.Signals}
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIZSCHEMA_DEBUG")
_ENVIRONMENT = {
    "HDF5_PLUGIN_PRELOAD": "::",  # no filter is loaded from anywhere
    "HDF5_USE_FILE_LOCKING": "FALSE",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS"), "1"),
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
}
_START = "import sys; sys.path[:] = sys.argv[1:]; from vizschema.worker.child import main; sys.exit(main())"


class WorkerDied(Exception):
    """A worker ended, or was ended, before it was done: a `reason` of the description and a `detail` in words.

    `final` says that another one would fare no better.
    """

    def __init__(self, reason: str, detail: str, *, final: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.final = final


class Worker:
    """A process that may read nothing but `readable`; `notes` say what could not be denied to it. A context manager.

    Of a URL among `readable` it learns the masked text, and what it asks for is fetched for it here.
    """

    def __init__(
        self,
        readable: Sequence[str],
        bounds: Bounds = Bounds(),  # noqa: B008  (frozen)
        *,
        network: bool = False,
    ) -> None:
        self._bounds = bounds
        self._received = 0
        self._waiting_since: float | None = None
        self._deadline = math.inf
        self._overdue: str | None = None
        self._out_of_time = False
        self._failed = False
        self._patience: float = _STARTING
        self._ended = threading.Event()
        self._loan = loan_of(readable)
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter)
            [sys.executable, "-I", "-S", "-B", "-c", _START, *_search_path()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("VIZSCHEMA_DEBUG") == "1" else subprocess.DEVNULL,
            env={**_ENVIRONMENT, **{name: os.environ[name] for name in _KEPT if name in os.environ}},
            start_new_session=True,
            pass_fds=() if self._loan is None else (self._loan.fd,),
        )
        threading.Thread(target=self._watch_over, daemon=True).start()
        self.notes = self._confined(readable, network=network)
        self._patience = bounds.silence

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._ended.set()
        self._process.kill()
        self._process.wait()
        if self._loan is not None:
            self._loan.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def interrupt(self) -> None:
        """Ask the process to come to an early end, as Ctrl-C does; what it says still has to be listened to."""
        self._deadline = time.monotonic() + _GRACE
        self._process.send_signal(signal.SIGINT)

    @property
    def alive(self) -> bool:
        """Whether it can be asked once more."""
        return not self._failed and self._process.poll() is None

    @property
    def cpu_seconds(self) -> float:
        """Seconds that the process has computed, by what the kernel says of it; 0 where it says nothing."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_memory(self) -> int:
        """Bytes of memory that the process has had at most, by what the kernel says of it; 0 where it says nothing."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:")), 0)

    def run(self, function: str, arguments: Mapping[str, Any], *, deadline: float | None = None) -> Iterator[list[Any]]:
        """Every message that the worker answers with, the last being `end`; before `deadline`, if it is to be sooner.

        Raises `WorkerDied`, and the exception of ours that the worker reports.
        """
        self._received = 0
        self._deadline = min(time.monotonic() + self._bounds.seconds, math.inf if deadline is None else deadline)
        self._tell(function, {**arguments, **({} if self._loan is None else self._loan.arguments)})
        return self.listen()

    def listen(self) -> Iterator[list[Any]]:
        """Every message still to come of what the worker was asked, as `run` gives them."""
        try:
            while True:
                message = self._next()
                if message[0] == "error":
                    raise self._reported(message)
                if message[0] == "limit":
                    raise WorkerDied("over-limit", str(message[1]))
                yield message
                if message[0] == "end":
                    return
        finally:
            self._deadline = math.inf

    def _confined(self, readable: Sequence[str], *, network: bool) -> tuple[str, ...]:
        setup = {
            "memory": self._bounds.memory + ALLOWANCE,
            "seconds": math.ceil(self._bounds.seconds + 1) * (os.cpu_count() or 1),
            "readable": [hexed(path) for path in readable if scheme_of(path) is None],
            "network": network,
        }
        try:
            self._tell("confine", setup)
            return tuple(str(note) for note in self._next()[1])
        except WorkerDied as died:
            self.close()
            raise VizschemaError(
                f"the worker that reads archives could not be started: {died.detail}. VIZSCHEMA_DEBUG=1 shows what it "
                "says; --trust reads archives that you trust without it"
            ) from died

    def _tell(self, function: str, arguments: Mapping[str, Any]) -> None:
        stream = self._stream(self._process.stdin)
        # A worker that is gone says why when it is listened to.
        with contextlib.suppress(BrokenPipeError):
            stream.write(messages.pack([function, arguments]))
            stream.flush()

    def _next(self) -> list[Any]:
        self._waiting_since = time.monotonic()
        try:
            body = messages.read(self._stream(self._process.stdout))
            message = messages.unpack(body)
        except EOFError:
            raise self._death() from None
        except messages.Malformed:
            raise self.senseless() from None
        finally:
            self._waiting_since = None
        self._received += len(body)
        if self._received > self._bounds.answer:
            self._failed = True
            self._process.kill()
            raise WorkerDied("over-limit", f"its description has more than {self._bounds.answer} bytes", final=True)
        if not isinstance(message, list) or not message:
            raise self.senseless()
        return message

    def senseless(self) -> WorkerDied:
        """What to raise where the worker said what is no message; it is ended."""
        self._failed = True
        self._process.kill()
        return WorkerDied("crashed", "the worker that read it said what makes no sense")

    def _reported(self, message: list[Any]) -> Exception:
        """The exception that the worker reports, with its fields."""
        match message:
            case ["error", str(name), str(text), dict(fields)]:
                error = _REPORTED.get(name, VizschemaError)(text)
                texts = {key: value for key, value in fields.items() if key in errors.FIELDS and isinstance(value, str)}
                vars(error).update(texts)
                return error
        return self.senseless()

    def _death(self) -> WorkerDied:
        code = self._process.wait()
        if self._overdue is not None:
            return WorkerDied("over-limit", self._overdue, final=self._out_of_time)
        if code == -signal.SIGPROF:
            return WorkerDied("over-limit", "reading it takes more CPU time than a node may", final=True)
        if code == -signal.SIGXCPU:
            return WorkerDied("over-limit", "reading it takes more CPU time than the worker may have", final=True)
        how = f"by the signal {_SIGNALS.get(-code, -code)}" if code < 0 else f"with the exit code {code}"
        return WorkerDied("crashed", f"the worker that read it ended {how}")

    def _watch_over(self) -> None:
        """Kills the process once it is silent for too long, or takes too long in all."""
        pause = min(self._bounds.silence, self._bounds.seconds, 1.0) / 4
        excused = -math.inf
        while not self._ended.wait(pause):
            now, since = time.monotonic(), self._waiting_since
            if self._loan is not None and self._loan.busy():  # the network may be silent, and has its own bounds
                excused = now
            if now >= self._deadline:
                self._out_of_time = True
                self._overdue = f"reading it takes more than {self._bounds.seconds:g} seconds"
            elif since is not None and now - max(since, excused) >= self._patience:
                self._overdue = f"reading it takes more than {self._patience:g} seconds"
            else:
                continue
            self._process.kill()
            return

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None  # noqa: S101  (it is a pipe)
        return stream


def _search_path() -> list[str]:
    """Where a worker finds modules: as we do, but for the working directory; ours last, where nothing else has them."""
    ours = str(Path(vizschema.__file__).parents[1])
    here = os.getcwd()  # noqa: PTH109  (as sys.path has it)
    return [*(place for place in sys.path if place.startswith("/") and place != here), ours]


def hexed(path: str | os.PathLike[str]) -> str:
    """A path as it stands in a request: the bytes that the system knows it by, in hexadecimal digits."""
    return os.fsencode(path).hex()


class Loan:
    """A connection lent to one worker: the descriptor `fd` that it gets, and the `arguments` that each request has."""

    def __init__(self, url: str, remote: Remote) -> None:
        from vizschema.containers.remote.relay import Lent

        self._remote = remote
        self._lent = Lent(remote)
        self.fd = self._lent.borrower
        self.arguments: Mapping[str, Any] = {
            "path": os.fsencode(archive_name(url)).hex(),
            "borrowed": [self.fd, remote.lists],
        }

    def busy(self) -> bool:
        """Whether the worker waits for the network."""
        return self._lent.busy()

    def close(self) -> None:
        """Let go of the socket and of every connection."""
        self._lent.close()
        self._remote.close()


def loan_of(paths: Sequence[str]) -> Loan | None:
    """The loan for the URL among `paths`, None if there is none; raises `UsageError`."""
    url = next((path for path in paths if scheme_of(path) is not None), None)
    if url is None:
        return None
    from vizschema.containers.opening import connect

    return Loan(url, connect(url))
