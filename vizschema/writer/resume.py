"""What an archive that `create` never completed holds: nodes that are whole stay, the rest of a write is removed."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from vizschema.containers.opening import open_container
from vizschema.describing import describe_open
from vizschema.description import Description, Node
from vizschema.errors import UsageError
from vizschema.scan.threads import scan
from vizschema.writer.forms.base import Form

_LEFT = "metadata-missing"
"""The reason by which a reader shows what a write began, and never got to describe."""


def is_there(target: Path) -> bool:
    """Whether there is something at `target`; an empty folder is nothing yet."""
    return os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir()))


def unfinished(target: Path, form: Form) -> dict[str, Node]:
    """The nodes of the unfinished archive at `target`, by path, after what an interrupted write left was removed.

    Every value is read once, to see whether it is there. Raises `NotAnArchive` for what cannot be read, `UsageError`
    for what is complete, another container, or damaged in a way that no interrupted write explains.
    """
    description, broken = _looked_at(target)
    container = description["container"]
    if any(container[key] != form.identity[key] for key in ("format", "version", "store")):
        found = " ".join(str(container[key]) for key in ("format", "version", "store") if container[key] is not None)
        raise UsageError(path=target, expected=f"{form.name} to resume", found=found)
    nodes = description["nodes"]
    if nodes["/"].get("attributes", {}).get("complete") is not False:
        raise UsageError(
            "cannot resume: the archive is complete, or was not begun by `create`",
            path=target,
        )
    left = [path for path, node in nodes.items() if node.get("reason") == _LEFT]
    for path, node in nodes.items():
        if path not in left and (node["kind"] not in ("group", "array") or "escaped" in node):
            raise UsageError(f"cannot resume: {path} was not written by `create`", path=target)
    gone = {path for path in (*left, *broken) if path != "/"}
    form.discard(target, sorted(path for path in gone if not any(path.startswith(f"{above}/") for above in gone)))
    kept = {
        path: node for path, node in nodes.items() if not any(path == at or path.startswith(f"{at}/") for at in gone)
    }
    return {path: {key: value for key, value in node.items() if key not in _DERIVED} for path, node in kept.items()}


_DERIVED = frozenset({"stray", "ambiguous"})
"""What a description says of a group that follows from its members."""


def _looked_at(target: Path) -> tuple[Description, list[str]]:
    """The description, and the arrays of which a part was never written, or cannot be read."""
    with closing(open_container(os.fspath(target))) as container:
        description = describe_open(container)
        found = scan(container, description, ())
    broken = [path for path, facts in found.facts.items() if facts["absent_chunks"] or facts["damaged_chunks"]]
    return description, broken
