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
