"""Two folders of a version compared: what they find in the corpus, and in mutations of it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import jsonschema_rs
import pytest

from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.harness.command import main
from vizschema.conformance.strength.equivalence import compare, lines_of, mutation
from vizschema.rules import versions

SPEC = versions.default()


def test_a_version_finds_what_it_finds() -> None:
    cases = [case for case in corpus(SPEC.version) if case.profile == "vit"]
    result = compare(SPEC.folder, SPEC.folder, cases, mutated=200, seed=0)
    assert result.differences == ()
    assert result.judged > 400
    assert result.with_findings > 300


def test_a_rule_that_is_loosened_is_a_difference(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SPEC.folder, tmp_path / "copy"))
    path = copy / "vit" / "must.schema.json"
    path.write_text(path.read_text("utf-8").replace('["sample", "token", "hidden"]', '["sample", "hidden", "token"]'))
    cases = [case for case in corpus(SPEC.version) if case.rule == "hidden-state-axes"]
    result = compare(SPEC.folder, copy, cases, mutated=0, seed=0, profiles=["vit"])
    assert result.differences
    assert any("hidden-state-axes" in line for line in lines_of(result))


def test_a_mutation_is_a_description_still_and_can_be_had_again() -> None:
    check = jsonschema_rs.Draft202012Validator(versions.read_json(versions.root() / "description.schema.json"))
    case = next(case for case in corpus(SPEC.version) if case.profile == "vit" and case.values)
    original = case.description(case.containers[0])
    made = [mutation(original, random.Random(seed)) for seed in range(100)]  # noqa: S311
    assert made == [mutation(original, random.Random(seed)) for seed in range(100)]  # noqa: S311
    assert sum(each != original for each in made) > 90
    assert all(check.is_valid(each) for each in made)


def test_the_command_says_how_many_differ(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(SPEC.folder)
    assert main(["compare", folder, folder, "--mutated", "5", "--profile", "mnist"]) == 0
    assert capsys.readouterr().out.strip().endswith("findings, 0 differ")
