"""Chunks to facts: every chunk of every array read once, on threads, within a bound on decoded memory.

A piece is read and decoded, given to every accumulator that `facts.json` asks for, and forgotten; what is kept are the
accumulators, which are merged as they come. Nothing in the result depends on the number of threads or their order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from vizschema.bounds import Reading
from vizschema.containers.values import HasValues, Piece
from vizschema.description import Description, Node
from vizschema.scan.array import ScannedArray
from vizschema.scan.coverage import Scanned, chunk_count, coverage_of, readable
from vizschema.scan.facts import asks_for_hash
from vizschema.scan.hashing.array import Memory

_BATCH_BYTES = 1 << 20, 8 << 20
"""The fewest and the maximum bytes that a thread is given at once."""

_BATCHES = 16
"""How many batches every thread has at least, where arrays are large enough: so none waits long for the last one."""

_BATCH_PIECES = 64
_PIECES = 10_000_000
_DAMAGED = 100_000


class Watch(NamedTuple):
    """What is called for each array: with its path before its values are read, then once with (path, facts, coverage).

    Facts are None where none are known; the coverage counts the chunks and bytes of the array that were read.
    """

    begun: Callable[[str], object]
    settled: Callable[[str, Node | None, tuple[int, int]], object]


def scan(
    container: HasValues,
    description: Description,
    entries: Sequence[Mapping[str, Any]],
    reading: Reading = Reading(),  # noqa: B008  (frozen)
    paths: Collection[str] | None = None,
    watch: Watch | None = None,
) -> Scanned:
    """The facts that `entries` of `facts.json` ask of the arrays of an open container, which `description` describes.

    With `paths`, of these arrays only; `coverage` is of the whole archive.

    An interrupt (Ctrl-C) ends the scan early: what was measured until then comes back, not `complete`; arrays of which
    a part was not read have no facts but the damage that was found. Raises `SpecError` for entries that are none.
    """
    memory = reading.bounds.memory
    hashing = hashing_memory(entries, memory)
    wanted = [path for path in readable(description) if paths is None or path in paths]
    found = Found(description, watch)
    progress = reading.begun(found.total)
    arrays = (ScannedArray(container, description, path, entries, memory, progress, hashing) for path in wanted)
    total = sum(description["nodes"][path]["bytes"] for path in wanted)
    flight = memory if hashing is None else memory - hashing.most
    complete = _Run(arrays, total, found, reading, flight).complete()
    if complete and hashing is not None:
        complete = _finished(found.unsettled, reading.threads)
    return found.scanned(complete=complete)


def hashing_memory(entries: Sequence[Mapping[str, Any]], memory: int) -> Memory | None:
    """What values that wait to be hashed may take: half of the memory; None if none are hashed."""
    return Memory(memory // 2) if asks_for_hash(entries) else None


class Found:
    """What is found in arrays: of one that was read to its end its facts alone are kept, so any number may come."""

    def __init__(self, description: Description, watch: Watch | None = None) -> None:
        self._description = description
        self._watch = watch
        self._facts: dict[str, Node] = {}
        self._coverage = coverage_of(description)
        self._unsettled: dict[str, ScannedArray] = {}

    @property
    def total(self) -> int:
        """How many bytes the values of the archive have."""
        return self._coverage["bytes"]

    @property
    def unsettled(self) -> Sequence[ScannedArray]:
        """The arrays of which something may still come."""
        return list(self._unsettled.values())

    def begin(self, array: ScannedArray) -> None:
        """Expect pieces of an array."""
        self._unsettled[array.path] = array
        if self._watch is not None:
            self._watch.begun(array.path)

    def settle(self, array: ScannedArray) -> None:
        """Take the facts of an array, once, and let go of it."""
        if self._unsettled.pop(array.path, None) is None:
            return
        read = min(array.chunks_read, chunk_count(array.node)), array.bytes_read
        for key, count in zip(("chunks_read", "bytes_read"), read, strict=True):
            self._coverage[key] += count
        facts = array.facts() if array.seen else None
        if facts is not None:
            self._facts[array.path] = facts
        if self._watch is not None:
            self._watch.settled(array.path, facts, read)

    def scanned(self, *, complete: bool) -> Scanned:
        """All of it, in the order of the description."""
        for array in self.unsettled:
            self.settle(array)
        facts = {path: self._facts[path] for path in self._description["nodes"] if path in self._facts}
        return Scanned(facts, self._coverage, complete)


def _finished(arrays: Sequence[ScannedArray], threads: int) -> bool:
    """True once what hashes lack was read again; false after an interrupt."""
    try:
        for array in arrays:
            array.finish(threads)
    except KeyboardInterrupt:
        return False
    return True


def allowed_pieces(array: ScannedArray, memory: int) -> Iterator[Piece]:
    """The pieces of an array that may be read in so many bytes; those that may not are noted as damage."""
    for number, piece in enumerate(array.pieces()):
        if number >= _PIECES or array.damaged_count >= _DAMAGED:
            what = f"{_PIECES} chunks" if number >= _PIECES else f"{_DAMAGED} damaged chunks"
            array.refuse(piece, f"more than {what}: this one and those after it were not read")
            return
        if piece.decoded_bytes > memory:
            needed = -(-piece.decoded_bytes // (1 << 20))
            array.refuse(
                piece,
                f"{piece.decoded_bytes} bytes to decode at once, and the bound is {memory}: "
                f"raise it (--memory {needed}M), or write smaller chunks",
            )
        else:
            yield piece


class _Batch(NamedTuple):
    """Pieces of one array that one thread reads; the `head` is the first piece, before which nothing else is begun."""

    array: ScannedArray
    pieces: list[Piece]
    head: bool

    @property
    def weight(self) -> int:
        """Maximum bytes that reading it holds at a time: a piece as it is decoded, and what that is decoded from."""
        return 2 * max(piece.decoded_bytes for piece in self.pieces)


class _Run:
    """One scan over `arrays` of `total` bytes by threads that each take the next batch, while memory for it is free.

    No thread hands out batches: a thread that had to wake another for every batch would cost more than reading some.
    """

    def __init__(self, arrays: Iterator[ScannedArray], total: int, found: Found, reading: Reading, flight: int) -> None:
        self._arrays = arrays
        self._total = total
        self._found = found
        self._flight = flight
        self._most = reading.threads
        self._memory = reading.bounds.memory
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._next = self._batches()
        self._taking = threading.Lock()
        self._threads: list[threading.Thread] = []
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._over = threading.Condition(lock)  # who waits for the end is not woken before
        self._alive = 0
        self._running = 0
        self._held = 0

    def complete(self) -> bool:
        """True once all was read; false after an interrupt."""
        self._start()
        try:
            self._wait()
        except KeyboardInterrupt:
            self._stop.set()
            self._wait()
            return False
        if self._failures:
            raise self._failures[0]
        return True

    def _wait(self) -> None:
        """Until every thread has ended. Not by `join` alone: one that is interrupted takes its thread for ended."""
        with self._over:
            self._over.wait_for(lambda: not self._alive)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        """Start one more thread, or do with those that there are; called by one that lives, or the first time."""
        thread = threading.Thread(target=self._work, name=f"scan_{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        with self._changed:
            self._alive += 1
        try:
            thread.start()
        except RuntimeError:  # no more threads for this process
            with self._changed:
                self._alive -= 1
            self._threads.remove(thread)
            self._most = len(self._threads)
            if not self._threads:
                raise MemoryError("no thread can be started") from None

    def _work(self) -> None:
        """Read batches until there are none."""
        try:
            while (batch := self._take()) is not None:
                self._read(batch)
        except BaseException as error:  # noqa: BLE001  (raised again where the scan was asked for)
            self._failures.append(error)
            self._stop.set()
        with self._changed:
            self._alive -= 1
            self._changed.notify_all()
            if not self._alive:
                self._over.notify_all()

    def _take(self) -> _Batch | None:
        """The next batch, None if none is left or none is wanted; the first of a thread starts another thread."""
        with self._taking:
            batch = None if self._stop.is_set() else next(self._next, None)
            if batch is not None and len(self._threads) < self._most:
                self._start()
            return batch

    def _read(self, batch: _Batch) -> None:
        weight = min(batch.weight, self._flight)
        with self._changed:
            self._changed.wait_for(lambda: self._may_begin(batch, weight))
            self._running += 1
            self._held += weight
        part = None
        try:
            part = batch.array.read(batch.pieces, self._stop)
        finally:
            with self._changed:
                self._running -= 1
                self._held -= weight
                if part is not None:
                    batch.array.merge(part)
                    self._let_go(batch.array)
                self._changed.notify_all()

    def _may_begin(self, batch: _Batch, weight: int) -> bool:
        if self._stop.is_set():
            return True
        fits = not self._running or self._held + weight <= self._flight
        return fits and (batch.head or batch.array.begun)

    def _batches(self) -> Iterator[_Batch]:
        """The head of every array before the rest of the one before it, so that no thread waits for a head."""
        least, most = _BATCH_BYTES
        size = min(max(self._total // (_BATCHES * self._most), least), most)
        rest: Iterator[_Batch] = iter(())
        for array in self._arrays:
            self._found.begin(array)
            pieces = allowed_pieces(array, self._memory)
            first = list(islice(pieces, 2))  # of one piece alone it is known that no other comes
            if first:
                yield _Batch(array, first[:1], head=True)
            yield from rest
            rest = self._rest(array, chain(first[1:], pieces), size)
        yield from rest

    def _rest(self, array: ScannedArray, pieces: Iterator[Piece], size: int) -> Iterator[_Batch]:
        yield from _grouped(array, pieces, size)
        with self._changed:
            self._let_go(array)

    def _let_go(self, array: ScannedArray) -> None:
        if array.is_settled:
            self._found.settle(array)


def _grouped(array: ScannedArray, pieces: Iterator[Piece], least: int) -> Iterator[_Batch]:
    """Batches of pieces, of `least` bytes or more."""
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += piece.decoded_bytes
        if size >= least or len(batch) == _BATCH_PIECES:
            yield _Batch(array, batch, head=False)
            batch, size = [], 0
    if batch:
        yield _Batch(array, batch, head=False)
