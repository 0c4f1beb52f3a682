"""docs/security.md gives the limits that hold."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.bounds import Bounds
from vizschema.cli.arguments import MEMORY, TIMEOUT, duration, size
from vizschema.cli.main import main
from vizschema.containers.base import Limits
from vizschema.description import REASONS
from vizschema.worker import client, process, sandbox

TEXT = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
UNITS = {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}
ROW = re.compile(r"^\| `([a-z_]+)` \| ([0-9,]+) ?(s|KiB|MiB|) \|", re.MULTILINE)


def section(heading: str) -> str:
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def told() -> dict[str, int]:
    return {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in ROW.findall(section("Limits"))}


def test_every_limit_is_told_as_it_is() -> None:
    held: dict[str, Any] = {**asdict(Bounds()), **asdict(Limits())}
    assert told() == held


FORMAT_ROW = re.compile(
    r"^\| [^|]+ \| (`[a-z0-9_.]+\.[A-Z0-9_]+`(?:, `[^`]+`)*) \| ([0-9,]+) ?(KiB|MiB|) \|$", re.MULTILINE
)
PACKAGE = Path(vizschema.__file__).parent
SOURCES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}


def told_of_formats() -> dict[str, int]:
    """`module.CONSTANT` of each bound of a format, and its value as the document gives it."""
    return {
        name.strip(" `"): int(number.replace(",", "")) * UNITS[unit]
        for names, number, unit in FORMAT_ROW.findall(section("Limits"))
        for name in names.split(",")
    }


def value_of(bound: str) -> Any:
    """The value of `module.CONSTANT`, None where there is none."""
    module, _, name = bound.rpartition(".")
    return getattr(importlib.import_module(f"vizschema.{module}"), name, None)


def bounds_of(module: str) -> set[str]:
    """Constants that are numbers, and that a function which says `over-limit` uses: `module.CONSTANT` each."""
    found = set()
    for function in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        text = ast.dump(function) if isinstance(function, ast.FunctionDef) else ""
        if "'over-limit'" in text or "id='OverLimit'" in text:
            names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and node.id.isupper()}
            found |= {f"{module}.{name}" for name in names if type(value_of(f"{module}.{name}")) is int}
    return found


def test_every_bound_of_a_format_is_told_as_it_is() -> None:
    told_values = told_of_formats()
    assert told_values == {bound: value_of(bound) for bound in told_values}
    assert len(told_values) >= 14


NO_BOUNDS = {
    "containers.hdf5.texts.AT_ONCE",  # how many texts are read at once
    "containers.asdf.blocks.STEP",  # how much of a tree is read at once
    "containers.base._LONG",  # beyond it a document is checked in another way
    *(f"containers.zarr.directory.{name}" for name in ("READ", "ENTER")),  # flags of a file, of a folder
    "containers.zips.members.AHEAD",  # how much is read along with a header
    "containers.npz.npy.MAXIMUM",  # 2^63: what no size reaches
    "containers.zarr.metadata.MAXIMUM",
    "containers.safetensors.MAXIMUM",
    "containers.safetensors.LENGTH",  # of the number before a header
}
LIMITING = [module for module, path in SOURCES.items() if "over-limit" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("module", LIMITING)
def test_no_bound_goes_untold(module: str) -> None:
    assert bounds_of(module) <= told_of_formats().keys() | NO_BOUNDS


def test_a_bound_that_nobody_tells_is_seen() -> None:
    names = ("HEADER", "_DEPTH", "_RANK", "MAXIMUM")
    assert bounds_of("containers.npz.npy") == {f"containers.npz.npy.{name}" for name in names}


def test_the_options_have_the_defaults_of_the_bounds() -> None:
    assert (size(MEMORY), duration(TIMEOUT)) == (Bounds().memory, Bounds().seconds)


@pytest.mark.parametrize(
    "words",
    [
        f"{process.ALLOWANCE >> 20} MiB for interpreter",
        f"`RLIMIT_NOFILE` {sandbox.OPEN_FILES}",
        {3: "up to three times"}[client.RESTARTS],
        *(f"`{reason}`" for reason in ("over-limit", "crashed") if reason in REASONS),
    ],
)
def test_what_is_told_in_words_is_so(words: str) -> None:
    assert words in " ".join(TEXT.split())


@pytest.mark.parametrize("command", ["validate", "describe"])
def test_the_options_are_those_of_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--trust", "--memory", "--timeout"))


def test_every_test_that_is_named_is_there() -> None:
    tests = Path(__file__).parents[1]
    named = re.findall(r"`tests/([a-z]+/test_[a-z_]+\.py)`", TEXT)
    assert len(named) >= 3
    assert all((tests / name).is_file() for name in named)
