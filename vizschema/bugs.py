"""Our own bugs, turned into one line and an exit code. The one place that catches every exception."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vizschema.errors import VizschemaError


@contextmanager
def reported_as_bug() -> Iterator[None]:
    """A block in which an exception that is not ours becomes a `VizschemaError` (exit code 70) that asks for a report.

    The traceback is written to stderr only where the environment says `VIZSCHEMA_DEBUG=1`.
    """
    try:
        yield
    except (VizschemaError, BrokenPipeError):
        raise
    except Exception as error:  # whatever an archive sets off, the user gets one line and a code
        import traceback

        from vizschema.text import escape_text, shorten
        from vizschema.urls import scrubbed

        if os.environ.get("VIZSCHEMA_DEBUG") == "1":
            sys.stderr.write(scrubbed(traceback.format_exc()))
        said = shorten(escape_text(scrubbed(f"{type(error).__name__}: {error}")), 300)
        raise VizschemaError(
            f"internal error: {said}. This is a bug of vizschema and says nothing about the archive; "
            "please report it, with what VIZSCHEMA_DEBUG=1 adds to this line"
        ) from error
