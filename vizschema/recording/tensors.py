"""Tensors as they are when a hook sees them: copies that a model cannot change any more. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from vizschema.errors import UsageError

_REFUSED = (
    ("is_sparse", "a sparse tensor", "record .to_dense() by a row of a module that returns it"),
    ("is_quantized", "a quantized tensor", "record a module that returns numbers"),
    ("is_meta", "a tensor on the device meta, which has no values", "run the model on a real device"),
    ("is_nested", "a nested tensor", "pass padded inputs, and turn nested tensors off (enable_nested_tensor=False)"),
)


def require_plain(place: str, value: Any) -> Any:
    """Return `value`, a tensor with values of its own on one device; raise `UsageError` for anything else."""
    if not isinstance(value, torch.Tensor):
        found = type(value).__name__
        raise UsageError(path=place, expected="a tensor", found=found, fix='name its place, as in value = "out[0]"')
    for name, found, fix in _REFUSED:
        if getattr(value, name, False):
            raise UsageError(path=place, expected="a dense tensor", found=found, fix=fix)
    if hasattr(value, "full_tensor"):
        fix = "record each rank without tensor parallelism, or leave this array out with select"
        raise UsageError(path=place, expected="a tensor of one device", found="a distributed tensor (DTensor)", fix=fix)
    return value.detach()


class Copies:
    """Copies of tensors in the memory of the host, made without stopping a GPU."""

    def __init__(self) -> None:
        self._streams: dict[Any, Any] = {}

    def copy(self, tensor: Any, *, own: bool) -> tuple[Any, Callable[[], None] | None]:
        """Return a copy on the CPU, and what to call before its values are read (None: nothing).

        `own` says that nothing else has the tensor's memory, so that a tensor of the CPU needs no copy.
        """
        if tensor.device.type == "cpu":
            return (tensor if own and tensor.is_contiguous() else _cloned(tensor)), None
        if tensor.device.type != "cuda":
            return tensor.cpu(), None
        return self._from_gpu(tensor.resolve_conj().resolve_neg().contiguous())

    def _from_gpu(self, tensor: Any) -> tuple[Any, Callable[[], None]]:
        """Copy to pinned memory on a stream of its own, which waits for what computes the tensor."""
        stream = self._streams.setdefault(tensor.device, torch.cuda.Stream(tensor.device))
        target = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        stream.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(stream):
            target.copy_(tensor, non_blocking=True)
            done = torch.cuda.Event()
            done.record(stream)
        tensor.record_stream(stream)
        return target, done.synchronize


def _cloned(tensor: Any) -> Any:
    return tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)


def dtype_named(name: str) -> Any:
    """Return the dtype of torch of this name; raise `UsageError` where there is none."""
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise UsageError(path="cast", expected="the name of a dtype, such as float16", found=repr(name))
    return found
