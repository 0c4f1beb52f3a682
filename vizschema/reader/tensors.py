"""Values as tensors of PyTorch, which is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vizschema.description import NIBBLES, STORED_AS
from vizschema.errors import UsageError, require

if TYPE_CHECKING:
    import torch


def tensor(values: npt.NDArray[Any], path: str) -> torch.Tensor:
    """Return a tensor in the memory of `values`; dtypes that NumPy lacks by their bits.

    Raises `UsageError`, which names `path`, where PyTorch is not installed or has no such dtype.
    """
    require(path, "torch")
    import torch

    name = values.dtype.name
    kind = getattr(torch, name, None)
    lacks = name in STORED_AS and (name in NIBBLES or not isinstance(kind, torch.dtype))
    if values.dtype.kind == "T" or lacks:
        raise UsageError(path=path, expected="a dtype that PyTorch has", found=name)
    values = np.require(values, requirements=["C", "W"])
    if name not in STORED_AS:
        return torch.from_numpy(values)
    bits = {2: np.int16, 1: np.uint8}[values.dtype.itemsize]
    try:
        return torch.from_numpy(values.view(bits)).view(kind)
    except RuntimeError as error:
        raise UsageError(path=path, expected="a dtype that PyTorch has", found=name) from error
