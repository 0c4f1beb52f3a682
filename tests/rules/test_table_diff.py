"""`spec diff` of tables: every change of a row, a size or a rule is one difference, with the step that it makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vizschema.cli.main import main
from vizschema.rules import versions
from vizschema.rules.diff import Change, compare, side

TABLE = """
profile = "own"
sizes = {xyz = 3}
[nodes]
"/inputs/token" = {axes = "token", dtype = "integers", need = "yes", below = "vocabulary"}
"/activations/x" = {axes = "token hidden", dtype = "float32", range = [0, 1]}
"/outputs/logits" = {axes = "token vocabulary", dtype = "floats", need = "recommended"}
"/outputs/position" = {axes = "token xyz", dtype = "floats"}
[rules.small]
judges = {range = "/activations/x"}
level = "should"
title = "Activations are small."
"""


def changes(folder: Path, *edits: tuple[str, str]) -> list[Change]:
    """What differs between the table and the same after `edits`."""
    after = TABLE
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    versions.clear()
    for name, text in (("old.toml", TABLE), ("new.toml", after)):
        (folder / name).write_text(text, encoding="utf-8")
    return compare(side(str(folder / "old.toml")), side(str(folder / "new.toml")))


def test_a_table_does_not_differ_from_itself_nor_where_it_is_written_in_another_way(tmp_path: Path) -> None:
    assert changes(tmp_path) == []
    turned = '"/outputs/logits" = {need = "recommended", dtype = "floats", axes = "token vocabulary"}'
    assert (
        changes(
            tmp_path,
            ('"/outputs/logits" = {axes = "token vocabulary", dtype = "floats", need = "recommended"}', turned),
        )
        == []
    )


@pytest.mark.parametrize(
    ("old", "new", "kind", "subject", "step"),
    [
        (
            "[rules.small]",
            '"/outputs/z" = {axes = "token", dtype = "floats"}\n[rules.small]',
            "loosened",
            "own-known-nodes",
            "minor",
        ),
        (
            "[rules.small]",
            '"/outputs/z" = {axes = "token", dtype = "floats", need = "yes"}\n[rules.small]',
            "added",
            "own-nodes",
            "major",
        ),
        ('need = "yes", ', "", "loosened", "own-nodes", "minor"),
        ('need = "recommended"', 'need = "yes"', "tightened", "own-nodes", "major"),
        ('"token hidden"', '["token hidden", "sample token hidden"]', "loosened", "own-axes", "minor"),
        ('"token hidden"', '"hidden token"', "tightened", "own-axes", "major"),
        ('need = "yes"', 'need = "unless declared"', "loosened", "own-nodes", "minor"),
        ("range = [0, 1]", 'range = [0, 1], scopes = {token = "/activations"}', "tightened", "own-scopes", "major"),
        ("range = [0, 1]", 'range = [0, 1], view = "image"', "reworded", "own", "patch"),
        ('"float32"', '"float32 float64"', "loosened", "own-dtypes", "minor"),
        ('"float32"', '"float64"', "tightened", "own-dtypes", "major"),
        (', below = "vocabulary"', "", "loosened", "own-values", "minor"),
        ('below = "vocabulary"', 'below = "token"', "tightened", "own-values", "major"),
        ("[0, 1]", "[0, 2]", "loosened", "small", "minor"),
        ("[0, 1]", "[0.5, 1]", "tightened", "small", "minor"),
        ("xyz = 3", "xyz = 2", "tightened", "own-sizes", "major"),
        ('level = "should"\n', "", "tightened", "small", "major"),
        ("are small.", "are small numbers.", "reworded", "small", "patch"),
    ],
)
def test_a_change_makes_its_step(old: str, new: str, kind: str, subject: str, step: str, tmp_path: Path) -> None:
    found = [each for each in changes(tmp_path, (old, new)) if each.step != "patch" or kind == "reworded"]
    assert (kind, subject, step) in {(each.kind, each.subject, each.step) for each in found}
    assert {each.step for each in found} == {step}


def test_a_part_that_is_gone_is_a_major_step(tmp_path: Path) -> None:
    found = changes(
        tmp_path,
        ('profile = "own"', 'profile = "own"\nparts = ["classifier"]'),
        ('"/outputs/logits"', '"/outputs/own"'),
    )
    assert ("added", "part classifier", "its rows and rules", "major") in map(as_tuple, found)


def test_a_node_that_is_gone_may_not_be_there(tmp_path: Path) -> None:
    found = changes(tmp_path, ('"/activations/x" =', '"/activations/y" ='), ('"/activations/x"}', '"/activations/y"}'))
    assert ("tightened", "own-known-nodes", "/activations/x may not be there", "major") in {
        each[:4] for each in map(as_tuple, found)
    }
    assert ("loosened", "own-known-nodes", "/activations/y may be there", "minor") in {
        each[:4] for each in map(as_tuple, found)
    }


def as_tuple(change: Change) -> tuple[str, str, str, str]:
    return change.kind, change.subject, change.detail, change.step


def test_a_check_that_another_rule_judges_is_a_major_step(tmp_path: Path) -> None:
    found = changes(tmp_path, ("[rules.small]", "[rules.little]"))
    assert ("dropped", "small", "range of /activations/x is judged by little", "major") in map(as_tuple, found)


def test_a_version_with_one_more_row_is_a_minor_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(versions.default().folder, tmp_path / "1.1.0"))
    table = copy / "vit" / "table.toml"
    row = '"/activations/pooled" = {axes = "sample hidden", dtype = "floats"}\n\n[rules.vit-known-nodes]'
    table.write_text(table.read_text("utf-8").replace("[rules.vit-known-nodes]", row), "utf-8")
    assert main(["spec", "diff", versions.default().version, str(copy)]) == 0
    assert "1 difference: a minor step" in capsys.readouterr().out
