"""Wrong implementations: each is killed by the cases that are recorded for it, and by three distinct ones at least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.needed import built, installed

from vizschema.cli.main import main
from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.harness.protocol import Process
from vizschema.conformance.harness.roles import Item
from vizschema.conformance.harness.runner import Order, run
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.subjects import entry_point
from vizschema.conformance.strength.implementations import (
    BEGIN,
    END,
    LEAST,
    Kills,
    fails,
    paged,
    record,
    recorded,
    score,
    survived,
    table,
)
from vizschema.conformance.wrong.implementation import EVERY, Implementation
from vizschema.description import complete

CASES = corpus()
UNITS = {item.name: item for case in CASES for item in (Item(case, each) for each in case.containers)}
KILLERS = recorded("1.0.0")


def test_each_has_killers_of_three_distinct_cases() -> None:
    assert set(KILLERS) == set(EVERY)
    for name, units in KILLERS.items():
        assert len({UNITS[unit].case.name for unit in units}) == LEAST, name


@pytest.mark.parametrize("part", range(8))
def test_a_wrong_implementation_is_killed_by_a_case_recorded_for_it(part: int) -> None:
    """By one of three, by turns; `score --implementations --recorded` asks all."""
    for number, name in enumerate(EVERY):
        if number % 8 == part:
            unit = UNITS[KILLERS[name][number % LEAST]]
            assert fails(Implementation(EVERY[name]), EVERY[name].role, unit), (name, unit.name)


def test_a_unit_that_does_not_kill_what_it_is_recorded_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [UNITS[unit].case for unit in KILLERS["roles_kept"]]
    assert list(survived(few, ["roles_kept"], "1.0.0")) == []
    listed = {"roles_kept": ["gone/case [hdf5]", f"{few[0].name} [hdf5]"]}
    monkeypatch.setattr("vizschema.conformance.strength.implementations.recorded", lambda _: listed)
    assert ("roles_kept", "gone/case [hdf5]") in set(survived(few, ["roles_kept"], "1.0.0"))


def test_this_package_passes_the_cases_that_kill_the_wrong_ones() -> None:
    for name in list(EVERY)[::9]:
        assert not fails(Own(), EVERY[name].role, UNITS[KILLERS[name][0]]), name


def test_a_wrong_implementation_without_its_fault_passes() -> None:
    """What `verdict` finds without words is what the package finds."""
    from dataclasses import replace

    right = replace(EVERY["roles_kept"], description=None)
    for unit in KILLERS["roles_kept"]:
        assert not fails(Implementation(right), "validator", UNITS[unit])


def test_the_javascript_reference_that_ignores_checksums_fails_cases_about_them() -> None:
    serve = Path(__file__).parents[2] / "conformance" / "javascript" / "serve.mjs"
    built(serve.parent / "node_modules" / "fflate" / "package.json", "npm ci --prefix conformance/javascript")
    subject = Process([installed("node"), str(serve), "--wrong", "checksums"])
    spoiled = [item.case.name for item in UNITS.values() if item.case.base == "spoiled"]
    result = run(subject, Order(only=tuple(spoiled[:LEAST])))
    assert [outcome.passed for outcome in result.outcomes] == [False] * LEAST


def test_each_can_be_run_by_its_name() -> None:
    subject: Any = entry_point("vizschema.conformance.wrong:roles_kept")
    assert subject.ask("hello", "hello")["name"] == "vizschema, but roles not taken off an axis name"


def test_what_does_not_apply_is_returned_as_it_is() -> None:
    case = next(case for case in CASES if case.name == "generator/absent")
    description = case.description("hdf5")
    again = complete(description["container"], dict(description["nodes"]), description["values"])
    assert again["axes"] == description["axes"]
    unchanged = [
        wrong.name
        for wrong in EVERY.values()
        if wrong.description is not None and wrong.description(description) is description
    ]
    assert {"absent_inner_left_out", "bfloat16_as_integer", "damage_as_fill", "no_stray"} <= set(unchanged)


def test_a_score_counts_units_cases_and_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [case for case in CASES if case.rule in ("generator", "axis-one-size")]
    kills = score(few, ["always_valid", "roles_kept", "write_always_refuses", "read_flags_as_integers"])
    assert kills["always_valid"].by_verdict == len(
        [u for u in kills["always_valid"].units if u.case.verdict == "invalid"]
    )
    assert len(kills["always_valid"].cases) < len(kills["always_valid"].units)
    assert kills["write_always_refuses"].cases
    text = paged(f"before {BEGIN} old {END} after", kills)
    assert text.startswith("before")
    assert text.endswith("after")
    assert "old" not in text
    assert "| writer | always refuses | `write_always_refuses` |" in text
    soon = score(few, ["always_valid"], enough=LEAST, first=[kills["always_valid"].units[-1].name])["always_valid"]
    assert (len(soon.cases), soon.whole) == (LEAST, False)
    assert soon.units[0].name == kills["always_valid"].units[-1].name
    assert "| 3 or more | yes |" in "\n".join(table({"always_valid": soon}))
    monkeypatch.setattr("vizschema.conformance.strength.implementations.FOLDER", tmp_path)
    (tmp_path / "1.0.0").mkdir()
    record(kills, "1.0.0")
    assert set(recorded("1.0.0")) == set(kills)
    record({"always_valid": soon}, "1.0.0")
    assert set(recorded("1.0.0")) == set(kills)  # those of others stay


def test_one_that_too_few_cases_kill_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"roles_kept": Kills([UNITS[unit] for unit in KILLERS["roles_kept"]][:2])}
    monkeypatch.setattr("vizschema.conformance.strength.implementations.score", lambda *_, **__: found)
    assert main(["conformance", "score", "--implementations"]) == 1
    assert "roles_kept: killed by 2 cases, expected 3 or more" in capsys.readouterr().err
    assert main(["conformance", "score", "--implementations", "--only", "nobody"]) == 2
    assert main(["conformance", "score", "--implementations", "--enough", "2"]) == 2
