"""How far a run is, on standard error: a line that is redrawn on a terminal, and one every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from vizschema.cli.progress import watched
from vizschema.conformance.harness.outcomes import Outcome

EVERY = 15.0
"""Seconds between two lines where no terminal redraws them."""


def progress(total: int) -> Callable[[Outcome | None], None]:
    """What is called with each outcome, and with None at the end."""
    redrawn = watched()
    between = 0.2 if redrawn else EVERY
    done, failed, begun = 0, 0, time.monotonic()
    last = begun

    def told(outcome: Outcome | None) -> None:
        nonlocal done, failed, last
        if outcome is None:
            print("\r\x1b[K" if redrawn else "", end="", file=sys.stderr, flush=True)
            return
        done += 1
        failed += not outcome.passed
        now = time.monotonic()
        if now - last >= between:
            last = now
            words = f"{done} of {total} cases in {now - begun:.0f} s, {failed} failed"
            print(f"\r\x1b[K{words}" if redrawn else words, end="" if redrawn else "\n", file=sys.stderr, flush=True)

    return told
