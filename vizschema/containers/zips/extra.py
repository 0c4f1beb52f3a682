"""Extra fields of a zip member: sizes that need 64 bits, and the fields by which another reader would rename it.

Source: PKWARE's APPNOTE 6.3.10, 4.5 and 4.6.9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from vizschema.containers.base import quote

WIDE = 0xFFFFFFFF
"""What a number of a header says where the zip64 field says it."""

_ZIP64, _UNICODE_PATH, _UNICODE_COMMENT = 0x0001, 0x7075, 0x6375


def widened(extra: bytes, numbers: Sequence[int]) -> tuple[Sequence[int], bool]:
    """Sizes (and offset), those that did not fit from the zip64 field, and whether all of them were there."""
    if WIDE not in numbers:
        return numbers, True
    field = next((data for kind, data in _fields(extra) if kind == _ZIP64), b"")
    found = list(numbers)
    for index, number in enumerate(numbers):
        if number == WIDE:
            if len(field) < 8:
                return numbers, False
            found[index] = int.from_bytes(field[:8], "little")
            field = field[8:]
    return found, True


def words_of_extra(extra: bytes, name: str, comment: str | None, numbers: Sequence[int]) -> list[str]:
    """What readers make of the fields that others do not: a corrupt one, a second name, sizes that are not needed.

    `numbers` are the size, the packed size and perhaps the offset, as the header has them.
    """
    words: list[str] = []
    wide = 0
    place = 0
    for kind, data in _fields(extra):
        place += 4 + len(data)
        if kind == _ZIP64:
            wide += 1
            words += _unneeded(data, numbers)
        elif kind == _UNICODE_PATH and _text(data) != name:
            words.append(f"an extra field names it {quote(_text(data))}, which some readers follow")
        elif kind == _UNICODE_COMMENT and comment is not None and _text(data) != comment:
            words.append(f"an extra field gives it the comment {quote(_text(data))}, which some readers follow")
    if wide > 1:
        words.append(f"{wide} zip64 fields")
    if extra[place:].strip(b"\0") and len(extra) - place >= 4:
        words.append("an extra field that reaches beyond its header")
    return words


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Each field as (kind, data), up to one that reaches beyond the end."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if place + 4 + length > len(extra):
            return
        yield kind, extra[place + 4 : place + 4 + length]
        place += 4 + length


def _unneeded(data: bytes, numbers: Sequence[int]) -> list[str]:
    """Numbers of a zip64 field that the header has already, where they are others."""
    if WIDE in numbers:
        return []
    found = [int.from_bytes(data[place : place + 8], "little") for place in range(0, len(data) - 7, 8)]
    if all(number in numbers or not number for number in found):
        return []
    return [f"its zip64 field says {', '.join(map(str, found))}, and its header {', '.join(map(str, numbers))}"]


def _text(data: bytes) -> str:
    """The text of a Unicode path or comment, behind its version and checksum."""
    return data[5:].decode("utf-8", "surrogateescape")
