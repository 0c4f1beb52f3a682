"""The hostile corpus: each archive gets its rule, or is no archive; nothing runs, nothing is written, nothing grows."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from vizschema.bounds import Bounds
from vizschema.cli.main import main
from vizschema.conformance.corpus.hostile import CASES, Case
from vizschema.conformance.corpus.hostile.case import MARKER
from vizschema.conformance.corpus.hostile.confined import Confined, judge
from vizschema.errors import NotAnArchive
from vizschema.findings import Report
from vizschema.report import FORMATS
from vizschema.rules import versions

SECONDS = 40
"""Of CPU time, for one archive: 100,000 nodes take 7 on an idle machine."""
MEMORY = 256 << 20
NAMES = [case.name for case in CASES]
BY_NAME = {case.name: case for case in CASES}
EACH_CASE = pytest.mark.parametrize("name", NAMES)
REPORT = jsonschema.Draft202012Validator(versions.read_json(versions.root() / "report.schema.json"))

Snapshot = dict[str, tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Every archive, each in a folder of its own that bears its name; removed afterwards, since some are large."""
    root = tmp_path_factory.mktemp("hostile")
    archives = {}
    for case in CASES:
        folder = root / case.name
        folder.mkdir()
        archives[case.name] = case.build(folder)
    yield archives
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def before(corpus: Mapping[str, Path]) -> dict[str, Snapshot]:
    return {name: snapshot(archive.parent) for name, archive in corpus.items()}


class Outcome(NamedTuple):
    """What became of an archive: the report and its worker, and the CPU seconds that this process took for it."""

    confined: Confined
    seconds: float

    @property
    def report(self) -> Report:
        """The report."""
        return self.confined.report


@pytest.fixture(scope="module")
def outcomes(corpus: Mapping[str, Path], before: Mapping[str, Snapshot]) -> dict[str, Outcome]:
    found = {}
    for name, archive in corpus.items():
        start = time.process_time()
        confined = judge(archive, Bounds())
        found[name] = Outcome(confined, time.process_time() - start)
    return found


def snapshot(folder: Path) -> Snapshot:
    """Everything in a folder, by name: type, size, time of the last change, what a link is."""
    found: Snapshot = {}
    for parent, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            status = os.lstat(parent + b"/" + name)
            found[repr(parent + b"/" + name)] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
    return found


# Each case


@EACH_CASE
def test_an_archive_breaks_its_rules_and_no_other(name: str, outcomes: Mapping[str, Outcome]) -> None:
    case, report = BY_NAME[name], outcomes[name].report
    assert {finding.rule for finding in report.errors} == case.rules | case.values, report.error
    assert report.exit_code == case.exit_code
    assert isinstance(report.error, NotAnArchive) == case.refused


@EACH_CASE
def test_nothing_is_executed_and_nothing_is_written(
    name: str, corpus: Mapping[str, Path], before: Mapping[str, Snapshot], outcomes: Mapping[str, Outcome]
) -> None:
    folder = corpus[name].parent
    assert name in outcomes
    assert not [place for place in (folder, Path.cwd(), Path("/")) if (place / MARKER).exists()]
    assert snapshot(folder) == before[name]


def test_every_archive_is_read_in_little_time_and_memory(outcomes: Mapping[str, Outcome]) -> None:
    """CPU time, which other processes do not lengthen; of this process and of the worker."""
    seconds = {name: each.seconds + each.confined.cpu_seconds for name, each in outcomes.items()}
    peaks = {name: each.confined.peak_memory for name, each in outcomes.items()}
    assert {name: each for name, each in seconds.items() if each >= SECONDS} == {}
    assert {name: peak >> 20 for name, peak in peaks.items() if peak >= MEMORY} == {}
    assert max(peaks.values()) > 16 << 20  # it was measured


def test_no_archive_of_the_corpus_ends_the_worker(outcomes: Mapping[str, Outcome]) -> None:
    assert [name for name, each in outcomes.items() if each.confined.deaths] == []


def test_the_command_judges_the_worst_of_them_one_after_the_other(corpus: Mapping[str, Path]) -> None:
    names = ["zarr-v2-pickle", "npz-pickle", "asdf-python", "zarr-v3-pipe", "hdf5-heap-signature", "npz-no-end"]
    command = [sys.executable, "-m", "vizschema", "validate", "--format", "json"]
    paths = [str(corpus[name]) for name in names]
    result = subprocess.run([*command, *paths], capture_output=True, text=True, cwd=corpus["npz-no-end"].parent)
    assert (result.returncode, result.stderr) == (3, "")
    document = json.loads(result.stdout)
    assert list(REPORT.iter_errors(document)) == []
    assert [archive["exit_code"] for archive in document["archives"]] == [BY_NAME[name].exit_code for name in names]


# The corpus


def test_every_case_has_a_name_and_says_what_it_is_good_for() -> None:
    assert len(set(NAMES)) == len(CASES)
    assert all(case.why and case.name.startswith(case.container) for case in CASES)


def test_there_are_controls_for_every_container() -> None:
    controls = [case for case in CASES if not (case.rules or case.values or case.refused)]
    assert len(controls) >= 20
    assert {case.container for case in controls} == {case.container for case in CASES}


def test_a_marker_is_written_where_a_payload_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.chdir(tmp_path)
    archive = BY_NAME["zarr-v2-pickle"].build(tmp_path)
    assert not (tmp_path / MARKER).exists()
    pickle.loads((archive / "extra/x/0").read_bytes())  # noqa: S301  (as a careless reader would)
    assert (tmp_path / MARKER).exists()


def test_a_snapshot_sees_what_is_written(tmp_path: Path) -> None:
    empty = snapshot(tmp_path)
    (tmp_path / "x").write_text("x")
    assert snapshot(tmp_path) != empty


# What is shown


def hostile_texts() -> Iterator[Case]:
    return (case for case in CASES if "printable-text" in case.rules)


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_hands_on_what_is_not_printable(
    form: str, corpus: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(corpus[case.name]) for case in hostile_texts()]
    assert main(["validate", "--trust", "--no-values", "--all", "--format", form, *paths]) == 1
    shown = capsys.readouterr().out
    assert [sign for sign in set(shown) if not sign.isprintable() and sign != "\n"] == []
    assert not any(line.startswith("::error") for line in shown.splitlines() if form != "github")


@pytest.mark.parametrize("form", FORMATS)
def test_the_path_of_an_archive_is_shown_escaped(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = b"a\x1b[2J\n::error::x\xff\xe2\x80\xae.zarr"
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    archive = BY_NAME["zarr-v3-plain"].build(tmp_path)
    archive.rename(path)
    assert main(["validate", "--format", form, path, f"{path}.gone"]) == 3
    shown = capsys.readouterr().out
    assert [sign for sign in set(shown) if not sign.isprintable() and sign != "\n"] == []
    assert not any(line.startswith("::error::x") for line in shown.splitlines())


def test_a_long_name_is_shortened_where_it_is_no_path(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    archive = BY_NAME["zarr-v3-plain"].build(tmp_path)
    document = json.loads((archive / "zarr.json").read_bytes())
    document["attributes"]["profile"] = "x" * 100_000
    (archive / "zarr.json").write_text(json.dumps(document))
    assert main(["validate", str(archive)]) == 0
    assert len(capsys.readouterr().out) < 10_000


def test_a_device_is_a_device_where_the_system_lets_us_make_one(corpus: Mapping[str, Path]) -> None:
    mode = os.lstat(corpus["zarr-v3-device"] / "extra/x/zarr.json").st_mode
    assert stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)
