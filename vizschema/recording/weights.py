"""Attention weights of modules that return none: computed again from what their kernel was given. Imports torch."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from vizschema.errors import UsageError

F = torch.nn.functional

OWN_CACHE = "self_attention_cache"
"""The part of the cache of an encoder with a decoder that has earlier tokens."""

LIMITS = {torch.float64: 1e-4, torch.float32: 1e-4}
"""How far the recomputed weights times the values may be from the kernel's output; 1e-2 for narrower dtypes."""

NARROW_LIMIT = 1e-2

MASK = {
    "module": "",
    "value": "in.attention_mask",
    "node": "/inputs/mask",
    "axes": "sample token",
    "cast": "bool",
    "whole": True,
    "optional": "value",
}
"""The row of the mask of a model of transformers."""

SELF = {
    "value": "weights",
    "node": "/attention/self/layer_{0}",
    "axes": "sample head token:query token:key",
    "attributes": {"normalization": "softmax", "mask": "/inputs/mask"},
    "read": {
        "sliding_window": [".sliding_window", ".config.sliding_window if .config.layer_types[{0}] = sliding_attention"],
        "kv_heads": ".config.num_key_value_heads",
    },
}
"""The row of the weights in a block, without its module."""

ROLES = "attention"
"""The group of weights."""

_SOFTMAX = (F.softmax, torch.softmax, torch.Tensor.softmax)
_QUESTIONS = (torch.Tensor.__bool__, torch.Tensor.__contains__, torch.Tensor.item, torch.equal, torch.allclose)
_MULTI_HEAD = inspect.signature(F.multi_head_attention_forward)


@dataclass(slots=True)
class Weights:
    """Weights [sample, head, query, key] of one call of a kernel.

    `error` is the largest difference between weights times values and the kernel's output, `limit` its bound.
    `is_masked` says that there are queries without a key, whose rows are 0.
    """

    values: Any
    error: float
    limit: float
    is_masked: bool


class Watch(TorchFunctionMode):  # type: ignore[misc]  # torch is not there where types are checked
    """While it is entered, calls `keep` with the weights of each call of a kernel that it knows."""

    def __init__(self, place: str, keep: Callable[[Weights], None]) -> None:
        super().__init__()
        self._place = place
        self._keep = keep

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, and once more for its weights where it is a kernel."""
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            output = func(*args, **kwargs)
            self._keep(recomputed(self._place, output, *args, **kwargs))
            return output
        if func is F.multi_head_attention_forward:
            return self._multi_head(func, args, kwargs)
        name = getattr(func, "__name__", "")
        if "flex_attention" in name or "flash" in name:
            raise hidden(self._place, name)
        return func(*args, **kwargs)

    def _multi_head(self, func: Any, args: Any, kwargs: Any) -> Any:
        bound = _MULTI_HEAD.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        if given["training"] and given["dropout_p"] > 0:
            raise dropped(self._place)
        output, weights = func(*args, **kwargs)
        with torch.no_grad():  # a graph of it would be kept, and a checkpoint would miss it when it computes again
            again = {**given, "need_weights": True, "average_attn_weights": False}
            other, heads = func(**again)
            limit = LIMITS.get(output.dtype, NARROW_LIMIT)
            empty = heads.isnan().all(-1, keepdim=True)
            is_masked = bool(empty.any())
            error = _difference(other, output, ~other.isnan())
            _require_close(self._place, error, limit)
            self._keep(Weights(heads.masked_fill(empty, 0.0), error, limit, is_masked))
        return output, weights


class Kernels(TorchFunctionMode):  # type: ignore[misc]  # torch is not there where types are checked
    """While it is entered, calls `keep` with the shape of the weights of each kernel, and of each softmax.

    A softmax counts if it is along the last dimension of three or more; `is_kernel` says which of the two it was.
    Where a model without values asks whether something is true, the answer is `truth`.
    """

    def __init__(self, keep: Callable[..., None], *, truth: bool) -> None:
        super().__init__()
        self._keep = keep
        self._truth = truth

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`."""
        kwargs = kwargs or {}
        if func in _QUESTIONS and (func is not torch.Tensor.item or args[0].dtype == torch.bool):
            return self._truth
        if func is F.scaled_dot_product_attention:
            query, key = [*args, *(kwargs[name] for name in ("query", "key") if name in kwargs)][:2]
            shape = (*query.shape[:-1], key.shape[-2])
            _require_alike(shape, query, key, [*args[3:4], kwargs.get("attn_mask")])
            self._keep(shape, is_kernel=True)
        elif func is F.multi_head_attention_forward:
            given = _MULTI_HEAD.bind(*args, **kwargs).arguments
            query, key = given["query"], given["key"]
            if query.ndim == 3:
                shape = (query.shape[1], given["num_heads"], query.shape[0], key.shape[0])
                self._keep(shape, is_kernel=True)
        output = func(*args, **kwargs)
        if _is_softmax(func, args, kwargs, output) and output.ndim > 2:
            self._keep(tuple(output.shape), is_kernel=False)
        return output


