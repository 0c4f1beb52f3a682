"""What a worker is denied, tried from inside, item by item; `docs/security.md` has the list."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import pytest
from support import traces

import vizschema
from vizschema.worker import sandbox, syscalls, warm
from vizschema.worker.process import Worker

PROBE = """
import ctypes, errno, os
from vizschema.worker import child
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    texts = {each: ctypes.create_string_buffer(bytes.fromhex(each)) for each in arguments if isinstance(each, str)}
    given = [texts[each] if isinstance(each, str) else ctypes.c_long(each) for each in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    return errno.errorcode.get(ctypes.get_errno(), '') if result < 0 else 'done'
def probe(arguments, session):
    assert os.open(arguments['archive'], 0) == 4
    session.channel.send('end', [call(*each) for each in arguments['calls']])
child.FUNCTIONS['probe'] = probe
"""

EMPTY = "00" * 256
COLUMN = {"x86_64": 0, "aarch64": 1}

# name → number on x86_64, on aarch64, arguments ({archive}: the path, {fd}: the open archive, {parent}: our process)
CALLS: dict[str, tuple[int | None, int | None, tuple[Any, ...]]] = {
    **{f"a socket of family {family}": (41, 198, (family, kind, 0)) for family, kind in (
        (1, 1), (1, 2), (2, 1), (2, 2), (10, 1), (10, 2), (16, 3), (17, 3), (38, 5), (40, 1), (44, 2))},
    "a pair of sockets": (53, 199, (1, 1, 0, EMPTY)),
    "fork": (57, None, ()),
    "vfork": (58, None, ()),
    "clone of a process": (56, 220, (17, 0, 0, 0, 0)),
    "clone of a thread into a namespace": (56, 220, (0x10D0F00 | 0x20000, 0, 0, 0, 0)),
    "clone3": (435, 435, (EMPTY, 88)),
    "execve": (59, 221, ("{true}", 0, 0)),
    "execveat": (322, 281, (-100, "{true}", 0, 0, 0)),
    "chmod": (90, None, ("{archive}", 0o777)),
    "fchmod": (91, 52, ("{fd}", 0o777)),
    "fchmodat": (268, 53, (-100, "{archive}", 0o777)),
    "fchmodat2": (452, 452, (-100, "{archive}", 0o777, 0)),
    "fchown": (93, 55, ("{fd}", 0, 0)),
    "fchownat": (260, 54, (-100, "{archive}", 0, 0, 0)),
    "utimensat": (280, 88, (-100, "{archive}", 0, 0)),
    "setxattr": (188, 5, ("{archive}", "{name}", EMPTY, 1, 0)),
    "fsetxattr": (190, 7, ("{fd}", "{name}", EMPTY, 1, 0)),
    "removexattr": (197, 14, ("{archive}", "{name}")),
    "flags of a file": (16, 29, ("{fd}", 0x40086602, EMPTY)),
    "unlinkat": (263, 35, (-100, "{archive}", 0)),
    "renameat2": (316, 276, (-100, "{archive}", -100, "{new}", 0)),
    "linkat": (265, 37, (-100, "{archive}", -100, "{new}", 0)),
    "symlinkat": (266, 36, ("{archive}", -100, "{new}")),
    "mkdirat": (258, 34, (-100, "{new}", 0o755)),
    "mknodat": (259, 33, (-100, "{new}", 0o10644, 0)),
    "ftruncate": (77, 46, ("{fd}", 0)),
    "truncate": (76, 45, ("{archive}", 0)),
    "memfd_create": (319, 279, ("{name}", 0)),
    "a lock that keeps writers out": (73, 32, ("{fd}", 6)),
    "io_uring_setup": (425, 425, (1, EMPTY)),
    "io_uring_enter": (426, 426, (0, 0, 0, 0, 0, 0)),
    "unshare": (272, 97, (0x10000000,)),
    "setns": (308, 268, (0, 0)),
    "add_key": (248, 217, ("{name}", "{name}", EMPTY, 1, -3)),
    "request_key": (249, 218, ("{name}", "{name}", 0, -3)),
    "keyctl": (250, 219, (0, -3, 1)),
    "ptrace": (101, 117, (0, 0, 0, 0)),
    "process_vm_readv": (310, 270, ("{parent}", EMPTY, 0, EMPTY, 0, 0)),
    "pidfd_open": (434, 434, ("{parent}", 0)),
    "kill of another": (62, 129, ("{parent}", 0)),
    "kill of all": (62, 129, (-1, 0)),
    "tgkill of another": (234, 131, ("{parent}", "{parent}", 0)),
    "sigqueue": (129, 138, ("{parent}", 0, EMPTY)),
    "setsid": (112, 157, ()),
    "setpgid": (109, 154, (0, 0)),
    "limits of another": (302, 261, ("{parent}", 0, 0, EMPTY)),
    "sched_setaffinity": (203, 122, (0, 8, EMPTY)),
    "setpriority": (141, 140, (0, "{parent}", 0)),
    "prctl of another kind": (157, 167, (4, 1, 0, 0, 0)),
    "bpf": (321, 280, (0, EMPTY, 0)),
    "perf_event_open": (298, 241, (EMPTY, 0, -1, -1, 0)),
    "userfaultfd": (323, 282, (0,)),
    "shmget": (29, 194, (0, 4096, 0o1600)),
    "msgget": (68, 186, (0, 0o1600)),
    "semget": (64, 190, (0, 1, 0o1600)),
    "mq_open": (240, 180, ("{name}", 0o102, 0o600, 0)),
    "inotify_init1": (294, 26, (0,)),
    "fanotify_init": (300, 262, (0, 0)),
    "mount": (165, 40, (EMPTY, EMPTY, EMPTY, 0, 0)),
    "open_tree": (428, 428, (-100, "{archive}", 0)),
    "chroot": (161, 51, ("{archive}",)),
    "setuid": (105, 146, (0,)),
    "personality": (135, 92, (0,)),
    "a call that is newer than the list": (900, 900, ()),
    "a call of another interface": (0x40000000 + 39, None, ()),
}  # fmt: skip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return Path(traces.written(tmp_path, "npz"))


def filled(value: Any, archive: Path, fd: int) -> Any:
    """An argument of a call: a number, or the bytes of a text in hexadecimal digits."""
    numbers = {"{fd}": fd, "{parent}": os.getpid()}
    texts = {"{archive}": str(archive), "{new}": f"{archive}.new", "{true}": "/bin/true", "{name}": "user.x"}
    if value in numbers:
        return numbers[value]
    return f"{texts[value]}\0".encode().hex() if value in texts else value


def test_what_reading_does_not_need_is_denied_item_by_item(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    column = COLUMN.get(platform.machine())
    if column is None:
        pytest.skip(f"2026-11-27: system calls are not filtered on {platform.machine()}")
    monkeypatch.setattr(warm, "_START", warm._START.replace("sys.exit(", f"exec({PROBE!r}); sys.exit("))
    before = archive.stat(), archive.read_bytes()
    names = [name for name, (*numbers, _) in CALLS.items() if numbers[column] is not None]
    calls = [[CALLS[name][column], *(filled(each, archive, 4) for each in CALLS[name][2])] for name in names]
    with Worker([str(archive)]) as worker:
        found = list(worker.run("probe", {"calls": calls, "archive": str(archive)}))[-1][1]
    allowed = {name: error for name, error in zip(names, found, strict=True) if error not in ("EPERM", "ENOSYS")}
    assert allowed == {}
    assert dict(zip(names, found, strict=True))["clone3"] == "ENOSYS"
    assert (archive.stat(), archive.read_bytes()) == before
    assert len(names) > 60


def test_threads_and_codecs_work_in_the_cage(tmp_path: Path) -> None:
    for container in traces.READABLE:
        folder = tmp_path / container
        folder.mkdir()
        path = traces.written(folder, container)
        caged, here = vizschema.validate(path, isolated=True, jobs=4), vizschema.validate(path)
        assert (caged.findings, caged.notes) == (here.findings, here.notes)


def test_what_a_system_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "riscv64")
    assert syscalls.filter_calls(relay=False) == [
        "system calls are not filtered: that is for Linux on x86_64 and aarch64"
    ]
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    assert sandbox.confine([])[0] == "this system has no Landlock: files are not kept from being read"


def test_every_allowed_call_is_on_the_page_and_has_a_number_of_its_own() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text()
    assert all(f"`{name}`" in page for name in (*syscalls.ALLOWED, *syscalls.RELAY, *syscalls.CONDITIONAL))
    numbers = {**syscalls.ALLOWED, **syscalls.RELAY}.values()
    for column in (0, 1):
        known = [pair[column] for pair in numbers if pair[column] is not None]
        assert len(set(known)) == len(known)
        assert max(known) <= syscalls._NEWEST
