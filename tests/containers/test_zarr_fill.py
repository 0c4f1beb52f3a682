"""Fill values as real writers wrote them: read as zarr-python reads them, and refused where readers disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from support.stored_values import whole

import vizschema


def unwritten_2(path: Path, dtype: str, fill: Any) -> Path:
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / "x").mkdir()
    document = {"zarr_format": 2, "shape": [3], "chunks": [2], "dtype": dtype, "compressor": None}
    document |= {"fill_value": fill, "order": "C", "filters": None}
    (path / "x/.zarray").write_text(json.dumps(document))
    return path


def unwritten_3(path: Path, dtype: str, fill: Any) -> Path:
    zarr.open_group(path, mode="w", zarr_format=3).create_array("x", shape=(3,), chunks=(2,), dtype=dtype)
    file = path / "x/zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "fill_value": fill}))
    return path


READ_2 = [
    *(("<f4", text) for text in ("0.0", "0", "-1.5", "1e3", ".5", "2.", "+7", "NaN", "nan", "inf", "-inf")),
    *(("<f4", text) for text in ("Infinity", "-Infinity", "+Infinity")),
    *(("<f8", "1e400"), ("<f4", None), ("<f4", 1), (">f4", "2.5")),
    *(("<i4", fill) for fill in ("0", "7", "-7", 1.0, None)),
    *(("|u1", "255"), ("<i8", "-9223372036854775808"), ("<u8", "18446744073709551615")),
    *(("|b1", fill) for fill in (True, 1, 0, None)),
    ("<c8", [1.0, "NaN"]),
]


@pytest.mark.parametrize(("dtype", "fill"), READ_2)
def test_a_fill_value_of_version_2_is_read_as_zarr_python_reads_it(tmp_path: Path, dtype: str, fill: Any) -> None:
    path = unwritten_2(tmp_path / "a.zarr", dtype, fill)
    expected = zarr.open_array(path / "x", mode="r", zarr_format=2)[...]
    assert isinstance(expected, np.ndarray)
    np.testing.assert_array_equal(whole(path, expected), expected)


REFUSED_2 = [
    *(("<f4", fill) for fill in ("0x7fc00000", "0x1", "", "abc", "1_0", " 1", [0], True)),
    *(("<i4", fill) for fill in ("0.0", "1.5", "0x10", "", "4294967296", True, 1.5)),
    *(("|u1", "256"), ("|u1", "-1"), ("|b1", "true"), ("|b1", ""), ("|b1", 2)),
    *(("<c8", fill) for fill in (0, "0", ["0x00000000", 0], [0])),
]


@pytest.mark.parametrize(("dtype", "fill"), REFUSED_2)
def test_what_readers_take_for_different_values_is_no_fill_value_of_version_2(
    tmp_path: Path, dtype: str, fill: Any
) -> None:
    node = vizschema.describe(unwritten_2(tmp_path / "a.zarr", dtype, fill))["nodes"]["/x"]
    assert (node["kind"], node["reason"]) == ("unreadable", "metadata-invalid")
    assert "the fill_value" in node["detail"]
    assert ("write its number" in node["detail"]) is (str(fill)[:2] == "0x")


READ_3 = [
    *(("float16", "0x3c00"), ("float32", "0x7fc00000"), ("float64", "0x3ff0000000000000"), ("bool", 1)),
    *(("complex64", ["0x3f800000", 1]), ("float32", "-Infinity"), ("int32", 1.0), ("float32", -0.0)),
]


@pytest.mark.parametrize(("dtype", "fill"), READ_3)
def test_a_fill_value_of_version_3_is_read_as_zarr_python_reads_it(tmp_path: Path, dtype: str, fill: Any) -> None:
    path = unwritten_3(tmp_path / "a.zarr", dtype, fill)
    expected = zarr.open_array(path / "x", mode="r", zarr_format=3)[...]
    assert isinstance(expected, np.ndarray)
    assert whole(path, expected).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("float32", "0x1"), ("float64", "0x7fc00000"), ("float16", "0x00003c00"), ("float32", "0.0"), ("int8", "0")],
)
def test_bits_have_as_many_digits_as_the_type(tmp_path: Path, dtype: str, fill: Any) -> None:
    node = vizschema.describe(unwritten_3(tmp_path / "a.zarr", dtype, fill))["nodes"]["/x"]
    assert (node["kind"], node["reason"]) == ("unreadable", "metadata-invalid")


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [
        *((name, "uint8") for name in ("float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "int4", "uint4", "int2")),
        ("bfloat16", "uint16"),
        ("float32", None),
    ],
)
def test_a_type_that_only_tensorstore_writes_comes_with_advice(tmp_path: Path, dtype: str, advice: str | None) -> None:
    node = vizschema.describe(unwritten_2(tmp_path / "a.zarr", dtype, 0))["nodes"]["/x"]
    assert node["reason"] == "metadata-invalid"
    words = f"; store its bits as {advice} with the attribute stored_dtype, or write Zarr v3" if advice else ""
    assert node["detail"] == f"dtype {dtype} is not a NumPy type string{words}"
