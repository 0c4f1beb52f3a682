"""What an archive that was captured before contains: nodes that are whole stay, the rest of a write is removed."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from vizschema.containers.opening import open_container
from vizschema.containers.values import grid_counts
from vizschema.describing import describe_open
from vizschema.description import Description, Node
from vizschema.errors import UsageError
from vizschema.scan.threads import scan
from vizschema.writer.capture import Capture, discard
from vizschema.writer.forms.zarr_documents import take_back_copy
from vizschema.writer.growing import planned_of, sweep

_LEFT = "metadata-missing"
"""The reason by which a reader shows what a write began, and never got to describe."""

_DERIVED = frozenset({"stray", "ambiguous"})
"""What a description says of a group that follows from its members."""


def is_there(target: Path) -> bool:
    """Whether there is something at `target`; an empty folder is nothing yet."""
    return os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir()))


def reopened(capture: Capture, target: Path, form: str, *, complete: bool) -> dict[str, Node]:
    """The nodes of the archive that is to be continued, by path, after what an interrupted write left was removed.

    Every value is read once, to see whether it is there. Where it may be `complete`, it is marked unfinished. Raises
    `NotAnArchive` for what cannot be read, `UsageError` for another container, for what is complete, or damaged in a
    way that no interrupted write explains.
    """
    with_copy = capture.without_copy()
    description, broken, swept = _looked_at(capture.root)
    container = description["container"]
    expected = ("zarr", capture.version, "directory")
    if tuple(container[key] for key in ("format", "version", "store")) != expected:
        found = " ".join(str(container[key]) for key in ("format", "version", "store") if container[key] is not None)
        raise UsageError(path=target, expected=f"{form} to resume", found=found)
    nodes = description["nodes"]
    said = nodes["/"].get("attributes", {}).get("complete")
    if said is not False and not complete:
        raise UsageError(
            "cannot resume: the archive is complete, or was not begun by `create`; add to it with extend=True",
            path=target,
        )
    left = [path for path, node in nodes.items() if node.get("reason") == _LEFT]
    for path, node in nodes.items():
        if path not in left and (node["kind"] not in ("group", "array") or "escaped" in node):
            raise UsageError(f"cannot resume: {path} was not written by `create`", path=target)
    if said is not False or with_copy:
        take_back_copy(capture.root, capture.version, {"complete": False}, capture.stage)
        nodes["/"]["attributes"]["complete"] = False
    for path in swept:
        planned = planned_of(nodes[path])
        sweep(capture.at(path), grid_counts(planned.shape, planned.shards or planned.chunks))
    gone = {path for path in (*left, *broken) if path != "/"}
    discard(capture.root, sorted(path for path in gone if not any(path.startswith(f"{above}/") for above in gone)))
    kept = {
        path: node for path, node in nodes.items() if not any(path == at or path.startswith(f"{at}/") for at in gone)
    }
    return {path: {key: value for key, value in node.items() if key not in _DERIVED} for path, node in kept.items()}


def _looked_at(target: Path) -> tuple[Description, list[str], list[str]]:
    """The description, the arrays that lack a part, or of which one cannot be read, and those with stray files."""
    with closing(open_container(os.fspath(target))) as container:
        description = describe_open(container)
        facts = scan(container, description, ()).facts
    broken = [path for path, found in facts.items() if found["absent_chunks"] or found["damaged_chunks"]]
    return description, broken, [path for path, found in facts.items() if found.get("stray") and path not in broken]
