"""A filter of system calls, seccomp (https://docs.kernel.org/userspace-api/seccomp_filter.html). It cannot be removed.

Reading needs few calls: these are allowed, some of them with some arguments only, and every other one fails. It fails
with an error and never kills: a library that tries a call and does without it still works, and a call that is newer
than this list is "not implemented", which every C library expects of an older kernel. Standard library only, without
privileges.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

# <linux/audit.h>, <linux/seccomp.h>, <linux/prctl.h>, <linux/filter.h>
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _MASKED, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_NEWEST = 451
"""The last call that was known when this list was made; those after it do not exist here, as on an older kernel."""

_X32 = 0x40000000
"""From this number on there are the calls of another interface of x86_64."""

ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    **{"read": (0, 63), "pread64": (17, 67), "openat": (257, 56), "close": (3, 57), "fstat": (5, 80)},
    **{"newfstatat": (262, 79), "lseek": (8, 62), "futex": (202, 98), "write": (1, 64), "mmap": (9, 222)},
    **{"munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226), "madvise": (28, 233), "brk": (12, 214)},
    **{
        "readv": (19, 65),
        "preadv": (295, 69),
        "preadv2": (327, 286),
        "writev": (20, 66),
        "statx": (332, 291),
        "getdents64": (217, 61),
    },
    **{"openat2": (437, 437), "faccessat": (269, 48), "faccessat2": (439, 439), "readlinkat": (267, 78)},
    **{"stat": (4, None), "lstat": (6, None), "open": (2, None), "access": (21, None), "readlink": (89, None)},
    **{"getcwd": (79, 17), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "close_range": (436, 436)},
    **{"fadvise64": (221, 223), "readahead": (187, 213), "poll": (7, None), "ppoll": (271, 73)},
    **{"select": (23, None), "pselect6": (270, 72), "futex_waitv": (449, 449), "set_robust_list": (273, 99)},
    **{"get_robust_list": (274, 100), "rseq": (334, 293), "membarrier": (324, 283), "set_tid_address": (218, 96)},
    **{"sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168), "get_mempolicy": (239, 236)},
    **{"exit": (60, 93), "exit_group": (231, 94), "restart_syscall": (219, 128), "rt_sigaction": (13, 134)},
    **{"rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136)},
    **{"rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "setitimer": (38, 103), "getitimer": (36, 102)},
    **{"gettid": (186, 178), "getpid": (39, 172), "getppid": (110, 173), "getuid": (102, 174)},
    **{"geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getpgid": (121, 155)},
    **{"getsid": (124, 156), "getpgrp": (111, None), "getgroups": (115, 158), "arch_prctl": (158, None)},
    **{"clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115)},
    **{"nanosleep": (35, 101), "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153)},
    **{"getrandom": (318, 278), "uname": (63, 160), "sysinfo": (99, 179), "getrusage": (98, 165)},
    "getrlimit": (97, 163),
}
"""Calls that are allowed as they are, by number on x86_64 and on aarch64; the most frequent first."""

RELAY: Mapping[str, tuple[int | None, int | None]] = {
    **{"recvfrom": (45, 207), "sendto": (44, 206), "recvmsg": (47, 212), "shutdown": (48, 210)},
    **{"getsockname": (51, 204), "getpeername": (52, 205), "getsockopt": (55, 209)},
}
"""Calls on the socket of a relay, which there is only for a remote archive. None of them makes a socket."""


class _Rule(NamedTuple):
    """A call that is allowed if the bits of `mask` of one argument are one of `values`."""

    numbers: tuple[int | None, int | None]
    argument: int
    values: Sequence[int]
    mask: int = 0xFFFFFFFF


_OURSELVES = 0x7EADBEE5
"""Stands for the id of the process that has the filter; no process has it, and nothing else in a filter is like it."""

_THREAD = 0x00010000  # CLONE_THREAD
_NAMESPACES = 0x7E020080

CONDITIONAL: Mapping[str, _Rule] = {
    "clone": _Rule((56, 220), 0, [_THREAD], _THREAD | _NAMESPACES),
    "fcntl": _Rule((72, 25), 1, [0, 1, 2, 3, 4, 1030]),  # descriptors and their flags: no lock, owner or lease
    "ioctl": _Rule((16, 29), 1, [0x5401, 0x5421, 0x5450, 0x5451, 0x541B, 0x802C542A]),  # terminal or not, cloexec
    "flock": _Rule((73, 32), 1, [5, 8]),  # whether a writer has a file locked: a shared lock, and none
    "kill": _Rule((62, 129), 0, [_OURSELVES]),
    "prctl": _Rule((157, 167), 0, [15, 0x53564D41]),  # the names of a thread and of memory
    "prlimit64": _Rule((302, 261), 0, [0, _OURSELVES]),
    "tgkill": _Rule((234, 131), 0, [_OURSELVES]),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_calls(*, relay: bool) -> list[str]:
    """Let this process and its later threads call nothing that reading does not need; what cannot be denied, in words.

    With a `relay`, it may use the sockets that it has. Raises `OSError` if a kernel with seccomp refuses the filter.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or architecture is None or sys.maxsize < 1 << 32:
        return ["system calls are not filtered: that is for Linux on x86_64 and aarch64"]
    code = struct.pack("=I", os.getpid()).join(_parts(*architecture, relay=relay))
    program = _Program(len(code) // 8, code)
    call = libc().prctl
    if call(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or call(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS):
            return ["this kernel does not filter system calls"]
        raise OSError(number, os.strerror(number))
    return []


def prepare() -> None:
    """Make the filter, but for the id of the process, for those that are forked from this one."""
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is not None:
        _parts(*architecture, relay=False)


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


@cache
def _parts(column: int, architecture: int, *, relay: bool) -> Sequence[bytes]:
    """The filter as classic BPF, split where the id of the process stands; `column` is that of the numbers."""
    code = b"".join([*_beginning(column, architecture, relay=relay), *_rest(column)])
    return code.split(struct.pack("=I", _OURSELVES))


def _beginning(column: int, architecture: int, *, relay: bool) -> Iterator[bytes]:
    missing = _FAIL | errno.ENOSYS
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield from _unless(architecture, missing)
    yield _instruction(_LOAD, _NUMBER)
    yield _instruction(_AT_LEAST, _X32, 0, 1)
    yield _instruction(_RETURN, missing)
    for numbers in [*ALLOWED.values(), *(RELAY.values() if relay else ())]:
        if numbers[column] is not None:
            yield _instruction(_EQUAL, numbers[column] or 0, 0, 1)
            yield _instruction(_RETURN, _ALLOW)


def _rest(column: int) -> Iterator[bytes]:
    """The rest of it, one instruction at a time: what this process may do to itself alone, and the answers."""
    missing, denied = _FAIL | errno.ENOSYS, _FAIL | errno.EPERM
    for rule in CONDITIONAL.values():
        yield _instruction(_EQUAL, rule.numbers[column] or 0, 0, 3 + 2 * len(rule.values))
        yield _instruction(_LOAD, _ARGUMENTS + 8 * rule.argument)
        yield _instruction(_MASKED, rule.mask)
        for value in rule.values:
            yield _instruction(_EQUAL, value, 0, 1)
            yield _instruction(_RETURN, _ALLOW)
        yield _instruction(_RETURN, denied)
    yield from _unless(
        435, missing, negated=True
    )  # clone3, whose arguments a filter cannot see: libraries then use clone
    yield _instruction(_AT_LEAST, _NEWEST + 1, 0, 1)
    yield _instruction(_RETURN, missing)
    yield _instruction(_RETURN, denied)


def _unless(value: int, result: int, *, negated: bool = False) -> Iterator[bytes]:
    """Return `result` unless what is loaded is `value`; if `negated`, where it is."""
    yield _instruction(_EQUAL, value, *((0, 1) if negated else (1, 0)))
    yield _instruction(_RETURN, result)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
