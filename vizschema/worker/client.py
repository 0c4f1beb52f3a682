"""Archives read by workers: the death of one is damage of what it read, and another one reads the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from vizschema.bounds import Bounds, Progress, Reading
from vizschema.containers.base import Limits
from vizschema.description import Description, Node, complete, fault
from vizschema.worker.process import Worker, WorkerDied, hexed

if TYPE_CHECKING:
    from vizschema.scan.threads import Scanned

RESTARTS = 3
"""How often a worker is started again, to describe or to read what lies behind the place at which one died."""

Start = Callable[[Sequence[str], Bounds], AbstractContextManager[Worker]]
"""Starts a worker that may read these paths, within bounds."""

_UNKNOWN = {"format": "zarr", "version": None, "store": "directory", "consolidated": False}


@dataclass(slots=True)
class _Heard:
    """What a worker said of an archive, until it ended: at which node it was, too."""

    container: dict[str, Any] = field(default_factory=_UNKNOWN.copy)
    nodes: dict[str, Node] = field(default_factory=dict)
    touched: str = "/"


@dataclass(frozen=True, slots=True)
class Described:
    """An archive described by a worker, and notes in words; more can be `asked` of it while the worker lives."""

    archive: str
    description: Description
    notes: tuple[str, ...]
    worker: Worker | None
    asked: Mapping[str, Any]

    def scan(self, entries: Sequence[Mapping[str, Any]], reading: Reading) -> Scanned | None:
        """Read what `entries` of `facts.json` ask for; None if no worker could describe the archive to its end.

        Where the worker dies, others read array by array, so that one death is the damage of one array.
        """
        from vizschema.scan.threads import Scanned, coverage_of, readable

        if self.worker is None:
            return None
        coverage = coverage_of(self.description)
        progress = reading.begun(coverage["bytes"])
        request = {
            **self.asked,
            "entries": list(entries),
            "jobs": reading.jobs,
            "memory": reading.bounds.memory,
            "paths": None,
        }
        try:
            return _scanned(self.worker, request, progress)
        except WorkerDied as died:
            last = died
        facts: dict[str, Node] = {}
        restarts, pending = 0, readable(self.description)
        while pending and restarts <= RESTARTS and not last.final:
            restarts += 1
            with Worker([self.archive], reading.bounds) as other:
                while pending:
                    path = pending.pop(0)
                    try:
                        found = _scanned(other, {**request, "paths": [path]}, progress)
                    except WorkerDied as died:
                        last = died
                        facts[path] = _lost(path, died)
                        break
                    facts.update(found.facts)
                    for key in ("chunks_read", "bytes_read"):
                        coverage[key] += found.coverage[key]
                    if not found.complete:
                        return Scanned(facts, coverage, complete=False)
        facts.update((path, _lost(path, last)) for path in pending)
        return Scanned(facts, coverage, complete=True)


@contextmanager
def opened(
    path: str | os.PathLike[str],
    *,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    bounds: Bounds = Bounds(),  # noqa: B008  (frozen)
    start: Start = Worker,
) -> Iterator[Described]:
    """Describe the archive at `path` by a worker, which can be asked for more in the block.

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
                yield Described(archive, complete(heard.container, heard.nodes), worker.notes, worker, asked)
                return
        again = not last.final and heard.touched != "/" and heard.touched not in dead and len(dead) < RESTARTS
        dead[heard.touched] = fault(last.reason, last.detail)
        if not again:
            nodes = {**dead, **heard.nodes}
            nodes.setdefault("/", dead[heard.touched])
            note = f"nothing after {heard.touched} was looked at: {last.detail}"
            yield Described(archive, complete(heard.container, nodes), (*worker.notes, note), None, asked)
            return


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


def _scanned(worker: Worker, request: Mapping[str, Any], progress: Progress | None) -> Scanned:
    """What a worker reads, of a part if it is interrupted; raises `WorkerDied`."""
    from vizschema.scan.threads import Scanned

    answers = worker.run("scan", request)
    facts: dict[str, Node] = {}
    while True:
        try:
            for message in answers:
                match message:
                    case ["progress", int(done)]:
                        if progress is not None:
                            progress(done)
                    case ["facts", str(path), dict(found)]:
                        facts[path] = found
                    case ["end", {"coverage": dict(coverage), "complete": bool(complete)}]:
                        return Scanned(facts, coverage, complete)
                    case _:
                        raise worker.senseless()
        except KeyboardInterrupt:
            worker.interrupt()
            answers = worker.listen()


def _lost(path: str, died: WorkerDied) -> Node:
    reason = "over-limit" if died.reason == "over-limit" else "undecodable"
    return {"damaged_chunks": [{"key": path, "reason": reason, "detail": died.detail}]}
