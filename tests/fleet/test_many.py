"""Many archives as one job: each has the verdict that it has alone, in the order given, whatever is beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vizschema
from vizschema.bounds import Bounds, Reading
from vizschema.cli.main import main
from vizschema.errors import Interrupted
from vizschema.findings import Report
from vizschema.fleet import many
from vizschema.fleet.order import in_order


class TestOrder:
    def test_results_are_in_order_however_long_each_takes(self) -> None:
        later = threading.Event()

        def function(item: int) -> int:
            if item == 0:
                assert later.wait(60)
            if item == 3:
                later.set()
            return item * 2

        assert list(in_order(function, range(50), 4)) == [item * 2 for item in range(50)]

    def test_items_are_taken_as_results_are(self) -> None:
        taken = []

        def items() -> Iterator[int]:
            for item in range(1000):
                taken.append(item)
                yield item

        results = in_order(str, items(), 2)
        assert next(results) == "0"
        assert len(taken) < 20
        results.close()
        assert len(taken) < 20

    def test_an_exception_is_raised_where_it_is_due(self) -> None:
        results = in_order(lambda item: 1 // item, [1, 1, 0, 1], 3)
        assert [next(results), next(results)] == [1, 1]
        with pytest.raises(ZeroDivisionError):
            next(results)


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("jobs", [1, 3])
def test_each_archive_has_the_report_that_it_has_alone(folder: Path, isolated: bool, jobs: int) -> None:
    paths = [folder / "two.h5", folder / "zero.npz", folder / "a/one.zarr", folder / "three.npz", folder / "none.h5"]
    found = list(vizschema.validate_many(paths, jobs=jobs, isolated=isolated, digest=True))
    alone = [vizschema.validate(path, isolated=isolated, digest=True) for path in paths]
    assert [str(each.error) for each in found] == [str(each.error) for each in alone]
    assert [(each.archive, each.findings, each.digest) for each in found] == [
        (each.archive, each.findings, each.digest) for each in alone
    ]
    assert [each.exit_code for each in found] == [0, 1, 0, 3, 3]


def test_a_folder_stands_for_the_archives_below_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = list(vizschema.validate_many([folder, tmp_path / "empty"], isolated=False, values=False))
    names = [Path(each.archive).name for each in found]
    assert names == ["one.zarr", "three.npz", "two.h5", "zero.npz", "empty"]
    assert "a folder without archives" in str(found[-1].error)


def test_a_chunk_that_is_larger_than_its_share_of_memory_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "LEAST_MEMORY", 1)
    large = vizschema.Array(np.arange(300_000, dtype="f4").reshape(1, -1), ["token", "hidden"])
    for name in ("a.zarr", "b.zarr"):
        named = {"/metadata": {"model_name": "m", "model_version": "1"}}
        vizschema.write(tmp_path / name, {"/activations/x": large}, named, profile="trace")
    memory = 1_300_000  # one chunk of 1.2 MB fits, and half of it does not
    alone = [vizschema.validate(tmp_path / name, memory=memory) for name in ("a.zarr", "b.zarr")]
    found = list(vizschema.validate_many([tmp_path], jobs=2, memory=memory, isolated=False))
    assert [each.findings for each in found] == [each.findings for each in alone]
    assert not any(each.rule == "chunks-readable" for report in found for each in report.findings)


def test_what_was_judged_before_an_interruption_is_reported(folder: Path) -> None:
    asked: list[str] = []

    def judge(path: str, _: Reading) -> Report:
        asked.append(path)
        if path.endswith("two"):
            raise KeyboardInterrupt
        return Report(path, "", "", "", "", "", values="read")

    found = list(many.judged_in_order(["/none/one", "/none/two", "/none/three"], judge, Reading(2, Bounds())))
    assert [each.archive for each in found] == ["/none/one", "/none/two"]
    assert isinstance(found[-1].error, Interrupted)
    assert found[-1].exit_code == 130


def test_a_profile_that_does_not_exist_is_an_error_of_the_job(folder: Path) -> None:
    with pytest.raises(vizschema.SpecError, match="profile"):
        list(vizschema.validate_many([folder / "two.h5", folder / "a/one.zarr"], profile="nothing", isolated=False))


def test_the_command_reports_a_folder_line_by_line_and_in_sum(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["validate", ".", "--trust", "--format", "jsonl", "--jobs", "2"]) == 3
    *archives, rest = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["archive"] for each in archives] == ["./a/one.zarr", "./three.npz", "./two.h5", "./zero.npz"]
    assert [each["exit_code"] for each in archives] == [0, 3, 0, 1]
    assert rest["summary"]["passed"] == 2
    assert main(["validate", "a", "two.h5", "zero.npz", "zero.npz", "--trust"]) == 1
    said = capsys.readouterr().out
    assert "2 of 4 archives passed, 2 failed\n" in said
    assert "  error axes-named in 2 archives (2 places)\n" in said
