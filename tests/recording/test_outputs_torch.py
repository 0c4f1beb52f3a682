"""`from_outputs` with what transformers itself returns: the same arrays, bit for bit, that `record` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: .ci/run tests `record` in a step of its own")

from support import torch_models as models

import vizschema
from vizschema.errors import UsageError

torch = models.torch


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_are_what_a_recording_has(tmp_path: Path, dtype: torch.dtype) -> None:
    model, tokens = models.gpt2("eager").to(dtype), models.tokens(3, 6)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    with torch.no_grad():
        with vizschema.record(model, tmp_path / "recorded.zarr"):
            model(**inputs)
        found = model(**inputs, output_hidden_states=True, output_attentions=True)
    report = vizschema.from_outputs(found, tmp_path / "found.zarr", model=model, inputs=inputs)
    assert (report.verdict, report.profile, report.values) == ("conforms", "lm", "read")
    with vizschema.open(tmp_path / "recorded.zarr") as one, vizschema.open(tmp_path / "found.zarr") as other:
        arrays = {path for path in other if hasattr(other[path], "shape")}
        assert {path for path in one if hasattr(one[path], "shape")} - arrays == {"/activations/layer_01"}
        for path in arrays:
            assert other[path].dtype == one[path].dtype
            assert other[path][...].tobytes() == one[path][...].tobytes(), path
        assert other["/metadata"].attributes | {"left_out": []} == one["/metadata"].attributes | {"left_out": []}


def test_attentions_that_sdpa_does_not_give_are_refused(tmp_path: Path) -> None:
    model, tokens = models.gpt2("sdpa"), models.tokens(1, 4)
    with torch.no_grad():
        found = model(tokens, output_attentions=True)
    with pytest.raises(UsageError, match="eager"):
        vizschema.from_outputs(found, tmp_path / "a.zarr", model=model, inputs={"input_ids": tokens})


def test_outputs_of_generate_are_refused_with_what_to_do(tmp_path: Path) -> None:
    model, tokens = models.gpt2("eager"), models.tokens(1, 4)
    options = {"return_dict_in_generate": True, "output_hidden_states": True, "pad_token_id": 0}
    with torch.no_grad():
        found = model.generate(tokens, max_new_tokens=2, **options)
    with pytest.raises(UsageError, match=r"vizschema\.record"):
        vizschema.from_outputs(found, tmp_path / "a.zarr", model=model, inputs={"input_ids": tokens})
