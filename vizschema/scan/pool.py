"""Pieces read on threads, as many at a time as fit into a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from vizschema.containers.values import Block, ChunkDamaged, Piece, Values


class Reader:
    """Reads pieces on `jobs` threads, with at most `most` decoded bytes in flight; one piece always may be."""

    def __init__(self, jobs: int, most: int) -> None:
        self._jobs = jobs
        self._most = most

    def __call__(self, values: Values, pieces: Iterable[Piece], take: Callable[[Block], None]) -> None:
        """Hands every block to `take`, on any thread; raises the `ChunkDamaged` that it meets first."""
        work = _Work(iter(pieces), self._most)

        def run() -> None:
            for piece in work:
                for outcome in values.read(piece):
                    if isinstance(outcome, ChunkDamaged):
                        raise outcome
                    if work.stopped:
                        return
                    take(outcome)

        if self._jobs == 1:
            run()
            return
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                running = [pool.submit(work.guarded, run) for _ in range(self._jobs)]
                for future in running:
                    future.result()
            finally:
                work.stop()


class _Work:
    """Pieces for several threads, handed out while there is room."""

    def __init__(self, pieces: Iterator[Piece], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self._flying = 0
        self._changed = threading.Condition()
        self.stopped = False

    def __iter__(self) -> Iterator[Piece]:
        while True:
            with self._changed:
                piece = None if self.stopped else next(self._pieces, None)
                if piece is None:
                    return
                while not self._fits(piece.decoded_bytes):
                    self._changed.wait()
                if self.stopped:
                    return
                self._flying += piece.decoded_bytes
            try:
                yield piece
            finally:
                with self._changed:
                    self._flying -= piece.decoded_bytes
                    self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return self.stopped or not self._flying or self._flying + size <= self._most

    def guarded(self, run: Callable[[], None]) -> None:
        """Runs `run`; where it fails, the other threads stop."""
        try:
            run()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
