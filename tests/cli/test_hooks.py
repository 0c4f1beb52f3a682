"""What others run in their CI: the pre-commit hook against a local clone, and the steps of the Action with bash."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from vizschema.cli.main import main
from vizschema.conformance.examples import write_example

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project with two archives, one of which does not conform."""
    folder = tmp_path / "project"
    (folder / "runs").mkdir(parents=True)
    write_example("trace", folder / "runs" / "good one.zarr")
    write_example("trace", folder / "runs" / "good.h5")
    shutil.copytree(folder / "runs" / "good one.zarr", folder / "bad.zarr")
    document = json.loads((folder / "bad.zarr" / "zarr.json").read_bytes())
    document["attributes"]["created_at"] = "yesterday"
    (folder / "bad.zarr" / "zarr.json").write_text(json.dumps(document))
    monkeypatch.chdir(folder)
    return folder


class TestEnclosing:
    def test_a_file_in_a_zarr_folder_stands_for_the_archive_which_is_judged_once(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        inside = [path.relative_to(project).as_posix() for path in (project / "runs" / "good one.zarr").rglob("*.json")]
        assert len(inside) > 3
        assert main(["validate", "--no-values", "--enclosing", *inside, "runs/good.h5"]) == 0
        out = capsys.readouterr().out
        assert out.count("structure conforms to trace") == 2
        assert "runs/good one.zarr: structure" in out

    def test_one_that_lost_its_metadata_is_known_by_its_name(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for path in (project / "bad.zarr").rglob("zarr.json"):
            path.unlink()
        chunk = next(path for path in (project / "bad.zarr").rglob("*") if path.is_file())
        assert main(["validate", "--no-values", "--enclosing", str(chunk.relative_to(project))]) == 1
        assert "metadata-missing" in capsys.readouterr().out


class TestPreCommit:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("runs/a.zarr/zarr.json", True),
            ("a.zarr/outputs/logits/c/0/0", True),
            ("a.zarr.zip", True),
            ("a.h5", True),
            ("a.hdf5", True),
            ("a.npz", True),
            ("a.asdf", True),
            ("a.py", False),
            ("zarr/readme.md", False),
        ],
    )
    def test_the_hook_looks_at_archives(self, path: str, expected: bool) -> None:
        assert bool(re.search(HOOK["files"], path)) is expected

    @pytest.mark.usefixtures("project")
    def test_its_command_is_one_of_ours(self, capsys: pytest.CaptureFixture[str]) -> None:
        program, *arguments = HOOK["entry"].split()
        assert program == "vizschema"
        assert main([*arguments, "runs/good one.zarr/zarr.json"]) == 0
        assert main([*arguments, "bad.zarr/zarr.json"]) == 1
        assert "error creation-time" in capsys.readouterr().out

    @pytest.mark.packaging
    def test_it_runs_from_a_clone(self, project: Path, tmp_path: Path) -> None:
        clone = committed(sources(tmp_path / "clone"))
        committed(project)
        environment = {**ENVIRONMENT, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
        python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pre-commit>=4"], check=True, env=ENVIRONMENT)
        command = [python, "-m", "pre_commit", "try-repo", str(clone), "vizschema-validate", "--all-files"]
        result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
        assert "bad.zarr: does not conform to trace 1.0.0" in result.stdout, result.stdout + result.stderr
        assert result.stdout.count("structure conforms to trace 1.0.0") == 2
        assert "exit code: 1" in result.stdout
        assert result.returncode == 1


ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "GIT_"))}


def sources(folder: Path) -> Path:
    """A copy of what is under version control here, or would be."""
    folder.mkdir()
    for name in (
        *("pyproject.toml", "README.md", "LICENSE", "vizschema", "spec", "conformance", ".pre-commit-hooks.yaml"),
        *("action.yml", ".ci"),
    ):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def committed(folder: Path) -> Path:
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--no-verify", "-m", "all"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True, env=ENVIRONMENT)
    return folder


