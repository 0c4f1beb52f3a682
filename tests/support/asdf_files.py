"""ASDF files byte by byte: a tree as text, and blocks whose headers say what a test wants."""

from __future__ import annotations

import hashlib
import struct
from typing import Any, NamedTuple

HEADER = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n"
YAML = "%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"


class Stored(NamedTuple):
    """One block; fields that are None follow from `data`."""

    data: bytes
    size: int | None = None
    compression: bytes = b"\0\0\0\0"
    allocated: int | None = None
    used: int | None = None
    flags: int = 0
    checksum: bytes | None = b"\0" * 16
    header_size: int = 48


def ndarray(source: Any = 0, datatype: str = "float32", shape: Any = "[2, 3]", more: str = "") -> str:
    """An ndarray in flow style."""
    return f"!core/ndarray-1.1.0 {{source: {source}, datatype: {datatype}, byteorder: little, shape: {shape}{more}}}"


def asdf_file(tree: str, *blocks: Stored, padding: bytes = b"") -> bytes:
    """The bytes of a file with this tree (its YAML below the tag of the root) and these blocks."""
    raw = (HEADER + YAML + tree + "\n...\n").encode("utf-8", "surrogateescape") + padding
    for block in blocks:
        used = len(block.data) if block.used is None else block.used
        allocated = len(block.data) if block.allocated is None else block.allocated
        size = len(block.data) if block.size is None else block.size
        checksum = hashlib.md5(block.data, usedforsecurity=False).digest() if block.checksum is None else block.checksum
        header = struct.pack(">I4sQQQ16s", block.flags, block.compression, allocated, used, size, checksum)
        raw += b"\xd3BLK" + struct.pack(">H", block.header_size) + header + block.data
    return raw
