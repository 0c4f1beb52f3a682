"""Dtypes of few bits: the same values, facts and digest in every container, also where only their bits are stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
import zarr
from support.traces import CONTAINERS, METADATA

import vizschema
from vizschema import Array
from vizschema.describing import describe
from vizschema.description import NIBBLES, STORED_AS

FLOATS_8 = [name for name in STORED_AS if name.startswith("float8")]


def numbers(name: str) -> Any:
    """Values of a dtype, both ends among them."""
    low, high = (0, 15) if name == "uint4" else (-8, 7) if name == "int4" else (-240, 240)
    return np.array([[low, 0, 1], [2, 3, high]]).astype(getattr(ml_dtypes, name))


def written(path: Path, container: str) -> Path:
    arrays = {f"/activations/{name}": Array(numbers(name), ["row", "column"]) for name in STORED_AS}
    attributes = {"/": {"created_at": "2026-11-21T09:00:00Z"}, "/metadata": METADATA}
    vizschema.write(path, arrays, attributes, profile="trace", container=container, values=True)
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("few")
    return {container: written(folder / container, container) for container in CONTAINERS}


def test_values_and_digest_are_the_same_in_every_container(paths: dict[str, Path]) -> None:
    assert len({vizschema.digest(path) for path in paths.values()}) == 1
    for path in paths.values():
        assert vizschema.validate(path).verdict == "conforms"
        with vizschema.open(path) as archive:
            for name in STORED_AS:
                read = archive[f"/activations/{name}"][...]
                assert (read.dtype, read.tobytes()) == (numbers(name).dtype, numbers(name).tobytes())


def test_zarr_v3_names_them_and_other_containers_store_their_bits(paths: dict[str, Path]) -> None:
    for name, stored in STORED_AS.items():
        document = json.loads((paths["zarr-v3"] / "activations" / name / "zarr.json").read_bytes())
        assert (document["data_type"], document["attributes"]) == (name, {})
        v2 = zarr.open_array(paths["zarr-v2"] / "activations" / name, zarr_format=2)
        assert (v2.dtype, v2.attrs["stored_dtype"]) == (stored, name)
        with h5py.File(paths["hdf5"]) as file:
            dataset = file[f"activations/{name}"]
            assert (dataset.dtype, dataset.attrs["stored_dtype"]) == (stored, name)


def test_a_conversion_keeps_them(paths: dict[str, Path], tmp_path: Path) -> None:
    first = vizschema.convert(paths["zarr-v3"], tmp_path / "a.h5")
    second = vizschema.convert(tmp_path / "a.h5", tmp_path / "b.zarr")
    assert first.digest == second.digest == vizschema.digest(paths["npz"])


def zarr_of(path: Path, name: str, bits: Any, fill: Any, *, stored: bool) -> Path:
    """Version 3 as other software writes it: the second chunk is absent."""
    root = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    array = {
        **{"zarr_format": 3, "node_type": "array", "shape": [8], "data_type": "uint8" if stored else name},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        **{"fill_value": fill, "codecs": [{"name": "bytes"}], "dimension_names": ["x"]},
        "attributes": {"stored_dtype": name} if stored else {},
    }
    (path / "a" / "c").mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps(root))
    (path / "a" / "zarr.json").write_text(json.dumps(array))
    (path / "a" / "c" / "0").write_bytes(bytes(bits))
    return path


@pytest.mark.parametrize("stored", [False, True])
def test_the_upper_bits_of_four_bit_integers_say_nothing(stored: bool, tmp_path: Path) -> None:
    fill = 0xF9 if stored else -7
    paths = [
        zarr_of(tmp_path / "one", "int4", [0x0F, 0xF8, 0x77, 0x00], fill, stored=stored),
        zarr_of(tmp_path / "two", "int4", [0xFF, 0x08, 0x07, 0xF0], -7 if not stored else 0x09, stored=stored),
    ]
    assert len({vizschema.digest(path) for path in paths}) == 1
    with vizschema.open(paths[0]) as archive:
        read = archive["/a"][...]
    assert read.astype(int).tolist() == [-1, -8, 7, 0, -7, -7, -7, -7]
    assert max(read.view(np.uint8)) < 16


@pytest.mark.parametrize(
    ("name", "fill", "value"),
    [("float8_e4m3fn", "0x38", 1.0), ("float8_e5m2", "Infinity", np.inf), ("float8_e5m2", 1.5, 1.5), ("uint4", 15, 15)],
)
def test_a_chunk_that_is_absent_has_the_fill_value(name: str, fill: Any, value: float, tmp_path: Path) -> None:
    with vizschema.open(zarr_of(tmp_path / "a", name, [0, 0, 0, 0], fill, stored=False)) as archive:
        assert archive["/a"][4:].astype(float).tolist() == [value] * 4


@pytest.mark.parametrize(("name", "fill"), [("int4", 8), ("uint4", -1), ("float8_e5m2", "0x3800")])
def test_a_fill_value_that_the_type_does_not_hold_is_invalid(name: str, fill: Any, tmp_path: Path) -> None:
    node = describe(str(zarr_of(tmp_path / "a", name, [0, 0, 0, 0], fill, stored=False)))["nodes"]["/a"]
    assert node["reason"] == "metadata-invalid"


@pytest.mark.parametrize("name", FLOATS_8)
@pytest.mark.parametrize("container", ["zarr-v3", "hdf5", "npz"])
def test_facts_are_those_of_the_decoded_values(container: str, name: str, tmp_path: Path) -> None:
    values = np.array([1.5, -2, np.nan, 8]).astype(getattr(ml_dtypes, name))
    given = {"/extra/x": Array(values, ["x"]), "/outputs/logits": Array(np.eye(2), ["sample", "class"])}
    vizschema.write(tmp_path / "a", given, {"/metadata": METADATA}, profile="trace", container=container)
    report = vizschema.validate(tmp_path / "a")
    assert [finding.found for finding in report.warnings if finding.rule == "extra-finite"] == ["1"]
    facts = described_with_values(tmp_path / "a")["/extra/x"]["facts"]
    assert (facts["minimum"], facts["maximum"], facts["nan"], facts["constant"]) == (-2.0, 8.0, 1, False)


def described_with_values(path: Path) -> Any:
    from vizschema.bounds import Reading
    from vizschema.validation import read

    return read(str(path), Reading(jobs=1))[0]["nodes"]


@pytest.mark.parametrize("name", sorted(NIBBLES))
def test_the_range_of_four_bit_integers_is_that_of_their_numbers(name: str, paths: dict[str, Path]) -> None:
    for path in paths.values():
        facts = described_with_values(path)[f"/activations/{name}"]["facts"]
        assert (facts["minimum"], facts["maximum"]) == ((0, 15) if name == "uint4" else (-8, 7))


@pytest.mark.parametrize(
    ("fields", "bias", "size", "name"),
    [
        ((7, 3, 4, 0, 3), 7, 1, "float8_e4m3fn"),
        ((7, 2, 5, 0, 2), 15, 1, "float8_e5m2"),
        ((15, 7, 8, 0, 7), 127, 2, "bfloat16"),
    ],
)
def test_the_types_of_hdf5_2_are_read(fields: Any, bias: int, size: int, name: str, tmp_path: Path) -> None:
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(*fields)
    kind.set_size(size)
    kind.set_ebias(bias)
    values = numbers(name).ravel()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((6,)))
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values.view(STORED_AS[name]), kind)
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert (archive["/x"].dtype, archive["/x"][...].tobytes()) == (values.dtype, values.tobytes())


def scaled(path: Path, scale: Any) -> None:
    few = Array(np.ones((2, 7), ml_dtypes.float8_e4m3fn), ["row", "column"], {"scale": scale, "block_column": 3})
    given = {
        **{"/extra/few": few, "/extra/scale": Array(np.ones((2, 3), "float32"), ["row", "column_block"])},
        "/extra/other": Array(np.ones((2, 4), "float32"), ["row", "other_block"]),
        "/outputs/logits": Array(np.eye(2), ["sample", "class"]),
    }
    vizschema.write(path, given, {"/metadata": METADATA}, profile="trace")


@pytest.mark.parametrize("scale", [0.5, "/extra/scale"])
def test_a_scale_is_a_number_or_has_one_value_for_each_block(scale: Any, tmp_path: Path) -> None:
    scaled(tmp_path / "a.npz", scale)
    assert vizschema.validate(tmp_path / "a.npz").conforms


@pytest.mark.parametrize(("scale", "rule"), [(0, "reference-path"), ("/extra/other", "reference-fits")])
def test_a_scale_that_does_not_fit_is_refused(scale: Any, rule: str, tmp_path: Path) -> None:
    with pytest.raises(vizschema.NotConforming) as refused:
        scaled(tmp_path / "a.npz", scale)
    assert {finding.rule for finding in refused.value.report.errors} == {rule}
