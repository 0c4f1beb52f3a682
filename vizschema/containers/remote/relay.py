"""A connection lent to a process that has none: requests and answers over a socket between the two.

The lender fetches; the borrower names keys below the URL and never sees credentials. Neither trusts the other's sizes.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from vizschema.containers.remote.store import Answer, Missing, Part, Remote
from vizschema.errors import NotAnArchive

OUTSTANDING = 64
"""Requests of a borrower that are under way at a time."""

BUDGET = 1 << 30
"""Bytes that they may give in all; one request alone may ask for more."""

_REQUEST = struct.Struct("<QBqQI")
_ANSWER = struct.Struct("<QBQQQ")
_FETCH, _KEYS = 0, 1
_PART, _ABSENT, _DENIED, _FAILED, _PAGE = range(5)
_MISSING = {Missing.ABSENT: _ABSENT, Missing.DENIED: _DENIED}
_KEY = 1 << 16
_PAGE_KEYS = 1000


class Lent:
    """Serves a `Remote` on a socket until it is closed; `borrower` is the other end's descriptor."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._socket, self._other = socket.socketpair()
        self._keys: Iterator[tuple[str, int]] | None = None
        self._sending = threading.Lock()
        self._freed = threading.Condition()
        self._running = 0
        self._weight = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Let go of the socket."""
        for end in (self._socket, self._other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @property
    def borrower(self) -> int:
        """The descriptor that the other process gets."""
        return self._other.fileno()

    def busy(self) -> bool:
        """Whether the other process waits for the network."""
        return self._running > 0

    def _serve(self) -> None:
        with suppress(OSError, EOFError, UnicodeDecodeError):
            while True:
                number, what, start, most, length = _REQUEST.unpack(_received(self._socket, _REQUEST.size))
                if length > _KEY or what not in (_FETCH, _KEYS):
                    break
                key = _received(self._socket, length).decode()
                self._acquire(min(most, BUDGET))
                if what == _KEYS:
                    self._page(number, start, most)
                    continue
                future = self._remote.begin(key, None if start < 0 else start, most)
                future.add_done_callback(partial(self._answer, number, most))
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _acquire(self, weight: int) -> None:
        with self._freed:
            while self._running and (self._running >= OUTSTANDING or self._weight + weight > BUDGET):
                self._freed.wait()
            self._running += 1
            self._weight += weight

    def _answer(self, number: int, most: int, done: Future[Answer]) -> None:
        try:
            answer = done.result()
        except NotAnArchive as failure:
            self._send(number, _FAILED, data=json.dumps([failure.reason, failure.path]).encode())
        else:
            if isinstance(answer, Missing):
                self._send(number, _MISSING[answer])
            else:
                self._send(number, _PART, answer.start, answer.size, answer.data)
        self._release(most)

    def _page(self, number: int, start: int, most: int) -> None:
        """Sends the next page of keys; page 0 begins to list."""
        self._keys = self._remote.keys() if start == 0 or self._keys is None else self._keys
        page: list[tuple[str, int]] = []
        try:
            for item in self._keys:
                page.append(item)
                if len(page) == _PAGE_KEYS:
                    break
        except NotAnArchive as failure:
            self._send(number, _FAILED, data=json.dumps([failure.reason, failure.path]).encode())
        else:
            self._send(number, _PAGE, size=len(page), data=json.dumps(page).encode())
        self._release(most)

    def _release(self, most: int) -> None:
        with self._freed:
            self._running -= 1
            self._weight -= min(most, BUDGET)
            self._freed.notify_all()

    def _send(self, number: int, what: int, start: int = 0, size: int = 0, data: bytes = b"") -> None:
        with self._sending, suppress(OSError):  # a borrower that is gone needs no answer
            self._socket.sendall(_ANSWER.pack(number, what, start, size, len(data)))
            self._socket.sendall(data)


class Borrowed:
    """A `Remote` whose requests another process carries out, over the socket with the descriptor `fd`."""

    def __init__(self, fd: int, shown: str, *, lists: bool) -> None:
        self.shown = shown
        self.lists = lists
        self._socket = socket.socket(fileno=fd)
        self._waiting: dict[int, Future[Answer | list[tuple[str, int]]]] = {}
        self._next = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def fetch(self, key: str, start: int | None, most: int) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        return self.begin(key, start, most).result()

    def begin(self, key: str, start: int | None, most: int) -> Future[Answer]:
        """Start the fetch and return its future."""
        return self._ask(_FETCH, key, -1 if start is None else start, most)

    def keys(self) -> Iterator[tuple[str, int]]:
        """Every key below the URL and the size of its object, page by page."""
        for number in count():
            page = self._ask(_KEYS, "", number, 0).result()
            yield from page
            if len(page) < _PAGE_KEYS:
                return

    def close(self) -> None:
        """Do nothing: the connection is reused for the next request."""

    def _ask(self, what: int, key: str, start: int, most: int) -> Future[Any]:
        name = key.encode("utf-8", "surrogatepass")
        future: Future[Any] = Future()
        if len(name) > _KEY:
            future.set_result(Missing.ABSENT)
            return future
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._waiting[number] = future
            try:
                self._socket.sendall(_REQUEST.pack(number, what, start, most, len(name)) + name)
            except OSError:
                del self._waiting[number]
                future.set_exception(_gone(self.shown))
        return future

    def _listen(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                number, what, start, size, length = _ANSWER.unpack(_received(self._socket, _ANSWER.size))
                data = _received(self._socket, length)
                with self._lock:
                    future = self._waiting.pop(number)
                if not future.set_running_or_notify_cancel():
                    continue
                if what == _FAILED:
                    reason, path = json.loads(data)
                    future.set_exception(NotAnArchive(reason, path=path))
                elif what == _PAGE:
                    future.set_result([(key, int(bytes_)) for key, bytes_ in json.loads(data)])
                else:
                    missing = {_ABSENT: Missing.ABSENT, _DENIED: Missing.DENIED}.get(what)
                    future.set_result(missing or Part(start, data, size))
        with self._lock:
            for future in self._waiting.values():
                future.set_exception(_gone(self.shown))
            self._waiting.clear()


def _gone(shown: str) -> NotAnArchive:
    return NotAnArchive("the process that relays requests has ended", path=shown)


def _received(connection: socket.socket, length: int) -> bytes:
    """Exactly so many bytes; raises `EOFError`."""
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(min(1 << 20, length - len(parts)))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
