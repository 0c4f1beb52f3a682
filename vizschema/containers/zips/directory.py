"""The central directory of a zip file: bounded, nothing unpacked, each doubt a problem of its member.

Source: PKWARE's APPNOTE 6.3.10. One disk, methods stored and deflated, zip64; nothing encrypted is read.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

from vizschema.containers.base import Limits, Unreadable, is_path, quote
from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.zips.end import read, read_end
from vizschema.containers.zips.extra import WIDE, widened, words_of_extra

_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL_BYTES = 30
_DRIVE = re.compile(r"[A-Za-z]:", re.ASCII)
STORED, DEFLATED = 0, 8
UNREAD = 0x1 | 0x20 | 0x40 | 0x2000
"""Flags of what is encrypted, or a patch."""

STREAMED, _UTF8 = 0x8, 0x800
_VERSION = 63
"""The version of the format that its newest features need; readers refuse what asks for a later one."""

_UNIX = 3
_DENSEST = 1032
"""Maximum bytes that one byte of deflate can stand for."""


class Member(NamedTuple):
    """An entry of the directory. `end` is where the next member (or the directory) begins, which it may not reach.

    `raw` is its name as stored. `plain` is its whole local header, where that can only repeat the entry; else empty.
    `problem` is the reason and the words for which it is never read.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    end: int
    raw: bytes = b""
    plain: bytes = b""
    flags: int = 0
    problem: tuple[str, str] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith("/")


class Directory(NamedTuple):
    """The members in the order of the directory, where it begins, and in words where readers disagree."""

    members: list[Member]
    offset: int
    readings: list[str]


def read_directory(file: Ranges, limits: Limits) -> Directory:
    """The directory of a zip file; raises `Unreadable` where it has none that is sound."""
    offset, size, count, readings = read_end(file)
    if size > limits.consolidated_bytes:
        raise Unreadable("over-limit", f"the directory of the zip file has {size} bytes")
    if count > limits.members:
        raise Unreadable("over-limit", f"the zip file has {count} members, more than {limits.members}")
    raw = read(file, offset, size)
    members: list[Member] = []
    found = list(readings)
    place = 0
    while place < size:
        member, place = _entry(raw, place, offset, found)
        members.append(member)
        if len(members) > count:
            break
    if len(members) != count:
        raise Unreadable("damaged", f"the zip file counts {count} members and lists another number")
    return Directory(_apart(_unique(members), offset), offset, found)


def decoded(name: bytes, flags: int) -> str:
    """The name of a member, as its flags say how it is stored."""
    if flags & _UTF8:
        return name.decode("utf-8", "surrogateescape")
    return name.decode("ascii") if name.isascii() else name.decode("cp437")


def _entry(raw: bytes, place: int, directory: int, readings: list[str]) -> tuple[Member, int]:
    """The member whose entry is at `place`, and where the next entry is; what others make of it goes to `readings`."""
    if place + _ENTRY.size > len(raw) or raw[place : place + 4] != b"PK\x01\x02":
        raise Unreadable("damaged", "the directory of the zip file is truncated")
    (_, made, need, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment, disk, _, attributes, offset) = (
        _ENTRY.unpack_from(raw, place)
    )
    repeated = raw[place + 6 : place + 30]
    place += _ENTRY.size
    stored = raw[place : place + n_name]
    name = decoded(stored, flags)
    extra = raw[place + n_name : place + n_name + n_extra]
    place += n_name + n_extra + n_comment
    if place > len(raw):
        raise Unreadable("damaged", "the directory of the zip file is truncated")
    words = ["a NUL in its name, at which other readers end it"] if b"\0" in stored else []
    if need & 0xFF > _VERSION:
        words.append(f"it asks for version {(need & 0xFF) / 10} of the zip format")
    whole, plain = True, b""
    if n_extra or size == WIDE or packed == WIDE or offset == WIDE:
        words += words_of_extra(extra, name, decoded(raw[place - n_comment : place], flags), (size, packed, offset))
        (size, packed, offset), whole = widened(extra, (size, packed, offset))
    elif not flags & STREAMED:
        plain = b"PK\x03\x04" + repeated + b"\0\0" + stored
    if words:
        readings += [f"{quote(name)} in the directory: {each}" for each in words]
    member = Member(name, method, crc, packed, size, offset, directory, stored, plain, flags)
    mode = attributes >> 16 if made >> 8 == _UNIX else 0
    problem = _problem(member, mode, disk, whole=whole)
    return member if problem is None else member._replace(problem=problem), place


def _problem(member: Member, mode: int, disk: int, *, whole: bool) -> tuple[str, str] | None:
    if member.name.startswith("/") or _DRIVE.match(member.name) or not is_path(member.name.rstrip("/").split("/")):
        return "metadata-invalid", f"the zip member {quote(member.name)} is not a path below the root"
    if stat.S_ISLNK(mode):
        return "internal-link", "a symbolic link stored in the zip file"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "special-file", "a FIFO, socket or device stored in the zip file"
    if member.flags & UNREAD:
        return "unsupported", "the zip member is encrypted"
    if member.method not in (STORED, DEFLATED):
        return "unsupported", f"the zip member is packed with method {member.method}, neither stored nor deflated"
    if disk or not whole:
        return "damaged", "the zip directory does not say where the member is"
    if member.method == STORED and member.packed != member.size:
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
        least = member.offset + _LOCAL_BYTES + len(member.raw) + member.packed
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
