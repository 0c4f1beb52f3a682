"""How far a scan is, on a terminal: bytes, rate and time left. Silent if the output is not a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vizschema.bounds import Begin
from vizschema.text import masked


def watched() -> bool:
    """Whether somebody watches: standard error is a terminal that can redraw a line, and no CI runs this."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


@contextmanager
def bar(name: str) -> Iterator[Begin | None]:
    """Return what begins a bar for N bytes and is then called with every number of bytes read; None if unwatched."""
    if not watched():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:

        def begin(total: int) -> Callable[[int], object]:
            task = shown.add_task(escape(masked(name)), total=total)
            return lambda done: shown.advance(task, done)

        yield begin
