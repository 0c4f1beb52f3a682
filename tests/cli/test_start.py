"""What a command imports before it works: of other people's modules what it needs, of ours what it uses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import start
from vizschema.conformance.examples import write_example
from vizschema.containers.base import Limits
from vizschema.worker import warm
from vizschema.worker.process import Worker, hexed

TELL = "print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
NOT_FOR_STRUCTURE = ("scan", "digests", "canonical", "writer", "reader", "conformance")

HELP = {f"cli.{name}" for name in ("main", "parser", "arguments", "completion")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    write_example("trace", str(folder / start.ARCHIVE))
    return folder


def loaded(program: str, folder: Path) -> set[str]:
    """The modules of a process at its end."""
    process = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\n{TELL}"], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(process.stderr.split())


def of_command(name: str, folder: Path) -> tuple[set[str], set[str]]:
    """The modules that a command loads: ours, and those of others that do not come with what it needs."""
    command = start.COMMANDS[name]
    found = loaded(f"from vizschema.cli.main import main; main({command.arguments!r})", folder)
    needed = loaded(f"import {', '.join(command.needs)}", folder)
    ours = {module for module in found if module.partition(".")[0] == "vizschema"}
    return {module.removeprefix("vizschema.") for module in ours}, found - ours - needed


@pytest.mark.parametrize("name", start.COMMANDS)
def test_a_command_imports_what_it_needs_only(name: str, folder: Path) -> None:
    assert of_command(name, folder)[1] == set()


def test_help_imports_the_parser_only(folder: Path) -> None:
    ours, _ = of_command("--help", folder)
    assert ours == {"vizschema", "errors", "report", "cli", "containers", "containers.formats", *HELP}


@pytest.mark.parametrize("name", ["validate --no-values --trust", "validate --no-values"])
def test_judging_a_structure_imports_nothing_that_reads_values(name: str, folder: Path) -> None:
    tops = {module.partition(".")[0] for module in of_command(name, folder)[0]}
    assert {"validation", "rules"} <= tops
    assert not tops & set(NOT_FOR_STRUCTURE)
    assert ("worker" in tops) == ("--trust" not in name)


def test_a_worker_that_describes_imports_what_it_needs_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = (
        "from vizschema.worker import child\n"
        "child.FUNCTIONS['loaded'] = lambda _, session: session.channel.send('end', sorted(sys.modules))\n"
    )
    line = warm._START.replace("sys.exit(main())", f"exec({probe!r}); sys.exit(main())")
    monkeypatch.setattr(warm, "_START", line)
    path = str(folder / start.ARCHIVE)
    with Worker([path]) as worker:
        asked = {"path": hexed(path), "limits": asdict(Limits()), "skipped": {}, "keep": False, "silent": False}
        assert list(worker.run("describe", asked))[-1][0] == "end"
        found = set(list(worker.run("loaded", {}))[-1][1])
    needed = ", ".join(start.COMMANDS["validate --no-values"].worker_needs)
    bare = f"import sys; sys.path[:] = sys.argv[1:]; import {needed}; {TELL}"
    places = [place for place in sys.path if place]
    plain = subprocess.run([sys.executable, "-ISBc", bare, *places], capture_output=True, text=True, check=True)
    ours = {module for module in found if module.partition(".")[0] == "vizschema"}
    assert found - ours - set(plain.stderr.split()) == set()
    assert not {module.split(".")[1] for module in ours if "." in module} & set(NOT_FOR_STRUCTURE)


def test_no_module_of_the_working_directory_is_imported(folder: Path, tmp_path: Path) -> None:
    for name in ("argparse", "orjson", "numpy", "subprocess"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')\n")
    for options in (["-m"], ["-P", "-m"]):
        command = [sys.executable, *options, "vizschema", "validate", "-q", str(folder / start.ARCHIVE)]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")


def test_the_benchmark_prints_a_line_for_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- measured: start -->\nold\n<!-- end -->\nAfter.\n")
    assert start.main(["--repeats", "1", "--modules", "2", "--page", str(page)]) == 0
    out = capsys.readouterr().out
    assert page.read_text() == f"Before.\n<!-- measured: start -->\n```text\n{out}```\n<!-- end -->\nAfter.\n"
    assert all(f"\n{name} " in out and f"\n{name}, ms by module: " in out for name in start.COMMANDS)
