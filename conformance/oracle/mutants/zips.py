"""Zip files with what a writer may choose drawn: methods, extra fields, descriptors, zip64, comments, order, gaps."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from vizschema.conformance.oracle.mutants.zarr2 import zarr2
from vizschema.conformance.oracle.mutants.zarr3 import zarr3

Member = tuple[str, bytes]


def zarr3_zip(chance: random.Random, folder: Path) -> Path:
    """An archive of version 3 in a zip file."""
    return _zipped(chance, folder, zarr3)


def zarr2_zip(chance: random.Random, folder: Path) -> Path:
    """An archive of version 2 in a zip file."""
    return _zipped(chance, folder, zarr2)


def _zipped(chance: random.Random, folder: Path, build: Callable[[random.Random, Path], Path]) -> Path:
    inside = folder / "inside"
    inside.mkdir()
    root = build(chance, inside)
    members = [
        (path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()
    ]
    archive = folder / "archive.zip"
    archive.write_bytes(pack(chance, members))
    return archive


def pack(chance: random.Random, members: Sequence[Member]) -> bytes:
    """The bytes of a zip file of these members."""
    members = list(members)
    if chance.random() < 0.2:
        chance.shuffle(members)
    if chance.random() < 0.1:
        folders = sorted({name.rpartition("/")[0] + "/" for name, _ in members if "/" in name})
        members = [*((name, b"") for name in folders), *members]
    # In nine of ten files everything is as some real writer has it.
    rough = chance.random() < 0.1
    body, entries = bytearray(chance.randbytes(4) if rough and chance.random() < 0.3 else b""), []
    style = _Style(chance)
    for name, data in members:
        local, entry = style.member(name, data, len(body))
        body += local
        entries.append(entry)
        if rough and chance.random() < 0.2:
            body += bytes(chance.choice((1, 4, 100)))
    if chance.random() < 0.1:
        chance.shuffle(entries)
    return bytes(body) + style.end(entries, len(body))


class _Style:
    """One writer: what it does to every member, or to some."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._method = chance.choice((0, 0, 8, None))
        self._descriptor = chance.choice((None, None, None, "signed", "bare", "wide"))
        self._wide = chance.choice((None, None, "local", "both", "directory"))
        self._extra = chance.choice((b"", b"", self._times(), self._unknown(), self._owner()))
        self._comment = chance.choice((b"", b"", b"", b"a comment"))
        self._made, self._needed = chance.choice((20, 0x314, 0x31E, 63)), chance.choice((10, 20, 45))
        self._mode = chance.choice((0, 0o100644 << 16, 0o100600 << 16))
        self._dates = chance.choice(((0, 33), (0x6000, 0x5A00), (0, 0)))

    def member(self, name: str, data: bytes, offset: int) -> tuple[bytes, bytes]:
        """The local header with the data, and the entry of the directory."""
        chance = self._chance
        method = chance.choice((0, 8)) if self._method is None else self._method
        method = 0 if name.endswith("/") else method
        packed = data if method == 0 else _deflated(data, chance.randint(0, 9))
        crc, raw = zlib.crc32(data), name.encode()
        described = None if name.endswith("/") or (method == 0 and chance.random() < 0.7) else self._descriptor
        flags = (0 if name.isascii() and chance.random() < 0.5 else 0x800) | (8 if described else 0)
        sizes = (0, 0, 0) if described else (crc, len(packed), len(data))
        extra = self._extra
        if (self._wide in ("local", "both") and not described) or described == "wide":
            extra = struct.pack("<HHQQ", 1, 16, 0 if described else len(data), 0 if described else len(packed)) + extra
            sizes = (sizes[0], 0xFFFFFFFF, 0xFFFFFFFF)
        fixed = struct.pack("<HHHHH", self._needed, flags, method, *self._dates)
        header = b"PK\3\4" + fixed + struct.pack("<IIIHH", *sizes, len(raw), len(extra)) + raw + extra
        return header + packed + self._tail(described, crc, packed, data), self._entry(
            raw, fixed, crc, packed, data, offset
        )

    def _tail(self, described: str | None, crc: int, packed: bytes, data: bytes) -> bytes:
        if described is None:
            return b""
        if described == "wide":
            return b"PK\7\x08" + struct.pack("<IQQ", crc, len(packed), len(data))
        return (b"PK\7\x08" if described == "signed" else b"") + struct.pack("<III", crc, len(packed), len(data))

    def _entry(self, raw: bytes, fixed: bytes, crc: int, packed: bytes, data: bytes, offset: int) -> bytes:
        extra, sizes, place = self._extra, (len(packed), len(data)), offset
        if self._wide in ("both", "directory"):
            extra = struct.pack("<HHQQQ", 1, 24, len(data), len(packed), offset) + extra
            sizes, place = (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF
        mode = self._mode | (0o040000 << 16 | 0x10 if raw.endswith(b"/") else 0)
        mode = 0x10 if raw.endswith(b"/") else mode
        return (
            b"PK\1\2" + struct.pack("<H", self._made) + fixed + struct.pack("<III", crc, *sizes)
            + struct.pack("<HHHHHII", len(raw), len(extra), len(self._comment), 0, 0, mode, place)
            + raw + extra + self._comment
        )  # fmt: skip

    def end(self, entries: Sequence[bytes], start: int) -> bytes:
        """The directory and the end records."""
        directory, count = b"".join(entries), len(entries)
        comment, wide = self._chance.choice((b"", b"", b"", b"made by hand")), b""
        if self._wide in ("both", "directory") or self._chance.random() < 0.1:
            record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start)
            wide = record + struct.pack("<4sIQI", b"PK\6\7", 0, start + len(directory), 1)
        tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), start, len(comment))
        return directory + wide + tail + comment

    def _times(self) -> bytes:
        return struct.pack("<HHBI", 0x5455, 5, 1, self._chance.getrandbits(31))

    def _owner(self) -> bytes:
        return struct.pack("<HHBBIBI", 0x7875, 11, 1, 4, 1000, 4, 1000)

    def _unknown(self) -> bytes:
        size = self._chance.randint(0, 9)
        return struct.pack("<HH", 0xD935, size) + bytes(size)


def _deflated(data: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
