"""The file under an HDF5 archive: found, not being written, and opened by libhdf5 for this reader alone.

By its usual driver it would share a file that this process has open, or refuse it for other settings. Files of another
driver are others to it: that of C's stdio, or, where some file is open already, one that reads through a Python object.
"""

from __future__ import annotations

import fcntl
import io
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from h5py import h5f, h5fd, h5p

from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.types import LIBRARY_ERRORS
from vizschema.errors import NotAnArchive
from vizschema.text import escape_text, shorten

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WITH_FLAGS = 3
"""The version of the superblock whose twelfth byte says whether a writer has the file open (II.A, version 3)."""

CHUNK_CACHE = 1 << 20
"""Bytes of the chunk of a dataset that libhdf5 holds while it reads: of a larger one it reads each row for itself."""

LOCKED = "a writer has the file open; close it"
MARKED = "a writer has the file open, or ended without closing it; close it, or run `h5clear -s FILE`"


class Opened(NamedTuple):
    """An open file: libhdf5's handle, the stream below it, its descriptor where positions are those of the file.

    Where a writer has it open, `written` says so in words, and there is no handle.
    """

    file: Any
    stream: Any
    fd: int | None
    written: str | None


class Plain(io.FileIO):
    """A file that gives as many bytes as are asked for: zeros past its end, as libhdf5's own driver does."""

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`."""
        length = len(buffer)
        done = super().readinto(buffer) or 0
        while done < length:
            more = super().readinto(memoryview(buffer)[done:])
            if not more:
                memoryview(buffer)[done:] = bytes(length - done)
                break
            done += more
        return length


def open_path(path: str) -> Opened:
    """The file at `path`, which the caller closes; raises `NotAnArchive` where there is no HDF5 file."""
    shown = _shown(path)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise NotAnArchive("not a regular file, so not an HDF5 file", path=shown)
        stream = Plain(path)
    except (OSError, ValueError) as error:
        raise NotAnArchive(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=shown) from error
    try:
        alone = not h5f.get_obj_count(h5f.OBJ_ALL, h5f.OBJ_FILE)
        opened = open_stream(stream, shown, LOCKED if _locked(stream.fileno()) else None, path if alone else None)
    except BaseException:
        stream.close()
        raise
    plain = opened.file is not None and not opened.file.get_create_plist().get_userblock()
    return opened._replace(fd=stream.fileno() if plain else None)


def open_stream(stream: Any, shown: str, written: str | None = None, path: str | None = None) -> Opened:
    """The HDF5 file in an open binary file that seeks; `shown` is its name. Raises `NotAnArchive`.

    libhdf5 reads the file at `path` itself, where it can: many small nodes take two thirds of the time.
    """
    try:
        written = _mark(stream, shown) or written
    except OSError as error:
        raise NotAnArchive(f"cannot be read: {error.strerror or error}", path=shown) from error
    if written is not None:
        return Opened(None, stream, None, written)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_cache(0, 1, CHUNK_CACHE, 0.75)  # of one chunk: the usual table alone is 64 KiB for every open dataset
    if path is not None and hasattr(access, "set_file_locking"):
        access.set_fapl_stdio()
        access.set_file_locking(False, True)  # no writer is kept from beginning
        with suppress(*LIBRARY_ERRORS):  # said below: this driver forgets what was wrong
            return Opened(h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=access), stream, None, None)
    access.set_fileobj_driver(h5fd.fileobj_driver, stream)
    try:
        return Opened(h5f.open(b"%d" % id(stream), h5f.ACC_RDONLY, fapl=access), stream, None, None)
    except LIBRARY_ERRORS as error:
        raise NotAnArchive(f"an HDF5 file that cannot be opened: {message(error)}", path=shown) from None


def _mark(stream: Any, shown: str) -> str | None:
    """What the superblock says of a writer; raises `NotAnArchive` without a signature at 0, 512, 1024, … (II.A)."""
    size = stream.seek(0, os.SEEK_END)
    offset = 0
    while offset < size:
        stream.seek(offset)
        head = stream.read(12)
        if head.startswith(SIGNATURE):
            return MARKED if len(head) == 12 and head[8] >= _WITH_FLAGS and head[11] else None
        offset = max(512, 2 * offset)
    stream.seek(0)
    found = f"{size} bytes that begin with {_shown(stream.read(16))}" if size else "an empty file"
    raise NotAnArchive(f"no HDF5 signature; found {found}", path=shown)


def _locked(fd: int) -> bool:
    """Whether a writer, in whichever process, holds the lock that libhdf5 takes before it writes.

    The lock that it excludes is let go of at once, so that no writer is kept from beginning.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _shown(text: str | bytes) -> str:
    decoded = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    return shorten(escape_text(decoded))
