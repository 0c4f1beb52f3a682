"""How far a scan is, on a terminal: archives, bytes, rate and time left. Silent if the output is not a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vizschema.bounds import Begin
from vizschema.text import masked

if TYPE_CHECKING:
    from rich.progress import Progress


def watched() -> bool:
    """Whether somebody watches: standard error is a terminal that can redraw a line, and no CI runs this."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


class Bars:
    """A bar for each archive that is being read, from any thread, and one line that counts those that were."""

    def __init__(self, shown: Progress | None) -> None:
        self._shown = shown
        self._done = 0
        self._count = None if shown is None else shown.add_task("", total=None, visible=False)

    @contextmanager
    def of(self, name: str) -> Iterator[Begin | None]:
        """Return what begins the bar of the archive `name`; None if nothing is shown."""
        shown, count = self._shown, self._count
        if shown is None or count is None:
            yield None
            return
        from rich.markup import escape

        tasks = []

        def begin(total: int) -> Callable[[int], object]:
            tasks.append(shown.add_task(escape(masked(name)), total=total))

            def advance(done: int) -> None:
                shown.advance(tasks[-1], done)
                shown.advance(count, done)

            return advance

        yield begin
        for task in tasks:
            shown.remove_task(task)
        self._done += 1
        shown.update(count, description=f"{self._done} judged", visible=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Show nothing within the block, so that a line may be printed on the same terminal."""
        shown = self._shown if sys.stdout.isatty() else None
        if shown is not None:
            shown.stop()
        yield
        if shown is not None:
            shown.start()


@contextmanager
def bars() -> Iterator[Bars]:
    """Show the bars of archives within the block, if somebody watches."""
    if not watched():
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as shown:
        yield Bars(shown)


@contextmanager
def bar(name: str) -> Iterator[Begin | None]:
    """Return what begins a bar for N bytes and is then called with every number of bytes read; None if unwatched."""
    with bars() as shown, shown.of(name) as begin:
        yield begin
