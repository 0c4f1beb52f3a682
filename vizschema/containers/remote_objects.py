"""Google Cloud Storage and memory through the file systems of fsspec, in ranges of bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import fsspec
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from vizschema.containers.remote_failures import PastTheEnd, told
from vizschema.containers.remote_store import Answer, Missing, Part, Patience, Refused, Transient, put_off

FIRST = 64 << 20
"""Bytes of an object that are read before its size is known: these backends do not tell it along."""


class FilesWire:
    """What lies below a URL of any file system of fsspec, as a `Wire`.

    An object is read up to `FIRST` bytes by one request; the size of a larger one is asked for before more is read.
    """

    lists = True
    insists = True

    def __init__(self, url: str, patience: Patience) -> None:
        scheme, _, place = url.partition("://")
        files = _files(scheme)
        self._files = files if files.async_impl else AsyncFileSystemWrapper(files, asynchronous=False)
        self._root = files._strip_protocol(f"{scheme}://{place.rpartition('@')[2]}").rstrip("/")
        self._patience = patience
        self._size: int | None = None

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        path = f"{self._root}/{key}" if key else self._root
        try:
            with told():
                if start is None:
                    return await self._whole(path, most, clock)
                size = self._size if not key and self._size is not None else await self._asked(path)
                if not key:
                    self._size = size
                return Part(start, await self._read(path, start, min(start + most, size), clock), size)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return Missing.ABSENT
        except PermissionError:
            return Missing.DENIED
        except PastTheEnd:
            return Part(start or 0, b"", start or 0)

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the URL and the size of its object."""
        try:
            with told():
                found = await self._files._find(self._root, detail=True)
        except FileNotFoundError:
            return
        except PermissionError:
            raise Refused("its objects may not be listed (403): grant the right, or consolidate it") from None
        for name, entry in found.items():
            if name != self._root:
                yield name[len(self._root) + 1 :], int(entry["size"])

    async def close(self) -> None:
        """Nothing: fsspec keeps its connections for the next archive."""

    async def _whole(self, path: str, most: int, clock: asyncio.Timeout) -> Part:
        window = min(most, FIRST)
        put_off(clock, self._patience, window)
        data = bytes(await self._files._cat_file(path, start=0, end=window + 1))
        if len(data) <= window:
            return Part(0, data, len(data))
        size = await self._asked(path)
        if size > most:
            return Part(0, b"", size)
        return Part(0, data + await self._read(path, len(data), size, clock), size)

    async def _read(self, path: str, first: int, last: int, clock: asyncio.Timeout) -> bytes:
        """The bytes from `first` up to `last`."""
        if last <= first:
            return b""
        put_off(clock, self._patience, last - first)
        data = bytes(await self._files._cat_file(path, start=first, end=last))
        if len(data) != last - first:
            raise Transient(f"the answer has {len(data)} bytes, not the {last - first} that were promised")
        return data

    async def _asked(self, path: str) -> int:
        entry = await self._files._info(path)
        if entry["type"] != "file":
            raise FileNotFoundError
        return int(entry["size"])


def _files(scheme: str) -> Any:
    if scheme == "memory":
        return fsspec.filesystem("memory")
    from gcsfs.core import GCSFileSystem  # not the one that asks for the kind of every bucket first

    return GCSFileSystem(use_listings_cache=False)
