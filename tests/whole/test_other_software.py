"""What other software wrote is described without a crash, and judged: it is no inference trace, and why not."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from support.other_software import WRITERS

import vizschema
from vizschema.cli import main
from vizschema.containers.opening import open_container
from vizschema.containers.values import read_whole

each = pytest.mark.parametrize("software", WRITERS)

NOTHING_DECLARED = {"spec-version": 1, "profile-declared": 1, "creation-time": 1, "generator": 1}
NOTHING_THERE = {**NOTHING_DECLARED, "metadata-group": 1}

# What is wrong with each: the errors, by rule.
VERDICTS = {
    "xarray, Zarr v2": {**NOTHING_THERE, "portable-dtype": 1},
    "xarray, Zarr v3": NOTHING_THERE,
    "xarray, netCDF-4": {**NOTHING_THERE, "portable-dtype": 1},
    "netCDF-4 with its own types": {**NOTHING_THERE, "named-type": 3, "portable-dtype": 4},
    "AnnData, HDF5": {**NOTHING_THERE, "axes-named": 7, "empty-group": 4, "node-name": 4, "portable-dtype": 4},
    "AnnData, Zarr": {**NOTHING_THERE, "axes-named": 7, "empty-group": 4, "node-name": 4, "portable-dtype": 4},
    "tensorstore, bfloat16": {"root-group": 1},
    "tensorstore, big-endian": {"root-group": 1},
    "tensorstore, Fortran order": {"root-group": 1},
    "tensorstore, sharded root": {"root-group": 1},
    "Keras, model": {**NOTHING_THERE, "axes-named": 2, "empty-group": 2},
    "Keras, weights": {**NOTHING_THERE, "axes-named": 3, "node-name": 4},
}


# Why it is no trace, where nothing of it is called like the parts of one.
BECAUSE = {"tensorstore": "it is one array, and a trace is a tree of arrays"}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each archive, by what wrote it."""
    folder = tmp_path_factory.mktemp("other")
    paths = {}
    for number, (software, (name, write)) in enumerate(WRITERS.items()):
        paths[software] = folder / f"{number}" / name
        paths[software].parent.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what these libraries announce of their own next versions
            write(paths[software])
    return paths


@each
def test_it_does_not_conform_and_every_reason_is_a_finding(software: str, archives: dict[str, Path]) -> None:
    report = vizschema.validate(archives[software])
    assert report.error is None
    assert report.verdict == "does not conform"
    assert Counter(finding.rule for finding in report.errors) == VERDICTS[software]
    assert all(finding.path.startswith("/") and finding.expected and finding.fix for finding in report.errors)


@each
def test_the_report_says_that_it_is_probably_no_trace(
    software: str, archives: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    report = vizschema.validate(archives[software], values=False)
    assert report.likely_profile is None
    because = BECAUSE.get(
        software.partition(",")[0], "no group of the root is called after activation, attention or logits"
    )
    assert any(f"is probably no inference trace, because {because}" in note for note in report.notes)
    assert main.main(["validate", "--trust", "--no-values", str(archives[software])]) == 1
    assert "is probably no inference" in capsys.readouterr().out


def test_a_trace_of_another_model_that_declares_nothing_is_not_said_to_be_none(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "run.zarr", zarr_format=3)
    root.create_array("activations/block_00", shape=(2, 3), dtype="float32")
    (note,) = (note for note in vizschema.validate(tmp_path / "run.zarr").notes if "no profile" in note)
    assert note.endswith("judged as trace; it looks like none of mnist, openfold, vit")


@each
@pytest.mark.parametrize("profile", ["mnist", "vit", "openfold"])
def test_it_conforms_to_no_profile(software: str, profile: str, archives: dict[str, Path]) -> None:
    report = vizschema.validate(archives[software], profile=profile)
    assert report.error is None
    assert report.errors


@pytest.mark.parametrize(
    ("software", "dtype", "codecs"),
    [
        ("tensorstore, bfloat16", "bfloat16", ["bytes"]),
        ("tensorstore, big-endian", "float32", ["blosc"]),
        ("tensorstore, Fortran order", "float64", ["blosc"]),
        ("tensorstore, sharded root", "int16", ["sharding_indexed", "transpose", "bytes", "zstd", "bytes", "crc32c"]),
    ],
)
def test_an_array_as_root_is_described_and_read(
    software: str, dtype: str, codecs: list[str], archives: dict[str, Path]
) -> None:
    path = archives[software]
    node: dict[str, Any] = vizschema.describe(path)["nodes"]["/"]
    assert (node["kind"], node["dtype"], node["shape"], node["storage"]["codecs"]) == ("array", dtype, [4, 8], codecs)
    container = open_container(str(path))
    whole = read_whole(container.values("/"), 1 << 20)
    container.close()
    assert whole is not None
    assert np.array_equal(whole.astype(np.float64), np.arange(32.0).reshape(4, 8))


def test_what_xarray_calls_its_dimensions_are_axes(archives: dict[str, Path]) -> None:
    for software in ("xarray, Zarr v2", "xarray, Zarr v3", "xarray, netCDF-4"):
        nodes = vizschema.describe(archives[software])["nodes"]
        assert nodes["/temperature"]["axes"] == ["x", "time"]
