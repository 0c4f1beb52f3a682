"""CONTRIBUTING: the commands that it names exist, and the fast ones select what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
PYTEST = ".venv/bin/python -m pytest "


def test_the_fast_subset_is_whole_folders_and_nothing_else() -> None:
    (command,) = (line for line in PAGE.splitlines() if "# in under a minute" in line)
    arguments = shlex.split(command.partition("#")[0].removeprefix(PYTEST))
    assert {"tests/ground", "tests/rules"} <= set(arguments)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-q", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    collected = set(re.findall(r"^(tests/\S+\.py): \d+$", result.stdout, re.MULTILINE))
    written = {path for folder in arguments for path in (ROOT / folder).glob("test_*.py")}
    assert collected == {path.relative_to(ROOT).as_posix() for path in written}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_files_and_modules_of_the_checkout(command: str) -> None:
    named = re.findall(r"(?:^|[ =])((?:tests|\.ci|conformance)/?[\w/.]*)", command)
    named += [
        module.replace("vizschema.", "").replace(".", "/") for module in re.findall(r"-m (vizschema[\w.]+)", command)
    ]
    assert all((ROOT / name).exists() or (ROOT / f"{name}.py").exists() for name in named if name != "conformance")
    if " -m '" in command:
        assert "packaging:" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_every_folder_of_tests_is_one_of_the_package_or_named() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    package = {path.name for path in (ROOT / "vizschema").iterdir() if path.is_dir()}
    named = set(re.findall(r"`(\w+)`", PAGE.partition("The folders of `tests/`")[2].partition("\n\n")[0]))
    assert folders - package <= named


def test_every_place_of_the_map_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Where to find things")[2].partition("\n## ")[0]
    places = re.findall(r"`([\w/.]+\.py)(?::(\w+))?`", table)
    assert len(places) >= 10
    for module, name in places:
        text = (ROOT / "vizschema" / module).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE) or not name, (module, name)
