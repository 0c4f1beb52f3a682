"""Our end of the children that read: each is started when it is needed, bounded, and started again when it died."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vizschema.errors import UsageError

_FOLDER = Path(__file__).resolve().parent
_READERS = (
    "import runpy, sys; sys.path.append({folder!r}); sys.argv[1:] = [{library!r}]; "
    "runpy.run_module('readers', run_name='__main__')"
)
_OURS = "from vizschema.conformance.oracle.ours import main; main()"

Reply = dict[str, Any]


def reader(python: str, library: str) -> list[str]:
    """The command of a child that reads with `library`; it imports nothing from the working directory."""
    return [python, "-I", "-c", _READERS.format(folder=str(_FOLDER), library=library)]


def ours() -> list[str]:
    """The command of a child that reads with vizschema."""
    return [sys.executable, "-P", "-c", _OURS]


class Peer:
    """A child that answers one request at a time within `seconds`; anything else is a refusal. Closes with `close`."""

    def __init__(self, command: Sequence[str], seconds: float = 60.0) -> None:
        self._command = command
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self.version = ""

    def start(self) -> str:
        """Start the child, and return the version of its library; raises `UsageError` where it does not start."""
        self._process = subprocess.Popen(  # noqa: S603  (our own child)
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a child may have children, which end with it
        )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        hello = self._line(120.0)
        if hello is None:
            self.close()
            raise UsageError(
                f"{self._command[0]}: expected a reader, found that it does not start: {self._command[-1]}"
            )
        self.version = json.loads(hello)["version"]
        return self.version

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """The reply to a request."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.start()
        assert self._process is not None and self._process.stdin is not None  # noqa: S101, PT018  (it was started)
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return self._ended("the child died")
        line = self._line(self._seconds)
        if line is None:
            return self._ended(f"no answer within {self._seconds:g} s")
        return json.loads(line) if line else self._ended("the child died")

    def close(self) -> None:
        """End the child."""
        if self._process is None:
            return
        self._selector.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None

    def _ended(self, why: str) -> Reply:
        self.close()
        return {"refused": why, "broken": ["crashed"]}

    def _line(self, seconds: float) -> bytes | None:
        """One line; empty where the child ended, null where none came in time."""
        assert self._process is not None and self._process.stdout is not None  # noqa: S101, PT018
        if not self._selector.select(seconds):
            return None
        return self._process.stdout.readline() or (None if not self.version else b"")
