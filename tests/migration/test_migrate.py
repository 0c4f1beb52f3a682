"""`vizschema migrate`: nothing is silent, nothing is invented, and what was written is proved by undoing it."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.migrations.layouts import LAYOUTS, WHO, softmax, zarr_v2
from vizschema.errors import Refused, SpecError, UsageError
from vizschema.migration import migrate as module
from vizschema.migration.mapping import read
from vizschema.migration.migrate import migrate
from vizschema.migration.operations import Unfit, apply
from vizschema.sources.folder import opened
from vizschema.sources.rows import measured_rows
from vizschema.sources.views import View, digest, parts, view_of

ENGINE = {"answers", "mapping", "migrate", "operations", "plan"}

MAPPING = """\
mapping = "1.0"
name = "own"
version = "1"
target = "1.0.0"
title = "A layout of one array"
nodes = [{from = "/acts", to = "/activations/layer_00", axes = ["token", "hidden"], group = {num_layers = 1}}]
recognise = {all = [{node = "/acts", ndim = 2}]}
set = {"/metadata" = {model_name = "net", model_version = {ask = "version"}}}
ask = {version = {why = "the file does not say"}}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return LAYOUTS["mnist-batches"].write(tmp_path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.toml").write_text(MAPPING)
    np.savez(tmp_path / "own.npz", acts=np.arange(6.0).reshape(2, 3))
    return tmp_path


def typed(source: Path, target: Path, *more: str) -> int:
    return main(["migrate", str(source), str(target), *more])


def test_the_command_asks_then_writes_and_refuses_what_it_wrote(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = old.parent / "new.zarr"
    assert typed(old, new) == 2
    assert "--set 'model_name=TEXT'  # the archive names no model\n" in capsys.readouterr().out
    answers = old.parent / "answers.toml"
    answers.write_text('model_name = "cnn"\nmodel_version = "1"\n')
    assert typed(old, new, "--answers", str(answers)) == 0
    out = capsys.readouterr().out
    assert "conforms to mnist, by the mapping mnist-batches; 5 of 5 arrays read back, undone and equal\n" in out
    assert "lost: /@archive_version: the version of the layout" in out
    assert "default: created_at = the time of the migration\n" in out
    assert typed(new, old.parent / "again.zarr") == 1
    assert "/extra/migration: it is the result of a migration already" in capsys.readouterr().err


def test_the_source_stays_as_it_is(old: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(old.rglob("*")) if path.is_file()}
    migrate(str(old), str(old.parent / "new.zarr"), answers=WHO)
    assert before == {path: path.read_bytes() for path in sorted(old.rglob("*")) if path.is_file()}


def test_a_dry_run_shows_every_node_and_writes_nothing(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(old, old.parent / "new.zarr", "--dry-run", "--set", "model_name=a", "--set", "model_version=b") == 0
    out = capsys.readouterr().out
    assert "/outputs/logits: /outputs/logits ['sample', 'class']\n" in out
    assert "/@dataset: /metadata@dataset\n" in out
    assert sorted(path.name for path in old.parent.iterdir()) == ["old.zarr"]


def test_what_no_rule_is_about_is_refused_and_can_be_given_up(old: Path) -> None:
    zarr_v2(old / "notes", {}, {"/": {"by": "me"}})
    source = zarr_v2(old.parent / "more.zarr", {**_arrays(old), "extra/mask": np.ones(3)}, {"inputs": {"seed": 1}})
    with pytest.raises(Refused) as raised:
        migrate(str(source), str(old.parent / "new.zarr"), answers=WHO)
    assert [problem.partition(";")[0] for problem in raised.value.problems] == [
        "/extra/mask: no rule of the mapping is about it",
        "/inputs@seed: no rule of the mapping is about it",
    ]
    given_up = {"lose:/extra/mask": "all ones", "lose:/inputs@seed": "unknown"}
    done = migrate(str(source), str(old.parent / "new.zarr"), answers={**WHO, **given_up})
    assert {"what": "/extra/mask", "why": "given up by the user: all ones"} in done.losses


def _arrays(path: Path) -> dict[str, Any]:
    with vizschema.open(path) as archive:
        return {name[1:]: np.asarray(node) for name, node in archive.items() if isinstance(node, vizschema.StoredArray)}


def test_a_result_that_does_not_conform_is_not_written(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = _arrays(old)
    arrays["activations/conv1"][0, 0, 0, 0] = np.nan
    source = zarr_v2(old.parent / "nan.zarr", arrays)
    assert typed(source, old.parent / "new.zarr", "--set", "model_name=a", "--set", "model_version=b") == 1
    assert "error finite" in capsys.readouterr().err
    assert not (old.parent / "new.zarr").exists()


def test_what_conforms_and_is_wrong_is_found_by_the_proof(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(path: Path, arrays: Any, *more: Any, **options: Any) -> Any:
        other = dataclasses.replace(arrays["/inputs/images"], data=arrays["/inputs/images"].data[::-1])
        return vizschema.write(path, {**arrays, "/inputs/images": other}, *more, **options)

    monkeypatch.setattr(module, "write", wrong)
    with pytest.raises(Refused, match="/inputs/images: read back and undone, it is not /inputs/images"):
        migrate(str(old), str(old.parent / "new.zarr"), answers=WHO)
    assert sorted(path.name for path in old.parent.iterdir()) == ["old.zarr"]


def test_a_target_that_exists_or_is_within_the_source_is_refused(old: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        migrate(str(old), str(old), answers=WHO)
    with pytest.raises(UsageError, match="outside of every archive"):
        migrate(str(old), str(old / "new.zarr"), answers=WHO)
    (old.parent / "arrays").mkdir()
    with pytest.raises(UsageError, match="outside the source"):
        migrate(str(old.parent / "arrays"), str(old.parent / "arrays" / "new.zarr"), answers=WHO)


def test_more_values_than_the_memory_are_refused_before_they_are_read(old: Path) -> None:
    with pytest.raises(Refused, match="raise --memory"):
        migrate(str(old), str(old.parent / "new.zarr"), answers=WHO, memory=100)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"modelname": "x"}, "found modelname; did you mean model_name?"),
        ({"model_name": "x", "lose": "x"}, "expected one of"),
    ],
)
def test_an_answer_to_no_question_is_refused(old: Path, answers: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        migrate(str(old), str(old.parent / "new.zarr"), answers=answers)
    assert words in str(raised.value)


def test_the_engine_that_reads_mappings_has_less_than_900_lines() -> None:
    engine = [path for path in Path(module.__file__).parent.glob("*.py") if path.stem in ENGINE]
    assert {path.stem for path in engine} == ENGINE
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in engine) < 900


# Mappings of one's own


def test_a_mapping_of_ones_own_is_enough(own: Path) -> None:
    mapping = str(own / "own.toml")
    done = migrate(str(own / "own.npz"), str(own / "new.h5"), mapping=mapping, answers={"version": "1"})
    assert (done.mapping, done.profile, done.proved) == ("own", "trace", 1)
    with pytest.raises(Refused, match="no mapping recognises it"):
        migrate(str(own / "own.npz"), str(own / "other.h5"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title", "titel", "'titel' is not one of the keys of a mapping"),
        ('{ask = "version"}', '{ask = "versio"}', "model_version: there is no ask versio"),
        ('"/acts", to', '"/acts(", to', "not a regular expression"),
        ("layer_00", "layer_{i:n}", "its pattern has no group i"),
        ("axes = [", 'do = [{run = "rm"}], axes = [', "one operation"),
    ],
)
def test_a_slip_in_a_mapping_is_found_before_the_source_is_read(own: Path, old: str, new: str, words: str) -> None:
    (own / "own.toml").write_text(MAPPING.replace(old, new))
    with pytest.raises(SpecError) as raised:
        read(own / "own.toml")
    assert words in str(raised.value)


# Operations and measurements


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        (softmax(2, 3, 4), [{"moveaxis": [0, -1]}, {"reshape": [12, 2]}]),
        (np.arange(4.0).reshape(1, 4), [{"squeeze": 0}, {"expand": 1}]),
        (np.array([0, 1, 1], "float16"), [{"cast": "uint8"}]),
        (np.array([0.1, 65504], "float16"), [{"cast": "float64"}]),
        (np.array("MQIF"), [{"codes": "ascii"}]),
    ],
)
def test_every_operation_is_undone_bit_for_bit(values: Any, steps: list[dict[str, Any]]) -> None:
    done = apply(view_of(values), steps)
    assert digest(done.undone(done.values.whole())) == digest(values)


