"""Operations undone on values of which the source is not there: its shape and dtype are as far as they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vizschema.containers.values import dtype_of
from vizschema.migration.operations import Unfit, apply, require_exact
from vizschema.sources.views import View, cast, expanded, view_of

Shape = list[int | None]

TEXT = "string"


class Incomplete(Unfit):
    """An operation left a part of the values out."""


def undone(
    values: View, steps: Sequence[Mapping[str, Any]], shape: Sequence[int | None] | None, dtype: str | None
) -> View:
    """The values before `steps`.

    They are read when a region of the result is. `shape` is that of the source, None for a size that is open; `dtype`
    its dtype, None where it is open. Raises `Incomplete` where a part was left out, `Unfit` where the values cannot
    have been made so.
    """
    before = _shapes(steps, shape)
    for step, known in zip(reversed(steps), reversed(before), strict=True):
        for name, argument in step.items():
            try:
                values = _UNDO[name](values, argument, known)
            except (ValueError, IndexError, TypeError, UnicodeDecodeError) as error:
                raise Unfit(f"{name} {argument} cannot be undone for the shape {values.shape}: {error}") from error
    if shape is not None and None not in shape and list(values.shape) != list(shape):
        raise Unfit(f"expected the shape {list(shape)}, found {list(values.shape)}")
    return _as(values, dtype)


def _as(values: View, dtype: str | None) -> View:
    """The values in another dtype; raises `Unfit` where they are not exact in it."""
    if dtype in (None, TEXT, values.dtype.name) or values.dtype.kind in "UT":
        return values
    found = dtype_of(str(dtype))
    require_exact(values, found)
    return cast(values, found)


def _shapes(steps: Sequence[Mapping[str, Any]], shape: Sequence[int | None] | None) -> list[Shape | None]:
    """The shape before each step, as far as it is known."""
    found: list[Shape | None] = []
    here = None if shape is None else list(shape)
    for step in steps:
        found.append(here)
        for name, argument in step.items():
            here = None if here is None else _after(here, name, argument)
    return found


def _after(shape: Shape, name: str, argument: Any) -> Shape | None:
    """The shape after an operation; None where it does not say."""
    after = list(shape)
    try:
        if name == "moveaxis":
            after.insert(argument[1] % len(after), after.pop(argument[0]))
        elif name == "squeeze":
            after.pop(argument)
        elif name == "expand":
            after.insert(argument % (len(after) + 1), 1)
        elif name == "take":
            after.pop(argument[0])
        elif name == "reshape":
            after = [size if isinstance(size, int) and size >= 0 else None for size in argument]
        elif name != "cast":
            return None
    except (IndexError, ZeroDivisionError):
        return None
    return after


def _reshape(values: View, before: Shape | None) -> View:
    if before is None:
        raise ValueError("the shape in the other layout is not known")
    open_sizes = before.count(None)
    if open_sizes > 1:
        raise ValueError(f"{open_sizes} sizes in the other layout are not known")
    return apply(values, [{"reshape": [-1 if size is None else size for size in before]}]).values


def _codes(values: View, argument: str) -> View:
    if values.ndim != 1 or values.dtype != np.uint8:
        raise ValueError(f"expected one code a letter, as uint8, found {values.dtype.name} {list(values.shape)}")
    return view_of(np.array(values.whole().tobytes().decode(argument)))


def _take(values: View, axis: int, index: int, before: Shape | None) -> View:
    if before is None or before[axis] != 1:
        raise Incomplete(f"only entry {index} along dimension {axis} of the layout is there")
    return expanded(values, axis)


_UNDO: Mapping[str, Callable[[View, Any, Shape | None], View]] = {
    "moveaxis": lambda values, axes, _: apply(values, [{"moveaxis": [axes[1], axes[0]]}]).values,
    "reshape": lambda values, _, before: _reshape(values, before),
    "squeeze": lambda values, axis, _: apply(values, [{"expand": axis}]).values,
    "expand": lambda values, axis, _: apply(values, [{"squeeze": axis}]).values,
    "cast": lambda values, _, __: values,
    "codes": lambda values, encoding, _: _codes(values, encoding),
    "take": lambda values, where, before: _take(values, where[0], where[1], before),
}
