"""A file on the network, read by ranges through a bounded cache of blocks; and the same as a file that seeks."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import Any

from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.remote.store import Missing, Part, Remote, place_of
from vizschema.errors import NotAnArchive

BLOCK = 64 << 10
"""Bytes that are fetched for a small read, and kept."""

KEPT = 512
"""Blocks that are kept of a file."""

AHEAD = 64
"""The most blocks that are fetched at once, for reads that follow one another."""

LARGE = 1 << 20
"""A read of this many bytes is fetched as it is, and not kept."""

WHOLE = 64 << 20
"""The largest file that is fetched whole, from a server that gives no ranges."""


class RemoteRanges:
    """The object under a key, as `Ranges`. A failure raises `NotAnArchive`: a network says nothing of the archive."""

    def __init__(self, remote: Remote, key: str, size: int, whole: bytes | None = None) -> None:
        self.size = size
        self._remote = remote
        self._key = key
        self._whole = whole
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        self._span = 1
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, fewer than `length` only where the file ends."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        if self._whole is not None:
            return self._whole[offset : offset + length]
        if length >= LARGE:
            return self._fetch(offset, length)
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        found = b"".join(self._block(number) for number in range(first, last + 1))
        return found[offset - first * BLOCK :][:length]

    def fill(self, offset: int, part: memoryview) -> int:
        """Put the bytes at `offset` into `part`; how many there were."""
        data = self.read(offset, len(part))
        part[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of what is kept; the connection is closed by the container."""
        self._blocks.clear()

    def keep(self, number: int, data: bytes) -> None:
        """Take what was fetched already for block `number` and those that follow."""
        with self._lock:
            for index in range(0, len(data), BLOCK):
                self._blocks[number + index // BLOCK] = data[index : index + BLOCK]
            while len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)

    def _block(self, number: int) -> bytes:
        with self._lock:
            kept = self._blocks.get(number)
            if kept is not None:
                self._blocks.move_to_end(number)
                return kept
            self._span = min(2 * self._span, AHEAD) if number == self._next else 1
            span = self._span
            self._next = number + span
        start = number * BLOCK
        data = self._fetch(start, min(span * BLOCK, self.size - start))
        self.keep(number, data)
        return data[:BLOCK]

    def _fetch(self, start: int, length: int) -> bytes:
        answer = self._remote.fetch(self._key, start, length)
        if isinstance(answer, Part) and answer.start == start and len(answer.data) == length:
            return answer.data
        raise NotAnArchive(_why(answer, start, length, self.size), path=place_of(self._remote.shown, self._key))


def open_ranges(remote: Remote, key: str) -> RemoteRanges | Missing:
    """The object under a key, by one request (two, where a server gives no ranges); raises `NotAnArchive`."""
    first = remote.fetch(key, 0, BLOCK)
    if isinstance(first, Missing):
        return first
    if first.data or not first.size:
        ranges = RemoteRanges(remote, key, first.size)
        ranges.keep(0, first.data)
        return ranges
    place = place_of(remote.shown, key)
    if first.size > WHOLE:
        raise NotAnArchive(
            (
                f"the server does not support byte ranges, and the file of {first.size} bytes exceeds the limit of "
                f"{WHOLE} for fetching it whole; download it first"
            ),
            path=place,
        )
    whole = remote.fetch(key, None, first.size)
    if isinstance(whole, Missing) or len(whole.data) != first.size:
        raise NotAnArchive("it changed while it was read", path=place)
    return RemoteRanges(remote, key, whole.size, whole.data)


class SeekableFile(io.RawIOBase):
    """`Ranges` as a file that seeks. `failure` keeps the first one: a library between makes something else of it."""

    def __init__(self, file: Ranges) -> None:
        super().__init__()
        self._file = file
        self._at = 0
        self.failure: NotAnArchive | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where the next read begins from now on."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """How many bytes were read into `buffer`."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._file.read(self._at, len(view))
        except NotAnArchive as failure:
            self.failure = self.failure or failure
            raise OSError("the network failed") from None
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def _why(answer: Part | Missing, start: int, length: int, size: int) -> str:
    if isinstance(answer, Missing):
        return f"it changed while it was read: now {answer.value}"
    if answer.start != start or (not answer.data and answer.size > length):
        return "the server no longer supports byte ranges"
    return f"expected {length} bytes at {start} of {size}, found {len(answer.data)}: it changed while it was read"
