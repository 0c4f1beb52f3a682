"""The tables of the specification: what is committed is built from them, and every slip in them shows."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.strength.slips import TABLES as TABLES_OF_PROFILES
from vizschema.conformance.strength.slips import Witnesses, slips, toml, unnoticed
from vizschema.rules import versions
from vizschema.rules.profiles import table_at, words_of
from vizschema.rules.tables.build import texts
from vizschema.rules.tables.layout import laid_out
from vizschema.rules.tables.prose import lines_of

SPEC = versions.default()
TABLES = sorted(SPEC.folder.rglob("table.toml"))


class TestWhatIsCommitted:
    @pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
    def test_is_what_its_table_builds(self, path: Path) -> None:
        for name, text in texts(versions.built_at(path.parent, SPEC.version)).items():
            assert (path.parent / name).read_text(encoding="utf-8") == text, name

    def test_is_built_from_a_table_but_for_trace(self) -> None:
        assert {path.parent.name for path in TABLES} == {"mnist", "vit", "openfold", "classifier"}

    def test_is_shorter_as_tables(self) -> None:
        sources = [*TABLES, *SPEC.folder.rglob("also.json")]
        assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources) <= 350

    def test_a_rule_of_a_part_names_the_part(self) -> None:
        rules = SPEC.profile("vit").rules
        assert rules["labels-within-classes"].profile == "classifier"
        assert rules["embedding-present"].profile == "vit"


class TestSlips:
    """Each row, column, name and number of a table dropped or misspelt: refused, in other words, or another finding."""

    @pytest.mark.parametrize(
        ("table", "every"),
        list(zip(TABLES_OF_PROFILES, (2, 2, 2, 17, 61), strict=True)),
        ids=lambda value: value[2] or value[1] if isinstance(value, tuple) else None,
    )
    def test_every_slip_is_noticed(self, table: tuple[str, str, str | None], every: int, tmp_path: Path) -> None:
        made, missed = unnoticed(*table, tmp_path, every)
        assert made > 15
        assert missed == []

    def test_a_table_without_a_slip_is_not_noticed(self, tmp_path: Path) -> None:
        witnesses = Witnesses(SPEC.version, "mnist", corpus(SPEC.version), tmp_path)
        table = tomllib.loads((SPEC.folder / "mnist" / "table.toml").read_text(encoding="utf-8"))
        assert tomllib.loads(toml(table)) == table
        assert witnesses.notice(next(slips(table))._replace(table=table)) is None


@pytest.mark.parametrize("profile", ["mnist", "vit", "openfold"])
def test_the_prose_has_the_table_of_a_profile(profile: str) -> None:
    prose = (SPEC.folder / "spec.md").read_text(encoding="utf-8")
    section = prose.partition(f"\n## The profile {profile}\n")[2].partition("\n## ")[0]
    said = [line for line in section.splitlines() if line.startswith("|")]
    assert said == lines_of(table_at(SPEC.folder / profile, SPEC.version), words_of(SPEC.version))


@pytest.mark.parametrize("level", ["must", "should"])
def test_schemas_by_hand_are_laid_out_as_those_that_are_built(level: str) -> None:
    text = (SPEC.folder / "trace" / f"{level}.schema.json").read_text(encoding="utf-8")
    assert text == laid_out(json.loads(text))
