"""Where an archive is written to: what may be there before, the work folder beside it, and how one replaces another."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from vizschema.containers.base import Limits
from vizschema.containers.opening import open_container
from vizschema.containers.values import Values
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.describing import describe_open
from vizschema.description import ITEM_BYTES
from vizschema.errors import NotAnArchive, UsageError
from vizschema.text import masked, scheme_of
from vizschema.writer.owner import owned

_HERE = -100  # AT_FDCWD
_NO_REPLACE, _EXCHANGE = 1, 2
_LACKING = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


class Work:
    """The hidden folder beside a target, which one writer has at a time, and what may lie in it.

    Attributes:
        folder: `.NAME.partial`.
        capture: A Zarr folder that grows, where the target itself does not.
        stage: Nodes that are being written, and are moved into the archive once they are whole.
        made: A whole archive that is being written, to replace the target.
        replaced: What was at the target, between two renames.

    The file `exchanged` has the number of the capture's folder before that is exchanged with the target: once it is,
    there is another folder in its place, which is the old archive.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.partial")
        self.capture = self.folder / "capture"
        self.stage = self.folder / "stage"
        self.made = self.folder / "made" / target.name
        self.replaced = self.folder / "replaced" / target.name
        self._marked = self.folder / "exchanged"

    def clear(self, *, keep_capture: bool = False) -> None:
        """Remove the folder, or what is in it beside the capture."""
        if not os.path.lexists(self.folder):
            return
        if self.folder.is_symlink():
            raise UsageError("is a symbolic link where vizschema keeps unfinished work; remove it", path=self.folder)
        kept = [self.capture] if keep_capture and self.has_capture else []
        for path in list(self.folder.iterdir()):
            if path.is_dir() and not path.is_symlink() and path not in kept:
                shutil.rmtree(path)
        if not kept:
            self._marked.unlink(missing_ok=True)
            self.folder.rmdir()

    @property
    def has_capture(self) -> bool:
        """Whether there is an unfinished capture."""
        if not os.path.lexists(self.capture):
            return False
        with suppress(FileNotFoundError, ValueError):
            return int(self._marked.read_text()) == self.capture.lstat().st_ino
        return True

    def mark(self) -> None:
        """Note that the capture is about to be exchanged with the target."""
        self._marked.write_text(str(self.capture.lstat().st_ino))

    def remove_capture(self) -> None:
        """Remove what was captured: it is in the archive. Half of it is never taken for a capture."""
        done = self.folder / "done"
        self.capture.rename(done)
        shutil.rmtree(done)

    def leave(self, *, keep_capture: bool = False) -> None:
        """Remove what can be removed: the work is done, or has failed already. `recover` finds the rest."""
        with suppress(OSError):
            self.clear(keep_capture=keep_capture)


def require_absent(target: Path) -> None:
    """Raise `UsageError` if there is anything at the target, or it must not be written."""
    if os.path.lexists(target):
        raise UsageError("exists already; choose another name, or remove it yourself", path=target)
    require_free(target, overwrite=False)


def require_free(target: Path, *, overwrite: bool, whole: bool = False) -> None:
    """Raise `UsageError` if the target must not be written.

    With `whole`, the new archive will hold every file that the old one holds, whatever that is.
    """
    if not target.parent.is_dir():
        url = str(target).replace(":/", "://", 1)  # as it was, before it became a path
        if scheme_of(url) is not None:
            raise UsageError("cannot write to a URL; write a local archive and upload it", path=masked(url))
        raise UsageError(path=target, expected="a folder to write in", found=f"no {target.parent}", fix="make it first")
    for folder in target.absolute().parents:
        if any((folder / name).is_file() for name in DOCUMENTS):
            expected, found = "a place outside of every archive", f"one within the archive {folder}"
            raise UsageError(path=target, expected=expected, found=found, fix="choose another place")
    work = Work(target)
    if work.has_capture and not overwrite:
        raise UsageError(
            (
                "an unfinished capture of it lies beside it; continue with resume=True, discard it with overwrite=True "
                "(--overwrite), or see `vizschema recover`"
            ),
            path=target,
        )
    if not os.path.lexists(target):
        if os.path.lexists(work.replaced):
            raise UsageError(
                "was being replaced when its writer was killed; put it back with `vizschema recover --restore`",
                path=target,
            )
        return
    if not overwrite:
        raise UsageError(
            "exists already; choose another name, or pass overwrite=True (--overwrite) to replace it", path=target
        )
    if not whole:
        _require_replaceable(target)


