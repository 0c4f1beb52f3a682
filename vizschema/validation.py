"""Describe, choose the version and the profile, judge: one archive → one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from vizschema.bounds import MEMORY, Begin, Bounds, Reading
from vizschema.description import Description
from vizschema.errors import SpecError, VizschemaError
from vizschema.findings import Report
from vizschema.measure import Measured, closed_in, measured
from vizschema.rules.verdict import BASE_PROFILE, Chosen, choose, report_of
from vizschema.rules.versions import Profile, version_for
from vizschema.text import archive_name, local_path


def validate(
    path: str | os.PathLike[str],
    spec: str | None = None,
    profile: str | None = None,
    *,
    values: bool = True,
    jobs: int | None = None,
    memory: int = MEMORY,
    progress: Begin | None = None,
    isolated: bool = False,
    bounds: Bounds | None = None,
    digest: bool = False,
    expect_digest: str | None = None,
    dask: str | None = None,
) -> Report:
    """Validate an archive and return the report; an archive that cannot be judged gives a report with `error`.

    Parameters:
        path: A file, a folder or a URL.
        spec: A released version, such as "1.0.0" (None: the one that the archive declares, else the first that has its
            profile).
        profile: A profile, or the folder of your own profile (None: the one that the archive declares, else `trace`).
        values: Read all values (False: judge the structure only, and read no chunk).
        jobs: Threads that read values (None: one per CPU that this process may use).
        memory: Maximum bytes of decoded values in memory.
        progress: Called with the number of bytes to read; returns a function that is called with every number of
            bytes that was read.
        isolated: Read the archive in a sandboxed process, for untrusted archives.
        bounds: Limits on that process (None: the defaults, with `memory`).
        digest: Compute the digest of the archive in the same pass.
        expect_digest: Add the finding `expected-digest` unless the archive has this digest.
        dask: Address of a Dask cluster that reads the values, or `local` for `jobs` processes of this machine (the
            extra `dask`); each of their threads has `memory`.

    Returns:
        The report. After Ctrl-C, it covers the values that were read, and its `values` are "partial".

    Raises:
        SpecError: `spec` or `profile` does not exist.
        UsageError: `expect_digest` is not a digest, or `values` is False and a digest is requested.

    Examples:
        >>> report = vizschema.validate("run.zarr", profile="trace")
        >>> report.verdict
        'conforms'
        >>> [finding.message for finding in report.findings]
        []
    """
    reading = Reading(jobs, bounds or Bounds(memory=memory), isolated, dask, progress)
    return judged(path, spec, profile, reading, values=values, digest=digest, expect_digest=expect_digest)


def judged(
    path: str | os.PathLike[str],
    spec: str | None,
    profile: str | None,
    reading: Reading,
    *,
    values: bool = True,
    digest: bool = False,
    expect_digest: str | None = None,
    beside: Callable[[Report, Measured], object] | None = None,
) -> Report:
    """Return the verdict as `validate` does, of an archive that is read by `reading`.

    `beside` is called with the report and the archive, which is still open.
    """
    path = local_path(os.fspath(path))
    archive = archive_name(path)
    digest = digest or expect_digest is not None
    if digest:
        from vizschema.digests import require_digest

        require_digest(expect_digest, values=values)
    version = version_for(spec, profile)
    asked = None if profile is None else version.profile(profile)
    try:
        with _opened(path, reading, spec, asked, values=values, digest=digest) as (found, opened):
            report = _report(found, archive)
            if digest:
                from vizschema.digests import with_digest

                report = with_digest(report, found.description, expect_digest)
            if beside is not None:
                beside(report, opened)
            return report
    except SpecError:
        raise
    except VizschemaError as error:
        return Report(
            archive,
            version.version,
            version.digest,
            "first" if spec is None else "requested",
            BASE_PROFILE if asked is None else asked.name,
            "default" if asked is None else "requested",
            error=error,
        )


def _report(found: Read, archive: str) -> Report:
    report = report_of(found.description, archive, found.chosen)
    if report.findings:
        from vizschema.rules.fixes.plan import marked

        report = marked(report, found.description, found.chosen, closed_in(found.description))
    return replace(report, notes=(*report.notes, *found.notes))


class Read(NamedTuple):
    """An archive as it was read: its description, what it is to be judged by, and notes in words."""

    description: Description
    chosen: Chosen
    notes: tuple[str, ...]


def read(
    path: str | os.PathLike[str],
    reading: Reading,
    spec: str | None = None,
    profile: Profile | None = None,
    *,
    values: bool = True,
    digest: bool = False,
) -> Read:
    """Read the archive at `path`: with `values`, for the facts of the profile that is chosen for it, and its `digest`.

    Raises `NotAnArchive`, and `SpecError` if `spec` is not installed.
    """
    with _opened(path, reading, spec, profile, values=values, digest=digest) as (found, _):
        return found


@contextmanager
def _opened(
    path: str | os.PathLike[str],
    reading: Reading,
    spec: str | None,
    profile: Profile | None,
    *,
    values: bool,
    digest: bool,
) -> Iterator[tuple[Read, Measured]]:
    """Read the archive at `path` as `read` does; it is open for the block."""
    with measured(path, reading, values=values) as archive:
        description = archive.description
        chosen = choose(description, spec, profile)
        if values:
            entries = chosen.profile.facts
            if digest:
                from vizschema.digests import ENTRY, has_digest

                entries = (*entries, ENTRY) if has_digest(description) else entries
            description = archive.with_values(entries)
        yield Read(description, chosen, archive.notes), archive
