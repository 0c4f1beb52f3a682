"""What writers that were killed left beside an archive: found, and on request restored or removed."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vizschema.containers.opening import open_container
from vizschema.describing import describe_open
from vizschema.errors import NotAnArchive, NotSupported, UsageError
from vizschema.writer.convert import copied
from vizschema.writer.forms import FORMS, form_of
from vizschema.writer.owner import Owner, found_owner, owned, owner_path
from vizschema.writer.resume import is_there
from vizschema.writer.target import Work

_ACTIONS = ("restore", "remove")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that an interrupted writer left.

    Attributes:
        path: Where it is.
        kind: `owner`, `unfinished`, `capture`, `replaced`, `made` or `stage`.
        detail: What it is, in words.
        done: What was done with it: `restored`, `removed`, or None.

    Examples:
        >>> vizschema.recover("run.zarr")
        []
    """

    path: Path
    kind: str
    detail: str
    done: str | None = None


class _Found(NamedTuple):
    kind: str
    path: Path
    detail: str


def recover(path: str | os.PathLike[str], *, restore: bool = False, remove: bool = False) -> list[Leftover]:
    """Find what killed writers left of the archive at `path`; nothing is touched unless `restore` or `remove` is set.

    Parameters:
        path: The archive, whether it is there or not.
        restore: Put back what can be saved (an old archive that was being replaced; what was captured, unfinished) if
            there is nothing at `path`, and remove what cannot.
        remove: Remove everything that was found beside `path`.

    Returns:
        What was found, and what was done with it.

    Raises:
        UsageError: The archive is being written, or both actions are requested.

    Examples:
        >>> [leftover.detail for leftover in vizschema.recover("run.zarr", remove=True)]
        []
    """
    target = Path(path)
    if restore and remove:
        raise UsageError(path=target, expected=f"one of {', '.join(_ACTIONS)}", found="both")
    owner, held = found_owner(target)
    if held:
        raise UsageError(f"is being written by {owner or 'another process'}; there is nothing to recover", path=target)
    found = list(_found(target, owner))
    if not (restore or remove):
        return [Leftover(each.path, each.kind, each.detail) for each in found]
    with owned(target):
        done = [Leftover(each.path, each.kind, each.detail, _act(each, target, restore=restore)) for each in found]
        Work(target).clear(keep_capture=restore)
    return done


def _found(target: Path, owner: Owner | None) -> list[_Found]:
    work = Work(target)
    found = []
    if os.path.lexists(owner_path(target)):
        found.append(_Found("owner", owner_path(target), f"the owner file of {owner or 'a process'}, which is gone"))
    if work.folder.is_symlink():
        return [*found, _Found("stage", work.folder, "a symbolic link where unfinished work would be")]
    if os.path.lexists(work.replaced):
        words = "the old archive" if is_there(target) else "the only archive, which was being replaced"
        found.append(_Found("replaced", work.replaced, words))
    if work.has_capture:
        found.append(_Found("capture", work.capture, f"an unfinished capture: {_content(work.capture)}"))
    elif os.path.lexists(work.capture):
        found.append(_Found("made", work.capture, "the old archive, which was replaced"))
    if os.path.lexists(work.made):
        found.append(_Found("made", work.made, "an archive that was being written, or the one that it replaced"))
    if os.path.lexists(work.folder / "done"):
        found.append(_Found("stage", work.folder / "done", "what is left of a capture that became an archive"))
    if os.path.lexists(work.stage):
        names = sum(1 for _ in work.stage.iterdir())
        found.append(_Found("stage", work.stage, f"{names} unfinished parts, none of which counts"))
    if not found and os.path.lexists(work.folder):
        found.append(_Found("stage", work.folder, "a work folder without content"))
    if is_there(target) and _is_unfinished(target):
        words = f"unfinished: {_content(target)}; continue it with create(resume=True)"
        found.append(_Found("unfinished", target, words))
    return found


def _content(archive: Path) -> str:
    """How many arrays are in an archive, and what cannot be read of it."""
    try:
        with closing(open_container(os.fspath(archive))) as container:
            nodes = describe_open(container)["nodes"]
    except NotAnArchive as error:
        return f"not readable ({error.reason})"
    arrays = sum(node["kind"] == "array" for node in nodes.values())
    torn = [path for path, node in nodes.items() if node["kind"] not in ("array", "group")]
    return f"{arrays} arrays" + (f", not readable: {', '.join(torn)}" if torn else "")


def _is_unfinished(target: Path) -> bool:
    try:
        with closing(open_container(os.fspath(target))) as container:
            root = describe_open(container)["nodes"]["/"]
    except NotAnArchive:
        return False
    return root.get("attributes", {}).get("complete") is False


def _act(found: _Found, target: Path, *, restore: bool) -> str | None:
    """Restore or remove one thing; return what was done."""
    if found.kind == "unfinished":
        return None
    if restore and (found.kind == "capture" or (found.kind == "replaced" and not is_there(target))):
        return "restored" if not is_there(target) and _put_back(found.path, target) else None
    if found.kind != "owner":
        shutil.rmtree(found.path) if found.path.is_dir() and not found.path.is_symlink() else found.path.unlink()
    return "removed"


def _put_back(source: Path, target: Path) -> bool:
    """Move an archive to the target; a capture of another container is converted, and stays unfinished."""
    form = form_of(target, None) if source.name == "capture" and not target.is_dir() else FORMS["zarr-v3"]
    if form.in_place or source.name != "capture":
        source.rename(target)
        return True
    made = Work(target).made
    made.parent.mkdir(parents=True, exist_ok=True)
    try:
        copied(source, made, form, {"complete": False})
    except NotSupported:
        return False
    made.rename(target)
    shutil.rmtree(source)
    return True
