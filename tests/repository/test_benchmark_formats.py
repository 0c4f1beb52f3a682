"""The format benchmark: every measurement is there and of the right values; its parts do what its figures rest on."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vizschema.cli.main import main
from vizschema.conformance.benchmarks import formats
from vizschema.conformance.benchmarks.formats import access, archives, pages, server, tables
from vizschema.conformance.benchmarks.formats.base import chunks_of
from vizschema.conformance.benchmarks.formats.contenders import ACCESS, ARCHIVES, PARALLEL, REMOTE, Contender
from vizschema.conformance.benchmarks.formats.measure import Row, load, save, stored_files, timed
from vizschema.conformance.benchmarks.formats.trace import Trace, digest

SMALL = Trace(48, layers=2, pair_channels=3)
FIGURES = ("size", "full", "layer", "random", "parallel", "write", "remote", "files", "grids", "amplification")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what a small run of everything wrote."""
    out = tmp_path_factory.mktemp("benchmark") / "results"
    options = ["--n-res", "64", "--out", str(out), "--max-mb", "1", "--repeats", "1", "--rounds", "1"]
    assert main(["benchmark", *options]) == 0
    return out


@pytest.fixture(scope="module")
def rows(results: Path) -> list[Row]:
    return load(results / "benchmark_results.csv")


def keys(found: list[Row]) -> set[tuple[str, ...]]:
    return {(row.container, row.codec, row.chunks, row.reader) for row in found}


def key(contender: Contender) -> tuple[str, ...]:
    return contender.container, contender.codec, contender.grid, contender.reader


@pytest.mark.parametrize(
    ("condition", "contenders"),
    [
        *(({"workload": name}, ARCHIVES) for name in ("write", "files")),
        *(({"workload": "size", "data": data}, ARCHIVES) for data in ("smooth", "noise")),
        ({"workload": "full", "cache": "warm"}, ARCHIVES),
        *(({"pattern": name, "cache": "warm"}, ACCESS) for name in access.PATTERNS),
        *(
            ({"workload": "parallel", "workers": f"8 {kind}", "pattern": pattern}, PARALLEL)
            for kind in ("threads", "processes")
            for pattern in ("head", "tile")
        ),
        ({"workload": "remote"}, REMOTE),
    ],
)
def test_every_contender_has_its_row(condition: Any, contenders: tuple[Contender, ...], rows: list[Row]) -> None:
    found = tables.select(rows, n_res=64, repeat=0, **condition)
    assert keys(found) == {key(contender) for contender in contenders}
    assert len(found) == len(contenders)


def test_every_value_read_was_the_one_written(rows: list[Row]) -> None:
    read = [row for row in rows if row.workload not in ("size", "write", "files")]
    assert read
    assert {row.checked for row in read} == {True}


def test_every_reader_took_time_and_the_web_took_requests(rows: list[Row]) -> None:
    assert all(row.seconds and row.seconds > 0 for row in rows if row.workload not in ("size", "files"))
    remote = tables.select(rows, workload="remote")
    assert all(row.requests and row.bytes and row.seconds and row.seconds >= server.LATENCY for row in remote)


