"""The report for GitHub Actions: an annotation for each broken rule of an archive, and the summary of a job.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from vizschema.findings import Finding, Report
from vizschema.report.inert import inert
from vizschema.report.options import Options, exit_code
from vizschema.report.text import PLACES, first_line
from vizschema.text import count, escape_text


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """A line with the verdict on each archive, then its annotations."""
    for report in reports:
        yield inert(first_line(report, options))
        if report.error is not None:
            yield _command("error", report.archive, "not judged", str(report.error))
        yield from (_annotation(report.archive, group, options) for group in grouped(report.findings))
    yield from (_annotation(options.configuration or "baseline", group, options) for group in grouped(options.audit()))


def grouped(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    """The findings of one rule and weight at a time: errors first, then by rule and place."""
    ordered = sorted(findings, key=lambda finding: (finding.weight, finding.rule, finding.path, finding.instance))
    for _, group in groupby(ordered, key=attrgetter("weight", "rule")):
        yield list(group)


def summary(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The summary of a job, in Markdown: a table of the archives, then the broken rules of each."""
    seen = list(reports)
    yield "## vizschema"
    yield ""
    yield "| archive | verdict | errors | warnings | accepted | exit code |"
    yield "|---|---|---|---|---|---|"
    for report in seen:
        numbers = (report.counted("error"), report.counted("warning"), len(report.accepted), exit_code(report, options))
        yield f"| {_plain(report.archive)} | {report.verdict} | {' | '.join(map(str, numbers))} |"
    for report in seen:
        said = [] if report.error is None else [f"- {_plain(str(report.error))}"]
        said += [item for group in grouped(report.findings) for item in _items(group, options)]
        said += [
            f"- accepted: {_plain(f'{each.finding.rule} {each.finding.message} ({each.by}: {each.reason})')}"
            for each in report.accepted
        ]
        if said:
            yield from ("", f"### {_plain(report.archive)}", "", *said)
    audit = [item for group in grouped(options.audit()) for item in _items(group, options)]
    if audit:
        yield from ("", f"### {_plain(options.configuration or 'baseline')}", "", *audit)


def _items(group: list[Finding], options: Options) -> Iterator[str]:
    first = group[0]
    heading = f"- **{first.weight} {first.rule}** ({count(len(group), 'place')})"
    yield f"{heading}: {_plain(first.title)} _Fix:_ {_plain(first.fix)}"
    shown = group if options.every_place else group[:PLACES]
    yield from (f"  - {_plain(f'{finding.path}: {finding.difference_beside_title}')}" for finding in shown)
    if len(shown) < len(group):
        yield f"  - and {len(group) - len(shown)} more"


def _annotation(archive: str, group: list[Finding], options: Options) -> str:
    first = group[0]
    shown = group if options.every_place else group[:PLACES]
    more = f"\n… and {len(group) - len(shown)} more" if len(shown) < len(group) else ""
    places = "\n".join(escape_text(f"{finding.path}: {finding.difference_beside_title}") for finding in shown)
    text = f"{first.title}\n{places}{more}\nFix: {first.fix}"
    return _command(first.weight, archive, f"{first.rule} ({count(len(group), 'place')})", text)


def _command(level: str, file: str, title: str, text: str) -> str:
    lines = "\n".join(escape_text(line) for line in text.split("\n"))
    return f"::{level} file={_property(file)},title={_property(title)}::{_data(lines)}"


def _data(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "%23#[")


def _property(text: str) -> str:
    return _data(escape_text(text)).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    """`text` for Markdown, with every character that could mean something there as a reference to it."""
    return re.sub(r"[^\w\s/.,()-]|_", lambda match: f"&#{ord(match[0])};", escape_text(text))
