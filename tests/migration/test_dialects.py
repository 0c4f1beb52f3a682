"""The installed mappings: each recognises its layout alone, and what it makes conforms and is proved equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vizschema
from vizschema.conformance.migrations.layouts import LAYOUTS, RESIDUES, SEQUENCE, softmax, zarr_v2
from vizschema.errors import Refused, Unanswered
from vizschema.migration.mapping import installed
from vizschema.migration.migrate import migrate
from vizschema.migration.proof import RECORD
from vizschema.migration.result import Migrated
from vizschema.rules.documents import root

FOLDER = root() / "dialects"


def migrated(name: str, folder: Path) -> tuple[Migrated, vizschema.Archive]:
    old = LAYOUTS[name]
    done = migrate(str(old.write(folder)), str(folder / "new.zarr"), answers=old.answers)
    return done, vizschema.open(folder / "new.zarr")


def test_there_is_a_source_for_every_mapping_that_migrates() -> None:
    assert {name for name, dialect in installed().items() if "refuse" not in dialect.document} == set(LAYOUTS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_mapping_has_40_lines_at_most_and_the_name_of_its_file(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
    assert installed()[path.stem].name == path.stem


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_mapping_gives_an_archive_that_conforms_and_is_proved(name: str, tmp_path: Path) -> None:
    done, archive = migrated(name, tmp_path)
    old = LAYOUTS[name]
    with archive:
        record = archive[RECORD].attributes
    assert (done.mapping, done.profile, done.proved, len(done.losses)) == (name, old.profile, old.arrays, old.losses)
    assert vizschema.validate(tmp_path / "new.zarr").verdict == "conforms"
    assert (record["mapping"], len(record["arrays"]), record["losses"]) == (name, old.arrays, list(done.losses))


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_answers_every_question_has_a_line_to_paste(name: str, tmp_path: Path) -> None:
    old = LAYOUTS[name]
    with pytest.raises(vizschema.VizschemaError) as raised:
        migrate(str(old.write(tmp_path)), str(tmp_path / "new.zarr"))
    assert raised.value.exit_code == 2
    lines = str(raised.value).splitlines()[1:]
    assert {line.split("'")[1].partition("=")[0].partition(":")[0] for line in lines} == {
        key.partition(":")[0] for key in old.answers
    }
    assert list(tmp_path.glob("*new*")) == list(tmp_path.glob(".*")) == []


def test_several_runs_in_one_container_are_refused(tmp_path: Path) -> None:
    source = zarr_v2(tmp_path / "old.zarr", {"best_entries/run_0/artifacts/x/values": np.ones(3)})
    with pytest.raises(Refused, match="several runs"):
        migrate(str(source), str(tmp_path / "new.zarr"))


def test_the_first_hidden_state_is_the_embedding_and_metadata_that_the_arrays_contradict_are_lost(
    tmp_path: Path,
) -> None:
    done, archive = migrated("vit-hidden-states", tmp_path)
    with archive, vizschema.open(tmp_path / "old.zarr") as source:
        for new, old in (("embedding", "layer_0"), ("layer_00", "layer_1"), ("layer_10", "layer_11")):
            expected = np.asarray(source[f"/activations/{old}/hidden_states"])
            np.testing.assert_array_equal(np.asarray(archive[f"/activations/{new}"]), expected)
        assert "num_tokens" not in archive["/metadata"].attributes
    why = {loss["what"]: loss["why"] for loss in done.losses}
    assert why["/metadata@num_tokens"] == "it says 197; the arrays have 5"
    assert why["/metadata/layers/layer_0@attention_shape"] == "it says [2, 197, 197]; the arrays have [2, 5, 5]"
    assert "recomputed and is equal" in why["/activations/cls_output"]


def test_what_is_not_derived_after_all_is_kept(tmp_path: Path) -> None:
    source = LAYOUTS["vit-hidden-states"].write(tmp_path)
    import zarr

    zarr.open_group(str(source), mode="a", zarr_format=2)["activations/cls_output"][0, 0] = 7
    done = migrate(str(source), str(tmp_path / "new.zarr"), answers=LAYOUTS["vit-hidden-states"].answers)
    with vizschema.open(tmp_path / "new.zarr") as archive:
        assert np.asarray(archive["/extra/cls_output"])[0, 0] == 7
    assert done.proved == 27


def test_one_hidden_state_for_each_attention_is_refused(tmp_path: Path) -> None:
    source = LAYOUTS["vit-hidden-states"].write(tmp_path)
    import shutil

    shutil.rmtree(source / "activations" / "layer_11")
    with pytest.raises(Refused, match="ACTIVATIONS and ATTENTIONS_1 are 11 and 12: the first activation is the"):
        migrate(str(source), str(tmp_path / "new.zarr"), answers=LAYOUTS["vit-hidden-states"].answers)


def test_heads_that_were_last_come_first_and_texts_become_codes(tmp_path: Path) -> None:
    done, archive = migrated("issue39", tmp_path)
    with archive, vizschema.open(tmp_path / "old.zarr") as source:
        attention = archive["/attention/triangle_start/layer_00"]
        old = np.asarray(source["/attention/triangle_start/layer_00"])
        np.testing.assert_array_equal(np.asarray(attention), np.moveaxis(old, -1, 0))
        assert attention.axes == ("triangle_start_head", "residue:query", "residue:key")
        assert attention.attributes["normalization"] == "softmax"
        assert bytes(np.asarray(archive["/inputs/sequence"])).decode() == SEQUENCE
        assert archive["/outputs/coordinates"].shape == (RESIDUES, 37, 3)
        assert archive["/metadata"].attributes["num_recycles"] == 3
    assert {"value": "softmax", "by": "measured"} in done.answers.values()


def test_the_count_of_a_series_with_gaps_is_asked_and_may_be_given(tmp_path: Path) -> None:
    source = LAYOUTS["issue39"].write(tmp_path)
    for kind in ("representations/single", "representations/pair", "attention/triangle_start"):
        (source / kind / "layer_01").rename(source / kind / "layer_07")
    answers = LAYOUTS["issue39"].answers
    with pytest.raises(Unanswered, match="--set 'num_layers=INTEGER'  # the series in the source has gaps"):
        migrate(str(source), str(tmp_path / "new.zarr"), answers=answers)
    migrate(str(source), str(tmp_path / "new.zarr"), answers={**answers, "num_layers": "48"})
    with vizschema.open(tmp_path / "new.zarr") as archive:
        assert archive["/single"].attributes == {"num_layers": 48, "partial": True}


def test_kinds_of_attention_are_measured_one_by_one(tmp_path: Path) -> None:
    _, archive = migrated("issue40", tmp_path)
    with archive:
        row, end = (archive[f"/attention/{kind}/layer_00"].attributes for kind in ("msa_row", "triangle_end"))
    assert (row["normalization"], row["source"]) == ("softmax_truncated", "top_k")
    assert (end["normalization"], end["source"], end["anchor"]) == ("softmax", "captured", "mean")


def test_what_only_the_names_of_files_say_is_kept(tmp_path: Path) -> None:
    _, archive = migrated("openfold-npz", tmp_path)
    with archive:
        assert archive["/attention/triangle_start/layer_10"].attributes["anchor"] == 4
        group = archive["/attention/msa_row"].attributes
    assert (group["num_layers"], group["partial"]) == (48, True)


def test_the_largest_weights_as_text_are_read_head_by_head(tmp_path: Path) -> None:
    done, archive = migrated("openfold-text", tmp_path)
    with archive:
        group = archive["/attention_topk/triangle_start"].attributes
        indices, weights = (archive[f"/attention_topk/triangle_start/layer_02/{n}"] for n in ("indices", "weights"))
        query, key = np.asarray(indices)[1, 0]
        dense = softmax(2, RESIDUES, RESIDUES, seed=2)
        assert np.asarray(weights)[1, 0] == pytest.approx(dense[1, query, key], abs=1e-6)
        assert weights.attributes["anchor"] == "mean"
    assert (group["num_layers"], group["partial"]) == (48, True)
    assert {loss["what"] for loss in done.losses} == {"the source"}


def test_a_missing_msa_and_confidence_make_an_openfold_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "msa.npy", np.ones((3, RESIDUES), "int8"))
    np.savez(tmp_path / "out.npz", plddt=np.linspace(50, 90, RESIDUES, dtype="float32"))
    old = LAYOUTS["issue39"]
    beside = {"/inputs/msa": str(tmp_path / "msa.npy"), "/outputs/confidence": f"{tmp_path}/out.npz#/plddt"}
    done = migrate(str(old.write(tmp_path)), str(tmp_path / "new.h5"), answers=old.answers, beside=beside)
    assert done.profile == "openfold"
    del beside["/outputs/confidence"]
    less = migrate(str(tmp_path / "old.zarr"), str(tmp_path / "less.h5"), answers=old.answers, beside=beside)
    assert less.profile == "trace"
    with vizschema.open(tmp_path / "new.h5") as archive:
        assert archive[RECORD].attributes["added"]["/inputs/msa"]["file"] == "msa.npy"
