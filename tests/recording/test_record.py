"""Recordings of real models: what is in them has the bits that hooks by hand see, and what is unsure is refused.

They need torch: `.ci/torch` runs them. `python -m vizschema.conformance.recorded` records all models.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not os.environ.get("VIZSCHEMA_TORCH"):
    WHY = "is not installed: .ci/run tests `record` in a step of its own"
    pytest.importorskip("torch", reason=f"torch {WHY}")
    pytest.importorskip("transformers", reason=f"transformers {WHY}")

import torch
import transformers
from torch.utils.checkpoint import checkpoint

import vizschema
from vizschema.conformance.fixtures import training, vit
from vizschema.conformance.recorded import models, own, ranks
from vizschema.conformance.recorded.__main__ import faults, generated, of_its_own, one
from vizschema.conformance.recorded.hand import ByHand
from vizschema.recording.record import MEMORY
from vizschema.recording.weights import recomputed

IDS = torch.tensor([[5, 9, 7, 8, 20, 11], [4, 6, 6, 13, 8, 9]])
LEFT = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def small(kernel: str = "eager") -> Any:
    """The cheapest model that has all kinds of rows."""
    return models.built("gpt2", kernel)


def batch(model: Any, number: int) -> None:
    model(torch.randint(4, 30, (2, 6), generator=torch.Generator().manual_seed(number)))


def values(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with vizschema.open(path) as archive:
        return {each: node[...] for each, node in archive.items() if isinstance(node, vizschema.StoredArray)}


@pytest.mark.parametrize(
    ("name", "kernel", "dtype", "samples"),
    [
        ("gpt2", "eager", torch.float32, 1),
        ("llama", "sdpa", torch.bfloat16, 3),
        ("mixtral", "eager", torch.bfloat16, 3),
        ("t5", "sdpa", torch.float32, 3),
        ("bart", "eager", torch.float32, 3),
        ("bert", "sdpa", torch.float32, 1),
        ("vit", "sdpa", torch.bfloat16, 3),
        ("mamba", "eager", torch.float32, 3),
        ("esm2", "eager", torch.float32, 3),
    ],
)
def test_two_lines_record_the_bits_that_hooks_by_hand_see(
    tmp_path: Path, name: str, kernel: str, dtype: Any, samples: int
) -> None:
    assert one(name, kernel, dtype, samples, tmp_path) == []


def test_the_output_of_block_i_is_hidden_state_i_plus_1(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, images = vit.build().eval(), torch.rand(2, 1, 28, 28)
    training.write(tmp_path / "vit.npz", model, images, np.array([3, 9], "uint8"), "vit", {"license": "Apache-2.0"})
    again = model(images, output_hidden_states=True, output_attentions=True)
    arrays, _ = vit.read(tmp_path / "vit.npz")
    assert set(arrays) == set(vit.read()[0])
    assert len(again.hidden_states) == vit.BLOCKS + 1
    names = ["embedding", *(f"layer_{block:02}" for block in range(vit.BLOCKS))]
    for name, state in zip(names, again.hidden_states, strict=True):
        assert np.array_equal(arrays[f"/activations/{name}"].data, state.half().numpy())
    for block, weights in enumerate(again.attentions):
        assert np.array_equal(arrays[f"/attention/self/layer_{block:02}"].data, weights.half().numpy())


@pytest.mark.parametrize("name", models.CNNS)
def test_a_cnn_without_a_table_of_its_own_has_axes_of_its_modules(tmp_path: Path, name: str) -> None:
    with ByHand(model := models.CNNS[name]()) as hand, vizschema.record(model, tmp_path / "cnn.zarr") as run:
        model(torch.rand(3, 1, 16, 16))
    assert run.profile == "mnist"
    assert faults(tmp_path / "cnn.zarr", hand) == []
    with vizschema.open(tmp_path / "cnn.zarr") as archive:
        first = archive["/activations/conv1" if name == "cnn, named" else "/activations/conv2d_0"]
        assert first.axes == ("sample", *(f"{first.path[13:]}_{word}" for word in ("channel", "height", "width")))
        assert (first[...] < 0).any()  # before the ReLU that changes it in place


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_a_generation_is_that_of_one_call_over_the_whole_text(tmp_path: Path, name: str) -> None:
    assert generated(name, "sdpa", torch.float32, 2, tmp_path) == []
    with vizschema.open(tmp_path / "generated.zarr") as archive:
        assert archive["/outputs/token"].shape == (2, 5)
        assert archive["/extra/generation/logits"].axes == ("sample", "new_token", "vocabulary")


def test_an_encoder_is_where_the_profile_has_it_and_counts_its_own_blocks(tmp_path: Path) -> None:
    model = models.built("bart")
    with vizschema.record(model, tmp_path / "run.zarr") as run:
        model(**models.inputs("bart", 2))
    assert run.profile == "lm"
    with vizschema.open(tmp_path / "run.zarr") as archive:
        counts = {"/encoder": 3, "/attention/encoder": 3, "/activations": 2, "/attention/cross": 2}
        assert {path: archive[path].attributes["num_layers"] for path in counts} == counts
        assert archive["/attention/encoder/layer_02"].axes == (
            "sample",
            "head",
            "source_token:query",
            "source_token:key",
        )


def test_padded_rows_are_masked_and_grouped_heads_are_heads_in_each_step(tmp_path: Path) -> None:
    model = models.built("llama", "sdpa")
    with vizschema.record(model, tmp_path / "run.zarr"):
        model.generate(IDS, attention_mask=LEFT, max_new_tokens=3, do_sample=False)
    with vizschema.open(tmp_path / "run.zarr") as archive:
        weights = archive["/attention/self/layer_00"]
        assert weights.shape == (2, 4, 8, 8)
        assert weights.attributes["normalization"] == "softmax_masked"
        assert weights.attributes["mask"] == "/inputs/mask"
        assert weights.attributes["kv_heads"] == 2
        assert archive["/inputs/mask"][...].tolist() == [[True] * 8, [False] * 2 + [True] * 6]
        assert not weights[1, :, :2].any()
        assert np.allclose(weights[1, :, 2:].sum(-1), 1, atol=1e-5)
        assert not np.triu(weights[0, 0], 1).any()


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("Mistral", {"sliding_window": 3}, [3, 3]),
        ("Mistral", {"sliding_window": None}, [None, None]),
        ("Qwen2Moe", {"sliding_window": 3, "use_sliding_window": True, "max_window_layers": 2}, [3, None]),
    ],
)
def test_a_sliding_window_is_said_of_the_layers_that_have_one(
    tmp_path: Path, name: str, more: dict[str, Any], expected: list[int | None]
) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = getattr(transformers, f"{name}Config")(**sizes, num_key_value_heads=2, vocab_size=101, **more)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with vizschema.record(model, tmp_path / "run.zarr"):
        model(IDS)
    with vizschema.open(tmp_path / "run.zarr") as archive:
        for number, window in enumerate(expected):
            weights = archive[f"/attention/self/layer_{number:02}"]
            assert weights.attributes.get("sliding_window") == window
            assert bool(np.tril(weights[0, 0], -3).any()) is (window is None)
    assert vizschema.validate(tmp_path / "run.zarr").conforms


def test_calls_add_samples_and_a_recording_that_failed_goes_on(tmp_path: Path) -> None:
    model = small()

    def fails(*_: Any) -> None:
        raise MemoryError("no memory")

    with pytest.raises(MemoryError, match="no memory"), vizschema.record(model, tmp_path / "run.zarr"):  # noqa: PT012
        batch(model, 0)
        hook = model.transformer.h[1].mlp.register_forward_pre_hook(fails)
        batch(model, 1)
    hook.remove()
    root = vizschema.describe(tmp_path / "run.zarr")["nodes"]["/"]["attributes"]
    assert (root["complete"], root["failure"]) == (False, "MemoryError in transformer.h.1.mlp")
    with vizschema.record(model, tmp_path / "run.zarr", resume=True):
        batch(model, 1)
    assert vizschema.validate(tmp_path / "run.zarr").conforms
    with vizschema.record(model, tmp_path / "whole.zarr", append="sample", memory=1):
        batch(model, 0)
        batch(model, 1)
    left, right = values(tmp_path / "run.zarr"), values(tmp_path / "whole.zarr")
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[path], right[path]) for path in left)
    assert left["/activations/layer_00"].shape == (4, 6, 32)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_writer_that_fails_reaches_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    model = small()
    with pytest.raises(OSError, match="disk full"), vizschema.record(model, tmp_path / "run.zarr"):  # noqa: PT012
        monkeypatch.setattr(vizschema.Trace, "add", full)
        batch(model, 0)
    assert not vizschema.validate(tmp_path / "run.zarr").conforms


def test_threads_that_call_one_model_keep_their_samples_together(tmp_path: Path) -> None:
    model = small()
    with vizschema.record(model, tmp_path / "run.zarr"):
        threads = [threading.Thread(target=batch, args=(model, number)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = values(tmp_path / "run.zarr")
    again = model(torch.tensor(found["/inputs/token"])).logits.numpy()
    assert np.allclose(found["/outputs/logits"], again, atol=1e-5)


def test_a_compiled_model_is_recorded_uncompiled_and_says_so(tmp_path: Path) -> None:
    model = torch.compile(small(), backend="eager")
    model(IDS)
    with vizschema.record(model, tmp_path / "run.zarr"):
        model(IDS)
    with vizschema.open(tmp_path / "run.zarr") as archive:
        assert archive["/metadata"].attributes["compiled"] is False
        assert archive["/activations/layer_00"].attributes["module"] == "transformer.h.0"


def test_what_is_selected_conforms_with_what_the_profile_requires(tmp_path: Path) -> None:
    model = small()
    with vizschema.record(
        model, tmp_path / "run.zarr", select=["self/layer_01", "residual/mid"], cast="float16"
    ) as run:
        model(IDS)
    mid = ["/residual/mid/layer_00", "/residual/mid/layer_01"]
    assert run.nodes == ["/attention/self/layer_01", "/inputs/token", "/outputs/logits", *mid]
    with vizschema.open(tmp_path / "run.zarr") as archive:
        assert archive["/"].attributes["not_captured"] == ["/activations: not selected"]
        assert archive["/attention/self"].attributes == {"num_layers": 2, "partial": True}
        assert archive["/residual/mid/layer_00"].dtype == np.float16


def test_the_states_of_mamba_are_those_of_its_cache(tmp_path: Path) -> None:
    model = models.built("mamba")
    with vizschema.record(model, tmp_path / "run.zarr", select=["layer_01"]):
        cache = model(IDS).cache_params.layers[1]
    found = values(tmp_path / "run.zarr")
    assert np.array_equal(found["/state/ssm/layer_01"], cache.recurrent_states[0].numpy())
    assert np.array_equal(found["/state/conv/layer_01"], cache.conv_states[0].numpy())
    assert found["/state/ssm/layer_01"].shape == (2, 64, 5)
    assert vizschema.validate(tmp_path / "run.zarr").conforms


def test_metadata_name_no_place_of_this_machine(tmp_path: Path) -> None:
    small().save_pretrained(tmp_path / "checkpoint")
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "checkpoint").eval()
    with vizschema.record(model, tmp_path / "run.zarr", digest=True):
        model(IDS)
    with vizschema.open(tmp_path / "run.zarr") as archive:
        known = archive["/metadata"].attributes
    assert "checkpoint" not in str({key: value for key, value in known.items() if key != "checkpoint_sha256"})
    assert re.fullmatch("[0-9a-f]{64}", known["checkpoint_sha256"])
    assert known["configuration"]["n_layer"] == 2
    assert (known["dtype"], known["device"], known["model_class"]) == ("float32", "cpu", "GPT2LMHeadModel")


ROWS = [
    {"module": "layers[.]([0-9]+)", "value": "out", "node": "/activations/layer_{0}", "axes": "sample token hidden"},
    {
        "module": "layers[.]([0-9]+)[.]self_attn",
        "value": "weights",
        "node": "/attention/self/layer_{0}",
        "axes": "sample head token:query token:key",
        "attributes": {"normalization": "softmax"},
    },
]


def encoder() -> Any:
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def test_weights_of_multi_head_modules_are_those_that_they_give_when_asked(tmp_path: Path) -> None:
    model, given = encoder().eval(), torch.randn(2, 5, 16)
    with vizschema.record(model, tmp_path / "run.zarr", table=ROWS) as run:
        model(given)
    inner = model.layers[0].self_attn
    asked = inner(given, given, given, need_weights=True, average_attn_weights=False)[1].numpy()
    found = values(tmp_path / "run.zarr")["/attention/self/layer_00"]
    assert run.profile == "trace"
    assert np.abs(found - asked).max() < 1e-6
    assert vizschema.validate(tmp_path / "run.zarr").conforms


def test_the_axes_of_a_model_without_a_table_follow_from_its_shapes(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.GPTNeoXConfig(**sizes, vocab_size=101, attn_implementation="sdpa")
    model = transformers.GPTNeoXForCausalLM(config).eval()
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr") as run:
        model(IDS)
    assert (run.table, run.profile) == ("drafted", "lm")
    assert faults(tmp_path / "run.zarr", hand) == []


@pytest.mark.parametrize("name", own.OWN)
def test_the_first_call_says_the_axes_of_a_model_of_ones_own(tmp_path: Path, name: str) -> None:
    assert of_its_own(name, tmp_path) == []


class Sum(torch.nn.Module):
    """A model of any number of inputs, which keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(4, 2), OrderedDict[int, Any]()

    def forward(self, *inputs: Any, scale: float = 1.0) -> Any:
        self.seen[len(self.seen)] = sum(inputs)
        return self.layer(self.seen[len(self.seen) - 1]) * scale


