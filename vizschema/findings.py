"""What judging gives: findings and the report that holds them. Plain frozen values: no engine, no container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vizschema.errors import VizschemaError

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

Severity = Literal["error", "warning"]

Fixable = Literal["yes", "no", "maybe"]
"""Whether `vizschema fix` fixes a finding; `maybe` where only a look into the files of the archive can tell."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the specification.

    Attributes:
        id: The id, such as `axis-one-size`.
        severity: `error` for a MUST rule, `warning` for a SHOULD rule.
        title: The clause.
        reason: Why the rule exists.
        fix: How to fix a breach.
        profile: The profile that defines the rule.

    Examples:
        >>> rule = vizschema.Rule("my-rule", "warning", "A clause.", "A reason.", "A fix.", "trace")
        >>> rule.severity
        'warning'
    """

    id: str
    severity: Severity
    title: str
    reason: str
    fix: str
    profile: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule at one place.

    Attributes:
        rule: The id of the rule.
        severity: `error` for a MUST rule, `warning` for a SHOULD rule.
        path: The node, series or axis of the archive.
        instance: A JSON Pointer into the description, the same for every JSON Schema engine.
        expected: What the rule expects there.
        found: What is there instead.
        title: The clause.
        fix: How to fix it.
        level: The severity that the configuration of the project gives the rule, or None.
        fixable: Whether `vizschema fix` fixes it: `yes`, `no`, or `maybe` (only a look into the files can tell).

    Examples:
        >>> finding = vizschema.validate("broken.zarr").errors[0]
        >>> print(finding.message)
        /: expected the attribute created_at, found none
        >>> finding.rule, finding.weight
        ('creation-time', 'error')
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
    fixable: Fixable = "no"

    @property
    def weight(self) -> Severity:
        """The severity that counts: `level` if there is one, else `severity`."""
        return self.level or self.severity

    @property
    def message(self) -> str:
        """One line: the path, what was expected, what was found."""
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
    """A finding that does not count.

    Attributes:
        finding: The finding.
        by: What accepts it: `suppression`, `baseline` or `level`.
        reason: The reason given.

    Examples:
        >>> finding = vizschema.validate("broken.zarr").errors[0]
        >>> vizschema.Accepted(finding, "suppression", "Known since May.").by
        'suppression'
    """

    finding: Finding
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one archive, the findings, and what they are based on.

    Attributes:
        archive: The path or URL.
        spec_version: The version of the specification.
        spec_digest: The SHA-256 of its files.
        spec_chosen: Where the version is from: `requested`, `declared`, `first` (none of these), …
        profile: The profile.
        profile_chosen: Where the profile is from: `requested`, `declared`, `default`, …
        likely_profile: The profile that the archive resembles, if another one was used, or None.
        missing_profile: The profile that the archive declares, if it is not available, or None.
        container: The format, its version and form, as in the description.
        values: `read`, `partial` or `not_read`.
        nodes: The number of nodes.
        notes: Remarks on how the archive was read and judged.
        findings: The findings that count.
        accepted: The findings that do not count.
        error: Why the archive could not be judged, or None.
        coverage: The numbers of chunks and bytes, and how many of them were read, or None.
        digest: The digest, if it was requested and the archive has one, or None.

    Examples:
        >>> report = vizschema.validate("broken.zarr")
        >>> report.verdict, report.exit_code, len(report.errors)
        ('does not conform', 1, 1)
    """

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
    missing_profile: str | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings about MUST rules: the archive does not conform."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings about SHOULD rules."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def counted(self, weight: Severity) -> int:
        """Return the number of findings with this weight.

        Parameters:
            weight: `error` or `warning`.
        """
        return sum(finding.weight == weight for finding in self.findings)

    @property
    def conforms(self) -> bool:
        """Whether no MUST rule is broken, also by an accepted finding; `verdict` says whether values were read."""
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


@dataclass(frozen=True, slots=True)
class Question:
    """A question that no file answers.

    Attributes:
        key: What `--set` calls it.
        why: Why it is asked.
        choices: The answers that are allowed, if not any.
        kind: What else an answer is: TEXT, INTEGER, NUMBER or BOOLEAN, and words.
        place: The group in the result that it is about, or empty.
        found: What was measured, in words, or empty.

    Examples:
        >>> print(vizschema.Question("anchor", "which residue?", place="/pair"))
        --set 'anchor:/pair=TEXT'  # which residue?
    """

    key: str
    why: str
    choices: tuple[object, ...] = ()
    kind: str = "TEXT"
    place: str = ""
    found: str = ""

    @property
    def line(self) -> str:
        """What to add to the command."""
        value = "|".join(map(str, self.choices)) or self.kind
        return f"--set '{self.key}{f':{self.place}' if self.place else ''}={value}'"

    def __str__(self) -> str:
        return f"{self.line}  # {self.why}{f' ({self.found})' if self.found else ''}"
