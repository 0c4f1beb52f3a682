"""A function over many items on threads, with the results in the order of the items, each as soon as it is due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""Items begun for each thread before the first result that is not taken yet."""


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `function` of each item, in order, computed by so many threads; an exception is raised where it is due.

    The threads are daemons: after Ctrl-C no call that is still running keeps the process alive.
    """
    waiting: SimpleQueue[tuple[Future[Result], Item] | None] = SimpleQueue()
    begun: SimpleQueue[Future[Result]] = SimpleQueue()
    stopped = threading.Event()

    def work() -> None:
        while (task := waiting.get()) is not None and not stopped.is_set():
            future, item = task
            try:
                future.set_result(function(item))
            except BaseException as error:  # noqa: BLE001  (raised again by `result`, in the thread that asks)
                future.set_exception(error)

    def begin(item: Item) -> None:
        future: Future[Result] = Future()
        begun.put(future)
        waiting.put((future, item))

    for _ in range(threads):
        threading.Thread(target=work, daemon=True).start()
    source = iter(items)
    try:
        for item in islice(source, threads * _AHEAD):
            begin(item)
        while not begun.empty():
            yield begun.get().result()
            for item in islice(source, 1):
                begin(item)
    finally:
        stopped.set()
        for _ in range(threads):
            waiting.put(None)
