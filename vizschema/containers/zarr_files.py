"""Chunks of Zarr that are files below the folder of an array."""

from __future__ import annotations

from typing import Protocol

from vizschema.containers.sources import OpenFile, Source, Undecoded
from vizschema.containers.zarr_json import Unreadable


class Files(Protocol):
    """A folder that opens files below it."""

    def open_below(self, key: str) -> tuple[int, int] | None:
        """(handle, bytes) of the file `a/b/c` below, null where there is none; raises `Unreadable`."""


class FileChunks:
    """Opens the chunks of the array at `path` below a folder. Holds nothing open: there may be many arrays."""

    def __init__(self, folder: Files, path: str) -> None:
        self._folder = folder
        self._above = f"{path}/" if path else ""

    def __call__(self, key: str) -> Source | None:
        """The file under a key, null where there is none; raises `Undecoded` for a link and for what is no file."""
        try:
            opened = self._folder.open_below(self._above + key)
        except Unreadable as unreadable:
            raise Undecoded("undecodable", unreadable.detail) from None
        return None if opened is None else OpenFile(*opened)
