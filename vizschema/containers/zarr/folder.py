"""What a store of Zarr gives to the walk: folders, their members, and the documents in them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol

FOLDER, FILE = "folder", "file"
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
ENTER = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
"""How a file and a folder of the file system are opened: no link is followed."""

OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing of the archive."""

DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"})


class Entry(NamedTuple):
    """A member of a folder: `what` is `folder`, `file`, or the reason for which it is a node that is never opened."""

    name: str
    what: str
    detail: str = ""


class Folder(Protocol):
    """A folder of a store, open. Any method but `close` may raise `Unreadable`."""

    def read(self, name: str, limit: int) -> bytes | None:
        """The document of that name, None if there is none; past `limit` bytes it is `over-limit`."""

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""

    def entries(self) -> Sequence[Entry]:
        """Every member, sorted by name."""

    def named(self, shown: str) -> str:
        """The name of the member that a description shows as `shown`."""

    def enter(self, name: str) -> Folder:
        """The folder of that name within this one."""

    def close(self) -> None:
        """Let go of the folder."""
