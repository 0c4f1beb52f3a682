"""Many archives judged in parallel, each as `validate` judges one, within one budget of threads and memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from vizschema.bounds import Bounds, Reading
from vizschema.errors import Interrupted, SpecError, UsageError, VizschemaError
from vizschema.findings import Report
from vizschema.fleet.places import archives_below
from vizschema.text import archive_name, local_path
from vizschema.validation import judged

LEAST_MEMORY = 16 << 20
"""Least memory in bytes that each of the archives judged at a time gets."""

Judge = Callable[[str, Reading], Report]
"""Judges the archive at a path, read as the `Reading` says."""


def validate_many(
    paths: Iterable[str | os.PathLike[str]],
    spec: str | None = None,
    profile: str | None = None,
    *,
    values: bool = True,
    jobs: int | None = None,
    memory: int | None = None,
    isolated: bool = True,
    bounds: Bounds | None = None,
    digest: bool = False,
) -> Iterator[Report]:
    """Validate many archives in parallel; yield their reports in the order of `paths`, each as soon as it is due.

    Parameters:
        paths: Archives, and folders or prefixes of object stores (`s3://bucket/runs/`) that contain some.
        spec: A released version (None: the one that each archive declares, else the newest).
        profile: A profile, or the folder of your own profile (None: the one that each archive declares).
        values: Read all values (False: judge the structure only).
        jobs: Threads of all archives together (None: one per CPU that this process may use).
        memory: Maximum bytes of decoded values in memory, of all archives together.
        isolated: Read each archive in a sandboxed process of its own.
        bounds: Further limits on these processes, each for one archive.
        digest: Compute the digests too.

    Returns:
        An iterator of reports; an archive that cannot be judged, and a folder without archives, gives one with `error`.

    Raises:
        SpecError: `spec` or `profile` does not exist.

    Examples:
        >>> [report.verdict for report in vizschema.validate_many(["run.zarr", "broken.zarr"])]
        ['conforms', 'does not conform']
    """
    limits = bounds or Bounds()
    reading = Reading(jobs, limits if memory is None else replace(limits, memory=memory), isolated)
    names = (local_path(os.fspath(path)) for path in paths)

    def judge(path: str, each: Reading) -> Report:
        return judged(path, spec, profile, each, values=values, digest=digest)

    return judged_in_order(names, judge, reading)


def judged_in_order(paths: Iterable[str], judge: Judge, reading: Reading) -> Iterator[Report]:
    """Yield the report on each archive that `paths` name, in this order; `reading` holds for all of them together.

    A cluster (`reading.dask`) reads them one after the other.

    After Ctrl-C the last report has the error `Interrupted`.
    """
    places = (place for path in paths for place in _places(path))
    first = list(islice(places, reading.threads))
    at_once = 1 if reading.dask else max(1, min(len(first), reading.bounds.memory // LEAST_MEMORY))
    if at_once < 2:
        yield from (_report(place, judge, reading) for place in chain(first, places))
        return
    shared = replace(
        reading,
        jobs=max(1, reading.threads // at_once),
        bounds=replace(reading.bounds, memory=reading.bounds.memory // at_once),
    )
    import threading

    from vizschema.fleet.order import in_order

    alone = threading.Lock()

    def one(place: str | VizschemaError) -> Report:
        report = _report(place, judge, shared)
        if not _is_partly_read(report):
            return report
        with (
            alone
        ):  # a chunk may be larger than its share: the verdict must not depend on how many are judged at a time
            return _report(place, judge, reading)

    begun: deque[str | VizschemaError] = deque()

    def noted() -> Iterator[str | VizschemaError]:
        for place in chain(first, places):
            begun.append(place)
            yield place

    try:
        for report in in_order(one, noted(), at_once):
            begun.popleft()
            yield report
    except KeyboardInterrupt:
        yield _report(begun[0] if begun else "", _interrupted, reading)


def _places(path: str) -> Iterator[str | VizschemaError]:
    """The archives that a path stands for; in their place the error, if they cannot be listed."""
    try:
        yield from archives_below(path)
    except VizschemaError as error:
        yield error
    except OSError as error:
        yield UsageError(f"cannot be listed: {error.strerror or error}", path=error.filename or path)


def _report(place: str | VizschemaError, judge: Judge, reading: Reading) -> Report:
    if isinstance(place, VizschemaError):
        return Report(place.path or "", "", "", "", "", "", error=place)
    try:
        return judge(place, reading)
    except SpecError:
        raise
    except VizschemaError as error:
        return Report(archive_name(place), "", "", "", "", "", error=error)


def _interrupted(path: str, _: Reading) -> Report:
    raise Interrupted("interrupted before it was judged", path=archive_name(path))


def _is_partly_read(report: Report) -> bool:
    coverage = report.coverage
    return coverage is not None and coverage["chunks_read"] < coverage["chunks"]
