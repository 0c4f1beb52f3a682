"""Files that are read by ranges, from many threads: the seam below every container that is one file."""

from __future__ import annotations

import os
from typing import Protocol

from vizschema.errors import not_readable
from vizschema.text import escape_text, shorten


class Ranges(Protocol):
    """A file, open for reading; `read` and `fill` may be called from many threads."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, fewer than `length` only where the file ends; raises `OSError`."""

    def fill(self, offset: int, part: memoryview) -> int:
        """Put the bytes at `offset` into `part`; how many there were, fewer only where the file ends."""

    def close(self) -> None:
        """Let go of the file."""


def fill(fd: int, offset: int, part: memoryview) -> int:
    """Put the bytes of an open file at `offset` into `part`; how many there were, fewer only where the file ends."""
    done = 0
    while done < len(part):
        count = os.preadv(fd, [part[done:]], offset + done)
        if not count:
            break
        done += count
    return done


class FileRanges:
    """A file of the file system, as `Ranges`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, fewer than `length` only where the file ends."""
        parts = []
        while length > 0:
            part = os.pread(self._fd, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fill(self, offset: int, part: memoryview) -> int:
        """Put the bytes at `offset` into `part`; how many there were."""
        return fill(self._fd, offset, part)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_file(path: str) -> FileRanges:
    """The file at `path`; raises `NotAnArchive`."""
    try:
        return FileRanges(path)
    except OSError as error:
        raise not_readable(shorten(escape_text(path)), error) from None


class MemoryRanges:
    """Bytes in memory, as `Ranges`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, fewer than `length` only where they end."""
        return self._data[offset : offset + max(0, length)]

    def fill(self, offset: int, part: memoryview) -> int:
        """Put the bytes at `offset` into `part`; how many there were."""
        data = self.read(offset, len(part))
        part[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Do nothing."""
