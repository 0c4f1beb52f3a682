"""docs/security.md gives the limits that hold."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from vizschema import isolated, isolation, sandbox
from vizschema.cli import main
from vizschema.containers import hdf5_attributes, npy, zarr_metadata
from vizschema.containers.base import Limits
from vizschema.description import REASONS
from vizschema.isolation import Bounds
from vizschema.reading import MEMORY, TIMEOUT, duration, size

TEXT = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
UNITS = {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}
ROW = re.compile(r"^\| `([a-z_]+)` \| ([0-9,]+) ?(s|KiB|MiB|) \|", re.MULTILINE)


def section(heading: str) -> str:
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def told() -> dict[str, int]:
    return {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in ROW.findall(section("Limits"))}


def test_every_limit_is_told_as_it_is() -> None:
    held: dict[str, Any] = {**asdict(Bounds()), **asdict(Limits())}
    assert told() == held


def test_the_options_have_the_defaults_of_the_bounds() -> None:
    assert (size(MEMORY), duration(TIMEOUT)) == (Bounds().memory, Bounds().seconds)


@pytest.mark.parametrize(
    "words",
    [
        f"{isolation.ALLOWANCE >> 20} MiB for interpreter",
        f"`RLIMIT_NOFILE` {sandbox.OPEN_FILES}",
        f"{hdf5_attributes.ATTRIBUTES:,} attributes of an HDF5 object",
        f"{npy.HEADER >> 10} KiB of a `.npy` header",
        f"{zarr_metadata.RANK} dimensions",
        {3: "up to three times"}[isolated.RESTARTS],
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
    tests = Path(__file__).parent
    named = re.findall(r"`tests/(test_[a-z_]+\.py)`", TEXT)
    assert len(named) >= 3
    assert all((tests / name).is_file() for name in named)
