"""What a project accepts: suppressions, levels and a baseline, applied to reports, and audited at the end of a run.

The verdict on an archive stays what the spec says; what is accepted no longer counts for the exit code.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vizschema.errors import SpecError
from vizschema.findings import Accepted, Finding, Report, Severity
from vizschema.project.baseline import Baseline, name_of
from vizschema.project.configuration import Configuration, Suppression
from vizschema.rules.verdict import PROFILE_DIGEST, SPEC_DIGEST
from vizschema.rules.versions import Spec, load, versions
from vizschema.text import shorten, suggestion

CLAUSES: Mapping[str, str] = {
    "suppression-unused": "A suppression matches a finding.",
    "suppression-expired": "A suppression has not expired.",
    "suppression-unreasoned": "A suppression has a reason.",
    "suppression-exceeded": "A suppression matches at most `max` findings.",
    "baseline-outdated": "The findings of a baseline still exist.",
}
"""The rules of this audit; they judge the configuration of a project, not an archive."""


EXPECTED_DIGEST = "expected-digest"
"""The finding of `--expect-digest`, which no schema states."""


def require_levels(configuration: Configuration, spec: Spec, profile: str | None) -> None:
    """Raise `SpecError` if a level is set for anything but a should-rule."""
    if not configuration.levels:
        return
    names = {*spec.profiles, *([] if profile is None else [profile])}
    rules = {rule.id: rule for name in names for rule in spec.profile(name).rules.values()}
    for rule_id in configuration.levels:
        if rule_id not in rules or rules[rule_id].severity != "warning":
            raise SpecError(
                f"level.{rule_id}", path=configuration.source, expected="a should-rule", found=_found(rule_id, rules)
            )


def require_suppressions(configuration: Configuration, profile: str | None) -> None:
    """Raise `SpecError` if a suppression names no rule of any installed version, or a must-rule without an end."""
    if not configuration.suppressions:
        return
    severities: dict[str, Severity] = {EXPECTED_DIGEST: "error", SPEC_DIGEST: "warning", PROFILE_DIGEST: "warning"}
    for spec in map(load, versions()):
        for name in [*spec.profiles, *([] if profile is None else [profile])]:
            for rule in spec.profile(name).rules.values():
                severities[rule.id] = min(rule.severity, severities.get(rule.id, rule.severity))  # error before warning
    for each in configuration.suppressions:
        place = f"{configuration.source}: suppress number {each.number}"
        if each.rule not in severities:
            hint = suggestion(each.rule, severities) or "; `vizschema spec show VERSION PROFILE` lists rules"
            raise SpecError(
                "rule", path=place, expected="the id of a rule", found=f"{shorten(repr(each.rule), 80)}{hint}"
            )
        if severities[each.rule] == "error" and each.until is None:
            raise SpecError(
                "until",
                path=place,
                expected=f"a date, since {each.rule} is a must-rule",
                found="none",
                fix="add the day on which this suppression ends, such as until = 2027-06-30",
            )


def _found(rule_id: str, rules: Collection[str]) -> str:
    if rule_id in rules:
        return "a must-rule; suppress its findings, with a reason"
    return f"no rule of this name{suggestion(rule_id, rules)}"


def matches(glob: str, text: str) -> bool:
    """Whether `text` is what `glob` stands for: `*` and `?` within one name, `**` across names."""
    parts = re.split(r"(\*\*|\*|\?)", glob)
    pattern = "".join({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part) for part in parts)
    return re.fullmatch(pattern, text, re.DOTALL) is not None


@dataclass(slots=True)
class _Use:
    """What became of one suppression in a run."""

    suppression: Suppression
    met: bool = False
    used: int = 0
    exceeded: list[tuple[str, int]] = field(default_factory=list)


class Acceptance:
    """Takes from reports what a project accepts, and remembers what it took, for the audit."""

    def __init__(self, configuration: Configuration, today: datetime.date, baseline: Baseline | None = None) -> None:
        self._configuration = configuration
        self._today = today
        self._uses = [_Use(suppression) for suppression in configuration.suppressions]
        self._baseline = baseline
        self._gone: dict[str, int] = {}

    def apply(self, report: Report) -> Report:
        """`report`, with the findings that are accepted apart, and the others counted as their level says."""
        if report.error is not None:
            return report
        accepted: dict[Finding, Accepted] = {}
        for use in self._uses:
            accepted.update(self._suppressed(use, report))
        kept: list[Finding] = []
        old = self._baseline.of(report.archive) if self._baseline else frozenset()
        for finding in report.findings:
            level = self._configuration.levels.get(finding.rule)
            if finding in accepted:
                continue
            if level == "off":
                accepted[finding] = Accepted(finding, "level", f"{finding.rule} is off")
            elif (finding.rule, finding.instance) in old:
                accepted[finding] = Accepted(finding, "baseline", "known since the baseline was written")
            else:
                kept.append(finding if level is None else replace(finding, level=level))
        found = {(finding.rule, finding.instance) for finding in report.findings}
        self._gone[report.archive] = len(old - found)
        in_order = tuple(accepted[finding] for finding in report.findings if finding in accepted)
        return replace(report, findings=tuple(kept), accepted=in_order)

    def _suppressed(self, use: _Use, report: Report) -> Iterator[tuple[Finding, Accepted]]:
        suppression = use.suppression
        if not matches(suppression.archive, name_of(report.archive, Path())):
            return
        use.met = True
        if self._expired(suppression):
            return
        hits = [
            finding
            for finding in report.findings
            if finding.rule == suppression.rule and matches(suppression.path, finding.path)
        ]
        if suppression.maximum is not None and len(hits) > suppression.maximum:
            use.exceeded.append((report.archive, len(hits)))
            return
        use.used += len(hits)
        yield from (
            (finding, Accepted(finding, "suppression", suppression.reason or "no reason given")) for finding in hits
        )

    def _expired(self, suppression: Suppression) -> bool:
        return suppression.until is not None and suppression.until < self._today

    def audit(self) -> tuple[Finding, ...]:
        """The warnings about the configuration itself, once all archives were judged."""
        return (*(finding for use in self._uses for finding in self._faults(use)), *self._outdated())

    def _faults(self, use: _Use) -> Iterator[Finding]:
        suppression = use.suppression
        what = f"{suppression.rule} at {suppression.path}"
        if not suppression.reason:
            fix = "add a reason: why is this accepted, and until when?"
            yield self._fault("suppression-unreasoned", suppression, f"a reason for {what}", "none", fix)
        if self._expired(suppression):
            fix = "fix what it suppressed, or set a later date in `until`."
            yield self._fault(
                "suppression-expired", suppression, "a day to come", f"{what} until {suppression.until}", fix
            )
        elif use.exceeded:
            archive, hits = use.exceeded[0]
            expected = f"at most {suppression.maximum} findings of {what}"
            fix = "fix the new ones, or raise max; until then none of them is suppressed."
            yield self._fault("suppression-exceeded", suppression, expected, f"{hits} in {archive}", fix)
        elif use.met and not use.used:
            yield self._fault(
                "suppression-unused",
                suppression,
                f"findings of {what}",
                "none",
                "remove the suppression, or correct its path.",
            )

    def _fault(self, rule: str, suppression: Suppression, expected: str, found: str, fix: str) -> Finding:
        return Finding(
            rule=rule,
            severity="warning",
            path=str(self._configuration.name),
            instance=f"/suppress/{suppression.number - 1}",
            expected=expected,
            found=found,
            title=CLAUSES[rule],
            fix=fix,
        )

    def _outdated(self) -> Iterator[Finding]:
        if self._baseline is None:
            return
        for archive, number in self._gone.items():
            if number:
                yield Finding(
                    rule="baseline-outdated",
                    severity="warning",
                    path=str(self._baseline.path),
                    instance=f"/archives/{name_of(archive, self._baseline.path.parent)}".replace("~", "~0"),
                    expected=f"findings in {archive}",
                    found=f"{number} of them gone",
                    title=CLAUSES["baseline-outdated"],
                    fix="write the baseline again with --write-baseline, so that they are reported if they come back.",
                )
