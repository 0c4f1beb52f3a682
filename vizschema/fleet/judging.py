"""What both ways of judging many archives, on threads and on a cluster, are given and give."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from vizschema.bounds import Begin, Reading
from vizschema.errors import VizschemaError
from vizschema.findings import Report
from vizschema.text import archive_name

Judge = Callable[[str, Reading], Report]
"""Judges the archive at a path, read as the `Reading` says; one that is to run on a cluster can be pickled."""

Place = str | VizschemaError
"""An archive, or why a path stands for none."""

Watch = Callable[[str], AbstractContextManager[Begin | None]]
"""A block within which the archive at a path is judged; gives what its progress is reported to, if it is shown."""


def unwatched(_: str) -> AbstractContextManager[None]:
    """Watch nothing."""
    return nullcontext()


def named(place: Place) -> str:
    """Return how a report names the archive."""
    return (place.path or "") if isinstance(place, VizschemaError) else archive_name(place)


def unjudged(place: Place, error: VizschemaError) -> Report:
    """Return the report on an archive that was not judged, for this reason."""
    return Report(named(place), "", "", "", "", "", error=error)
