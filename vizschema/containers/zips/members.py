"""The members of an open zip file, and its whole account: their own headers say what the directory says, and every byte
between them is padding.

A file of this system is accounted for when it is opened, in one pass over it; of a remote one, the header of a member
is compared when the member is read. Source: PKWARE's APPNOTE 6.3.10, 4.3.7 and 4.3.9.
"""

from __future__ import annotations

import struct
from operator import attrgetter

from vizschema.containers.base import Limits, Unreadable, quote
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.ranges import FileRanges, Ranges
from vizschema.containers.zips.directory import DEFLATED, STREAMED, UNREAD, Member, decoded, read_directory
from vizschema.containers.zips.end import read
from vizschema.containers.zips.extra import widened, words_of_extra

AHEAD = 512
"""Bytes that are read along with a local header, so that a small member takes one read."""

PADDING = 1 << 20
"""The most zeros between two members that are padding; all of them together may be 64 times as much."""

_LOCAL = struct.Struct("<4s5H3I2H")
_NEAR, _WINDOW = 4 << 10, 256 << 10
"""Members whose headers are so near to each other are read together, in ranges of this size."""

_DESCRIPTORS = tuple(struct.Struct(f"<{signature}I{size}{size}") for size in ("I", "Q") for signature in ("4s", ""))


class Zip:
    """An open zip file: its `members`, and in `readings` where other readers read it otherwise."""

    def __init__(self, file: Ranges, limits: Limits) -> None:
        self.file = file
        self.members, directory, self.readings = read_directory(file, limits)
        self._begins: dict[int, int] = {}
        if isinstance(file, FileRanges):  # over a network, a header is looked at when its member is read
            account = _Account(file, self.members, directory)
            self.readings += account.readings
            self._begins = account.begins

    def run(self, member: Member, ahead: int = 0) -> Run:
        """The bytes of a member, of which about `ahead` are read at once; raises `Unreadable`."""
        if member.problem is not None:
            raise Unreadable(*member.problem)
        begin = self._begins.get(member.offset)
        if begin is not None:
            start = read(self.file, member.offset + begin, min(ahead, member.packed)) if ahead else b""
        else:
            wanted = min(_LOCAL.size + len(member.raw) + max(ahead, AHEAD), member.end - member.offset)
            raw = read(self.file, member.offset, wanted)
            begin, words = _compared(raw, self.file, member)
            if words:
                raise Unreadable("damaged", f"its local header says otherwise: {'; '.join(words)}")
            start = raw[begin : begin + member.packed]
        if member.offset + begin + member.packed > member.end:
            raise Unreadable("damaged", "the member reaches into what follows it")
        codec = "deflate" if member.method == DEFLATED else ""
        place = member.offset + begin
        return Run(self.file, member.name, place, member.packed, member.size, codec, member.crc, start=start)

    def document(self, member: Member, limit: int) -> bytes:
        """All of a member that is no larger than `limit`; raises `Unreadable`."""
        if member.problem is None and member.size > limit:
            raise Unreadable("over-limit", f"{quote(member.name)} has {member.size} bytes, more than {limit}")
        return self.run(member, AHEAD).whole()

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


