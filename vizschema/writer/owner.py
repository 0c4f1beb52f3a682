"""One writer at a time: a file beside the target says which process writes it, and is locked while that one lives."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from vizschema.errors import UsageError

_MOST_BYTES = 4096
_PATIENCE, _PAUSE = 2.0, 0.01  # seconds
_HELD: set[int] = set()


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that writes an archive, as its owner file says.

    Attributes:
        host: The name of its machine.
        pid: Its number on this machine.
        since: When it began, in ISO 8601.
    """

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another machine, so that nothing here can say whether it still does."""
        return self.host != socket.gethostname()


def owner_path(target: Path) -> Path:
    """The owner file of the archive at `target`."""
    return target.with_name(f".{target.name}.owner")


def found_owner(target: Path) -> tuple[Owner | None, bool]:
    """Return who the owner file beside `target` names (None: there is none), and whether its process holds it now.

    One on another machine counts as holding it.
    """
    try:
        file = os.open(owner_path(target), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None, False
    try:
        owner = _read(file)
        return owner, not _locked(file) or (owner is not None and owner.is_elsewhere)
    finally:
        os.close(file)


@contextmanager
def owned(target: Path, *, take_over: bool = False) -> Iterator[None]:
    """Be the only writer of `target` in the block.

    An owner file whose process is gone is taken over; with `take_over`, one of another machine too. Raises
    `UsageError` that says who writes the archive.
    """
    path = owner_path(target)
    file = _acquire(path, target, take_over=take_over)
    _HELD.add(file)
    try:
        yield
    finally:
        _remove(path)
        _HELD.discard(file)
        os.close(file)


def _acquire(path: Path, target: Path, *, take_over: bool) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            _take(file, target, take_over=take_over)
            if _is_at(file, path):
                _write(file, path)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the one who held it has removed it in the meantime


def _take(file: int, target: Path, *, take_over: bool) -> None:
    """Lock the owner file; raise `UsageError` where another writer has it."""
    free = _locked(file)
    owner = _read(file) if free else _named(file)
    if not free:
        raise UsageError(
            f"is being written by {owner or 'another process'}; wait until it ends, or write elsewhere", path=target
        )
    if owner is not None and owner.is_elsewhere and not take_over:
        raise UsageError(
            f"is being written by {owner}, another machine; pass take_over=True if that process is gone", path=target
        )


def _named(file: int) -> Owner | None:
    """Return who has locked the file: one that has just done so writes a moment later who it is."""
    until = time.monotonic() + _PATIENCE
    while ((owner := _read(file)) is None or _is_gone(owner)) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return owner


def _is_gone(owner: Owner) -> bool:
    try:
        if not owner.is_elsewhere:
            os.kill(owner.pid, 0)
        return False
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False


def _is_at(file: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.lstat())
    return False


def _locked(file: int) -> bool:
    """Lock an open file, until it is closed; whether that worked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> Owner | None:
    """Return what the file says; None where that is nothing, or malformed: its writer was killed as it began."""
    try:
        found = json.loads(os.pread(file, _MOST_BYTES, 0))
        return Owner(str(found["host"]), int(found["pid"]), str(found["since"]))
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: int, path: Path) -> None:
    me = Owner(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(me)).encode(), 0)
    except BaseException:
        _remove(path)
        raise


def _remove(path: Path) -> None:
    with suppress(OSError):  # if it stays, it names a process that is gone
        path.unlink()


def _let_go() -> None:
    """In a forked child: the lock is its parent's alone, and ends with that."""
    for file in _HELD:
        os.close(file)
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)
