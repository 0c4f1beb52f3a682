"""Engines come to the same findings on the descriptions of the suite, by the text of the specification alone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import pytest
from support.needed import installed

from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.strength import engines
from vizschema.conformance.strength.engines import JAVASCRIPT, differences, lines_of, subjects_of
from vizschema.rules import versions

SPEC = versions.load("1.0.0")
CASES = corpus("1.0.0")


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    """Skip without Node.js and its packages; in CI they have to be there."""
    installed("node")
    if not (JAVASCRIPT / "node_modules").is_dir():
        end = pytest.fail if os.environ.get("VIZSCHEMA_CI") else pytest.skip
        end(f"no npm packages: run `npm ci` in {JAVASCRIPT}")


def differing(names: Sequence[str], *, mutated: int, sample: int = 1) -> list[tuple[str, str, object, object]]:
    judged: list[str] = []
    subjects = subjects_of(SPEC, CASES, mutated=mutated, seed=2, sample=sample)
    noted = (judged.append(each.origin) or each for each in subjects)  # type: ignore[func-returns-value]
    found = [(engine, each.origin, *both) for engine, each, *both in differences(SPEC, noted, names)]
    assert len(judged) > 100
    return found


def test_ajv_finds_the_same_in_a_sample() -> None:
    # `.ci/run` has it judge every description.
    assert differing(["ajv"], mutated=500, sample=20) == []


def test_jsonschema_and_hyperjump_find_the_same_in_a_sample() -> None:
    # This sample is without the archives of 100,000 nodes, which take jsonschema a minute each.
    assert differing(["jsonschema", "hyperjump"], mutated=1000, sample=25) == []


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = list(subjects_of(SPEC, CASES, mutated=0, seed=0, sample=500))
    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, "blind": lambda _, each: [()] * len(each)})
    broken = [each for each, found in zip(subjects, engines.ENGINES["own"](SPEC, subjects), strict=True) if found]
    lines = list(lines_of(SPEC, subjects, ["blind", "jsonschema-rs"]))
    assert f"blind: {broken[0].profile}: {broken[0].origin}" in lines
    assert lines[-2:] == [f"blind: {len(broken)} differ", "jsonschema-rs: the same findings"]


def test_packages_are_locked_without_hosts() -> None:
    lock = json.loads((JAVASCRIPT / "package-lock.json").read_bytes())
    assert all("integrity" in each for path, each in lock["packages"].items() if path)
    assert "resolved" not in json.dumps(lock)
