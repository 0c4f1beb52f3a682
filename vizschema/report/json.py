"""The JSON report: one document, as `spec/report.schema.json` says, the same bytes from run to run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import vizschema
from vizschema.findings import Accepted, Finding, Report
from vizschema.report.options import Options, exit_code, overall_exit_code
from vizschema.text import escape_text

REPORT_VERSION = "1.0.0"


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The document, in ASCII, so that no locale can change it."""
    archives = [_archive(report, options) for report in reports]
    document = {
        "report_version": REPORT_VERSION,
        "vizschema": vizschema.__version__,
        "exit_code": overall_exit_code([archive["exit_code"] for archive in archives], options),
        "archives": archives,
        "configuration": {
            "source": None if options.configuration is None else escape_text(options.configuration),
            "findings": [_finding(finding) for finding in options.audit()],
        },
    }
    yield json.dumps(document, indent=2, allow_nan=False).replace("##[", "\\u0023#[")


def _archive(report: Report, options: Options) -> dict[str, Any]:
    return {
        "archive": escape_text(report.archive),
        "verdict": report.verdict,
        "conforms": report.conforms,
        "exit_code": exit_code(report, options),
        "spec": {
            "version": report.spec_version or None,
            "digest": report.spec_digest or None,
            "chosen": report.spec_chosen or None,
        },
        "profile": {
            "name": escape_text(report.profile) or None,
            "chosen": report.profile_chosen or None,
            "likely": report.likely_profile,
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
    }
