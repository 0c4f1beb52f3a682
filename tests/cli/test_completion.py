"""Completion: the scripts offer what the parser knows, in the shells that are here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.needed import installed

from vizschema.cli.completion import SHELLS, script, words_of
from vizschema.cli.main import main
from vizschema.cli.parser import whole_parser

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


CASES = [
    ("vali", {"validate"}, {"spec"}),
    ("spec ", {"list", "show", "diff", "export"}, {"validate"}),
    ("validate a.zarr --no-", {"--no-values", "--no-config", "--no-timestamp"}, {"--strict"}),
    ("validate a.zarr --format ", {"text", "sarif"}, {"--strict"}),
    ("spec show --", {"--help"}, {"--strict"}),
]


def check(offered: str, expected: set[str], absent: set[str]) -> None:
    found = set(offered.split())
    assert expected <= found
    assert not absent & found


@pytest.mark.parametrize(("typed", "expected", "absent"), CASES)
def test_bash_completes(typed: str, expected: set[str], absent: set[str]) -> None:
    typed_words = f"vizschema {typed}".split(" ")
    words = " ".join(f"'{word}'" for word in typed_words)
    asked = f"COMP_WORDS=({words}); COMP_CWORD={len(typed_words) - 1}"
    program = f'{script("bash", whole_parser())}\n{asked}; _vizschema; echo "${{COMPREPLY[@]}}"'
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert result.stderr == ""
    check(result.stdout, expected, absent)


@pytest.mark.parametrize(("typed", "expected", "absent"), CASES)
def test_fish_completes(tmp_path: Path, typed: str, expected: set[str], absent: set[str]) -> None:
    installed("fish")
    file = tmp_path / "vizschema.fish"
    file.write_text(script("fish", whole_parser()))
    program = f"source {file}; complete -C 'vizschema {typed}'"
    result = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.stderr == ""
    check(result.stdout, expected, absent)


ZSH = """
zmodload zsh/zpty
drain() {{ local out all=; while zpty -rt shell out; do all+=$out; done; print -r -- "$all" }}
zpty shell 'zsh -f -i'
zpty -w shell 'PS1=; stty columns 200; {load}; print loa""ded'
for i in {{1..100}}; do all+=$(drain); [[ "$all" == *loaded* ]] && break; sleep 0.1; done
sleep 1  # until it reads keys
for typed in {typed}; do
  zpty -w -n shell "vizschema $typed"$'\t'
  sleep 0.5
  all=
  for i in {{1..20}}; do new=$(drain); all+=$new; [[ -z "$new" && -n "$all" ]] && break; sleep 0.3; done
  print "=== $all"
  zpty -w -n shell $'\x15'  # clears the line
  sleep 0.1
  drain > /dev/null
done
zpty -d shell
"""


@pytest.mark.parametrize("sourced", [True, False], ids=["sourced", "autoloaded"])
def test_zsh_completes(tmp_path: Path, sourced: bool) -> None:
    installed("zsh")
    (tmp_path / "_vizschema").write_text(script("zsh", whole_parser()))
    compinit = f"autoload -Uz compinit; compinit -u -d {tmp_path}/dump"
    load = f"{compinit}; source {tmp_path}/_vizschema" if sourced else f"fpath=({tmp_path} $fpath); {compinit}"
    program = ZSH.format(load=load, typed=" ".join(f"'{typed}'" for typed, _, _ in CASES))
    result = subprocess.run(["zsh", "-f", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.stderr == ""
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\a", "", result.stdout).replace("\r", " ").split("=== ")[1:]
    for offered, (_, expected, absent) in zip(shown, CASES, strict=True):
        check(offered, expected, absent)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_the_script(shell: str) -> None:
    installed(shell)
    result = subprocess.run([shell, "-n"], input=script(shell, whole_parser()), capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
