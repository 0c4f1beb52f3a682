"""Positions by labels of a coordinate, as xarray has them: a label alone, or a slice that includes both of its ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.errors import UsageError
from vizschema.text import escape_text, shorten, suggestion


def positions(labels: npt.NDArray[Any], wanted: Any, axis: str, path: str) -> int | slice:
    """Return the position of a label among `labels` [position], or the slice of those from one label to another.

    The ends of a slice need not occur where the labels ascend or descend. Raises `UsageError`, which names `axis` and
    `path`.
    """
    known = labels.tolist()
    if not isinstance(wanted, slice):
        return _position(known, _plain(wanted, axis, path), axis, path)
    if wanted.step is not None and (isinstance(wanted.step, bool) or not isinstance(wanted.step, int)):
        raise UsageError(path=path, expected=f"an integer as the step along {axis}", found=repr(wanted.step))
    first, last = (None if end is None else _plain(end, axis, path) for end in (wanted.start, wanted.stop))
    try:
        ascends = all(one <= other for one, other in pairwise(known))
        descends = not ascends and all(one >= other for one, other in pairwise(known))
        if ascends or descends:
            low, high = _between(known, first, last, descends=descends)
            return slice(low, max(low, high), wanted.step)
    except TypeError:
        raise _unknown(known, first if first is not None else last, axis, path) from None
    low = 0 if first is None else _position(known, first, axis, path)
    high = len(known) - 1 if last is None else _position(known, last, axis, path)
    return slice(low, max(low, high + 1), wanted.step)


def _plain(label: Any, axis: str, path: str) -> Any:
    """A label as Python has it; raises `UsageError` for anything but a number or a text."""
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, str | int | float):
        raise UsageError(path=path, expected=f"a label or a slice of labels for {axis}", found=repr(label))
    return plain


def _position(known: Sequence[Any], label: Any, axis: str, path: str) -> int:
    found = [at for at, each in enumerate(known) if each == label]
    if not found:
        raise _unknown(known, label, axis, path)
    if len(found) > 1:
        words = f"{len(found)}, the first two at positions {found[0]} and {found[1]}"
        raise UsageError(
            path=path, expected=f"one {axis} with the label {label!r}", found=words, fix="select by position with isel"
        )
    return found[0]


def _between(known: Sequence[Any], first: Any, last: Any, *, descends: bool) -> tuple[int, int]:
    """The first position from the label `first` on, and that behind the label `last`, among labels in order."""
    if descends:
        low, high = _between(known[::-1], last, first, descends=False)
        return len(known) - high, len(known) - low
    return (
        0 if first is None else bisect_left(known, first),
        len(known) if last is None else bisect_right(known, last),
    )


def _unknown(known: Sequence[Any], label: Any, axis: str, path: str) -> UsageError:
    near = suggestion(label, [each for each in known if isinstance(each, str)]) if isinstance(label, str) else ""
    shown = ", ".join([repr(each) for each in known[:3]]) + (", …" if len(known) > 3 else "")
    expected = escape_text(shorten(f"a label of {axis} ({shown})"))
    return UsageError(path=path, expected=expected, found=f"{label!r}{near}")
