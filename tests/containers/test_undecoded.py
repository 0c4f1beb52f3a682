"""Codecs that are not decoded: one finding about the codec, and nothing about values that nobody has read."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs.numcodecs

import vizschema
from vizschema.conformance.examples import write_example
from vizschema.containers.codecs.filters import FILTERS
from vizschema.containers.codecs.stages import STAGES
from vizschema.containers.formats import DECODED
from vizschema.containers.hdf5.chunks import PLUG_INS
from vizschema.containers.hdf5.types import filter_name

LAYER = "activations/layer_00"


def zarr_3(path: Path, codec: dict[str, Any]) -> Path:
    write_example("trace", path)
    file = path / LAYER / "zarr.json"
    document = json.loads(file.read_text())
    document["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, codec]
    file.write_text(json.dumps(document))
    for chunk in (path / LAYER / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(zlib.compress(bytes(8)))
    root = json.loads((path / "zarr.json").read_text())
    root["consolidated_metadata"]["metadata"][LAYER] = document
    (path / "zarr.json").write_text(json.dumps(root))
    return path


def zarr_2(path: Path, compressor: dict[str, Any]) -> Path:
    write_example("trace", path, container="zarr-v2")
    document = json.loads((path / LAYER / ".zarray").read_text())
    (path / LAYER / ".zarray").write_text(json.dumps({**document, "compressor": compressor}))
    copy = json.loads((path / ".zmetadata").read_text())
    copy["metadata"][f"{LAYER}/.zarray"]["compressor"] = compressor
    (path / ".zmetadata").write_text(json.dumps(copy))
    return path


def hdf5(path: Path, options: Any) -> Path:
    write_example("trace", path)
    with h5py.File(path, "r+") as file:
        plain = file[LAYER]
        values, axes = plain[...], [dimension.label for dimension in plain.dims]
        del file[LAYER]
        stored = file.create_dataset(LAYER, data=values, chunks=values.shape, **options)
        for dimension, name in zip(stored.dims, axes, strict=True):
            dimension.label = name
    return path


UNDECODED = [
    (zarr_3, "a.zarr", {"name": "numcodecs.pcodec", "configuration": {"level": 1}}),
    (zarr_3, "a.zarr", {"name": "zlib", "configuration": {"level": 1}}),
    (zarr_3, "a.zarr", {"name": "blosc", "configuration": {"cname": "snappy"}}),
    (zarr_2, "a.zarr", {"id": "jpeg"}),
    (zarr_2, "a.zarr", {"id": "blosc", "cname": "snappy"}),
    (hdf5, "a.h5", hdf5plugin.LZ4()),
    (hdf5, "a.h5", hdf5plugin.Bitshuffle()),
]


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(("write", "name", "codec"), UNDECODED)
def test_a_codec_that_is_not_decoded_is_one_finding(
    write: Any, name: str, codec: Any, isolated: bool, tmp_path: Path
) -> None:
    report = vizschema.validate(write(tmp_path / name, codec), isolated=isolated)
    assert [(found.rule, found.path) for found in report.findings] == [("portable-codec", f"/{LAYER}")]
    assert report.coverage is not None
    assert report.coverage["chunks_read"] < report.coverage["chunks"]
    assert report.coverage["bytes_read"] < report.coverage["bytes"]


def test_an_archive_with_a_codec_that_is_not_decoded_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(vizschema.NoDigest, match=f"/{LAYER}: not all of its values were read"):
        vizschema.digest(zarr_2(tmp_path / "a.zarr", {"id": "jpeg"}))


def test_the_codecs_that_are_decoded_are_those_with_a_decoder() -> None:
    assert DECODED["zarr", 2] == STAGES.keys() | FILTERS.keys() | {"packbits"}
    stages = {f"numcodecs.{name}" for name in (*STAGES, *FILTERS, "packbits")}
    assert {name for name in DECODED["zarr", 3] if name.startswith("numcodecs.")} == stages
    assert DECODED["hdf5", None] >= {filter_name(number) for number in PLUG_INS}


COMPRESSORS = ("Blosc", "Zstd", "LZ4", "GZip", "Zlib", "BZ2", "LZMA")
CHECKS = ("Shuffle", "CRC32", "CRC32C", "Adler32", "Fletcher32")


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize("name", COMPRESSORS + CHECKS)
def test_codecs_of_version_2_in_version_3_are_read_and_still_not_portable(name: str, tmp_path: Path) -> None:
    values = np.arange(24, dtype="<f4").reshape(4, 6)
    codec = getattr(zarr.codecs.numcodecs, name)()
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("x", shape=values.shape, chunks=(2, 6), dtype="<f4", compressors=[codec])[...] = values
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive.description["nodes"]["/x"]["storage"]["codecs"] == ["bytes", f"numcodecs.{name.lower()}"]
        assert (archive["/x"][...] == values).all()
    found = vizschema.validate(tmp_path / "a.zarr", profile="trace")
    assert "portable-codec" in {finding.rule for finding in found.findings}


ON_VALUES: tuple[tuple[str, dict[str, dict[str, Any]]], ...] = (
    ("<i4", {"Delta": {"dtype": "<i4"}}),
    ("<i4", {"Delta": {"dtype": "int32", "astype": "int16"}}),
    ("<f4", {"FixedScaleOffset": {"offset": 3, "scale": 2, "dtype": "<f4", "astype": "<i2"}}),
    ("<f8", {"Quantize": {"digits": 1, "dtype": "<f8"}}),
    ("<f8", {"AsType": {"encode_dtype": "<f4", "decode_dtype": "<f8"}}),
    ("bool", {"PackBits": {}}),
    (
        "<f4",
        {
            "FixedScaleOffset": {"offset": 0, "scale": 2, "dtype": "<f4", "astype": "<i4"},
            "Delta": {"dtype": "<i4"},
        },
    ),
)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize(("dtype", "filters"), ON_VALUES)
def test_filters_of_version_2_in_version_3_are_read_as_zarr_python_reads_them(
    dtype: str, filters: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    codecs = [getattr(zarr.codecs.numcodecs, name)(**options) for name, options in filters.items()]
    values = (np.arange(24) % 7).astype(dtype).reshape(4, 6)
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("x", shape=(4, 6), chunks=(3, 6), dtype=dtype, filters=codecs)[...] = values
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/x"][...].tobytes() == np.asarray(group["x"][...]).tobytes()
        assert (archive["/x"][...] == values).all()


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"<i4"', '"<f4"', "dtype float32, for values of int32"),
        ('"<i4"', "1", "dtype 1 is not a type of numbers"),
        ('"little"', '"big"', "expected little-endian values behind it"),
    ],
)
def test_a_filter_that_does_not_fit_the_array_is_damage_and_no_values(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    delta = zarr.codecs.numcodecs.Delta(dtype="<i4")
    group.create_array("x", shape=(4,), chunks=(4,), dtype="<i4", filters=[delta])[...] = 1
    document = tmp_path / "a.zarr/x/zarr.json"
    document.write_text(document.read_text().replace(old, new), encoding="utf-8")
    with (
        vizschema.open(tmp_path / "a.zarr") as archive,
        pytest.raises(vizschema.Damaged, match=words),
    ):
        archive["/x"][...]


def test_rounded_bits_are_read_as_they_were_rounded(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 12, dtype="<f4")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("x", shape=(12,), chunks=(4,), dtype="<f4", filters=[numcodecs.BitRound(4)])[...] = values
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert (archive["/x"][...] == group["x"][...]).all()  # type: ignore[index, union-attr]
    found = vizschema.validate(tmp_path / "a.zarr", profile="trace")
    assert "chunk-readable" not in {finding.rule for finding in found.findings}
