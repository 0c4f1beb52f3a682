"""What hooks written by hand see, and whether an archive has the same bits. No code of `vizschema.recording`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import ml_dtypes
import numpy as np
import torch

import vizschema
from vizschema import StoredArray

Values = np.ndarray[Any, Any]


class ByHand:
    """While it is entered, keeps what every module takes and returns, by its name, in the order of the calls."""

    def __init__(self, model: Any) -> None:
        self.taken: dict[str, list[Any]] = {}
        self.returned: dict[str, list[Any]] = {}
        self._model = model
        self._stack = ExitStack()

    def __enter__(self) -> ByHand:
        for name, module in self._model.named_modules():

            def before(_module: Any, args: Any, kwargs: Any, name: str = name) -> None:
                self.taken.setdefault(name, []).append((_kept(args), _kept(kwargs)))

            def after(_module: Any, _args: Any, output: Any, name: str = name) -> None:
                self.returned.setdefault(name, []).append(_kept(output))

            self._stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
            self._stack.callback(module.register_forward_hook(after).remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _kept(value: Any) -> Any:
    """A copy of the tensors in a value; anything else is left out."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _kept(each) for key, each in value.items()}
    return [_kept(each) for each in value] if isinstance(value, list | tuple) else None


def numbers(tensor: Any) -> Values:
    """Return a tensor as an array of the same bits."""
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        found: Values = tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
        return found
    plain: Values = tensor.numpy()
    return plain


def same_bits(left: Values, right: Any) -> bool:
    """Whether an array has the dtype, the shape and the bits of a tensor."""
    other = numbers(right)
    return bool(left.dtype == other.dtype and left.shape == other.shape and left.tobytes() == other.tobytes())


def differing(path: Any, hand: ByHand) -> list[str]:
    """Return the arrays of an archive of one call that are no tensor which their module took or returned.

    Left out are weights that were recomputed, and arrays without a module that are no input or output of the model.
    """
    lost = []
    with vizschema.open(path) as archive:
        for place in archive.paths():
            node = archive[place]
            if not isinstance(node, StoredArray) or node.attributes.get("recomputed"):
                continue
            module = str(node.attributes.get("module", ""))
            seen = [*_tensors(hand.taken[module]), *_tensors(hand.returned[module])]
            values = node[...]
            if not any(_fits(values, each) for each in seen):
                lost.append(place)
    return lost


def _fits(values: Values, tensor: Any) -> bool:
    """Whether values are those of a tensor: as they are, without a flat axis, as bool, or the class of the largest."""
    if same_bits(values, tensor):
        return True
    if values.dtype == bool and tensor.dtype == torch.int64:
        return bool(np.array_equal(values, tensor.numpy() != 0))
    if tensor.numel() == values.size and tensor.ndim == values.ndim - 1:
        return same_bits(values, tensor.reshape(values.shape))
    return values.ndim == 1 and tensor.ndim == 2 and same_bits(values, tensor.argmax(-1))


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for each in inner for tensor in _tensors(each)]


def largest_difference(left: Any, right: Any, group: str) -> float:
    """Return the largest difference between arrays of a group in two archives."""
    worst = 0.0
    with vizschema.open(left) as one, vizschema.open(right) as other:
        for place in one.paths():
            if place.startswith(f"{group}/") and isinstance(one[place], StoredArray):
                a, b = (np.asarray(each[place][...], "float32") for each in (one, other))  # type: ignore[index]
                worst = max(worst, float(np.abs(a - b).max()))
    return worst
