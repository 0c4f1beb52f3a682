"""The end of a zip file: which record the directory hangs on, and whether other readers could hang it on another one.

Source: PKWARE's APPNOTE 6.3.10, 4.3.14 to 4.3.16. Readers look for the last signature of an end record; some go by its
comment, some by a zip64 record before it, wherever that is. All of them have to come to the same directory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vizschema.containers.base import Unreadable
from vizschema.containers.bytes.ranges import Ranges

_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_SIGNATURE, _SIGNATURE64, _SIGNATURE_LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_COMMENT = 1 << 16
_LIMITS = (0xFFFF,) * 4 + (0xFFFFFFFF,) * 2
"""What the numbers of an end record say where the zip64 record says them."""


class End(NamedTuple):
    """Where the directory is, its bytes, its members; and what other readers could take instead, in words."""

    offset: int
    size: int
    members: int
    readings: tuple[str, ...] = ()


class _Numbers(NamedTuple):
    """What an end record says, of either width."""

    disk: int
    first: int
    here: int
    members: int
    size: int
    offset: int


def read_end(file: Ranges) -> End:
    """Where the directory of a zip file is; raises `Unreadable` where no end record leads to one."""
    tail_at = max(0, file.size - _COMMENT - _END.size - _LOCATOR.size)
    tail = read(file, tail_at, file.size - tail_at)
    place, readings = _record(tail, tail_at)
    *numbers, _ = _END.unpack_from(tail, place)[1:]
    found, end = _Numbers(*numbers), tail_at + place
    wide = _wide(file, tail, place, tail_at)
    if wide is not None:
        found, end, more = _resolved(found, wide)
        readings = (*readings, *more)
    if found.disk or found.first or found.here != found.members:
        raise Unreadable("unsupported", "the zip file is one of several parts")
    before = end - found.offset - found.size
    if before:
        words = f"{before} bytes were put before or into it" if before > 0 else "it was cut"
        raise Unreadable("damaged", f"the directory of the zip file is not where its end says: {words}")
    return End(found.offset, found.size, found.members, readings)


def read(file: Ranges, offset: int, length: int) -> bytes:
    """The bytes at `offset`, none where it is not a place in a file; raises `Unreadable`."""
    try:
        return file.read(offset, max(0, length)) if 0 <= offset < 1 << 63 else b""
    except OSError as error:
        raise Unreadable("damaged", f"cannot be read: {error.strerror or error}") from None


def _record(tail: bytes, tail_at: int) -> tuple[int, tuple[str, ...]]:
    """Where in `tail` the end record is: the last whose comment ends with the file, else the last; and readings."""
    places = [place for place in _places(tail) if place + _END.size <= len(tail)]
    if not places:
        words = f"it was cut, or never finished, or more than {_COMMENT - 1} bytes follow it"
        raise Unreadable("damaged", f"the zip file has no directory at its end: {words}")
    place = next((place for place in places if _after(tail, place) == len(tail)), places[0])
    behind = tail[min(_after(tail, place), len(tail)) :]
    comment = tail[place + _END.size : len(tail) - len(behind)]
    readings = []
    if behind.strip(b"\0"):
        at = tail_at + len(tail) - len(behind)
        number = len(behind.rstrip(b"\0"))
        readings.append(f"{number} bytes follow the end of the zip file, from byte {at}")
    if _after(tail, place) > len(tail):
        readings.append(f"the comment of the zip file lacks {_after(tail, place) - len(tail)} of its bytes")
    for signature, what in (
        (_SIGNATURE, "end record"),
        (_SIGNATURE64, "zip64 end record"),
        (_SIGNATURE_LOCATOR, "zip64 locator"),
    ):
        if signature in comment:
            at = tail_at + place + _END.size + comment.index(signature)
            readings.append(f"the comment of the zip file holds another {what}, at byte {at}")
    return place, tuple(readings)


def _places(tail: bytes) -> Iterator[int]:
    """Where end records may be, the last first: no reader looks further back than the longest comment reaches."""
    place = tail.rfind(_SIGNATURE)
    while place >= max(0, len(tail) - _COMMENT - _END.size):
        yield place
        place = tail.rfind(_SIGNATURE, 0, place + len(_SIGNATURE) - 1)


def _after(tail: bytes, place: int) -> int:
    """Where the comment of the record at `place` ends."""
    return place + _END.size + int(_END.unpack_from(tail, place)[-1])


class _Wide(NamedTuple):
    """A zip64 record (no numbers where it is not there), where it is, where it should be, and the bytes it claims."""

    numbers: _Numbers | None
    at: int
    expected: int
    length: int


def _wide(file: Ranges, tail: bytes, place: int, tail_at: int) -> _Wide | None:
    """The zip64 record that the locator before the end record leads to; None without a locator."""
    if place < _LOCATOR.size:
        return None
    sign, disk, at, disks = _LOCATOR.unpack_from(tail, place - _LOCATOR.size)
    if sign != _SIGNATURE_LOCATOR:
        return None
    if disk or disks > 1:
        raise Unreadable("unsupported", "the zip file is one of several parts")
    expected = tail_at + place - _LOCATOR.size - _END64.size
    raw = read(file, at, _END64.size)
    if len(raw) < _END64.size or raw[:4] != _SIGNATURE64:
        return _Wide(None, at, expected, 0)
    _, length, _, _, *numbers = _END64.unpack(raw)
    return _Wide(_Numbers(*numbers), at, expected, length)


def _resolved(end: _Numbers, wide: _Wide) -> tuple[_Numbers, int, tuple[str, ...]]:
    """What both end records say together, where the directory has to end, and where they lead readers apart."""
    at, expected, numbers = wide.at, wide.expected, wide.numbers
    if numbers is None:
        if any(number == limit for number, limit in zip(end, _LIMITS, strict=True)):
            raise Unreadable("damaged", "the zip64 directory is not where the file says")
        words = f"the zip64 locator leads to byte {at}, and no zip64 end record is there"
        return end, expected + _END64.size + _LOCATOR.size, (words,)
    readings = []
    if at != expected:
        readings.append(f"the zip64 end record is at byte {at}: expected it at byte {expected}, before its locator")
    if wide.length != _END64.size - 12:
        readings.append(f"the zip64 end record at byte {at} claims {wide.length} bytes: expected {_END64.size - 12}")
    if any(number not in (limit, other) for number, limit, other in zip(end, _LIMITS, numbers, strict=True)):
        readings.append(f"the end record and the zip64 end record disagree: {_words(end)}, and {_words(numbers)}")
    return numbers, at, tuple(readings)


def _words(numbers: _Numbers) -> str:
    return f"{numbers.members} members in {numbers.size} bytes from byte {numbers.offset}"