def test_the_run_leaves_csv_figures_tables_and_the_command(results: Path) -> None:
    names = {path.name for path in results.iterdir()}
    figures = {f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")}
    assert names == figures | {"benchmark_results.csv", "tables.md", "run.md"}
    assert "vizschema benchmark --n-res 64 --out" in (results / "run.md").read_text(encoding="utf-8")


def test_one_workload_runs_alone_and_its_tables_are_drawn_from_the_csv(tmp_path: Path) -> None:
    options = ["--n-res", "32", "--out", str(tmp_path), "--max-mb", "1", "--rounds", "1", "--workloads", "files"]
    assert formats.main(options) == 0
    assert {row.workload for row in load(tmp_path / "benchmark_results.csv")} == {"files"}
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"run.md", "benchmark_results.csv", "tables.md", "files.png", "files.svg"}
    (tmp_path / "tables.md").unlink()
    (tmp_path / "files.svg").unlink()
    assert formats.main(["--out", str(tmp_path), "--redraw"]) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    options[1] = "32,48"
    assert formats.main([*options, "--resume"]) == 0
    resumed = load(tmp_path / "benchmark_results.csv")
    assert [row.n_res for row in resumed] == [32] * len(ARCHIVES) + [48] * len(ARCHIVES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--out"),
        (("--out", "x", "--n-res", "16"), "expected 32 residues or more, found 16"),
        (("--out", "x", "--workloads", "full,speed"), "found speed"),
        (("--out", "x", "--repeats", "0"), "expected 1 or more, found 0"),
    ],
)
def test_wrong_options_say_what_was_expected(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "formats", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("contender", dict.fromkeys((*ARCHIVES, *ACCESS)), ids=lambda contender: contender.label)
def test_every_format_gives_back_what_it_was_given(contender: Contender, tmp_path: Path) -> None:
    path = tmp_path / contender.filename
    archives.write(contender, SMALL, path)
    reader = contender.format.open(path)
    assert digest((name, reader.part(name, ())) for name in archives.names(SMALL)) == digest(SMALL.arrays())
    attention = SMALL.attention(1)
    for pattern in access.PATTERNS:
        for task in access.tasks(pattern, SMALL, 7):
            expected = SMALL.attention(int(task.name[-2:]))[task.selection]
            assert np.array_equal(reader.part(task.name, task.selection), expected), task
    assert np.array_equal(reader.part("attention/layer_01", (3, slice(40, 48), slice(8, 40))), attention[3, 40:, 8:40])
    reader.close()


def test_a_wrong_value_is_told_and_changes_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = itertools.count()
    monkeypatch.setattr(archives, "ARCHIVES", ARCHIVES[:1])
    monkeypatch.setattr(archives, "digest", lambda arrays: f"{len(list(arrays))} arrays, {next(number)}")
    options = ["--n-res", "32", "--out", str(tmp_path), "--max-mb", "1", "--rounds", "1", "--workloads", "full"]
    assert formats.main(options) == 1
    assert "values differ" in capsys.readouterr().err


def test_attention_is_softmax_and_noise_is_noise() -> None:
    assert np.allclose(SMALL.attention(0).sum(-1), 1, atol=1e-5)
    noise = replace(SMALL, data="noise").attention(0)
    assert abs(float(noise.mean())) < 0.05
    assert 0.95 < float(noise.std()) < 1.05


def test_a_trace_within_a_bound_has_fewer_layers_then_fewer_channels() -> None:
    whole = Trace(256)
    assert whole.within(None) == whole
    assert whole.within(2 * whole.layer_bytes + 1).layers == 2
    part = whole.within(whole.layer_bytes // 2)
    assert (part.layers, part.pair_channels) == (1, 32)
    assert part.bytes <= whole.layer_bytes // 2
    assert sum(values.nbytes for _, values in SMALL.arrays()) == SMALL.bytes


@pytest.mark.parametrize(
    ("grid", "chunks"),
    [("head", (1, 100, 100)), ("whole", (8, 100, 100)), ("rows32", (1, 32, 100)), ("tiles64", (1, 64, 64))],
)
def test_attention_is_cut_in_the_grid(grid: str, chunks: tuple[int, ...]) -> None:
    assert chunks_of(grid, "attention/layer_00", (8, 100, 100)) == chunks


def test_representations_are_cut_into_chunks_of_4_mib_or_as_in_the_original() -> None:
    assert chunks_of("head", "pair/layer_00", (256, 256, 128)) == (32, 256, 128)
    assert chunks_of("tiles32", "pair/layer_00", (256, 256, 128)) == (32, 32, 128)


def test_bytes_read_are_counted(tmp_path: Path) -> None:
    if not Path("/proc/self/io").exists():
        pytest.skip("this system does not count the bytes that a process reads")
    path = tmp_path / "file"
    path.write_bytes(bytes(100_000))
    with timed() as taken:
        path.read_bytes()
    assert taken.bytes is not None
    assert 100_000 <= taken.bytes < 110_000


def test_the_server_answers_ranges_and_counts(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    with server.serving(tmp_path) as (url, counts), server.open_url(f"{url}/file") as file:
        file.seek(200_000)
        assert file.read(1000) == content[200_000:201_000]
        assert counts.requests == 2
        assert counts.bytes == server.BLOCK
        file.seek(-10, 2)
        assert file.read() == content[-10:]


def test_rows_come_back_from_the_csv(tmp_path: Path, rows: list[Row]) -> None:
    save(tmp_path / "again.csv", rows)
    assert load(tmp_path / "again.csv") == rows


def test_files_of_an_archive_are_counted_below_it(tmp_path: Path) -> None:
    (tmp_path / "archive" / "inner").mkdir(parents=True)
    (tmp_path / "archive" / "inner" / "chunk").touch()
    assert stored_files(tmp_path / "archive") == [tmp_path / "archive" / "inner" / "chunk"]


@pytest.mark.parametrize("name", ["chunking", "benchmarks-formats"])
def test_the_figures_in_the_documentation_are_those_of_the_committed_run(name: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / f"{name}.md").read_text(encoding="utf-8")
    assert "<!-- figures: " in page
    assert pages.filled(page, load(docs / "benchmarks" / "benchmark_results.csv")) == page


def test_the_tables_of_the_committed_run_are_drawn_from_its_csv() -> None:
    folder = Path(__file__).parents[2] / "docs" / "benchmarks"
    found = load(folder / "benchmark_results.csv")
    assert (folder / "tables.md").read_text(encoding="utf-8") == tables.document(found)
    assert {row.checked for row in found} == {True, None}


def test_every_block_can_be_filled_and_an_unknown_one_is_an_error(rows: list[Row]) -> None:
    page = "".join(f"<!-- figures: {name} -->\nold\n<!-- end -->\n" for name in pages.BLOCKS)
    assert "old" not in pages.filled(page, rows)
    assert pages.filled(page, rows).count("\n| --- |") == len(pages.BLOCKS)
    with pytest.raises(KeyError, match="nothing"):
        pages.filled("<!-- figures: nothing -->\n<!-- end -->", rows)
