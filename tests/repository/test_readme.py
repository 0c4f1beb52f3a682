"""What the README shows is what happens: its commands are run, and their output compared."""

from __future__ import annotations

import os
import re
import runpy
import shlex
from pathlib import Path

import pytest
from support.shown import shows

from vizschema.cli.main import main

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The contents of the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_an_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    assert shows("a\n…\nz\n", "a\nb\nc\nz")
    assert not shows("a\n…\nz\n", "a\nb\ny")
    assert not shows("a", "a b")


def test_every_command_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = blocks("console")
    assert len(shown) >= 5
    for block in shown:
        command, _, expected = block.partition("\n")
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "vizschema"
        assert main(arguments) in (0, 1)
        output = capsys.readouterr().out
        assert shows(expected, output), f"{command}\n{output}"


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 2
    for example in blocks("python"):
        (tmp_path / "example.py").write_text(example, encoding="utf-8")
        runpy.run_path(os.fspath(tmp_path / "example.py"))
    out = capsys.readouterr().out
    assert out.startswith("conforms\n")
    assert "recommended-metadata /metadata: expected the attribute dataset, found none" in out
    assert "('sample', 'token', 'hidden')" in out


def test_the_exit_codes_are_those_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate", "--help"])
    told = set(re.findall(r"^  (\d+) ", capsys.readouterr().out, re.MULTILINE))
    table = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    assert told == table == {"0", "1", "2", "3", "4", "70"}
