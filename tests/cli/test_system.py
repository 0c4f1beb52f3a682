"""What the system does around a command: full disks, closed streams, long names, Ctrl-C; and words in any order."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vizschema.cli.main import _interruptible, main
from vizschema.conformance.examples import write_example

LONG = "x" * 300


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_example("trace", "run.zarr")
    return "run.zarr"


WRITING = [
    ["convert", "run.zarr", f"{LONG}.zarr"],
    ["example", "trace", f"{LONG}.zarr"],
    ["fix", "old.zarr", f"{LONG}.zarr"],
    ["join", "run.zarr", "run.zarr", "--axis", "prompt", "--out", f"{LONG}.zarr"],
    ["profile", "infer", "run.zarr", "--out", f"{LONG}.toml"],
    ["validate", "run.zarr", "--report", f"json:{LONG}.json"],
    ["validate", "run.zarr", "--write-baseline", f"{LONG}.json"],
    ["pin", "--file", f"{LONG}.toml"],
    ["spec", "export", LONG],
    ["conformance", "export", LONG],
]


@pytest.mark.parametrize("arguments", WRITING, ids=lambda each: " ".join(each[:2]))
def test_what_cannot_be_written_is_wrong_usage_with_a_fix(
    arguments: list[str], archive: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import zarr

    write_example("trace", "old.zarr")
    zarr.open_group("old.zarr").attrs["created_at"] = "2026-11-21 09:00:00+00:00"
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "File name too long; choose a shorter name" in said
    assert "internal error" not in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["validate", "run.zarr"], ["describe", "run.zarr"], ["completion", "bash"]])
def test_a_full_disk_behind_standard_output_is_wrong_usage(command: list[str], unbuffered: str, archive: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vizschema", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("vizschema: standard output: cannot be written: No space left on device; make space")


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0)])
def test_a_stream_that_is_closed_decides_nothing(closed: str, code: int, archive: str) -> None:
    command = f"'{sys.executable}' -m vizschema validate run.zarr {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_source_that_may_not_be_read_is_no_archive(
    archive: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(folder: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("vizschema.sources.folder._is_zarr", denied)
    assert main(["migrate", "run.zarr", "new.zarr", "--trust"]) == 3
    assert capsys.readouterr().err == "vizschema: run.zarr: Permission denied; give this user the right to read it\n"


def test_ctrl_c_within_an_import_waits_for_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_module.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    imported = []

    def work() -> None:
        imported.append(importlib.import_module("slow_module").whole)
        time.sleep(60)

    with pytest.raises(KeyboardInterrupt), _interruptible():
        work()
    assert imported == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


ORDERS = [
    ["show", "run.zarr", "--memory", "64M", "/activations"],
    ["show", "--memory", "64M", "run.zarr", "/activations"],
    ["show", "run.zarr", "/activations", "--memory=64M"],
    ["show", "--memory", "64M", "--", "run.zarr", "/activations"],
    ["show", "run.zarr", "--", "/activations"],
]


@pytest.mark.parametrize("arguments", ORDERS, ids=" ".join)
def test_an_option_may_lie_between_words(
    arguments: list[str], archive: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("run.zarr /activations")


def test_an_option_without_its_value_takes_no_word(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", archive, "--spec"]) == 2
    assert "argument --spec: expected one argument" in capsys.readouterr().err


def test_a_number_is_asked_for_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "faults", "--every", "x"]) == 2
    assert "argument --every: expected a whole number, found 'x'" in capsys.readouterr().err


def test_each_problem_of_a_refusal_is_a_line(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(archive) / "activations" / "zarr.json").write_text("{")
    assert main(["join", archive, archive, "--axis", "prompt", "--out", "joined.zarr"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("vizschema: run.zarr: nothing was written")
    assert second.startswith("vizschema:   /activations: ")
