"""The scan benchmark: its contenders read the same bytes, and its page holds what was measured and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import scan, scan_archives, scan_large
from vizschema.conformance.benchmarks.engine.scan_archives import FORMS
from vizschema.conformance.benchmarks.engine.scan_large import LARGE
from vizschema.conformance.benchmarks.engine.scan_page import BLOCKS, COLUMNS, fill

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_archives, "_TOKENS", 64)
    monkeypatch.setattr(scan_archives, "_RESIDUES", 128)


def expected() -> int:
    return sum(values.nbytes for _, values in scan_archives.layers(scan_archives.UNIT_BYTES))


@pytest.mark.parametrize("form", FORMS)
def test_every_contender_reads_every_byte(form: str, tmp_path: Path) -> None:
    name, write = FORMS[form]
    path = tmp_path / name
    write(path, scan_archives.UNIT_BYTES)
    for contender, run in scan.CONTENDERS.items():
        assert run(path, 2) == expected(), contender


@pytest.mark.parametrize("form", LARGE)
def test_a_large_archive_is_read_to_its_end(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scan_large._GZIP, "chunks", (1, 64, 64))
    name, write = LARGE[form]
    write(tmp_path / name, 100 << 10)
    assert scan.CONTENDERS["validate"](tmp_path / name, 2) == 96 << 10


def test_a_run_prints_ratios_keeps_its_measurements_and_fills_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, result = tmp_path / "page.md", tmp_path / "result.json"
    page.write_text(
        "a\n<!-- measured: scan -->\nbefore\n<!-- end -->\nb\n<!-- measured: peaks -->\nbefore\n<!-- end -->\n"
    )
    arguments = ["--size", "36", "--repeats", "1", "--forms", "npz stored"]
    assert scan.main([*arguments, "--result", str(result), "--page", str(page)]) == 0
    kept = json.loads(result.read_text())
    assert {run["bytes"] for run in kept["scan"]["runs"]} == {expected()}
    text = page.read_text()
    assert "| npz stored |" in text
    assert text.count("before") == 1  # the peaks were not measured
    assert BLOCKS["scan"](kept["scan"]) in capsys.readouterr().out


def test_ratios_are_taken_within_a_round(tmp_path: Path) -> None:
    def run(number: int, contender: str, threads: int, seconds: float) -> dict[str, object]:
        more = {"cpu": seconds, "peak": 100.0, "bytes": 10**9}
        return {"round": number, "form": "x", "contender": contender, "threads": threads, "seconds": seconds, **more}

    twice = [(contender, threads) for contender in ("validate", "bare") for threads in (1, 2)]
    contenders = [*twice, ("digest", 1), ("usual", 1), ("memcpy", 1)]
    runs = [
        run(number, *contender, seconds=disturbed * (3 if contender[0] == "usual" else 1))
        for number, disturbed in enumerate((1, 10, 100))
        for contender in contenders
    ]
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: scan -->\n<!-- end -->\n")
    fill(page, {"scan": {"machine": "m", "bytes": 10**9, "repeats": 3, "load": 1.0, "runs": runs}})
    (line,) = [line for line in page.read_text().splitlines() if line.startswith("| x |")]
    cells = dict(zip((name for name, _, _ in COLUMNS), line.strip("|").split("|")[1:], strict=True))
    assert cells["/ bare"].strip() == "1.00"
    assert cells["faster"].strip() == "3.00"
    assert cells["GB/s"].strip() == "0.10"


@pytest.mark.parametrize("arguments", [["--repeats", "0"], ["--size", "3"]])
def test_what_cannot_be_measured_is_said(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="--repeats is 1 or more, --size 0, or 36 or more"):
        scan.main(arguments)


def test_the_page_of_the_documentation_holds_the_tables_of_its_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((PAGE.parent / "benchmarks" / "scan.json").read_text(encoding="utf-8"))
    assert "scan" in result
    for name, measured in result.items():
        assert f"<!-- measured: {name} -->\n\n{BLOCKS[name](measured)}\n\n<!-- end -->" in page
