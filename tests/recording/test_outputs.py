"""What was computed already becomes an archive that conforms: by the names of outputs, of a cache, of modules."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vizschema
from vizschema.errors import NotConforming, UsageError

MODEL = {"/metadata": {"model_name": "tiny", "model_version": "1"}}
RNG = np.random.default_rng(0)
TOKENS = {"input_ids": np.arange(10).reshape(2, 5) % 7}
BESIDE = {**TOKENS, "logits": RNG.normal(size=(2, 5, 7)).astype("float32")}


def values(*shape: int, dtype: Any = "float32") -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(dtype)


def weights(*shape: int) -> np.ndarray[Any, Any]:
    scores = np.exp(values(*shape)) * np.tril(np.ones(shape[-2:], "float32"))
    return scores / scores.sum(-1, keepdims=True)


def outputs(**other: Any) -> dict[str, Any]:
    """What a GPT-2 of two layers returns, as transformers names it."""
    hidden = tuple(values(2, 5, 4) for _ in range(3))
    return {
        "logits": values(2, 5, 7),
        "hidden_states": hidden,
        "attentions": tuple(weights(2, 3, 5, 5) for _ in range(2)),
        **other,
    }


def cache(layers: tuple[int, ...] = (0, 1)) -> dict[str, Any]:
    """What TransformerLens keeps of a GPT-2, as it names it."""
    found = {
        "hook_embed": values(2, 5, 4),
        "hook_pos_embed": values(2, 5, 4),
        "blocks.0.ln1.hook_scale": values(2, 5, 1),
    }
    for layer in layers:
        found |= {
            f"blocks.{layer}.hook_resid_pre": values(2, 5, 4, dtype=ml_dtypes.bfloat16),
            f"blocks.{layer}.hook_resid_post": values(2, 5, 4),
            f"blocks.{layer}.attn.hook_pattern": weights(2, 3, 5, 5),
        }
    return found


def test_outputs_of_a_model(tmp_path: Path) -> None:
    given = outputs()
    report = vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=TOKENS, attributes=MODEL)
    assert (report.verdict, report.profile, report.values) == ("conforms", "lm", "read")
    with vizschema.open(tmp_path / "a.zarr") as archive:
        # Of n + 1 hidden states the first is the embedding, and the last has passed the last normalization.
        assert np.array_equal(archive["/activations/embedding"], given["hidden_states"][0])
        assert np.array_equal(archive["/activations/layer_00"], given["hidden_states"][1])
        assert np.array_equal(archive["/activations/final_norm"], given["hidden_states"][2])
        assert "/activations/layer_01" not in archive
        assert archive["/activations"].attributes == {"num_layers": 2, "partial": True}
        assert np.array_equal(archive["/attention/self/layer_01"], given["attentions"][1])
        assert archive["/attention/self/layer_01"].attributes["source"] == "captured"
        assert np.array_equal(archive["/inputs/token"], TOKENS["input_ids"])
        assert archive["/metadata"].attributes["recorder"] == "gpt2 1"
        assert "left_out" not in archive["/metadata"].attributes


def test_what_the_outputs_lack_is_said(tmp_path: Path) -> None:
    given = outputs(attentions=None)
    vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=TOKENS, attributes=MODEL)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/"].attributes["not_captured"] == ["/attention/self: not among the outputs"]


def test_attentions_that_the_kernel_hid_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for hidden in ((), (None, None)):
        with pytest.raises(UsageError, match=r"/attention/self.*`attentions`.*eager.*vizschema\.record"):
            vizschema.from_outputs(outputs(attentions=hidden), tmp_path / "a.zarr", table="gpt2", inputs=TOKENS)


def test_an_object_with_attributes_is_outputs_too(tmp_path: Path) -> None:
    given = SimpleNamespace(**outputs())
    report = vizschema.from_outputs(given, tmp_path / "a.h5", table="gpt2", inputs=TOKENS, attributes=MODEL)
    assert report.verdict == "conforms"


def test_a_cache_and_the_way_back_bit_for_bit(tmp_path: Path) -> None:
    given = cache()
    report = vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=BESIDE, attributes=MODEL)
    assert (report.verdict, report.profile) == ("conforms", "lm")
    with vizschema.open(tmp_path / "a.zarr") as archive:
        embedding = archive["/activations/embedding"][...]
        assert np.array_equal(embedding, given["hook_embed"] + given["hook_pos_embed"])
        assert archive["/metadata"].attributes["left_out"] == ["blocks.{0}.ln1.hook_scale"]
        back = vizschema.to_cache(archive)
        assert vizschema.to_cache(archive, "gpt2").keys() == back.keys()
    assert back.keys() - {"tokens"} == {name for name in given if "embed" not in name and "scale" not in name}
    assert np.array_equal(back.pop("tokens"), TOKENS["input_ids"])
    for name, array in back.items():
        assert array.dtype == given[name].dtype
        assert array.tobytes() == given[name].tobytes(), name


def test_layers_that_were_not_cached_make_a_series_partial(tmp_path: Path) -> None:
    vizschema.from_outputs(cache((1, 12)), tmp_path / "a.zarr", table="gpt2", inputs=BESIDE, attributes=MODEL)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/activations"].attributes == {"num_layers": 13, "partial": True}
        assert archive["/activations"].members == ("embedding", "layer_01", "layer_12")


def test_a_cache_without_samples_gets_one(tmp_path: Path) -> None:
    given = {name: array[0] for name, array in cache().items()}
    tokens = {name: array[0] for name, array in BESIDE.items()}
    vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=tokens, attributes=MODEL)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/attention/self/layer_00"].shape == (1, 3, 5, 5)


def test_saved_values_of_modules(tmp_path: Path) -> None:
    given = {
        "transformer.drop": values(2, 5, 4),
        "transformer.h.0.output": (values(2, 5, 4), None),
        "transformer.h.1.output[0]": values(2, 5, 4),
        "transformer.h.0.attn.output": (values(2, 5, 4), weights(2, 3, 5, 5)),
        "transformer.h.1.attn.output[1]": weights(2, 3, 5, 5),
        "transformer.ln_f": SimpleNamespace(value=values(2, 5, 4)),
        "lm_head.output": values(2, 5, 7),
    }
    vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=TOKENS, attributes=MODEL)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert np.array_equal(archive["/activations/layer_00"], given["transformer.h.0.output"][0])
        assert np.array_equal(archive["/activations/layer_01"], given["transformer.h.1.output[0]"])
        assert archive["/activations/layer_01"].attributes["module"] == "transformer.h.1"
        assert np.array_equal(archive["/attention/self/layer_00"], given["transformer.h.0.attn.output"][1])
        assert np.array_equal(archive["/attention/self/layer_01"], given["transformer.h.1.attn.output[1]"])
        assert np.array_equal(archive["/activations/final_norm"], given["transformer.ln_f"].value)
        assert archive["/activations"].attributes == {"num_layers": 2}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"nothing": values(2)}, r"expected names of table gpt2: of outputs \(.*hidden_states.*found nothing"),
        (outputs(hidden_states=((values(2, 5, 4),) * 3,) * 3), "expected a tensor or an array, found tuple.*generate"),
        (outputs(logits=values(7)), "/outputs/logits.*sample token vocabulary"),
        ({"blocks.99999999999.hook_resid_post": values(2, 5, 4)}, "numbers below 100000"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        vizschema.from_outputs(given, tmp_path / "a.zarr", table="gpt2", inputs=TOKENS, attributes=MODEL)
    assert not (tmp_path / "a.zarr").exists()


def test_a_table_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a table, or a model whose class has one"):
        vizschema.from_outputs(outputs(), tmp_path / "a.zarr")


def test_what_does_not_conform_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(NotConforming, match="/inputs/token"):
        vizschema.from_outputs(outputs(), tmp_path / "a.zarr", table="gpt2", attributes=MODEL)
    assert not (tmp_path / "a.zarr").exists()


def test_a_cache_is_asked_of_an_archive_that_names_an_installed_table(tmp_path: Path) -> None:
    attributes = {"/metadata": {**MODEL["/metadata"], "recorder": "../../secret.toml 1"}}
    logits = vizschema.Array(values(2, 3), ["sample", "class"])
    vizschema.write(tmp_path / "a.zarr", {"/outputs/logits": logits}, attributes, profile="trace")
    with vizschema.open(tmp_path / "a.zarr") as archive, pytest.raises(UsageError, match="an installed table"):
        vizschema.to_cache(archive)
