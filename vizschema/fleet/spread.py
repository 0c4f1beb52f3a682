"""Many archives judged by a Dask cluster: an archive is a task, and one that is too large for a task is read by ranges.

What a task cannot answer (the archive is large, or cannot be read there) is judged from here, as a single archive is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any

from vizschema.bounds import Reading
from vizschema.errors import UsageError, VizschemaError
from vizschema.findings import Report
from vizschema.fleet.judging import Judge, Place, Watch, unjudged
from vizschema.measure import measured
from vizschema.scan.cluster import client_of, killed
from vizschema.text import archive_name

WHOLE_BYTES = 1 << 30
"""Decoded bytes of the largest archive that one task judges."""

_AHEAD = 4
"""Archives that are submitted for each thread of the cluster."""


def spread(places: Iterable[Place], judge: Judge, reading: Reading, watch: Watch) -> Iterator[Report]:
    """Yield the report on each archive in order, judged by the cluster `reading.dask`.

    Where there is no cluster, or it is lost, the reports that are left have that error.
    """
    source = iter(places)
    begun: deque[tuple[Place, Any]] = deque()
    try:
        with client_of(str(reading.dask), reading.threads) as client:
            there = replace(reading, dask=client.scheduler.address)
            for place, future in _submitted(source, begun, client, judge, there):
                with watch(place) if isinstance(place, str) else nullcontext() as begin:
                    report = _report(place, future, judge, replace(there, progress=begin))
                begun.popleft()
                yield report
    except UsageError as lost:
        error = lost
    else:
        return
    for place in chain((place for place, _ in begun), source):
        yield unjudged(place, place if isinstance(place, VizschemaError) else error)


def _submitted(
    source: Iterator[Place], begun: deque[tuple[Place, Any]], client: Any, judge: Judge, reading: Reading
) -> Iterator[tuple[Place, Any]]:
    """Yield the first of `begun`, each an archive and its task, again and again until the source is at its end.

    As many archives are in `begun` as the cluster has use for; the caller takes away the one that it was given.
    """
    there = replace(reading, dask=None, jobs=1, progress=None)
    more = True
    while True:
        while more and len(begun) < _AHEAD * max(1, sum(client.nthreads().values())):
            place = next(source, None)
            more = place is not None
            if place is not None:
                judgeable = isinstance(place, str)
                begun.append(
                    (place, client.submit(whole, judge, place, there, WHOLE_BYTES, pure=False) if judgeable else None)
                )
        if not begun:
            return
        yield begun[0]


def _report(place: Place, future: Any, judge: Judge, reading: Reading) -> Report:
    """The report on an archive by its task; judged from here if that says so."""
    if isinstance(place, VizschemaError):
        return unjudged(place, place)
    deaths = killed(future)
    if deaths is not None:
        return unjudged(place, UsageError(f"cannot be judged on the cluster: {deaths}", path=archive_name(place)))
    report: Report | None = future.result()
    if report is None:
        return judge(place, reading)
    if reading.progress is not None and report.coverage is not None:
        reading.progress(report.coverage["bytes"])(report.coverage["bytes_read"])
    return report


def whole(judge: Judge, place: str, reading: Reading, limit: int) -> Report | None:
    """In a process of the cluster: the report on an archive; None if that has to be judged from elsewhere."""
    try:
        with measured(place, reading, values=False) as archive:
            size = sum(node.get("bytes", 0) for node in archive.description["nodes"].values())
    except VizschemaError:
        return None
    if size > limit:
        return None
    report = judge(place, reading)
    return report if report.error is None else None
