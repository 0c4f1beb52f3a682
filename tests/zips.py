"""Zip files as no library would write them: entries whose two headers say what a test wants."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Entry(NamedTuple):
    """One member; fields that are None follow from `data`."""

    name: str
    data: bytes
    method: int = 0
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    flags: int = 0x800
    mode: int = 0
    local_name: str | None = None
    offset: int | None = None


def zipped(entries: Iterable[Entry], *, comment: bytes = b"", count: int | None = None, shift: int = 0) -> bytes:
    """The bytes of a zip file of these entries, in this order."""
    body, directory = b"", b""
    number = 0
    for entry in entries:
        name = entry.name.encode("utf-8", "surrogateescape")
        local = name if entry.local_name is None else entry.local_name.encode()
        raw = zlib.compress(entry.data)[2:-4] if entry.method == 8 else entry.data
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        packed = len(raw) if entry.packed is None else entry.packed
        size = len(entry.data) if entry.size is None else entry.size
        offset = len(body) if entry.offset is None else entry.offset
        fixed = struct.pack("<HHHHHIII", 20, entry.flags, entry.method, 0, 33, crc, packed, size)
        body += b"PK\x03\x04" + fixed + struct.pack("<HH", len(local), 0) + local + raw
        directory += b"PK\x01\x02" + struct.pack("<H", 20 | 3 << 8) + fixed
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, entry.mode << 16, offset) + name
        number += 1
    total = number if count is None else count
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, total, total, len(directory), len(body) + shift, len(comment))
    return body + directory + end + comment


def npy(values: Any, **changes: Any) -> bytes:
    """The bytes of a `.npy` file of `values`."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
    return file.getvalue()


def headed(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A `.npy` file with this header, whatever it says."""
    raw = header.encode("latin-1" if version[0] < 3 else "utf-8")
    length = struct.pack("<H" if version[0] == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + length + raw + data


def told(nodes: Mapping[str, Any]) -> bytes:
    """A `vizschema.json`."""
    return json.dumps({"nodes": nodes}).encode()