def test_inputs_without_names_have_numbers_and_what_a_model_keeps_is_of_real_calls(tmp_path: Path) -> None:
    model, given = Sum(), torch.rand(2, 3, 4)
    with vizschema.record(model, tmp_path / "run.zarr") as run:
        model(*given, scale=2.0)
    assert run.nodes == ["/activations/layer", "/inputs/input_0", "/inputs/input_1", "/outputs/output"]
    assert np.array_equal(values(tmp_path / "run.zarr")["/inputs/input_1"], given[1].numpy())
    assert [each.device.type for each in model.seen.values()] == ["cpu"]


def test_what_the_first_call_does_not_say_is_refused_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = own.Rows()
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    with (
        pytest.raises(vizschema.UsageError, match=r"dimension 0 of x \[3, 5, 4\]; dimension 1 of x .*table=\["),
        vizschema.record(model, tmp_path / "run.zarr"),
    ):
        model(torch.rand(3, 5, 4))
    assert not (tmp_path / "run.zarr").exists()
    assert {name: dict(vars(module)) for name, module in model.named_modules()} == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    with pytest.raises(vizschema.UsageError, match="not called"), vizschema.record(model, tmp_path / "run.zarr"):
        pass


@pytest.mark.parametrize("way", ["ddp", "fully_shard"])
def test_archives_of_several_ranks_are_joined(tmp_path: Path, way: str) -> None:
    target, ids = ranks.joined(tmp_path, way), own.OWN[ranks.NAME].inputs()[0][: ranks.COUNT]
    found = values(target)
    assert np.array_equal(found["/inputs/token"], ids.numpy())
    assert np.allclose(found["/outputs/logits"], own.built(ranks.NAME)(ids).numpy(), atol=1e-6)
    assert vizschema.validate(target).conforms
    with vizschema.open(target) as archive:
        assert archive["/activations/layer_00"].attributes["module"] == "blocks.0"
        assert archive["/metadata"].attributes["model_class"] == "Text"


