"""A place on the network from which objects are fetched by key: bounded in size, time, tries and concurrency.

Owns the calls from any thread into fsspec's event loop. Which protocol is spoken is the matter of a `Transport`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from vizschema.errors import NotAnArchive
from vizschema.text import escape_text, shorten

_T = TypeVar("_T")

AT_ONCE = 32
"""Requests under way at a time."""

_PAGE = 1000


class Missing(Enum):
    """Why there is no object: it is not there, or we may not know."""

    ABSENT = "nothing there (404)"
    DENIED = "access denied (403)"


class Part(NamedTuple):
    """Bytes of an object from `start`, and the `size` of the whole. An object that was too large gives no bytes."""

    start: int
    data: bytes
    size: int


Answer = Part | Missing


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a server may take, in seconds: `whole` for a request, and more for a body by `rate` bytes a second."""

    connect: float = 10
    read: float = 30
    whole: float = 60
    rate: int = 64 << 10
    tries: int = 3
    pause: float = 0.25


class Transient(Exception):
    """A try that failed in a way that another one may not; the words say how."""


class Refused(Exception):
    """A request that no other try would fix; the words say why."""


class Transport(Protocol):
    """Objects below a URL, asked for on fsspec's event loop. A failure is `Transient`, `Refused` or `TimeoutError`."""

    lists: bool

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`; if that is None, the whole object, or no byte if it is larger than `most`.

        The key of the object at the URL itself is empty. Puts `clock` off by what is about to be read.
        """

    def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the URL and the size of its object."""

    async def close(self) -> None:
        """Let go of every connection."""


class Remote(Protocol):
    """A `Transport` for any thread. Whatever fails raises `NotAnArchive` with one clear sentence."""

    shown: str
    lists: bool

    def fetch(self, key: str, start: int | None, most: int) -> Answer:
        """As of a `Transport`."""

    def begin(self, key: str, start: int | None, most: int) -> Future[Answer]:
        """Start the fetch and return its future."""

    def keys(self) -> Iterator[tuple[str, int]]:
        """Yield the names and sizes below a key, page by page."""

    def close(self) -> None:
        """Let go of every connection."""


class RetryingRemote:
    """A `Transport` in this process, as `Remote`; `shown` is the URL as it may be shown."""

    def __init__(self, transport: Transport, shown: str, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        self.shown = shown
        self.lists = transport.lists
        self._transport = transport
        self._timeouts = timeouts
        self._loop = loop
        self._slots = asyncio.Semaphore(AT_ONCE)

    def fetch(self, key: str, start: int | None, most: int) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        return self.begin(key, start, most).result()

    def begin(self, key: str, start: int | None, most: int) -> Future[Answer]:
        """Start the fetch and return its future."""
        return self._run(self._fetched(key, start, most))

    def keys(self) -> Iterator[tuple[str, int]]:
        """Every key below the URL and the size of its object, page by page."""
        keys = self._transport.keys()
        try:
            while True:
                page = self._run(self._patiently("", lambda _: _page(keys), tries=1)).result()
                yield from page
                if len(page) < _PAGE:
                    return
        finally:
            self._run(keys.aclose()).result()

    def close(self) -> None:
        """Let go of every connection."""
        with suppress(TimeoutError):
            self._run(self._transport.close()).result(self._timeouts.connect)

    def _run(self, coroutine: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _fetched(self, key: str, start: int | None, most: int) -> Answer:
        async with self._slots:
            return await self._patiently(key, lambda clock: self._transport.fetch(key, start, most, clock))

    async def _patiently(
        self, key: str, attempt: Callable[[asyncio.Timeout], Awaitable[_T]], tries: int | None = None
    ) -> _T:
        """What an attempt gives, tried again where that may help; raised with no cause, which could hold secrets."""
        timeouts = self._timeouts
        tries = tries or timeouts.tries
        words = ""
        for number in range(tries):
            if number:
                await asyncio.sleep(timeouts.pause * 4 ** (number - 1))
            try:
                async with asyncio.timeout(timeouts.whole) as clock:
                    return await attempt(clock)
            except Transient as transient:
                words = f"{transient} (tried {number + 1} times)"
            except TimeoutError:
                words = f"timeout (tried {number + 1} times)"
            except Refused as refused:
                words = str(refused)
                break
        raise NotAnArchive(words, path=place_of(self.shown, key))


def place_of(shown: str, key: str) -> str:
    """How the object under a key is called in messages."""
    name = shorten(escape_text(key), 200)
    before, mark, masked = shown.partition("?")
    return f"{before.rstrip('/')}/{name}{mark}{masked}" if key else shown


def extend_deadline(clock: asyncio.Timeout, timeouts: Timeouts, length: int) -> None:
    """Gives an attempt the time that a body of this length may take."""
    clock.reschedule(asyncio.get_running_loop().time() + timeouts.whole + length / timeouts.rate)


def gathered(remote: Remote, wanted: Sequence[tuple[str, int]], held: int = 64) -> Iterator[Answer]:
    """The whole objects under keys, none larger than is said of it, in order; some `held` at a time are under way."""
    rest = iter(wanted)
    running = [remote.begin(key, None, most) for key, most in islice(rest, held)]
    try:
        while running:
            answer = running.pop(0).result()
            running += [remote.begin(key, None, most) for key, most in islice(rest, 1)]
            yield answer
    finally:
        for future in running:
            future.cancel()


async def _page(keys: AsyncGenerator[tuple[str, int], None]) -> list[tuple[str, int]]:
    page: list[tuple[str, int]] = []
    async for item in keys:
        page.append(item)
        if len(page) == _PAGE:
            break
    return page
