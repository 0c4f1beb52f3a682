"""Operations on arrays, each with its inverse; values are read when a region of the result is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.containers.values import dtype_of
from vizschema.sources.views import View, cast, converted, expanded, parts, reshaped, turned, view_of, without

Step = Mapping[str, Any]


class Unfit(Exception):
    """An operation does not fit the values; the words say why."""


@dataclass(slots=True)
class Done:
    """Values after operations.

    Attributes:
        values: What is written.
        base: What the undone values are compared with: the source's values, or those that `take` left.
        undo: The inverse of each operation, the last one first: operations too.
        lost: What `take` left out, in words.
    """

    values: View
    base: View
    undo: list[Step] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def undone(self, values: Any) -> View:
        """`values`, as they are in an archive, with every operation undone; raises `Unfit`."""
        return apply(view_of(values), self.undo, exact=False).values


def apply(values: View, steps: Sequence[Step], *, exact: bool = True) -> Done:
    """Apply `steps`, each a name with its argument; raise `Unfit` where one does not fit the values.

    Values are read for `cast` alone, to see that they stay `exact`, and for texts.
    """
    done = Done(values, values)
    for step in steps:
        for name, argument in step.items():
            try:
                view, inverse = _OPERATIONS[name](done.values, argument)
            except (ValueError, IndexError, TypeError) as error:
                raise Unfit(f"{name} {argument} does not fit the shape {done.values.shape}: {error}") from error
            if name == "cast" and exact:
                require_exact(done.values, view.dtype)
            if name == "take":
                done.base, done.undo = view, []
                count = done.values.shape[argument[0]]
                if count > 1:
                    done.lost.append(f"all {count} entries along dimension {argument[0]} but number {argument[1]}")
            else:
                done.undo.insert(0, inverse)
            done.values = view
    return done


def _moveaxis(view: View, axes: Sequence[int]) -> tuple[View, Step]:
    order = list(range(view.ndim))
    order.insert(range(view.ndim)[axes[1]], order.pop(axes[0]))
    return turned(view, order), {"moveaxis": [axes[1], axes[0]]}


def _reshape(view: View, shape: Sequence[int]) -> tuple[View, Step]:
    sizes = np.broadcast_to(np.zeros((), "bool"), view.shape).reshape(tuple(shape)).shape
    return reshaped(view, sizes), {"reshape": list(view.shape)}


def _squeeze(view: View, axis: int) -> tuple[View, Step]:
    place = range(view.ndim)[axis]
    if view.shape[place] != 1:
        raise ValueError(f"dimension {place} has {view.shape[place]} entries")
    return without(view, place, 0), {"expand": place}


def _expand(view: View, axis: int) -> tuple[View, Step]:
    place = range(view.ndim + 1)[axis]
    return expanded(view, place), {"squeeze": place}


def require_exact(view: View, dtype: np.dtype[Any]) -> None:
    """Raise `Unfit` unless every value, bit by bit, is the same after it was `dtype`."""
    for part in parts(view):
        if converted(converted(part, dtype), view.dtype).tobytes() != part.tobytes():
            raise Unfit(f"the values are not exact as {dtype.name}; they are {view.dtype.name}")


def _codes(view: View, argument: str) -> tuple[View, Step]:
    text = str(view.whole().item()) if view.ndim == 0 else ""
    if not text or not text.isascii():
        raise Unfit("expected one text of ASCII characters")
    return view_of(np.frombuffer(text.encode(argument), dtype="uint8")), {"text": (argument, view.dtype)}


def _text(view: View, argument: tuple[str, np.dtype[Any]]) -> tuple[View, Step]:
    encoding, dtype = argument
    return view_of(np.array(view.whole().tobytes().decode(encoding), dtype=dtype)), {"codes": encoding}


def _take(view: View, argument: Sequence[int]) -> tuple[View, Step]:
    axis = range(view.ndim)[argument[0]]
    return without(view, axis, range(view.shape[axis])[argument[1]]), {}


_OPERATIONS: Mapping[str, Callable[[View, Any], tuple[View, Step]]] = {
    "moveaxis": _moveaxis,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand": _expand,
    "cast": lambda view, name: (cast(view, dtype_of(name)), {"cast": view.dtype.name}),
    "codes": _codes,
    "text": _text,
    "take": _take,
}
