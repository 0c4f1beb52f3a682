"""Traces of language models: each is written in three containers, conforms with its values, and breaks its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vizschema
from vizschema import Array

Arrays = dict[str, Array]
Groups = dict[str, dict[str, Any]]

RANDOM = np.random.default_rng(7)
HIDDEN = ["sample", "token", "hidden"]
WEIGHTS = ["sample", "head", "token:query", "token:key"]
SOFTMAX = {"normalization": "softmax", "source": "captured"}


def normal(*shape: int, dtype: Any = "float32") -> np.ndarray[Any, Any]:
    """Values that vary, of any shape."""
    return RANDOM.normal(size=shape).astype(dtype)


def softmax(*shape: int, dtype: Any = "float32") -> np.ndarray[Any, Any]:
    """Rows that sum to 1 along the last axis."""
    scores = np.exp(RANDOM.normal(size=shape))
    return (scores / scores.sum(-1, keepdims=True)).astype(dtype)


def tokens(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.integers(0, 11, shape).astype("int32")


@dataclass(frozen=True)
class Trace:
    """A trace of a profile, and what breaks `rule` in it: other arrays or attributes in place of its own."""

    profile: str
    arrays: Arrays
    rule: str
    broken: Arrays
    groups: Groups | None = None
    broken_groups: Groups | None = None

    def write(self, path: Path, *, break_it: bool = False) -> vizschema.Report:
        """The report of writing it; raises `NotConforming`."""
        arrays = {**self.arrays, **self.broken} if break_it else self.arrays
        metadata = {"/metadata": {"model_name": "m", "model_version": "1", "framework": "none"}}
        groups = {**metadata, **(self.groups or {}), **((self.broken_groups or {}) if break_it else {})}
        return vizschema.write(path, arrays, groups, profile=self.profile)


def lm(more: Arrays, rule: str, broken: Arrays, groups: Groups | None = None, **other: Any) -> Trace:
    """A trace under lm with the nodes that it needs, and more."""
    needed = {
        "/inputs/token": Array(tokens(1, 6), ["sample", "token"]),
        "/activations/layer_00": Array(normal(1, 6, 8), HIDDEN),
        "/outputs/logits": Array(normal(1, 6, 11), ["sample", "token", "vocabulary"]),
    }
    return Trace("lm", {**needed, **more}, rule, broken, {"/activations": {"num_layers": 1}, **(groups or {})}, **other)


def one(group: str) -> Groups:
    """The count of a group with one layer."""
    return {group: {"num_layers": 1}}


def gpt2() -> Trace:
    """A decoder with its cache, its residual stream and its heads."""
    arrays = {
        "/cache/latent/layer_00": Array(normal(1, 6, 3), ["sample", "token", "latent_channel"]),
        "/activations/embedding": Array(normal(1, 6, 8), HIDDEN, {"module": "transformer.wte"}),
        "/residual/mid/layer_00": Array(normal(1, 6, 8), HIDDEN, {"module": "blocks.0.hook_resid_mid"}),
        "/attention/self/layer_00": Array(softmax(1, 2, 6, 6, dtype="float16"), WEIGHTS, SOFTMAX),
        "/cache/key/layer_00": Array(normal(1, 1, 6, 4), ["sample", "kv_head", "token", "head_channel"]),
        "/heads/z/layer_00": Array(normal(1, 6, 2, 4), ["sample", "token", "head", "head_channel"]),
    }
    groups = {
        **one("/residual/mid"),
        **one("/attention/self"),
        **one("/cache/key"),
        **one("/cache/latent"),
        **one("/heads/z"),
    }
    swapped = Array(
        np.asarray(arrays["/attention/self/layer_00"].data), ["sample", "head", "token:key", "token:query"], SOFTMAX
    )
    return lm(arrays, "lm-axes", {"/attention/self/layer_00": swapped}, groups)


def generation() -> Trace:
    """Steps of decoding, each with one query more than it has keys: every step is a scope of keys."""
    arrays, groups = {}, {"/activations": {"num_steps": 3}, "/attention": {"num_steps": 3}}
    for step in range(3):
        at, label = f"step_{step:02}", {"scope_token": f"step_{step}", "scope_past": f"step_{step}"}
        arrays[f"/activations/{at}/hidden"] = Array(normal(1, 1, 8), HIDDEN)
        arrays[f"/attention/{at}/self"] = Array(
            softmax(1, 2, 1, 4 + step), ["sample", "head", "token:query", "past:key"], SOFTMAX
        )
        groups |= {
            f"/activations/{at}": {"scope_token": f"step_{step}"},
            f"/attention/{at}": {**label, "size_past": 4 + step},
        }
    longer = {
        "/attention/step_01/self": Array(softmax(1, 2, 2, 5), ["sample", "head", "token:query", "past:key"], SOFTMAX)
    }
    return Trace("trace", arrays, "axis-one-size", longer, groups)


def ragged() -> Trace:
    """Prompts of their own lengths, one group each."""
    arrays, groups = {}, {}
    for number, length in enumerate((5, 9)):
        label = {"scope_token": f"prompt_{number}"}
        for top in ("/activations", "/attention"):
            groups[f"{top}/prompt_{number:05}"] = {**label, "num_layers": 1}
        arrays[f"/activations/prompt_{number:05}/layer_00"] = Array(normal(1, length, 8), HIDDEN)
        arrays[f"/attention/prompt_{number:05}/layer_00"] = Array(softmax(1, 2, length, length), WEIGHTS, SOFTMAX)
    wrong = {"/activations/prompt_00001/layer_00": Array(normal(1, 8, 8), HIDDEN)}
    return Trace("trace", arrays, "axis-one-size", wrong, groups)


def packed() -> Trace:
    """Prompts of 4 and 5 tokens one behind another, each with its attention."""
    arrays = {
        "/inputs/token": Array(tokens(9), ["token"], {"starts": "/inputs/start"}),
        "/inputs/start": Array(np.array([0, 4, 9]), ["sample_edge"]),
        "/activations/layer_00": Array(normal(9, 8), HIDDEN[1:]),
        "/heads/key/layer_00": Array(normal(9, 1, 4), ["token", "kv_head", "head_channel"]),
        "/outputs/logits": Array(normal(9, 11), ["token", "vocabulary"]),
    }
    groups: Groups = {**one("/activations"), **one("/heads/key"), "/attention": {"num_prompts": 2}}
    for prompt, length in enumerate((4, 5)):
        at = f"/attention/prompt_{prompt:02}"
        arrays[f"{at}/self/layer_00"] = Array(softmax(2, length, length), WEIGHTS[1:], SOFTMAX)
        groups |= {at: {"scope_token": f"prompt_{prompt}"}, **one(f"{at}/self")}
    short = {"/inputs/start": Array(np.array([0, 4, 8]), ["sample_edge"])}
    return lm(arrays, "text-starts", short, groups)


def t5() -> Trace:
    """An encoder beside the decoder, and attention from one to the other, as a whole and its largest weights."""
    axes = ["sample", "head", "token:query", "source_token:key"]
    weights = softmax(1, 2, 6, 8)
    index = np.argsort(-weights, -1)[..., :2].astype("int32")
    index[0, 0, 0, 0] = 7  # a source token that there is, and a token that there is not
    arrays = {
        "/inputs/source_token": Array(tokens(1, 8), ["sample", "source_token"]),
        "/inputs/features/mel": Array(normal(1, 5, 16), ["sample", "mel", "frame"]),
        "/encoder/layer_00": Array(normal(1, 8, 8), ["sample", "source_token", "hidden"]),
        "/attention/encoder/layer_00": Array(
            softmax(1, 2, 8, 8), ["sample", "head", "source_token:query", "source_token:key"], SOFTMAX
        ),
        "/attention/cross/layer_00": Array(weights, axes, SOFTMAX),
        "/attention_topk/cross/layer_00/index": Array(index, [*axes[:3], "rank"]),
        "/attention_topk/cross/layer_00/weight": Array(softmax(1, 2, 6, 2), [*axes[:3], "rank"]),
        "/outputs/heads/language": Array(normal(1, 3), ["sample", "language"]),
    }
    groups = [one(f"/{each}") for each in ("encoder", "attention/encoder", "attention/cross", "attention_topk/cross")]
    broken = {"/attention/cross/layer_00": Array(weights, ["sample", "head", "token:query", "source_token"], SOFTMAX)}
    return lm(arrays, "attention-roles", broken, {path: marks for each in groups for path, marks in each.items()})


def mixtral() -> Trace:
    """A mixture of experts: logits of the router, and what it chose."""
    logits, axes = normal(1, 6, 4), ["sample", "token", "rank"]
    choice = np.argsort(-logits, -1)[..., :2].astype("int64")
    choice[0, 0, 1] = -1  # the second expert was full
    arrays = {
        "/router/output/layer_00": Array(normal(1, 6, 2, 8), [*axes, "hidden"]),
        "/sublayers/shared_expert/layer_00": Array(normal(1, 6, 8), HIDDEN),
        "/router/logits/layer_00": Array(logits, ["sample", "token", "expert"]),
        "/router/choice/layer_00": Array(choice, axes),
        "/router/weight/layer_00": Array(softmax(1, 6, 2), axes),
    }
    groups = {f"/router/{each}": {"num_layers": 1} for each in ("logits", "choice", "weight", "output")}
    groups |= one("/sublayers/shared_expert")
    return lm(arrays, "lm-values", {"/router/choice/layer_00": Array(choice + 3, axes)}, groups)


def mamba() -> Trace:
    """State space models and linear attention: states, and no attention."""
    arrays = {
        "/state/ssm/layer_00": Array(normal(1, 6, 3), ["sample", "inner", "state"]),
        "/state/ssm/layer_01": Array(normal(1, 2, 4, 3), ["sample", "head", "head_channel", "state"]),
        "/state/linear/layer_00": Array(normal(1, 2, 4, 5), ["sample", "head", "key_channel", "value_channel"]),
        "/state/shift/mlp/layer_00": Array(normal(1, 8), ["sample", "hidden"]),
        "/state/conv/layer_00": Array(normal(1, 6, 4), ["sample", "inner", "kernel"]),
    }
    broken = {"/state/conv/layer_00": Array(normal(1, 4, 6), ["sample", "kernel", "inner"])}
    groups = {**one("/state/conv"), **one("/state/linear"), **one("/state/shift/mlp"), "/state/ssm": {"num_layers": 2}}
    return lm(arrays, "lm-axes", broken, groups)


def sinks() -> Trace:
    """A learned logit takes part in the softmax: its share makes rows sum to 1."""
    whole = softmax(1, 2, 6, 7)
    marks = {"normalization": "softmax_sink", "source": "captured", "sink": "/attention_sink/layer_00"}
    arrays = {
        "/attention/self/layer_00": Array(whole[..., :6], WEIGHTS, marks),
        "/attention_sink/layer_00": Array(whole[..., 6], WEIGHTS[:3]),
    }
    broken = {"/attention_sink/layer_00": Array(whole[..., 6] / 2, WEIGHTS[:3])}
    return lm(arrays, "attention-row-sum", broken, {**one("/attention/self"), **one("/attention_sink")})


def masks() -> Trace:
    """Padding on the left: padded queries are 0, padded keys have no weight."""
    mask = np.arange(6)[None] > 1
    both = mask[:, None, :, None] & mask[:, None, None, :]
    weights = np.exp(normal(1, 2, 6, 6)) * both
    weights = (weights / np.maximum(weights.sum(-1, keepdims=True), 1e-9)).astype("float32")
    marks = {"normalization": "softmax_masked", "source": "captured", "mask": "/inputs/mask"}
    arrays = {
        "/inputs/mask": Array(mask, ["sample", "token"]),
        "/attention/self/layer_00": Array(weights, WEIGHTS, marks),
    }
    spread = np.where(both.any(-1, keepdims=True), weights, np.float32(1 / 6))
    return lm(
        arrays, "attention-masked", {"/attention/self/layer_00": Array(spread, WEIGHTS, marks)}, one("/attention/self")
    )


def scores() -> Trace:
    """Scores before the softmax: -inf where the mask of the future is."""
    causal = np.where(np.tril(np.ones((6, 6), bool)), normal(1, 2, 6, 6), -np.inf).astype("float32")
    arrays = {"/attention_scores/self/layer_00": Array(causal, WEIGHTS, {"masked_value": "-inf"})}
    broken = {"/attention_scores/self/layer_00": Array(causal, WEIGHTS)}
    return lm(arrays, "finite", broken, one("/attention_scores/self"))


def first_step() -> Trace:
    """The first step of decoding has one key, of weight 1."""
    arrays = {
        "/activations/layer_00": Array(normal(1, 1, 8), HIDDEN),
        "/attention/self/layer_00": Array(np.ones((1, 2, 1, 1), "float32"), WEIGHTS, SOFTMAX),
    }
    half = {"/attention/self/layer_00": Array(np.full((1, 2, 1, 1), 0.5, "float32"), WEIGHTS, SOFTMAX)}
    groups = {"/activations": {"num_layers": 1}, **one("/attention/self")}
    return Trace("trace", arrays, "attention-row-sum", half, groups)


def features() -> Trace:
    """Sparse autoencoders, each with its features, and -1 where fewer are active."""
    groups: Groups = {}
    arrays: Arrays = {}
    for name, width, active in (("small", 20, 2), ("large", 50, 3)):
        index = RANDOM.integers(0, width, (1, 6, active)).astype("int32")
        index[0, 0, -1] = -1
        at = f"/sae/{name}"
        groups[at] = {"num_layers": 1, "scope_rank": name, "scope_feature": name, "size_feature": width}
        arrays[f"{at}/layer_00/index"] = Array(index, ["sample", "token", "rank"])
        arrays[f"{at}/layer_00/value"] = Array(np.abs(normal(1, 6, active)), ["sample", "token", "rank"])
        arrays[f"{at}/layer_00/dense"] = Array(normal(1, 6, width), ["sample", "token", "feature"])
    broken = {"/sae/small/layer_00/index": Array(np.full((1, 6, 2), 20, "int32"), ["sample", "token", "rank"])}
    return lm(arrays, "lm-values", broken, groups)


def top_k() -> Trace:
    """The largest weights, of as many keys as each layer has, padded with -1."""
    arrays, axes = {}, [*WEIGHTS[:3], "rank"]
    groups: Groups = {"/attention_topk/self": {"num_layers": 2}}
    for layer, kept in enumerate((2, 3)):
        at = f"/attention_topk/self/layer_{layer:02}"
        index = RANDOM.integers(0, 6, (1, 2, 6, kept)).astype("int32")
        index[..., 0, -1] = -1
        groups[at] = {"scope_rank": f"layer_{layer}"}
        arrays |= {f"{at}/index": Array(index, axes), f"{at}/weight": Array(softmax(1, 2, 6, kept), axes)}
    alone = {"/attention_topk/self/layer_01": {"scope_rank": "layer_0"}}
    return lm(arrays, "axis-one-size", {}, groups, broken_groups=alone)


def vocabulary() -> Trace:
    """Tokens as bytes, of which one is half a character."""
    texts = [b"Hello", b"\n", b"\xc3"]
    start = np.cumsum([0, *map(len, texts)]).astype("int64")
    arrays = {
        "/inputs/vocabulary/id": Array(np.array([3, 7, 10], "int32"), ["entry"]),
        "/inputs/vocabulary/start": Array(start, ["entry_edge"]),
        "/inputs/vocabulary/bytes": Array(np.frombuffer(b"".join(texts), "uint8"), ["byte"]),
    }
    return lm(arrays, "lm-values", {"/inputs/vocabulary/id": Array(np.array([3, 7, 11], "int32"), ["entry"])})


def hybrid() -> Trace:
    """Attention in some layers alone, a mixture in some, and names with numbers that are no series."""
    arrays = {f"/activations/layer_{layer:02}": Array(normal(1, 6, 8), HIDDEN) for layer in range(4)}
    arrays |= {f"/attention/self/layer_{layer:02}": Array(softmax(1, 2, 6, 6), WEIGHTS, SOFTMAX) for layer in (1, 3)}
    arrays |= {f"/norms/ln_{number}": Array(normal(1, 6, 8), HIDDEN) for number in (1, 2)}
    groups = {"/activations": {"num_layers": 4}, "/attention/self": {"num_layers": 4, "present": [1, 3]}}
    missing = {"/attention/self": {"num_layers": 4, "present": [1, 2, 3]}}
    return Trace("trace", arrays, "series-gap", {}, groups, missing)


def low_precision() -> Trace:
    """float8 with a scale of its own, beside bfloat16."""
    small = normal(1, 6, 8).astype(ml_dtypes.float8_e4m3fn)
    arrays = {
        "/activations/x": Array(small, HIDDEN, {"scale": "/quantisation/x"}),
        "/quantisation/x": Array(np.linspace(0.5, 2, 8).astype("float32"), ["hidden"]),
        "/activations/y": Array(normal(1, 6, 8, dtype=ml_dtypes.bfloat16), HIDDEN),
    }
    gone = {"/activations/x": Array(small, HIDDEN, {"scale": "/quantisation/elsewhere"})}
    return Trace("trace", arrays, "reference-fits", gone)


def dead_layer() -> Trace:
    """A layer that never fires, declared."""
    arrays = {
        "/mlp/post/layer_00": Array(np.zeros((1, 6, 12), "float32"), ["sample", "token", "neuron"], {"all_equal": True})
    }
    broken = {"/mlp/post/layer_00": Array(normal(1, 6, 12), ["sample", "token", "neuron"], {"all_equal": True})}
    return lm(arrays, "all-equal", broken, one("/mlp/post"))


TRACES: Mapping[str, Callable[[], Trace]] = {
    each.__name__: each
    for each in (
        *(
            gpt2,
            generation,
            ragged,
            packed,
            t5,
            mixtral,
            mamba,
            sinks,
            masks,
            scores,
            first_step,
            features,
            top_k,
            vocabulary,
        ),
        *(hybrid, low_precision, dead_layer),
    )
}
ABOUT_THE_TRACE = {"recommended-metadata"}
"""Recommendations that these small traces leave out."""


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".npz"])
@pytest.mark.parametrize("name", TRACES)
def test_a_true_trace_conforms_with_its_values(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"trace{suffix}"
    TRACES[name]().write(path)
    report = vizschema.validate(path)
    assert report.verdict == "conforms"
    assert {finding.rule for finding in report.findings} - ABOUT_THE_TRACE == set()


@pytest.mark.parametrize("name", TRACES)
def test_a_broken_one_raises_its_rule(name: str, tmp_path: Path) -> None:
    trace = TRACES[name]()
    with pytest.raises(vizschema.NotConforming) as refused:
        trace.write(tmp_path / "trace.npz", break_it=True)
    assert trace.rule in {finding.rule for finding in refused.value.report.findings}
