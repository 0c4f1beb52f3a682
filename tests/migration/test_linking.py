"""`migrate --link`: the chunks of the result are the files of the source, its values are equal, the source stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numcodecs import LZ4, Blosc, Delta, GZip, Zstd

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.errors import Refused, UsageError
from vizschema.migration.linking import write
from vizschema.migration.linking.stored import Stored, moved_axes
from vizschema.migration.migrate import migrate
from vizschema.migration.proof import RECORD
from vizschema.migration.result import Migrated
from vizschema.migration.verifying import verify

MAPPING = """\
mapping = "1.0"
name = "own"
version = "1"
target = "1.0.0"
title = "A layout of one array"
nodes = [{from = "/acts", do = [STEPS], to = "/activations/layer_00", axes = [AXES], group = {num_layers = 1}}]
recognise = {all = [{node = "/acts"}]}
set = {"/metadata" = {model_name = "net", model_version = "1"}}
"""

FIRST = ".".join("0" * 4)
VALUES = np.random.default_rng(0).normal(size=(5, 1, 4, 3)).astype("float32")
MOVES = {
    "none": ("", "a, b, c, d"),
    "last to front": ("{moveaxis = [-1, 0]}", "d, a, b, c"),
    "all": ("{moveaxis = [0, 3]}, {moveaxis = [0, 1]}", "a, b, c, d"),
    "squeeze": ("{squeeze = 1}, {moveaxis = [2, 0]}", "d, a, c"),
    "expand": ("{squeeze = 1}, {expand = 0}, {expand = -1}", "x, a, c, d, y"),
    "reshape": ("{reshape = [1, 5, 4, 3]}, {moveaxis = [1, 3]}", "x, c, d, a"),
}


def source_of(folder: Path, format_: int, **options: Any) -> Path:
    """A Zarr folder with the array `acts`."""
    root = zarr.open_group(str(folder / "old.zarr"), mode="w", zarr_format=format_)
    options = {"chunks": (2, 1, 4, 2), **options}
    array = root.create_array("acts", shape=VALUES.shape, dtype=options.pop("dtype", "float32"), **options)
    array[...] = VALUES
    return folder / "old.zarr"


def linked(source: Path, move: str = "last to front") -> Migrated:
    steps, axes = MOVES[move]
    named = ", ".join(f'"{axis.strip()}"' for axis in axes.split(","))
    mapping = source.parent / "own.toml"
    mapping.write_text(MAPPING.replace("STEPS", steps).replace("AXES", named))
    return migrate(str(source), str(source.parent / "new.zarr"), mapping=str(mapping), link=True)


def expected(move: str) -> Any:
    values = VALUES
    for step in json.loads(f"[{MOVES[move][0]}]".replace("{", '{"').replace(" =", '":')):
        ((name, argument),) = step.items()
        apply = {"moveaxis": lambda v, a: np.moveaxis(v, *a), "squeeze": np.squeeze, "expand": np.expand_dims}
        values = values.reshape(argument) if name == "reshape" else apply[name](values, argument)
    return values


def files(folder: Path) -> dict[str, tuple[int, bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def require_equal(folder: Path, move: str, chunks: int) -> None:
    """The result has the values, for zarr-python too, in files of the source."""
    new = folder / "new.zarr"
    with vizschema.open(new) as archive:
        np.testing.assert_array_equal(np.asarray(archive["/activations/layer_00"]), expected(move))
        assert archive[RECORD].attributes["arrays"]["/activations/layer_00"]["linked"] is True
    np.testing.assert_array_equal(zarr.open_group(str(new), mode="r")["activations/layer_00"][...], expected(move))
    ours = {each[0] for name, each in files(new).items() if "/c." in name}
    assert len(ours) == chunks
    assert ours <= {each[0] for each in files(folder / "old.zarr").values()}
    assert vizschema.validate(new).verdict == "conforms"


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("format_", [2, 3])
def test_moved_axes_need_no_new_bytes(format_: int, move: str, tmp_path: Path) -> None:
    source = source_of(tmp_path, format_)
    before = files(source)
    done = linked(source, move)
    assert (done.linked, done.proved, done.profile) == (6, 0, "trace")
    require_equal(tmp_path, move, 6)
    assert files(source) == before


@pytest.mark.parametrize(
    "options",
    [
        {"order": "F"},
        {"dtype": ">f4"},
        {"dtype": "float64", "compressors": None},
        {"compressors": Blosc("lz4", 3, -1)},
        {"compressors": Blosc("zstd", 3, 2)},
        {"compressors": Zstd(3)},
        {"compressors": GZip(3)},
        {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
        {"fill_value": np.nan},
    ],
    ids=str,
)
def test_what_version_2_can_say_is_said_in_version_3(options: dict[str, Any], tmp_path: Path) -> None:
    assert linked(source_of(tmp_path, 2, **options)).linked == 6
    require_equal(tmp_path, "last to front", 6)


@pytest.mark.parametrize(
    "options",
    [
        {"filters": [zarr.codecs.TransposeCodec(order=(3, 1, 0, 2))]},
        {"serializer": zarr.codecs.BytesCodec(endian="big")},
        {"chunk_key_encoding": {"name": "default", "separator": "."}},
        {"compressors": [zarr.codecs.BloscCodec(), zarr.codecs.Crc32cCodec()]},
    ],
    ids=["transpose", "big-endian", "dots", "codecs"],
)
def test_codecs_of_version_3_stay(options: dict[str, Any], tmp_path: Path) -> None:
    assert linked(source_of(tmp_path, 3, **options)).linked == 6
    require_equal(tmp_path, "last to front", 6)


def test_shards_are_linked_where_no_axis_moves(tmp_path: Path) -> None:
    source = source_of(tmp_path, 3, shards=(4, 1, 4, 4))
    assert linked(source, "none").linked == 2
    require_equal(tmp_path, "none", 2)
    (tmp_path / "new.zarr").rename(tmp_path / "first.zarr")
    assert linked(source, "last to front").linked == 0


@pytest.mark.parametrize("options", [{"compressors": LZ4()}, {"filters": [Delta("f4")]}], ids=["lz4", "delta"])
def test_what_version_3_has_no_portable_word_for_is_copied(options: dict[str, Any], tmp_path: Path) -> None:
    copied = linked(source_of(tmp_path, 2, **options))
    assert (copied.linked, copied.proved) == (0, 1)


def test_real_layouts_link_what_they_can_and_copy_the_rest(tmp_path: Path) -> None:
    old = LAYOUTS["issue39"]
    answers = {**old.answers, "normalization": "softmax"}
    done = migrate(str(old.write(tmp_path)), str(tmp_path / "new.zarr"), answers=answers, link=True)
    assert done.proved >= 2  # atom_mask becomes uint8, the sequence codes
    assert done.linked >= 4
    assert vizschema.validate(tmp_path / "new.zarr").verdict == "conforms"
    assert verify(tmp_path / "new.zarr", tmp_path / "old.zarr") == old.arrays


def test_a_measured_question_is_asked_since_no_value_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = LAYOUTS["issue39"].write(tmp_path)
    given = [f"--set={key}={value}" for key, value in LAYOUTS["issue39"].answers.items()]
    assert main(["migrate", str(source), str(tmp_path / "new.zarr"), "--link", *given]) == 2
    assert "what do the rows of the attention obey? (values are not read)" in capsys.readouterr().out


# The proof


def test_files_that_are_copies_are_found_by_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def copied(name: str, target: str, *, src_dir_fd: int | None = None, **_: Any) -> None:
        link(name, target, src_dir_fd=src_dir_fd)
        if src_dir_fd is not None:
            raw = Path(target).read_bytes()
            Path(target).unlink()
            Path(target).write_bytes(raw)

    source = source_of(tmp_path, 2)
    monkeypatch.setattr(write.os, "link", copied)
    with pytest.raises(Refused, match="a chunk is not the file of /acts"):
        linked(source)
    assert not (tmp_path / "new.zarr").exists()


def test_metadata_that_say_another_order_are_found_by_the_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = Stored.document

    def wrong(self: Stored, *more: Any) -> Any:
        return {**document(self, *more), "codecs": list(self.codecs)}

    source = source_of(tmp_path, 2)
    monkeypatch.setattr(Stored, "document", wrong)
    with pytest.raises(Refused, match="undone, its metadata are not those of /acts"):
        linked(source)


def test_verify_finds_a_source_that_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = source_of(tmp_path, 2)
    linked(source)
    typed = ["migrate", "--verify", str(tmp_path / "new.zarr"), str(source), "--mapping", str(tmp_path / "own.toml")]
    assert main(typed) == 0
    assert "1 of 1 arrays read back, undone and equal" in capsys.readouterr().out
    one, other = source / "acts" / FIRST, source / "acts" / FIRST.replace("0", "1", 1)
    raw = other.read_bytes()
    one.unlink()
    one.write_bytes(raw)
    assert main(typed) == 1
    assert "/activations/layer_00: read back and undone, it is not /acts" in capsys.readouterr().err


def test_verify_needs_the_result_of_a_migration(tmp_path: Path) -> None:
    source = source_of(tmp_path, 2)
    with pytest.raises(UsageError, match="expected the result of a migration"):
        verify(source, source)


# Hostile sources


def test_a_chunk_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path, 2)
    chunk = source / "acts" / FIRST
    chunk.rename(tmp_path / "elsewhere")
    chunk.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="is not a file"):
        linked(source)
    assert not (tmp_path / "new.zarr").exists()


def test_a_folder_of_chunks_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path, 3)
    (source / "acts" / "c").rename(tmp_path / "elsewhere")
    (source / "acts" / "c").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        linked(source)


def test_a_missing_chunk_is_one_of_the_fill_value_or_a_refusal(tmp_path: Path) -> None:
    source = source_of(tmp_path, 2)
    (source / "acts" / FIRST).unlink()
    assert linked(source).linked == 5
    document = json.loads((source / "acts" / ".zarray").read_bytes())
    (source / "acts" / ".zarray").write_text(json.dumps({**document, "fill_value": None}))
    (tmp_path / "new.zarr").rename(tmp_path / "first.zarr")
    with pytest.raises(Refused, match=r"chunk 0\.0\.0\.0 is missing, and there is no fill value"):
        linked(source)


@pytest.mark.parametrize("name", ["new.h5", "new.npz"])
def test_only_a_zarr_folder_has_links(name: str, tmp_path: Path) -> None:
    source = source_of(tmp_path, 2)
    with pytest.raises(UsageError, match="expected a result of the form zarr-v3"):
        migrate(str(source), str(tmp_path / name), link=True)
    np.savez(tmp_path / "old.npz", acts=VALUES)
    with pytest.raises(UsageError, match="expected a Zarr folder"):
        migrate(str(tmp_path / "old.npz"), str(tmp_path / "new.zarr"), link=True)


@pytest.mark.parametrize("steps", [[{"cast": "float64"}], [{"take": [0, 1]}], [{"reshape": [20, 3]}]], ids=str)
def test_what_changes_values_or_chunks_moves_no_axis(steps: Any) -> None:
    assert moved_axes(steps, VALUES.shape) is None
