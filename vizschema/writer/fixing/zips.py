"""Zip files as folders: members unpacked within bounds, equal duplicates dropped, and packed again."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from vizschema.containers.base import Unreadable
from vizschema.containers.bytes.ranges import FileRanges
from vizschema.containers.values import ChunkDamaged
from vizschema.containers.zips.directory import DEFLATED, Member
from vizschema.containers.zips.members import Zip
from vizschema.errors import UsageError
from vizschema.rules.fixes.draft import Change
from vizschema.writer.fixing.files import LIMITS, Files

_SPARE, _DENSEST = 1 << 30, 16
"""Bytes that the members of a zip file may unpack to: these, and so many times its size."""


@contextmanager
def _opened(path: Path) -> Iterator[Zip]:
    file = FileRanges(os.fspath(path))
    with closing(file):
        try:
            yield Zip(file, LIMITS)
        except (Unreadable, ChunkDamaged) as error:
            raise UsageError(f"cannot be copied: {error}", path=path) from error


def has_duplicates(path: Path) -> bool:
    """Whether two members of a zip file have one name."""
    with _opened(path) as file:
        return len({member.name for member in file.members}) < len(file.members)


def equal_members(path: Path, target: Path) -> list[Change]:
    """Write the zip file to `target` with each name once; nothing where members of one name differ."""
    with _opened(path) as file:
        groups: dict[str, list[Member]] = {}
        for member in file.members:
            groups.setdefault(member.name, []).append(member)
        several = {name: members for name, members in groups.items() if len(members) > 1}
        if not several or not all(_equal(file, members) for members in several.values()):
            return []
        _require_space(path, file.members)
        with zipfile.ZipFile(target, "x") as written:
            for members in groups.values():
                _write(written, file, members[0] if len(members) == 1 else _plain(members[0]))
    count = sum(map(len, several.values())) - len(several)
    first = next(iter(several))
    words = f"dropped {count} repeated members of the zip file, such as {first}, which have the same bytes"
    return [Change("equal-members", "metadata-conflict", "/", words)]


def _plain(member: Member) -> Member:
    """A member whose only problem was another one of its name."""
    return member._replace(problem=None)


def _equal(file: Zip, members: Sequence[Member]) -> bool:
    if any(member.problem is None or member.problem[0] != "metadata-conflict" for member in members):
        return False
    first, *others = map(_plain, members)
    return all(
        other.size == first.size
        and all(one == two for one, two in zip(_pieces(file, first), _pieces(file, other), strict=True))
        for other in others
    )


def _pieces(file: Zip, member: Member) -> Iterator[bytes]:
    """The bytes of a member, in pieces of one size."""
    waiting = bytearray()
    for part in file.run(member).stream():
        waiting += bytes(part)
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    yield bytes(waiting)


_PIECE = 1 << 20


def _write(written: zipfile.ZipFile, file: Zip, member: Member) -> None:
    info = zipfile.ZipInfo(member.name)
    info.compress_type = zipfile.ZIP_DEFLATED if member.method == DEFLATED else zipfile.ZIP_STORED
    if member.is_folder:
        written.writestr(info, b"")
        return
    with written.open(info, "w", force_zip64=True) as target:
        for piece in _pieces(file, member):
            target.write(piece)


def _require_space(path: Path, members: Sequence[Member]) -> None:
    most = _SPARE + _DENSEST * path.stat().st_size
    size = sum(member.size for member in members)
    if size > most:
        raise UsageError(f"its members unpack to {size} bytes, more than the limit of {most}", path=path)


def unpack(path: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Write the members of a zip file into a new folder; those that are not `wanted` as empty files."""
    with _opened(path) as file:
        _require_space(path, [member for member in file.members if wanted(member.name)])
        folder.mkdir(parents=True)
        for member in file.members:
            if member.problem is not None:
                raise UsageError(f"cannot be copied: {member.problem[1]}", path=path)
            place = folder / member.name
            try:
                if member.is_folder:
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as target:
                    for piece in _pieces(file, member) if wanted(member.name) else ():
                        target.write(piece)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise UsageError(f"cannot be copied: two members are at {member.name}", path=path) from error


def pack(folder: Path, path: Path) -> None:
    """Write the files of a folder into a new zip file, stored."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as file:
        for inner, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                place = Path(inner, name)
                member = zipfile.ZipInfo(place.relative_to(folder).as_posix())
                with place.open("rb") as source, file.open(member, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def top_of(files: Files) -> str:
    """The folder at the top in which the root of the archive lies, with its slash; empty where it is the top itself."""
    tops = {name.partition("/")[0] for name in files if "/" in name}
    documents = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
    if any(name in files for name in documents):
        return ""
    found = [top for top in tops if any(f"{top}/{name}" in files for name in documents)]
    return f"{found[0]}/" if len(found) == 1 else ""
