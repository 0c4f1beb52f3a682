"""The values of an archive, read by workers: what the death of one costs, and what is asked of the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vizschema.bounds import Progress, Reading
from vizschema.description import Description, Node
from vizschema.rules.sent import is_facts
from vizschema.scan.coverage import Scanned, coverage_of, readable
from vizschema.worker.process import WorkerDied

if TYPE_CHECKING:
    from vizschema.worker.process import Worker

DEATHS = 6
"""How many deaths there may be; the next is the damage of all that was not read until then."""

_NAMED = 8 << 20
"""Characters of the paths that are named in one request."""


class Asked(Protocol):
    """An archive whose `living` worker has it open, after any death; raises `WorkerDied` where none gets so far."""

    description: Description

    def living(self) -> Worker:
        """The worker."""


def scanned(
    session: Asked, entries: Sequence[Mapping[str, Any]], reading: Reading, paths: Sequence[str] | None = None
) -> Scanned:
    """The facts that `entries` ask for, with `paths` of these arrays only. One death is the damage of one array.

    Of arrays that were being read when a worker died, each is read alone; all others are read together.
    """
    coverage = coverage_of(session.description)
    request = {"entries": list(entries), "jobs": reading.jobs, "memory": reading.bounds.memory}
    scan = _Scan(session, request, reading.begun(coverage["bytes"]))
    known = readable(session.description)
    whole = scan.run(known) if paths is None else scan.run([path for path in known if path in paths], named=True)
    facts = {path: found for path in session.description["nodes"] if (found := scan.facts.get(path)) is not None}
    coverage |= {"chunks_read": scan.chunks, "bytes_read": scan.bytes}
    return Scanned(facts, coverage, whole)


class _Scan:
    """What workers said of the values: facts by path, None where there are none; chunks and bytes that were read."""

    def __init__(self, session: Asked, request: Mapping[str, Any], progress: Progress | None) -> None:
        self.facts: dict[str, Node | None] = {}
        self.chunks = self.bytes = 0
        self._session = session
        self._request = request
        self._progress = progress
        self._begun: dict[str, None] = {}
        self._wanted: frozenset[str] = frozenset()

    def run(self, paths: Sequence[str], *, named: bool = False) -> bool:
        """Read `paths`, which are all that can be read unless they are `named`; whether no interrupt ended that."""
        self._wanted = frozenset(paths)
        left, alone = list(paths), list[str]()
        asked = first_named(left) if named else None  # all
        deaths = 0
        while left:
            done: Sequence[str] = left if asked is None else asked
            try:
                if not self._ask(asked):
                    return False
            except WorkerDied as died:
                deaths += 1
                if died.final or deaths > DEATHS:
                    self._lose((path for path in left if path not in self.facts), died)
                    return True
                done, alone = (), self._suspects(alone, died)
            gone = {*done, *self.facts}
            left = [path for path in left if path not in gone]
            alone = [path for path in alone if path not in gone]
            asked = alone[:1] or first_named(left)
        return True

    def _suspects(self, alone: list[str], died: WorkerDied) -> list[str]:
        """What is to be read alone after a death; where there is no doubt of what was its cause, that is lost."""
        suspects = [path for path in self._begun if path not in self.facts]
        if suspects and (alone or (len(suspects) == 1 and not died.lives)):
            self._lose(suspects, died)
            return alone
        return alone or suspects

    def _lose(self, paths: Iterable[str], died: WorkerDied) -> None:
        from vizschema.scan.array import facts_of_unread  # for few archives, since it imports NumPy

        reason: Literal["over-limit", "undecodable"] = "over-limit" if died.reason == "over-limit" else "undecodable"
        description, entries = self._session.description, self._request["entries"]
        for path in paths:
            self.facts[path] = facts_of_unread(description, path, entries, reason, died.detail)

    def _ask(self, paths: Sequence[str] | None) -> bool:
        """Let a worker read the arrays at `paths`; false if an interrupt ended it early. Raises `WorkerDied`."""
        self._begun.clear()
        worker = self._session.living()
        answers = worker.run("scan", {**self._request, "paths": paths})
        interrupted = False
        while True:
            try:
                for message in answers:
                    match message:
                        case ["end", True]:
                            return True
                        case ["end", False] if interrupted:
                            return False
                    self._hear(worker, message)
            except KeyboardInterrupt:
                interrupted = True
                worker.interrupt()
                answers = worker.listen()

    def _hear(self, worker: Worker, message: list[Any]) -> None:
        match message:
            case ["progress", int(done)] if done >= 0:
                if self._progress is not None:
                    self._progress(done)
            case ["reading", str(path)] if path in self._wanted:
                self._begun[path] = None
            case ["facts", str(path), found, [int(chunks), int(size)]] if self._believes(path, found, chunks, size):
                self.facts[path] = found
                self.chunks += chunks
                self.bytes += size
            case _:
                raise worker.senseless()

    def _believes(self, path: str, found: Any, chunks: int, size: int) -> bool:
        return path in self._wanted and path not in self.facts and min(chunks, size) >= 0 and is_facts(found)


def first_named(paths: Sequence[str]) -> list[str]:
    """Return the first of `paths`, as many as one request names."""
    sizes = accumulate(map(len, paths))
    return [path for path, size in zip(paths, sizes, strict=True) if size <= _NAMED or path is paths[0]]
