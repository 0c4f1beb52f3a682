"""Archives described by a worker: its death is a node, not an exception, and what lies behind it is described too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

from vizschema.containers.base import Limits
from vizschema.description import Description, Node, complete, fault
from vizschema.worker.process import Bounds, Worker, WorkerDied, hexed

RESTARTS = 3
"""How often a worker is started again, to describe what lies behind the node at which one died."""

Then = Callable[[Description, Worker, Mapping[str, Any]], Description]
"""(description, the worker that described it, what it was asked) → a description."""

Start = Callable[[Sequence[str], Bounds], AbstractContextManager[Worker]]
"""Starts a worker that may read these paths, within bounds."""

_UNKNOWN = {"format": "zarr", "version": None, "store": "directory", "consolidated": False}


@dataclass(slots=True)
class _Heard:
    """What a worker said of an archive, until it ended: at which node it was, too."""

    container: dict[str, Any] = field(default_factory=_UNKNOWN.copy)
    nodes: dict[str, Node] = field(default_factory=dict)
    touched: str = "/"


def describe(
    path: str | os.PathLike[str],
    *,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    bounds: Bounds = Bounds(),  # noqa: B008  (frozen)
    then: Then | None = None,
    start: Start = Worker,
) -> tuple[Description, tuple[str, ...]]:
    """The description of the archive at `path`, as `vizschema.describe` gives it, read by a worker; and notes in words.

    With `then`, what that makes of the description, while the worker can still be asked.
    A node at which a worker dies is `crashed` or `over-limit`, and another worker describes the rest.
    Raises `NotAnArchive`, and `VizschemaError` where no worker can be started.
    """
    archive = os.fspath(path)
    deadline = time.monotonic() + bounds.seconds
    dead: dict[str, Node] = {}
    while True:
        heard = _Heard()
        skipped = {place: (node["reason"], node["detail"]) for place, node in dead.items()}
        asked = {"path": hexed(archive), "limits": asdict(limits), "skipped": skipped}
        with start([archive], bounds) as worker:
            try:
                _listen(worker, heard, asked, deadline)
            except WorkerDied as died:
                last = died
            else:
                description = complete(heard.container, heard.nodes)
                return description if then is None else then(description, worker, asked), worker.notes
        again = not last.final and heard.touched != "/" and heard.touched not in dead and len(dead) < RESTARTS
        dead[heard.touched] = fault(last.reason, last.detail)
        if not again:
            nodes = {**dead, **heard.nodes}
            nodes.setdefault("/", dead[heard.touched])
            note = f"nothing after {heard.touched} was looked at: {last.detail}"
            return complete(heard.container, nodes), (*worker.notes, note)


def _listen(worker: Worker, heard: _Heard, asked: Mapping[str, Any], deadline: float) -> None:
    """Fills `heard` with what the worker says; raises `WorkerDied`."""
    for message in worker.run("describe", asked, deadline=deadline):
        match message:
            case ["touching", str(place)]:
                heard.touched = place
            case ["node", str(place), {"kind": str()} as node]:
                heard.nodes.setdefault(place, node)
            case ["container" | "end", {"format": str()} as container]:
                heard.container = container
            case _:
                raise worker.senseless()
