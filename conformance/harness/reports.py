"""A run as text, JSON, JUnit, Markdown, or a badge. Reads results and nothing else."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from xml.sax.saxutils import quoteattr

from vizschema.conformance.corpus.identity import short
from vizschema.conformance.harness.outcomes import Outcome, Run
from vizschema.text import escape_text

REPORT_VERSION = "1.0.0"
_SHOWN = 20

VERDICTS: Mapping[int, str] = {
    0: "as expected",
    1: "not as expected",
    3: "the harness, or the conversation, is broken",
    4: "the budget ran out",
}


def text(run: Run) -> str:
    """The report for a person: what was asked, what failed and how, what a constant would have passed."""
    lines = [f"{_who(run)} as {run.role}, spec {run.spec}: {VERDICTS[run.exit_code]}"]
    lines.append(f"  corpus {short(run.corpus)}{f', a part: {escape_text(run.share)}' if run.share else ''}")
    if run.trouble:
        lines.append(f"  {escape_text(run.trouble)}")
        return "\n".join(lines)
    counts = Counter(outcome.status for outcome in run.outcomes)
    shown = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no case at all"
    lines.append(f"  {len(run.outcomes)} cases in {run.seconds:.0f} s: {shown}")
    rules = _by_rule(run.outcomes)
    whole = sum(all(outcome.passed for outcome in outcomes) for outcomes in rules.values())
    lines.append(f"  {whole} of {len(rules)} rules passed in every case")
    if run.not_asked:
        lines.append(f"  {run.not_asked} not asked: no part of the role, or of what the implementation says it can do")
    if run.left:
        lines.append(f"  {run.left} not reached within the budget")
    lines += [f"  {name} would pass {share:.0%}" for name, share in run.constants.items()]
    known = sum(bool(outcome.known) for outcome in run.outcomes)
    if known:
        lines.append(f"  {known} known failures")
    lines += [f"  {entry.rule} {entry.container} is listed as known, and explains no failure" for entry in run.stale]
    for outcome in run.unexpected[:_SHOWN]:
        lines.append(f"  {outcome.case} [{outcome.container}] {outcome.status}: {escape_text(outcome.detail)}")
    if len(run.unexpected) > _SHOWN:
        lines.append(f"  and {len(run.unexpected) - _SHOWN} more")
    return "\n".join(lines)


def as_json(run: Run) -> str:
    """One document, as `spec/conformance_report.schema.json` says."""
    document = {
        "report_version": REPORT_VERSION,
        "spec": run.spec,
        "corpus": dict(run.corpus),
        "part": escape_text(run.share) or None,
        "role": run.role,
        "implementation": {key: escape_text(value) for key, value in run.implementation.items()},
        "exit_code": run.exit_code,
        "trouble": escape_text(run.trouble) or None,
        "counts": dict(Counter(outcome.status for outcome in run.outcomes)),
        "not_asked": run.not_asked,
        "left": run.left,
        "constants": dict(run.constants),
        "stale": [{"rule": entry.rule, "container": entry.container, "reason": entry.reason} for entry in run.stale],
        "results": [_result(outcome) for outcome in run.outcomes],
    }
    return json.dumps(document, indent=2)


def _result(outcome: Outcome) -> dict[str, str | None]:
    return {
        "case": outcome.case,
        "rule": outcome.rule,
        "container": outcome.container,
        "verdict": outcome.verdict,
        "status": outcome.status,
        "detail": escape_text(outcome.detail) or None,
        "known": escape_text(outcome.known) or None,
    }


def junit(run: Run) -> str:
    """JUnit XML: a test case for each case; a known failure is skipped, with its reason."""
    failures = len(run.unexpected) + bool(run.trouble) + len(run.stale)
    known = sum(bool(outcome.known) for outcome in run.outcomes)
    tests = len(run.outcomes) + bool(run.trouble) + len(run.stale)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name={quoteattr(f"vizschema conformance {run.role}")} tests="{tests}" failures="{failures}" '
        f'skipped="{known}" errors="0" time="{run.seconds:.3f}">',
        "  <properties>",
        *(f"    <property name={quoteattr(name)} value={_quoted(value)}/>" for name, value in _properties(run)),
        "  </properties>",
    ]
    if run.trouble:
        lines.append(_test("suite", "harness", f"<failure message={_quoted(run.trouble)}/>"))
    for entry in run.stale:
        lines.append(
            _test(entry.rule, entry.container, '<failure message="listed as known, and explains no failure"/>')
        )
    for outcome in run.outcomes:
        inner = ""
        if outcome.known:
            inner = f"<skipped message={_quoted(outcome.known)}/>"
        elif not outcome.passed:
            inner = f"<failure type={_quoted(outcome.status)} message={_quoted(outcome.detail)}/>"
        lines.append(_test(outcome.rule, f"{outcome.case} [{outcome.container}]", inner))
    return "\n".join([*lines, "</testsuite>"])


def _properties(run: Run) -> list[tuple[str, str]]:
    """What says which suite this was."""
    named = [("spec", run.spec), ("corpus", short(run.corpus)), ("corpus.digest", run.corpus["digest"])]
    return [*named, *([("part", run.share)] if run.share else [])]


def _test(group: str, name: str, inner: str) -> str:
    return f"  <testcase classname={_quoted(group)} name={_quoted(name)}>{inner}</testcase>"


def _quoted(value: str) -> str:
    return quoteattr(escape_text(value))


def markdown(run: Run) -> str:
    """A table of rules and containers: how many cases of how many passed, and what a constant would have passed."""
    if run.trouble:
        return f"**{_who(run)}** as {run.role}, {_what(run)}: {VERDICTS[run.exit_code]}: {escape_text(run.trouble)}"
    containers = sorted({outcome.container for outcome in run.outcomes})
    lines = [
        f"**{_who(run)}** as {run.role}, {_what(run)}: {VERDICTS[run.exit_code]}. "
        f"{sum(outcome.passed for outcome in run.outcomes)} of {len(run.outcomes)} cases passed."
        + "".join(f" {name.capitalize()} would pass {share:.0%}." for name, share in run.constants.items()),
        "",
        f"| rule | {' | '.join(containers)} |",
        f"|---|{'---|' * len(containers)}",
    ]
    for rule, outcomes in sorted(_by_rule(run.outcomes).items()):
        cells = [_cell([outcome for outcome in outcomes if outcome.container == name]) for name in containers]
        lines.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return ""
    passed = sum(outcome.passed for outcome in outcomes)
    mark = "✓" if passed == len(outcomes) else "known" if all(each.passed or each.known for each in outcomes) else "✗"
    return f"{mark} {passed}/{len(outcomes)}"


def badge(run: Run) -> str:
    """The document that shields.io's endpoint badge reads."""
    passed = sum(outcome.passed for outcome in run.outcomes)
    colour = "brightgreen" if run.exit_code == 0 else "red"
    count = f"{passed}/{len(run.outcomes)}{' of a part' if run.share else ''}"
    message = f"{'broken' if run.trouble else count} · {short(run.corpus)}"
    document = {
        "schemaVersion": 1,
        "label": f"vizschema {run.spec} {run.role}",
        "message": message,
        "color": colour,
    }
    return json.dumps(document, ensure_ascii=False)


def _what(run: Run) -> str:
    part = f" ({escape_text(run.share)})" if run.share else ""
    return f"spec {run.spec}, corpus {short(run.corpus)}{part}"


def _who(run: Run) -> str:
    return escape_text(f"{run.implementation['name']} {run.implementation['version']}".strip()) or "the implementation"


def _by_rule(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    rules: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rules[outcome.rule].append(outcome)
    return rules


FORMATS: Mapping[str, Callable[[Run], str]] = {
    "text": text,
    "json": as_json,
    "junit": junit,
    "markdown": markdown,
    "badge": badge,
}
"""Every format of a report, by its name."""
