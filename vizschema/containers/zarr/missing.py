"""Folders that lost their metadata: what still shows that they were Zarr's. Reads names, never a file."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from itertools import islice

from vizschema.containers.base import Unreadable, quote
from vizschema.containers.zarr.folder import DOCUMENTS, FILE, FOLDER, Entry, Folder
from vizschema.description import Node
from vizschema.errors import NotAnArchive

_CHUNK_FILE = re.compile(r"c|(c\.)?[0-9]+(\.[0-9]+)*", re.ASCII)
_CHUNK_FOLDER = re.compile(r"c|[0-9]+", re.ASCII)
_DEPTH = 64
_SURVEYED = 1000
_LEVELS = 8
_NEAR = 2

_NAMES: Mapping[int, tuple[str, str]] = {2: (".zarray", ".zgroup"), 3: ("zarr.json", "zarr.json")}
_CAUSES: Mapping[int, str] = {
    2: "a copy that left out hidden files is a likely cause",
    3: "a .gitignore with *.json is a likely cause",
}
_OF_ZARR = ("metadata-missing", "metadata-malformed", "metadata-invalid", "metadata-conflict", "unsupported", "pickle")


def chunk_key(folder: Folder, entries: Sequence[Entry], depth: int = 0) -> str | None:
    """The key of one chunk in the folder (`c/0/0`, `0.0`, `0/0`), None if it holds none."""
    if any(entry.name in DOCUMENTS for entry in entries):
        return None
    # The `c` of version 3 opens a key; below it, and in version 2, there are only numbers.
    chunks = [entry for entry in entries if is_chunk(entry) and (depth == 0 or not entry.name.startswith("c"))]
    whole = next((entry.name for entry in chunks if entry.what == FILE), None)
    inner = next((entry.name for entry in chunks if entry.what == FOLDER), None)
    if whole is not None or inner is None or depth == _DEPTH:
        return whole
    child = folder.enter(inner)
    try:
        key = chunk_key(child, child.entries(), depth + 1)
    finally:
        child.close()
    return None if key is None else f"{inner}/{key}"


def is_chunk(entry: Entry) -> bool:
    """Whether an entry of a folder that holds chunks is one, or holds more of them."""
    pattern = {FILE: _CHUNK_FILE, FOLDER: _CHUNK_FOLDER}.get(entry.what)
    return pattern is not None and pattern.fullmatch(entry.name) is not None


def of_zarr(node: Node) -> bool:
    """Whether a node shows that the folder above it belongs to an archive."""
    return node["kind"] in ("group", "array") or node.get("reason") in _OF_ZARR


def explain(version: int, key: str | None, below: int, *, documents: bool) -> str:
    """Which document is missing, what shows it, and the likely cause where there are no `documents` below either."""
    array, group = _NAMES[version]
    if key is not None:
        return f"{array} is missing: there are chunks ({key}) and no metadata; {_CAUSES[version]}"
    cause = "" if documents else f"; {_CAUSES[version]}"
    return f"{group} is missing: there are nodes below ({below}) and no metadata{cause}"


def version_of(key: str) -> int:
    """The version of Zarr that would write a chunk under this key."""
    return 3 if key.startswith("c") else 2


def no_zarr(path: str, shown: str, names: Sequence[str], archives: Sequence[str]) -> NotAnArchive:
    """That a folder with members of these `names` holds nothing of Zarr; `shown` is what its `path` is called."""
    if archives:
        below = " or ".join(quote(f"{path.rstrip('/')}/{archive}") for archive in archives[:3])
        return NotAnArchive(f"a folder above an archive: did you mean {below}?", path=shown)
    if not names:
        return NotAnArchive("an empty folder", path=shown)
    some = ", ".join(quote(name) for name in names[:3]) + (", …" if len(names) > 3 else "")
    return NotAnArchive(f"a folder without Zarr metadata; it holds {some}", path=shown)


def survey(root: Folder) -> tuple[int | None, list[str]]:
    """What lies below a root without metadata: the version of what was an archive (or None), and archives of their own.

    Level by level, at most a thousand folders of each. What has metadata and is called `….zarr`, or lies deep, is an
    archive of its own.
    """
    for depth in range(_LEVELS):
        archives: list[str] = []
        versions: list[int] = []
        with closing(_level(root, "", depth)) as level:
            for path, folder, entries in islice(level, _SURVEYED):
                document = max((entry.name for entry in entries if entry.name in DOCUMENTS), default=None)
                key = None if document else _key(folder, entries)
                head, suffix, _ = f"{path}/".partition(".zarr/")
                if suffix and (document or key):
                    archives.append(f"{head}.zarr")
                elif document and depth > _NEAR:
                    archives.append(path)
                elif document:
                    versions.append(3 if document == "zarr.json" else 2)
                elif key:
                    versions.append(version_of(key))
        if archives or versions:
            return (None if archives else max(versions)), sorted(set(archives))
    return None, []


def _level(folder: Folder, path: str, depth: int) -> Generator[tuple[str, Folder, Sequence[Entry]], None, None]:
    """The folders that lie `depth` levels below; what cannot be looked into is passed over."""
    try:
        entries = folder.entries()
    except Unreadable:
        return
    if depth == 0:
        yield path, folder, entries
        return
    for entry in entries:
        if entry.what != FOLDER:
            continue
        try:
            child = folder.enter(entry.name)
        except Unreadable:
            continue
        try:
            yield from _level(child, f"{path}/{entry.name}" if path else entry.name, depth - 1)
        finally:
            child.close()


def _key(folder: Folder, entries: Sequence[Entry]) -> str | None:
    try:
        return chunk_key(folder, entries)
    except Unreadable:
        return None
