"""Values read by a worker: its death is damage of the array that it read, and the others are read all the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from vizschema.description import Description, Node
from vizschema.scan.array import Progress
from vizschema.scan.threads import Scanned, coverage_of, readable
from vizschema.worker.process import Bounds, Worker, WorkerDied

RESTARTS = 3
"""How often a worker is started again, to read the arrays that another one did not live to read."""


class IsolatedScan:
    """A scan of one archive by workers; `entries` are those of `facts.json`, `jobs` the threads (null: one a CPU)."""

    def __init__(
        self,
        archive: str,
        entries: Sequence[Mapping[str, Any]],
        bounds: Bounds,
        jobs: int | None,
        progress: Progress | None = None,
    ) -> None:
        self._archive = archive
        self._entries = entries
        self._bounds = bounds
        self._jobs = jobs
        self._progress = progress

    def run(self, description: Description, worker: Worker, asked: Mapping[str, Any]) -> Scanned:
        """What `worker`, which described the archive when it was `asked` to, reads of it; where it dies, others do.

        They read array by array, so that one death is the damage of one array.
        """
        try:
            return self._ask(worker, None, asked)
        except WorkerDied as died:
            last = died
        facts: dict[str, Node] = {}
        coverage = coverage_of(description)
        restarts, pending = 0, readable(description)
        while pending and restarts <= RESTARTS and not last.final:
            restarts += 1
            with Worker([self._archive], self._bounds) as other:
                while pending:
                    path = pending.pop(0)
                    try:
                        found = self._ask(other, [path], asked)
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

    def _ask(self, worker: Worker, paths: Collection[str] | None, asked: Mapping[str, Any]) -> Scanned:
        request = {
            **asked,
            "entries": list(self._entries),
            "jobs": self._jobs,
            "memory": self._bounds.memory,
            "paths": None if paths is None else list(paths),
        }
        answers = worker.run("scan", request)
        facts: dict[str, Node] = {}
        while True:
            try:
                for message in answers:
                    match message:
                        case ["progress", int(done)]:
                            if self._progress is not None:
                                self._progress(done)
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
