"""The central directory of a zip file, read by ranges: bounded, nothing unpacked, each doubt a problem of its member.

Source: PKWARE's APPNOTE 6.3.10. One disk, methods stored and deflated, zip64; nothing encrypted is read.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

from vizschema.containers.base import Limits, is_path
from vizschema.containers.ranges import Ranges
from vizschema.containers.runs import Run
from vizschema.containers.zarr_json import Unreadable, quote

_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_COMMENT = 1 << 16
_DRIVE = re.compile(r"[A-Za-z]:", re.ASCII)
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX, _ZIP64 = 3, 1
_WIDE, _WIDE_COUNT = 0xFFFFFFFF, 0xFFFF
_DENSEST = 1032
"""The most bytes that one byte of deflate can stand for."""

AHEAD = 512
"""Bytes that are read along with a local header, so that a small member takes one read."""


class Member(NamedTuple):
    """An entry of the directory. `end` is where the next member (or the directory) begins, which it may not reach.

    `problem` is the reason and the words for which it is never read.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    end: int
    problem: tuple[str, str] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith("/")


def read_directory(file: Ranges, limits: Limits) -> list[Member]:
    """Every member, in the order of the directory; raises `Unreadable` where the file has no sound directory."""
    offset, size, count = _end(file)
    if size > limits.consolidated_bytes:
        raise Unreadable("over-limit", f"the directory of the zip file has {size} bytes")
    if count > limits.members:
        raise Unreadable("over-limit", f"the zip file has {count} members, more than {limits.members}")
    raw = _read(file, offset, size)
    members: list[Member] = []
    place = 0
    while place < size:
        member, place = _entry(raw, place, offset)
        members.append(member)
        if len(members) > count:
            break
    if len(members) != count:
        raise Unreadable("damaged", f"the zip file counts {count} members and lists another number")
    return _apart(_unique(members), offset)


def locate(file: Ranges, member: Member) -> Run:
    """The bytes of a member, once its local header agrees with the directory; raises `Unreadable`."""
    if member.problem is not None:
        raise Unreadable(*member.problem)
    wanted = min(_LOCAL.size + len(member.name.encode("utf-8", "surrogateescape")) + AHEAD, member.end - member.offset)
    raw = _read(file, member.offset, wanted)
    if len(raw) < _LOCAL.size:
        raise Unreadable("damaged", "the member has no local header")
    sign, _, flags, method, _, _, _, _, _, name_length, extra = _LOCAL.unpack_from(raw)
    if sign != b"PK\x03\x04":
        raise Unreadable("damaged", "the member has no local header where the directory says")
    begin = _LOCAL.size + name_length + extra
    name = raw[_LOCAL.size : _LOCAL.size + name_length]
    if _decoded(name, flags) != member.name or method != member.method:
        raise Unreadable("damaged", f"its local header names {quote(_decoded(name, flags))} and method {method}")
    if member.offset + begin + member.packed > member.end:
        raise Unreadable("damaged", "the member reaches into what follows it")
    codec = "deflate" if method == _DEFLATED else ""
    start = raw[begin : begin + member.packed]
    return Run(file, member.name, member.offset + begin, member.packed, member.size, codec, member.crc, start=start)


def document(file: Ranges, member: Member, limit: int) -> bytes:
    """All of a member that is no larger than `limit`; raises `Unreadable`."""
    if member.problem is None and member.size > limit:
        raise Unreadable("over-limit", f"{quote(member.name)} has {member.size} bytes, more than {limit}")
    return locate(file, member).whole()


def _end(file: Ranges) -> tuple[int, int, int]:
    """Offset, size and count of the directory, by the record at the end of the file."""
    tail_length = min(file.size, _COMMENT + _END.size + _LOCATOR.size)
    tail_at = file.size - tail_length
    tail = _read(file, tail_at, tail_length)
    place = tail.rfind(b"PK\x05\x06")
    while place >= 0 and not _ends_here(tail, place):
        place = tail.rfind(b"PK\x05\x06", 0, place)
    if place < 0:
        raise Unreadable("damaged", "the zip file has no directory at its end: it was cut, or never finished")
    _, disk, first, here, count, size, offset, _ = _END.unpack_from(tail, place)
    end = tail_at + place
    # Python's zipfile writes the zip64 record from 2 GiB on, where these numbers still fit and stand here too.
    if _WIDE_COUNT in (disk, first, here, count) or _WIDE in (size, offset) or offset + size != end:
        wide = _wide_end(file, tail, place)
        if wide is not None:
            disk, first, here, count, size, offset, end = wide
    if disk or first or here != count:
        raise Unreadable("unsupported", "the zip file is one of several parts")
    if offset + size != end:
        raise Unreadable("damaged", "the directory of the zip file is not where its end says")
    return offset, size, count


def _ends_here(tail: bytes, place: int) -> bool:
    """Whether the record at `place` is whole, and its comment ends where the file does."""
    if place + _END.size > len(tail):
        return False
    return place + _END.size + int(_END.unpack_from(tail, place)[-1]) == len(tail)