@pytest.mark.parametrize(
    ("values", "step", "words"),
    [
        (np.array([0.5]), {"cast": "uint8"}, "not exact as uint8"),
        (np.array([-0.0]), {"cast": "int32"}, "not exact as int32"),
        (np.arange(6), {"reshape": [4]}, "does not fit the shape"),
        (np.array("é"), {"codes": "ascii"}, "ASCII"),
    ],
)
def test_an_operation_that_would_change_values_does_not_fit(values: Any, step: dict[str, Any], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        apply(view_of(values), [step])


@pytest.mark.parametrize("limit", [4, 40, 100, 1 << 20])
@pytest.mark.parametrize("fortran", [True, False])
def test_values_are_read_in_parts_of_any_size(limit: int, fortran: bool, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 5, 4), "float32")
    np.save(tmp_path / "a.npy", np.asfortranarray(values) if fortran else values)
    steps: list[dict[str, Any]] = [{"moveaxis": [-1, 0]}, {"reshape": [2, 60]}, {"expand": 0}, {"cast": "float64"}]
    with opened(str(tmp_path / "a.npy")) as tree:
        item = tree["/"]
        done = apply(View(item.shape, np.dtype("float32"), item.values, (2, 2, 2)), steps)
        wanted = np.moveaxis(values, -1, 0).reshape(1, 2, 60)
        for whole in (None, 0, 1, 2):
            found = list(parts(done.values, whole, limit))
            assert all(
                part.nbytes <= limit or part.size == (1 if whole is None else wanted.shape[whole]) for part in found
            )
            assert sum(part.size for part in found) == wanted.size
        assert np.array_equal(
            np.concatenate([part.ravel() for part in parts(done.values, None, limit)]), wanted.ravel()
        )
        box = (slice(0, 1), slice(0, 2), slice(7, 33))
        assert np.array_equal(done.values[box], wanted[box])
        assert digest(done.undone(done.values.whole())) == digest(values)


