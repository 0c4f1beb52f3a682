"""How long a worker may take: a watch that ends it at its deadline, or once it has been silent for too long.

Silence is measured in what the worker did: the time in which it computed or waited counts, and the time in which it
could run and the machine ran other processes does not. So a busy machine makes no archive fail.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

_LOOKS = 4
"""How often it is looked within the shortest bound."""

_PAUSE = 0.25
"""The most seconds between two looks."""


class Watch:
    """Calls `end` with the bound that was exceeded, in words, once; from the thread that watches all, until `stop`.

    `seconds` are those of `deadline`, to be named; `silence` the seconds between two calls of `heard`. While `excused`
    says so, nothing counts.
    """

    def __init__(self, pid: int, end: Callable[[str], object], *, excused: Callable[[], bool]) -> None:
        self.deadline = time.monotonic()
        self.seconds = self.silence = 0.0
        self.exceeded: str | None = None
        self.final = False
        self._pid = pid
        self._end = end
        self._excused = excused
        self._quiet = self._seen = self._computed = 0.0

    def start(self, seconds: float, deadline: float, silence: float) -> None:
        """Watch, with these bounds."""
        self.seconds, self.deadline, self.silence = seconds, deadline, silence
        self._seen = time.monotonic()
        _ROUND.take(self)

    def heard(self) -> None:
        """A message came, or one is not waited for."""
        self._quiet = 0.0

    def stop(self) -> None:
        """Watch no longer."""
        _ROUND.leave(self)

    @property
    def pause(self) -> float:
        """Seconds until it is to be looked again, at most."""
        return min(self.silence / _LOOKS, self.seconds / _LOOKS, _PAUSE)

    def look(self) -> None:
        """See what the process did since the last look, and end it if that exceeds a bound."""
        now, in_all = time.monotonic(), cpu_seconds(self._pid)
        if not self._excused():
            self._quiet += _spent(self._pid, now - self._seen, in_all - self._computed)
        self._seen, self._computed = now, in_all
        if now >= self.deadline:
            self.final = True
            self.exceeded = f"reading the archive takes more than {self.seconds:g} seconds (--timeout)"
        elif self._quiet >= self.silence:
            self.exceeded = f"the worker reported nothing for {self.silence:g} seconds, computing or waiting"
        else:
            return
        self.stop()
        self._end(self.exceeded)


class _Round:
    """One thread that looks at every process that is watched, one after the other, as long as there is any."""

    def __init__(self) -> None:
        self._watched: set[Watch] = set()
        self._changed = threading.Condition()
        self._walking = False

    def take(self, watch: Watch) -> None:
        """Look at this one too."""
        with self._changed:
            self._watched.add(watch)
            if not self._walking:
                self._walking = True
                threading.Thread(target=self._run, daemon=True).start()

    def leave(self, watch: Watch) -> None:
        """Look at it no longer."""
        with self._changed:
            self._watched.discard(watch)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(min((each.pause for each in self._watched), default=_PAUSE))
                if not self._watched:
                    self._walking = False
                    return
                watched = list(self._watched)
            for watch in watched:
                watch.look()


_ROUND = _Round()
os.register_at_fork(after_in_child=_ROUND.__init__)  # type: ignore[misc]  # a process that was forked has no thread of this one


def cpu_seconds(pid: int) -> float:
    """Seconds that a process has computed, by what the kernel says of it; 0 where it says nothing."""
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _spent(pid: int, passed: float, computed: float) -> float:
    """Of the seconds that passed, those that a process did not merely wait for a processor."""
    return min(passed, computed) if computed > 0 or _runnable(pid) else passed


def _runnable(pid: int) -> bool:
    """Whether a thread of the process would compute, if it were let."""
    return any(_stat(task)[:1] == ["R"] for task in Path(f"/proc/{pid}/task").glob("*/stat"))


def _stat(path: Path) -> list[str]:
    """The fields of `stat` from the state on (proc(5)), none where there is no such process."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
