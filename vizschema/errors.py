"""Exceptions: each means that an archive could not be judged, and knows the exit code that says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vizschema.findings import Report


class VizschemaError(Exception):
    """What every exception of this package derives from; `exit_code` is that of the command line."""

    exit_code = 70


class UsageError(VizschemaError):
    """The call cannot be carried out as it stands: an existing target, an unknown container, a wrong argument."""

    exit_code = 2


class NotAnArchive(VizschemaError):
    """What lies at the path cannot be read as an archive at all."""

    exit_code = 3


class Damaged(NotAnArchive):
    """Values that cannot be read: the array's `path`, the chunk's `key`, a `reason` of the closed list, a `detail`."""

    def __init__(self, path: str, key: str, reason: str, detail: str) -> None:
        super().__init__(f"{path}: cannot be read: chunk {key}: {reason}: {detail}")
        self.path = path
        self.key = key
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Damaged], tuple[str, str, str, str]]:
        return Damaged, (self.path, self.key, self.reason, self.detail)


class NoDigest(VizschemaError):
    """The archive has no digest: a node is damaged, or is none that every container could hold in the same way."""

    exit_code = 1


class SpecError(VizschemaError):
    """A version, profile or schema is not there, or is no valid schema of ours."""

    exit_code = 4


class NotConforming(VizschemaError):
    """A write was refused, or a capture could not be marked complete; `report` holds the findings."""

    exit_code = 1

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


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

        from vizschema.text import escape_text, scrubbed, shorten

        if os.environ.get("VIZSCHEMA_DEBUG") == "1":
            sys.stderr.write(scrubbed(traceback.format_exc()))
        said = shorten(escape_text(scrubbed(f"{type(error).__name__}: {error}")), 300)
        raise VizschemaError(
            f"internal error: {said}. This is a bug of vizschema and says nothing about the archive; "
            "please report it, with what VIZSCHEMA_DEBUG=1 adds to this line"
        ) from error
