"""The kill score: which mutants of the schemas the frozen corpus tells from the released ones, and which survive."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from vizschema.conformance.corpus.ablation import engine_of, named
from vizschema.conformance.corpus.cases import FOLDER, Case
from vizschema.conformance.corpus.locator import Locator
from vizschema.conformance.strength.mutants import Mutant, mutants, mutated, pattern_of
from vizschema.description import Description
from vizschema.errors import SpecError
from vizschema.rules import versions
from vizschema.rules.judge import entry_of, settle
from vizschema.rules.versions import Profile, Schema, Spec

HOME = "https://vizschema.org/spec/"


@dataclass(frozen=True, slots=True)
class Score:
    """Mutants by operator: killed, equivalent (listed, with a reason), surviving; `stale` are listed without need."""

    killed: Mapping[str, int]
    excused: Mapping[str, int]
    equivalent: Mapping[str, str]
    survivors: tuple[Mutant, ...]
    stale: tuple[str, ...]

    def share(self, operator: str) -> float:
        """The share of the mutants of one operator that are killed, equivalent ones left out."""
        killed = self.killed.get(operator, 0)
        alive = sum(mutant.operator == operator for mutant in self.survivors)
        return killed / (killed + alive) if killed + alive else 1.0


Held = tuple[str, Description, tuple[str, ...]]
"""A case: its rule, its description, and the rule of every finding, sorted."""


class Corpus:
    """The cases of a version with their descriptions, by profile, but for those that only an archive shows."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.by_profile: dict[str, list[Held]] = {}
        self._texts: dict[str, dict[str, list[int]]] = {}
        for case in cases:
            if case.has_document:
                description = case.description(case.containers[0])
                held = self.by_profile.setdefault(case.profile, [])
                texts = self._texts.setdefault(case.profile, {})
                for text in texts_in(description):
                    texts.setdefault(text, []).append(len(held))
                held.append((case.rule, description, tuple(rule for rule, _ in case.places)))

    def ordered(self, profile: str, mutant: Mutant, pattern: tuple[str, str] | None) -> list[Held]:
        """The cases of a profile that can tell a mutant, those about its rule first.

        A changed `pattern` (it, and what it was) is told only by a case with a text in which one of both is found.
        """
        cases = self.by_profile.get(profile, [])
        if pattern is not None:
            texts, (now, before) = self._texts.get(profile, {}), map(_matcher, pattern)
            numbers = {number for text, held in texts.items() if now(text) != before(text) for number in held}
            cases = [cases[number] for number in sorted(numbers)]
        return sorted(cases, key=lambda case: case[0] != mutant.rule)


def texts_in(value: Any) -> Set[str]:
    """Every text of a description: names of fields and values."""
    if isinstance(value, str):
        return {value}
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for part in parts for text in texts_in(part)}


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a pattern is found in a text, by an engine that never goes back: a mutant may nest any repetitions."""
    matches: Callable[[str], bool] = engine_of({}, {"pattern": pattern}).is_valid
    return matches


def score(spec: Spec, cases: Sequence[Case], processes: int = 2, only: str = "") -> Score:
    """The score of `cases` against the mutants of `spec` whose names have `only` in them, in so many processes."""
    from vizschema.conformance.strength.proofs import proved

    with workers(processes, _load, spec.version, cases, processes, only) as pool:
        names = {name for part in pool.map(_killed, range(processes)) for name in part}
    every = _named(spec, only)
    alive = [mutant for mutant in every if mutant.name not in names]
    listed = {name: reason for name, reason in equivalents(spec).items() if only in name}
    return tally(every, names, {**proved(spec, alive), **listed})


@contextmanager
def workers(processes: int, begin: Callable[..., None], *given: Any) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each of which calls `begin(*given)` first; they end with the block, however that ends.

    They also end where this process is killed: each watches a pipe whose other end nobody else has.
    """
    spawn = multiprocessing.get_context("spawn")
    watched, held = spawn.Pipe(duplex=False)
    with ProcessPoolExecutor(processes, spawn, _begin, (watched, begin, given)) as pool, watched, held:
        yield pool


