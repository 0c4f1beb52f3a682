"""The kill score: which mutants of the schemas the frozen corpus tells from the released ones, and which survive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vizschema.conformance.cases import FOLDER, Case
from vizschema.conformance.judging import engine_of, named
from vizschema.conformance.mutants import Mutant, mutants, mutated
from vizschema.description import Description
from vizschema.errors import SpecError
from vizschema.judge import Locator, entry_of, settle
from vizschema.specs import Profile, Schema, Spec

HOME = "https://vizschema.org/spec/"


@dataclass(frozen=True, slots=True)
class Score:
    """Mutants by operator: killed, equivalent (listed, with a reason) and surviving."""

    killed: Mapping[str, int]
    equivalent: Mapping[str, str]
    survivors: tuple[Mutant, ...]
    stale: tuple[str, ...]

    def share(self, operator: str) -> float:
        """The share of the mutants of one operator that are killed, equivalent ones left out."""
        killed = self.killed.get(operator, 0)
        alive = sum(mutant.operator == operator for mutant in self.survivors)
        return killed / (killed + alive) if killed + alive else 1.0


class Corpus:
    """The cases of a version with their descriptions, by profile, and the rules that each has to raise."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.by_profile: dict[str, list[tuple[str, Description, frozenset[str]]]] = {}
        for case in cases:
            if not case.damage:
                description = case.description(case.containers[0])
                self.by_profile.setdefault(case.profile, []).append((case.rule, description, frozenset(case.expected)))

    def ordered(self, profile: str, rule: str | None) -> list[tuple[str, Description, frozenset[str]]]:
        """The cases of a profile, those about `rule` first."""
        cases = self.by_profile.get(profile, [])
        return [case for case in cases if case[0] == rule] + [case for case in cases if case[0] != rule]


def score(spec: Spec, cases: Sequence[Case]) -> Score:
    """The score of `cases` against every mutant of `spec`."""
    held = Corpus(cases)
    excused = equivalents(spec)
    killed: Counter[str] = Counter()
    survivors: list[Mutant] = []
    stale: list[str] = []
    equivalent: dict[str, str] = {}
    for mutant in mutants(spec):
        reason = _reason(mutant.name, excused)
        if kills(spec, held, mutant):
            killed[mutant.operator] += 1
            if reason is not None and reason == excused.get(mutant.name):
                stale.append(mutant.name)
        elif reason is not None:
            equivalent[mutant.name] = reason
        else:
            survivors.append(mutant)
    return Score(killed, equivalent, tuple(survivors), tuple(stale))


def kills(spec: Spec, held: Corpus, mutant: Mutant) -> bool:
    """Whether a case has another verdict, or other rules, by the mutant."""
    home = mutant.document.partition("/")[0]
    for name in sorted(spec.profiles, key=lambda name: name != home):
        profile = spec.profile(name)
        url = f"{HOME}{spec.version}/{mutant.document}"
        if url in profile.documents and _differs(profile, url, mutant, held.ordered(name, mutant.rule)):
            return True
    return False


def _differs(
    profile: Profile, url: str, mutant: Mutant, cases: Sequence[tuple[str, Description, frozenset[str]]]
) -> bool:
    document = mutated(profile.documents[url], mutant)
    documents = {**profile.documents, url: document}
    changed = _with(profile, documents)
    try:
        engine = engine_of(documents, entry_of(profile))
    except ValueError:
        return True  # no schema any more: whoever loads it notices
    locator = Locator(changed)
    for _, description, expected in cases:
        if not expected and engine.is_valid(description):
            continue
        try:
            faults = settle(
                locator.fault(error.evaluation_path, error.instance_path, named(error))
                for error in engine.iter_errors(description)
            )
        except SpecError:
            return True  # an assertion that no rule holds any more
        if {fault.rule.id for fault in faults} != expected:
            return True
    return False


def _with(profile: Profile, documents: Mapping[str, Schema]) -> Profile:
    return Profile(profile.name, profile.version, profile.must, profile.should, documents, profile.rules, profile.facts)


def equivalents(spec: Spec) -> dict[str, str]:
    """Mutants that no archive can tell from the original, with the reason; a `*` at the end stands for any end."""
    path = FOLDER / spec.version / "bases" / "equivalent.json"
    return (
        {str(name): str(reason) for name, reason in json.loads(path.read_text("utf-8")).items()}
        if path.is_file()
        else {}
    )


def _reason(name: str, excused: Mapping[str, str]) -> str | None:
    if name in excused:
        return excused[name]
    return next(
        (reason for start, reason in excused.items() if start.endswith("*") and name.startswith(start[:-1])), None
    )


_SHOWN = 20
_WORDS: Mapping[str, str] = {
    "drop": "dropped constraints",
    "shift": "shifted bounds",
    "unconditional": "dropped conditions",
    "loosen": "loosened patterns",
    "narrow": "narrowed patterns",
}


def lines_of(result: Score, *, every: bool) -> Iterator[str]:
    """The score in words: killed of all by operator, equivalents by reason, survivors."""
    for operator, words in _WORDS.items():
        alive = sum(mutant.operator == operator for mutant in result.survivors)
        killed = result.killed.get(operator, 0)
        yield f"{words:<20} {killed:>5} of {killed + alive:>5} killed ({result.share(operator):.1%})"
    yield f"{'equivalent':<20} {len(result.equivalent):>5}"
    for reason, count in Counter(result.equivalent.values()).most_common():
        yield f"  {count:>5}  {reason}"
    for name in result.stale:
        yield f"listed as equivalent, and killed: {name}"
    shown = result.survivors if every else result.survivors[:_SHOWN]
    for mutant in shown:
        yield f"survives: {mutant.name}"
    if len(shown) < len(result.survivors):
        yield f"and {len(result.survivors) - len(shown)} more (--survivors lists them)"