def test_what_take_leaves_out_is_a_loss() -> None:
    assert apply(view_of(np.ones((3, 2))), [{"take": [0, 1]}]).lost == ["all 3 entries along dimension 0 but number 1"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (softmax(2, 3, 3), "one"),
        (softmax(2, 3, 3) * np.array([[1], [0], [1]], "float32"), "one_or_zero"),
        (softmax(2, 3, 3) * np.float32(0.5), "at_most_one"),
        (np.full((2, 3, 3), 0.9, "float32"), "within"),
        (np.full((2, 3, 3), -0.9, "float32"), "outside"),
        (np.full((2, 3, 3), np.nan, "float32"), "outside"),
    ],
)
def test_row_sums_are_measured_in_a_word(values: Any, word: str) -> None:
    assert measured_rows(values, ["head", "token:query", "token:key"])[0] == word


# Untrusted sources


def test_nothing_in_a_folder_is_executed_or_followed(tmp_path: Path) -> None:
    source = tmp_path / "old"
    source.mkdir()
    np.save(source / "a.npy", np.array([_Trap()], dtype=object), allow_pickle=True)
    (source / "b.json").write_text('{"a": ')
    (source / "b.txt").write_text("Layer 0, Head 0\n0 0 1\nLayer 0, Head 1\n")
    (source / "b.npz").write_bytes(b"not a zip file")
    (source / "c.npy").symlink_to("/etc/hostname")
    (source / "d.pkl").write_bytes(pickle.dumps(_Trap()))
    (source / "e.npz").mkdir()
    with opened(str(source)) as tree:
        kinds = {path: item.kind for path, item in tree.items()}
    assert kinds == {
        "/": "group", "/a.npy": "group", "/a.npy/0": "object", "/b.json": "unreadable",
        "/b.npz": "unreadable", "/b.txt": "unreadable", "/c.npy": "link",
        "/d.pkl": "object", "/e.npz": "group",
    }  # fmt: skip


def test_a_number_of_many_digits_in_a_name_fits_no_rule(tmp_path: Path) -> None:
    np.savez(tmp_path / "old.npz", **{f"act_{'7' * 5000}_single": np.ones((2, 2))})
    with pytest.raises(Refused, match="/act_7"):
        migrate(str(tmp_path / "old.npz"), str(tmp_path / "new.zarr"), mapping="benchmark-candidates-flat")


def test_json_that_is_nested_without_end_is_an_attribute_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"deep": ' + "[" * 900 + "]" * 900 + ', "flat": 1}')
    with opened(str(tmp_path)) as tree:
        item = tree["/a.json"]
    assert (dict(item.attributes), list(item.unsupported)) == ({"flat": 1}, ["deep"])
    (tmp_path / "a.json").write_text('{"a": 1, "a": 2}')
    with opened(str(tmp_path)) as tree:
        assert (tree["/a.json"].kind, tree["/a.json"].reason) == ("unreadable", "a.json repeats the key a")


def executed() -> None:
    pytest.fail("it was executed")


class _Trap:
    def __reduce__(self) -> Any:
        return executed, ()


def test_a_folder_without_an_archive_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "weights.bin").write_bytes(b"x")
    assert typed(tmp_path / "old", tmp_path / "new.zarr") == 1
    assert "/weights.bin: file: a file of a kind that is not read here (.bin)" in capsys.readouterr().err
    assert typed(tmp_path / "none", tmp_path / "new.zarr") == 3
