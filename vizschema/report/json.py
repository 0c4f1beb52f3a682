"""The JSON report: one document, as `spec/report.schema.json` says, the same bytes from run to run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import vizschema
from vizschema.findings import Accepted, Finding, Report
from vizschema.report.options import Options, overall_exit_code
from vizschema.report.tally import Tally
from vizschema.text import escape_text

REPORT_VERSION = "1.1.0"


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The document, in ASCII, so that no locale can change it."""
    tally = Tally(options)
    archives = [_archive(report, tally.add(report)) for report in reports]
    yield _dumped({**_head(), "archives": archives, **_closing(tally, options)}, indent=2)


def render_lines(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """A line for each archive as soon as it was judged, in the form of the document's `archives`, then the rest."""
    tally = Tally(options)
    for report in reports:
        yield _dumped(_archive(report, tally.add(report)))
    yield _dumped({**_head(), **_closing(tally, options)})


def _dumped(document: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(document, indent=indent, allow_nan=False).replace("##[", "\\u0023#[")


def _head() -> dict[str, Any]:
    return {"report_version": REPORT_VERSION, "vizschema": vizschema.__version__}


def _closing(tally: Tally, options: Options) -> dict[str, Any]:
    """What follows from all archives together."""
    return {
        "exit_code": overall_exit_code(tally.codes, options),
        "summary": tally.document(),
        "configuration": {
            "source": None if options.configuration is None else escape_text(options.configuration),
            "findings": [_finding(finding) for finding in options.audit()],
        },
    }


def _archive(report: Report, code: int) -> dict[str, Any]:
    """One archive, whose exit code is `code`."""
    return {
        "archive": escape_text(report.archive),
        "verdict": report.verdict,
        "conforms": report.conforms,
        "exit_code": code,
        "spec": {
            "version": report.spec_version or None,
            "digest": report.spec_digest or None,
            "chosen": report.spec_chosen or None,
        },
        "profile": {
            "name": escape_text(report.profile) or None,
            "chosen": report.profile_chosen or None,
            "likely": report.likely_profile,
            "missing": None if report.missing_profile is None else escape_text(report.missing_profile),
        },
        "container": dict(report.container) or None,
        "values": report.values,
        "coverage": None if report.coverage is None else dict(report.coverage),
        "digest": report.digest,
        "nodes": report.nodes,
        "notes": list(report.notes),
        "counts": {
            "error": report.counted("error"),
            "warning": report.counted("warning"),
            "accepted": dict(sorted(Counter(accepted.by for accepted in report.accepted).items())),
        },
        "findings": [_finding(finding) for finding in report.findings],
        "accepted": [_accepted(accepted) for accepted in report.accepted],
        "error": None if report.error is None else {"code": report.error.exit_code, "message": str(report.error)},
    }


def _accepted(accepted: Accepted) -> dict[str, str]:
    return {**_finding(accepted.finding), "by": accepted.by, "reason": escape_text(accepted.reason)}


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "counts_as": finding.weight,
        "path": escape_text(finding.path),
        "instance": escape_text(finding.instance),
        "expected": escape_text(finding.expected),
        "found": escape_text(finding.found),
        "title": finding.title,
        "fix": finding.fix,
        "fixable": finding.fixable,
    }
