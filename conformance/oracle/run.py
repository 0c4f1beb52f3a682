"""One run: batches of archives are written, read by vizschema and by every library, compared, and removed again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.oracle.compare import Asked, Difference, differences
from vizschema.conformance.oracle.known import Known, first
from vizschema.conformance.oracle.ours import READING
from vizschema.conformance.oracle.peers import Peer, Reply, ours, reader
from vizschema.conformance.oracle.sources import Named, keep

READS: Mapping[str, tuple[str, ...]] = {
    "zarr-v3": ("zarr", "tensorstore", "xarray"),
    "zarr-v2": ("zarr", "zarr2", "tensorstore", "xarray"),
    "zarr-v3-zip": ("zarr", "tensorstore", "xarray"),
    "zarr-v2-zip": ("zarr", "zarr2", "tensorstore", "xarray"),
    "hdf5": ("h5py", "xarray"),
    "npz": ("numpy",),
    "asdf": ("asdf",),
}
"""The libraries that read each container; `zarr2` is zarr-python 2.18."""

BATCH = 32
OUTCOMES = ("equal", "explained", "refused", "different")


class Reads(Protocol):
    """Who reads: a child, or what a child has read before."""

    version: str

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """What is read of the archive of the request."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a run: counts by (container, library) and outcome, differences, and reasons that were met."""

    versions: dict[str, str] = field(default_factory=dict)
    archives: Counter[str] = field(default_factory=Counter)
    conforming: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    unexplained: list[Difference] = field(default_factory=list)
    explained: Counter[Known] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)
    stale: list[Known] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a difference is unexplained, or nothing was compared."""
        return bool(self.unexplained or self.bugs or self.stale) or not self.counts


@dataclass(frozen=True, slots=True)
class Order:
    """How to read: with which libraries (2.18 by the interpreter `zarr2`), by which reasons, what to keep."""

    reasons: tuple[Known, ...]
    libraries: tuple[str, ...]
    zarr2: str | None = None
    keep: Path | None = None
    recorded: Reads | None = None
    whole: bool = False
    """Whether a reason that is not met counts as an error."""


def run(archives: Iterable[Named], order: Order, *, progress: bool = False) -> Outcome:
    """Read and compare every archive."""
    outcome = Outcome()
    own = Peer(ours())
    peers: dict[str, Reads] = {}
    try:
        for library in order.libraries:
            peers[library] = _started(library, order)
            outcome.versions[library] = peers[library].version
        with ThreadPoolExecutor(max(1, len(peers))) as pool:
            before: _Batch | None = None
            for named in _batches(archives):
                batch = _Batch.made(named, own, outcome)  # while the libraries read the one before
                if before is not None:
                    before.finish(order, outcome)
                before = batch
                batch.ask(peers, pool)
                if progress:
                    print(f"\r{sum(outcome.archives.values())} archives", end="", file=sys.stderr, flush=True)
            if before is not None:
                before.finish(order, outcome)
    finally:
        for each in (own, *peers.values()):
            each.close()
    if order.whole:
        outcome.stale = [
            each
            for each in order.reasons
            if not each.elsewhere
            and each not in outcome.explained
            and any(each.applies(library, version) for library, version in outcome.versions.items())
        ]
    return outcome


def _started(library: str, order: Order) -> Reads:
    if library == "zarr2" and order.zarr2 is None and order.recorded is not None:
        recorded: Reads = order.recorded
        return recorded
    python = order.zarr2 if library == "zarr2" and order.zarr2 is not None else sys.executable
    peer = Peer(reader(python, library))
    peer.start()
    started: Reads = peer
    return started


def _batches(archives: Iterable[Named]) -> Iterator[list[Named]]:
    iterator = iter(archives)
    while batch := list(islice(iterator, BATCH)):
        yield batch


Place = tuple[Named, Path, Reply, str]
"""An archive, where it lies, our account of it, and its container."""


@dataclass(slots=True)
class _Batch:
    """Archives in a folder of their own, and what is read of them."""

    folder: TemporaryDirectory[str]
    places: list[Place]
    peers: Mapping[str, Reads] = field(default_factory=dict)
    read: dict[str, Future[list[Reply | None]]] = field(default_factory=dict)

    @classmethod
    def made(cls, batch: Sequence[Named], own: Peer, outcome: Outcome) -> _Batch:
        """Write the archives, and read them with vizschema."""
        folder = TemporaryDirectory(prefix="vizschema-oracle-", dir=scratch(), ignore_cleanup_errors=True)
        places: list[Place] = []
        for number, named in enumerate(batch):
            inside = Path(folder.name) / str(number)
            inside.mkdir()
            path = named.build(inside)
            mine = own.ask({"path": str(path)})
            container = _counted(outcome, named, mine)
            if container is not None:
                places.append((named, path, mine, container))
        return cls(folder, places)

    def ask(self, peers: Mapping[str, Reads], pool: ThreadPoolExecutor) -> None:
        """Have every library read, each in a thread of its own."""
        self.peers = peers
        self.read = {library: pool.submit(_read, library, peer, self.places) for library, peer in peers.items()}

    def finish(self, order: Order, outcome: Outcome) -> None:
        """Compare, keep what is read otherwise, and remove the archives."""
        replies = {library: each.result() for library, each in self.read.items()}
        for number, (named, path, mine, container) in enumerate(self.places):
            found = False
            for library, peer in self.peers.items():
                reply = replies[library][number]
                if reply is not None:
                    asked = Asked(named.name, container, library, peer.version)
                    found |= bool(_judge(outcome, order, asked, mine, reply))
            if order.keep is not None and (found or any("refused" in node for node in mine["nodes"].values())):
                keep(path, named.name, order.keep)
        self.folder.cleanup()


def _counted(outcome: Outcome, named: Named, mine: Reply) -> str | None:
    """The container of an archive that is compared, null where it is not."""
    source = "/".join(named.name.split("/")[:2]) if named.name.startswith("mutant/") else named.name.partition("/")[0]
    source = source.rpartition("-")[0].rpartition("-")[0] if named.name.startswith("mutant/") else source
    outcome.archives[source] += 1
    if "bug" in mine["broken"]:
        outcome.bugs.append(f"{named.name}: {mine['why']}")
    if "nodes" not in mine:
        return None
    outcome.bugs += [
        f"{named.name}: {path}: conforms as far as reading goes, and `open` refuses it: {node['refused']}"
        for path, node in mine["nodes"].items()
        if "refused" in node
    ]
    outcome.conforming[source] += not mine["broken"]
    outcome.compared[source] += 1
    return container_of(mine["container"])


def container_of(container: Mapping[str, Any]) -> str:
    """The name of a container as in `READS`."""
    if container["format"] != "zarr":
        return str(container["format"])
    return f"zarr-v{container['version']}{'-zip' if container['store'] == 'zip' else ''}"


def _read(library: str, peer: Reads, places: Sequence[Place]) -> list[Reply | None]:
    return [
        peer.ask(request_of(named.name, path, mine)) if library in READS[container] else None
        for named, path, mine, container in places
    ]


def request_of(name: str, path: Path, mine: Reply) -> dict[str, Any]:
    """What a reader is asked."""
    arrays = [place for place, node in mine["nodes"].items() if node["kind"] == "array"]
    return {
        "name": name,
        "path": str(path),
        "container": {**mine["container"], "arrays": arrays, "paths": list(mine["nodes"])},
    }


def _judge(outcome: Outcome, order: Order, asked: Asked, mine: Reply, reply: Reply) -> list[Difference]:
    """The differences that no reason explains."""
    if "unrecorded" in reply:
        return []
    found = differences(asked, mine, reply)
    explained = [(each, first(order.reasons, each)) for each in found]
    outcome.explained.update(reason for _, reason in explained if reason is not None)
    left = [each for each, reason in explained if reason is None]
    outcome.unexplained += left
    what = (
        "equal" if not found else "explained" if not left else "refused" if left[0].field == "refused" else "different"
    )
    outcome.counts.setdefault((asked.container, asked.library), Counter())[what] += 1
    return left


__all__ = ["READING", "Order", "Outcome", "run"]