def _require_alike(shape: tuple[int, ...], query: Any, key: Any, masks: list[Any]) -> None:
    """Check shapes as a kernel does only where there are values; raises `RuntimeError`."""
    torch.broadcast_shapes(query.shape[:-3], key.shape[:-3])
    for mask in masks:
        if mask is not None and torch.broadcast_shapes(mask.shape, shape) != torch.Size(shape):
            raise RuntimeError(f"a mask of the shape {tuple(mask.shape)} for weights of the shape {shape}")


class Softmaxes(TorchFunctionMode):  # type: ignore[misc]  # torch is not there where types are checked
    """While it is entered, calls `keep` with the result of each softmax along the last of so many dimensions."""

    def __init__(self, rank: int, keep: Callable[[Any], None]) -> None:
        super().__init__()
        self._rank = rank
        self._keep = keep

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`."""
        output = func(*args, **(kwargs or {}))
        if _is_softmax(func, args, kwargs or {}, output) and output.ndim == self._rank:
            self._keep(output)
        return output


def _is_softmax(func: Any, args: Any, kwargs: Any, output: Any) -> bool:
    if func not in _SOFTMAX:
        return False
    along = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return isinstance(along, int) and along in (-1, output.ndim - 1)


@torch.no_grad()  # type: ignore[untyped-decorator]
def recomputed(
    place: str,
    output: Any,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: ARG001  (the shapes say it)
) -> Weights:
    """Return the weights of `F.scaled_dot_product_attention`, whose arguments these are, in the dtype of `query`.

    They are computed in float32 (float64 of float64), one head at a time. A query without any key has a row of zeros,
    as in the kernels. Raises `UsageError` for dropout, and where the result is not what the kernel computed.
    """
    if dropout_p > 0:
        raise dropped(place)
    if query.ndim != 4:
        found = f"queries of the shape {tuple(query.shape)}"
        raise UsageError(path=place, expected="queries [sample, head, token, channel]", found=found)
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    limit = LIMITS.get(query.dtype, NARROW_LIMIT)
    heads, shared = query.shape[1], key.shape[1]
    sizes = (output.shape[0], heads, query.shape[2], key.shape[2])  # of the output: samples are broadcast
    mask = None if attn_mask is None else attn_mask.expand(sizes)
    factor = 1 / math.sqrt(query.shape[3]) if scale is None else scale
    later = None
    if is_causal:
        later = torch.ones(sizes[2:], dtype=torch.bool, device=query.device).triu(1)
    weights, error, is_masked = query.new_empty(sizes), 0.0, False
    for head in range(heads):
        other = head * shared // heads
        scores = query[:, head].to(wide) @ key[:, other].to(wide).mT * factor
        if later is not None:
            scores = scores.masked_fill(later, -math.inf)
        if mask is not None:
            part = mask[:, head]
            scores = scores.masked_fill(~part, -math.inf) if part.dtype == torch.bool else scores + part.to(wide)
        empty = (scores == -math.inf).all(-1, keepdim=True)
        is_masked = is_masked or bool(empty.any())
        found = scores.softmax(-1).masked_fill(empty, 0.0)
        sound = ~empty.expand_as(output[:, head])
        error = max(error, _difference(found @ value[:, other].to(wide), output[:, head], sound))
        weights[:, head] = found.to(query.dtype)
    _require_close(place, error, limit)
    return Weights(weights, error, limit, is_masked)


def hidden(place: str, kernel: str) -> UsageError:
    """The refusal of a kernel whose weights nothing can see."""
    return UsageError(
        path=place,
        expected="a kernel that lets its weights be seen (eager, scaled_dot_product_attention)",
        found=kernel,
        fix='load the model with attn_implementation="eager", or leave the weights out with select',
    )


def dropped(place: str) -> UsageError:
    """The refusal of weights of which dropout removes some."""
    return UsageError(
        path=place,
        expected="weights whose rows sum to 1",
        found="a model in training mode, whose dropout removes some of them",
        fix="call model.eval() first, or leave the weights out with select",
    )


def has_dropout(module: Any) -> bool:
    """Whether a module, in training mode, drops weights."""
    if not module.training:
        return False
    own = [value for key, value in vars(module).items() if "dropout" in key and isinstance(value, float)]
    return any(own) or any(each.p > 0 for each in module.modules() if isinstance(each, torch.nn.Dropout))


def _difference(found: Any, output: Any, sound: Any) -> float:
    """The largest difference, relative to the largest value above 1, where both are `sound`."""
    left, right = found.to(torch.float32)[sound], output.to(torch.float32)[sound]
    if not left.numel():
        return 0.0
    largest = max(1.0, float(right.abs().max()))
    return float((left - right).abs().max()) / largest


def _require_close(place: str, error: float, limit: float) -> None:
    if not error <= limit:
        raise UsageError(
            path=place,
            expected=f"recomputed weights that give the kernel's output within {limit:g}",
            found=f"a difference of {error:g}",
            fix='load the model with attn_implementation="eager", or leave the weights out with select',
        )
