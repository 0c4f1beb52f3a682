"""What a user types: dry runs, files of answers, and questions on a terminal and off it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vizschema.cli.main import main
from vizschema.conformance.migrations.layouts import LAYOUTS, zarr_v2


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return LAYOUTS["issue39"].write(tmp_path)


def typed(old: Path, *more: str) -> int:
    return main(["migrate", str(old), str(old.parent / "new.zarr"), *more])


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed on a terminal, line by line; then the input ends."""
    lines: list[str] = []
    typing: Iterator[str] = iter(lines)

    def read(prompt: str) -> str:
        print(prompt)
        try:
            return next(typing)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr("vizschema.cli.migration.is_terminal", lambda: True)
    return lines


def test_a_dry_run_shows_the_plan_then_the_questions_with_exit_code_2(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(old, "--dry-run") == 2
    lines = capsys.readouterr().out.splitlines()
    assert "/structure/atom_mask: /outputs/atom_mask ['residue', 'atom']" in lines
    assert "measured: normalization:/attention/triangle_start = softmax" in lines
    questions = lines[lines.index("open questions; add to the command:") + 1 :]
    assert [line.split("'")[1].partition("=")[0] for line in questions[:-1]] == ["source", "anchor", "model_name"]
    assert questions[-1] == "mapping issue39; nothing was written (--dry-run)"
    assert [path.name for path in old.parent.iterdir()] == ["old.zarr"]


def test_a_dry_run_shows_what_no_rule_is_about_with_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {"inputs/images": np.ones((2, 1, 4, 4), "float32"), "outputs/predictions": np.array([1, 2])}
    arrays = {**images, "activations/conv1": np.ones((2, 3, 2, 2), "float32"), "extra/mask": np.ones(3)}
    assert typed(zarr_v2(tmp_path / "old.zarr", arrays), "--dry-run") == 1
    out = capsys.readouterr().out
    assert (
        "no rule: /extra/mask: no rule of the mapping is about it; drop it with --set 'lose:/extra/mask=REASON'" in out
    )
    assert "  --set 'model_name=TEXT'  # the archive names no model\n" in out


def test_answers_in_a_table_are_for_the_places_that_it_names(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = old.parent / "answers.toml"
    file.write_text('model_name = "net"\nanchor = 3\n[source]\n"/attention/triangle_start" = "proxy"\n')
    assert typed(old, "--answers", str(file), "--dry-run") == 0
    assert "open questions" not in capsys.readouterr().out
    file.write_text('model_name = "net"\nanchor = 3\n[source]\n"/attention/other" = "proxy"\n')
    assert typed(old, "--answers", str(file)) == 2
    assert "--set 'source=" in capsys.readouterr().out


def test_an_answer_that_nothing_asked_for_is_named(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = ["--set", "model_name=net", "--set", "source=captured", "--set", "anchor=mean"]
    lose = ["--set", "lose:/structure/ptm=wrong"]
    assert typed(old, *answers, *lose, "--set", "source:/attention/other=proxy", "--set", "lose:/other=x") == 0
    assert sorted(line for line in capsys.readouterr().out.splitlines() if line.startswith("not used")) == [
        "not used: lose:/other = x",
        "not used: source:/attention/other = proxy",
    ]


def test_on_a_terminal_each_question_is_asked_until_the_answer_is_one(
    old: Path, keyboard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    keyboard += ["guessed", "captured", "", "here", "mean", "net"]
    assert typed(old) == 0
    asked = [line for line in capsys.readouterr().out.splitlines() if line.endswith(": ")]
    assert [line.partition(":")[0] for line in asked] == [
        "source",
        "source",
        "anchor",
        "anchor",
        "anchor",
        "model_name",
    ]


def test_where_the_input_ends_the_questions_are_listed(
    old: Path, keyboard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    keyboard += ["captured"]
    assert typed(old) == 2
    assert "3 answers are missing; add to the command:\n" in capsys.readouterr().out
    assert [path.name for path in old.parent.iterdir()] == ["old.zarr"]
