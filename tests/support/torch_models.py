"""Small models of transformers with random weights, and what hooks written by hand see in them. Needs torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import ml_dtypes
import numpy as np
import pytest


def needed(name: str) -> Any:
    """The module `name`; where it is missing the test is skipped, and fails in the step of CI that installs it."""
    if os.environ.get("VIZSCHEMA_TORCH"):
        return __import__(name)
    return pytest.importorskip(name, reason=f"{name} is not installed: .ci/run tests `record` in a step of its own")


torch = needed("torch")
transformers = needed("transformers")
transformers.utils.logging.set_verbosity_error()


def gpt2(kernel: str = "eager", **more: Any) -> Any:
    sizes = {"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 64, "vocab_size": 101}
    ends = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
    config = transformers.GPT2Config(**sizes, **ends, **more, attn_implementation=kernel)
    return made(lambda: transformers.GPT2LMHeadModel(config))


def made(build: Callable[[], Any], dtype: Any = None) -> Any:
    """A model in evaluation mode, with the same weights in every call."""
    torch.manual_seed(0)
    model = build().eval()
    return model if dtype is None else model.to(dtype)


def tokens(samples: int, length: int, vocabulary: int = 101) -> Any:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(4, vocabulary, (samples, length), generator=generator)


def first(value: Any) -> Any:
    """The first tensor of what a module returns."""
    while not isinstance(value, torch.Tensor):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value


class ByHand:
    """The outputs of modules, by their names, taken by forward hooks while it is entered; a list for each module."""

    def __init__(self, model: Any) -> None:
        self.outputs: dict[str, list[Any]] = {}
        self._model = model
        self._stack = ExitStack()

    def __enter__(self) -> ByHand:
        for name, module in self._model.named_modules():

            def hook(_module: Any, _args: Any, output: Any, name: str = name) -> None:
                held = output.detach().clone() if isinstance(output, torch.Tensor) else output
                self.outputs.setdefault(name, []).append(held)

            self._stack.callback(module.register_forward_hook(hook).remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def numbers(tensor: Any) -> np.ndarray[Any, Any]:
    """A tensor as an array of the same bits."""
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)  # type: ignore[no-any-return]
    return tensor.numpy()  # type: ignore[no-any-return]


def same_bits(left: np.ndarray[Any, Any], right: Any) -> bool:
    """Whether an array has the dtype, the shape and the bits of a tensor."""
    other = numbers(right)
    return left.dtype == other.dtype and left.shape == other.shape and left.tobytes() == other.tobytes()
