"""The frozen corpus: every case is what it says, every rule has its cases, and an emptied rule is not found."""

from __future__ import annotations

import functools
import re
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from vizschema import describe, description
from vizschema.conformance.corpus.ablation import ablated, found, rules_found
from vizschema.conformance.corpus.cases import FOLDER, OTHERS, TOPIC, Case, base, corpus, unbreakable
from vizschema.conformance.corpus.documents import describe_document, write_document
from vizschema.conformance.corpus.freeze_hostile import LEFT_OUT, LEGAL, NO_ARCHIVE
from vizschema.conformance.corpus.hostile import BY_NAME
from vizschema.conformance.corpus.patch import apply, diff
from vizschema.conformance.corpus.raw import CONTAINERS, SUFFIXES, scratch
from vizschema.conformance.generator.languages import ALPHABET
from vizschema.conformance.strength.mutants import mutants
from vizschema.conformance.strength.proofs import PATHS, proved, same
from vizschema.conformance.strength.score import Corpus, equivalents, kills, lines_of, tally
from vizschema.rules import versions
from vizschema.rules.versions import Profile

SPEC = versions.load("1.0.0")
CASES = corpus("1.0.0")
RULES = {rule for name in SPEC.profiles for rule in SPEC.profile(name).rules}
BY_RULE: dict[str, list[Case]] = defaultdict(list)
for _case in CASES:
    BY_RULE[_case.rule].append(_case)

TOPICS = {NO_ARCHIVE, LEGAL, TOPIC}
UNBREAKABLE = unbreakable("1.0.0")


@functools.cache
def emptied(profile: Profile, rule: str) -> Profile:
    return ablated(profile, rule)


@functools.cache
def whole() -> Corpus:
    return Corpus(CASES)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_case_is_found_as_it_says_and_not_without_its_rule(rule: str) -> None:
    assert any(case.kind == "broken" for case in BY_RULE[rule]), "no broken case"
    for case in BY_RULE[rule]:
        if not case.has_document:
            continue  # only the archive shows it: freezing judged it, and the runner judges it again
        profile = case.loaded_profile
        document = case.description(case.containers[0])
        findings = found(document, profile)
        assert findings == set(case.places), case.name
        assert rules_found(document, profile) == tuple(rule for rule, _ in case.places), case.name
        assert (case.verdict == "invalid") == any(profile.rules[each].severity == "error" for each in case.expected)
        if case.kind == "broken":
            assert rule in case.expected, case.name
            left = {each for each in findings if each[0] != rule}
            assert found(document, emptied(profile, rule)) == left, case.name
        else:
            assert case.expected == {}, case.name


def test_no_case_is_about_an_unknown_rule() -> None:
    assert set(BY_RULE) <= RULES | TOPICS


def test_a_rule_that_follows_from_another_has_a_case_of_its_own() -> None:
    alone = {case.rule for case in CASES if set(case.expected) == {case.rule}}
    assert {rule for case in CASES for rule in case.expected} <= alone


def test_every_rule_has_a_neighbour_unless_it_is_a_kind_of_damage() -> None:
    lacking = {rule for rule in RULES if not any(case.kind == "neighbour" for case in BY_RULE[rule])}
    damage = set(description.REASONS)
    assert lacking - damage == set()


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_is_broken_in_every_container_unless_a_reason_says_why_not(rule: str) -> None:
    held = {c for case in BY_RULE[rule] if case.kind == "broken" and case.level == "archive" for c in case.containers}
    reasons = {container for container in CONTAINERS if (rule, container) in UNBREAKABLE}
    assert held | reasons == set(CONTAINERS), "neither a case nor a reason"
    assert held & reasons == set(), "a reason, and a case all the same"


def test_a_rule_that_no_archive_breaks_is_broken_in_a_description() -> None:
    described = {rule for rule in RULES if all((rule, container) in UNBREAKABLE for container in CONTAINERS)}
    for rule in described:
        assert {case.level for case in BY_RULE[rule] if case.kind == "broken"} == {"description"}, rule
    assert {rule for rule, _ in UNBREAKABLE} <= RULES


def test_every_archive_of_the_hostile_corpus_is_a_case() -> None:
    assert {case.made for case in CASES if case.made is not None} == set(BY_NAME) - set(LEFT_OUT)
    assert {case.verdict for case in CASES if case.rule == NO_ARCHIVE} == {"refused"}
    assert {case.verdict for case in CASES if case.rule == LEGAL} == {"valid"}


