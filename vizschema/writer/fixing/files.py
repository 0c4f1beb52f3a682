"""The files of an archive by name, as they lie in a folder, with those that are to be written instead.

Nothing is followed, opened or parsed but documents of Zarr, within the limits that reading an archive has.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from vizschema.containers.base import Document, Limits, Unreadable, parse
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.errors import UsageError
from vizschema.text import escape_name, escape_text

Files = dict[str, Path | bytes]
"""What is at each name (with slashes): a file, or a symbolic link, that is kept, or bytes that are to be written."""

LIMITS = Limits()


def files_of(folder: Path) -> Files:
    """Every file and symbolic link below a folder; raise `UsageError` for what is neither, or for too many."""
    found: Files = {}
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                    continue
                if not entry.is_symlink() and not entry.is_file(follow_symlinks=False):
                    raise UsageError("cannot be copied: not a regular file; remove it first", path=_shown(path))
                found[path.relative_to(folder).as_posix()] = path
        if len(found) > LIMITS.members:
            raise UsageError(f"has more than {LIMITS.members} files", path=_shown(folder))
    return dict(sorted(found.items()))


def _shown(path: Path) -> str:
    return escape_text(os.fspath(path))


def folder_of(name: str) -> str:
    """The folder of a file, empty for the top."""
    return name.rpartition("/")[0]


def path_of(folder: str) -> str:
    """The path at which a description shows the node in a folder."""
    return "/" + "/".join(map(escape_name, folder.split("/"))) if folder else "/"


def raw(files: Files, name: str) -> bytes | None:
    """The bytes of a document; None where there is none, it is a link, or is larger than the limit."""
    found = files.get(name)
    if isinstance(found, bytes) or found is None:
        return found
    limit = LIMITS.document_bytes if "/" in name else LIMITS.consolidated_bytes
    if found.is_symlink():
        return None
    with found.open("rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def document(files: Files, name: str) -> Document | None:
    """The object of a document; None where there is none that is sound."""
    data = raw(files, name)
    try:
        return None if data is None else parse(data, name.rpartition("/")[2], LIMITS)
    except Unreadable:
        return None


def documents(files: Files) -> list[str]:
    """The names of all documents of Zarr."""
    return [name for name in files if name.rpartition("/")[2] in DOCUMENTS]


def store(
    files: Files,
    folder: Path,
    *,
    link: bool,
    own: Path | None = None,
    only: Callable[[str], bool] = lambda _: True,
) -> None:
    """Write files into a folder; those that are kept are linked, with `link`, or where they are in the folder `own`.

    A file system without links gets copies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: set[PurePosixPath] = set()
    for name, content in files.items():
        if not only(name):
            continue
        path = folder / name
        parent = PurePosixPath(name).parent
        if parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(parent)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.is_symlink():
            path.symlink_to(content.readlink())
        else:
            _copy(content, path, link=link or (own is not None and own in content.parents))


def _copy(source: Path, target: Path, *, link: bool) -> None:
    if link:
        with suppress(OSError):
            os.link(source, target, follow_symlinks=False)
            return
    shutil.copyfile(source, target, follow_symlinks=False)


def dumped(content: Any) -> bytes:
    """A document as bytes."""
    import json

    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode()


def without(files: Files, names: Iterable[str]) -> Files:
    """The files but for some."""
    gone = frozenset(names)
    return {name: content for name, content in files.items() if name not in gone}