def _wide_end(file: Ranges, tail: bytes, place: int) -> tuple[int, int, int, int, int, int, int] | None:
    """Disk, first disk, counts, size, offset and place of the zip64 record, if there is one."""
    if place < _LOCATOR.size:
        return None
    sign, _, at, _ = _LOCATOR.unpack_from(tail, place - _LOCATOR.size)
    if sign != b"PK\x06\x07":
        return None
    raw = _read(file, at, _END64.size)
    if len(raw) < _END64.size or raw[:4] != b"PK\x06\x06":
        raise Unreadable("damaged", "the zip64 directory is not where the file says")
    _, _, _, _, disk, first, here, count, size, offset = _END64.unpack(raw)
    return disk, first, here, count, size, offset, at


def _entry(raw: bytes, place: int, directory: int) -> tuple[Member, int]:
    """The member whose entry is at `place`, and where the next entry is."""
    if place + _ENTRY.size > len(raw) or raw[place : place + 4] != b"PK\x01\x02":
        raise Unreadable("damaged", "the directory of the zip file is broken off")
    (_, made, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment, disk, _, attributes, offset) = (
        _ENTRY.unpack_from(raw, place)
    )
    place += _ENTRY.size
    name = _decoded(raw[place : place + n_name], flags)
    extra = raw[place + n_name : place + n_name + n_extra]
    place += n_name + n_extra + n_comment
    if place > len(raw):
        raise Unreadable("damaged", "the directory of the zip file is broken off")
    size, packed, offset, whole = _widened(extra, size, packed, offset)
    member = Member(name, method, crc, packed, size, offset, directory)
    mode = attributes >> 16 if made >> 8 == _UNIX else 0
    problem = _problem(member, flags, mode, disk, whole=whole)
    return member._replace(problem=problem), place


def _widened(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int, bool]:
    """Sizes and offset, those that did not fit from the zip64 field, and whether all of them were there."""
    numbers = [size, packed, offset]
    if _WIDE not in numbers:
        return size, packed, offset, True
    place, field = 0, b""
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == _ZIP64:
            field = extra[place + 4 : place + 4 + length]
            break
        place += 4 + length
    for index, number in enumerate(numbers):
        if number == _WIDE:
            if len(field) < 8:
                return size, packed, offset, False
            numbers[index] = int.from_bytes(field[:8], "little")
            field = field[8:]
    return numbers[0], numbers[1], numbers[2], True


def _problem(member: Member, flags: int, mode: int, disk: int, *, whole: bool) -> tuple[str, str] | None:
    if member.name.startswith("/") or _DRIVE.match(member.name) or not is_path(member.name.rstrip("/").split("/")):
        return "metadata-invalid", f"the zip member {quote(member.name)} is no path below the root"
    if stat.S_ISLNK(mode):
        return "internal-link", "a symbolic link stored in the zip file"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "special-file", "a FIFO, socket or device stored in the zip file"
    if flags & _ENCRYPTED:
        return "unsupported", "the zip member is encrypted"
    if member.method not in (_STORED, _DEFLATED):
        return "unsupported", f"the zip member is packed with method {member.method}, neither stored nor deflated"
    if disk or not whole:
        return "damaged", "the zip directory does not say where the member is"
    if member.method == _STORED and member.packed != member.size:
        return "damaged", f"a stored zip member of {member.size} bytes takes {member.packed}"
    if member.size > _DENSEST * member.packed:
        return "damaged", f"{member.packed} bytes of deflate cannot stand for the {member.size} bytes that are declared"
    return None


def _unique(members: Sequence[Member]) -> list[Member]:
    """`members`, with a problem for those whose name is taken more than once."""
    counts: dict[str, int] = {}
    for member in members:
        counts[member.name] = counts.get(member.name, 0) + 1
    return [
        member
        if counts[member.name] == 1
        else member._replace(problem=("metadata-conflict", f"{counts[member.name]} zip members have this name"))
        for member in members
    ]


def _apart(members: list[Member], directory: int) -> list[Member]:
    """`members` with the `end` of each; those that share bytes have a problem."""
    order = sorted(range(len(members)), key=lambda index: members[index].offset)
    reached, holder = 0, -1
    for position, index in enumerate(order):
        member = members[index]
        following = members[order[position + 1]].offset if position + 1 < len(order) else directory
        least = member.offset + _LOCAL.size + len(member.name) + member.packed
        shared = member.offset < reached
        if shared and holder >= 0:
            members[holder] = _overlapping(members[holder])
        members[index] = member._replace(end=min(following, directory))
        if shared or least > directory:
            members[index] = _overlapping(members[index])
        if least > reached:
            reached, holder = least, index
    return members


def _overlapping(member: Member) -> Member:
    if member.problem is not None:
        return member
    return member._replace(problem=("damaged", "the zip member shares its bytes with another, or with the directory"))


def _decoded(name: bytes, flags: int) -> str:
    if flags & _UTF8:
        return name.decode("utf-8", "surrogateescape")
    return name.decode("ascii") if name.isascii() else name.decode("cp437")


def _read(file: Ranges, offset: int, length: int) -> bytes:
    try:
        return file.read(offset, max(0, length)) if 0 <= offset < 1 << 63 else b""
    except OSError as error:
        raise Unreadable("damaged", f"cannot be read: {error.strerror or error}") from None
