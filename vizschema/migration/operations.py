"""Operations on arrays, each with its inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vizschema.sources.item import Values, digest

Undo = Callable[[Values], Values]


class Unfit(Exception):
    """An operation does not fit the values; the words say why."""


@dataclass(slots=True)
class Done:
    """Values after operations.

    Attributes:
        values: What is written.
        base: What the undone values are compared with: the source's values, or those that `take` left.
        undo: The inverses, in the order of the operations.
        lost: What `take` left out, in words.
    """

    values: Values
    base: Values
    undo: list[Undo] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def undone(self, values: Values) -> Values:
        """`values`, as they are in an archive, with every operation undone."""
        for step in reversed(self.undo):
            values = step(values)
        return values

    def then(self, values: Values, undo: Undo) -> None:
        """Take the next values, and how to get back from them."""
        self.values = values
        self.undo.append(undo)


def apply(values: Values, steps: Sequence[Mapping[str, Any]]) -> Done:
    """Apply `steps`, each a name with its argument; raise `Unfit` where one does not fit the values."""
    done = Done(values, values)
    for step in steps:
        for name, argument in step.items():
            try:
                _OPERATIONS[name](done, argument)
            except (ValueError, IndexError, TypeError) as error:
                raise Unfit(f"{name} {argument} does not fit the shape {done.values.shape}: {error}") from error
    return done


def _cast(done: Done, argument: str) -> None:
    before, dtype = done.values, done.values.dtype
    with np.errstate(invalid="ignore", over="ignore"):
        after = before.astype(argument)
        back = after.astype(dtype)
    if digest(back) != digest(before):
        raise Unfit(f"the values are not exact as {argument}; they are {dtype.name}")
    done.then(after, lambda values: values.astype(dtype))


def _codes(done: Done, argument: str) -> None:
    dtype = done.values.dtype
    text = str(done.values.item()) if done.values.ndim == 0 else ""
    if not text or not text.isascii():
        raise Unfit("expected one text of ASCII characters")
    codes = np.frombuffer(text.encode(argument), dtype="uint8").copy()
    done.then(codes, lambda values: np.array(values.tobytes().decode(argument), dtype=dtype))


def _take(done: Done, argument: Sequence[int]) -> None:
    axis, index = argument
    count = done.values.shape[axis]
    done.values = np.take(done.values, index, axis)
    done.base, done.undo = done.values, []
    if count > 1:
        done.lost.append(f"all {count} entries along dimension {axis} but number {index}")


_OPERATIONS: Mapping[str, Callable[[Done, Any], None]] = {
    "moveaxis": lambda done, axes: done.then(
        np.moveaxis(done.values, *axes), lambda values: np.moveaxis(values, axes[1], axes[0])
    ),
    "reshape": lambda done, shape: done.then(
        done.values.reshape(tuple(shape)), partial(np.reshape, shape=done.values.shape)
    ),
    "squeeze": lambda done, axis: done.then(np.squeeze(done.values, axis), partial(np.expand_dims, axis=axis)),
    "expand": lambda done, axis: done.then(np.expand_dims(done.values, axis), partial(np.squeeze, axis=axis)),
    "cast": _cast,
    "codes": _codes,
    "take": _take,
}
