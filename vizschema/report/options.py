"""What a user may ask of a report, and the exit code that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vizschema.findings import Details, Finding, Report

WIDTH = 100
"""Columns of a report that no terminal shows."""

_NARROWEST = 20


def terminal_width() -> int:
    """Return the columns of `COLUMNS` or of the terminal that standard output is, else `WIDTH`."""
    import shutil

    return max(_NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns)


def _nothing() -> Sequence[Finding]:
    return ()


def _no_details(_: Report) -> Details:
    return Details()


HOME = "https://vizschema.org"
"""The site, whose pages are those of the documentation."""


def rule_page(rule: str) -> str | None:
    """Return the address of the page of a released rule."""
    return f"{HOME}/rules/{rule}/"


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is shown (`every_place`: no place is left out) and judged (`strict`: warnings count as errors).

    `configuration` is the file of the project's configuration, `audit` gives the warnings about it once every report
    was seen. `quiet` shows only what does not pass, `colour` marks severities for a terminal. `timestamp` is the time
    that formats with one show (RFC 3339, UTC), `details` gives what the page shows of an archive beside its findings.
    `page` gives the address of the page of a rule, None for a rule without one. Text is wrapped to `width` columns, but
    for the first line of an archive.
    """

    every_place: bool = False
    strict: bool = False
    quiet: bool = False
    colour: bool = False
    width: int = WIDTH
    configuration: str | None = None
    audit: Callable[[], Sequence[Finding]] = _nothing
    timestamp: str | None = None
    details: Callable[[Report], Details] = _no_details
    page: Callable[[str], str | None] = rule_page


def exit_code(report: Report, options: Options) -> int:
    """The exit code for one archive."""
    if report.exit_code == 0 and options.strict and any(finding.weight == "warning" for finding in report.findings):
        return 1
    return report.exit_code


def overall_exit_code(codes: Iterable[int], options: Options) -> int:
    """The exit code for several archives: the gravest, which is the largest; 0 for none. Ask when all were judged."""
    return max((*codes, int(options.strict and bool(options.audit()))), default=0)
