"""Zip files by hand: entries whose two headers say what a case wants, as no library would write them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_UNIX = 3 << 8
_UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Entry:
    """One member; what is None follows from `data`. `method` 8 deflates."""

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


def zipped(entries: Iterable[Entry], *, count: int | None = None, comment: bytes = b"", shift: int = 0) -> bytes:
    """The bytes of a zip file of these entries, in this order; `shift` moves where its end says the directory is."""
    body, directory, number = bytearray(), bytearray(), 0
    for entry in entries:
        number += 1
        name = entry.name if isinstance(entry.name, bytes) else entry.name.encode()
        local = name if entry.local_name is None else entry.local_name
        raw = zlib.compress(entry.data, 1)[2:-4] if entry.method == 8 else entry.data
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        packed = len(raw) if entry.packed is None else entry.packed
        size = len(entry.data) if entry.size is None else entry.size
        offset = len(body) if entry.offset is None else entry.offset
        fixed = struct.pack("<HHHHHIII", 20, entry.flags, entry.method, 0, 33, crc, packed, size)
        body += b"PK\x03\x04" + fixed + struct.pack("<HH", len(local), 0) + local + raw
        directory += b"PK\x01\x02" + struct.pack("<H", 20 | _UNIX) + fixed
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, entry.mode << 16, offset) + name
    total = min(number if count is None else count, 0xFFFF)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, total, total, len(directory), len(body) + shift, len(comment))
    return bytes(body + directory + _wide(number, len(directory), len(body)) + end + comment)


def _wide(number: int, size: int, offset: int) -> bytes:
    """The zip64 records, where the plain one cannot count the members."""
    if number < 0xFFFF:
        return b""
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, number, number, size, offset)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
