"""The benchmark of many archives: each row has both figures, their ratio and the aim; a page is filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import fleet


def test_a_row_has_two_figures_their_ratio_and_the_aim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fleet, "find_spec", lambda _: None)
    monkeypatch.setattr(fleet.promises, "cpu_seconds_of", lambda paths, trust: len(paths) * (1.0 if trust else 3.0))
    monkeypatch.setattr(fleet.promises, "cpu_of_workers", lambda _, dying: 5.0 if dying else 2.0)
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: fleet -->\n<!-- end -->\n", encoding="utf-8")
    sizes = ["--archives", "2", "3", "--parallel", "2", "--arrays", "4", "--repeats", "1"]
    assert fleet.main([*sizes, "--page", str(page)]) == 0
    printed = capsys.readouterr().out
    rows = {row.split(",")[0]: row.split() for row in printed.splitlines()[3:]}
    assert rows["one archive"][-4:] == ["3.00", "1.00", "3.00", "1.25"]

    assert rows["3 archives"][-4:] == ["9.00", "3.00", "3.00", "2.0"]
    assert rows["4 arrays"][-4:] == ["5.00", "2.00", "2.50", "2.0"]
    assert printed.splitlines()[-1].endswith("the extra `dask` is not installed")
    assert printed in page.read_text(encoding="utf-8")


def test_two_processes_of_a_cluster_are_compared_with_what_two_cores_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([(6.0, 4.0, 9.0), (5.0, 3.0, 1.0), (7.0, 5.0, 9.0), (4.0, 6.0, 2.0)])
    monkeypatch.setattr(fleet, "by_cluster", lambda *_: next(rounds))
    rows = [row.split() for row in fleet.by_clusters(["a"], 2)]
    assert rows[0][-4:] == ["6.00", "4.00", "1.50", "1.8"]  # the least of each
    assert rows[1][-2:] == ["6.00", "2.00"]
    assert rows[2][-3:] == ["12.00", "8.00", "1.50"]
