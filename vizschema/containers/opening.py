"""An archive, recognised by its content and opened: in a folder or file, or behind a URL."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vizschema.containers.base import Container, Limits
from vizschema.containers.bytes.ranges import open_file
from vizschema.containers.formats import FOLDER, REMOTE, Format, found_in, loaded
from vizschema.errors import NotAnArchive, not_readable
from vizschema.text import escape_text, scheme_of, shorten

if TYPE_CHECKING:
    from vizschema.containers.remote.store import Remote

Open = Callable[[str, Limits], Container]


class Recognised(NamedTuple):
    """An archive by its first bytes: the formats that it may be of, its path, and what opens it (imported)."""

    formats: Sequence[Format]
    path: str
    open: Open

    @property
    def form(self) -> str:
        """The name of its format."""
        return self.formats[0].name

    @property
    def container(self) -> dict[str, Any]:
        """The `container` block, as far as it is known without opening; of a zip file, by its directory."""
        told = (each for each in self.formats if each.told is None or loaded(each.told)(self.path))
        return next(told).identity


def open_container(path: str, limits: Limits = Limits()) -> Container:  # noqa: B008  (frozen)
    """The archive at `path`, recognised by its content; raises `NotAnArchive` with one clear sentence."""
    return recognise(path).open(path, limits)


def recognise(path: str) -> Recognised:
    """What the archive at `path` is, by its content; raises `NotAnArchive` with one clear sentence.

    A symbolic link that the caller names is followed; nothing in the path is expanded. A URL has a scheme.
    """
    if scheme_of(path) is not None:
        return _recognised([REMOTE], path)
    shown = shorten(escape_text(path), 300)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (a Path would normalise what the caller gave)
        if stat.S_ISDIR(mode):
            return _recognised([FOLDER], path)
        if not stat.S_ISREG(mode):
            raise NotAnArchive("neither a file nor a folder", path=shown)
        with open(path, "rb") as file:  # noqa: PTH123
            found = found_in(file)
    except (FileNotFoundError, NotADirectoryError):
        raise NotAnArchive("no such file or folder", path=shown) from None
    except OSError as error:
        raise not_readable(shown, error) from None
    except ValueError as error:  # a null character in the path
        raise NotAnArchive(error, path=shown) from None
    if isinstance(found, str):
        raise NotAnArchive(found, path=shown)
    return _recognised(found, path)


def _recognised(formats: Sequence[Format], path: str) -> Recognised:
    form = formats[0]
    if form.open is not None:
        return Recognised(formats, path, loaded(form.open))
    open_ranges = loaded(str(form.open_ranges))
    return Recognised(formats, path, lambda path, limits: open_ranges(open_file(path), path, limits))


def borrow(shown: str, fd: int, lists: bool) -> Recognised:
    """What lies at a masked URL, where another process fetches, over the socket with this descriptor."""
    from vizschema.containers.by_url import open_connected
    from vizschema.containers.remote.relay import Borrowed

    remote = Borrowed(fd, shown, lists=lists)
    return Recognised([REMOTE], shown, lambda url, limits: open_connected(remote, url, limits))


def connect(url: str) -> Remote:
    """What lies at a URL, without a request; raises `UsageError`."""
    from vizschema.containers.by_url import connect as connected

    return connected(url)