def _require_replaceable(target: Path) -> None:
    """Raise `UsageError` for a folder that contains anything but an archive."""
    if not target.is_dir() or target.is_symlink() or not any(target.iterdir()):
        return
    found = _beside_an_archive(target)
    if found is not None:
        raise UsageError(path=target, expected="an archive to replace", found=found, fix="remove it yourself")


def _beside_an_archive(folder: Path) -> str | None:
    """Return what a folder contains beside an archive, or None."""
    try:
        with closing(open_container(os.fspath(folder), Limits())) as container:
            for path, node in describe_open(container)["nodes"].items():
                place = "" if path == "/" else path[1:]
                if node["kind"] not in ("group", "array"):
                    return f"{place or 'a folder'} that is not part of one ({node['reason']})"
                stray = list(node.get("stray", ()))
                if node["kind"] == "array" and node["dtype"] in ITEM_BYTES:
                    stray += _beside_chunks(container.values(path))
                if stray:
                    return f"a folder with other files, such as {place}{'/' if place else ''}{stray[0]}"
    except NotAnArchive as error:
        return f"a folder with other files ({error.reason})"
    return None


def _beside_chunks(values: Values) -> Sequence[str]:
    deque(values.pieces(), 0)  # the folder is listed on the way
    found: Sequence[str] = getattr(values, "stray", tuple)()
    return found


@contextmanager
def replacing(target: Path, *, overwrite: bool, take_over: bool = False) -> Iterator[Path]:
    """A path to write to, whose content comes to `target` on a clean exit, and is removed on any other.

    What was at `target` stays there until then. Raises `UsageError` if the target must not be written.
    """
    with reserved(target, overwrite=overwrite, take_over=take_over) as work:
        yield work.made
        exchange(work, work.made)


@contextmanager
def reserved(target: Path, *, overwrite: bool, take_over: bool = False, whole: bool = False) -> Iterator[Work]:
    """The work folder of `target`, empty, for its only writer; removed at the end. Raises as `require_free`."""
    with ExitStack() as stack:
        if target.parent.is_dir():
            stack.enter_context(owned(target, take_over=take_over))
        require_free(target, overwrite=overwrite, whole=whole)
        work = Work(target)
        work.clear()
        try:
            work.made.parent.mkdir(parents=True)
            yield work
        finally:
            work.leave()


def exchange(work: Work, new: Path) -> None:
    """Put the archive `new` in the place of what is at the target, which is removed with the work folder.

    On Linux there is an archive at the target at every moment. Elsewhere a folder is replaced by two renames, between
    which there is none; what was there then lies at `work.replaced`.
    """
    target = work.target
    if not os.path.lexists(target):
        if not _renameat2(new, target, _NO_REPLACE):
            new.rename(target)
    elif _is_folder(new) or _is_folder(target):
        if not _renameat2(new, target, _EXCHANGE):
            _two_renames(new, target, work.replaced)
    else:
        new.replace(target)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _two_renames(new: Path, target: Path, aside: Path) -> None:
    aside.parent.mkdir(exist_ok=True)
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _renameat2(old: Path, new: Path, flags: int) -> bool:
    """Rename by the system call of Linux; False where it, or the file system, does not support that."""
    call = _system_call()
    if call is None:
        return False
    if call(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _LACKING:
        return False
    raise OSError(code, os.strerror(code), os.fspath(old), None, os.fspath(new))


@cache
def _system_call() -> Any:
    with suppress(OSError, AttributeError):
        if sys.platform == "linux":
            return ctypes.CDLL(None, use_errno=True).renameat2
    return None
