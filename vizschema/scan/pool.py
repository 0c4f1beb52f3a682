"""Pieces read on threads, as many at a time as fit into a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

from vizschema.containers.values import Piece


def read_pieces(read: Callable[[Piece], object], pieces: Iterable[Piece], jobs: int, max_bytes: int) -> None:
    """Call `read` with every piece, on `jobs` threads; at most `max_bytes` are decoded at a time, but always one piece.

    After a failure no piece is begun. Raises what failed, of the first such piece in storage order.
    """
    work = _Work(iter(pieces), max_bytes, read)
    if jobs < 2:
        work.run()
    else:
        with ThreadPoolExecutor(jobs) as pool:
            try:
                wait([pool.submit(work.run) for _ in range(jobs)])
            finally:
                work.stop()
    if work.failed:
        raise min(work.failed, key=lambda failed: failed[0])[1]


class _Work:
    """Pieces for several threads, handed out while there is space for them."""

    def __init__(self, pieces: Iterator[Piece], max_bytes: int, read: Callable[[Piece], object]) -> None:
        self.failed: list[tuple[int, BaseException]] = []
        self._pieces = pieces
        self._max_bytes = max_bytes
        self._read = read
        self._flying = 0
        self._stopped = False
        self._changed = threading.Condition()

    def run(self) -> None:
        """Read pieces until there is none, or one has failed."""
        index = -1
        try:
            while (piece := self._next()) is not None:
                index = piece.index
                self._read(piece)
                with self._changed:
                    self._flying -= piece.decoded_bytes
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            self.failed.append((index, error))
            self.stop()

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _next(self) -> Piece | None:
        with self._changed:
            piece = None if self._stopped else next(self._pieces, None)
            if piece is None:
                return None
            size = piece.decoded_bytes
            self._changed.wait_for(lambda: self._stopped or not self._flying or self._flying + size <= self._max_bytes)
            if self._stopped:
                return None
            self._flying += size
            return piece
