"""`fix`, up to its exit code: what was changed, what is left and why, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from vizschema.bounds import Reading
from vizschema.cli.hints import hints
from vizschema.cli.progress import bar
from vizschema.errors import writes
from vizschema.findings import Finding
from vizschema.report.options import terminal_width
from vizschema.report.text import wrapped
from vizschema.rules.fixes.draft import Change
from vizschema.text import count, escape_text, local_path
from vizschema.writer.fixing.fix import Fixed, fix_by

_SHOWN = 3


def fix(
    path: str,
    target: str | None,
    reading: Reading,
    spec: str | None,
    profile: str | None,
    *,
    in_place: bool,
    every_place: bool,
) -> int:
    """0 where the fixed archive conforms, or would; 1 where something is left."""
    place = local_path(path)
    with writes(target or path), hints(place), bar(place) as begin:
        done = fix_by(place, target, replace(reading, progress=begin), spec, profile, in_place=in_place)
    for line in _lines(done, every_place=every_place):
        print(line)
    return done.exit_code


def _lines(done: Fixed, *, every_place: bool) -> Iterator[str]:
    width = terminal_width()
    archive = escape_text(done.target or done.archive)
    if not done.changes:
        yield f"{archive}: nothing to fix: nothing was written"
    elif done.target is None:
        yield f"{archive}: {count(len(done.changes), 'change')} possible; nothing was written (a dry run)"
    else:
        arrays = f"the values of {count(done.arrays, 'array')} are equal to those before"
        yield f"{archive}: {count(len(done.changes), 'change')} made; {arrays}"
    for name, changes in groupby(done.changes, key=lambda change: change.fix):
        word = "fixed" if done.target else "would fix"
        yield from _changes(f"{word} {name}", list(changes), width, every_place=every_place)
    yield from _left(done, width, every_place=every_place)
    before, after = done.before, done.after
    yield ""
    yield escape_text(
        f"before: {before.verdict} to {before.profile} {before.spec_version}, {_counts(before.findings)}; "
        f"{'after' if done.target else 'then'}: {after.verdict} to {after.profile} {after.spec_version}, "
        f"{_counts(after.findings)}"
    )
    if before.spec_chosen == "first" and before.profile_chosen == "default" and not after.conforms:
        yield wrapped(
            "The archive declares neither spec_version nor profile. If it has another layout, "
            "`vizschema migrate` writes it as one that conforms.",
            width=width,
        )


def _changes(title: str, changes: list[Change], width: int, *, every_place: bool) -> Iterator[str]:
    yield ""
    yield f"  {title} ({count(len(changes), 'change')})"
    shown = changes if every_place else changes[:_SHOWN]
    for change in shown:
        yield wrapped(escape_text(f"{change.path}: {change.words}"), "    ", "      ", width=width)
    if len(shown) < len(changes):
        yield f"    and {len(changes) - len(shown)} more (--all lists them)"


def _left(done: Fixed, width: int, *, every_place: bool) -> Iterator[str]:
    ordered = sorted(done.left, key=lambda pair: (pair[0].severity, pair[0].rule))
    for (severity, rule, why), pairs in groupby(ordered, key=lambda pair: (pair[0].severity, pair[0].rule, pair[1])):
        findings: list[Finding] = [finding for finding, _ in pairs]
        yield ""
        yield f"  left: {severity} {rule} ({count(len(findings), 'place')})"
        shown = findings if every_place else findings[:_SHOWN]
        for finding in shown:
            yield wrapped(escape_text(finding.message), "    ", "      ", width=width)
        if len(shown) < len(findings):
            yield f"    and {len(findings) - len(shown)} more (--all lists them)"
        yield wrapped(f"why: {escape_text(why)}.", "    ", "      ", width=width)


def _counts(findings: tuple[Finding, ...]) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    return f"{count(errors, 'error')} and {count(len(findings) - errors, 'warning')}"
