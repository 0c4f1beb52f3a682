"""The frozen corpus: every case is what it says, every rule has its cases, and an emptied rule is not found."""

from __future__ import annotations

import functools
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from vizschema import describe, description, specs
from vizschema.conformance.cases import FOLDER, Case, base, corpus
from vizschema.conformance.documents import describe_document, write_document
from vizschema.conformance.judging import ablated, found
from vizschema.conformance.patch import apply, diff
from vizschema.conformance.raw import CONTAINERS, SUFFIXES, scratch
from vizschema.specs import Profile

SPEC = specs.load("1.0.0")
CASES = corpus("1.0.0")
RULES = {rule for name in SPEC.profiles for rule in SPEC.profile(name).rules}
BY_RULE: dict[str, list[Case]] = defaultdict(list)
for _case in CASES:
    BY_RULE[_case.rule].append(_case)

ONLY_IN_ZARR = {
    *("metadata-missing", "metadata-malformed", "metadata-invalid", "metadata-conflict", "over-limit"),
    *("foreign-file", "special-file", "chunks-written", "chunk-readable"),
}
ONLY_IN_HDF5 = {"damaged", "external-storage", "virtual-dataset", "named-type"}
ONLY_DESCRIBED = {
    "crashed": "what ends the process that reads it is no archive to hand round; `conformance/hostile` has some",
    "root-group": "an archive whose root is an array has no groups to hold anything else",
    "shard-maximum": "a shard of more than 1 GiB",
    "facts-measured": "a fault of the program that describes, not of an archive",
    "recommended-facts-measured": "likewise",
    "classifier-facts-measured": "likewise",
    "openfold-facts-measured": "likewise",
    "openfold-pairs-measured": "likewise",
}


@functools.cache
def emptied(profile: Profile, rule: str) -> Profile:
    return ablated(profile, rule)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_case_is_found_as_it_says_and_not_without_its_rule(rule: str) -> None:
    assert any(case.kind == "broken" for case in BY_RULE[rule]), "no broken case"
    for case in BY_RULE[rule]:
        if case.damage:
            continue  # only the archive shows it: the runner's tests judge those
        profile = case.loaded_profile
        document = case.description(case.containers[0])
        findings = found(document, profile)
        assert dict(findings) == dict(case.expected), case.name
        assert (case.verdict == "invalid") == any(profile.rules[each].severity == "error" for each in case.expected)
        if case.kind == "broken":
            assert rule in case.expected, case.name
            left = {each for each in findings if each[0] != rule}
            assert found(document, emptied(profile, rule)) == left, case.name
        else:
            assert case.expected == {}, case.name


def test_no_case_is_about_an_unknown_rule() -> None:
    assert set(BY_RULE) <= RULES


def test_a_rule_that_follows_from_another_has_a_case_of_its_own() -> None:
    alone = {case.rule for case in CASES if set(case.expected) == {case.rule}}
    assert {rule for case in CASES for rule in case.expected} <= alone


def test_every_rule_has_a_neighbour_unless_it_is_a_kind_of_damage() -> None:
    lacking = {rule for rule in RULES if not any(case.kind == "neighbour" for case in BY_RULE[rule])}
    damage = set(description.REASONS)
    assert lacking - damage == set()


@pytest.mark.parametrize("rule", sorted(RULES - set(ONLY_DESCRIBED)))
def test_a_rule_is_broken_in_every_container_that_can_break_it(rule: str) -> None:
    held = {c for case in BY_RULE[rule] if case.kind == "broken" and case.level == "archive" for c in case.containers}
    wanted = set(CONTAINERS)
    if rule in ONLY_IN_ZARR:
        wanted = {"zarr-v3", "zarr-v2"}
    elif rule in ONLY_IN_HDF5:
        wanted = {"hdf5"}
    elif rule == "pickle":
        wanted = {"zarr-v2"}
    elif rule == "unsupported":
        wanted = {"zarr-v3", "hdf5"}
    assert wanted <= held


@pytest.mark.parametrize("rule", sorted(ONLY_DESCRIBED))
def test_a_rule_that_no_archive_breaks_is_broken_in_a_description(rule: str) -> None:
    assert {case.level for case in BY_RULE[rule] if case.kind == "broken"} == {"description"}


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
    from vizschema.conformance.cases import read
    from vizschema.errors import UsageError

    source = next(path for path in sorted((FOLDER / "1.0.0").glob("*/*.json")) if path.parent.name != "bases")
    copy = tmp_path / "rule" / "case.json"
    copy.parent.mkdir()
    copy.write_text(source.read_text("utf-8").replace('"kind"', '"kinds"', 1), encoding="utf-8")
    with pytest.raises(UsageError, match="expected a case as in"):
        read(copy)
