"""Our end of a worker: started, asked, listened to, watched over, ended. Knows nothing of what it is asked.

Reads nothing of an archive, and takes nothing that a worker says for more than a message.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from vizschema import errors
from vizschema.bounds import Bounds
from vizschema.errors import VizschemaError
from vizschema.text import scheme_of
from vizschema.worker import messages
from vizschema.worker.loan import loan_of
from vizschema.worker.warm import Forked, Warm, warmed
from vizschema.worker.watch import Watch, cpu_seconds

ALLOWANCE = 320 << 20
"""Bytes that a worker may have beside its `memory`: interpreter, libraries, the metadata of a node."""

_GRACE = 10.0
"""Seconds that an interrupted worker has to say what it knows."""

_STARTING = 60.0
"""Seconds in which a worker has to be ready; a slow disk says nothing of the archive."""

_ENDING = 1.0
"""Seconds that are waited for the end of a worker that was killed."""

_TEXT = 1 << 16
"""Characters of a text that a worker reports."""

_REPORTED = {kind.__name__: kind for kind in (errors.NotAnArchive, errors.SpecError)}
_SIGNALS = {each.value: each.name for each in signal.Signals}
_CPU = {
    signal.SIGPROF: "reading it takes more CPU time than a node may",
    signal.SIGXCPU: "reading it takes more CPU time than the worker may have",
}


class WorkerDied(Exception):
    """A worker ended, or was ended, before it was done: a `reason` of the description and a `detail` in words.

    `final` says that another one would fare no better, `lives` that this one gave up and can be asked for less.
    """

    def __init__(self, reason: str, detail: str, *, final: bool = False, lives: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.final = final
        self.lives = lives


class Ended(NamedTuple):
    """How a worker ended: exit code (a signal if negative), seconds that it computed, bytes that it had at most."""

    code: int
    cpu_seconds: float
    peak_memory: int


_UNKNOWN = Ended(-signal.SIGKILL, 0.0, 0)


class Worker:
    """A process that may read nothing but `readable`; `notes` say what could not be denied to it. A context manager.

    Of a URL among `readable` it learns the masked text, and what it asks for is fetched for it here. It is ended at
    `deadline` (None: after the seconds of `bounds`), whatever it does.
    """

    def __init__(
        self,
        readable: Sequence[str],
        bounds: Bounds = Bounds(),  # noqa: B008  (frozen)
        *,
        deadline: float | None = None,
    ) -> None:
        self._bounds = bounds
        self._received = self._values = 0
        self._failed = self._malformed = False
        self._ended: Ended | None = None
        self._loan = loan_of(readable)
        self._warm, self._forked = _forked(None if self._loan is None else self._loan.fd)
        self._pid = self._started()
        self._watch = Watch(self._pid, lambda _: self._kill(), excused=self._excused)
        self._waiting = False
        self._watch.start(
            bounds.seconds, time.monotonic() + bounds.seconds if deadline is None else deadline, _STARTING
        )
        self.notes = self._confined(readable)
        self._watch.silence = bounds.silence

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._watch.stop()
        self._failed = True
        self._kill()
        self.ended()
        if self._loan is not None:
            self._loan.close()
        for stream in self._forked[1:]:
            with suppress(BrokenPipeError):
                stream.close()

    def foretell(self, modules: Sequence[str]) -> None:
        """Say what other workers are likely to import, if there are any."""
        self._warm.later(modules)

    def rehearse(self, suffix: str, entries: Sequence[object]) -> None:
        """Say what other workers are likely to read, if there are many."""
        self._warm.rehearse(suffix, entries)

    def interrupt(self) -> None:
        """Ask the process to come to an early end, as Ctrl-C does; what it says still has to be listened to."""
        self._watch.deadline = min(self._watch.deadline, time.monotonic() + _GRACE)
        self._warm.signal(self._forked.number, signal.SIGINT)

    @property
    def alive(self) -> bool:
        """Whether it can be asked once more."""
        return not self._failed

    def ended(self) -> Ended:
        """How the process ended, which has to happen soon."""
        reports = self._forked.reports
        if self._ended is None and not reports.closed and select.select([reports], [], [], _ENDING)[0]:
            with suppress(EOFError, messages.Malformed, ValueError, TypeError):
                word, *fields = messages.unpack(messages.read(reports))
                self._ended = Ended(*fields) if word == "ended" else None
        return self._ended or _UNKNOWN

    @property
    def cpu_seconds(self) -> float:
        """Seconds that the process has computed; 0 where the system says nothing."""
        return cpu_seconds(self._pid) if self._ended is None else self._ended.cpu_seconds

    @property
    def peak_memory(self) -> int:
        """Bytes of memory that the process has had at most; 0 where the system says nothing."""
        if self._ended is not None:
            return self._ended.peak_memory
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:")), 0)

    def run(self, function: str, arguments: Mapping[str, Any]) -> Iterator[list[Any]]:
        """Every message that the worker answers with, the last being `end`.

        Raises `WorkerDied`, and the exception of vizschema that the worker reports.
        """
        self._received = 0
        self._tell(function, {**arguments, **({} if self._loan is None else self._loan.arguments)})
        return self.listen()

    def listen(self) -> Iterator[list[Any]]:
        """Every message still to come of what the worker was asked, as `run` gives them."""
        while True:
            message = self._next()
            match message:
                case ["error", *_]:
                    raise self._reported(message)
                case ["limit", text] if _is_text(text):
                    raise WorkerDied("over-limit", text, lives=True)
                case ["limit", *_]:
                    raise self.senseless()
            yield message
            if message[0] == "end":
                return

    def fill(self, part: memoryview) -> None:
        """Put the bytes that the worker streams after its last message into `part`, all of it; raises `WorkerDied`."""
        while part:
            piece = self._heard()
            if not piece or len(piece) > len(part):
                raise self.senseless()
            part[: len(piece)] = piece
            part = part[len(piece) :]

    def _started(self) -> int:
        """The id of the process, once it was forked; raises `VizschemaError`."""
        try:
            word, pid = messages.unpack(messages.read(self._forked.reports))
        except EOFError:
            for stream in self._forked[1:]:
                stream.close()
            raise _not_started(f"the process that starts it ended with the exit code {self._warm.ended}") from None
        assert word == "forked"  # noqa: S101  (our own process)
        return int(pid)

    def _confined(self, readable: Sequence[str]) -> tuple[str, ...]:
        setup = {
            "memory": self._bounds.memory + ALLOWANCE,
            "seconds": math.ceil(self._bounds.seconds + 1) * (os.cpu_count() or 1),
            "folder": hexed(_folder()),
            "readable": [hexed(path) for path in readable if scheme_of(path) is None],
            "relay": self._loan is not None,
        }
        self._tell("confine", setup)
        try:
            match self._next():
                case ["ready", list(notes)] if all(map(_is_text, notes)):
                    return tuple(notes)
            raise self.senseless()
        except WorkerDied as died:
            self.close()
            if died.final or self._malformed:
                raise
            raise _not_started(died.detail) from died

    def _tell(self, function: str, arguments: Mapping[str, Any]) -> None:
        # A worker that is gone says why when it is listened to.
        with suppress(BrokenPipeError):
            self._forked.stdin.write(messages.pack([function, arguments]))
            self._forked.stdin.flush()

    def _next(self) -> list[Any]:
        body = self._heard()
        try:
            self._received += len(body)
            self._values += messages.count_values(body)
            self._require_bounded()
            message = messages.unpack(body)
        except messages.Malformed:
            raise self.senseless() from None
        if not isinstance(message, list) or not message:
            raise self.senseless()
        return message

    def _heard(self) -> bytes:
        """What the worker says next; raises `WorkerDied`."""
        self._watch.heard()
        self._waiting = True
        try:
            return messages.read(self._forked.stdout)
        except EOFError:
            raise self._death() from None
        except messages.Malformed:
            raise self.senseless() from None
        finally:
            self._waiting = False

    def _require_bounded(self) -> None:
        """Raise `WorkerDied` where the worker said more than is held."""
        for said, most, unit in (
            (self._received, self._bounds.answer, "bytes"),
            (self._values, self._bounds.values, "JSON values"),
        ):
            if said > most:
                self._fail()
                raise WorkerDied("over-limit", f"its description has more than {most} {unit}", final=True)

    def _excused(self) -> bool:
        """Whether its silence does not count: no answer is expected, or it waits for the network, which is bounded."""
        return not self._waiting or (self._loan is not None and self._loan.busy())

    def senseless(self) -> WorkerDied:
        """What to raise where the worker said what is not a message; it is ended."""
        self._malformed = True
        self._fail()
        return WorkerDied("crashed", "the worker that read it sent a malformed message")

    def _fail(self) -> None:
        self._failed = True
        self._kill()

    def _kill(self) -> None:
        self._warm.signal(self._forked.number, signal.SIGKILL)

    def _reported(self, message: list[Any]) -> Exception:
        """The exception that the worker reports, with its fields."""
        match message:
            case ["error", str(name), text, dict(fields)] if _is_text(text) and all(
                value is None or _is_text(value) for value in fields.values()
            ):
                error = _REPORTED.get(name, VizschemaError)(text)
                texts = {key: value for key, value in fields.items() if key in errors.FIELDS and isinstance(value, str)}
                vars(error).update(texts)
                return error
        return self.senseless()

    def _death(self) -> WorkerDied:
        self._failed = True
        code = self.ended().code
        if self._watch.exceeded is not None:
            return WorkerDied("over-limit", self._watch.exceeded, final=self._watch.final)
        if -code in _CPU:
            return WorkerDied("over-limit", _CPU[signal.Signals(-code)], final=True)
        how = f"by the signal {_SIGNALS.get(-code, -code)}" if code < 0 else f"with the exit code {code}"
        return WorkerDied("crashed", f"the worker that read it ended {how}")


def _forked(relay: int | None) -> tuple[Warm, Forked]:
    """A worker of the warm process, of a fresh one where that has ended meanwhile."""
    try:
        warm = warmed()
        return warm, warm.fork(relay)
    except BrokenPipeError:
        warm = warmed()
        try:
            return warm, warm.fork(relay)
        except BrokenPipeError:
            raise _not_started(f"the process that starts it ended with the exit code {warm.ended}") from None


def _folder() -> str:
    """The working directory, to which paths are relative; the root where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109  (bytes and all)
    except FileNotFoundError:
        return "/"


def _is_text(value: Any) -> bool:
    """Whether a worker may say this to a reader of the report."""
    return isinstance(value, str) and len(value) <= _TEXT and value.isprintable()


def _not_started(why: str) -> VizschemaError:
    return VizschemaError(
        f"the worker that reads archives could not be started: {why}. VIZSCHEMA_DEBUG=1 shows what it says; "
        "--trust reads archives that you trust without it"
    )


def hexed(path: str | os.PathLike[str]) -> str:
    """A path as it stands in a request: the bytes that the system knows it by, in hexadecimal digits."""
    return os.fsencode(path).hex()