def test_a_small_esmfold_conforms_to_openfold_with_what_each_recycle_gives(tmp_path: Path) -> None:
    heads = {"sequence_state_dim": 32, "pairwise_state_dim": 16, "sequence_head_width": 8, "pairwise_head_width": 4}
    sizes = {"sequence_dim": 32, "pairwise_dim": 16, "ipa_dim": 4, "resnet_dim": 16, "num_heads_ipa": 2}
    structure = {**sizes, "num_qk_points": 2, "num_v_points": 2, "num_blocks": 2, "num_resnet_blocks": 1}
    trunk = {**heads, "num_blocks": 2, "position_bins": 8, "max_recycles": 2, "structure_module": structure}
    config = transformers.EsmConfig(
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48},
        **{"vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32, "position_embedding_type": "rotary"},
        is_folding_model=True,
        esmfold_config={"trunk": trunk, "fp16_esm": False, "lddt_head_hid_dim": 8},
    )
    model = transformers.EsmForProteinFolding(config).eval()
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr") as run:
        output = model(IDS[:1])
    assert (run.table, run.profile) == ("esmfold", "openfold")
    found = values(tmp_path / "run.zarr")
    for block in range(2):
        single, pair = hand.returned[f"trunk.blocks.{block}"][-1]
        assert np.array_equal(found[f"/single/layer_{block:02}"], single[0].numpy())
        assert np.array_equal(found[f"/pair/layer_{block:02}"], pair[0].numpy())
        single, pair = hand.returned["trunk.blocks.1"][block]
        assert np.array_equal(found[f"/recycle/recycle_{block:02}/single"], single[0].numpy())
        assert np.array_equal(found[f"/recycle/recycle_{block:02}/pair"], pair[0].numpy())
    assert found["/inputs/sequence"].tobytes() == b"".join(b"ARNDCQEGHILKMFPSTWYVX"[i : i + 1] for i in IDS[0])
    assert np.array_equal(found["/outputs/coordinates"], output.positions[-1, 0].numpy())
    assert np.array_equal(found["/extra/confidence"], output.plddt[0].numpy())
    report = vizschema.validate(tmp_path / "run.zarr")
    assert (report.verdict, report.profile, report.values) == ("conforms", "openfold", "read")
    declared = {"/attention", "/inputs/msa", "/outputs/confidence"}
    assert {each.path for each in report.warnings if each.path != "/metadata"} == declared
    with (
        pytest.raises(vizschema.UsageError, match="record each sample in an archive of its own"),
        vizschema.record(model, tmp_path / "two.zarr"),
    ):
        model(IDS)


