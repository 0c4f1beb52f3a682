"""The benchmark of streaming: a row for every source and number of layers, each measured in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import streaming


def test_a_row_per_source_and_number_of_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "GROWTH", 1000.0)
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: streaming -->\n<!-- end -->\n")
    options = ["--size", "40M", "--layers", "3,5", "--folder", str(tmp_path), "--page", str(page)]
    assert streaming.main(options) == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert [row[:2] for row in rows[2:5]] == [[kind, "40"] for kind in streaming.SOURCES]
    assert all(0 < float(row[2]) < float(row[3]) <= streaming.PEAK for row in rows[2:5])
    assert [row[:2] for row in rows[6:8]] == [["add", "3"], ["add", "5"]]
    assert said in page.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize(("peak", "cpu", "code"), [(100, [1, 2], 0), (301, [1, 2], 1), (100, [1, 4], 1)])
def test_what_is_above_its_aim_is_an_error(
    peak: float, cpu: list[float], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = iter(cpu)
    found = lambda kind, *_: {"cpu": next(spent)} if kind == "layers" else {"rest": 1.0, "peak": peak}  # noqa: E731
    monkeypatch.setattr(streaming, "_measured", found)
    assert streaming.main(["--size", "1G", "--layers", "10,20"]) == code
