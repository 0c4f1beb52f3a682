"""A small conforming archive of each profile, from the `example.json` beside its schemas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.materialise import materialise
from vizschema.errors import UsageError
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.text import suggestion
from vizschema.writer.write import write


def profiles(spec: str | None = None) -> tuple[str, ...]:
    """The profiles of a version (by default of each) that have an example."""
    known = [spec] if spec is not None else [versions.default().version, *versions.versions()]
    named = (name for version in known for name in versions.load(version).profiles)
    return tuple(name for name in dict.fromkeys(named) if _place(name, versions.version_for(spec, name)).is_file())


def example(profile: str, spec: str | None = None) -> dict[str, Any]:
    """The archive document of the example of `profile`; raises `UsageError` where there is none."""
    version = versions.version_for(spec, profile)
    known = profiles(spec)
    if profile not in known:
        words = f"profile {profile!r} has no example in {version.version}; there is one of {', '.join(known)}"
        raise UsageError(words + suggestion(profile, known))
    return versions.read_json(_place(profile, version))


def _place(profile: str, version: versions.Spec) -> Path:
    return versions.stated(versions.root(), version.version, f"{profile}/example.json")


def write_example(
    profile: str,
    path: str | os.PathLike[str],
    container: str | None = None,
    *,
    spec: str | None = None,
    overwrite: bool = False,
) -> Report:
    """The report on the example of `profile`, written to `path`; raises what `vizschema.write` raises."""
    arrays, attributes = materialise(example(profile, spec))
    return write(Path(path), arrays, attributes, profile=profile, container=container, spec=spec, overwrite=overwrite)
