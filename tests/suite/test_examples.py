"""The example of each profile conforms without a warning, in every container; so does whatever a document says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vizschema
from vizschema import UsageError
from vizschema.conformance.corpus.materialise import materialise
from vizschema.conformance.examples import example, profiles, write_example
from vizschema.rules import versions

PROFILES = ("mnist", "openfold", "trace", "vit")
SUFFIXES = {"zarr-v2": ".zarr", "zarr-v3": ".zarr", "hdf5": ".h5"}


def filled(contents: dict[str, Any], shape: tuple[int, ...] = (4, 3), dtype: str = "float64", **others: Any) -> Any:
    """The values of an array of `shape` that is filled by `contents`."""
    axes = [f"axis{number}" for number in range(len(shape))]
    sizes = dict(zip(axes, shape, strict=True))
    node = {"kind": "array", "dtype": dtype, "axes": axes, "contents": contents}
    arrays, _ = materialise({"sizes": sizes, "nodes": {"/a": node, **others}})
    return arrays["/a"].data


def test_every_profile_has_an_example() -> None:
    assert profiles("1.0.0") == PROFILES == versions.default().profiles
    assert profiles() == (*PROFILES, "lm")


@pytest.mark.parametrize("container", SUFFIXES)
@pytest.mark.parametrize("profile", PROFILES)
def test_an_example_conforms_without_a_warning(profile: str, container: str, tmp_path: Path) -> None:
    path = tmp_path / f"example{SUFFIXES[container]}"
    written = write_example(profile, path, container)
    assert (written.profile, written.findings) == (profile, ())
    report = vizschema.validate(path)
    assert report.findings == ()
    assert (report.profile, report.profile_chosen, report.spec_chosen) == (profile, "declared", "declared")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_declared_profile_is_the_one_of_the_folder(profile: str) -> None:
    assert example(profile)["profile"] == profile


@pytest.mark.parametrize("profile", PROFILES)
def test_an_example_recommends_every_size(profile: str) -> None:
    document = example(profile)
    metadata = document["nodes"]["/metadata"]["attributes"]
    assert {key: value for key, value in metadata.items() if key.startswith("size_")} == {
        f"size_{axis}": size for axis, size in document["sizes"].items()
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_the_values_of_an_example_obey_the_value_rules(profile: str) -> None:
    arrays, _ = materialise(example(profile))
    for path, item in arrays.items():
        values = np.asarray(item.data, np.float64)
        assert np.isfinite(values).all(), path
        assert values.size == 1 or values.min() < values.max(), path
        if item.attributes.get("source") == "softmax":
            assert np.allclose(values.sum(axis=-1), 1, atol=1e-6), path
            heads = values.reshape(-1, *values.shape[-2:])
            assert len(np.unique(heads, axis=0)) == len(heads), path


@pytest.mark.parametrize("profile", ["mnist", "vit"])
def test_predictions_are_the_largest_logits(profile: str) -> None:
    arrays, _ = materialise(example(profile))
    assert np.array_equal(arrays["/outputs/predictions"].data, arrays["/outputs/logits"].data.argmax(-1))


def test_the_folded_sequence_and_its_types_and_the_mask_and_its_coordinates_agree() -> None:
    arrays, _ = materialise(example("openfold"))
    letters = arrays["/inputs/sequence"].data.tobytes().decode("ascii")
    assert "".join("ARNDCQEGHILKMFPSTWYVX"[code] for code in arrays["/inputs/aatype"].data) == letters
    mask = arrays["/outputs/atom_mask"].data == 1
    assert 0 < mask.sum() < mask.size
    assert not arrays["/outputs/coordinates"].data[~mask].any()
    assert arrays["/outputs/coordinates"].data[mask].any()


def test_an_example_is_the_same_every_time() -> None:
    first, second = (materialise(example("openfold"))[0] for _ in range(2))
    assert all(np.array_equal(first[path].data, second[path].data) for path in first)


def test_an_example_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"profile 'gpt' has no example in 1\.0\.0; there is one of mnist, openfold"):
        write_example("gpt", tmp_path / "a.zarr")


def test_an_example_replaces_an_archive_only_when_asked(tmp_path: Path) -> None:
    write_example("trace", tmp_path / "a.zarr")
    with pytest.raises(UsageError, match="exists already"):
        write_example("trace", tmp_path / "a.zarr")
    assert write_example("mnist", tmp_path / "a.zarr", overwrite=True).profile == "mnist"


# Patterns of a document


def test_patterns_fill_as_they_say() -> None:
    assert not filled({"pattern": "zeros"}).any()
    assert (filled({"pattern": "constant", "value": 2.5}) == 2.5).all()
    assert filled({"pattern": "ramp", "start": 1, "step": 2}, (2, 2)).tolist() == [[1, 3], [5, 7]]
    assert filled({"pattern": "text", "text": "MQIF"}, (4,), "uint8").tobytes() == b"MQIF"
    assert np.allclose(filled({"pattern": "softmax", "seed": 1}).sum(-1), 1)
    assert (filled({"pattern": "one_hot", "seed": 1}).sum(-1) == 1).all()
    assert set(np.unique(filled({"pattern": "mask", "seed": 1}, (50,), "uint8"))) == {0, 1}
    assert set(np.unique(filled({"pattern": "classes", "axis": "axis1"}, (90, 3), "int32"))) == {0, 1, 2}
    assert set(np.unique(filled({"pattern": "classes", "count": 2}, (90,), "int32"))) == {0, 1}
    uniform = filled({"pattern": "uniform", "low": 2, "high": 3}, (99,))
    assert 2 <= uniform.min() < uniform.max() < 3
    assert abs(filled({"pattern": "normal", "mean": 5, "deviation": 0.1}, (99,)).mean() - 5) < 0.1


def test_a_smooth_array_is_the_formula_of_its_documentation() -> None:
    expected = [[np.sin(0.7 * i + 4) + np.sin(1.4 * j + 1 + 4) for j in range(3)] for i in range(4)]
    assert np.allclose(
        filled({"pattern": "smooth", "seed": 4, "scale": 2, "mean": 1}), 1 + 2 * np.array(expected) / 2**0.5
    )


def test_seeds_make_different_arrays() -> None:
    for pattern in ("smooth", "normal", "uniform", "softmax"):
        assert not np.array_equal(filled({"pattern": pattern, "seed": 1}), filled({"pattern": pattern, "seed": 2}))


def test_values_follow_from_arrays_that_come_later() -> None:
    scores = {"pattern": "normal", "seed": 3}
    largest = {"pattern": "argmax_of", "of": "/b"}
    document = {
        "sizes": {"row": 4, "column": 3},
        "nodes": {
            "/a": {"kind": "array", "dtype": "int64", "axes": ["row"], "contents": largest},
            "/b": {"kind": "array", "dtype": "float32", "axes": ["row", "column"], "contents": scores},
        },
    }
    arrays, _ = materialise(document)
    assert np.array_equal(arrays["/a"].data, arrays["/b"].data.argmax(-1))


def test_chunks_shards_and_bfloat16_come_through() -> None:
    node = {"kind": "array", "dtype": "bfloat16", "axes": ["a"], "contents": {"pattern": "ramp"}}
    arrays, _ = materialise({"sizes": {"a": 4}, "nodes": {"/a": {**node, "chunks": [2], "shards": [4]}}})
    assert (arrays["/a"].chunks, arrays["/a"].shards, arrays["/a"].data.dtype) == ([2], [4], ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"pattern": "noise"}, "/a: expected a pattern of zeros, .* found 'noise'"),
        ({"pattern": "text", "text": "M"}, r"/a: expected text to fill \(4, 3\), found \(1,\)"),
        ({"pattern": "argmax_of", "of": "/b"}, "/b: expected an array of the document"),
    ],
)
def test_a_document_that_cannot_be_filled_says_where(contents: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        filled(contents)