def _begin(watched: Connection, begin: Callable[..., None], given: tuple[Any, ...]) -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # of the terminal, for all of its processes: the first one ends the others
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
    begin(*given)


def _end_with(watched: Connection) -> None:
    """End this process once the other end of the pipe is closed."""
    watched.poll(None)
    os._exit(0)


def _named(spec: Spec, only: str) -> list[Mutant]:
    return [mutant for mutant in mutants(spec) if only in mutant.name]


_LOADED: dict[str, tuple[Spec, Corpus, int, str]] = {}
"""What a process was told when it started: the version, the corpus, how many processes there are, and which mutants."""


def _load(version: str, cases: Sequence[Case], processes: int, only: str) -> None:
    _LOADED["now"] = versions.load(version), Corpus(cases), processes, only


def _killed(start: int) -> list[str]:
    """The names of those that are killed, of every so many-th mutant."""
    spec, held, step, only = _LOADED["now"]
    return [mutant.name for mutant in _named(spec, only)[start::step] if kills(spec, held, mutant)]


def tally(every: Sequence[Mutant], killed: Set[str], excused: Mapping[str, str]) -> Score:
    """The score, given the names of those that are killed and the reasons of those that are equivalent."""
    alive = [mutant for mutant in every if mutant.name not in killed]
    names = {mutant.name for mutant in alive}
    return Score(
        Counter(mutant.operator for mutant in every if mutant.name in killed),
        Counter(mutant.operator for mutant in alive if mutant.name in excused),
        {name: reason for name, reason in excused.items() if name in names},
        tuple(mutant for mutant in alive if mutant.name not in excused),
        tuple(name for name in excused if name not in names),
    )


def kills(spec: Spec, held: Corpus, mutant: Mutant) -> bool:
    """Whether a case has another verdict, or other findings, by the mutant."""
    home = mutant.document.partition("/")[0]
    for name in sorted(spec.profiles, key=lambda name: name != home):
        profile = spec.profile(name)
        url = f"{HOME}{spec.version}/{mutant.document}"
        if url in profile.documents:
            cases = held.ordered(name, mutant, pattern_of(profile.documents[url], mutant))
            if _differs(profile, url, mutant, cases):
                return True
    return False


def _differs(profile: Profile, url: str, mutant: Mutant, cases: Sequence[Held]) -> bool:
    if not cases:
        return False
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
        if tuple(sorted(fault.rule.id for fault in faults)) != expected:
            return True
    return False


def _with(profile: Profile, documents: Mapping[str, Schema]) -> Profile:
    return Profile(profile.name, profile.version, profile.must, profile.should, documents, profile.rules, profile.facts)


def equivalents(spec: Spec) -> dict[str, str]:
    """Mutants that no archive can tell from the original, each with the reason; none where the version has no list."""
    path = FOLDER / spec.version / "equivalent.json"
    if not path.is_file():
        return {}
    listed = json.loads(path.read_text("utf-8"))["equivalent"]
    return {str(name): str(entry["reason"]) for entry in listed for name in entry["mutants"]}


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
        beside = result.excused.get(operator, 0)
        share = f"({result.share(operator):.1%})"
        yield f"{words:<20} {killed:>5} of {killed + alive:>5} killed {share:<8} and {beside:>4} equivalent"
    for reason, count in Counter(result.equivalent.values()).most_common():
        yield f"  {count:>5}  {reason}"
    for name in result.stale:
        yield f"listed as equivalent, and no survivor: {name}"
    shown = result.survivors if every else result.survivors[:_SHOWN]
    for mutant in shown:
        yield f"survives: {mutant.name}"
    if len(shown) < len(result.survivors):
        yield f"and {len(result.survivors) - len(shown)} more (--survivors lists them)"