@pytest.mark.parametrize("container", sorted(CONTAINERS))
@pytest.mark.parametrize("name", SPEC.profiles)
def test_a_base_is_described_as_the_suite_foresees(name: str, container: str) -> None:
    document = base("1.0.0", name)
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        path = Path(folder) / f"base{SUFFIXES[container]}"
        write_document(document, container, path)
        parts = describe_document(document, container)
        assert describe(path) == description.complete(parts["container"], parts["nodes"])


def test_a_patch_leads_from_one_document_to_the_other() -> None:
    before = {"a": {"b/c": 1, "~": [1, 2]}, "gone": None}
    after = {"a": {"b/c": 1.0, "~": [1], "new": {}}, "zero": -0.0}
    operations = list(diff(before, after))
    assert apply(before, operations) == after
    assert repr(apply(before, operations)["a"]["b/c"]) == "1.0"
    assert list(diff(after, after)) == []
    assert before["gone"] is None


def test_a_file_of_a_case_says_no_more_than_the_schema_allows(tmp_path: Path) -> None:
    from vizschema.conformance.corpus.cases import read
    from vizschema.errors import UsageError

    source = next(path for path in sorted((FOLDER / "1.0.0").glob("*/*.json")) if path.parent.name not in OTHERS)
    copy = tmp_path / "rule" / "case.json"
    copy.parent.mkdir()
    copy.write_text(source.read_text("utf-8").replace('"kind"', '"kinds"', 1), encoding="utf-8")
    with pytest.raises(UsageError, match="expected a case as in"):
        read(copy)


def test_a_mutant_that_is_called_equivalent_is_a_mutant_and_is_not_killed() -> None:
    listed = equivalents(SPEC)
    every = {mutant.name: mutant for mutant in mutants(SPEC)}
    assert set(listed) <= set(every)
    assert all(len(reason) > 40 for reason in listed.values())
    held = whole()
    for name in sorted(listed)[::32]:
        assert not kills(SPEC, held, every[name]), name


def test_a_score_names_survivors_and_entries_that_are_none() -> None:
    every = list(mutants(SPEC))[:4]
    killed, alive, excused, stale = (mutant.name for mutant in every)
    result = tally(every, {killed, stale}, {excused: "a reason", stale: "no reason"})
    assert [mutant.name for mutant in result.survivors] == [alive]
    assert (dict(result.equivalent), result.stale) == ({excused: "a reason"}, (stale,))
    assert f"listed as equivalent, and no survivor: {stale}" in list(lines_of(result, every=True))


def test_the_corpus_kills_what_is_dropped_and_what_is_moved() -> None:
    held = Corpus([case for case in CASES if case.rule in ("generator", "size-attribute", "node-name")])
    of_rules = [mutant for mutant in mutants(SPEC) if mutant.rule in ("generator", "size-attribute")]
    assert {mutant.operator for mutant in of_rules if kills(SPEC, held, mutant)} >= {"drop", "shift"}


@pytest.mark.parametrize(
    ("pattern", "other", "within", "equal"),
    [
        ("^/(.*/)?[^/]*x$", "^/(.*/)?.*x$", (), True),
        ("^(a_)?b$", "^(a_)*b$", (), False),
        ("^/activations/[^/]+$", "^/activations/[^/]*$", (), False),
        ("^/activations/[^/]+$", "^/activations/[^/]*$", (PATHS,), True),
        ("^/Volumes/a", "^/volumes/a", (), False),
        ("^[A-Za-z]:", "^[A-Z]:", (), False),
    ],
)
def test_two_patterns_are_the_same_where_they_are_found_in_the_same_texts(
    pattern: str, other: str, within: tuple[str, ...], equal: bool
) -> None:
    assert same(pattern, other, *within) is equal
    assert same(other, pattern, *within) is equal


def test_the_automata_know_every_character_that_a_pattern_names() -> None:
    """A proof holds for the characters of `ALPHABET`: no pattern may name any other."""
    for mutant in mutants(SPEC):
        if mutant.operator in ("loosen", "narrow"):
            pattern = mutant.value[0] if isinstance(mutant.value, tuple) else mutant.value
            for character in re.sub(r"(.)-(.)", r"\1\2", pattern.replace("\\", "")):
                assert character in ALPHABET or character in "^$()[]{}|?*", pattern


def test_a_pattern_that_matches_the_same_texts_needs_no_entry_in_the_list() -> None:
    of_names = [each for each in mutants(SPEC) if each.rule == "mnist-known-nodes" and each.operator == "loosen"]
    found = proved(SPEC, of_names)
    assert 0 < len(found) < len(of_names)
    assert not set(found) & set(equivalents(SPEC))
    assert not kills(SPEC, whole(), next(each for each in of_names if each.name in found))
