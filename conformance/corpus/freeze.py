"""From breaks to cases: each is made in every container, certified by ablation, and frozen as a file.

A broken case is certified in a container where exactly its rule and those declared with it are found, and with its rule
emptied exactly its own findings are gone. A neighbour is certified where nothing is found.
"""

from __future__ import annotations

import copy
import functools
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vizschema.bounds import Reading
from vizschema.conformance.corpus.ablation import Found, ablated, found, rules_found
from vizschema.conformance.corpus.breaks.edits import Break
from vizschema.conformance.corpus.cases import OTHERS, Case, base, unbreakable, write_case
from vizschema.conformance.corpus.documents import describe_document
from vizschema.conformance.corpus.patch import diff
from vizschema.conformance.corpus.raw import CONTAINERS, SUFFIXES, scratch
from vizschema.description import Description
from vizschema.errors import VizschemaError
from vizschema.measure import measured
from vizschema.rules.versions import Profile


@dataclass(frozen=True, slots=True)
class Refused:
    """A break that is no case: no container certifies it, for the reasons given by container."""

    name: str
    reasons: Mapping[str, str]


def freeze(breaks: Iterable[Break], spec: str = "1.0.0") -> Iterator[Case | Refused]:
    """The certified cases of each break, or why there is none.

    Each break is tried in one container, which follows from its name, so that a new break moves no other; and in those
    that can break the rule and have no case of its kind yet. Where its findings differ between containers (a file in a
    folder is named by its group, a member of an NPZ file by itself), it becomes a case for each.
    """
    hopeless = unbreakable(spec)
    covered: dict[tuple[str, str], set[str]] = {}
    for each in breaks:
        have = covered.setdefault((each.rule, each.kind), set())
        wanted = {name for name in CONTAINERS if name not in have and (each.rule, name) not in hopeless}
        made = cases_of(each, spec, wanted=wanted, start=zlib.crc32(each.name.encode()))
        for case in made:
            if isinstance(case, Case) and case.level == "archive":
                have.update(case.containers)
        yield from made


def cases_of(
    made: Break, spec: str, *, wanted: Set[str] = frozenset(CONTAINERS), start: int = 0
) -> list[Case] | list[Refused]:
    """The cases of one break: certified in each container of `wanted`, and in the first from `start` on that can."""
    document = copy.deepcopy(base(spec, made.base))
    changed = made.stage("document", copy.deepcopy(document))
    damage = made.stage("damage", {}).get("damage", [])
    draft = Case(
        made.name,
        made.rule,
        made.kind,
        made.why,
        spec,
        made.profile,
        made.level,
        made.values,
        (),
        "valid",
        {},
        made.base,
        tuple(diff(document, changed)),
        (),
        tuple(damage),
    )
    certified, reasons = _certified(made, draft, wanted, start)
    if not certified:
        return [Refused(draft.name, reasons)]
    groups: dict[Found, list[str]] = {}
    for container, (_, findings) in certified.items():
        groups.setdefault(findings, []).append(container)
    return [
        _case(certified[containers[0]][0], findings, containers, "" if not number else f"-{containers[0]}")
        for number, (findings, containers) in enumerate(groups.items())
    ]


def _case(draft: Case, findings: Found, containers: Sequence[str], suffix: str) -> Case:
    places: dict[str, list[str]] = {}
    for rule, path in sorted(findings):
        places.setdefault(rule, []).append(path)
    severities = {draft.loaded_profile.rules[rule].severity for rule, _ in findings}
    return replace(
        draft,
        name=draft.name + suffix,
        containers=tuple(containers),
        expected={rule: paths[0] for rule, paths in places.items()},
        further={rule: paths[1:] for rule, paths in places.items() if len(paths) > 1},
        verdict="invalid" if "error" in severities else "valid",
    )


def _certified(
    made: Break, draft: Case, wanted: Set[str], start: int
) -> tuple[dict[str, tuple[Case, Found]], dict[str, str]]:
    """The case and its findings by container, and why others do not certify it."""
    certified: dict[str, tuple[Case, Found]] = {}
    reasons: dict[str, str] = {}
    names = list(CONTAINERS)
    turn = names[start % len(names) :] + names[: start % len(names)]
    for container in turn:
        if certified and (container not in wanted or made.level == "description"):
            continue
        try:
            trial = replace(draft, described=_described(made, draft, container))
            description = description_of(trial, container)
        except _CANNOT as error:
            reasons[container] = f"{type(error).__name__}: {error}"
            continue
        findings = found(description, trial.loaded_profile)
        problem = _problem(trial, description, findings, made)
        if problem is not None:
            reasons[container] = problem
            continue
        certified[container] = (trial, findings)
    return {name: certified[name] for name in names if name in certified}, reasons


_CANNOT = (VizschemaError, ValueError, KeyError, TypeError, OSError, RuntimeError)
"""What a container raises that cannot carry a fault."""


def description_of(case: Case, container: str) -> Description:
    """The description that the case is judged by: of the archive itself wherever structure decides."""
    if case.level == "description":
        described: Description = case.description(container)
        return described
    facts: tuple[Mapping[str, Any], ...] = case.loaded_profile.facts
    with tempfile.TemporaryDirectory(prefix="vizschema-freeze-", dir=scratch()) as folder:
        path = Path(folder) / f"archive{SUFFIXES[container]}"
        case.write(path, container)
        with measured(path, Reading(jobs=1)) as archive:
            whole: Description = archive.with_values(facts) if case.values else archive.description
            return whole


def _described(made: Break, draft: Case, container: str) -> tuple[dict[str, Any], ...]:
    if made.level == "archive":
        return ()
    parts = describe_document(draft.document(), container, draft.loaded_profile if draft.values else None)
    changed = made.stage("description", copy.deepcopy(parts))
    operations: tuple[dict[str, Any], ...] = tuple(diff(parts, changed))
    return operations


def _problem(case: Case, description: Description, findings: Found, made: Break) -> str | None:
    """Why the case is not certified; None where it is."""
    rules = {rule for rule, _ in findings}
    wanted = {case.rule, *made.also} if case.kind == "broken" else set()
    if rules != wanted:
        return f"expected {sorted(wanted)}, found {sorted(findings)}"
    if case.kind == "broken":
        once = len(rules_found(description, case.loaded_profile)) == len(rules)
        if made.several is once:
            return (
                f"expected {'several findings' if made.several else 'one finding per rule'}, found {sorted(findings)}"
            )
        left = found(description, _ablated(case.loaded_profile, case.rule))
        if left != {each for each in findings if each[0] != case.rule}:
            return f"with {case.rule} emptied, expected the others alone, found {sorted(left)}"
    return None


@functools.lru_cache(maxsize=128)
def _ablated(profile: Profile, rule: str) -> Profile:
    emptied: Profile = ablated(profile, rule)
    return emptied


def write_corpus(cases: Iterable[Case], folder: Path) -> None:
    """Replace the cases below `folder` (that of a version), but for its bases and encodings."""
    for old in folder.iterdir():
        if old.is_dir() and old.name not in OTHERS:
            shutil.rmtree(old)
    for case in cases:
        write_case(case, folder)
