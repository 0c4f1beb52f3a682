"""A zip file is an NPZ or holds a Zarr archive: by the names in its directory, of a file or anything like it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import PurePosixPath

from vizschema.containers.accounts import NAME
from vizschema.containers.base import Container, Limits, Unreadable, quote
from vizschema.containers.bytes.ranges import Ranges, open_file
from vizschema.containers.formats import SUFFIXES
from vizschema.containers.npz.file import SUFFIX, Npz
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.containers.zips.members import Zip
from vizschema.errors import NotAnArchive

SHOWN = 3
"""How many members are named in a message."""


def holds_no_zarr(path: str) -> bool:
    """Whether the zip file at `path` would not be opened as Zarr, also where it cannot be opened."""
    try:
        with closing(open_zip_ranges(open_file(path), path, Limits())) as container:
            return isinstance(container, Npz)
    except NotAnArchive:
        return True


def open_zip_ranges(file: Ranges, shown: str, limits: Limits) -> Container:
    """The archive in a zip file that is open already, which is closed with it; raises `NotAnArchive`, and closes."""
    try:
        try:
            opened = Zip(file, limits)
        except Unreadable as unreadable:
            raise NotAnArchive(unreadable.detail, path=quote(shown)) from None
        return _archive(opened, shown, limits)
    except BaseException:
        file.close()
        raise


def _archive(opened: Zip, shown: str, limits: Limits) -> Container:
    from vizschema.containers.others import MEMBERS, by_names
    from vizschema.containers.zarr.zip import zarr_in_zip

    members = opened.members
    names = [member.name for member in members]
    if not any(name.endswith(SUFFIX) or name.rpartition("/")[2] in DOCUMENTS for name in names):
        other = by_names(names, MEMBERS)
        if other is not None:
            raise NotAnArchive(other, path=quote(shown))
    zarr = zarr_in_zip(opened, limits)
    if zarr is not None:
        return zarr
    if any(member.name.endswith(SUFFIX) or member.name == NAME for member in members):
        return Npz(opened, limits)
    if not members:
        raise NotAnArchive("an empty zip file", path=quote(shown))
    within = [quote(name) for name in _within(names)]
    if within:
        which = "that" if len(within) == 1 else "one of them"
        some = ", ".join(within[:SHOWN]) + (", …" if len(within) > SHOWN else "")
        raise NotAnArchive(f"a zip file with {some} in it; unpack it, and pass {which}", path=quote(shown))
    some = ", ".join(quote(member.name) for member in members[:SHOWN]) + (", …" if len(members) > SHOWN else "")
    raise NotAnArchive(f"a zip file without .npy arrays or a Zarr archive; it holds {some}", path=quote(shown))


def _within(names: Iterable[str]) -> list[str]:
    """The archives in a zip file, by the names of its members: folders of Zarr, and files by their suffix."""
    roots = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in DOCUMENTS}
    files = {name for name in names if PurePosixPath(name).suffix in SUFFIXES}
    found = roots | files
    return sorted(name for name in found if not any(str(above) in roots for above in PurePosixPath(name).parents))
