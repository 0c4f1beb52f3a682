"""Results of a run as plain values: outcomes, known failures, and the exit code that they come to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vizschema.errors import UsageError

EXPECTED, UNEXPECTED, HARNESS, BUDGET = 0, 1, 3, 4
"""Exit codes: all as expected; something unexpected; the harness is broken; the budget ran out. 2 is wrong usage."""

_LINE = re.compile(r"([a-z-]+) +([a-z0-9*-]+) +# *(\S.*)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case in one container: `pass`, `fail`, `timeout`, `crash`, `rubbish` or `error`."""

    case: str
    rule: str
    container: str
    verdict: str
    status: str
    detail: str = ""
    known: str = ""

    @property
    def passed(self) -> bool:
        """Whether the implementation did what it should."""
        return self.status == "pass"


@dataclass(frozen=True, slots=True)
class Known:
    """Failures that are known: of a rule in a container (`*`: in any), for a reason."""

    rule: str
    container: str
    reason: str

    def matches(self, outcome: Outcome) -> bool:
        """Whether it excuses this outcome."""
        return self.rule == outcome.rule and self.container in ("*", outcome.container)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: who was tested as what, what came of each case, and what a constant answer would have passed.

    `corpus` has the `version` and `digest` of the corpus; `share` says in words which part was run, and is empty for
    the whole.
    """

    spec: str
    role: str
    implementation: Mapping[str, str]
    outcomes: tuple[Outcome, ...]
    not_asked: int
    left: int
    constants: Mapping[str, float]
    stale: tuple[Known, ...] = ()
    seconds: float = 0.0
    trouble: str = ""
    known: Sequence[Known] = field(default=())
    corpus: Mapping[str, str] = field(default_factory=dict)
    share: str = ""

    @property
    def unexpected(self) -> tuple[Outcome, ...]:
        """Failures that no entry of the file explains."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed and not outcome.known)

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 unexpected, 3 harness broken, 4 out of budget; zero cases are a failure."""
        if self.trouble:
            return HARNESS
        if self.unexpected or self.stale or not self.outcomes:
            return UNEXPECTED
        return BUDGET if self.left else EXPECTED


def known_failures(path: Path | None) -> tuple[Known, ...]:
    """The entries of a file, `rule container # reason` a line; raises `UsageError` for a line that is none."""
    if path is None:
        return ()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a file of known failures: {error}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise UsageError(f"{path}:{number}: expected `rule container # reason`, found {line!r}")
        entries.append(Known(*match.groups()))
    return tuple(entries)


def excuse(outcomes: Iterable[Outcome], known: Sequence[Known]) -> tuple[tuple[Outcome, ...], tuple[Known, ...]]:
    """The outcomes with what is known of them, and the entries that explain no failure."""
    used: set[Known] = set()
    marked = []
    for outcome in outcomes:
        entry = next((entry for entry in known if entry.matches(outcome)), None)
        if entry is None or outcome.passed:
            marked.append(outcome)
            continue
        used.add(entry)
        marked.append(replace(outcome, known=entry.reason))
    return tuple(marked), tuple(entry for entry in known if entry not in used)
