"""Arrays without axes get those that the profile has at their path, where one list of them fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vizschema
from vizschema.errors import UsageError
from vizschema.rules import versions

METADATA = {"/metadata": {"model_name": "m", "model_version": "1"}}
TABLE = """
profile = "own"
[nodes]
"/single/layer_NN" = {axes = "residue single_channel", dtype = "floats"}
"/activations/x" = {axes = ["token hidden", "sample token hidden"], dtype = "floats"}
"/activations/y" = {axes = ["token hidden", "sample class"], dtype = "floats"}
"/activations/z" = {axes = "sample ...", dtype = "floats"}
"/outputs/score" = {axes = "", dtype = "floats"}
"""


def zeros(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape, dtype=int), dtype="float32").reshape(shape)


@pytest.fixture
def profile(tmp_path: Path) -> str:
    versions.clear()
    (tmp_path / "own.toml").write_text(TABLE, encoding="utf-8")
    return str(tmp_path / "own.toml")


def test_the_axes_are_those_of_the_row_that_fit_the_dimensions(tmp_path: Path, profile: str) -> None:
    path = tmp_path / "run.zarr"
    with vizschema.create(path, profile=profile, attributes=METADATA) as trace:
        trace.add("/single/layer_00", zeros(4, 3))
        trace.add("/activations/x", zeros(2, 5, 6))
        trace.add("/outputs/score", np.float32(1))
        trace.add("/activations/z", zeros(2, 3), ["sample", "own_channel"])
    nodes = vizschema.describe(path)["nodes"]
    assert nodes["/single/layer_00"]["axes"] == ["residue", "single_channel"]
    assert nodes["/activations/x"]["axes"] == ["sample", "token", "hidden"]
    assert nodes["/outputs/score"]["axes"] == []
    assert vizschema.validate(path, profile=profile).conforms


def test_a_whole_archive_is_written_without_axes(tmp_path: Path, profile: str) -> None:
    vizschema.write(tmp_path / "run.h5", {"/activations/x": vizschema.Array(zeros(5, 6))}, METADATA, profile=profile)
    assert vizschema.describe(tmp_path / "run.h5")["nodes"]["/activations/x"]["axes"] == ["token", "hidden"]


def test_profiles_of_the_specification_have_axes_too(tmp_path: Path) -> None:
    arrays = {
        "/inputs/images": zeros(2, 1, 8, 8),
        "/outputs/logits": zeros(2, 10),
        "/outputs/predictions": np.array([9, 9]),
        "/activations/embedding": zeros(2, 5, 16),
        "/activations/layer_00": zeros(2, 5, 16),
    }
    given = {path: vizschema.Array(data) for path, data in arrays.items()}
    given["/attention/self/layer_00"] = vizschema.Array(
        zeros(2, 2, 5, 5), attributes={"normalization": "none", "source": "unknown"}
    )
    report = vizschema.write(tmp_path / "run.zarr", given, METADATA, profile="vit")
    assert report.conforms


@pytest.mark.parametrize(
    ("path", "shape", "said"),
    [
        (
            "/activations/x",
            (4,),
            "expected a list of 1 axes for the shape (4,) in the profile own, found token hidden;",
        ),
        ("/activations/y", (4, 3), "expected one list of 2 axes in the profile own, found token hidden; sample class;"),
        ("/activations/z", (4, 3), "expected axes, found none, here and in the profile own"),
        ("/extra/x", (4, 3), "expected axes, found none, here and in the profile own"),
    ],
)
def test_where_it_is_unclear_what_is_meant_the_lists_are_named(
    path: str, shape: tuple[int, ...], said: str, tmp_path: Path, profile: str
) -> None:
    with vizschema.create(tmp_path / "run.zarr", profile=profile, attributes=METADATA) as trace:
        with pytest.raises(UsageError) as raised:
            trace.add(path, zeros(*shape))
        trace.add("/activations/x", zeros(5, 6))
    assert str(raised.value).startswith(f"{path}: {said}")
    assert str(raised.value).endswith("pass axes")


def test_a_profile_without_a_table_has_no_axes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="in the profile trace; pass axes"):
        vizschema.write(tmp_path / "x.zarr", {"/activations/x": vizschema.Array(zeros(2))}, METADATA, profile="trace")