class TestAction:
    """GitHub runs a step of a composite action with `bash --noprofile --norc -eo pipefail`, inputs in its variables."""

    @pytest.fixture
    def runner(self, tmp_path: Path) -> Path:
        """The temporary folder of a runner, with our program where the step Install puts it."""
        programs = tmp_path / "runner" / "vizschema" / "bin"
        programs.mkdir(parents=True)
        program = programs / "vizschema"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vizschema "$@"\n')
        program.chmod(0o755)
        return tmp_path / "runner"

    def step(self, name: str, runner: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | inputs
        step = STEPS[name]
        variables = {
            key: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda match: given[match[1]], value)
            for key, value in step.get("env", {}).items()
        }
        environment = {
            **ENVIRONMENT,
            **variables,
            "RUNNER_TEMP": str(runner),
            "GITHUB_OUTPUT": str(runner / "output"),
            "GITHUB_STEP_SUMMARY": str(runner / "summary"),
            "GITHUB_ACTION_PATH": str(ROOT),
        }
        script = runner / "step.sh"
        script.write_text(step["run"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def test_no_input_is_text_of_a_script(self) -> None:
        assert not any("${{" in step.get("run", "") for step in STEPS.values())
        assert all(step["shell"] == "bash" for step in STEPS.values() if "run" in step)

    def test_every_input_is_used_and_every_use_is_an_input(self) -> None:
        text = (ROOT / "action.yml").read_text(encoding="utf-8")
        assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])

    @pytest.mark.usefixtures("project")
    def test_what_conforms_passes_with_globs_and_blanks_in_names(self, runner: Path) -> None:
        result = self.step("Validate", runner, paths="runs/*\n\n", values="false")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.count("structure conforms") == 2
        assert (runner / "output").read_text() == "exit-code=0\n"

    def test_what_does_not_fails_with_annotations_summary_and_reports(self, project: Path, runner: Path) -> None:
        result = self.step("Validate", runner, paths="bad.zarr\nruns/*.h5", sarif="out.sarif", html="out.html")
        assert result.returncode == 1
        assert "::error file=bad.zarr,title=creation-time (1 place)::" in result.stdout
        assert (runner / "output").read_text() == "exit-code=1\n"
        assert "creation-time" in (runner / "summary").read_text()
        assert json.loads((project / "out.sarif").read_bytes())["version"] == "2.1.0"
        assert (project / "out.html").read_text().startswith("<!DOCTYPE html>")

    @pytest.mark.parametrize(
        ("inputs", "code", "words"),
        [
            ({"paths": "nothing/*.zarr"}, 3, "nothing/*.zarr: no such file or folder"),
            ({"paths": "bad.zarr", "spec": "9.9.9"}, 4, "'9.9.9' is not installed"),
            ({"paths": "bad.zarr", "profile": "gone"}, 4, "profile 'gone'"),
            ({"paths": "bad.zarr", "annotations": "false"}, 1, "error creation-time (1 place)"),
            ({"paths": "--help"}, 3, "--help: no such file or folder"),
            ({"paths": "$(touch hacked); `touch hacked`"}, 3, "no such file or folder"),
        ],
    )
    def test_inputs_do_what_they_say(
        self, project: Path, runner: Path, inputs: dict[str, Any], code: int, words: str
    ) -> None:
        result = self.step("Validate", runner, **inputs)
        assert result.returncode == code, result.stdout + result.stderr
        assert words in result.stdout
        assert not (project / "hacked").exists()

    def test_warnings_fail_where_strict(self, project: Path, runner: Path) -> None:
        document = json.loads((project / "bad.zarr" / "zarr.json").read_bytes())
        document["attributes"]["created_at"] = "2026-11-21T09:00:00Z"
        (project / "bad.zarr" / "zarr.json").write_text(json.dumps(document))
        metadata = project / "bad.zarr" / "metadata" / "zarr.json"
        described = json.loads(metadata.read_bytes())
        described["attributes"].pop("license")
        metadata.write_text(json.dumps(described))
        document.pop("consolidated_metadata", None)
        (project / "bad.zarr" / "zarr.json").write_text(json.dumps(document))
        assert self.step("Validate", runner, paths="bad.zarr").returncode == 0
        assert self.step("Validate", runner, paths="bad.zarr", strict="true").returncode == 1

    @pytest.mark.packaging
    @pytest.mark.usefixtures("project")
    def test_it_installs_itself(self, tmp_path: Path) -> None:
        copy = sources(tmp_path / "action")
        runner = tmp_path / "fresh"
        runner.mkdir()
        script = STEPS["Install"]["run"]
        environment = {**ENVIRONMENT, "RUNNER_TEMP": str(runner), "GITHUB_ACTION_PATH": str(copy)}
        subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environment, check=True)
        result = self.step("Validate", runner, paths="runs/*")
        assert result.returncode == 0, result.stdout + result.stderr
