"""Where an archive is written to: what may be there before, and a place beside it to write in first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vizschema.errors import UsageError
from vizschema.text import masked, scheme_of

_ZARR_DOCUMENTS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata", ".zattrs")


def require_free(target: Path, *, overwrite: bool) -> None:
    """Raise `UsageError` if the target must not be written."""
    if not target.parent.is_dir():
        url = str(target).replace(":/", "://", 1)  # as it was, before it became a path
        if scheme_of(url) is not None:
            raise UsageError("cannot write to a URL; write a local archive and upload it", path=masked(url))
        raise UsageError(path=target, expected="a folder to write in", found=f"no {target.parent}", fix="make it first")
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise UsageError(
            "exists already; choose another name, or pass overwrite=True (--overwrite) to replace it", path=target
        )
    if target.is_dir() and not target.is_symlink() and not _is_replaceable(target):
        raise UsageError(
            path=target, expected="an archive to replace", found="a folder with other files", fix="remove it yourself"
        )


def _is_replaceable(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return not names or not names.isdisjoint(_ZARR_DOCUMENTS)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; renamed to `target` on a clean exit, removed on any other.

    What was at `target` is moved aside for the rename, moved back if that fails, and deleted only after it.
    """
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        temporary = folder / target.name
        yield temporary
        _exchange(temporary, target, folder / "replaced")
    finally:
        shutil.rmtree(folder)


def remove(target: Path) -> None:
    """Delete what is at `target`, if anything; it is moved out of the way first, so that it is gone at once."""
    if os.path.lexists(target):
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".replaced", dir=target.parent))
        target.rename(folder / target.name)
        shutil.rmtree(folder)


def _exchange(new: Path, target: Path, aside: Path) -> None:
    if not os.path.lexists(target):
        new.rename(target)
        return
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
