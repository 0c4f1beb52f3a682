"""Arrays of text, which no conforming archive has, are read as `str` from every container; nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asdf
import h5py
import numpy as np
import pytest
import zarr

import vizschema
from vizschema import Damaged, NotAnArchive
from vizschema.errors import NotSupported

GIVEN = [["a", "müde", ""], ["日本語", "b c", "x" * 40]]
PLAIN = [["a", "b c", ""], ["x" * 40, "d", "e"]]
"""Text of ASCII, for what holds bytes."""

FIXED = np.array(GIVEN)
ANY = np.array(GIVEN, object)
BYTES = np.array(PLAIN).astype("S")


def v2(path: Path, values: Any, dtype: Any, **more: Any) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("x", shape=(2, 3), chunks=(1, 2), dtype=dtype, **more)[...] = values


def v3(path: Path, values: Any, dtype: Any, **more: Any) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("x", shape=(2, 3), dtype=dtype, **{"chunks": (1, 2), **more})[...] = values


def hdf5(path: Path, values: Any, dtype: Any, **more: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, dtype=dtype, **more)


WRITTEN: dict[str, tuple[str, Callable[[Path], Any], list[list[str]]]] = {
    "zarr v2, U": ("a.zarr", lambda path: v2(path, FIXED, "<U40"), GIVEN),
    "zarr v2, U, the other order": ("a.zarr", lambda path: v2(path, FIXED, ">U40", order="F"), GIVEN),
    "zarr v2, S": ("a.zarr", lambda path: v2(path, BYTES, "S40"), PLAIN),
    "zarr v2, any length": ("a.zarr", lambda path: v2(path, ANY, str), GIVEN),
    "zarr v3, fixed": ("a.zarr", lambda path: v3(path, FIXED, "<U40"), GIVEN),
    "zarr v3, bytes": ("a.zarr", lambda path: v3(path, BYTES, "S40"), PLAIN),
    "zarr v3, any length": ("a.zarr", lambda path: v3(path, ANY, str), GIVEN),
    "zarr v3, any length, raw": ("a.zarr", lambda path: v3(path, ANY, str, compressors=None), GIVEN),
    "zarr v3, shards": ("a.zarr", lambda path: v3(path, ANY, str, chunks=(1, 1), shards=(2, 3)), GIVEN),
    "hdf5, any length": (
        "a.h5",
        lambda path: hdf5(path, ANY, h5py.string_dtype(), chunks=(1, 2), compression=1),
        GIVEN,
    ),
    "hdf5, any length, contiguous": ("a.h5", lambda path: hdf5(path, ANY, h5py.string_dtype()), GIVEN),
    "hdf5, fixed": (
        "a.h5",
        lambda path: hdf5(path, np.char.encode(FIXED, "utf-8"), "S40", chunks=(2, 1)),
        GIVEN,
    ),
    "npz, U": ("a.npz", lambda path: np.savez(path, x=FIXED), GIVEN),
    "npz, U, packed": (
        "a.npz",
        lambda path: np.savez_compressed(path, x=np.asfortranarray(FIXED.astype(">U40"))),
        GIVEN,
    ),
    "npz, S": ("a.npz", lambda path: np.savez(path, x=BYTES), PLAIN),
    "asdf, U": ("a.asdf", lambda path: asdf.AsdfFile({"x": FIXED.copy()}).write_to(path), GIVEN),
    "asdf, S": ("a.asdf", lambda path: asdf.AsdfFile({"x": BYTES.copy()}).write_to(path), PLAIN),
}


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")  # of text in version 3
@pytest.mark.parametrize("name", WRITTEN)
def test_text_is_read_as_str(name: str, tmp_path: Path) -> None:
    suffix, write, given = WRITTEN[name]
    path = tmp_path / suffix
    write(path)
    with vizschema.open(path) as archive:
        stored = archive["/x"]
        assert stored.shape == (2, 3)
        assert stored.dtype == stored[...].dtype == np.dtypes.StringDType()
        assert stored[...].tolist() == given
        assert type(stored[1, 0].item()) is str
        assert stored[1, 0].item() == given[1][0]
        assert stored[:, 2:].tolist() == [row[2:] for row in given]
    with pytest.raises(NotSupported, match="hdf5 does not support 1 of its nodes") as refused:
        vizschema.convert(path, tmp_path / "b.h5")
    kind = vizschema.describe(path)["nodes"]["/x"]["dtype"]
    assert refused.value.problems == {
        "/x": f"expected numbers or booleans, found {kind}, which no container of the standard stores"
    }


def test_scalars_and_chunks_that_are_absent_are_text_too(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("name", shape=(), dtype="U8")[...] = "openfold"
    group.create_array("absent", shape=(3,), dtype="<U4", fill_value="none")
    hdf5(tmp_path / "a.h5", "one", h5py.string_dtype())
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/name"][...].item() == "openfold"
        assert archive["/absent"][...].tolist() == ["none"] * 3
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert archive["/x"][...].item() == "one"


def test_what_is_no_text_is_escaped(tmp_path: Path) -> None:
    hdf5(tmp_path / "a.h5", np.array([b"\xffa"]), "S2")
    np.savez(tmp_path / "a.npz", x=np.array([0xD800, 0x110000, 0x41], "<u4").view("<U3"))
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert archive["/x"][...].tolist() == ["\\xffa"]
    with vizschema.open(tmp_path / "a.npz") as archive:
        assert archive["/x"][...].tolist() == ["\ufffd\ufffdA"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "vlen-utf8: expected 2 texts"),
        (b"\x09\0\0\0", "vlen-utf8: expected 2 texts"),
        (b"\x02\0\0\0\x01\0\0\0a", "vlen-utf8: its 2 texts end after 1"),
        (b"\x02\0\0\0\x01\0\0\0a\xff\xff\xff\xff", "vlen-utf8: its 2 texts end after 1"),
    ],
)
def test_texts_that_end_early_are_damage(raw: bytes, words: str, tmp_path: Path) -> None:
    v2(tmp_path / "a.zarr", ANY, str, compressors=None)
    (tmp_path / "a.zarr/x/0.0").write_bytes(raw)
    with vizschema.open(tmp_path / "a.zarr") as archive, pytest.raises(Damaged, match=words):
        archive["/x"][...]


def test_more_text_than_is_held_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.containers.hdf5.texts.MOST", 50)
    monkeypatch.setattr("vizschema.containers.texts.MOST", 50)
    hdf5(tmp_path / "a.h5", ["x" * 30] * 2, h5py.string_dtype())
    v2(tmp_path / "a.zarr", np.array([["x" * 30] * 3] * 2, object), str)
    for path in ("a.h5", "a.zarr"):
        with vizschema.open(tmp_path / path) as archive, pytest.raises(Damaged, match=r"over-limit|undecodable"):
            archive["/x"][...]


def test_what_only_unpickling_could_read_is_never_read(tmp_path: Path) -> None:
    v2(tmp_path / "a.zarr", ANY, str)
    document = tmp_path / "a.zarr/x/.zarray"
    metadata = json.loads(document.read_bytes())
    metadata["filters"] = [{"id": "pickle"}]
    document.write_text(json.dumps(metadata), encoding="utf-8")
    np.savez(tmp_path / "a.npz", x=np.array(["a", None], object))
    for path in ("a.zarr", "a.npz"):
        with vizschema.open(tmp_path / path) as archive, pytest.raises(NotAnArchive, match="pickle"):
            archive["/x"]


def test_a_fill_value_that_is_a_number_is_text_as_zarr_python_reads_it(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("x", shape=(2,), dtype=str)
    document = tmp_path / "a.zarr/x/.zarray"
    document.write_text(json.dumps({**json.loads(document.read_text()), "fill_value": 0}), encoding="utf-8")
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/x"][...].tolist() == zarr.open_array(tmp_path / "a.zarr/x")[...].tolist() == ["0", "0"]
