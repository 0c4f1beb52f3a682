"""The scan on a Dask cluster: its processes read ranges of chunks; accumulators are merged here, to the same facts.

Nothing but the description, keys of chunks and accumulators travels. The processes of a cluster are not confined.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from vizschema.bounds import Progress, Reading
from vizschema.containers.base import Container
from vizschema.containers.opening import open_container
from vizschema.containers.values import Ahead, ChunkDamaged, HasValues, Piece, Placed, Values
from vizschema.description import Description
from vizschema.errors import UsageError, VizschemaError
from vizschema.scan.array import Part, ScannedArray
from vizschema.scan.cluster import client_of
from vizschema.scan.coverage import Scanned, readable
from vizschema.scan.hashing.array import ArrayHash, Memory
from vizschema.scan.hashing.finish import fill, ranges
from vizschema.scan.hashing.window import slab
from vizschema.scan.threads import Found, allowed_pieces, hashing_memory

RANGE_BYTES = 256 << 20
"""Decoded bytes of a range, of which one task is made."""

_AHEAD = 3
"""Tasks that are submitted for each thread of the cluster."""

_WINDOWS = 8
"""Ranges that one task reads again to be hashed."""


class Job(NamedTuple):
    """What every task of one scan knows: the archive, what is asked of it, and the memory of a thread, in bytes."""

    archive: str
    description: Description
    entries: Sequence[Mapping[str, Any]]
    memory: int


class Read(NamedTuple):
    """What a task found in a range of pieces, and the array's first value [], None if it did not see it."""

    part: Part
    first: Any


def scan_on(
    address: str,
    archive: str | os.PathLike[str],
    container: Container,
    description: Description,
    entries: Sequence[Mapping[str, Any]],
    reading: Reading,
) -> Scanned:
    """What `scan` finds, found by the Dask cluster at `address`, or by processes of this machine where that is `local`.

    Every process of the cluster reads `archive` by this path or URL. Each of their threads has the memory of `reading`.
    Raises `UsageError` where there is no such cluster, or it is lost; `SpecError` for entries that are none.
    """
    memory = reading.bounds.memory
    hashing = hashing_memory(entries, memory)
    arrays = [
        ScannedArray(_Listed(container), description, path, entries, memory, None, hashing)
        for path in readable(description)
    ]
    found = Found(description)
    for array in arrays:
        found.begin(array)
    with client_of(address, reading.threads) as client:
        job = client.scatter(Job(os.fspath(archive), description, entries, memory), broadcast=True, hash=False)
        run = _Run(client, job, memory, reading.begun(found.total))
        try:
            run.read(arrays)
            run.hash(arrays)
        except KeyboardInterrupt:
            run.cancel()
            return found.scanned(complete=False)
    return found.scanned(complete=True)


class _Listed:
    """A container whose pieces are listed here and read elsewhere: nothing is fetched ahead."""

    def __init__(self, container: HasValues) -> None:
        self._container = container

    def values(self, path: str) -> Values:
        """The values of the array at `path`; raises `ChunkDamaged` where it cannot be opened."""
        values = self._container.values(path)
        if isinstance(values, Ahead):
            values.until(-1)
        return values


def read_range(job: Job, path: str, pieces: Sequence[Piece], first: Any, *, head: bool) -> Read:
    """In a process of the cluster: what is in these pieces of the array at `path`.

    Of the `head`, which holds the first piece of the array, the first value is not known yet.
    """
    with _opened(job.archive) as container:
        hashing = hashing_memory(job.entries, job.memory)
        array = ScannedArray(container, job.description, path, job.entries, job.memory, None, hashing)
        values = array.open()
        if values is None:
            raise UsageError(
                path=path, expected="values that a process of the cluster can open too", found="none there"
            )
        if isinstance(values, Ahead):
            values.until(max(piece.index for piece in pieces))
        if not head:
            array.begin(first)
        part = array.read(pieces, threading.Event())
        return Read(part, array.first)


