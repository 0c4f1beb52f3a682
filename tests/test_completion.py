"""Completion: the scripts offer what the parser knows, in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from vizschema.cli import main
from vizschema.completion import SHELLS, script, words_of
from vizschema.parser import whole_parser

WORDS = words_of(whole_parser())


def test_every_command_and_option_is_offered() -> None:
    assert {"validate", "spec", "pin", "--version"} <= set(WORDS[""])
    assert {"list", "show", "diff", "export"} <= set(WORDS["spec"])
    assert {"--format", "--strict", "--no-values"} <= set(WORDS["validate"])
    assert set(SHELLS) <= set(WORDS["completion"])


@pytest.mark.parametrize("shell", SHELLS)
def test_every_word_is_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(word.removeprefix("--") in out for following in WORDS.values() for word in following)


@pytest.mark.parametrize(
    ("typed", "expected", "absent"),
    [
        (["vali"], {"validate"}, {"spec"}),
        (["spec", ""], {"list", "show", "diff", "export"}, {"validate"}),
        (["validate", "a.zarr", "--no-"], {"--no-values", "--no-config", "--no-timestamp"}, {"--strict"}),
        (["spec", "show", "--"], {"--help"}, {"--strict"}),
    ],
)
def test_bash_completes(typed: list[str], expected: set[str], absent: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in ("vizschema", *typed))
    asked = f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}"
    program = f'{script("bash", whole_parser())}\n{asked}; _vizschema; echo "${{COMPREPLY[@]}}"'
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert result.stderr == ""
    offered = set(result.stdout.split())
    assert expected <= offered
    assert not absent & offered


@pytest.mark.parametrize(("shell", "option"), [("zsh", "-n"), ("fish", "-n"), ("bash", "-n")])
def test_the_shell_reads_the_script(shell: str, option: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here (2026-11-21)")
    result = subprocess.run([shell, option], input=script(shell, whole_parser()), capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
