"""Chunks of Zarr that are files below the folder of an array: opened by handle, no link followed below the root.

The folders that were entered last stay open, since chunks lie close together: entering costs more than opening a file.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from vizschema.containers.bytes.sources import OpenFile, Source
from vizschema.containers.document import Unreadable
from vizschema.containers.values import ChunkDamaged
from vizschema.containers.zarr.folder import ENTER, OURS, READ

_KEPT = 32

Steps = tuple[str, ...]


class FolderHandles:
    """Handles of the folders below `root`, itself a handle, that were entered last; for many threads."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._held: OrderedDict[Steps, int] = OrderedDict()
        self._lock = threading.Lock()

    def entered(self, steps: Steps) -> int:
        """A handle of a folder, for the caller to close; raises `OSError` for what is none, links included."""
        with self._lock:
            held = self._held.get(steps) if steps else self._root
            if held is not None:
                if steps:
                    self._held.move_to_end(steps)
                return os.dup(held)
        above = self.entered(steps[:-1])
        try:
            folder = os.open(steps[-1], ENTER, dir_fd=above)
        finally:
            os.close(above)
        self._keep(steps, folder)
        return folder

    def _keep(self, steps: Steps, folder: int) -> None:
        with self._lock:
            if steps in self._held:
                return
            self._held[steps] = os.dup(folder)
            if len(self._held) > _KEPT:
                os.close(self._held.popitem(last=False)[1])

    def close(self) -> None:
        """Let go of all of them but the root."""
        with self._lock:
            while self._held:
                os.close(self._held.popitem()[1])


class FileChunks:
    """The chunks of the array in the folder `names` below the root of `folders`: opened by key, and listed."""

    def __init__(self, folders: FolderHandles, names: Sequence[str]) -> None:
        self._folders = folders
        self._names = tuple(names)

    def __call__(self, key: str) -> Source | None:
        """The file under a key, null where there is none; raises `ChunkDamaged` for a link and for what is no file."""
        *above, name = key.split("/")
        try:
            folder = self._folders.entered((*self._names, *above))
            try:
                fd = os.open(name, READ, dir_fd=folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in OURS:
                raise
            # A folder that is a link shows as none: the open neither follows it nor takes anything but a folder.
            linked = error.errno in (errno.ELOOP, errno.ENOTDIR)
            detail = "a symbolic link, which is never followed, or no folder" if linked else error.strerror
            raise ChunkDamaged("undecodable", f"it cannot be opened: {detail}") from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise ChunkDamaged("undecodable", "a folder, FIFO, socket or device, not a file")
        return OpenFile(fd, status.st_size)

    def members(self) -> Iterator[tuple[str, bool]]:
        """The name of every member, and whether it is a folder; in any order, and however many there are."""
        try:
            fd = self._folders.entered(self._names)
            try:
                with os.scandir(fd) as members:
                    for member in members:
                        yield member.name, member.is_dir(follow_symlinks=False)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno in OURS:
                raise
            raise Unreadable("damaged", f"it cannot be listed: {error.strerror}") from None

    def enter(self, name: str) -> FileChunks:
        """The folder of that name within this one."""
        return FileChunks(self._folders, (*self._names, name))

    def close(self) -> None:
        """Nothing: the handles let go of it."""