def hash_again(job: Job, path: str, wanted: Sequence[tuple[int, int]]) -> ArrayHash | ChunkDamaged:
    """In a process of the cluster: the hashes of these ranges of entries, or what keeps from reading them."""
    with _opened(job.archive) as container:
        values = container.values(path)
        accumulator = ArrayHash(values.shape, values.dtype, Memory(0))
        try:
            fill(values, accumulator, wanted, 1, job.memory // 2)
        except ChunkDamaged as damaged:
            return damaged
        return accumulator


@contextmanager
def _opened(archive: str) -> Iterator[Container]:
    """The archive, opened in a process of the cluster."""
    try:
        container = open_container(archive)
    except VizschemaError as error:
        raise UsageError(
            expected="an archive that every process of the cluster reaches", found=f"on one: {error}"
        ) from None
    with closing(container):
        yield container


class _Run:
    """One scan: ranges are submitted while the cluster has use for them, and what they give is merged."""

    def __init__(self, client: Any, job: Any, memory: int, progress: Progress | None) -> None:
        self._client = client
        self._job = job
        self._memory = memory
        self._progress = progress
        self._running: dict[Any, ScannedArray] = {}
        self._ready: deque[tuple[ScannedArray, Iterator[list[Piece]]]] = deque()

    def read(self, arrays: Sequence[ScannedArray]) -> None:
        """Read every piece of `arrays`."""
        waiting: dict[ScannedArray, Iterator[list[Piece]]] = {}
        heads = iter(arrays)
        while True:
            while len(self._running) < self._most() and self._submit(heads, waiting):
                pass
            if not self._running:
                return
            for array, found in self._done():
                if array in waiting:
                    array.begin(found.first)
                    self._ready.append((array, waiting.pop(array)))
                array.merge(found.part)
                if self._progress is not None:
                    self._progress(found.part.bytes_read)

    def hash(self, arrays: Sequence[ScannedArray]) -> None:
        """Read again what the hashes of `arrays` lack."""
        for array in arrays:
            if array.hash is None:
                continue
            wanted = list(ranges(array.hash, self._memory // 2, array.hash.item_bytes))
            for at in range(0, len(wanted), _WINDOWS):
                self._start(array, hash_again, wanted[at : at + _WINDOWS])
            while self._running:
                for _, found in self._done():
                    if isinstance(found, ChunkDamaged):
                        array.note(found)
                    else:
                        array.hash.merge(found)

    def cancel(self) -> None:
        """Give up what was not read yet."""
        self._client.cancel(list(self._running))

    def _submit(self, heads: Iterator[ScannedArray], waiting: dict[ScannedArray, Iterator[list[Piece]]]) -> bool:
        """Whether there was something to submit: the next range of an array that has begun, or a head."""
        while self._ready:
            array, rest = self._ready[0]
            pieces = next(rest, None)
            if pieces is not None:
                self._start(array, read_range, pieces, array.first, head=False)
                return True
            self._ready.popleft()
        for array in heads:
            rest = _ranges(array, self._memory)
            head = next(rest, None)
            if head is not None:
                waiting[array] = rest
                self._start(array, read_range, head, None, head=True)
                return True
        return False

    def _start(self, array: ScannedArray, function: Any, *arguments: Any, **named: Any) -> None:
        future = self._client.submit(function, self._job, array.path, *arguments, **named, pure=False)
        self._running[future] = array

    def _done(self) -> list[tuple[ScannedArray, Any]]:
        """What has come since, of one task at least."""
        done = import_module("distributed").wait(list(self._running), return_when="FIRST_COMPLETED").done
        return [(self._running.pop(future), future.result()) for future in list(self._running) if future in done]

    def _most(self) -> int:
        return int(_AHEAD * max(1, sum(self._client.nthreads().values())))


def _ranges(array: ScannedArray, memory: int) -> Iterator[list[Piece]]:
    """The pieces of an array in ranges, cut where a slab of chunks ends if there is one: hashing needs it whole."""
    pieces: list[Piece] = []
    size, last = 0, (0, 0)
    for piece in allowed_pieces(array, memory):
        here = _slab(array, piece)
        if size >= RANGE_BYTES and (here != last or size >= 2 * RANGE_BYTES):
            yield pieces
            pieces, size = [], 0
        pieces.append(piece)
        size += piece.decoded_bytes
        last = here
    if pieces:
        yield pieces


def _slab(array: ScannedArray, piece: Piece) -> tuple[int, int]:
    values: Any = array.values
    shape = tuple(array.node["shape"])
    return slab(*values.extent(piece), shape) if isinstance(values, Placed) else (piece.index, piece.index)
