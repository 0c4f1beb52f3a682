"""`vizschema diff`: what differs between two archives, in any containers, and where first."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import ml_dtypes
import numpy as np
import pytest

import vizschema
from vizschema.bounds import Reading
from vizschema.cli.diff import _plot
from vizschema.cli.main import main
from vizschema.difference.diff import diff_by
from vizschema.difference.structure import natural
from vizschema.difference.values import BOX, LARGEST, Differences, Tolerance, boxes
from vizschema.rules import versions

SCHEMA = json.loads((versions.root() / "diff.schema.json").read_bytes())


def written(path: Path, change: Any = None, *, created: str = "2026-01-01T00:00:00Z") -> str:
    """An archive with three layers, after `change` of their values by index."""
    layers = [np.arange(600, dtype="float32").reshape(20, 30) + index for index in range(3)]
    if change is not None:
        change(layers)
    arrays = {
        f"/activations/layer_{index:02}": vizschema.Array(each, ["token", "hidden"])
        for index, each in enumerate(layers)
    }
    attributes: dict[str, Any] = {
        "/": {"created_at": created},
        "/metadata": {"model_name": "m", "model_version": "1"},
        "/activations": {"num_layers": 3},
    }
    vizschema.write(path, arrays, attributes, profile="trace", values=False)
    return str(path)


def flip_the_last_bit(layers: list[Any]) -> None:
    layers[2].view("uint32")[-1, -1] ^= 1


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_one_bit_in_the_last_chunk_is_found_across_containers(
    trust: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.h5", flip_the_last_bit)
    assert main(["diff", *pair, *trust]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["array", "differing", "largest", "mean", "first", "at", "a", "b"]
    assert lines[1].startswith("/activations/layer_02  1 of 600   6.10351562e-05")
    assert "token 19, hidden 29  601  601.000061" in lines[1]
    assert main(["diff", *pair, "--ulp", "1", *trust]) == 0
    assert main(["diff", *pair, "--absolute", "1e-4", *trust]) == 0
    assert main(["diff", *pair, "--relative", "1e-8", *trust]) == 1


def test_attributes_differ_unless_they_are_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.npz", created="2027-01-01T00:00:00Z")
    assert main(["diff", *pair]) == 1
    expected = '/: attribute created_at: "2026-01-01T00:00:00Z" in A, "2027-01-01T00:00:00Z" in B'
    assert capsys.readouterr().out.splitlines()[0] == expected
    assert main(["diff", *pair, "--ignore", "created_at"]) == 0
    assert capsys.readouterr().out.endswith("b.npz: equal\n")


def test_the_json_form_obeys_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(layers: list[Any]) -> None:
        layers[0][3, 4] = np.nan
        layers[1] = layers[1].astype("float64")

    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.h5", change)
    assert main(["diff", *pair, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert [(each["path"], each["what"]) for each in document["structure"]] == [("/activations/layer_01", "dtype")]
    assert [(each["index"], each["a"], each["b"]) for each in document["values"]] == [([3, 4], 94.0, "nan")]


def test_a_damaged_chunk_is_unreadable_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.zarr")
    chunk = max((tmp_path / "b.zarr" / "activations" / "layer_01" / "c").rglob("0"), key=lambda each: each.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert main(["diff", *pair]) == 3
    assert "/activations/layer_01: not compared: not all of its values can be read" in capsys.readouterr().out


def test_what_is_no_archive_is_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", written(tmp_path / "a.zarr"), str(tmp_path / "none.zarr")]) == 3
    assert "no such file or folder" in capsys.readouterr().err


def texts(path: Path, names: list[str]) -> str:
    with h5py.File(path, "w") as file:
        file["layer_0"] = np.array(names, dtype=object)
        file["layer_1"] = np.array([name.encode() for name in names], "S9")
    return str(path)


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_text_is_compared_text_by_text(trust: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = texts(tmp_path / "a.h5", ["the", "cät", ""])
    assert main(["diff", first, texts(tmp_path / "b.h5", ["the", "cät", ""]), *trust]) == 0
    assert main(["diff", first, texts(tmp_path / "c.h5", ["the", "c\u202et", ""]), "--json", *trust]) == 1
    document = json.loads(capsys.readouterr().out.partition("equal\n")[2])
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    found = document["values"][0]
    shown = ("/layer_0", 1, [1], "cät", "c\\u202et", None)
    assert tuple(found[name] for name in ("path", "count", "index", "a", "b", "largest")) == shown
    assert document["series"] == [{"series": "/layer_*", "numbers": [0, 1], "largest": [None] * 2, "mean": [None] * 2}]
    assert main(["diff", first, str(tmp_path / "c.h5"), *trust]) == 1
    assert "1 of 3" in capsys.readouterr().out


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_what_is_not_compared_is_listed_beside_what_differs(
    trust: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("a", 0), ("b", 1)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["numbers"] = [value]
            file["records"] = np.zeros(2, [("x", "f4")])
            file["mixed"] = np.array(["0"], dtype=object) if value else [0]
    assert main(["diff", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), *trust]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert "/mixed: not compared: values of the dtype int64 and string are not compared" in lines
    assert "/records: not compared: values of the dtype compound are not compared" in lines
    assert any(line.startswith("/numbers  1 of 1") for line in lines)


def test_the_largest_distance_of_each_layer_is_a_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(layers: list[Any]) -> None:
        layers[0][0, 0] += 1e-3
        layers[2][0, 0] += 10

    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.h5", change)
    assert main(["diff", *pair]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("/activations/layer_*: largest by number, 0 to 2 (3)")
    assert lines[at + 1] == "  |▁ █|  1e-03 to 1e+01"
    found = vizschema.diff(*pair)
    assert [series["largest"][1] for series in found.series] == [0.0]
    assert found.series[0]["mean"][2] == pytest.approx(10 / 600)


def test_bars_of_many_layers_fit_into_a_line_and_may_be_infinite() -> None:
    numbers = list(range(500))
    series = {"series": "/layer_*", "numbers": numbers, "largest": [0.0] * 499 + ["inf"], "mean": [0.0] * 500}
    assert list(_plot(series)) == []
    series["largest"][0] = 1.0
    lines = list(_plot(series))
    assert lines[1] == f"  |▁{' ' * 61}█|  1e+00 to 1e+00"


def test_an_archive_is_compared_with_progress(tmp_path: Path) -> None:
    read: list[int] = []
    pair = written(tmp_path / "a.zarr"), written(tmp_path / "b.h5", flip_the_last_bit)
    diff_by(*pair, Reading(progress=lambda _: read.append), Tolerance())
    assert sum(read) >= 2 * 3 * 2400


@pytest.mark.parametrize("option", ["--absolute=-1", "--relative=nan", "--ulp=1.5"])
def test_a_tolerance_that_is_none_is_wrong_usage(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "a", "b", option]) == 2
    assert "of 0 or more" in capsys.readouterr().err


# Values


def found(one: Any, other: Any, **tolerance: Any) -> Differences:
    one, other = np.asarray(one), np.asarray(other)
    each = Differences(one.shape, Tolerance(**tolerance))
    each.add([(0, size) for size in one.shape], one, other)
    return each


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "complex64", ml_dtypes.bfloat16, ml_dtypes.float8_e5m2]
)
def test_nan_equals_nan(dtype: Any) -> None:
    values = np.array([1, np.nan], dtype)
    assert found(values, values).count == 0
    assert found(values, values[::-1]).count == 2


@pytest.mark.parametrize(("dtype", "count"), [("float32", 1), ("float64", 1), ("int32", 0)])
def test_zeros_of_either_sign_differ_unless_there_is_a_tolerance(dtype: str, count: int) -> None:
    pair = np.array([0.0, 1], dtype), np.array([-0.0, 1], dtype)
    assert found(*pair).count == count
    assert found(*pair, absolute=1e-30).count == 0
    assert found(*pair, ulp=1).count == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_steps_count_across_zero(dtype: Any) -> None:
    bits = f"uint{8 * np.dtype(dtype).itemsize}"
    one, other = (
        np.array([1], bits).view(dtype),
        np.array([1 | 1 << (8 * np.dtype(dtype).itemsize - 1)], bits).view(dtype),
    )
    assert [found(one, other, ulp=steps).count for steps in (1, 2)] == [1, 0]


@pytest.mark.parametrize("dtype", ["int8", "uint64", "int64", "bool", ml_dtypes.int4])
def test_whole_numbers_differ_by_their_distance(dtype: Any) -> None:
    each = found(np.array([1, 0], dtype), np.array([0, 0], dtype))
    assert (each.count, each.largest, each.mean, each.index) == (1, 1.0, 0.5, [0])


def test_the_largest_distance_of_int64_does_not_wrap() -> None:
    assert found(np.array([2**63 - 1]), np.array([-(2**63)])).largest == float(2**64)


def test_the_first_difference_is_first_in_the_order_of_the_axes() -> None:
    each = Differences((2, 4), Tolerance())
    zeros, ones = np.zeros((2, 2)), np.ones((2, 2))
    each.add([(0, 2), (2, 4)], zeros, ones)
    each.add([(0, 2), (0, 2)], zeros, np.array([[0, 0], [1, 0]]))
    assert (each.count, each.index) == (5, [0, 2])


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((), None),
        ((0, 3), None),
        ((7, 5), (2, 3)),
        ((3, 3000, 2000), None),
        ((3000, 4000), (3000, 4000)),
        ((90, 70, 500), (1, 7, 500)),
    ],
)
def test_boxes_cover_an_array_once_and_stay_small(shape: tuple[int, ...], chunks: tuple[int, ...] | None) -> None:
    seen = np.zeros(shape, "uint8")
    for box in boxes(shape, chunks, 8):
        seen[tuple(slice(*side) for side in box)] += 1
        assert 8 * math.prod(end - low for low, end in box) <= max(BOX, LARGEST)
    assert (seen == 1).all()


def test_paths_are_sorted_by_their_numbers() -> None:
    assert sorted(["/layer_10", "/layer_9", "/a"], key=natural) == ["/a", "/layer_9", "/layer_10"]
