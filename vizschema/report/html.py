"""The report as one HTML page: no network, everything escaped. Verdicts, findings, the tree, pictures.

A page of several archives has a script that filters and sorts their table; what is read stands in the page without it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import vizschema
from vizschema.findings import Details, Finding, Report
from vizschema.outline.figures import text
from vizschema.report.github import grouped
from vizschema.report.html_script import FINDINGS, SCRIPT
from vizschema.report.html_style import STYLE
from vizschema.report.html_tree import Archive, gallery, tree
from vizschema.report.options import Options
from vizschema.report.tally import Tally
from vizschema.report.text import by_command, grounds, passed
from vizschema.text import count

PICTURED = 20
"""With more archives, a page has their findings alone: no tree and no pictures."""

_NAMES = ("archive", "verdict", "errors", "warnings", "accepted", "exit code")
_KINDS = {"good": "passed", "bad": "failed or not judged"}


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """The page, line by line."""
    seen = list(reports)
    found = any(report.findings for report in seen)
    script = (FINDINGS if found else "") + (SCRIPT if len(seen) > 1 else "")
    yield from _head(script or None)
    yield "<header>"
    yield "<h1>vizschema report</h1>"
    made = f" · {text(options.timestamp)}" if options.timestamp is not None else ""
    yield f'<p class="quiet">vizschema {text(vizschema.__version__)}{made}</p>'
    yield "</header>"
    yield "<main>"
    yield from _overview(seen, options)
    if found:
        yield from _search()
    if len(seen) > PICTURED:
        options = replace(options, details=lambda _: Details())
    for number, report in enumerate(seen, 1):
        yield from _archive(number, report, options)
    yield from _audit(options)
    yield "</main>"
    if script:
        yield f"<script>{script}</script>"
    yield "</body>"
    yield "</html>"


def _hashed(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _head(script: str | None) -> Iterator[str]:
    scripts = "" if script is None else f"script-src {_hashed(script)}; "
    policy = f"default-src 'none'; {scripts}style-src {_hashed(STYLE)}; "
    policy += "img-src data:; base-uri 'none'; form-action 'none'"
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield '<link rel="icon" href="data:,">'
    yield "<title>vizschema report</title>"
    yield f"<style>{STYLE}</style>"
    yield "</head>"
    yield "<body>"


def _overview(reports: Sequence[Report], options: Options) -> Iterator[str]:
    tally = Tally(options)
    codes = [tally.add(report) for report in reports]
    if len(reports) > 1:
        yield from _summary(tally)
    yield '<table id="archives">'
    yield "<caption>Archives</caption>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in _NAMES) + "</tr></thead>"
    yield "<tbody>"
    for number, (report, code) in enumerate(zip(reports, codes, strict=True), 1):
        numbers = (report.counted("error"), report.counted("warning"), len(report.accepted), code)
        cells = "".join(f"<td>{value}</td>" for value in numbers)
        name = f'<th scope="row"><a href="#a{number}">{text(report.archive)}</a></th>'
        rules = " ".join(sorted({finding.rule for finding in report.findings}))
        kind = "bad" if code else "good"
        yield f'<tr data-kind="{kind}" data-rules="{text(rules)}">{name}<td>{_verdict(report)}</td>{cells}</tr>'
    yield "</tbody>"
    yield "</table>"


def _summary(tally: Tally) -> Iterator[str]:
    """How many archives passed, the broken rules, and what the script makes a filter of."""
    yield f"<p>{text(passed(tally))}</p>"
    rules = tally.rules()
    if rules:
        yield "<details open>"
        yield f"<summary>{count(len(rules), 'broken rule')}</summary>"
        yield "<table>"
        yield "<thead><tr>" + "".join(
            f'<th scope="col">{name}</th>' for name in ("rule", "counts as", "archives", "places")
        )
        yield "</tr></thead>"
        yield "<tbody>"
        for each in rules:
            cells = "".join(f"<td>{text(each[key])}</td>" for key in ("counts_as", "archives", "places"))
            yield f'<tr><th scope="row">{text(each["rule"])}</th>{cells}</tr>'
        yield "</tbody>"
        yield "</table>"
        yield "</details>"
    yield '<p id="filters" hidden>'
    yield '<label>Search <input id="words" type="search" placeholder="name or rule"></label>'
    options = "".join(f'<option value="{kind}">{words}</option>' for kind, words in _KINDS.items())
    yield f'<label>Show <select id="verdict"><option value="">all</option>{options}</select></label>'
    yield '<span id="shown" role="status"></span>'
    yield "</p>"


def _search() -> Iterator[str]:
    """The search among findings, which the script shows."""
    yield '<p id="search" hidden>'
    yield '<label>Search findings <input id="sought" type="search" placeholder="path, rule or words"></label>'
    kinds = "".join(f'<option value="{kind}">{kind}s</option>' for kind in ("error", "warning"))
    yield f'<label>Show <select id="weight"><option value="">errors and warnings</option>{kinds}</select></label>'
    yield '<span id="matching" role="status"></span>'
    yield "</p>"


def _verdict(report: Report) -> str:
    kind = "bad" if report.error is not None or not report.conforms else "good"
    return f'<span class="verdict {kind}">{text(report.verdict)}</span>'


def _archive(number: int, report: Report, options: Options) -> Iterator[str]:
    yield f'<section id="a{number}" aria-labelledby="a{number}-name">'
    yield f'<h2 id="a{number}-name">{text(report.archive)}</h2>'
    yield f"<p>{_verdict(report)}</p>"
    if report.error is not None:
        yield f"<p>{text(report.error)}</p>"
        yield "</section>"
        return
    details = options.details(report)
    archive = Archive(number, report, details)
    yield '<ul class="plain">'
    yield from (f"<li>{text(line)}</li>" for line in (*grounds(report), *details.notes))
    yield "</ul>"
    for group in grouped(report.findings):
        yield from _rule(archive, group, options)
    yield from _accepted(report)
    yield from gallery(archive)
    yield from tree(archive)
    yield "</section>"


def _rule(archive: Archive, group: Sequence[Finding], options: Options) -> Iterator[str]:
    first = group[0]
    configured = " (as configured)" if first.level else ""
    address = options.page(first.rule)
    rule = text(first.rule) if address is None else f'<a href="{text(address)}">{text(first.rule)}</a>'
    yield f'<div class="rule" data-kind="{first.weight}">'
    yield f'<h3><span class="{first.weight}">{first.weight}{configured}</span> {rule}</h3>'
    yield f"<p>{_prose(first.title)}</p>"
    yield f"<p><strong>Fix:</strong> {_prose(first.fix)}</p>"
    command = by_command(group)
    if command is not None:
        yield f"<p>{_prose(command)}</p>"
    yield f"<details{' open' if len(group) <= _OPEN else ''}>"
    yield f"<summary>{count(len(group), 'place')}</summary>"
    yield "<ul>"
    for finding in group:
        anchor = archive.anchor(finding.path)
        path = f"<code>{text(finding.path)}</code>"
        place = path if anchor is None else f'<a href="#{anchor}">{path}</a>'
        yield f"<li>{place}: {text(finding.difference_beside_title)}</li>"
    yield "</ul>"
    yield "</details>"
    yield "</div>"


def _prose(words: str) -> str:
    """Words of the specification, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(words))


_OPEN = 20
"""How many places are shown without a click."""


def _accepted(report: Report) -> Iterator[str]:
    if not report.accepted:
        return
    yield "<details>"
    yield f"<summary>{count(len(report.accepted), 'accepted finding')}</summary>"
    yield "<ul>"
    for each in report.accepted:
        reason = f"{each.by}: {each.reason}"
        yield f"<li>{text(each.finding.rule)}: {text(each.finding.message)} <em>({text(reason)})</em></li>"
    yield "</ul>"
    yield "</details>"


def _audit(options: Options) -> Iterator[str]:
    findings = options.audit()
    if not findings:
        return
    yield '<section aria-labelledby="audit">'
    yield f'<h2 id="audit">{text(options.configuration or "baseline")}</h2>'
    yield "<ul>"
    for finding in findings:
        yield f"<li>{text(finding.rule)}: {text(finding.difference)}. {_prose(finding.fix)}</li>"
    yield "</ul>"
    yield "</section>"