class _Account:
    """One pass over a file: where the bytes of each member begin, and `readings` of what is odd on the way."""

    def __init__(self, file: Ranges, members: list[Member], directory: int) -> None:
        self.begins: dict[int, int] = {}
        self.readings: list[str] = []
        self._file = file
        self._window_at, self._window, self._looked = 0, b"", 0
        self._padding = 64 * PADDING
        # Where a member lies is not known of one that is damaged: then it is unknown whose the bytes between are.
        self._whole = not any(member.problem is not None and member.problem[0] == "damaged" for member in members)
        reached = 0
        for member in sorted(members, key=attrgetter("offset")):
            at = member.offset - self._window_at
            if member.offset == reached and member.plain and self._window.startswith(member.plain, at):
                self.begins[reached] = begin = len(member.plain)
                reached += begin + member.packed
            else:
                reached = self._member(member, reached)
        if self._whole:
            self._gap(reached, directory)

    def _member(self, member: Member, reached: int) -> int:
        """Where the member ends, its data descriptor included."""
        if member.problem is not None and member.problem[0] == "damaged":
            return reached
        if self._whole:
            self._gap(reached, member.offset)
        raw = self._look(member.offset, min(_LOCAL.size + len(member.raw) + 64, member.end - member.offset))
        try:
            begin, words = _compared(raw, self._file, member)
        except Unreadable:  # said of the member when it is read
            self._whole = False
            return reached
        self.begins[member.offset] = begin
        end = member.offset + begin + member.packed
        if not member.plain and raw[6] & STREAMED:
            length = _descriptor(self._look(end, min(24, member.end - end)), member)
            end += length
            if not length:
                words = [*words, "no data descriptor follows it, which its local header promises"]
        self.readings += [f"{quote(member.name)} at byte {member.offset}: {each}" for each in words]
        return end

    def _gap(self, start: int, end: int) -> None:
        """Note the bytes between two members that are not padding, and those that both of them have."""
        length = end - start
        if not length:
            return
        if length < 0:
            self.readings.append(f"{-length} bytes from byte {end} belong to two members")
            return
        self._padding -= length
        padding = length <= PADDING and self._padding >= 0 and not self._look(start, length).strip(b"\0")
        if not padding:
            self.readings.append(f"{length} bytes from byte {start} belong to no member")

    def _look(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`; of small members, those of many in one read."""
        at = offset - self._window_at
        if not 0 <= at <= len(self._window) - length:
            near = offset - self._looked < _NEAR
            self._window = read(self._file, offset, max(length, _WINDOW if near else AHEAD))
            self._window_at, at = offset, 0
        self._looked = offset
        return self._window[at : at + max(0, length)]


def _compared(raw: bytes, file: Ranges, member: Member) -> tuple[int, list[str]]:
    """How long the local header is of which `raw` is the beginning, and in words where it says what its entry does not.

    Raises `Unreadable` where there is none.
    """
    if member.plain and raw.startswith(member.plain):
        return len(member.plain), []
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
        raise Unreadable("damaged", "the member has no local header where the directory says")
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL.unpack_from(raw)
    begin = _LOCAL.size + n_name + n_extra
    name_end = _LOCAL.size + n_name
    if len(raw) < begin:
        raw = read(file, member.offset, begin)
    name, extra = raw[_LOCAL.size : name_end], raw[name_end:begin]
    (size, packed), whole = widened(extra, (size, packed))
    words = words_of_extra(extra, decoded(name, flags), None, (size, packed))
    found = {"name": (quote(decoded(name, flags)), quote(member.name)), "method": (method, member.method)}
    found["flags"] = (f"{flags & UNREAD:#x}", f"{member.flags & UNREAD:#x}")
    sizes = {"CRC-32": (crc, member.crc), "packed size": (packed, member.packed), "size": (size, member.size)}
    if flags & STREAMED:  # said behind the member; here too, or not
        sizes = {key: pair for key, pair in sizes.items() if pair[0]}
    words += [
        f"its local header has the {key} {here}, the directory {there}"
        for key, (here, there) in {**found, **sizes}.items()
        if here != there
    ]
    return begin, words if whole else [*words, "its zip64 field is too short"]


def _descriptor(raw: bytes, member: Member) -> int:
    """The bytes of the data descriptor that `raw` begins with; 0 where it begins with none."""
    wanted = (member.crc, member.packed, member.size)
    for form in _DESCRIPTORS:
        if len(raw) >= form.size:
            *signature, crc, packed, size = form.unpack_from(raw)
            if (crc, packed, size) == wanted and signature in ([], [b"PK\x07\x08"]):
                return form.size
    return 0
