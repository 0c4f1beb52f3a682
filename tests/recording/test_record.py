"""Recordings of models of transformers: each conforms with its values, and has the bits that hooks by hand see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: .ci/run tests `record` in a step of its own")

from support import torch_models as models
from support.torch_models import ByHand, first, same_bits

import vizschema

torch = models.torch


@pytest.fixture(autouse=True)
def without_gradients() -> None:
    torch.set_grad_enabled(False)


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_a_model_is_recorded_in_two_lines(tmp_path: Path, kernel: str) -> None:
    model, inputs = models.gpt2(kernel), models.tokens(3, 6)
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr") as run:
        model(inputs)
    assert (run.table, run.profile, run.passes) == ("gpt2", "lm", 1)
    report = vizschema.validate(tmp_path / "run.zarr")
    assert (report.verdict, report.profile) == ("conforms", "lm")
    with vizschema.open(tmp_path / "run.zarr") as archive:
        assert same_bits(archive["/inputs/token"][...], inputs)
        for path, module in {
            "/activations/embedding": "transformer.drop",
            "/activations/layer_00": "transformer.h.0",
            "/activations/layer_01": "transformer.h.1",
            "/activations/final_norm": "transformer.ln_f",
            "/outputs/logits": "lm_head",
        }.items():
            assert same_bits(archive[path][...], first(hand.outputs[module][0])), path
            assert archive[path].attributes["module"] == module
        weights = archive["/attention/self/layer_01"]
        if kernel == "eager":
            assert same_bits(weights[...], hand.outputs["transformer.h.1.attn"][0][1])
            assert weights.attributes["source"] == "captured"
        else:
            assert weights.attributes["source"] == "recomputed"
            assert weights.attributes["recomputed_error"] < 1e-6
        assert archive["/activations"].attributes == {"num_layers": 2}


def test_recomputed_weights_are_those_of_eager(tmp_path: Path) -> None:
    found = []
    for kernel in ("eager", "sdpa"):
        with vizschema.record(model := models.gpt2(kernel), tmp_path / f"{kernel}.zarr"):
            model(models.tokens(2, 7))
        with vizschema.open(tmp_path / f"{kernel}.zarr") as archive:
            found.append(archive["/attention/self/layer_00"][...])
    assert np.abs(found[0] - found[1]).max() < 1e-5
