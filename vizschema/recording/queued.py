"""A queue with a limit in bytes, and the one thread that writes what is in it. No torch here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Queue:
    """Jobs that one thread does in their order. A caller waits while more than `limit` bytes are pending.

    The first exception of a job ends the work: later jobs are dropped, and `put` and `finish` raise it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending: deque[tuple[int, Callable[[], None]]] = deque()
        self._bytes = 0
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="vizschema-record", daemon=True)
        self._thread.start()

    def put(self, size: int, job: Callable[[], None]) -> None:
        """Add a job that holds `size` bytes; one larger than the limit waits until the queue is empty.

        Raises:
            BaseException: What an earlier job raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._bytes or self._bytes + size <= self._limit)
            self.require_sound()
            self._bytes += size
            self._pending.append((size, job))
            self._changed.notify_all()

    def require_sound(self) -> None:
        """Raise what a job has raised."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait until all jobs are done, end the thread, and raise what a job has raised."""
        self.stop()
        self.require_sound()

    def stop(self) -> None:
        """Wait until all jobs are done, and end the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._ended)
                if not self._pending:
                    return
                size, job = self._pending[0]
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001  (raised again in the thread of the model)
                self._error = error
            with self._changed:
                self._pending.popleft()
                self._bytes -= size
                self._changed.notify_all()
            del job
