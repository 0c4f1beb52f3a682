"""The benchmark of capturing: what the libraries store by hand is cut and stored as `create` does it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

import vizschema
from vizschema.conformance.benchmarks.engine import capture


def test_a_row_per_kind_and_container(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "AIMS", dict.fromkeys(capture.AIMS, 1000.0))
    monkeypatch.setattr(capture, "KINDS", {"noise": capture.KINDS["noise"]})
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: capture -->\n<!-- end -->\n")
    options = ["--size", "1M", "--rounds", "1", "--folder", str(tmp_path), "--page", str(page)]
    assert capture.main(options) == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()[2:]]
    assert [row[:4] for row in rows] == [["noise", "2", "7", name] for name in capture.AIMS]
    assert all(float(row[6]) > 0 for row in rows)
    assert said in page.read_text()
    assert listing_of(tmp_path) == ["page.md"]


def test_a_ratio_above_its_aim_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_medians", lambda _, name, *__: [1.0, 2.3 if name == "hdf5" else 1.1, 1.0])
    monkeypatch.setattr(capture, "KINDS", {"noise": capture.KINDS["noise"]})
    assert capture.main(["--size", "1M", "--folder", str(tmp_path)]) == 1


@pytest.mark.parametrize("name", ["zarr-v3", "zarr-v2", "hdf5"])
def test_both_store_the_same_chunks_by_the_same_codecs(name: str, tmp_path: Path) -> None:
    arrays = dict(capture.KINDS["noise"](1))
    capture._create(tmp_path / "ours", name, arrays, values=True)
    assert vizschema.validate(tmp_path / "ours").conforms
    nodes = vizschema.describe(tmp_path / "ours")["nodes"]
    chunks = {place: tuple(nodes[place]["storage"]["chunks"]) for place in arrays}
    (capture._h5py if name == "hdf5" else capture._zarr)(tmp_path / "theirs", name, arrays, chunks)
    for place in arrays:
        if name == "hdf5":
            with h5py.File(tmp_path / "ours") as ours, h5py.File(tmp_path / "theirs") as theirs:
                kept = [(file[place].chunks, file[place]._filters, file[place][...]) for file in (ours, theirs)]
        else:
            stored = [zarr.open_array(tmp_path / each / place[1:], mode="r") for each in ("ours", "theirs")]
            kept = [(each.chunks, (each.compressors, each.filters), each[...]) for each in stored]
        assert kept[0][:2] == kept[1][:2]
        assert np.array_equal(kept[0][2], kept[1][2])


def listing_of(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())
