"""`vizschema convert`: the same archive in every container, in parts, and what cannot be carried named first."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import asdf
import h5py
import ml_dtypes
import numpy as np
import pytest
import zarr
from support.stored_values import portable
from support.traces import CONTAINERS, arrays, attributes, listing

import vizschema
from vizschema import Array, NotAnArchive, UsageError
from vizschema.cli import main
from vizschema.errors import NotSupported
from vizschema.writer.convert import convert
from vizschema.writer.forms import base

CREATED = {"/": {"created_at": "2026-11-21T09:00:00Z"}}


def written(folder: Path, container: str = "zarr-v3", **more: Array) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / CONTAINERS[container]
    given = {**arrays(), **{f"/extra/{name}": item for name, item in more.items()}}
    vizschema.write(path, given, {**attributes(), **CREATED}, profile="trace", container=container)
    return path


@pytest.mark.parametrize("target", CONTAINERS)
@pytest.mark.parametrize("source", ["zarr-v3-sharded", "hdf5", "npz"])
def test_every_container_becomes_every_other(source: str, target: str, tmp_path: Path) -> None:
    cut = Array(np.arange(96.0).reshape(8, 12), ["row", "column"], chunks=[2, 5])
    start, path = written(tmp_path / "a", source, cut=cut), tmp_path / CONTAINERS[target]
    done = convert(start, path, container=target)
    assert portable(path) == portable(start)
    assert (done.arrays, done.left) == (10, ())
    assert done.digest == vizschema.digest(path) == vizschema.digest(start)
    with vizschema.open(start) as one, vizschema.open(path) as other:
        for name, item in arrays().items():
            assert np.array_equal(one[name][...], other[name][...])
            assert other[name].dtype == np.asarray(item.data).dtype.newbyteorder("=")
    assert listing(tmp_path) == sorted(["a", path.name])


def test_chunks_are_kept_by_default_or_as_asked_for(tmp_path: Path) -> None:
    given = Array(np.arange(96.0).reshape(8, 12), ["row:one", "column"], chunks=[2, 5])
    start = written(tmp_path / "a", cut=given)
    for chunks, expected in (("keep", [2, 5]), ("default", [8, 12]), ({"row": 3}, [3, 12]), ({"column": 99}, [8, 12])):
        convert(start, tmp_path / "b.h5", chunks=chunks, overwrite=True)
        assert vizschema.describe(tmp_path / "b.h5")["nodes"]["/extra/cut"]["storage"]["chunks"] == expected
    convert(tmp_path / "b.h5", tmp_path / "c.zarr", container="zarr-v3-sharded", chunks={"row": 4})
    storage = vizschema.describe(tmp_path / "c.zarr")["nodes"]["/extra/cut"]["storage"]
    assert (storage["chunks"], storage["shards"]["shape"]) == ([4, 12], [8, 12])
    convert(tmp_path / "c.zarr", tmp_path / "d.zarr")
    assert vizschema.describe(tmp_path / "d.zarr")["nodes"]["/extra/cut"]["storage"]["shards"]["shape"] == [8, 12]


@pytest.mark.parametrize("target", ["npz", "asdf", "hdf5", "zarr-v3-sharded"])
@pytest.mark.parametrize("source", ["zarr-v2", "npz"])
def test_no_more_than_a_part_is_taken_at_once(
    source: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AT_ONCE", 4000)
    large = Array(np.random.default_rng(0).normal(size=(30, 7, 11)), ["a", "b", "c"], chunks=[4, 7, 3])
    start = written(tmp_path / "a", source, cut=large)
    taken: list[int] = []
    whole = base.PlannedArray.part
    monkeypatch.setattr(
        base.PlannedArray, "part", lambda self, region: taken.append((part := whole(self, region)).nbytes) or part
    )
    convert(start, tmp_path / CONTAINERS[target], container=target, chunks={"a": 4, "b": 7, "c": 3})
    shard = 30 * 7 * 12 * 8 if target == "zarr-v3-sharded" else 0
    assert max(taken) <= max(4000, shard)
    with vizschema.open(tmp_path / CONTAINERS[target]) as archive:
        assert np.array_equal(archive["/extra/cut"][...], large.data)


def test_rows_and_regions_cover_an_array_once() -> None:
    values = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    for cut in (None, (2, 4, 7)):
        for at_once in (8, 100, 400, 10**6):
            planned = base.PlannedArray(values, "int64", None, {}, (2, 3, 4), None, cut)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(base, "AT_ONCE", at_once)
                seen = np.zeros(values.shape, int)
                for region in planned.regions():
                    seen[region] += 1
                    assert all(side.start % length == 0 for side, length in zip(region, (2, 3, 4), strict=True))
                flat = np.concatenate([planned.part(region).ravel() for region in planned.rows()])
            assert (seen == 1).all()
            assert np.array_equal(flat, values.ravel())


def test_archives_without_axes_and_of_others_are_converted(real: Path, tmp_path: Path) -> None:
    start = real / "published" / "vit_mnist_trace.zarr"
    path = tmp_path / "vit.zarr"
    for name in ("a.npz", "b.asdf", "c.h5", "d.zip", "vit.zarr"):
        done = convert(start, tmp_path / name)
        start = tmp_path / name
        assert done.digest is not None or done.no_digest
    assert portable(path)["nodes"].keys() == portable(real / "published" / "vit_mnist_trace.zarr")["nodes"].keys()
    with vizschema.open(path) as archive, vizschema.open(real / "published" / "vit_mnist_trace.zarr") as theirs:
        assert np.array_equal(archive["/attention/layer_3"][...], theirs["/attention/layer_3"][...])


def test_axes_of_which_some_have_names_are_carried(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    group.create_array("x", data=np.zeros((2, 3)), dimension_names=("a", None))
    for name in ("b.zarr", "c.npz", "d.asdf", "e.h5"):
        convert(tmp_path / "a.zarr", tmp_path / name, container="zarr-v2" if name == "b.zarr" else None)
        assert vizschema.describe(tmp_path / name)["nodes"]["/x"]["axes"] == ["a", None]


# What cannot be carried


def problems(source: Path, target: Path, **more: Any) -> dict[str, str]:
    with pytest.raises(NotSupported) as refused:
        convert(source, target, **more)
    assert "nothing was written" in str(refused.value)
    assert not target.exists()
    return dict(refused.value.problems)


def test_what_no_container_carries_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["fine"] = [1.0]
        file["text"] = ["a"]
        file["soft"] = h5py.SoftLink("/fine")
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
        file["odd\x1b"] = [1]
        file[".hidden"] = [1]
        file["table"] = np.zeros(1, [("a", "i4")])
        file["fine"].attrs["table"] = np.zeros(1, [("a", "i4")])
    found = problems(tmp_path / "a.h5", tmp_path / "b.zarr")
    expected = {
        "/text": "found string",
        "/soft": "internal-link",
        "/outside": "external-link",
        "/odd\\u001b": "non-printable characters",
        "/.hidden": "none of them reserved (a leading dot",
        "/table": "found compound",
        "/fine": "attribute table: compound",
    }
    assert found.keys() == expected.keys()
    for path, words in expected.items():
        assert words in found[path], path


def test_a_chunk_that_would_take_all_memory_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1 << 28,), "f4", chunks=(1 << 28,))
    with pytest.raises(NotSupported, match="/x: a chunk of 1073741824 bytes exceeds the limit of 201326592"):
        convert(tmp_path / "a.h5", tmp_path / "b.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_what_one_container_has_no_room_for_is_named(tmp_path: Path) -> None:
    given = {"long": list(range(20_000)), "texts": ["a"] * 5_000, "json_attributes": ["x"], "DIMENSION_LABELS": "x"}
    for key, value in given.items():
        group = zarr.create_group(tmp_path / f"{key}.zarr", zarr_format=3, attributes={key: value})
        group.create_array("x", data=np.zeros(2))
        assert problems(tmp_path / f"{key}.zarr", tmp_path / "b.h5").keys() == {"/"}
        for name in (f"{key}.npz", f"{key}.asdf", f"{key}.zip"):
            convert(tmp_path / f"{key}.zarr", tmp_path / name)
            assert vizschema.describe(tmp_path / name)["nodes"]["/"]["attributes"] == {key: value}
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    group.create_group("attributes")
    assert problems(tmp_path / "a.zarr", tmp_path / "b.asdf") == {
        "/attributes": "in ASDF the key attributes is reserved for the attributes of a group; choose another name"
    }


def test_axes_that_cannot_be_told_are_not_lost_in_silence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [[1.0]]
        file["x"].attrs["DIMENSION_LABELS"] = ["a"]
    assert "its axes are unknown" in problems(tmp_path / "a.h5", tmp_path / "b.npz")["/x"]


def test_a_damaged_chunk_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    (path / "activations/layer_00/c/0/0/0").write_bytes(b"damaged")
    with pytest.raises(NotAnArchive, match="/activations/layer_00: cannot be read"):
        convert(path, tmp_path / "b.npz")
    assert listing(tmp_path) == ["a"]


def test_a_checksum_that_does_not_fit_ends_it_too(tmp_path: Path) -> None:
    for container in ("asdf", "npz"):
        path = written(tmp_path / container, container)
        raw = bytearray(path.read_bytes())
        raw[raw.index(np.asarray(arrays()["/activations/layer_01"].data).tobytes()) + 5] ^= 1
        path.write_bytes(raw)
        with pytest.raises(NotAnArchive, match="cannot be read"):
            convert(path, tmp_path / "b.zarr")
    assert listing(tmp_path) == ["asdf", "npz"]


def test_files_of_no_format_are_left_behind_and_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    (path / "notes.txt").write_text("x", encoding="utf-8")
    (path / "activations" / "more.txt").write_text("x", encoding="utf-8")
    assert convert(path, tmp_path / "b.h5").left == ("/notes.txt", "/activations/more.txt")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"chunks": {"heads": 1}}, "no array has an axis heads; there is head, hidden"),
        ({"chunks": "large"}, "expected keep, default, or lengths of axes"),
        ({"container": "tar"}, "container: expected one of"),
    ],
)
def test_an_argument_that_does_not_fit_is_said_so(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        convert(written(tmp_path / "a"), tmp_path / "b.h5", **more)
    assert listing(tmp_path) == ["a"]


def test_a_target_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    convert(path, tmp_path / "b.npz")
    with pytest.raises(UsageError, match="exists already"):
        convert(path, tmp_path / "b.npz")
    convert(path, tmp_path / "b.npz", overwrite=True)


# The command


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "a")
    (path / "notes.txt").write_text("x", encoding="utf-8")
    assert main.main(["convert", str(path), str(tmp_path / "b.asdf"), "--chunks", "token=2,hidden=4"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'b.asdf'}: 9 arrays, 978 bytes, digest {vizschema.digest(path)}\n"
    assert err == "vizschema: /notes.txt: not copied: not part of the archive\n"
    with asdf.open(tmp_path / "b.asdf") as file:
        gates = file["activations"]["gates"]["data"]
        assert np.array_equal(np.asarray(gates).view(ml_dtypes.bfloat16), arrays()["/activations/gates"].data)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{a}", "{b}.h5", "--chunks", "token=0"], 2, "expected lengths of axes like head=1"),
        (["{a}", "{b}.h5", "--chunks", "=4"], 2, "expected lengths of axes like head=1"),
        (["{a}", "{b}.xyz"], 2, "expected one of the suffixes"),
        (["{b}.h5", "{b}.npz"], 3, "no such file or folder"),
        (["{a}", "{b}/c/d.h5"], 2, "expected a folder to write in"),
    ],
)
def test_the_command_ends_with_a_documented_code(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = written(tmp_path / "a")
    given = [each.format(a=start, b=tmp_path / "b") for each in arguments]
    assert main.main(["convert", *given]) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_command_in_the_midst_leaves_nothing(
    container: str,
    sign: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = written(tmp_path / "a")
    (tmp_path / "b").mkdir()
    seen: list[str] = []

    def end(*_: object) -> None:
        seen.extend(path.name for path in (tmp_path / "b").iterdir())
        signal.raise_signal(sign)

    monkeypatch.setattr(sys.modules["vizschema.writer.convert"], "_compare", end)
    before = signal.getsignal(sign)
    target = tmp_path / "b" / CONTAINERS[container]
    assert main.main(["convert", str(source), str(target), "--container", container]) == 130
    name = CONTAINERS[container]
    assert sorted(seen) == [f".{name}.owner", f".{name}.partial"]  # it was being written
    assert list((tmp_path / "b").iterdir()) == []
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(sign) == before


def test_the_command_lists_what_cannot_be_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(30):
            file[f"text_{number:02}"] = ["a"]
    assert main.main(["convert", str(tmp_path / "a.h5"), str(tmp_path / "b.zarr")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "nothing was written: zarr-v3 does not support 30 of its nodes" in lines[0]
    assert "/text_00: " in lines[1]
    assert lines[-1] == "vizschema:   and 10 more"
