"""Many archives judged in parallel, each as `validate` judges one, within one budget of threads and memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice

from vizschema.bounds import Bounds, Reading
from vizschema.errors import Interrupted, SpecError, UsageError, VizschemaError
from vizschema.findings import Report
from vizschema.fleet.judging import Judge, Place, Watch, named, unjudged, unwatched
from vizschema.fleet.places import archives_below
from vizschema.text import local_path
from vizschema.validation import judged

LEAST_MEMORY = 16 << 20
"""Least memory in bytes that each of the archives judged at a time gets."""


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
    dask: str | None = None,
) -> Iterator[Report]:
    """Validate many archives in parallel; yield their reports in the order of `paths`, each as soon as it is due.

    Parameters:
        paths: Archives, and folders or prefixes of object stores (`s3://bucket/runs/`) that contain some.
        spec: A released version (None: the one that each archive declares, else the first that has its profile).
        profile: A profile, or the folder of your own profile (None: the one that each archive declares).
        values: Read all values (False: judge the structure only).
        jobs: Threads of all archives together (None: one per CPU that this process may use).
        memory: Maximum bytes of decoded values in memory, of all archives together.
        isolated: Read each archive in a sandboxed process of its own.
        bounds: Further limits on these processes, each for one archive.
        digest: Compute the digests too.
        dask: Address of a Dask cluster that judges the archives, or `local` for `jobs` processes of this machine (the
            extra `dask`; not `isolated`); each of their threads has `memory`.

    Returns:
        An iterator of reports; an archive that cannot be judged, and a folder without archives, gives one with `error`.

    Raises:
        SpecError: `spec` or `profile` does not exist.

    Examples:
        >>> [report.verdict for report in vizschema.validate_many(["run.zarr", "broken.zarr"])]
        ['conforms', 'does not conform']
    """
    limits = bounds or Bounds()
    reading = Reading(jobs, limits if memory is None else replace(limits, memory=memory), isolated, dask)
    names = (local_path(os.fspath(path)) for path in paths)

    judge = partial(_judged, spec, profile, values, digest)
    return judged_in_order(names, judge, reading)


def _judged(spec: str | None, profile: str | None, values: bool, digest: bool, path: str, reading: Reading) -> Report:
    return judged(path, spec, profile, reading, values=values, digest=digest)


def judged_in_order(paths: Iterable[str], judge: Judge, reading: Reading, watch: Watch = unwatched) -> Iterator[Report]:
    """Yield the report on each archive that `paths` name, in this order; `reading` holds for all of them together.

    After Ctrl-C the last report has the error `Interrupted`.
    """
    places = (place for path in paths for place in _places(path))
    first = list(islice(places, max(2, reading.threads)))
    begun: deque[Place] = deque()

    def noted() -> Iterator[Place]:
        for place in chain(first, places):
            begun.append(place)
            yield place

    try:
        for report in _reports(noted(), len(first), judge, reading, watch):
            begun.popleft()
            yield report
    except KeyboardInterrupt:
        place = begun[0] if begun else ""
        error = Interrupted("interrupted before it was judged", path=named(place))
        yield unjudged(place, error)


def _reports(places: Iterator[Place], known: int, judge: Judge, reading: Reading, watch: Watch) -> Iterator[Report]:
    """The reports in order: on a cluster, on threads, or one by one. There are at least `known` places."""
    if reading.dask is not None and not reading.isolated and known > 1:
        from vizschema.fleet.spread import spread

        return spread(places, judge, reading, watch)
    at_once = 1 if reading.dask else max(1, min(known, reading.threads, reading.bounds.memory // LEAST_MEMORY))
    if at_once == 1:
        return (_report(place, judge, reading, watch) for place in places)
    return _on_threads(places, at_once, judge, reading, watch)


def _on_threads(
    places: Iterator[Place], at_once: int, judge: Judge, reading: Reading, watch: Watch
) -> Iterator[Report]:
    import threading

    from vizschema.fleet.order import in_order

    shared = replace(
        reading,
        jobs=max(1, reading.threads // at_once),
        bounds=replace(reading.bounds, memory=reading.bounds.memory // at_once),
    )
    alone = threading.Lock()

    def one(place: Place) -> Report:
        report = _report(place, judge, shared, watch)
        if not _is_partly_read(report):
            return report
        # A chunk may be larger than its share: the verdict must not depend on how many are judged at a time.
        with alone:
            return _report(place, judge, reading, watch)

    return in_order(one, places, at_once)


def _places(path: str) -> Iterator[Place]:
    """The archives that a path stands for; in their place the error, if they cannot be listed."""
    try:
        yield from archives_below(path)
    except VizschemaError as error:
        yield error
    except OSError as error:
        yield UsageError(f"cannot be listed: {error.strerror or error}", path=error.filename or path)


def _report(place: Place, judge: Judge, reading: Reading, watch: Watch) -> Report:
    if isinstance(place, VizschemaError):
        return unjudged(place, place)
    try:
        with watch(place) as begin:
            return judge(place, reading if begin is None else replace(reading, progress=begin))
    except SpecError:
        raise
    except VizschemaError as error:
        return unjudged(place, error)


def _is_partly_read(report: Report) -> bool:
    coverage = report.coverage
    return coverage is not None and coverage["chunks_read"] < coverage["chunks"]
