"""An archive read by workers: the death of one is damage of what it read, and another one reads all that is left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from vizschema.bounds import Bounds, Reading
from vizschema.containers.base import Limits
from vizschema.containers.formats import modules_of, suffix_of
from vizschema.description import Description, Node, complete, fault
from vizschema.errors import NotAnArchive
from vizschema.rules.sent import is_container, is_node, is_path
from vizschema.worker.process import Worker, WorkerDied, hexed
from vizschema.worker.warm import VALUES

if TYPE_CHECKING:
    from vizschema.scan.coverage import Scanned

RESTARTS = 3
"""How often a worker is started again, to describe what lies behind the node at which one died."""

AXES = 50_000
"""Names of axes of an archive; each costs about 1 KiB where it is judged."""

_UNKNOWN = {"format": "zarr", "version": None, "store": "directory", "consolidated": False}


@dataclass(slots=True)
class _Heard:
    """What a worker said of an archive, until it ended: at which node it was, too."""

    container: dict[str, Any] = field(default_factory=_UNKNOWN.copy)
    nodes: dict[str, Node] = field(default_factory=dict)
    axes: set[str | None] = field(default_factory=set)
    touched: str = "/"


class Session:
    """One archive, opened once for everything that is asked of it, and within one deadline for all.

    A worker that dies is followed by another, which opens the archive again. `description`, and `notes` in words, say
    what was found; `cut` that no worker got to the end of it, so that nothing more can be asked.
    """

    def __init__(self, archive: str, limits: Limits, bounds: Bounds, *, keep: bool = True) -> None:
        self.description: Description = {}
        self.notes: tuple[str, ...] = ()
        self.cut = False
        self.workers: list[Worker] = []
        self._archive = archive
        self._limits = limits
        self._bounds = bounds
        self._keep = keep
        self._deadline = time.monotonic() + bounds.seconds
        self._dead: dict[str, Node] = {}

    def close(self) -> None:
        """End the last worker."""
        for worker in self.workers[-1:]:
            worker.close()

    def describe(self) -> None:
        """Describe the archive: a node at which a worker dies is `crashed` or `over-limit`, and another goes on.

        Raises `NotAnArchive`, and `VizschemaError` if no worker can be started.
        """
        while True:
            heard = _Heard()
            try:
                self._describe(heard)
            except WorkerDied as died:
                last = died
            else:
                self.description = complete(heard.container, heard.nodes)
                self.workers[-1].foretell(
                    [*(VALUES if self._keep else ()), *modules_of(heard.container, values=self._keep)]
                )
                return
            again = heard.touched != "/" and heard.touched not in self._dead and len(self._dead) < RESTARTS
            self._dead[heard.touched] = fault(last.reason, last.detail)
            if last.final or not again:
                self.cut = True
                nodes = {"/": self._dead[heard.touched], **heard.nodes, **self._dead}
                self.notes += (f"nothing after {heard.touched} was looked at: {last.detail}",)
                self.description = complete(heard.container, nodes)
                return

    def scan(
        self, entries: Sequence[Mapping[str, Any]], reading: Reading, paths: Sequence[str] | None = None
    ) -> Scanned | None:
        """Read what `entries` of `facts.json` ask for; None if no worker could describe the archive to its end.

        With `paths`, of these arrays only.
        """
        from vizschema.worker.scanning import scanned

        if self.cut:
            return None
        if (suffix := suffix_of(self.description["container"])) is not None:
            self.workers[-1].rehearse(suffix, entries)
        return scanned(self, entries, reading, paths)

    def draw(self, wanted: Sequence[str], *, every: bool = False) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(path, picture) of those of `wanted` that are arrays, as a worker sends them; raises `WorkerDied`.

        With `every`, the last two axes of each are drawn as a map.
        """
        if self.cut or not wanted:
            return
        worker, known = self.living(), frozenset(wanted)
        for message in worker.run("draw", {"wanted": list(wanted), "every": every}):
            match message:
                case ["picture", str(path), dict(picture)] if path in known:
                    yield path, picture
                case ["end", *_]:
                    return
                case _:
                    raise worker.senseless()

    def weigh(self, paths: Sequence[str]) -> dict[str, int | None]:
        """Return the stored bytes of the arrays at `paths`, None where they are unknown; raise `WorkerDied`."""
        from vizschema.worker.scanning import first_named

        found: dict[str, int | None] = dict.fromkeys(paths)
        left = [] if self.cut else list(paths)
        while left:
            asked = first_named(left)
            left = left[len(asked) :]
            worker = self.living()
            for message in worker.run("weigh", {"paths": asked}):
                match message:
                    case ["size", str(path), int(size)] if path in found and type(size) is int and size >= 0:
                        found[path] = size
                    case ["size", str(path), None] if path in found:
                        pass
                    case ["end", *_]:
                        break
                    case _:
                        raise worker.senseless()
        return found

    def take(self, path: str, box: Sequence[tuple[int, int]]) -> bytes | list[str]:
        """Return the values of a box of an array: bytes of numbers, or texts; raise `NotAnArchive`."""
        from base64 import b64decode

        worker = self.living()
        try:
            for message in worker.run("take", {"path": path, "box": [list(side) for side in box]}):
                match message:
                    case ["end", str(values)]:
                        return b64decode(values)
                    case ["end", list(texts)] if all(isinstance(text, str) for text in texts):
                        return texts
                    case _:
                        raise worker.senseless()
        except (WorkerDied, ValueError) as error:
            raise NotAnArchive(f"cannot be read: {error}", path=path) from error
        raise NotAnArchive("cannot be read", path=path)

    def living(self) -> Worker:
        """A worker that has the archive open; raises `WorkerDied` where none gets so far."""
        if not self.workers[-1].alive:
            self._describe(None)
        return self.workers[-1]

    def _describe(self, heard: _Heard | None) -> None:
        """Let a new worker open the archive, and fill `heard`, if any, with what it says; raises `WorkerDied`."""
        self.close()
        worker = Worker([self._archive], self._bounds, deadline=self._deadline)
        self.workers.append(worker)
        if worker.notes not in (self.notes[: len(worker.notes)], ()):
            self.notes = (*worker.notes, *self.notes)
        asked = {
            "path": hexed(self._archive),
            "limits": asdict(self._limits),
            "skipped": {place: (node["reason"], node["detail"]) for place, node in self._dead.items()},
            "keep": self._keep,
            "silent": heard is None,
        }
        heard = heard or _Heard()
        for message in worker.run("describe", asked):
            match message:
                case ["touching", str(place)] if is_path(place):
                    heard.touched = place
                case ["node", str(place), node] if is_node(place, node):
                    heard.nodes.setdefault(place, node)
                    heard.axes.update(node.get("axes") or ())
                    if len(heard.axes) > AXES:
                        worker.close()
                        raise WorkerDied("over-limit", f"its arrays have more than {AXES} names of axes", final=True)
                case ["container" | "end" as word, container] if is_container(container, whole=word == "end"):
                    heard.container = container
                case _:
                    raise worker.senseless()
        if not asked["silent"] and "/" not in heard.nodes:
            raise worker.senseless()


@contextmanager
def opened(
    path: str | os.PathLike[str],
    *,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    bounds: Bounds = Bounds(),  # noqa: B008  (frozen)
    keep: bool = True,
) -> Iterator[Session]:
    """Describe the archive at `path` by a worker, which can be asked for more in the block if it is to `keep` it.

    Raises as `Session.describe`.
    """
    session = Session(os.fspath(path), limits, bounds, keep=keep)
    try:
        session.describe()
        yield session
    finally:
        session.close()
