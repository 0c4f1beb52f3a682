"""The repository of a third party: its CI runs the suite by the scripts of the page, and collects JUnit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.needed import built, installed

from vizschema.conformance.corpus.identity import identity, short

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r'^```sh title="(ci/[^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
VALIDATOR = {"generator/absent [zarr-v3-sharded]": True, "stray-file/note [zarr-v3-zip]": False}
"""What is left of the named cases by the sample of the test, and whether a validator that finds nothing fails it."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the files of the page, of which the samples are of a few cases; and our program on the path."""
    built(ROOT / "conformance/javascript/node_modules/fflate/package.json", "npm ci --prefix conformance/javascript")
    files = dict(FILE.findall((ROOT / "docs" / "conformance.md").read_text("utf-8")))
    assert set(files) == {"ci/validate.sh", "ci/conformance.sh"}
    only = "--only generator/absent --only stray-file/note"
    script = files["ci/conformance.sh"].replace("--sample 100", f"--sample 5 {only}").replace("--sample 20", only)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "validate.sh").write_text(files["ci/validate.sh"], encoding="utf-8")
    (tmp_path / "ci" / "conformance.sh").write_text(script, encoding="utf-8")
    program = tmp_path / "bin" / "vizschema"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vizschema "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(program.parent), str(Path(installed("node")).parent), "/usr/bin:/bin"])
    )
    monkeypatch.setenv("VIZSCHEMA", str(ROOT))
    return tmp_path


def run(repository: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, bool]]]:
    """What its CI did, and by report and name of each test case whether it failed."""
    done = subprocess.run(["sh", "ci/conformance.sh"], cwd=repository, capture_output=True, text=True, check=False)
    reports: dict[str, dict[str, bool]] = {}
    for file in repository.glob("*.xml"):
        suite = ElementTree.parse(file).getroot()  # noqa: S314  (our own)
        values = {each.attrib["name"]: each.attrib["value"] for each in suite.findall("properties/property")}
        assert values["corpus"] == short(identity("1.0.0"))
        assert values["corpus.digest"] == identity("1.0.0")["digest"]
        tests = suite.findall("testcase")
        reports[file.stem] = {each.attrib["name"]: each.find("failure") is not None for each in tests}
        assert int(suite.attrib["failures"]) == sum(reports[file.stem].values())
    return done, reports


def test_the_ci_of_a_third_party_passes_and_fails_where_its_validator_is_wrong(repository: Path) -> None:
    done, reports = run(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert reports["validator"] == dict.fromkeys(VALIDATOR, False)
    assert set(reports["reference"]) > set(VALIDATOR)
    assert not any(failed for report in reports.values() for failed in report.values())
    (repository / "ci" / "validate.sh").write_text("exit 0\n", encoding="utf-8")
    (repository / "reference.xml").unlink()
    done, reports = run(repository)
    assert done.returncode == 1
    assert reports == {"validator": VALIDATOR}
