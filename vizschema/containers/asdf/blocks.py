"""The frame of an ASDF file: its header, where its tree lies, and its blocks, each held against the file's size.

Source: ASDF Standard 1.6, "Low-level file layout". The block index at the end is not needed, and never trusted: what it
says is compared in `account.py`.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from vizschema.containers.base import Limits, Unreadable, quote
from vizschema.containers.bytes.packed import CODECS, STEP, Run
from vizschema.containers.bytes.ranges import Ranges

MAGIC = b"\xd3BLK"
STANDARDS = tuple(f"1.{minor}.0" for minor in range(7))
"""The versions of the ASDF Standard; the last one gives ndarrays another tag than those before it."""

_HEADER = struct.Struct(">I4sQQQ16s")
_STREAMED = 1
_END = re.compile(rb"\r?\n\.\.\.(?:\r?\n|$)")
_FIRST = re.compile(rb"#ASDF[ \t]+(\S+)[ \t]*(?:\r?\n|$)")
_STANDARD = re.compile(rb"#[ \t]*ASDF_STANDARD[ \t]+(\S+)[ \t]*")
_VERSION = re.compile(rb"[0-9]+\.[0-9]+\.[0-9]+(?:[-+].*)?")
PADDING = b"\0 \t\r\n"


class Frame(NamedTuple):
    """The bytes of the tree (none where there is no tree), where blocks may begin, and the version of the standard."""

    tree: bytes
    blocks: int
    standard: str = STANDARDS[0]


class StoredBlock(NamedTuple):
    """A block: its decoded bytes as a run, or the reason and the words for which it is never read; its place."""

    run: Run
    problem: tuple[str, str] | None = None
    place: int = 0


class Blocks(NamedTuple):
    """Every block, and where the last one ends; None where that is not known, or where the file does."""

    stored: list[StoredBlock]
    end: int | None


def read_frame(file: Ranges, limits: Limits) -> Frame:
    """Where things lie; raises `Unreadable` where the tree does not end, or not within the limit."""
    raw = file.read(0, min(file.size, STEP))
    begin, standard = _header(raw)
    if not raw.startswith(b"%YAML", begin):
        return Frame(b"", begin, standard)
    while True:
        end = _END.search(raw, begin)
        if end is not None and end.end() <= limits.tree_bytes:
            return Frame(raw[begin : end.end()], end.end(), standard)
        if end is not None or len(raw) >= limits.tree_bytes:
            raise Unreadable("over-limit", f"the tree has more than {limits.tree_bytes} bytes")
        more = file.read(len(raw), min(STEP, limits.tree_bytes - len(raw), max(0, file.size - len(raw))))
        if not more:
            raise Unreadable("damaged", "the tree has no end: the file was cut")
        raw += more


def _header(raw: bytes) -> tuple[int, str]:
    """Where the tree or the first block begins, behind lines of comments, and the version of the standard."""
    first = _FIRST.match(raw)
    if first is None:
        raise Unreadable("metadata-malformed", f"the first line: expected #ASDF 1.0.0, found {quote(_line(raw))}")
    if first[1] != b"1.0.0":
        raise Unreadable("unsupported", f"the file format: expected version 1.0.0, found {quote(_text(first[1]))}")
    places = [place for place in (raw.find(b"%YAML"), raw.find(MAGIC)) if place >= 0]
    begin = min(places, default=len(raw))
    lines = raw[first.end() : begin].splitlines(keepends=True)
    for number, line in enumerate(lines, 2):
        if not line.startswith(b"#") or (places and not line.endswith((b"\n", b"\r"))):
            raise Unreadable(
                "metadata-malformed", f"line {number}: expected a comment (#) or %YAML, found {quote(_line(line))}"
            )
    versions = [match[1] for match in (_STANDARD.fullmatch(line.strip()) for line in lines) if match is not None]
    version = _text(next((each for each in versions if _VERSION.fullmatch(each)), STANDARDS[0].encode()))
    if version not in STANDARDS:
        known = f"version {STANDARDS[0]} to {STANDARDS[-1]}"
        raise Unreadable("unsupported", f"the ASDF Standard: expected {known}, found {quote(version)}")
    return begin, version


def _line(raw: bytes) -> str:
    return _text(raw[:80].partition(b"\n")[0])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def read_blocks(file: Ranges, start: int, limits: Limits) -> Blocks:
    """Every block from `start` on, up to one that is cut; raises `Unreadable` past the limit on nodes."""
    stored: list[StoredBlock] = []
    place = _padded(file, start)
    while place is not None:
        raw = file.read(place, 6 + _HEADER.size)
        if len(raw) < 4 or raw[:4] != MAGIC:
            break
        block, following = _block(file, place, raw, len(stored))
        stored.append(block._replace(place=place))
        place = following
        if len(stored) > limits.nodes:
            raise Unreadable("over-limit", f"more than {limits.nodes} blocks")
    return Blocks(stored, place)


def _block(file: Ranges, place: int, raw: bytes, number: int) -> tuple[StoredBlock, int | None]:
    """The block at `place`, and where the next one would be; None if nothing can follow."""
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
        if any(compression):
            return StoredBlock(nowhere, ("damaged", f"{key} is streamed, and says that it is packed")), None
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
    """Where the padding behind the tree ends; None if the file does."""
    while True:
        raw = file.read(start, STEP)
        if not raw:
            return None
        rest = raw.lstrip(PADDING)
        start += len(raw) - len(rest)
        if rest:
            return start
