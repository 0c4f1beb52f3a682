"""What judging gives: findings and the report that holds them. Plain frozen values: no engine, no container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vizschema.errors import VizschemaError

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A clause of the spec: its id, how severe a breach is, the clause, why it is there and how to fix a breach."""

    id: str
    severity: Severity
    title: str
    reason: str
    fix: str
    profile: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule at one place.

    `instance` is a JSON Pointer into the description, the same for every JSON Schema engine;
    `path` is the node, series or axis of the archive that a person looks for.
    """

    rule: str
    severity: Severity
    path: str
    instance: str
    expected: str
    found: str
    title: str
    fix: str
    level: Severity | None = None
    """How severe a project counts it, where its configuration says so."""

    @property
    def weight(self) -> Severity:
        """How severe it counts."""
        return self.level or self.severity

    @property
    def message(self) -> str:
        """One line: where, what was expected, what was found."""
        return f"{self.path}: {self.difference}"

    @property
    def difference(self) -> str:
        """What was expected and what was found."""
        return f"expected {self.expected}, found {self.found}"

    @property
    def difference_beside_title(self) -> str:
        """`difference` for a reader who sees `title` too: without what was expected if that repeats the title."""
        repeats = self.expected.strip("“”.") == self.title.rstrip(".")
        return f"found {self.found}" if repeats else self.difference


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that does not count, by what (`suppression`, `baseline` or `level`), and the reason given."""

    finding: Finding
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one archive, and what it rests on: spec, profile, and how much was looked at."""

    archive: str
    spec_version: str
    spec_digest: str
    spec_chosen: str
    profile: str
    profile_chosen: str
    likely_profile: str | None = None
    container: Mapping[str, Any] = field(default_factory=dict)
    values: str = "not_read"
    nodes: int = 0
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    error: VizschemaError | None = None
    coverage: Mapping[str, int] | None = None
    digest: str | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the archive from conforming."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings about what should, but need not be."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def counted(self, weight: Severity) -> int:
        """How many findings count as this."""
        return sum(finding.weight == weight for finding in self.findings)

    @property
    def conforms(self) -> bool:
        """Whether everything that was looked at obeys every must-rule, whatever a project accepts.

        `verdict` says whether values were looked at.
        """
        broken = self.errors or any(accepted.finding.severity == "error" for accepted in self.accepted)
        return self.error is None and not broken

    @property
    def verdict(self) -> str:
        """`conforms`, `structure conforms` (values were not all read), `does not conform`, or `not judged`."""
        if self.error is not None:
            return "not judged"
        if not self.conforms:
            return "does not conform"
        return "conforms" if self.values == "read" else "structure conforms"

    @property
    def exit_code(self) -> int:
        """The exit code of `vizschema validate` for this archive alone."""
        if self.error is not None:
            return self.error.exit_code
        if self.values == "partial":
            return INTERRUPTED
        return 1 if any(finding.weight == "error" for finding in self.findings) else 0


@dataclass(frozen=True, slots=True)
class Picture:
    """What an array looks like.

    `levels` [row, column] are grey levels of one slice, a byte each, 255 where there is none; `counts` those of a
    histogram between `minimum` and `maximum`. `seen` says what part of the values they are from.
    """

    minimum: float
    maximum: float
    counts: tuple[int, ...]
    seen: str
    levels: bytes = b""
    columns: int = 0
    axes: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Details:
    """What a page shows of an archive: the nodes of its description by path, pictures by path, and `notes` on both."""

    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
