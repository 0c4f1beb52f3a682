"""The tables of `docs/fix.md`: they name what the table of fixes says, and some of their rows are made again here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.conformance.corpus.cases import Case
from vizschema.conformance.corpus.fixing import FIXED, LEFT, broken, fixes, outcome, rows, rules, untrue, written
from vizschema.rules import versions

PAGE = (Path(__file__).resolve().parents[2] / "docs/fix.md").read_text(encoding="utf-8")
CASES = [case for spec in versions.versions() for case in broken(spec)]
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (\d+|–) \| (\d+|–) \| ", re.MULTILINE)


def test_the_table_of_fixes_is_that_of_the_specification() -> None:
    assert written(PAGE, "fixes", fixes()) == PAGE


def test_the_table_of_rules_has_every_rule_and_counts_every_case() -> None:
    found = {rule: (cases, fixed) for rule, cases, fixed in ROW.findall(PAGE)}
    assert list(found) == rules()
    counted = Counter(case.rule for case in CASES if case.rule in found)  # some are not archives at all
    assert {rule: int(cases) for rule, (cases, _) in found.items() if cases != "–"} == counted
    assert all(fixed == "–" or int(fixed) <= counted[rule] for rule, (_, fixed) in found.items())


def test_the_words_of_the_table_of_rules_are_those_of_the_specification() -> None:
    numbers = {
        rule: Counter({FIXED: int(fixed.replace("–", "0")), LEFT: int(cases) - int(fixed.replace("–", "0"))})
        for rule, cases, fixed in ROW.findall(PAGE)
        if cases != "–"
    }
    assert written(PAGE, "rules", rows(numbers)) == PAGE


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("index-width", FIXED),
        ("chunk-minimum", FIXED),
        ("attribute-name", FIXED),
        ("generator", LEFT),
        ("finite", LEFT),
    ],
)
def test_a_case_of_the_table_is_as_it_says(rule: str, expected: str, tmp_path: Path) -> None:
    case: Case = next(case for case in CASES if case.rule == rule)
    assert outcome(case, tmp_path, case.containers[0]) == expected


SAMPLE = ("index-width", "chunk-minimum", "attribute-name", "generator", "finite", "series-dtype")


@pytest.mark.parametrize("rule", SAMPLE)
def test_what_a_report_says_of_fix_is_true(rule: str, tmp_path: Path) -> None:
    case: Case = next(case for case in CASES if case.rule == rule)
    assert untrue(case, tmp_path, case.containers[-1]) == []


def test_a_report_that_says_of_fix_what_is_untrue_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = vizschema.validate
    other = {"yes": "no", "no": "yes", "maybe": "maybe"}

    def lying(path: Path, **options: Any) -> vizschema.Report:
        report = plain(path, **options)
        return replace(report, findings=tuple(replace(each, fixable=other[each.fixable]) for each in report.findings))

    monkeypatch.setattr(vizschema, "validate", lying)
    for number, (rule, said) in enumerate((("index-width", "no"), ("generator", "yes"))):
        case: Case = next(case for case in CASES if case.rule == rule)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert any(line.endswith(f"says {said}") for line in untrue(case, folder, case.containers[0]))
