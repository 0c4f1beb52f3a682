"""The files of one archive: its file, or those below its folder, each opened by handle; no link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from vizschema.containers.base import is_path
from vizschema.containers.opening import open_container
from vizschema.containers.zarr.directory import FolderHandles
from vizschema.containers.zarr.folder import READ
from vizschema.errors import NotAnArchive, UsageError
from vizschema.text import archive_name, scheme_of

STEPS = 64
"""Steps of a path below the archive at most."""

LISTED = 100_000
"""Members of one folder that are listed at most."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file of `size` bytes; `owned` says that it is closed after it was read."""

    fd: int
    size: int
    owned: bool = True

    def close(self) -> None:
        """Close it if it is owned."""
        if self.owned:
            os.close(self.fd)


class Served:
    """An archive on this machine, held open: what its name stands for later makes no difference.

    Raises `NotAnArchive` for what is not an archive, `UsageError` for a URL.
    """

    def __init__(self, path: str) -> None:
        if scheme_of(path) is not None:
            raise UsageError(path=archive_name(path), expected="a file or a folder of this machine", found="a URL")
        open_container(path).close()
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise NotAnArchive(f"cannot be read: {error.strerror}", path=archive_name(path)) from error
        self.name = os.path.basename(os.path.abspath(path))  # noqa: PTH100, PTH119  (of links, the words alone count)
        self.folder = stat.S_ISDIR(os.fstat(self._fd).st_mode)
        self._folders = FolderHandles(self._fd)

    def close(self) -> None:
        """Let go of the archive."""
        self._folders.close()
        os.close(self._fd)

    def about(self) -> dict[str, Any]:
        """Return the name, whether it is a folder, and the size of a file."""
        size = None if self.folder else os.fstat(self._fd).st_size
        return {"name": self.name, "folder": self.folder, "size": size}

    def open(self, steps: Sequence[str]) -> Opened | None:
        """Return the file at `steps` below the archive, open; None for anything but a regular file."""
        if not self.folder:
            return None if steps else Opened(self._fd, os.fstat(self._fd).st_size, owned=False)
        if not _within(steps) or not steps:
            return None
        try:
            folder = self._folders.entered(tuple(steps[:-1]))
            try:
                fd = os.open(steps[-1], READ, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError:
            return None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            return None
        return Opened(fd, status.st_size)

    def list(self, steps: Sequence[str]) -> dict[str, Any] | None:
        """Return the names of the `folders`, and of the `files` with their sizes, in a folder; None if there is none.

        Links and all else are left out; so is what is past `LISTED` members, which `whole` says.
        """
        if not self.folder or not _within(steps):
            return None
        try:
            folder = self._folders.entered(tuple(steps))
        except OSError:
            return None
        folders: list[str] = []
        files: dict[str, int] = {}
        whole = True
        try:
            with closing(os.scandir(folder)) as members:
                for number, member in enumerate(members):
                    if number == LISTED:
                        whole = False
                        break
                    status = member.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(_shown(member.name))
                    elif stat.S_ISREG(status.st_mode):
                        files[_shown(member.name)] = status.st_size
        except OSError:
            return None
        finally:
            os.close(folder)
        return {"folders": sorted(folders), "files": {name: files[name] for name in sorted(files)}, "whole": whole}


def _shown(name: str) -> str:
    """A name as JSON has it; bytes that are not UTF-8 are replaced, and such a file cannot be asked for."""
    return name.encode("utf-8", "replace").decode()


def _within(steps: Sequence[str]) -> bool:
    """Whether steps lead to a place below the archive."""
    return len(steps) <= STEPS and is_path(steps) and not any("\0" in step or "/" in step for step in steps)
