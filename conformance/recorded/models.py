"""Small models of transformers and plain torch, with random weights. Nothing is downloaded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers

VOCABULARY = 101
KERNELS = ("eager", "sdpa")

_WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_WORDS = {"vocab_size": VOCABULARY}
_GPT2 = {"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 64, "bos_token_id": 0}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
_BART = {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "forced_eos_token_id": None,
}
_ESM = {"pad_token_id": 1, "mask_token_id": 32, "position_embedding_type": "rotary", "token_dropout": True}
_IMAGE = {"image_size": 16, "patch_size": 4, "num_labels": 7}


@dataclass(frozen=True, slots=True)
class Kind:
    """An architecture: its classes and configuration, its kernels, whether it generates, and has an encoder beside."""

    model: str
    config: str
    sizes: Mapping[str, Any]
    kernels: tuple[str, ...] = KERNELS
    generates: bool = False
    takes: str = "input_ids"
    has_encoder: bool = False


ARCHITECTURES = {
    "gpt2": Kind("GPT2LMHeadModel", "GPT2Config", {**_GPT2, **_WORDS}, generates=True),
    "llama": Kind("LlamaForCausalLM", "LlamaConfig", {**_WIDE, **_WORDS, "num_key_value_heads": 2}, generates=True),
    "mixtral": Kind(
        "MixtralForCausalLM",
        "MixtralConfig",
        {**_WIDE, **_WORDS, "num_key_value_heads": 2, "num_local_experts": 4},
        generates=True,
    ),
    "t5": Kind("T5ForConditionalGeneration", "T5Config", {**_T5, **_WORDS}, generates=True, has_encoder=True),
    "bart": Kind("BartForConditionalGeneration", "BartConfig", {**_BART, **_WORDS}, generates=True, has_encoder=True),
    "bert": Kind("BertForMaskedLM", "BertConfig", {**_WIDE, **_WORDS}),
    "vit": Kind("ViTForImageClassification", "ViTConfig", {**_WIDE, **_IMAGE}, takes="pixel_values"),
    "mamba": Kind(
        "MambaForCausalLM",
        "MambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 5, **_WORDS},
        kernels=("eager",),
        generates=True,
    ),
    "esm2": Kind("EsmForMaskedLM", "EsmConfig", {**_WIDE, **_ESM, "vocab_size": 33}),
}
"""The architectures that have a table of their own."""


def built(name: str, kernel: str = "eager", dtype: Any = torch.float32) -> Any:
    """Return a model in evaluation mode, of the same weights in every call."""
    transformers.utils.logging.set_verbosity_error()
    kind = ARCHITECTURES[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind.config)(**kind.sizes, attn_implementation=kernel)
    model = getattr(transformers, kind.model)(config).eval().to(dtype)
    if kind.generates:
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = 0
    return model


def inputs(name: str, samples: int, length: int = 6, dtype: Any = torch.float32) -> dict[str, Any]:
    """Return the arguments of a call: tokens [sample, token] or images [sample, channel, height, width]."""
    generator = torch.Generator().manual_seed(1)
    if ARCHITECTURES[name].takes == "pixel_values":
        return {"pixel_values": torch.rand(samples, 3, 16, 16, generator=generator).to(dtype)}
    given = {"input_ids": torch.randint(4, 30, (samples, length), generator=generator)}
    if ARCHITECTURES[name].has_encoder:
        given["decoder_input_ids"] = torch.randint(4, 30, (samples, length - 1), generator=generator)
    return given


def named_cnn() -> Any:
    """Return two convolutions with an in-place ReLU each, and a dense layer, under names."""
    nn = torch.nn
    torch.manual_seed(0)
    layers = OrderedDict(
        conv1=nn.Conv2d(1, 4, 3),
        relu1=nn.ReLU(inplace=True),
        conv2=nn.Conv2d(4, 8, 3),
        relu2=nn.ReLU(inplace=True),
        flat=nn.Flatten(),
        fc1=nn.Linear(8 * 12 * 12, 10),
    )
    return nn.Sequential(layers).eval()


def numbered_cnn() -> Any:
    """Return a convolution and a dense layer under numbers, with a pooling between them."""
    nn = torch.nn
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 7 * 7, 10)).eval()


CNNS: Mapping[str, Callable[[], Any]] = {"cnn, named": named_cnn, "cnn, numbered": numbered_cnn}
"""Convolutional classifiers of images [sample, 1, 16, 16]."""
