"""What is tested, behind one interface: a process that speaks the protocol, a command, a Python object."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vizschema.conformance.corpus.raw import CONTAINERS
from vizschema.conformance.harness.protocol import Child, Crash, Refusal, Reply, Silence, end
from vizschema.errors import UsageError, VizschemaError


class Subject(Protocol):
    """Something that can be asked; `exit_codes_only` says that its verdicts come without rules."""

    exit_codes_only: bool

    def ask(self, cmd: str, kind: str, **fields: Any) -> Reply:
        """The reply to one request, of this kind; raises `Trouble`."""

    def another(self) -> Subject:
        """One more of it, which may be asked at the same time; itself where that makes no difference."""

    def stop(self) -> None:
        """Let go of it."""


@dataclass
class OneShot:
    """A command that is run for each archive; its exit code says: 0 it is valid, 1 it is not, 3 it is no archive.

    `{path}`, `{profile}` and `{spec}` in its arguments stand for these; without `{path}` the path is the last argument.
    """

    command: Sequence[str]
    timeout: float = 20.0
    exit_codes_only: bool = field(default=True, init=False)
    _spec: str = field(default="", init=False)

    def ask(self, cmd: str, kind: str, **fields: Any) -> Reply:
        """The verdict of one run, without rules; other requests are answered for the command."""
        del kind
        if cmd == "hello":
            return {
                "name": self.command[0],
                "version": "",
                "roles": ["validator"],
                "containers": list(CONTAINERS),
                "values": True,
                "judge": False,
            }
        if cmd == "spec":
            self._spec = fields["version"]
            return {"ok": True}
        if cmd != "validate":
            raise Refusal(f"a command that is judged by its exit code cannot {cmd}")
        return {"verdict": self._verdict(fields), "findings": []}

    def _verdict(self, fields: Mapping[str, Any]) -> str:
        given = {"{path}": fields["path"], "{profile}": fields["profile"], "{spec}": self._spec}
        arguments = [_filled(argument, given) for argument in self.command]
        if not any("{path}" in argument for argument in self.command):
            arguments.append(fields["path"])
        process = Child(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            code = process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise Silence(f"no exit code within {self.timeout:g} s") from None
        finally:
            end(process)
        if code < 0:
            raise Crash(f"ended by signal {-code}{process.said()}")
        if code not in _VERDICTS:
            expected = "expected exit code 0 (valid), 1 (invalid) or 3 (not an archive)"
            raise Refusal(f"{expected}, found {code}{process.said()}")
        return _VERDICTS[code]

    def another(self) -> OneShot:
        """Itself: each archive has a process of its own."""
        return self

    def stop(self) -> None:
        """Nothing is running."""


_VERDICTS: Mapping[int, str] = {0: "valid", 1: "invalid", 3: "refused"}


def _filled(argument: str, given: Mapping[str, str]) -> str:
    for name, value in given.items():
        argument = argument.replace(name, value)
    return argument


@dataclass
class InProcess:
    """A Python object with a method for each request, as `vizschema.conformance.harness.serve.Own` has them."""

    own: Any
    exit_codes_only: bool = field(default=False, init=False)

    def ask(self, cmd: str, kind: str, **fields: Any) -> Reply:
        """What the method of this name returns."""
        del kind
        try:
            reply: Reply = getattr(self.own, cmd)(fields)
        except (VizschemaError, OSError) as error:
            raise Refusal(str(error)) from error
        return reply

    def another(self) -> InProcess:
        """Itself: there is one object."""
        return self

    def stop(self) -> None:
        """Nothing to let go of."""


def entry_point(name: str) -> InProcess:
    """The object `module:attribute`, called without arguments where it is a class; raises `UsageError`."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{name}: expected module:attribute of a Python object, found {error}") from error
    return InProcess(found() if isinstance(found, type) else found)
