"""The real OpenFold pass on ubiquitin becomes a conforming archive, the same one in every container."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.stored_values import portable

import vizschema
from vizschema.conformance.fixtures import openfold

TARGETS = {"zarr-v2": "v2.zarr", "zarr-v3": "v3.zarr", "hdf5": "trace.h5"}


@pytest.fixture(scope="session")
def source(real: Path) -> Path:
    return real / "openfold"


@pytest.fixture(scope="session")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive in every container, written at one moment."""
    target = tmp_path_factory.mktemp("openfold")
    arrays, attributes = openfold.read(source)
    attributes["/"] = {"created_at": "2026-11-21T09:00:00Z"}
    for container, name in TARGETS.items():
        vizschema.write(target / name, arrays, attributes, profile="openfold", container=container)
    return target


@pytest.mark.parametrize("name", TARGETS.values())
def test_the_archive_conforms_without_a_warning(name: str, folder: Path) -> None:
    report = vizschema.validate(folder / name)
    assert (report.profile, report.profile_chosen, report.findings) == ("openfold", "declared", ())
    assert report.verdict == "conforms"
    assert report.coverage is not None
    assert report.coverage["chunks_read"] == report.coverage["chunks"] > 0


def test_the_three_descriptions_are_equal_but_for_container_and_storage(folder: Path) -> None:
    first, second, third = (portable(folder / name) for name in TARGETS.values())
    assert first == second == third
    assert len(first["nodes"]) == 60


@pytest.mark.parametrize("name", TARGETS.values())
def test_the_chunks_are_one_head_each(name: str, folder: Path) -> None:
    nodes = vizschema.describe(folder / name)["nodes"]
    chunks = {
        tuple(node["storage"]["chunks"])
        for path, node in nodes.items()
        if path.startswith("/attention/") and node["kind"] == "array"
    }
    assert chunks == {(1, 76, 76)}


@pytest.mark.parametrize("name", TARGETS.values())
def test_the_values_are_those_of_the_capture(name: str, folder: Path, source: Path) -> None:
    raw = np.load(source / "1ubq_4_blocks.npz")
    places = {
        "/inputs/msa": "input/msa",
        "/inputs/aatype": "input/aatype",
        "/single/layer_03": "block_03/s",
        "/pair/layer_00": "block_00/z",
        "/attention/msa_row/layer_02": "block_02/attn_msa_row_mean",
        "/attention/triangle_end/layer_01": "block_01/attn_tri_end_mean",
        "/recycle/recycle_01/coordinates": "recycle_1/final_atom_positions",
        "/outputs/atom_mask": "output/final_atom_mask",
        "/outputs/ptm": "output/ptm_score",
        "/extra/triangle_start_anchor": "block_03/attn_tri_start_residue_17",
    }
    with vizschema.open(folder / name) as archive:
        for path, key in places.items():
            assert np.array_equal(archive[path][...], raw[key]), path
        assert archive["/pair/layer_00"].dtype == np.float16
        assert archive["/outputs/atom_mask"].dtype == np.uint8
        assert archive["/attention/triangle_end/layer_01"].attributes == {
            "normalization": "softmax",
            "source": "captured",
            "anchor": "mean",
        }
    raw.close()


def test_every_array_of_the_capture_has_its_place(source: Path) -> None:
    arrays, _ = openfold.read(source)
    with np.load(source / "1ubq_4_blocks.npz") as raw:
        # The number of recycles became an attribute of the group.
        assert len(arrays) == len(set(raw.files) - {"output/num_recycles"}) + len(["/inputs/sequence"])


def test_the_rows_of_the_msa_are_named_by_their_place_in_the_alignment(source: Path) -> None:
    arrays, _ = openfold.read(source)
    msa = arrays["/inputs/msa"]
    assert msa.attributes["indices"][:3] == [0, 478, 736]
    first = "".join(openfold.MSA_LETTERS[code] for code in msa.data[0])
    assert first == arrays["/inputs/sequence"].data.tobytes().decode("ascii")


def test_an_alignment_of_another_protein_is_noticed(source: Path, tmp_path: Path) -> None:
    for path in source.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    (tmp_path / openfold.ALIGNMENT).write_text(f">other\n{'A' * 76}\n", encoding="ascii")
    with pytest.raises(ValueError, match="expected every row of the model's MSA, found 0"):
        openfold.read(tmp_path)


def test_a_mask_with_values_between_is_noticed() -> None:
    source = {"output/final_atom_mask": np.array([[0.0, 0.5]])}
    with pytest.raises(ValueError, match="expected 0 and 1 only"):
        openfold._outputs(source)
