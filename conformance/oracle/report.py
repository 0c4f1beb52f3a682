"""What a run found, as text, JSON, or the section of the page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vizschema.conformance.oracle.compare import Difference
from vizschema.conformance.oracle.run import OUTCOMES, READS, Outcome
from vizschema.errors import UsageError

START, END = "<!-- oracle: written by the command below -->", "<!-- /oracle -->"
_EACH = 3
"""How many differences of one field and library are told of one archive."""


def text(outcome: Outcome) -> str:
    """Tables, and every difference that no reason explains, one a line."""
    lines = [f"{sum(outcome.archives.values())} archives; {_versions(outcome)}", ""]
    lines += [*_sources(outcome), "", *_table(outcome)]
    if outcome.unexplained:
        lines += ["", f"{len(outcome.unexplained)} differences without a listed reason:", *_told(outcome.unexplained)]
    if outcome.bugs:
        lines += [
            "",
            f"{len(outcome.bugs)} times vizschema disagrees with itself:",
            *(f"  {each}" for each in outcome.bugs),
        ]
    if outcome.stale:
        lines += ["", f"{len(outcome.stale)} listed reasons explain nothing any more; remove them from known.toml:"]
        lines += [f"  {each.library} {', '.join(each.containers)} {each.field}: {each.why}" for each in outcome.stale]
    if not outcome.counts:
        lines += ["", "nothing was compared: expected at least one archive that vizschema reads, found none"]
    return "\n".join(lines)


def as_json(outcome: Outcome) -> str:
    """The same for programs."""
    content: dict[str, Any] = {
        "failed": outcome.failed,
        "versions": dict(sorted(outcome.versions.items())),
        "archives": {
            source: {"made": made, "conform": outcome.conforming[source], "compared": outcome.compared[source]}
            for source, made in sorted(outcome.archives.items())
        },
        "libraries": [
            {"container": container, "library": library, **{each: counts[each] for each in OUTCOMES}}
            for (container, library), counts in _sorted(outcome)
        ],
        "differences": [asdict(each) for each in outcome.unexplained],
        "explained": [
            {"library": each.library, "field": each.field, "why": each.why, "count": count}
            for each, count in _explained(outcome)
        ],
        "bugs": outcome.bugs,
        "stale": [{"library": each.library, "field": each.field, "why": each.why} for each in outcome.stale],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def write_page(outcome: Outcome, page: Path, command: str) -> None:
    """Put the result of a run between the two marks of the page; raises `UsageError` where it has none."""
    try:
        content = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{page}: cannot be read: {error.strerror}") from error
    if content.count(START) != 1 or content.count(END) != 1:
        raise UsageError(f"{page}: expected the lines {START} and {END} once each")
    before, _, rest = content.partition(START)
    after = rest.partition(END)[2]
    lines = [START, "", f"`{command}` printed:", "", "```text", *_page(outcome), "```", "", END]
    page.write_text(before + "\n".join(lines) + after, encoding="utf-8")


def _page(outcome: Outcome) -> list[str]:
    total, conform = sum(outcome.archives.values()), sum(outcome.conforming.values())
    lines = [f"{total} archives, of which {conform} conform and {sum(outcome.compared.values())} were compared"]
    lines += [_versions(outcome), "", *_sources(outcome), "", *_table(outcome), ""]
    return [*lines, f"{len(outcome.unexplained)} unexplained differences, {len(outcome.bugs)} within vizschema"]


def _versions(outcome: Outcome) -> str:
    return ", ".join(f"{library} {version}" for library, version in sorted(outcome.versions.items()))


def _sources(outcome: Outcome) -> list[str]:
    head = f"{'archives':<22}{'made':>8}{'conform':>9}{'compared':>10}"
    rows = sorted(outcome.archives.items())
    return [
        head,
        *(f"{name:<22}{made:>8}{outcome.conforming[name]:>9}{outcome.compared[name]:>10}" for name, made in rows),
    ]


def _table(outcome: Outcome) -> list[str]:
    head = (
        f"{'container':<13}{'library':<12}{'compared':>9}{'equal':>8}{'explained':>11}{'refused':>9}{'different':>11}"
    )
    return [head, *(_row(*key, counts) for key, counts in _sorted(outcome))]


def _row(container: str, library: str, counts: Counter[str]) -> str:
    equal, explained, refused, different = (counts[each] for each in OUTCOMES)
    return f"{container:<13}{library:<12}{counts.total():>9}{equal:>8}{explained:>11}{refused:>9}{different:>11}"


def _sorted(outcome: Outcome) -> list[tuple[tuple[str, str], Counter[str]]]:
    order = [(container, library) for container, libraries in READS.items() for library in libraries]
    return [(key, outcome.counts[key]) for key in order if key in outcome.counts]


def _explained(outcome: Outcome) -> list[tuple[Any, int]]:
    return sorted(outcome.explained.items(), key=lambda item: (item[0].library, item[0].field, item[0].why))


def _told(differences: list[Difference]) -> list[str]:
    """At most `_EACH` of one archive, library and field."""
    seen: Counter[tuple[str, str, str]] = Counter()
    lines: list[str] = []
    for each in differences:
        key = each.archive, each.library, each.field
        seen[key] += 1
        if seen[key] <= _EACH:
            lines.append(f"  {each}")
    more = sum(count - _EACH for count in seen.values() if count > _EACH)
    return [*lines, f"  and {more} more of the same archives and libraries"] if more else lines
