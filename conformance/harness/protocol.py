"""An implementation as a long-lived process: JSON lines out and in, a time limit for a reply, restarted when it dies.

`spec/protocol.schema.json` says what a message looks like. What goes wrong is a value: `Silence`, `Crash`, `Rubbish`.
"""

from __future__ import annotations

import functools
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

import jsonschema_rs

from vizschema.rules import versions
from vizschema.text import json_size

PROTOCOL = 1
STARTING = 60.0
"""Seconds that a process has at least to start and to greet."""

LINE = 64 << 20
"""The longest reply, in bytes."""

VALUES = 4_000_000
"""JSON values in a reply."""

DEPTH = 300
"""Levels of lists and objects in a reply."""

LAST = 4096
"""The bytes of what an implementation writes to its standard error that are kept."""

UNREAD = 16
"""Lines that are kept until they are asked for: an implementation replies once to a request."""

Reply = dict[str, Any]
_GREETINGS = ("hello", "spec")


class Trouble(Exception):
    """The implementation gave no reply that can be used; `outcome` names how."""

    outcome = "error"


class Silence(Trouble):
    """No reply came in time."""

    outcome = "timeout"


class Crash(Trouble):
    """The process ended before it replied."""

    outcome = "crash"


class Rubbish(Trouble):
    """What came is no reply to the request."""

    outcome = "rubbish"


class Refusal(Trouble):
    """The implementation says that it could not carry out the request."""

    outcome = "error"


@dataclass
class Process:
    """A command that speaks the protocol; started when it is first asked, and again after it died."""

    exit_codes_only = False

    command: Sequence[str]
    timeout: float = 20.0
    _process: Child | None = None
    _lines: queue.Queue[bytes | None] | None = None
    _seq: int = 0
    starts: int = 0
    _greetings: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)

    def ask(self, cmd: str, kind: str, **fields: Any) -> Reply:
        """The reply to one request, of the kind that the schema names; raises `Trouble`.

        A process that was started again is greeted first as the first one was: `hello`, and `spec`.
        """
        if cmd in _GREETINGS:
            self._greetings = {**self._greetings, cmd: (kind, fields)}
            return self._ask(cmd, kind, fields, max(self.timeout, STARTING))
        if not self._is_running():
            for greeting, (expected, said) in self._greetings.items():
                self._ask(greeting, expected, said, max(self.timeout, STARTING))
        return self._ask(cmd, kind, fields, self.timeout)

    def another(self) -> Process:
        """One more process of the command, which is greeted as this one was when it is first asked."""
        return Process(self.command, self.timeout, _greetings=self._greetings)

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _ask(self, cmd: str, kind: str, fields: Mapping[str, Any], timeout: float) -> Reply:
        process, lines = self._running()
        self._seq += 1
        request = {"seq": self._seq, "cmd": cmd, **fields}
        line = json.dumps(request, ensure_ascii=True).encode() + b"\n"
        with suppress(OSError):  # it has ended: what it wrote, and its exit code, say more
            _stdin(process).write(line)
            _stdin(process).flush()
        try:
            answer = lines.get(timeout=timeout)
        except queue.Empty:
            raise self._ended(Silence(f"no reply within {timeout:g} s")) from None
        if answer is None:
            code = process.wait()
            raise self._ended(Crash(f"the process ended with exit code {code}{process.said()}"))
        return self._checked(answer, kind)

    def _checked(self, answer: bytes, kind: str) -> Reply:
        shown = answer[:120].decode("utf-8", "backslashreplace").strip()
        try:
            values, depth = json_size(answer)
            if values > VALUES or depth > DEPTH:
                raise ValueError("too large")
            reply = json.loads(answer)
        except ValueError:
            raise self._ended(Rubbish(f"expected a JSON object in one line, found {shown!r}")) from None
        if not isinstance(reply, dict) or reply.get("seq") != self._seq:
            raise self._ended(Rubbish(f"expected a reply with seq {self._seq}, found {shown!r}"))
        if isinstance(reply.get("error"), str):
            raise Refusal(str(reply["error"])[:300])
        problem = next(_validator(kind).iter_errors(reply), None)
        if problem is not None:
            raise Rubbish(f"expected a reply of the kind {kind!r}: {problem.message[:200]}")
        return reply

    def stop(self) -> None:
        """End the process: ask it to, and where it does not, by force."""
        if self._process is not None and self._process.poll() is None:
            self._seq += 1
            try:
                _stdin(self._process).write(json.dumps({"seq": self._seq, "cmd": "stop"}).encode() + b"\n")
                _stdin(self._process).close()
                self._process.wait(min(self.timeout, 5.0))
            except (OSError, subprocess.TimeoutExpired):
                pass
        self._end()

    def _running(self) -> tuple[Child, queue.Queue[bytes | None]]:
        if self._process is None or self._lines is None or self._process.poll() is not None:
            self._end()
            self._process = Child(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._lines = queue.Queue()
            self.starts += 1
            reader = threading.Thread(target=_pump, args=(_stdout(self._process), self._lines), daemon=True)
            reader.start()
        return self._process, self._lines

    def _ended(self, trouble: Trouble) -> Trouble:
        self._end()
        return trouble

    def _end(self) -> None:
        process, self._process, self._lines = self._process, None, None
        if process is not None:
            end(process)
            _close(_stdin(process))


class Child(subprocess.Popen[bytes]):
    """A process of a command, in a group of its own, so that all of it can be ended; the end of its errors is kept.

    What it writes to its standard error is read in a thread, so that it never waits for a reader.
    """

    def __init__(self, command: Sequence[str], *, stdin: int, stdout: int) -> None:
        super().__init__(list(command), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, start_new_session=True)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.stderr is not None:
            with self.stderr as stream:
                while read := os.read(stream.fileno(), 1 << 16):
                    self._written = (self._written + read)[-LAST:]

    def said(self) -> str:
        """The last line of its errors that speaks of one, else the last line; for the end of a message."""
        self._reader.join(0.5)
        lines = [line.strip() for line in self._written.decode("utf-8", "replace").splitlines() if line.strip()]
        if not lines:
            return ""
        told = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1])
        return f"; it wrote: {told[:200]}"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:
        return  # what is still buffered has nowhere to go


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise Crash("the process has no standard input")
    return process.stdin


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise Crash("the process has no standard output")
    return process.stdout


def _pump(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    """Put every line of `stream` into `lines`, and None at its end, or where too many are not read."""
    with stream:
        while lines.qsize() < UNREAD and (line := stream.readline(LINE)):
            lines.put(line)
    lines.put(None)


@functools.cache
def _validator(kind: str) -> Any:
    schema = versions.read_json(versions.root() / "protocol.schema.json")
    description = versions.read_json(versions.root() / "description.schema.json")
    registry = jsonschema_rs.Registry([(schema["$id"], schema), (description["$id"], description)])
    return jsonschema_rs.Draft202012Validator({"$ref": f"{schema['$id']}#/$defs/{kind}"}, registry=registry)


def conforms(message: Mapping[str, Any], kind: str) -> bool:
    """Whether a message is of this kind (`request`, `hello`, `verdict`, …)."""
    return bool(_validator(kind).is_valid(message))
