"""Times, records and bytes, which no array of the standard holds: `open` gives them as the library does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asdf
import h5py
import numpy as np
import pytest
import zarr

import vizschema
from vizschema.containers.hdf5 import texts

KINDS: dict[str, Any] = {
    "datetime": np.array(["2020-01-01", "NaT", "1999-12-31T12"], "<M8[ns]"),
    "datetime, big-endian": np.array(["2020-01-01", "NaT"], ">M8[10s]"),
    "timedelta": np.array([1, 2, -3], "<m8[us]"),
    "opaque": np.array([b"12345678", b"abcdefgh"], "V8"),
    "record": np.array([(1, 2.5), (3, 4.5)], [("a", "<i4"), ("b", "<f8")]),
    "record with text": np.array([(1, "ab"), (3, "ü")], [("a", "<i4"), ("b", "<U3")]),
    "nested record": np.array([((1, 2), 3)], [("p", [("x", "<i4"), ("y", "<f4")]), ("z", "u1")]),
    "record of rows": np.array([(1, [1, 2]), (3, [4, 5])], [("a", ">i2"), ("b", "<f4", (2,))]),
    "longdouble": np.array([1, 2.5], np.longdouble),
}


def require_same(path: Path, expected: Any) -> None:
    with vizschema.open(path) as archive:
        found = archive["/x"][...]
    plain = np.asarray(expected, expected.dtype.newbyteorder("="))
    assert found.dtype == plain.dtype
    assert found.tobytes() == plain.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_npz_is_given_as_numpy_gives_it(kind: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=KINDS[kind])
    require_same(tmp_path / "a.npz", KINDS[kind])


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("longdouble", "record of rows")])
def test_every_kind_of_zarr_is_given_as_zarr_python_gives_it(kind: str, version: Any, tmp_path: Path) -> None:
    values = KINDS[kind]
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=version)
    array = group.create_array("x", shape=(values.size + 3,), dtype=values.dtype, chunks=(2,))
    array[: values.size] = values
    require_same(tmp_path / "a.zarr", array[...])


@pytest.mark.parametrize("kind", ["datetime", "timedelta", "opaque", "record", "nested record", "record of rows"])
def test_every_kind_of_hdf5_is_given_as_h5py_gives_it(kind: str, tmp_path: Path) -> None:
    values = KINDS[kind]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        opaque = values.dtype.kind in "mM"
        file["x"] = values.astype(h5py.opaque_dtype(values.dtype)) if opaque else values
    require_same(tmp_path / "a.h5", values)


TEXT, LIST = h5py.string_dtype(), h5py.vlen_dtype(">i2")


def test_lists_and_records_with_text_of_hdf5_are_given_as_objects(tmp_path: Path) -> None:
    records = np.zeros(3, [("a", TEXT), ("b", "<f4"), ("c", [("d", LIST), ("e", TEXT, (2,))])])
    records[1] = ("müde", 2.5, (np.array([1, 2]), ["x", "y"]))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("lists", (2, 3), LIST, chunks=(1, 2), compression=1)[1] = [[1, 2], [3], []]
        file.create_dataset("list", (), LIST)[()] = np.array([258])
        file.create_dataset("records", (3,), records.dtype, chunks=(2,))[1:2] = records[1:2]
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert [list(each) for each in archive["/lists"][1]] == [[1, 2], [3], []]
        assert [list(each) for each in archive["/lists"][0]] == [[], [], []]
        assert archive["/lists"][1, 0].item().dtype == np.int16
        assert archive["/list"][...].item().tolist() == [258]
        stored = archive["/records"]
        found = stored[1:][0]
        assert stored.dtype == found.dtype == np.dtype([("a", "O"), ("b", "f4"), ("c", [("d", "O"), ("e", "O", (2,))])])
        assert (found["a"], found["b"], found["c"]["d"].tolist(), list(found["c"]["e"])) == (
            "müde",
            2.5,
            [1, 2],
            ["x", "y"],
        )
        assert stored[0]["a"] == ""


def test_lists_beyond_the_limit_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST", 4000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (2,), LIST)[:] = [np.zeros(2000), np.zeros(2000)]
    with vizschema.open(tmp_path / "a.h5") as archive, pytest.raises(vizschema.Damaged, match="more than 4000 bytes"):
        archive["/x"][...]


@pytest.mark.parametrize("kind", ["record", "record with text", "record of rows"])
def test_every_kind_of_asdf_is_given_as_asdf_gives_it(kind: str, tmp_path: Path) -> None:
    asdf.AsdfFile({"x": KINDS[kind]}).write_to(tmp_path / "a.asdf")
    require_same(tmp_path / "a.asdf", KINDS[kind])


@pytest.mark.parametrize(
    ("dtype", "fill", "expected"),
    [
        ("<M8[s]", "NaT", np.array("NaT", "M8[s]")),
        ("<M8[s]", 3600, np.array("1970-01-01T01", "M8[s]")),
        (">m8[ns]", None, np.array(0, "m8[ns]")),
        ([["a", ">i2"], ["b", "|u1"]], "AQID", np.array((258, 3), [("a", "i2"), ("b", "u1")])),
        ("|V2", "AQI=", np.array(b"\1\2", "V2")),
    ],
)
def test_the_fill_value_of_a_kind_is_read(dtype: Any, fill: Any, expected: Any, tmp_path: Path) -> None:
    document(tmp_path / "a.zarr", dtype, fill)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/x"][...].tolist() == [expected.tolist()] * 2


@pytest.mark.parametrize(
    ("dtype", "fill", "words"),
    [
        ("<M8[foo]", 0, "datetime .* Invalid datetime unit"),
        ([["a", "<i4"], ["a", "<i4"]], 0, "compound .* NumPy has no such type"),
        ([["a", "<i4"]], "AQ==", "its fill value is none of 4 bytes"),
        ("<M8[s]", "soon", "its fill value is none of 8 bytes"),
        ("|V0", None, "its items have no size"),
    ],
)
def test_a_kind_that_numpy_lacks_is_said_to_be_unread(dtype: Any, fill: Any, words: str, tmp_path: Path) -> None:
    document(tmp_path / "a.zarr", dtype, fill)
    with vizschema.open(tmp_path / "a.zarr") as archive, pytest.raises(vizschema.NotAnArchive, match=words):
        archive["/x"]


def document(path: Path, dtype: Any, fill: Any) -> None:
    """A Zarr v2 archive of one array without chunks."""
    (path / "x").mkdir(parents=True)
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    fields = {"zarr_format": 2, "shape": [2], "chunks": [2], "dtype": dtype, "fill_value": fill, "order": "C"}
    (path / "x" / ".zarray").write_text(json.dumps({**fields, "compressor": None, "filters": None}))
