"""The report as JUnit XML: a suite for each archive, a case for each finding, and one for the verdict as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from vizschema.findings import Finding, Report
from vizschema.report.options import Options, exit_code
from vizschema.report.tally import Tally
from vizschema.text import escape_text

VERDICT = "verdict"


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The document, in ASCII. Failures are what counts for the exit code; other warnings pass and say what they are."""
    suites = ET.Element("testsuites", name="vizschema")
    tally = Tally(options)
    for report in reports:
        tally.add(report)
        suites.append(_suite(report, options))
    if len(tally.codes) > 1:
        suites.append(_summary(tally))
    audit = options.audit()
    if audit:
        suites.append(_configuration(audit, options))
    for key in ("tests", "failures", "errors", "skipped"):
        suites.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    ET.indent(suites)
    text = ET.tostring(suites, encoding="ascii", xml_declaration=True).decode("ascii")
    yield text.replace("##[", "&#35;#[")


def _suite(report: Report, options: Options) -> ET.Element:
    archive = escape_text(report.archive)
    suite = ET.Element("testsuite", name=archive)
    verdict = _case(suite, archive, VERDICT)
    if report.error is not None:
        _outcome(verdict, "error", type(report.error).__name__, str(report.error))
    elif exit_code(report, options):
        _outcome(verdict, "failure", "verdict", _verdict(report))
    else:
        ET.SubElement(verdict, "system-out").text = _verdict(report)
    for finding in report.findings:
        case = _case(suite, archive, f"{finding.rule} {finding.path}")
        _judged(case, finding, counts=finding.weight == "error" or options.strict)
    for accepted in report.accepted:
        case = _case(suite, archive, f"{accepted.finding.rule} {accepted.finding.path}")
        ET.SubElement(case, "skipped", message=escape_text(f"{accepted.by}: {accepted.reason}"))
        ET.SubElement(case, "system-out").text = _words(accepted.finding)
    return _counted(suite, options)


def _summary(tally: Tally) -> ET.Element:
    """A suite without cases, whose properties say how many archives passed, and in how many a rule is broken."""
    suite = ET.Element("testsuite", name="summary", tests="0", failures="0", errors="0", skipped="0")
    properties = ET.SubElement(suite, "properties")
    numbers = {name: number for name, number in tally.document().items() if name != "rules"}
    numbers |= {f"archives that break {each['rule']}": each["archives"] for each in tally.rules()}
    for name, number in numbers.items():
        ET.SubElement(properties, "property", name=name, value=str(number))
    return suite


def _configuration(audit: Iterable[Finding], options: Options) -> ET.Element:
    name = escape_text(options.configuration or "baseline")
    suite = ET.Element("testsuite", name=name)
    for finding in audit:
        _judged(_case(suite, name, f"{finding.rule} {finding.instance}"), finding, counts=options.strict)
    return _counted(suite, options)


def _case(suite: ET.Element, archive: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=archive, name=escape_text(name))


def _judged(case: ET.Element, finding: Finding, *, counts: bool) -> None:
    if counts:
        _outcome(case, "failure", finding.rule, _words(finding))
    else:
        ET.SubElement(case, "system-out").text = f"{finding.weight}: {_words(finding)}"


def _outcome(case: ET.Element, tag: str, kind: str, text: str) -> None:
    message = escape_text(text)
    ET.SubElement(case, tag, type=kind, message=message).text = message


def _verdict(report: Report) -> str:
    text = f"{report.verdict} to {report.profile} {report.spec_version}"
    return escape_text(f"{text}: {report.counted('error')} errors, {report.counted('warning')} warnings")


def _words(finding: Finding) -> str:
    return escape_text(f"{finding.path}: {finding.difference_beside_title}. {finding.title} Fix: {finding.fix}")


def _counted(suite: ET.Element, options: Options) -> ET.Element:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in cases)))
    if options.timestamp is not None:
        suite.set("timestamp", options.timestamp.removesuffix("Z"))
    return suite
