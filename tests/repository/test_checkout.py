"""A checkout: all of it works from its folder, by the package that stands there, whatever is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
"""Where the dependencies are; without the `.pth` files that make an editable install."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with vizschema as a wheel installs it."""
    folder = tmp_path_factory.mktemp("installed")
    left_out = shutil.ignore_patterns("__pycache__", "cases", "data")
    shutil.copytree(ROOT / "vizschema", folder / "vizschema", ignore=left_out)
    for part in ("spec", "conformance"):
        shutil.copytree(ROOT / part, folder / "vizschema" / part, ignore=left_out)
    return folder


def python(program: str, *places: object, cwd: Path) -> str:
    """What a program printed that finds modules in the working directory, `places` and the libraries alone."""
    start = f"import sys; sys.path[:0] = ['']; sys.path += {[*map(str, places), *LIBRARIES]!r}; {program}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [sys.executable, "-S", "-c", start]
    result = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


VALIDATES = "import vizschema; print(vizschema.__file__, vizschema.validate('x').error)"
EXAMPLE = (
    "from vizschema.conformance.examples import write_example; import tempfile, vizschema; "
    "path = tempfile.mkdtemp() + '/a.zarr'; write_example('trace', path); "
    "print(vizschema.validate(path, isolated=True).conforms)"
)


def test_a_checkout_works_where_nothing_is_installed() -> None:
    assert python(VALIDATES, cwd=ROOT) == f"{ROOT}/vizschema/__init__.py x: no such file or folder\n"
    assert python(EXAMPLE, cwd=ROOT) == "True\n"


def test_a_checkout_works_where_a_copy_is_installed(installed: Path) -> None:
    assert python(VALIDATES, installed, cwd=ROOT) == f"{ROOT}/vizschema/__init__.py x: no such file or folder\n"
    assert python(EXAMPLE, installed, cwd=ROOT) == "True\n"


def test_an_installed_copy_takes_no_part_from_a_folder_beside_it(installed: Path, tmp_path: Path) -> None:
    program = "import vizschema.spec, vizschema.conformance; print(len(vizschema.__path__), vizschema.spec.__file__)"
    assert python(program, installed, cwd=tmp_path) == f"1 {installed}/vizschema/spec/__init__.py\n"


def test_a_benchmark_starts_processes_that_do_not_look_into_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "vizschema.py").write_text("raise SystemExit('the module of the working directory')")
    command = [sys.executable, "-P", "-m", "vizschema", "benchmark", "metadata", "--arrays", "20", "--repeats", "1"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
