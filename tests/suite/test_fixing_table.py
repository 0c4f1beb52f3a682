"""The tables of `docs/fix.md`: they name what the table of fixes says, and some of their rows are made again here."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from vizschema.conformance.corpus.cases import Case
from vizschema.conformance.corpus.fixing import FIXED, LEFT, broken, fixes, outcome, rows, rules, written
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
