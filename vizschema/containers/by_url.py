"""Archives by URL: which backend speaks the scheme, whether Zarr or a file lies there, and what opens it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vizschema.containers.base import Container, Limits, Watch, unwatched
from vizschema.containers.remote.files import BLOCK, RemoteRanges, SeekableFile, open_ranges
from vizschema.containers.remote.store import Missing, Patience, Remote, Wire, WiredRemote
from vizschema.containers.zarr.remote import open_zarr_remote
from vizschema.description import Node
from vizschema.errors import NotAnArchive, UsageError
from vizschema.text import escape_text, masked, scheme_of, shorten

if TYPE_CHECKING:
    from vizschema.containers.values import Values

FILES = (".h5", ".hdf5", ".hdf", ".he5", ".nc", ".nc4", ".npz", ".asdf", ".zip", ".npy", ".keras")
"""Names that end like this are looked at as one file first."""


Recognise = Callable[[bytes], tuple[str | None, str]]
"""From the first bytes of a file to its format, or null and in words why nothing opens it."""


def open_remote(
    url: str,
    limits: Limits,
    recognise: Recognise,
    patience: Patience = Patience(),  # noqa: B008  (frozen)
) -> Container:
    """The archive at a URL; raises `NotAnArchive`, and `UsageError` where the backend is not installed."""
    return open_connected(connect(url, patience), url, limits, recognise)


def open_connected(remote: Remote, url: str, limits: Limits, recognise: Recognise) -> Container:
    """The archive behind a connection, which is closed with it."""
    try:
        ways: list[Callable[[], Container | Missing]] = [
            lambda: open_zarr_remote(remote, limits),
            lambda: _open_file(remote, limits, recognise),
        ]
        if urlsplit(url).path.lower().endswith(FILES):
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


def connect(url: str, patience: Patience = Patience()) -> Remote:  # noqa: B008  (frozen)
    """What lies at a URL, without a request; raises `UsageError`."""
    shown = shorten(escape_text(masked(url)), 300)
    scheme = scheme_of(url)
    if scheme is None or scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        raise UsageError(path=shown, expected=f"a path or a URL with {known}", found=f"{scheme}://")
    modules, load = _BACKENDS[scheme]
    lacking = [name for name in modules if importlib.util.find_spec(name) is None]
    if lacking:
        raise UsageError(
            (
                f"reading {scheme}:// needs {', '.join(lacking)}: install the extra `remote` (in a copy "
                "of the repository: pip install '.[remote]')"
            ),
            path=shown,
        )
    parts = urlsplit(url)
    if not parts.netloc.rpartition("@")[2] and scheme != "memory":
        raise UsageError(f"names no {('host' if scheme.startswith('http') else 'bucket')}", path=shown)
    if not scheme.startswith("http") and ("@" in parts.netloc or ":" in parts.netloc):
        raise UsageError(f"credentials in a URL of {scheme}:// are not used: set them as its tools do", path=shown)
    from fsspec.asyn import get_loop

    _hush()
    try:
        wire = load()(f"{scheme}{url[len(scheme) :]}", patience)
    except UsageError as error:
        raise UsageError(error, path=shown) from None
    return WiredRemote(wire, shown, patience, get_loop())


def _hush() -> None:
    """Keeps what the backends log off the terminal, unless somebody asked for it."""
    for name in ("aiohttp", "fsspec"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            logger.addHandler(logging.NullHandler())


def _http() -> Callable[[str, Patience], Wire]:
    from vizschema.containers.remote.http import HttpWire

    return HttpWire


def _objects() -> Callable[[str, Patience], Wire]:
    from vizschema.containers.remote.objects import ObjectsWire

    return ObjectsWire


_BACKENDS: Mapping[str, tuple[Sequence[str], Callable[[], Callable[[str, Patience], Wire]]]] = {
    **dict.fromkeys(("s3", "s3a", "gs", "gcs", "az"), (("aiohttp", "fsspec", "obstore"), _objects)),
    **dict.fromkeys(("https", "http"), (("aiohttp", "fsspec"), _http)),
    "memory": (("aiohttp", "fsspec", "obstore"), _objects),
}


class RemoteFile:
    """An archive in one remote file, as a `Container`; `watched` is what a library reads through, if one does."""

    def __init__(self, inner: Container, remote: Remote, watched: SeekableFile | None = None) -> None:
        self._inner = inner
        self._remote = remote
        self._watched = watched

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        return {**self._inner.identity(), "store": "remote"}

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once; raises `NotAnArchive` where the network failed, which is no damage of the archive."""
        for place, node in self._inner.nodes(watch):
            self._require_network()
            yield place, node
        self._require_network()

    def values(self, path: str) -> Values:
        """The values of the array at `path`; reading raises `NotAnArchive` where the network failed."""
        if self._watched is None:
            return self._inner.values(path)
        from vizschema.containers.zarr.ahead import WatchedValues

        return WatchedValues(self._inner.values(path), self._require_network)

    def close(self) -> None:
        """Let go of the file and of every connection."""
        self._inner.close()
        self._remote.close()

    def _require_network(self) -> None:
        if self._watched is not None and self._watched.failure is not None:
            raise self._watched.failure


def _open_file(remote: Remote, limits: Limits, recognise: Recognise) -> Container | Missing:
    found = open_ranges(remote, "")
    if isinstance(found, Missing):
        return found
    # By its first block: a user block of HDF5 that is longer would cost a request for every power of two.
    form, words = recognise(found.read(0, BLOCK))
    if form is None:
        raise NotAnArchive(words, path=remote.shown)
    return _OPENERS[form](found, remote, limits)


def _open_zip(file: RemoteRanges, remote: Remote, limits: Limits) -> Container:
    from vizschema.containers.in_zip import open_zip_ranges

    return RemoteFile(open_zip_ranges(file, remote.shown, limits), remote)


def _open_hdf5(file: RemoteRanges, remote: Remote, limits: Limits) -> Container:
    from vizschema.containers.hdf5.account import hdf5_readings
    from vizschema.containers.hdf5.file import open_hdf5_stream

    seekable = SeekableFile(file)
    try:
        inner = open_hdf5_stream(seekable, remote.shown, limits)
        inner.readings = hdf5_readings(file)
    except NotAnArchive:
        if seekable.failure is not None:
            raise seekable.failure from None
        raise
    return RemoteFile(inner, remote, seekable)


def _open_asdf(file: RemoteRanges, remote: Remote, limits: Limits) -> Container:
    from vizschema.containers.asdf.file import open_asdf_ranges

    return RemoteFile(open_asdf_ranges(file, remote.shown, limits), remote)


_OPENERS: Mapping[str, Callable[[RemoteRanges, Remote, Limits], Container]] = {
    "npz": _open_zip,
    "hdf5": _open_hdf5,
    "asdf": _open_asdf,
}
