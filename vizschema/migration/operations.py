"""Operations on arrays, each with its inverse, and the digest of values that shows that nothing was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.canonical import canonical
from vizschema.migration.tree import Values

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


def digest(values: Values) -> str:
    """The SHA-256 of dtype, shape and values: the bytes in C order, little-endian; of texts, their canonical JSON."""
    kind = "string" if values.dtype.kind in "UT" else values.dtype.name
    found = hashlib.sha256(f"{kind} {list(values.shape)} ".encode())
    if kind == "string":
        found.update(canonical(np.asarray(values).astype(object).tolist()))
    else:
        plain = np.ascontiguousarray(values)
        found.update(plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()


def _moveaxis(done: Done, argument: Sequence[int]) -> None:
    old, new = argument
    done.values = np.moveaxis(done.values, old, new)
    done.undo.append(lambda values: np.moveaxis(values, new, old))


def _reshape(done: Done, argument: Sequence[int]) -> None:
    shape = done.values.shape
    done.values = done.values.reshape(tuple(argument))
    done.undo.append(lambda values: values.reshape(shape))


def _squeeze(done: Done, argument: int) -> None:
    done.values = np.squeeze(done.values, argument)
    done.undo.append(lambda values: np.expand_dims(values, argument))


def _expand(done: Done, argument: int) -> None:
    done.values = np.expand_dims(done.values, argument)
    done.undo.append(lambda values: np.squeeze(values, argument))


def _cast(done: Done, argument: str) -> None:
    before = done.values
    with np.errstate(invalid="ignore", over="ignore"):
        done.values = before.astype(argument)
        back = done.values.astype(before.dtype)
    if digest(back) != digest(before):
        raise Unfit(f"the values are not exact as {argument}; they are {before.dtype.name}")
    done.undo.append(lambda values: values.astype(before.dtype))


def _codes(done: Done, argument: str) -> None:
    before = done.values
    text = str(before.item()) if before.ndim == 0 else ""
    if not text or not text.isascii():
        raise Unfit("expected one text of ASCII characters")
    done.values = np.frombuffer(text.encode(argument), dtype="uint8").copy()
    done.undo.append(lambda values: np.array(values.tobytes().decode(argument), dtype=before.dtype))


def _take(done: Done, argument: Sequence[int]) -> None:
    axis, index = argument
    count = done.values.shape[axis]
    done.values = np.take(done.values, index, axis)
    done.base, done.undo = done.values, []
    if count > 1:
        done.lost.append(f"all {count} entries along dimension {axis} but number {index}")


_OPERATIONS: Mapping[str, Callable[[Done, Any], None]] = {
    "moveaxis": _moveaxis,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand": _expand,
    "cast": _cast,
    "codes": _codes,
    "take": _take,
}
