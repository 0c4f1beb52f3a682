"""The report as SARIF 2.1.0 (OASIS): one run, every finding a result, what is accepted a suppressed one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import vizschema
from vizschema.findings import Accepted, Finding, Report
from vizschema.report.options import HOME, Options, exit_code, overall_exit_code
from vizschema.report.tally import Tally
from vizschema.text import escape_text

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The document, in ASCII."""
    seen = list(reports)
    tally = Tally(options)
    for report in seen:
        tally.add(report)
    rules = _rules(seen)
    invocation = {
        "executionSuccessful": all(report.error is None for report in seen),
        "exitCode": overall_exit_code(tally.codes, options),
        "toolExecutionNotifications": [_unreadable(report) for report in seen if report.error is not None],
        "toolConfigurationNotifications": [_configuration(finding) for finding in options.audit()],
    }
    if options.timestamp is not None:
        invocation["endTimeUtc"] = options.timestamp
    run = {
        "tool": {"driver": _driver(rules, options)},
        "columnKind": "utf16CodeUnits",
        "invocations": [invocation],
        "artifacts": [_artifact(report, options) for report in seen],
        "properties": {"summary": tally.document()},
        "results": [result for report in seen for result in _results(report, list(rules))],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    yield json.dumps(document, indent=2, allow_nan=False).replace("##[", "\\u0023#[")


def _rules(reports: Iterable[Report]) -> dict[str, Finding]:
    """The broken rules, each with one of its findings, sorted."""
    findings = (finding for report in reports for finding, _ in _all(report))
    named = {finding.rule: finding for finding in findings}
    return {rule: named[rule] for rule in sorted(named)}


def _all(report: Report) -> Iterator[tuple[Finding, Accepted | None]]:
    yield from ((finding, None) for finding in report.findings)
    yield from ((accepted.finding, accepted) for accepted in report.accepted)


def _driver(rules: Mapping[str, Finding], options: Options) -> dict[str, Any]:
    return {
        "name": "vizschema",
        "semanticVersion": vizschema.__version__,
        "informationUri": HOME,
        "rules": [_rule(name, finding, options.page(name)) for name, finding in rules.items()],
    }


def _rule(name: str, finding: Finding, page: str | None) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": finding.title},
        "help": {"text": f"Fix: {finding.fix}"},
        **({} if page is None else {"helpUri": page}),
        "defaultConfiguration": {"level": finding.severity},
    }


def _results(report: Report, rules: list[str]) -> Iterator[dict[str, Any]]:
    for finding, accepted in _all(report):
        result = {
            "ruleId": finding.rule,
            "ruleIndex": rules.index(finding.rule),
            "level": finding.weight,
            "message": {"text": escape_text(f"{finding.message}. Fix: {finding.fix}")},
            "locations": [_location(report.archive, finding)],
            "partialFingerprints": {"vizschemaFinding/v1": _fingerprint(report.archive, finding)},
            "properties": {"fixable": finding.fixable},
        }
        if accepted is not None:
            justification = f"{accepted.by}: {escape_text(accepted.reason)}"
            result["suppressions"] = [{"kind": "external", "justification": justification}]
        yield result


def _location(archive: str, finding: Finding) -> dict[str, Any]:
    return {
        # An archive has no lines; who shows results beside text wants one all the same.
        "physicalLocation": {"artifactLocation": _place(archive), "region": {"startLine": 1}},
        "logicalLocations": [
            {"fullyQualifiedName": escape_text(finding.path), "decoratedName": escape_text(finding.instance)}
        ],
    }


def _place(archive: str) -> dict[str, Any]:
    """Where an archive is, as a URI: relative to where the command ran, unless it is absolute."""
    if re.match(r"[a-z][a-z0-9+.-]+://", archive):
        return {"uri": quote(escape_text(archive), safe=":/?#@!$&'()*+,;=%~-._")}
    path = quote(archive.replace("\\", "/").encode("utf-8", "surrogateescape"), safe="/")
    if path.startswith("/"):
        return {"uri": f"file://{path}"}
    return {"uri": path.removeprefix("./"), "uriBaseId": "%SRCROOT%"}


def _artifact(report: Report, options: Options) -> dict[str, Any]:
    return {
        "location": _place(report.archive),
        "roles": ["analysisTarget"],
        "properties": {
            "verdict": report.verdict,
            "exitCode": exit_code(report, options),
            "spec": report.spec_version,
            "specSha256": report.spec_digest,
            "profile": escape_text(report.profile),
            "values": report.values,
        },
    }


def _unreadable(report: Report) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": escape_text(str(report.error))},
        "locations": [{"physicalLocation": {"artifactLocation": _place(report.archive)}}],
    }


def _configuration(finding: Finding) -> dict[str, Any]:
    text = f"{finding.rule}: {finding.message}. Fix: {finding.fix}"
    return {"level": finding.weight, "message": {"text": escape_text(text)}}


def _fingerprint(archive: str, finding: Finding) -> str:
    text = "\0".join((archive, finding.rule, finding.instance))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
