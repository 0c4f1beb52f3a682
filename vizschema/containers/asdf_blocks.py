"""The frame of an ASDF file: its header, where its tree lies, and its blocks, each held against the file's size.

Source: ASDF Standard 1.6, "Low-level file layout". The block index at the end is not needed, and never trusted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from vizschema.containers.base import Limits
from vizschema.containers.ranges import Ranges
from vizschema.containers.runs import CODECS, STEP, Run
from vizschema.containers.zarr_json import Unreadable, quote

MAGIC = b"\xd3BLK"
INDEX = b"#ASDF BLOCK INDEX"

_HEADER = struct.Struct(">I4sQQQ16s")
_STREAMED = 1
_END = re.compile(rb"\r?\n\.\.\.[ \t]*(?:\r?\n|$)")
_PADDING = b"\0 \t\r\n"


class Frame(NamedTuple):
    """The bytes of the tree (none where there is no tree), and where blocks may begin."""

    tree: bytes
    blocks: int


class StoredBlock(NamedTuple):
    """A block: its decoded bytes as a run, or the reason and the words for which it is never read."""

    run: Run
    problem: tuple[str, str] | None = None


def read_frame(file: Ranges, limits: Limits) -> Frame:
    """Where things lie; raises `Unreadable` where the tree does not end, or not within the limit."""
    raw = file.read(0, min(file.size, STEP))
    while True:
        begin = raw.find(b"\n%YAML")
        begin = raw.find(b"\n---") if begin < 0 else begin
        if begin < 0:
            return Frame(b"", _after_comments(raw))
        end = _END.search(raw, begin)
        if end is not None and end.end() <= limits.tree_bytes:
            return Frame(raw[begin + 1 : end.end()], end.end())
        if end is not None or len(raw) >= limits.tree_bytes:
            raise Unreadable("over-limit", f"the tree has more than {limits.tree_bytes} bytes")
        more = file.read(len(raw), min(STEP, limits.tree_bytes - len(raw), max(0, file.size - len(raw))))
        if not more:
            raise Unreadable("damaged", "the tree has no end: the file was cut")
        raw += more


def read_blocks(file: Ranges, start: int, limits: Limits) -> list[StoredBlock]:
    """Every block from `start` on, up to one that is cut; raises `Unreadable` past the limit on nodes."""
    blocks: list[StoredBlock] = []
    for block in _blocks(file, start):
        blocks.append(block)
        if len(blocks) > limits.nodes:
            raise Unreadable("over-limit", f"more than {limits.nodes} blocks")
    return blocks


def _blocks(file: Ranges, start: int) -> Iterator[StoredBlock]:
    place: int | None = _padded(file, start)
    number = 0
    while place is not None:
        raw = file.read(place, 6 + _HEADER.size)
        if len(raw) < 4 or raw[:4] != MAGIC:
            return
        block, place = _block(file, place, raw, number)
        yield block
        number += 1


def _block(file: Ranges, place: int, raw: bytes, number: int) -> tuple[StoredBlock, int | None]:
    """The block at `place`, and where the next one would be; null where nothing can follow."""
    key = f"block {number}"
    nowhere = Run(file, key, place, 0, 0)
    if len(raw) < 6 + _HEADER.size:
        return StoredBlock(nowhere, ("damaged", f"{key} is cut within its header")), None
    length = int.from_bytes(raw[4:6], "big")
    flags, compression, allocated, used, size, checksum = _HEADER.unpack_from(raw, 6)
    begin = place + 6 + length
    if length < _HEADER.size:
        return StoredBlock(nowhere, ("damaged", f"the header of {key} claims {length} bytes")), None
    if flags & _STREAMED:
        used = size = max(0, file.size - begin)
        return StoredBlock(Run(file, key, begin, used, size)), None
    codec = compression.rstrip(b"\0").decode("latin-1")
    md5 = checksum if any(checksum) else None
    run = Run(file, key, begin, used, size, codec if codec in CODECS - {"deflate"} else "", md5=md5)
    following = begin + allocated
    if following > file.size:
        words = f"{key} claims {allocated} bytes, and the file has {max(0, file.size - begin)} left"
        return StoredBlock(run, ("damaged", words)), None
    problem = None
    if used > allocated or (not codec and used != size):
        problem = ("damaged", f"{key} uses {used} of {allocated} bytes for {size}")
    elif codec not in CODECS - {"deflate"}:
        problem = ("unsupported", f"{key} is packed with {quote(codec)}, not with zlib, bzp2 or lz4")
    return StoredBlock(run, problem), following


def _padded(file: Ranges, start: int) -> int | None:
    """Where the padding behind the tree ends; null where the file does."""
    while True:
        raw = file.read(start, STEP)
        if not raw:
            return None
        rest = raw.lstrip(_PADDING)
        start += len(raw) - len(rest)
        if rest:
            return start


def _after_comments(raw: bytes) -> int:
    """Where the lines of the header end: they begin with #."""
    place = 0
    while raw[place : place + 1] == b"#":
        end = raw.find(b"\n", place)
        if end < 0:
            return len(raw)
        place = end + 1
    return place
