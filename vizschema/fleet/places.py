"""The archives below a folder or a prefix of an object store, by names alone: nothing is opened, no link is followed.

A folder is descended only if it is not an archive itself: it contains no Zarr document and no chunk, and its own name
does not end in `.zarr`. An archive is never descended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath

from vizschema.containers.formats import FOLDER, SUFFIXES
from vizschema.errors import NotAnArchive
from vizschema.text import archive_name, scheme_of

DOCUMENTS = frozenset({"zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"})
"""Names of Zarr's metadata documents: a folder that contains one is an archive."""

_CHUNK = re.compile(r"\d+(\.\d+)*")
_DEPTH = 64
_FILES = SUFFIXES - set(FOLDER.suffixes)


def archives_below(path: str) -> Iterator[str]:
    """Yield the archives that `path` stands for, sorted by name: itself, or those below a folder that is not one.

    Raise `NotAnArchive` if `path` is such a folder and no archive lies below it.
    """
    below = _remote(path) if scheme_of(path) is not None else _local(path)
    if below is None:
        yield path
        return
    found = False
    for each in below:
        found = True
        yield each
    if not found:
        raise NotAnArchive(
            "a folder without archives",
            path=archive_name(path),
            fix=f"pass an archive, or a folder that contains some (names that end in {', '.join(sorted(SUFFIXES))})",
        )


def holder(path: str) -> str | None:
    """Return the outermost Zarr folder that contains `path`, by its metadata or its name; None if there is none."""
    if scheme_of(path) is not None:
        return None
    above = [place for place in Path(path).parents if place.name]
    for place in reversed(above):
        if any((place / name).is_file() for name in DOCUMENTS):
            return str(place)
    return next((str(place) for place in reversed(above) if place.suffix in FOLDER.suffixes), None)


def _is_archive(name: str, files: list[str]) -> bool:
    """Whether the folder of this name that contains these files is an archive, whole or damaged."""
    return (
        PurePosixPath(name).suffix.lower() in FOLDER.suffixes
        or not DOCUMENTS.isdisjoint(files)
        or any(map(_CHUNK.fullmatch, files))
    )


def _is_file(name: str) -> bool:
    """Whether a file of this name is taken for an archive."""
    return PurePosixPath(name).suffix.lower() in _FILES


def _local(path: str) -> Iterator[str] | None:
    """The archives below a folder; None for an archive, and for anything that is not a folder."""
    try:
        with os.scandir(path) as entries:
            members = sorted(entries, key=lambda entry: entry.name)
    except OSError:  # not a folder, or not readable: what opens it as an archive says so
        return None
    if _is_archive(Path(path).absolute().name, _files(members)) or holder(path) is not None:
        return None
    return _descended(members, 0)


def _files(members: list[os.DirEntry[str]]) -> list[str]:
    return [entry.name for entry in members if not entry.is_dir(follow_symlinks=False)]


def _descended(members: list[os.DirEntry[str]], depth: int) -> Iterator[str]:
    for entry in members:
        if entry.is_symlink():
            continue
        if not entry.is_dir():
            if entry.is_file() and _is_file(entry.name):
                yield entry.path
            continue
        with os.scandir(entry.path) as entries:
            inner = sorted(entries, key=lambda each: each.name)
        if _is_archive(entry.name, _files(inner)):
            yield entry.path
        elif depth < _DEPTH:
            yield from _descended(inner, depth + 1)


def _remote(url: str) -> Iterator[str] | None:
    """The archives below a prefix that ends in a slash; None for a URL that does not, or whose store cannot list."""
    if not url.endswith("/"):
        return None
    from vizschema.containers.by_url import connect

    remote = connect(url)
    try:
        if not remote.lists:
            return None
        keys = sorted(key for key, _ in remote.keys())  # noqa: SIM118  (no mapping)
    finally:
        remote.close()
    steps = [tuple(key.split("/")) for key in keys if key]
    if _is_archive(url.rstrip("/"), [each[0] for each in steps if len(each) == 1]):
        return None
    return (f"{url}{name}" for name in _named(steps, ()))


def _named(keys: list[tuple[str, ...]], above: tuple[str, ...]) -> Iterator[str]:
    """The archives among sorted `keys`, which all lie below `above`, by their names from the prefix on."""
    at = len(above)
    for name, group in groupby(keys, key=lambda key: key[at]):
        inner = list(group)
        place = (*above, name)
        if inner[0] == place:
            if _is_file(name):
                yield "/".join(place)
        elif _is_archive(name, [key[at + 1] for key in inner if len(key) == at + 2]):
            yield "/".join(place)
        elif at < _DEPTH:
            yield from _named(inner, place)
