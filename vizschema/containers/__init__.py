"""One module a container, behind one Protocol."""

from __future__ import annotations

import os
import stat
from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from vizschema.containers.base import Container, Limits
from vizschema.errors import NotAnArchive
from vizschema.text import escape_text, scheme_of, shorten

if TYPE_CHECKING:
    from vizschema.containers.remote.store import Remote

_HEAD = 2048
_HDF5 = b"\x89HDF\r\n\x1a\n"


Open = Callable[[str, Limits], Container]


class Recognised(NamedTuple):
    """An archive by its first bytes: its format and where its `store` is found out, and what opens it (imported)."""

    form: str
    store: Callable[[], str]
    open: Open

    @property
    def container(self) -> dict[str, Any]:
        """The `container` block, as far as can be told without opening; of a zip file, by its directory."""
        store = self.store()
        form = "zarr" if store == "zip" else self.form
        return {"format": form, "version": None, "store": store, "consolidated": False}


def open_container(path: str, limits: Limits = Limits()) -> Container:  # noqa: B008  (frozen)
    """The archive at `path`, recognised by its content; raises `NotAnArchive` with one clear sentence."""
    return recognise(path).open(path, limits)


def recognise(path: str) -> Recognised:
    """What the archive at `path` is, by its content; raises `NotAnArchive` with one clear sentence.

    A symbolic link that the caller names is followed; nothing in the path is expanded. A URL is told by its scheme.
    """
    if scheme_of(path) is not None:
        return Recognised("zarr", lambda: "remote", _remote())
    shown = shorten(escape_text(path), 300)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (a Path would normalise what the caller gave)
        if stat.S_ISDIR(mode):
            return Recognised("zarr", lambda: "directory", _zarr_directory())
        if not stat.S_ISREG(mode):
            raise NotAnArchive("neither a file nor a folder", path=shown)
        with open(path, "rb") as file:  # noqa: PTH123
            kind = _recognised(file)
    except (FileNotFoundError, NotADirectoryError):
        raise NotAnArchive("no such file or folder", path=shown) from None
    except OSError as error:
        raise NotAnArchive(error.strerror, path=shown) from None
    except ValueError as error:  # a null character in the path
        raise NotAnArchive(error, path=shown) from None
    if kind.load is None:
        raise NotAnArchive(kind.words, path=shown)
    store = (lambda: _store_in_zip(path)) if kind.load is _zip else (lambda: "file")
    return Recognised(kind.words, store, kind.load())


def _zarr_directory() -> Open:
    from vizschema.containers.zarr.directory import open_zarr_directory

    return open_zarr_directory


def _hdf5() -> Open:
    from vizschema.containers.hdf5.account import open_accounted

    return open_accounted


def _zip() -> Open:
    from vizschema.containers.in_zip import open_zip

    return open_zip


@cache
def borrow(shown: str, fd: int, lists: bool) -> Recognised:
    """What lies at a masked URL, where another process fetches, over the socket with this descriptor."""
    from vizschema.containers.by_url import open_connected
    from vizschema.containers.remote.relay import Borrowed
    from vizschema.containers.zarr.remote import ZarrRemote

    remote = Borrowed(fd, shown, lists=lists)
    kept: dict[Limits, Container] = {}

    def opened(url: str, limits: Limits) -> Container:
        """The archive; one of Zarr once for all requests, as its metadata are fetched when it is opened."""
        container = kept.get(limits) or open_connected(remote, url, limits, _recognised_head)
        if isinstance(container, ZarrRemote):
            kept[limits] = container
        return container

    return Recognised("zarr", lambda: "remote", opened)


def connect(url: str) -> Remote:
    """What lies at a URL, without a request; raises `UsageError`."""
    from vizschema.containers.by_url import connect as connected

    return connected(url)


def _remote() -> Open:
    from vizschema.containers.by_url import open_remote

    return lambda url, limits: open_remote(url, limits, _recognised_head)


def _recognised_head(head: bytes) -> tuple[str | None, str]:
    """The format of a file that begins so, null where nothing opens it; and words."""
    kind = _recognised(BytesIO(head))
    return None if kind.load is None else kind.words, kind.words


def _store_in_zip(path: str) -> str:
    from vizschema.containers.in_zip import store_in_zip

    return store_in_zip(path)


def _asdf() -> Open:
    from vizschema.containers.asdf.file import open_asdf

    return open_asdf


def _starts(*signatures: bytes) -> Callable[[IO[bytes], bytes], bool]:
    return lambda _, head: head.startswith(signatures)


def _has_hdf5_signature(file: IO[bytes], head: bytes) -> bool:
    """Whether the signature stands at 0, 512, 1024, 2048, … (HDF5 File Format 3.0, II.A)."""
    if head.startswith(_HDF5):
        return True
    offset, size = 512, file.seek(0, os.SEEK_END)
    while offset < size:
        file.seek(offset)
        if file.read(len(_HDF5)) == _HDF5:
            return True
        offset *= 2
    return False


def _is_text(_: IO[bytes], head: bytes) -> bool:
    try:
        getincrementaldecoder("utf-8")().decode(head)  # does not mind a last character that is cut
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


class _Kind(NamedTuple):
    """What a file can be: how to tell from its content, what opens it, and its format, or in words why nothing does."""

    matches: Callable[[IO[bytes], bytes], bool]
    load: Callable[[], Open] | None
    words: str


_FILES: Sequence[_Kind] = (
    _Kind(lambda _, head: not head, None, "an empty file"),
    _Kind(_has_hdf5_signature, _hdf5, "hdf5"),
    _Kind(_starts(b"PK\x03\x04", b"PK\x05\x06"), _zip, "npz"),
    _Kind(_starts(b"#ASDF "), _asdf, "asdf"),
    _Kind(_is_text, None, "a text file, not an archive"),
    _Kind(lambda _, __: True, None, "a file of no format that is known here"),
)
"""Every kind of file, the first that matches wins; before them come `others`, for what begins like none of these."""

_OURS = (b"PK", b"#ASDF ")


def _recognised(file: IO[bytes]) -> _Kind:
    head = file.read(_HEAD)
    # The first file in a tar file begins at 512, where HDF5 may begin behind a user block.
    packed = head[257:262] == b"ustar" and head[512:].startswith(_HDF5)
    if packed or not (head.startswith(_OURS) or _has_hdf5_signature(file, head)):
        from vizschema.containers.others import by_file

        words = by_file(file, head)
        if words is not None:
            return _Kind(_starts(b""), None, words)
    return next(kind for kind in _FILES if kind.matches(file, head))
