"""A source as one tree: an archive, or a folder of archives and files. Links are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vizschema.containers.formats import FOLDER, SUFFIXES
from vizschema.containers.others import FOLDERS, by_names
from vizschema.errors import NotAnArchive, reads
from vizschema.sources import archives
from vizschema.sources.files import READERS
from vizschema.sources.item import Item, Tree
from vizschema.sources.shelf import Shelf
from vizschema.text import escape_name, escape_text

MAX_FILES = 10_000
"""Most files of a folder that is read as a source."""

MAX_DEPTH = 16
"""Most levels of folders."""

_ZARR = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
_ARCHIVES = SUFFIXES - set(FOLDER.suffixes)


@contextmanager
def opened(path: str) -> Iterator[Tree]:
    """The items of the source at `path` by path, sorted; raises `NotAnArchive` where it is neither archive nor folder.

    Files of a folder are the front part of the paths of what is in them, such as `/run/layer0.npz/attn`.
    """
    with Shelf() as shelf:
        with reads(path):
            found = _found(path, shelf)
        yield dict(sorted(found.items()))


def _found(path: str, shelf: Shelf) -> dict[str, Item]:
    root = Path(path)
    if root.is_dir() and not _is_zarr(root):
        items: Iterable[Item] = _folder(root, shelf)
    elif root.suffix in READERS and root.is_file():
        items = READERS[root.suffix](root, "", shelf)
    else:
        items = archives.items_of(path, "", shelf)
    found: dict[str, Item] = {}
    for item in items:
        twice = Item(item.path, "object", reason="two nodes have this path")
        found[item.path] = twice if item.path in found else item
    if root.is_dir() and all(item.kind in ("group", "file") and not item.attributes for item in found.values()):
        words = by_names([path.rpartition("/")[2] for path in found], FOLDERS)
        if words is not None:
            raise NotAnArchive(words, path=path)
    return found


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _ZARR) or folder.suffix in FOLDER.suffixes


def _folder(root: Path, shelf: Shelf) -> Iterator[Item]:
    """The items of every file below `root`; links and files of other kinds are items that cannot be read."""
    if not any(root.iterdir()):
        raise NotAnArchive("an empty folder", path=root)
    pending, count = [(root, "")], 0
    while pending:
        folder, prefix = pending.pop()
        yield Item(prefix or "/", "group")
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            count += 1
            if count > MAX_FILES:
                raise NotAnArchive(f"exceeds the limit of {MAX_FILES} files in a folder", path=str(root))
            place = f"{prefix}/{escape_name(entry.name)}"
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                yield Item(place, "link", reason="a link or a special file, which is not followed")
            elif not entry.is_dir() or _is_zarr(Path(entry.path)):
                yield from _file(Path(entry.path), place, shelf)
            elif place.count("/") > MAX_DEPTH:
                raise NotAnArchive(f"exceeds the limit of {MAX_DEPTH} levels of folders", path=str(root))
            else:
                pending.append((Path(entry.path), place))


def _file(path: Path, place: str, shelf: Shelf) -> Iterator[Item]:
    if path.is_dir() or path.suffix in _ARCHIVES:
        try:
            yield from list(archives.items_of(str(path), place, shelf))
        except NotAnArchive as error:
            yield Item(place, "unreadable", reason=error.reason)
    elif path.suffix in READERS:
        yield from READERS[path.suffix](path, place, shelf)
    else:
        kind = escape_text(path.suffix) or "no suffix"
        yield Item(place, "file", reason=f"a file of a kind that is not read here ({kind})")