@pytest.mark.parametrize(
    ("name", "sizes", "layers"),
    [
        ("Lfm2", {"layer_types": ["conv", "full_attention"]}, ["/attention/self/layer_01"]),
        ("RecurrentGemma", {"block_types": ["recurrent", "attention"], "lru_width": 32}, []),
    ],
)
def test_weights_of_some_blocks_are_recorded_or_declared(
    tmp_path: Path, name: str, sizes: dict[str, Any], layers: list[str]
) -> None:
    wide = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = getattr(transformers, f"{name}Config")(**wide, num_key_value_heads=1, vocab_size=101, **sizes)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr") as run:
        model(IDS)
    assert [node for node in run.nodes if node.startswith("/attention/")] == layers
    with vizschema.open(tmp_path / "run.zarr") as archive:
        assert ("/attention" in str(archive["/"].attributes.get("not_captured"))) is not bool(layers)
    assert faults(tmp_path / "run.zarr", hand) == []


def test_a_model_that_was_called_before_keeps_the_hooks_of_its_own_package(tmp_path: Path) -> None:
    depth = {"backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8}
    wide = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.DPTConfig(**wide, **depth, image_size=16, patch_size=4)
    model, images = transformers.DPTForDepthEstimation(config).eval(), torch.rand(2, 3, 16, 16)
    model(images)
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr"):
        model(images)
    assert faults(tmp_path / "run.zarr", hand) == []


IMAGES = [
    {"module": "", "value": "in", "node": "/inputs/images", "axes": "sample channel height width"},
    {"module": "blocks[.]0", "value": "in", "node": "/activations/embedding", "axes": "sample token hidden"},
    {"module": "blocks[.]([0-9]+)", "value": "out", "node": "/activations/layer_{0}", "axes": "sample token hidden"},
    {
        "module": "blocks[.]([0-9]+)[.]attn",
        "value": "weights",
        "node": "/attention/self/layer_{0}",
        "axes": "sample head token:query token:key",
        "attributes": {"normalization": "softmax"},
    },
    {"module": "", "value": "out", "node": "/outputs/logits", "axes": "sample class"},
    {"module": "", "value": "argmax", "node": "/outputs/predictions", "axes": "sample"},
]


def test_rows_say_of_a_vit_of_ones_own_what_its_profile_asks_for(tmp_path: Path) -> None:
    kind, model = own.OWN["own vit"], own.built("own vit")
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr", table=IMAGES, profile="vit"):
        model(*kind.inputs())
    report = vizschema.validate(tmp_path / "run.zarr")
    assert (report.verdict, report.profile, report.values) == ("conforms", "vit", "read")
    assert faults(tmp_path / "run.zarr", hand) == []


class Padded(torch.nn.Module):
    """A model whose encoder would pack what is not padded."""

    def __init__(self) -> None:
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.words, self.inner = torch.nn.Embedding(31, 16), torch.nn.TransformerEncoder(layer, 2)

    def forward(self, ids: Any, mask: Any) -> Any:
        return Result(self.inner(self.words(ids), src_key_padding_mask=~mask))


@dataclass
class Result:
    """What a model returns under a name."""

    states: Any


def test_padded_tensors_are_not_packed_and_a_dataclass_has_names(tmp_path: Path) -> None:
    model = Padded().eval()
    with vizschema.record(model, tmp_path / "run.zarr") as run:
        found = model(IDS, LEFT.flip(1).bool())
    assert "/attention/self/layer_01" in run.nodes
    assert torch.backends.mha.get_fastpath_enabled()
    assert np.array_equal(values(tmp_path / "run.zarr")["/outputs/states"], found.states.numpy())
    assert vizschema.validate(tmp_path / "run.zarr").conforms


def test_what_a_backward_pass_computes_again_is_not_another_call(tmp_path: Path) -> None:
    model = own.built("own gpt")
    for block in model.blocks:
        block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    with torch.enable_grad(), vizschema.record(model, tmp_path / "run.zarr"):
        model(IDS).sum().backward()
    with vizschema.open(tmp_path / "run.zarr") as archive:
        assert archive["/attention/self/layer_01"].shape == (2, 2, 6, 6)
    assert vizschema.validate(tmp_path / "run.zarr").conforms


class Stand(torch.nn.Module):
    """A module of the name of one of OpenFold, which returns what it is told."""

    def __init__(self, returns: Callable[..., Any]) -> None:
        super().__init__()
        self.returns = returns

    def forward(self, ri: Any = None, aatype: Any = None, **given: Any) -> Any:
        return self.returns(ri=ri, aatype=aatype, **given)


class AlphaFold(torch.nn.Module):
    """The tree of modules of OpenFold, with its names and what they return; it computes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.input_embedder = Stand(lambda **_: None)
        self.evoformer = Stand(self.stack)
        self.evoformer.blocks = torch.nn.ModuleList(Stand(lambda m, z, **_: (m + 1, z * 2)) for _ in range(2))
        self.structure_module = Stand(lambda **_: {"positions": torch.zeros(1, 5, 14, 3)})

    def stack(self, m: Any, z: Any, **_: Any) -> Any:
        for block in self.evoformer.blocks:
            m, z = block(m=m, z=z)
        return m, z, m[0]

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        m, z = torch.randn(3, 5, 4), torch.randn(5, 5, 2)
        for number in range(batch["aatype"].shape[-1]):
            self.input_embedder(ri=batch["residue_index"][..., number])
            m, z, _ = self.evoformer(m=m, z=z)
            self.structure_module(aatype=batch["aatype"][..., number])
        where = torch.randn(5, 37, 3)
        return {
            "final_atom_positions": where,
            "final_atom_mask": torch.ones(5, 37),
            "plddt": torch.linspace(40, 90, 5),
            "ptm_score": torch.tensor(0.5),
        }


def test_a_tree_of_modules_with_the_names_of_openfold_conforms_to_its_profile(tmp_path: Path) -> None:
    model, recycles = AlphaFold().eval(), 3
    kinds = torch.tensor([12, 16, 5, 20, 0])[:, None].expand(5, recycles)
    numbers = torch.arange(5)[:, None].expand(5, recycles)
    with ByHand(model) as hand, vizschema.record(model, tmp_path / "run.zarr", table="openfold") as run:
        model({"aatype": kinds, "residue_index": numbers})
    assert (run.table, run.profile) == ("openfold", "openfold")
    found = values(tmp_path / "run.zarr")
    assert found["/inputs/sequence"].tobytes() == b"MTQXA"
    for number, (m, z) in enumerate(hand.returned[f"evoformer.blocks.{each}"][-1] for each in range(2)):
        assert np.array_equal(found[f"/msa/layer_{number:02}"], m.numpy())
        assert np.array_equal(found[f"/pair/layer_{number:02}"], z.numpy())
    for number, (_, z, single) in enumerate(hand.returned["evoformer"]):
        assert np.array_equal(found[f"/recycle/recycle_{number:02}/pair"], z.numpy())
        assert np.array_equal(found[f"/recycle/recycle_{number:02}/single"], single.numpy())
    report = vizschema.validate(tmp_path / "run.zarr")
    assert (report.verdict, report.profile, report.values) == ("conforms", "openfold", "read")
    with (
        pytest.raises(vizschema.UsageError, match=r"/inputs/sequence: expected numbers of the 21 letters .*, found 21"),
        vizschema.record(model, tmp_path / "other.zarr", table="openfold"),
    ):
        model({"aatype": kinds + 1, "residue_index": numbers})


REFUSED: dict[str, tuple[Callable[[Any], Any], dict[str, Any], str]] = {
    "another call": (lambda model: [model(IDS), model(IDS)], {"append": None}, 'with append="sample"'),
    "another length": (lambda model: [model(IDS), model(IDS[:, :4])], {}, "/inputs/token: expected values that fit"),
    "a mask at times": (
        lambda model: [model(IDS), model(IDS, attention_mask=LEFT)],
        {},
        "/inputs/mask: expected values",
    ),
    "no call": (lambda _: None, {}, "brought nothing: /inputs/token"),
    "a part alone": (lambda model: model.transformer(IDS), {}, "brought nothing: .*/outputs/logits"),
    "dropout": (lambda model: model.train()(IDS), {}, "call model.eval"),
    "beams": (lambda model: model.generate(IDS, num_beams=2, max_new_tokens=2), {}, "beam search"),
    "two generations": (
        lambda model: [model.generate(IDS, max_new_tokens=2) for _ in range(2)],
        {},
        "each generation in an archive of its own",
    ),
    "a static cache": (
        lambda model: model.generate(IDS, cache_implementation="static", max_new_tokens=2),
        {},
        "a cache of the kind static",
    ),
    "a wrong cast": (lambda model: model(IDS), {"cast": "float15"}, "expected the name of a dtype"),
    "float8 under lm": (lambda model: model(IDS), {"cast": {"layer_00": "float8_e5m2"}}, "float-dtype"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_put_together_is_refused_by_name(tmp_path: Path, name: str) -> None:
    call, options, message = REFUSED[name]
    model = small()
    with (
        pytest.raises(vizschema.VizschemaError, match=message),
        vizschema.record(model, tmp_path / "run.zarr", **options),
    ):
        call(model)


def test_recomputed_weights_that_do_not_give_the_output_are_refused() -> None:
    query, key, value = torch.randn(3, 1, 2, 4, 8)
    output = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    found = recomputed("/a", output, query, key, value, is_causal=True)
    assert found.error < 1e-6
    assert torch.allclose(found.values @ value, output, atol=1e-6)
    with pytest.raises(vizschema.UsageError, match="expected recomputed weights that give the kernel's output within"):
        recomputed("/a", output, query, key, value)


def test_a_query_without_a_key_has_a_row_of_zeros() -> None:
    query, key, value = torch.randn(3, 1, 2, 3, 8)
    mask = torch.tensor([[False, False, False], [True, True, False], [True, True, True]])
    output = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    found = recomputed("/a", output, query, key, value, attn_mask=mask)
    assert found.is_masked
    assert found.values[0, 0].sum(-1).tolist() == pytest.approx([0, 1, 1], abs=1e-6)


def test_the_queue_is_bounded_by_default() -> None:
    assert MEMORY == 256 << 20
