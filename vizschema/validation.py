"""Describe, choose the version and the profile, judge: one archive → one report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vizschema.bounds import MEMORY, Bounds
from vizschema.description import Description
from vizschema.errors import SpecError, VizschemaError
from vizschema.findings import Report
from vizschema.measure import Begin, Measure
from vizschema.rules.judge import judge
from vizschema.rules.versions import Profile, Spec, load, newest, versions
from vizschema.text import archive_name, local_path, shorten

BASE_PROFILE = "trace"

TELLING = 3
"""How many telling words of a profile an archive has to hold before it looks like one; one or two are chance."""

_TOPS = 4

_TRUSTED_COPY = (
    "described from the consolidated copy of the metadata, which is trusted: the documents of a remote archive are not "
    "compared with it one by one"
)


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
    """The verdict on the archive at `path`, which may be a URL; one that cannot be judged gives a report with `error`.

    `spec` is a released version, by default the one that the archive declares, else the newest; `profile` is a name or
    the folder of a profile of your own, by default the one that the archive declares, else `trace`.
    Without `values` no chunk is read, and the verdict is about the structure alone. Values are read by `jobs` threads
    (null: one for each CPU that this process may use), `memory` bytes of them at a time; `progress` is called with the
    number of bytes to read, and what it gives with every number that was read. Ctrl-C while values are read gives a
    report whose `values` are "partial".
    With `isolated`, a confined process reads the archive, within `bounds` (of memory too); the archive may then come
    from anyone.
    With `digest`, the report has the archive's digest, which the same reading gives; with `expect_digest` it has a
    finding `expected-digest` where the digest is another one, or there is none.
    With `dask`, values are read by the Dask cluster at this address, or by as many processes of our own as `jobs` says
    where it is `local` (the extra `dask`); each of their threads has `memory`.
    Raises `SpecError` where `spec` or `profile` is not there, `UsageError` where `expect_digest` is no digest.
    """
    path = local_path(os.fspath(path))
    archive = archive_name(path)
    digest = digest or expect_digest is not None
    if digest:
        from vizschema.digests import require_digest

        require_digest(expect_digest, values=values)
    chosen = load(spec) if spec is not None else newest()
    judged = None if profile is None else chosen.profile(profile)
    measure = measure_of(path, spec, judged, jobs, bounds or Bounds(memory=memory), progress, digest=digest, dask=dask)
    try:
        description, notes = measure.by_worker(values=values) if isolated else (measure.here(values=values), ())
    except SpecError:
        raise
    except VizschemaError as error:
        return Report(
            archive,
            chosen.version,
            chosen.digest,
            "newest" if spec is None else "requested",
            BASE_PROFILE if judged is None else judged.name,
            "default" if judged is None else "requested",
            error=error,
        )
    report = report_of(description, archive, spec=spec, profile=judged)
    report = replace(report, notes=(*report.notes, *notes))
    if not digest:
        return report
    from vizschema.digests import with_digest

    return with_digest(report, description, expect_digest)


def report_of(
    description: Description, archive: str, *, spec: str | None = None, profile: str | Profile | None = None
) -> Report:
    """The verdict on a description that is already there; `archive` is what to call it."""
    root = description["nodes"].get("/", {}).get("attributes", {})
    version, version_chosen, version_notes = _choose_version(root, spec)
    judged, profile_chosen, likely, profile_notes = _choose_profile(description, root, version, profile)
    container = description["container"]
    trusted = (_TRUSTED_COPY,) if container["store"] == "remote" and container["consolidated"] else ()
    return Report(
        archive,
        version.version,
        version.digest,
        version_chosen,
        judged.name,
        profile_chosen,
        likely,
        container,
        description["values"],
        len(description["nodes"]),
        (*trusted, *version_notes, *profile_notes),
        judge(description, judged),
        coverage=description.get("coverage"),
    )


def measure_of(
    path: str | os.PathLike[str],
    spec: str | None,
    profile: Profile | None,
    jobs: int | None,
    bounds: Bounds,
    progress: Begin | None,
    *,
    digest: bool = False,
    dask: str | None = None,
) -> Measure:
    """How to read the archive at `path` for the facts of the profile that it will be judged by, and its `digest`."""

    def entries(description: Description) -> Sequence[Mapping[str, Any]]:
        root = description["nodes"].get("/", {}).get("attributes", {})
        facts = _choose_profile(description, root, _choose_version(root, spec)[0], profile)[0].facts
        if not digest:
            return facts
        from vizschema.digests import ENTRY, has_digest

        return [*facts, ENTRY] if has_digest(description) else facts

    return Measure(local_path(os.fspath(path)), entries, jobs, bounds, progress, dask)


def _choose_version(root: Mapping[str, Any], requested: str | None) -> tuple[Spec, str, tuple[str, ...]]:
    if requested is not None:
        return load(requested), "requested", ()
    declared = root.get("spec_version")
    if isinstance(declared, str) and declared in versions():
        return load(declared), "declared", ()
    spec = newest()
    what = (
        f"declares spec_version {_shown(declared)}, which is not installed"
        if "spec_version" in root
        else "declares no spec_version"
    )
    return spec, "newest", (f"the archive {what}: judged by {spec.version}, the newest installed",)


def _choose_profile(
    description: Description, root: Mapping[str, Any], spec: Spec, requested: str | Profile | None
) -> tuple[Profile, str, str | None, tuple[str, ...]]:
    if isinstance(requested, Profile):
        return requested, "requested", None, ()
    if requested is not None:
        return spec.profile(requested), "requested", None, ()
    declared = root.get("profile")
    if isinstance(declared, str) and declared in spec.profiles:
        return spec.profile(declared), "declared", None, ()
    likely = likely_profile(description, spec)
    what = (
        f"declares the profile {_shown(declared)}, which {spec.version} does not have"
        if "profile" in root
        else "declares no profile"
    )
    hint = f"; it looks like {likely} (--profile {likely})" if likely else ""
    if not likely and "profile" not in root and "spec_version" not in root:
        others = ", ".join(name for name in spec.profiles if name != BASE_PROFILE)
        reason = _no_trace(description, spec.profile(BASE_PROFILE).recognized_by)
        hint = f"; it looks like none of {others}"
        if reason is not None:
            hint += f", and is probably no inference trace, because {reason}"
    return spec.profile(BASE_PROFILE), "default", likely, (f"the archive {what}: judged as {BASE_PROFILE}{hint}",)


def _no_trace(description: Description, words: Sequence[str]) -> str | None:
    """Why an archive that declares nothing is probably no trace; null where one of the words shows that it may be."""
    if description["nodes"]["/"]["kind"] == "array":
        return "it is one array, and a trace is a tree of arrays"
    tops = sorted({path.split("/")[1] for path in description["nodes"]} - {""})
    if any(word in top.lower() for word in words for top in tops):
        return None
    found = ", ".join(map(_shown, tops[:_TOPS])) + (", …" if len(tops) > _TOPS else "")
    return f"no group of the root is called after {', '.join(words[:-1])} or {words[-1]} (found: {found or 'nothing'})"


def _shown(value: Any) -> str:
    return shorten(str(value), 60)


def likely_profile(description: Description, spec: Spec) -> str | None:
    """The profile most of whose telling words occur in the names and attributes; None where two are level."""
    text = " ".join(_telling(description)).lower()
    scores = {}
    for name in spec.profiles:
        if name != BASE_PROFILE:
            words = spec.profile(name).recognized_by
            found = sum(word in text for word in words)
            scores[name] = found / len(words) if found >= TELLING else 0
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    if not ranked or not ranked[0][1] or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _telling(description: Description) -> set[str]:
    """Names of nodes, names of attributes, and short texts among their values."""
    words: set[str] = set()
    for path, node in description["nodes"].items():
        words.update(path.split("/"))
        for key, value in node.get("attributes", {}).items():
            words.add(key)
            if isinstance(value, str) and len(value) <= 200:
                words.add(value)
    return words
