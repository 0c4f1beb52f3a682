"""What a user installs: the wheel and an editable install, each in an empty environment, outside the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "vizschema", "spec", "conformance")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}


def call(*command: object, cwd: Path) -> str:
    """What the command printed; it has to succeed."""
    result = subprocess.run([str(part) for part in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}:\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that building leaves nothing in the checkout, nor takes anything stale from it."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, sources, cwd=folder)
    return next(folder.glob("*.whl"))


def installed(folder: Path, *what: object) -> Path:
    """The folder with the programs of a new environment, into which `what` was installed and nothing else."""
    call(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    call(programs / "python", "-m", "pip", "install", "--quiet", *what, cwd=folder)
    return programs


def works(programs: Path, elsewhere: Path) -> None:
    """Whether a user gets what the README promises, from another folder."""
    elsewhere.mkdir()
    assert "All of this went as it should." in call(programs / "vizschema", "demo", cwd=elsewhere)
    assert call(programs / "vizschema", "spec", "list", cwd=elsewhere).startswith("1.0.0  sha256 ")
    assert call(programs / "python", "-m", "vizschema", "--version", cwd=elsewhere).startswith("vizschema ")
    call(programs / "python", "-c", "import vizschema.conformance, vizschema.conformance.examples", cwd=elsewhere)
    schema = "from vizschema.rules import versions; assert (versions.root() / 'report.schema.json').is_file()"
    call(programs / "python", "-c", schema, cwd=elsewhere)
    assert not list(elsewhere.iterdir())


def test_the_wheel_holds_everything_and_works(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = {path.relative_to(ROOT) for folder in ("spec", "conformance") for path in (ROOT / folder).rglob("*")}
    data |= {path.relative_to(ROOT / "vizschema") for path in (ROOT / "vizschema").rglob("*")}
    wanted = {f"vizschema/{path.as_posix()}" for path in data if path.suffix in (".py", ".json", ".md", ".typed")}
    checkouts = ("vizschema/conformance/benchmarks/engine/", "vizschema/conformance/javascript/", "vizschema/page/")
    built = "vizschema/page/built/"  # the page itself, which is made of what a checkout has
    only_checkouts = {name for name in wanted if name.startswith(checkouts) and not name.startswith(built)}
    assert wanted - names == only_checkouts != set()
    assert any(name.endswith("LICENSE") for name in names)
    assert not any("tests" in name for name in names)
    works(installed(tmp_path, wheel), tmp_path / "elsewhere")


def test_an_editable_install_works(sources: Path, tmp_path: Path) -> None:
    works(installed(tmp_path, "--editable", sources), tmp_path / "elsewhere")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_readme_runs_as_it_stands_in_a_fresh_checkout(sources: Path) -> None:
    (install,) = blocks("README.md", "sh")
    assert blocks("docs/index.md", "sh") == [install]
    example, *_ = blocks("README.md", "python")
    lines = [
        *install.splitlines(),
        *(block.partition("\n")[0].removeprefix("$ ") for block in blocks("README.md", "console")),
    ]
    # The code of an exit that says what was found: the README shows an archive that does not conform.
    script = "".join(
        f"{line} || test $? = 1\n" if line.startswith("vizschema validate") else f"{line}\n" for line in lines
    )
    printed = call("bash", "-euc", f"{script}\npython - <<'END'\n{example}END\n", cwd=sources)
    assert "All of this went as it should." in printed
    assert printed.endswith("\nconforms\n")


def test_the_extra_remote_is_enough_to_read_from_object_stores(wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path, f"{wheel}[remote]")
    program = (
        "from vizschema.conformance import benchmarks; "
        f"benchmarks.__path__.append({str(ROOT / 'conformance' / 'benchmarks')!r}); "
        "from vizschema.conformance.benchmarks.engine import remote; "
        "remote.main(['--arrays', '1', '--latency', '0'])"
    )
    said = call(programs / "python", "-P", "-c", program, cwd=tmp_path)
    assert said.count("zarr-v3") == 3


def test_the_development_environment_stays_small() -> None:
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len([*pinned, "vizschema"]) < 110
