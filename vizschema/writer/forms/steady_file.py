"""A file for libhdf5 that never fails: what the system refuses to write is kept in memory, and reported afterwards.

libhdf5 ends the process, or leaves it with broken handles, where a write fails while it closes an object. So it
gets no error; its caller asks after every call, and gives the file up.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class SteadyFile:
    """A new file at `path`, which must not exist, with the methods that h5py asks of a file object.

    After the first failure nothing more is written, and what would be is kept: a few MiB, if the caller asks in time.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._failure: BaseException | None = None
        self._kept: list[tuple[int, bytes]] = []
        self._place = 0
        self._end = 0

    def check(self) -> None:
        """Raise the first failure, as `OSError` where it was one of the system."""
        if self._failure is not None:
            raise self._failure

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset, from the start or from the end."""
        self._place = offset + (self._end if whence == 2 else 0)
        return self._place

    def tell(self) -> int:
        """Return the offset."""
        return self._place

    def write(self, data: Any) -> int:
        """Write all of `data`, or keep it."""
        view = memoryview(data).cast("B")
        try:
            self._write(view)
        except BaseException as error:  # noqa: BLE001  (raised by `check`)
            self._failure = self._failure or error
            self._kept.append((self._place, bytes(view)))
        self._place += len(view)
        self._end = max(self._end, self._place)
        return len(view)

    def _write(self, view: memoryview) -> None:
        if self._failure is not None:
            raise self._failure
        done = 0
        while done < len(view):
            done += os.pwrite(self._file, view[done:], self._place + done)

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; h5py tells by this method that it has a file."""
        found = bytearray(size)
        self.readinto(found)
        return bytes(found)

    def readinto(self, target: Any) -> int:
        """Read into `target` what was written, kept parts too."""
        view = memoryview(target).cast("B")
        start, end = self._place, self._place + len(view)
        view[:] = bytes(len(view))
        try:
            self._read(view)
        except BaseException as error:  # noqa: BLE001  (raised by `check`)
            self._failure = self._failure or error
        for at, kept in self._kept:
            first, last = max(start, at), min(end, at + len(kept))
            if first < last:
                view[first - start : last - start] = kept[first - at : last - at]
        self._place = end
        return len(view)

    def _read(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            count = os.preadv(self._file, [view[done:]], self._place + done)
            if not count:  # past what is on the disk
                return
            done += count

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file."""
        self._end = self._place if size is None else size
        try:
            if self._failure is None:
                os.ftruncate(self._file, self._end)
        except BaseException as error:  # noqa: BLE001  (raised by `check`)
            self._failure = error
        return self._end

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
