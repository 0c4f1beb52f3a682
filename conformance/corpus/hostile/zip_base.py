"""Zip files by hand: entries whose two headers say what a case wants, as no library would write them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_UNIX = 3 << 8
_UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Entry:
    """One member; what is None follows from `data`. `method` 8 deflates.

    `local_…` are what its own header says instead of the directory; `extra` are extra fields, in both. `behind` are
    bytes that follow its data: a data descriptor, or what belongs to no member.
    """

    name: str | bytes
    data: bytes
    method: int = 0
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    flags: int = _UTF8
    mode: int = 0
    local_name: bytes | None = None
    offset: int | None = None
    local_method: int | None = None
    local_crc: int | None = None
    local_size: int | None = None
    extra: bytes = b""
    local_extra: bytes | None = None
    behind: bytes = b""
    need: int = 20


def zipped(
    entries: Iterable[Entry],
    *,
    count: int | None = None,
    comment: bytes = b"",
    shift: int = 0,
    wide: Sequence[int] | None = None,
    behind: bytes = b"",
) -> bytes:
    """The bytes of a zip file of these entries, in this order; `shift` moves where its end says the directory is.

    `wide` adds to the numbers of the zip64 end record (members, size, offset), which is there where it is given or
    needed. `behind` follows the end.
    """
    body, directory, number = bytearray(), bytearray(), 0
    for entry in entries:
        number += 1
        offset = len(body) if entry.offset is None else entry.offset
        body += _local(entry)
        directory += _central(entry, offset)
    total = min(number if count is None else count, 0xFFFF)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, total, total, len(directory), len(body) + shift, len(comment))
    records = b"" if wide is None and number < 0xFFFF else _wide(number, len(directory), len(body), wide or (0, 0, 0))
    return bytes(body + directory + records + end + comment + behind)


def field(kind: int, data: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<HH", kind, len(data)) + data


def renamed(old: str, new: str) -> bytes:
    """The extra field that gives a member a name in Unicode."""
    return field(0x7075, struct.pack("<BI", 1, zlib.crc32(old.encode())) + new.encode())


def descriptor(data: bytes, form: str = "<4sIII") -> bytes:
    """The data descriptor of a stored member."""
    signature = (b"PK\7\x08",) if "s" in form else ()
    return struct.pack(form, *signature, zlib.crc32(data), len(data), len(data))


def _raw(entry: Entry) -> bytes:
    return zlib.compress(entry.data, 1)[2:-4] if entry.method == 8 else entry.data


def _numbers(entry: Entry) -> tuple[int, int, int]:
    """CRC-32, packed size and size, as the directory has them."""
    return (
        zlib.crc32(entry.data) if entry.crc is None else entry.crc,
        len(_raw(entry)) if entry.packed is None else entry.packed,
        len(entry.data) if entry.size is None else entry.size,
    )


def _local(entry: Entry) -> bytes:
    name = entry.local_name if entry.local_name is not None else _name(entry)
    extra = entry.extra if entry.local_extra is None else entry.local_extra
    crc, packed, size = _numbers(entry)
    method = entry.method if entry.local_method is None else entry.local_method
    crc = crc if entry.local_crc is None else entry.local_crc
    packed, size = (packed, size) if entry.local_size is None else (entry.local_size, entry.local_size)
    fixed = struct.pack("<HHHHHIII", entry.need, entry.flags, method, 0, 33, crc, packed, size)
    return b"PK\x03\x04" + fixed + struct.pack("<HH", len(name), len(extra)) + name + extra + _raw(entry) + entry.behind


def _central(entry: Entry, offset: int) -> bytes:
    name = _name(entry)
    fixed = struct.pack("<HHHHHIII", entry.need, entry.flags, entry.method, 0, 33, *_numbers(entry))
    lengths = struct.pack("<HHHHHII", len(name), len(entry.extra), 0, 0, 0, entry.mode << 16, offset)
    return b"PK\x01\x02" + struct.pack("<H", 20 | _UNIX) + fixed + lengths + name + entry.extra


def _name(entry: Entry) -> bytes:
    return entry.name if isinstance(entry.name, bytes) else entry.name.encode()


def _wide(number: int, size: int, offset: int, more: Sequence[int]) -> bytes:
    """The zip64 records."""
    numbers = (number + more[0], number + more[0], size + more[1], offset + more[2])
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
