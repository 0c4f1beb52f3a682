"""The warm process: forks a worker for every request, signals it when asked to, and reports how it ended.

It is started once, imports what workers need, and never sees an archive, except the samples beside it: a worker is
forked from it with the imports done, reads one archive, and ends. Requests come over the socket on stdin as lists,
`fork` with descriptors besides:

    import [MODULES]        import these, so that the workers that follow need not
    rehearse SAMPLE ENTRIES read a sample, so that the workers that follow find ready what is made once
    fork NUMBER             start the worker NUMBER: its stdin, its stdout, where to report, and the relay if it has one
    signal NUMBER SIGNAL    signal its process group, unless it has ended

It reports `forked PID`, then `ended STATUS CPU-SECONDS BYTES` once. Where stdin ends, so does it, and every worker.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from vizschema.bounds import MEMORY
from vizschema.errors import VizschemaError
from vizschema.worker import child, messages
from vizschema.worker.loan import RELAY
from vizschema.worker.sandbox import end_with, prepare

_PIPES = 4
"""The most descriptors of a request: stdin, stdout, reports, relay."""

_OPEN_FILES = 4096
_KEPT = {"keep": True, "silent": False}
_PEAK_UNIT = 1 << 10


@dataclass(slots=True)
class _Workers:
    """The workers that live: number and where to report, by process."""

    numbers: dict[int, int] = field(default_factory=dict)
    reports: dict[int, int] = field(default_factory=dict)

    def fork(self, control: socket.socket, number: int, pipes: list[int]) -> None:
        """Start one; only its own descriptors are open in it."""
        stdin, stdout, report, *relay = pipes
        gc.freeze()
        warm = os.getpid()
        pid = os.fork()
        if not pid:
            _become(control, warm, stdin, stdout, relay)
        for fd in (stdin, stdout, *relay):
            os.close(fd)
        self.numbers[pid], self.reports[pid] = number, report
        _report(report, "forked", pid)

    def signal(self, number: int, number_of_signal: int) -> None:
        """Signal one and its group, which is its own once it runs; nothing where it was reaped."""
        for pid in [pid for pid, each in self.numbers.items() if each == number]:
            for send in (os.kill, os.killpg):
                with suppress(ProcessLookupError, PermissionError):
                    send(pid, number_of_signal)

    def reap(self) -> None:
        """Report those that have ended."""
        while self.numbers:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            del self.numbers[pid]
            report = self.reports.pop(pid)
            seconds = usage.ru_utime + usage.ru_stime
            _report(report, "ended", os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * _PEAK_UNIT)
            os.close(report)

    def end(self) -> None:
        """Kill them all."""
        for number in list(self.numbers.values()):
            self.signal(number, signal.SIGKILL)


def main() -> int:
    """0 once the caller has ended."""
    os.closerange(3, _OPEN_FILES)
    control = socket.socket(fileno=0)
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.disable()
    prepare()
    workers = _Workers()
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 1 << 10)
            workers.reap()
        if control.fileno() in ready and not _carried_out(control, workers):
            workers.end()
            return 0


def _carried_out(control: socket.socket, workers: _Workers) -> bool:
    """Carry out the next request; false where there is none, and none will come."""
    try:
        header, pipes, _, _ = socket.recv_fds(control, messages.HEADER, _PIPES)
        message = messages.unpack(_received(control, messages.size_of(header)))
    except (OSError, EOFError, messages.Malformed):
        return False
    match message:
        case ["import", list(modules)]:
            for module in modules:
                with suppress(ImportError):  # a worker that needs it will say so
                    import_module(module)
        case ["rehearse", str(sample), list(entries)]:
            _rehearse(sample, entries)
        case ["fork", int(number)]:
            workers.fork(control, number, list(pipes))
        case ["signal", int(number), int(number_of_signal)]:
            workers.signal(number, number_of_signal)
    return True


def _rehearse(sample: str, entries: list[Any]) -> None:
    """Read a sample as a worker reads an archive; what cannot be read or is wrong will be said by a worker."""
    with open(os.devnull, "wb") as nowhere, suppress(VizschemaError, OSError):  # noqa: PTH123
        session = child.Session(child.Channel(nowhere.fileno()))
        child.describe({"path": os.fsencode(sample).hex(), "limits": {}, "skipped": {}, **_KEPT}, session)
        child.scan({"entries": entries, "jobs": 1, "memory": MEMORY, "paths": None}, session)
    gc.collect()


def _received(control: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = control.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _report(fd: int, *message: Any) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(fd, messages.pack(message))


def _become(control: socket.socket, warm: int, stdin: int, stdout: int, relay: list[int]) -> None:
    """Be a worker from here on; does not return."""
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.detach()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        for fd in relay:
            os.dup2(fd, RELAY)
        os.closerange(RELAY + len(relay), _OPEN_FILES)
        os.setsid()
        end_with(warm)
        code = child.run()
    finally:
        os._exit(code)
