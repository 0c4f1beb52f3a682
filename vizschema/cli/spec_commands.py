"""What the commands about the specification do, up to their exit codes: explain, pin, spec list, show, diff, export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vizschema.errors import UsageError
from vizschema.project.choice import Choice, Settings, settings_of
from vizschema.report.options import terminal_width
from vizschema.report.text import wrapped
from vizschema.text import count, escape_text, suggestion

if TYPE_CHECKING:
    from vizschema.findings import Rule
    from vizschema.rules.diff import Side
    from vizschema.rules.versions import Spec


def explain(rule_id: str, choice: Choice) -> int:
    """0 after the rule was printed: its clause, why it is there, how to fix a breach, and what `fix` does about it."""
    from vizschema.rules.fixes.table import table

    settings = settings_of(choice, Path.cwd())
    spec, rules = _having(rule_id, settings)
    if rule_id not in rules:
        listed = f"; `vizschema spec show {spec.version} PROFILE` lists rules"
        raise UsageError(f"spec {spec.version} has no rule {rule_id!r}{suggestion(rule_id, rules) or listed}")
    rule = rules[rule_id]
    print(f"{rule.id} ({rule.severity}, profile {rule.profile}, spec {spec.version})\n")
    fixes = table().of(rule_id)
    by_command = [f"`vizschema fix` {each.change}, {each.only}." for each in fixes]
    if not fixes:
        by_command = [f"`vizschema fix` leaves it: {table().why_left(rule_id)}."]
    reason, how = f"Why: {rule.reason}" if rule.reason else "", f"Fix: {rule.fix}" if rule.fix else ""
    for text in (rule.title, reason, how, *by_command):
        if text:
            print(wrapped(text, "  ", width=terminal_width()))
    return 0


def _having(rule_id: str, settings: Settings) -> tuple[Spec, dict[str, Rule]]:
    """The version that is asked for, else the default, or another one where only that has the rule; and its rules."""
    from vizschema.rules import versions

    spec = versions.version_for(settings.spec, settings.profile)
    rules = _rules(spec, settings.profile)
    others = reversed(versions.versions()) if settings.spec is None and rule_id not in rules else ()
    for other in map(versions.load, others):
        found = _rules(other, None)
        if rule_id in found:
            return other, found
    return spec, rules


def list_versions() -> int:
    """0 after every installed version was printed with its digest and profiles."""
    from vizschema.rules import versions

    for version in versions.versions():
        spec = versions.load(version)
        state = "released" if spec.released else "draft"
        print(f"{version}  sha256 {spec.digest}  {state}  {', '.join(spec.profiles)}")
    return 0


def show(version: str | None, profile: str | None) -> int:
    """0 after the profiles of a version were printed, or the rules of one of them."""
    from vizschema.rules import versions

    if version in versions.default().profiles:
        fix = f"write {versions.default().version} {version}"
        raise UsageError(path=version, expected="a version before the profile", found="none", fix=fix)
    spec = _spec(version)
    print(f"spec {spec.version}  sha256 {spec.digest}")
    if profile is None:
        for name in spec.profiles:
            rules = spec.profile(name).rules.values()
            must = sum(rule.severity == "error" for rule in rules)
            print(f"  {name:<12} {count(must, 'error rule')}, {count(len(rules) - must, 'warning rule')}")
        return 0
    shown = spec.profile(profile)
    print(f"profile {shown.name}: {count(len(shown.rules), 'rule')}")
    if shown.name not in spec.profiles:
        print(f"profile_digest {shown.digest}")
    column = max((len(rule_id) for rule_id in shown.rules), default=0)
    for rule in sorted(shown.rules.values(), key=lambda rule: (rule.severity, rule.id)):
        start = f"  {rule.severity:<8} {rule.id:<{column}}  "
        print(wrapped(rule.title, start, " " * len(start), width=terminal_width()))
    return 0


def diff(old: str | None, new: str | None) -> int:
    """0 after every difference was printed; 1 where the number of the second version claims less than they make.

    Without `old` it is the last released version, without `new` the newest installed one.
    """
    from vizschema.rules import versions
    from vizschema.rules.diff import compare, side, step

    if old is None:
        released = [version for version in versions.versions() if versions.load(version).released]
        if not released:
            print(f"no version is released yet: {' and '.join(versions.versions())} are drafts, without guarantees")
            return 0
        old = released[-1]
        if old == versions.versions()[-1] and new is None:
            print(f"{old}, the newest version, is released: nothing to compare")
            return 0
    before, after = side(old), side(versions.versions()[-1] if new is None else new)
    _require_alike(before, after)
    changes = compare(before, after)
    print(escape_text(f"{before.name} → {after.name}"))
    for change in changes:
        subject = f"{change.subject} ({change.profile})" if change.profile else change.subject
        print(escape_text(f"  {change.step:<6} {change.kind:<11}{subject}{change.detail and ': ' + change.detail}"))
    return _claim(before.version, after.version, len(changes), step(changes))


def _require_alike(before: Side, after: Side) -> None:
    """Raise `UsageError` unless both sides are versions, or both are profiles."""
    kinds = ["a profile" if _is_profile(each.name) else "a version" for each in (before, after)]
    if kinds[0] != kinds[1]:
        raise UsageError(
            expected="two versions or two profiles",
            found=f"{before.name}, {kinds[0]}, and {after.name}, {kinds[1]}",
            fix="name the folder of a profile on both sides",
        )


def _is_profile(name: str) -> bool:
    from vizschema.rules import versions

    return name not in versions.versions() and versions.is_profile(Path(name))


def _claim(old: str | None, new: str | None, differences: int, made: str) -> int:
    """0 after the step that was made was set against the one that two numbers claim; 1 where they claim less."""
    from vizschema.rules.diff import STEPS, claimed

    counted = f"{count(differences, 'difference')}: {_step(made)}"
    if old is None or new is None:
        print(f"{counted}; without version numbers to check")
        return 0
    try:
        number = claimed(old, new)
    except ValueError as error:
        raise UsageError(f"{error}; name the earlier version first") from error
    enough = STEPS.index(number) >= STEPS.index(made)
    verdict = "enough" if enough else "too little"
    print(f"{counted}; the number goes from {old} to {new}, {_step(number)}, which is {verdict}")
    return 0 if enough else 1


def _step(name: str) -> str:
    return "no step" if name == "none" else f"a {name} step"


def export(target: str, version: str | None) -> int:
    """0 after the schemas of all versions, or of one, were copied below the folder `target`."""
    from vizschema.rules.versions import export as exported

    written = exported(Path(target), None if version is None else _spec(version))
    print(f"{target}: {count(written, 'file')} written, each at the path of its $id below https://vizschema.org/spec/")
    return 0


def pin(version: str | None, file: str | None) -> int:
    """0 after the version, 1.0.0 by default, and its digest were written into the project's configuration."""
    from vizschema.project.pin import place_for, write_pin

    spec = _spec(version)
    path = place_for(Path.cwd()) if file is None else Path(file)
    write_pin(path, spec)
    print(f"{_short(path)}: pins spec {spec.version}, sha256 {spec.digest}")
    if not spec.released:
        print(f"note: {spec.version} is a draft; its digest changes with the next vizschema")
    return 0


def _spec(version: str | None) -> Spec:
    from vizschema.rules import versions

    return versions.default() if version is None else versions.load(version)


def _rules(spec: Spec, profile: str | None) -> dict[str, Rule]:
    """Every rule of every profile, and of one of the user's own, by its id; an inherited rule is the same in each."""
    names = {*spec.profiles, *([] if profile is None else [profile])}
    return {rule.id: rule for name in sorted(names) for rule in spec.profile(name).rules.values()}


def _short(path: Path) -> str:
    """`path` as seen from the working directory, where that is shorter."""
    return min(os.path.relpath(path), str(path), key=len)
