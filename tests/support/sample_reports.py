"""Reports to render, made by hand: no archive and no spec behind them."""

from __future__ import annotations

from typing import Any

from vizschema.errors import NotAnArchive
from vizschema.findings import Finding, Report

DIGEST = "0123456789abcdef" * 4


def finding(rule: str, path: str, **changes: Any) -> Finding:
    """A finding about `path`."""
    values = {
        "severity": "error",
        "instance": f"/nodes/{path.replace('/', '~1')}",
        "expected": "3 names",
        "found": "none",
        "title": f"The clause of {rule}.",
        "fix": f"Do what {rule} says.",
    }
    return Finding(rule=rule, path=path, **values | changes)


def report(*findings: Finding, **changes: Any) -> Report:
    """A report on `run.zarr` with these findings."""
    values: dict[str, Any] = {
        "archive": "run.zarr",
        "spec_version": "1.0.0",
        "spec_digest": DIGEST,
        "spec_chosen": "declared",
        "profile": "model",
        "profile_chosen": "declared",
        "container": {"format": "zarr", "version": 3, "store": "directory", "consolidated": False},
        "nodes": 12,
    }
    return Report(findings=findings, **values | changes)


UNREADABLE = report(archive="no.h5", container={}, nodes=0, error=NotAnArchive("no such file or folder", path="no.h5"))
EVERY_KIND = report(
    finding("axes-named", "/a/x"),
    finding("axes-named", "/a/y", found="2 names"),
    finding("chunk-small", "/a/y", severity="warning"),
    *(finding("series-width", f"/a/layer_{index}") for index in range(5)),
    spec_chosen="first",
    profile="trace",
    profile_chosen="default",
    likely_profile="model",
    notes=("the archive declares no profile: judged as trace; it looks like model (--profile model)",),
)
