"""What a process may no longer do: limits on resources, Landlock, and a filter of system calls. Cannot be taken back.

Landlock: https://docs.kernel.org/userspace-api/landlock.html. It needs no privileges, and holds for everything that the
process opens from then on, whichever library asks. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys
from collections.abc import Mapping, Sequence
from functools import cache

from vizschema.worker.syscalls import filter_calls, libc
from vizschema.worker.syscalls import prepare as prepare_filter

OPEN_FILES = 256

# The system calls have these numbers on every architecture of today's Linux.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals
_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_KILL = 9

_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
)
"""Shared libraries, and the two devices that they expect."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("fd", ctypes.c_int32))


def limit_resources(memory: int, seconds: int) -> list[str]:
    """What this system cannot limit, in words, of written memory (bytes), CPU time (seconds) and open files.

    No file grows, and no core is dumped. `RLIMIT_DATA`, not `RLIMIT_AS`: a large file that is mapped uses no memory.
    """
    limits = {
        "CPU time": (resource.RLIMIT_CPU, seconds, seconds + 1),
        "the size of files": (resource.RLIMIT_FSIZE, 0, 0),
        "core dumps": (resource.RLIMIT_CORE, 0, 0),
        "open files": (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        "memory": (resource.RLIMIT_DATA, memory, memory),
    }
    failed = [name for name, (kind, soft, hard) in limits.items() if not _limited(kind, soft, hard)]
    if sys.platform != "linux" and "memory" not in failed:
        failed.append("memory")  # accepted elsewhere, and not held for what is mapped
    return [f"this system does not limit {', '.join(failed)}"] if failed else []


def _limited(kind: int, soft: int, hard: int) -> bool:
    """Whether the limit holds; one that is lower already stays."""
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):
        return False
    return True


def end_with(parent: int) -> None:
    """Let this process end with the thread that forked it, which is the main thread of the process `parent`."""
    if sys.platform == "linux":
        libc().prctl(_SET_DEATH_SIGNAL, _KILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def confine(readable: Sequence[str], *, relay: bool = False) -> list[str]:
    """What this system cannot deny, in words; all but reading `readable` and the interpreter is denied.

    No file is written or changed, none executed, no process started or signalled, and no socket made; with a `relay`,
    the socket that is there is used.
    """
    return [*_landlocked(readable), *filter_calls(relay=relay)]


def _landlocked(readable: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return ["this system has no Landlock: files are not kept from being read"]
    version = _landlock()
    if version < 1:
        return ["this kernel has no Landlock: files are not kept from being read"]
    _restrict(version, {**_places(), **{path: rights for path in readable if (rights := _rights(path)) is not None}})
    return []


def prepare() -> None:
    """Find out what is the same in every process that is forked from this one."""
    prepare_filter()
    _landlock()
    _places()


@cache
def _landlock() -> int:
    """The version of Landlock that this kernel has; below 1 where it has none."""
    if sys.platform != "linux":
        return 0
    return int(libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


@cache
def _places() -> Mapping[str, int]:
    """What every worker may read, with the rights: modules and libraries; none that lies below another one."""
    found = {path: rights for path in map(os.path.realpath, [*_interpreter(), *_SYSTEM]) if (rights := _rights(path))}
    folders = [f"{path}/" for path, rights in found.items() if rights & _READ_DIRECTORY]
    return {path: rights for path, rights in found.items() if not path.startswith(tuple(folders))}


def _rights(path: str) -> int | None:
    """The rights to read what is at `path`, a link followed, and below; None where nothing is."""
    try:
        folder = stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116  (a Path would normalise what the caller gave)
    except OSError:
        return None
    return _READ_FILE | (_READ_DIRECTORY if folder else 0)


def _restrict(version: int, readable: Mapping[str, int]) -> None:
    """Apply the rules; raise `OSError` if a kernel with Landlock refuses them."""
    ruleset = _Ruleset(_file_rights(version), 0 if version < 4 else _TCP, 0 if version < 6 else _SCOPES)
    size = 8 if version < 4 else 16 if version < 6 else 24
    fd = _checked(libc().syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0))
    try:
        for path, rights in readable.items():
            _allow(fd, path, rights)
        _checked(libc().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(libc().syscall(_RESTRICT_SELF, fd, 0))
    finally:
        os.close(fd)


def _file_rights(version: int) -> int:
    """Every right over files that this version knows: 13, then to refer, to truncate and to control devices."""
    bits = 13 + (version >= 2) + (version >= 3)
    return (1 << bits) - 1 | ((1 << 15) if version >= 5 else 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Allows reading what is at `path`, a link followed, and below; what is not there needs no right."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathBeneath(rights, fd)
        _checked(libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(fd)


def _interpreter() -> list[str]:
    """Where this interpreter finds modules and shared libraries."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    places = [*sys.path, f"{sys.base_prefix}/lib", *libraries]
    return [place for place in places if place.startswith("/")]


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
