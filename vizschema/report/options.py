"""What a user may ask of a report, and the exit code that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vizschema.findings import Report


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is shown (`every_place`: no place is left out) and judged (`strict`: warnings count as errors)."""

    every_place: bool = False
    strict: bool = False


def exit_code(report: Report, options: Options) -> int:
    """The exit code for one archive."""
    if report.exit_code == 0 and options.strict and report.warnings:
        return 1
    return report.exit_code


def overall_exit_code(codes: Iterable[int]) -> int:
    """The exit code for several archives: the gravest, which is the largest; 0 for none."""
    return max(codes, default=0)
