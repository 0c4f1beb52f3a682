"""Where the bytes of a chunk come from, and the buffers that they are read and decoded into. Decodes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vizschema.containers.bytes.ranges import fill
from vizschema.containers.values import ChunkDamaged

Bytes = npt.NDArray[np.uint8]

_KEPT = 64 << 20


class Buffer:
    """Memory that is used again and again, at first what is given, and grows with what is asked of it."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Bytes | None = None) -> None:
        self._memory: Bytes = np.empty(0, np.uint8) if memory is None else memory

    def sized(self, size: int) -> Bytes:
        """`size` bytes of it, holding anything; what was taken before is overwritten."""
        if size > self._memory.size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size]

    def holds(self, data: Bytes) -> bool:
        """Whether a byte of `data` lies in it."""
        return bool(np.may_share_memory(self._memory, data))

    @property
    def capacity(self) -> int:
        """How many bytes it holds."""
        return self._memory.size


class Buffers:
    """The buffers of one reader: for what is stored, and two that decoders fill in turn."""

    __slots__ = ("_turns", "encoded")

    def __init__(self) -> None:
        self.encoded = Buffer()
        self._turns = (Buffer(), Buffer())

    def free(self, data: Bytes) -> Buffer:
        """A buffer in which `data` does not lie."""
        first, second = self._turns
        return second if first.holds(data) else first

    @property
    def capacity(self) -> int:
        """How many bytes all of them hold."""
        first, second = self._turns
        return self.encoded.capacity + first.capacity + second.capacity


class BufferPool:
    """Pool of buffers, one set per concurrent reader."""

    def __init__(self) -> None:
        self._free: list[Buffers] = []

    def borrowed(self) -> _Borrowed:
        """Borrow an exclusive buffer (context manager); large buffers are freed afterwards."""
        return _Borrowed(self._free)


class _Borrowed:
    """Buffers taken from `free` and put back at the end; a generator would cost more than the rest."""

    __slots__ = ("_buffers", "_free")

    def __init__(self, free: list[Buffers]) -> None:
        self._free = free

    def __enter__(self) -> Buffers:
        try:
            self._buffers = self._free.pop()
        except IndexError:
            self._buffers = Buffers()
        return self._buffers

    def __exit__(self, *_: object) -> None:
        if self._buffers.capacity <= _KEPT:
            self._free.append(self._buffers)


class Source(Protocol):
    """The stored bytes under one key; `size` is how many there are."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`, in `buffer` or where they lie; raises `ChunkDamaged` where there are fewer."""

    def close(self) -> None:
        """Let go of it."""


Opener = Callable[[str], Source | None]
"""From a key to its source, None where there is none; raises `ChunkDamaged` for what is not a regular file."""


class Held:
    """Bytes in memory, as a `Source`."""

    def __init__(self, data: Any) -> None:
        self._data: Bytes = np.frombuffer(data, np.uint8)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._data.size

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:  # noqa: ARG002  (a `Source`)
        """`length` bytes from `start`."""
        part = self._data[start : start + length]
        require_length(part.size, length)
        return part

    def close(self) -> None:
        """Do nothing."""


class OpenFile:
    """A range of an open file, as a `Source`; `close` closes the file where it is `owned`."""

    def __init__(self, fd: int, size: int, start: int = 0, *, owned: bool = True) -> None:
        self._fd = fd
        self._start = start
        self._size = size
        self._owned = owned

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._size

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`, read into `buffer`."""
        part = buffer.sized(length)
        try:
            done = fill(self._fd, self._start + start, part.data)
        except OSError as error:
            raise ChunkDamaged("undecodable", f"it cannot be read: {error.strerror}") from None
        require_length(done, length)
        return part

    def close(self) -> None:
        """Let go of the file."""
        if self._owned:
            os.close(self._fd)


class Window:
    """A part of another source, which stays open, as a `Source`."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self._size = size

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._size

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`."""
        require_length(min(length, self._size - start), length)
        return self._source.take(self._start + start, length, buffer)

    def close(self) -> None:
        """Do nothing: the opener of the whole closes it."""


def opener_of(get: Callable[[str], bytes | None]) -> Opener:
    """An opener over a store that gives whole values only, which has to mind their sizes itself."""

    def opened(key: str) -> Source | None:
        data = get(key)
        return None if data is None else Held(data)

    return opened


def require_length(found: int, expected: int) -> None:
    """Raise `ChunkDamaged` if there are fewer bytes than expected."""
    if found < expected:
        raise ChunkDamaged("truncated", f"expected {expected} bytes, found {max(found, 0)}")


def as_bytes(decoded: Any) -> Bytes:
    """The bytes of anything with a buffer, not copied where they lie in a row."""
    if isinstance(decoded, np.ndarray):
        return np.ascontiguousarray(decoded).reshape(-1).view(np.uint8)
    return np.frombuffer(decoded, np.uint8)
