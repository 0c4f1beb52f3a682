"""How an encoding cuts an array, and what its absent chunks hold: shapes, places and fill values by level."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from vizschema.conformance.corpus.raw.nodes import Values
from vizschema.description import STORED_AS

Place = tuple[int, ...]
Box = tuple[slice, ...]

RUBBISH = 0xA5
"""Every byte of what is written beyond the edges of an array: no reader may look at it."""


def chunk_of(shape: Sequence[int], level: str) -> tuple[int, ...]:
    """The shape of a chunk: it divides the array, hangs over, is larger than the array, or thin.

    The first axis of two or more has a chunk length of 1: one head.
    """
    if level == "thin":
        return tuple(size if at == len(shape) - 1 and size else 1 for at, size in enumerate(shape))
    lengths = [max(1, _LENGTHS[level](size)) for size in shape]
    return tuple([1, *lengths[1:]] if len(shape) > 1 else lengths)


_LENGTHS: Mapping[str, Callable[[int], int]] = {
    "divides": lambda size: size,
    "over": lambda size: size // 2 + 1 if size > 1 else size + 1,
    "larger": lambda size: size + 2,
}


def places(shape: Sequence[int], chunk: Sequence[int]) -> Iterator[Place]:
    """Every place in the grid, in C order."""
    yield from itertools.product(*(range(-(-size // length)) for size, length in zip(shape, chunk, strict=True)))


def box(place: Place, chunk: Sequence[int]) -> Box:
    """The entries of an array that a chunk covers."""
    return tuple(slice(at * length, (at + 1) * length) for at, length in zip(place, chunk, strict=True))


def absent_of(shape: Sequence[int], chunk: Sequence[int], level: str) -> frozenset[Place]:
    """The places at which no chunk is written; at least one is, unless the level says `all`."""
    every = list(places(shape, chunk))
    if level == "all":
        return frozenset(every)
    if level == "none" or len(every) < 2:
        return frozenset()
    return frozenset([every[-1] if level == "edge" else every[(len(every) - 1) // 2]])


def cut(values: Values, chunk: Sequence[int]) -> Iterator[tuple[Place, Values]]:
    """Every chunk with its place; what hangs over the edge is rubbish."""
    for place in places(values.shape, chunk):
        inner = values[box(place, chunk)]
        count = int(np.prod(chunk, dtype=np.int64)) * values.itemsize
        whole = np.frombuffer(bytearray([RUBBISH if values.dtype.kind != "b" else 1] * count), values.dtype)
        whole = whole.reshape(tuple(chunk))
        whole[tuple(slice(size) for size in inner.shape)] = inner
        yield place, whole


def fill_of(dtype: str, level: str) -> Values:
    """The fill value of a level, 0-d, as it is stored: the bits of what NumPy lacks as integers."""
    if dtype in STORED_AS:
        other = np.dtype(getattr(ml_dtypes, dtype))
        kind = "f" if "float" in dtype else "i"
        bits = np.array(_scalar(kind, np.float32, level), other).view(STORED_AS[dtype])
        return np.asarray(bits + np.array(level == "bits", bits.dtype))
    made = np.dtype(dtype)
    if made.kind == "c":
        real = np.float32 if made.itemsize == 8 else np.float64
        pair = [_float(real, level), _float(real, _IMAGINARY.get(level, level))]
        return np.array(pair, real).view(made).reshape(())
    return np.array(_scalar(made.kind, made.type, level), made)


_IMAGINARY = {"value": "largest", "negative-zero": "value", "nan": "value", "bits": "nan", "null": "zero"}


def _scalar(kind: str, dtype: Any, level: str) -> Any:
    if kind == "b":
        return level not in ("zero", "null", "default", "never", "undefined")
    if kind in "iu":
        largest = 7 if dtype is np.float32 else int(np.iinfo(dtype).max)
        largest -= largest >= 1 << 62  # a double holds no such number, and what it holds instead is not the largest
        return {
            "zero": 0,
            "null": 0,
            "default": 0,
            "never": 0,
            "undefined": 0,
            "largest": largest,
            "infinity": largest,
        }.get(level, 7)
    return _float(dtype, level)


def _float(dtype: Any, level: str) -> Any:
    """A floating-point number; `bits` is a NaN with a payload."""
    if level == "bits":
        bits = {2: 0x7E01, 4: 0x7FC00001, 8: 0x7FF8000000000001}[np.dtype(dtype).itemsize]
        return np.array(bits, f"u{np.dtype(dtype).itemsize}").view(dtype)[()]
    known = {"zero": 0.0, "null": 0.0, "default": 0.0, "value": 0.25, "negative-zero": -0.0}
    known |= {"nan": float("nan"), "infinity": float("inf"), "largest": 448.0, "never": 0.0, "undefined": 0.0}
    return dtype(known[level])
