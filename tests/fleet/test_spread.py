"""Many archives on a Dask cluster: each has the report that it has alone, and what was judged outlives the cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.bounds import Reading
from vizschema.cli.main import main
from vizschema.findings import Report
from vizschema.fleet import spread
from vizschema.fleet.judging import unwatched
from vizschema.scan import cluster

distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed (2026-11-28)")

LOOPBACK = {"processes": True, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a scheduler with two worker processes, on loopback."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK) as running:
        yield running.scheduler_address


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that are submitted to a cluster."""
    submitted: list[str] = []
    submit = distributed.Client.submit

    def counted(self: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        submitted.append(function.__name__)
        return submit(self, function, *arguments, **named)

    monkeypatch.setattr(distributed.Client, "submit", counted)
    return submitted


def plain(report: Report) -> tuple[Any, ...]:
    return report.archive, str(report.error), report.exit_code, report.findings, report.coverage, report.digest


def test_each_archive_has_the_report_that_it_has_alone(address: str, folder: Path, tasks: list[str]) -> None:
    paths = [folder / name for name in ("two.h5", "zero.npz", "a", "three.npz", "none.h5", "two.h5")]
    found = list(vizschema.validate_many(paths, isolated=False, digest=True, dask=address))
    alone = list(vizschema.validate_many(paths, isolated=False, digest=True))
    assert [plain(each) for each in found] == [plain(each) for each in alone]
    assert [each.exit_code for each in found] == [0, 1, 0, 3, 3, 0]
    assert tasks == ["whole"] * 6


def test_an_archive_that_is_large_for_a_task_is_read_by_ranges(
    address: str, folder: Path, tasks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "WHOLE_BYTES", 100)
    paths = [folder / "zero.npz", folder / "two.h5"]
    found = list(vizschema.validate_many(paths, isolated=False, dask=address))
    assert [plain(each) for each in found] == [plain(vizschema.validate(path)) for path in paths]
    assert tasks.count("whole") == 2
    assert "read_range" in tasks


def test_the_command_spreads_a_folder(address: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for more in ([], ["--dask", address]):
        assert main(["validate", str(folder), "--trust", "--no-config", "--format", "jsonl", *more]) == 3
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert [json.loads(line).get("verdict") for line in printed[0].splitlines()][:1] == ["conforms"]


def test_a_worker_that_an_archive_ends_costs_that_archive_alone(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(path: str, reading: Reading) -> Report:
        if path == "bad":
            os._exit(1)
        return Report(path, "", "", "", "", "")

    # Without opening anything: the function is sent by value, with the one that it calls.
    monkeypatch.setattr(spread, "whole", lambda judge, place, reading, _: judge(place, reading))
    found = list(spread.spread(["a", "bad", "c"], ends, Reading(dask=address), unwatched))
    assert [each.exit_code for each in found] == [0, 2, 0]
    assert "it ended the processes that read it" in str(found[1].error)


def test_a_cluster_without_a_worker_is_said_to_have_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with distributed.LocalCluster(n_workers=0, **LOOPBACK) as running:
        at = running.scheduler_address
        found = list(vizschema.validate_many([folder, folder / "two.h5"], isolated=False, dask=at))
    assert [each.exit_code for each in found] == [2, 2, 2, 2, 2]
    assert len({each.archive for each in found}) == 4
    assert "expected a cluster with at least one worker, found none at" in str(found[0].error)


def test_what_was_judged_is_kept_when_the_scheduler_dies(folder: Path) -> None:
    options = LOOPBACK | {"processes": False}
    program = (
        "import distributed, sys, time\n"
        "if __name__ == '__main__':\n"
        f"    running = distributed.LocalCluster(n_workers=1, threads_per_worker=1, protocol='tcp', **{options})\n"
        "    print(running.scheduler_address, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        at = running.stdout.readline().strip()
        reports = vizschema.validate_many([folder / "two.h5"] * 60, isolated=False, dask=at)
        assert next(reports).verdict == "conforms"
        running.send_signal(signal.SIGKILL)
        left = list(reports)
    assert len(left) == 59
    codes = [each.exit_code for each in left]
    assert codes == sorted(codes)  # those that had come conform, from the first that had not every one is unjudged
    assert codes[-1] == 2
    assert re.search("the cluster .* was lost", str(left[-1].error))


def test_untrusted_archives_are_refused(address: str, folder: Path) -> None:
    found = list(vizschema.validate_many([folder / "two.h5", folder / "zero.npz"], dask=address))
    assert ["not sandboxed" in str(each.error) for each in found] == [True, True]
