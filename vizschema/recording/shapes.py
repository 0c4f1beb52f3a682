"""From the dimensions of a tensor to named axes. No torch here: anything with `ndim`, `shape` and `reshape`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vizschema.errors import UsageError


def shaped(place: str, tensor: Any, axes: Sequence[str], sizes: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
    """Return `tensor` with one dimension per axis, and the names of the axes.

    A dimension `1` is dropped, and one of two axes (`sample*token`) becomes two, by their `sizes`. Raises `UsageError`
    where the tensor does not fit.
    """
    listed = " ".join(axes) or "none"
    if tensor.ndim != len(axes):
        found = f"the shape {tuple(tensor.shape)}"
        raise UsageError(path=place, expected=f"a tensor with the axes {listed}", found=found)
    shape: list[int] = []
    names: list[str] = []
    for axis, size in zip(axes, tensor.shape, strict=True):
        if axis == "1":
            if size != 1:
                found = f"the shape {tuple(tensor.shape)}"
                raise UsageError(
                    path=place,
                    expected=f"size 1 along the dimension that is dropped ({listed})",
                    found=found,
                    fix="record each sample in an archive of its own, or pass rows that name this axis (table=[…])",
                )
            continue
        parts = axis.split("*")
        known = [sizes.get(part.partition(":")[0]) for part in parts]
        if len(parts) > 1:
            if None in known or known[0] * known[1] != size:  # type: ignore[operator]
                wanted = " * ".join(f"{part} {number}" for part, number in zip(parts, known, strict=True))
                raise UsageError(path=place, expected=f"{wanted} entries along {axis}", found=size)
            shape += [number for number in known if number is not None]
        else:
            shape.append(size)
        names += parts
    return (tensor if len(shape) == tensor.ndim else tensor.reshape(shape)), tuple(names)
