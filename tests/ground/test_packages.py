"""A package that is not installed is wrong usage: the message names it, and how to install it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import vizschema
from vizschema import errors
from vizschema.cli.main import main


@pytest.mark.parametrize(
    ("packages", "fix"),
    [
        (("torch",), "install the extra `torch` (in a copy of the repository: pip install '.[torch]')"),
        (("torch", "transformers"), "pip install '.[models]'"),
        (("distributed",), "pip install '.[dask]'"),
        (("xarray",), "none; pip install xarray"),
    ],
)
def test_the_smallest_extra_that_has_the_packages_is_named(packages: tuple[str, ...], fix: str) -> None:
    found = errors.missing("record", packages)
    assert found.exit_code == 2
    assert str(found).startswith(
        f"record: expected the package{'s' if len(packages) > 1 else ''} {', '.join(packages)}"
    )
    assert fix in str(found)


def test_what_is_installed_is_not_missed() -> None:
    errors.require("record", "numpy", "zarr")
    with pytest.raises(vizschema.UsageError, match="the package no_such_package, found none"):
        errors.require("record", "numpy", "no_such_package")


def test_an_import_of_a_command_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(_: object) -> int:
        raise ModuleNotFoundError("No module named 'jsonschema'", name="jsonschema.validators")

    monkeypatch.setattr("vizschema.conformance.harness.command.main", lacking)
    monkeypatch.setattr(errors, "_is_installed", lambda _: False)
    assert main(["conformance", "engines"]) == 2
    assert capsys.readouterr().err == "vizschema: expected the package jsonschema, found none; pip install jsonschema\n"


def test_a_module_of_vizschema_that_is_not_there_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(_: object) -> int:
        raise ModuleNotFoundError("No module named 'vizschema.nothing'", name="vizschema.nothing")

    monkeypatch.setattr("vizschema.conformance.harness.command.main", lacking)
    assert main(["conformance", "engines"]) == 70
    assert "internal error: ModuleNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "expected"), [(2, 2), (4, 4), (1, 70), (-9, 70)])
def test_a_process_of_a_benchmark_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, expected: int
) -> None:
    def failing(_: object) -> int:
        raise subprocess.CalledProcessError(code, ["python"], stderr="first\nvizschema: install it\n\n")

    monkeypatch.setattr("vizschema.conformance.benchmarks.engine.link.main", failing)
    assert main(["benchmark", "link"]) == expected
    assert capsys.readouterr().err == "vizschema: benchmark link: install it\n"


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed here")
def test_recording_without_torch_is_wrong_usage(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "vizschema", "benchmark", "record", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("vizschema: benchmark record: expected the packages torch, transformers, found none;")
    with pytest.raises(vizschema.UsageError, match=r"^record: expected the package torch"):
        vizschema.record(object(), tmp_path / "run.zarr").__enter__()
    with pytest.raises(vizschema.UsageError, match=r"^model: expected the package torch"):
        vizschema.from_outputs({}, tmp_path / "run.zarr", model=object())
