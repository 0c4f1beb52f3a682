"""Archives by URL: which backend speaks the scheme, whether Zarr or a file lies there, and what opens it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from vizschema.containers.base import Container, Limits
from vizschema.containers.formats import FOLDER, SUFFIXES, found_in, loaded
from vizschema.containers.remote.files import BLOCK, open_ranges
from vizschema.containers.remote.store import Missing, Remote, RetryingRemote, Timeouts
from vizschema.containers.zarr.remote import open_zarr_remote
from vizschema.errors import NotAnArchive, UsageError, require
from vizschema.text import escape_text, masked, scheme_of, shorten


def open_remote(
    url: str,
    limits: Limits,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  (frozen)
) -> Container:
    """The archive at a URL; raises `NotAnArchive`, and `UsageError` where the backend is not installed."""
    return open_connected(connect(url, timeouts), url, limits)


def open_connected(remote: Remote, url: str, limits: Limits) -> Container:
    """The archive behind a connection, which is closed with it."""
    try:
        ways: list[Callable[[], Container | Missing]] = [
            lambda: open_zarr_remote(remote, limits),
            lambda: _open_file(remote, limits),
        ]
        if urlsplit(url).path.lower().endswith(_FILES):
            ways.reverse()
        missing = []
        for way in ways:
            found = way()
            if not isinstance(found, Missing):
                return found
            missing.append(found)
        if Missing.DENIED in missing:
            raise NotAnArchive(
                f"{Missing.DENIED.value}: check the credentials, and what they may read", path=remote.shown
            )
        raise NotAnArchive(f"{Missing.ABSENT.value}: no file, and no Zarr metadata below it", path=remote.shown)
    except BaseException:
        remote.close()
        raise


def connect(url: str, timeouts: Timeouts = Timeouts()) -> Remote:  # noqa: B008  (frozen)
    """What lies at a URL, without a request; raises `UsageError`."""
    shown = shorten(escape_text(masked(url)), 300)
    scheme = scheme_of(url)
    if scheme is None or scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        raise UsageError(path=shown, expected=f"a path or a URL with {known}", found=f"{scheme}://")
    modules, place = _BACKENDS[scheme]
    require(shown, *modules)
    parts = urlsplit(url)
    if not parts.netloc.rpartition("@")[2] and scheme != "memory":
        raise UsageError(f"names no {('host' if scheme.startswith('http') else 'bucket')}", path=shown)
    if not scheme.startswith("http") and ("@" in parts.netloc or ":" in parts.netloc):
        raise UsageError(f"credentials in a URL of {scheme}:// are not used: set them as its tools do", path=shown)
    from fsspec.asyn import get_loop

    _hush()
    try:
        transport = loaded(place)(f"{scheme}{url[len(scheme) :]}", timeouts)
    except UsageError as error:
        raise UsageError(error, path=shown) from None
    return RetryingRemote(transport, shown, timeouts, get_loop())


def _hush() -> None:
    """Keeps what the backends log off the terminal, unless somebody asked for it."""
    for name in ("aiohttp", "fsspec"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            logger.addHandler(logging.NullHandler())


_FILES = tuple(SUFFIXES - set(FOLDER.suffixes))
"""Names that end like this are looked at as one file first."""

_OBJECTS = ("aiohttp", "fsspec", "obstore"), "vizschema.containers.remote.objects:ObjectsTransport"
_HTTP = ("aiohttp", "fsspec"), "vizschema.containers.remote.http:HttpTransport"
_BACKENDS: Mapping[str, tuple[Sequence[str], str]] = {
    **dict.fromkeys(("s3", "s3a", "gs", "gcs", "az"), _OBJECTS),
    **dict.fromkeys(("https", "http"), _HTTP),
    "memory": _OBJECTS,
}
"""The modules that a scheme needs, and what speaks it."""


class RemoteFile:
    """An archive in one remote file, as a `Container`."""

    def __init__(self, inner: Container, remote: Remote) -> None:
        self._inner = inner
        self._remote = remote
        self.nodes = inner.nodes
        self.values = inner.values

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        return {**self._inner.identity(), "store": "remote"}

    def close(self) -> None:
        """Let go of the file and of every connection."""
        self._inner.close()
        self._remote.close()


def _open_file(remote: Remote, limits: Limits) -> Container | Missing:
    file = open_ranges(remote, "")
    if isinstance(file, Missing):
        return file
    # By its first block: a user block of HDF5 that is longer would cost a request for every power of two.
    found = found_in(BytesIO(file.read(0, BLOCK)))
    if isinstance(found, str):
        raise NotAnArchive(found, path=remote.shown)
    if found[0].open_ranges is None:
        raise NotAnArchive(f"{found[0].shown} is not read over the network: download it first", path=remote.shown)
    return RemoteFile(loaded(found[0].open_ranges)(file, remote.shown, limits), remote)
