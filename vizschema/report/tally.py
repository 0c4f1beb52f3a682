"""What a job of several archives came to: how many passed, and which rules are broken in how many of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from vizschema.findings import Report, Severity
from vizschema.report.options import Options, exit_code


class Tally:
    """Counts the archives that are given to `add`, and the rules that they break."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.codes: list[int] = []
        self._archives: Counter[tuple[Severity, str]] = Counter()
        self._places: Counter[tuple[Severity, str]] = Counter()

    def add(self, report: Report) -> int:
        """Count one archive, and return its exit code."""
        code = exit_code(report, self._options)
        self.codes.append(code)
        places = Counter((finding.weight, finding.rule) for finding in report.findings)
        self._archives.update(places.keys())
        self._places.update(places)
        return code

    @property
    def passed(self) -> int:
        """How many archives have the exit code 0."""
        return self.codes.count(0)

    @property
    def failed(self) -> int:
        """How many archives have the exit code 1."""
        return self.codes.count(1)

    @property
    def not_judged(self) -> int:
        """How many archives have any other exit code."""
        return len(self.codes) - self.passed - self.failed

    def rules(self) -> list[dict[str, Any]]:
        """The broken rules, errors first, the most frequent first, with the numbers of archives and places."""
        order = sorted(self._archives, key=lambda key: (key[0], -self._archives[key], key[1]))
        return [
            {"rule": key[1], "counts_as": key[0], "archives": self._archives[key], "places": self._places[key]}
            for key in order
        ]

    def document(self) -> dict[str, Any]:
        """The summary of the JSON report."""
        return {
            "archives": len(self.codes),
            "passed": self.passed,
            "failed": self.failed,
            "not_judged": self.not_judged,
            "rules": self.rules(),
        }
