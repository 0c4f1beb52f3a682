"""Arrays cut into blocks, and what a fact is of them."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from support import row_sum_vectors

from vizschema.scan.facts import FACTS, Context
from vizschema.scan.facts.base import Seen, quiet

FLOATS = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]


Blocks = list[tuple[tuple[int, ...], Any]]


def cut(values: Any, grid: tuple[int, ...]) -> Blocks:
    """The blocks of `values` on a regular grid, C order."""
    starts = itertools.product(*(range(0, size, length) for size, length in zip(values.shape, grid, strict=True)))
    return [
        (
            start,
            np.ascontiguousarray(
                values[tuple(slice(first, first + length) for first, length in zip(start, grid, strict=True))]
            ).reshape(
                [min(length, size - first) for first, length, size in zip(start, grid, values.shape, strict=True)]
            ),
        )
        for start in list(starts)
    ]


def measured(
    name: str, context: Context, blocks: Blocks, order: list[int] | None = None, parts: int = 3
) -> dict[str, Any]:
    """The fact over blocks that were dealt out to a few accumulators, which are merged at the end."""
    accumulators = [FACTS[name].start(context) for _ in range(parts)]
    for number, at in enumerate(order or range(len(blocks))):
        start, values = blocks[at]
        uniform = values.size > 1 and bool(
            (values.reshape(-1).view(np.uint8).reshape(values.size, -1) == values.reshape(-1)[:1].view(np.uint8)).all()
        )
        if context.fill is not None:  # what was never written holds the fill value
            uniform = uniform and values.reshape(-1)[:1].tobytes() == context.fill.tobytes()
        with quiet():
            accumulators[number % parts].add(Seen(start, values, uniform=uniform and number % 2 == 0))
    first, *others = accumulators
    for other in others:
        first.merge(other)
    return first.result()


def context_of(values: Any, **more: Any) -> Context:
    first, last = (values.reshape(-1)[at].reshape(()) if values.size else None for at in (slice(1), slice(-1, None)))
    return Context(values.shape, values.dtype, first, fill=last, **more)


def exact_rows(values: Any) -> list[float]:
    """The sums of the rows as the specification defines them, by fractions."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        rows = values.astype(np.float64).reshape(-1, values.shape[-1] if values.ndim else 1)
    return row_sum_vectors.sums_of(rows.tolist())


def row_facts(length: int, sums: list[float]) -> dict[str, Any]:
    """The fact of rows of this length with these sums."""
    return {
        "row_length": length,
        "row_sum_minimum": min(sums, default=None),
        "row_sum_maximum": max(sums, default=None),
        "nonzero_row_sum_minimum": min((each for each in sums if each), default=None),
    }


@st.composite
def arrays_and_grids(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], list[int]]:
    """An array of floats, of a kind that is hard for one fact or another; a grid over it; an order of its blocks."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    dtype = draw(st.sampled_from(FLOATS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["normal", "softmax", "wide", "zeros", "broken", "bits", "repeated"]))
    with np.errstate(all="ignore"):
        values = rng.normal(size=shape)
        if kind == "softmax":
            values = np.exp(values * 9)
            values /= values.sum(axis=-1, keepdims=True)
        elif kind == "wide":
            values = values * 10.0 ** rng.integers(-30, 30, size=shape)
        elif kind == "zeros":
            values = values * 0.0
        elif kind == "repeated":
            values = np.broadcast_to(values[:1], shape).copy()
        values = values.astype(dtype)
        if kind == "broken":
            values.reshape(-1)[rng.integers(0, values.size, size=2)] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
        if kind == "bits":
            values = rng.integers(0, 256, size=(*shape, dtype.itemsize), dtype=np.uint8).view(dtype)[..., 0].copy()
    grid = tuple(draw(st.integers(1, size)) for size in shape)
    order = draw(st.permutations(range(len(cut(values, grid)))))
    return values, grid, list(order)


def node(dtype: str = "float32", axes: list[str] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "axes": axes}


def alone(name: str, context: Context, blocks: Blocks) -> dict[str, Any]:
    """The fact by one accumulator, which is told of every block that is uniform."""
    accumulator = FACTS[name].start(context)
    for start, values in blocks:
        fill = b"" if context.fill is None else context.fill.tobytes()
        uniform = {value.tobytes() for value in values.reshape(-1)} == {fill}
        with quiet():
            accumulator.add(Seen(start, values, uniform=uniform))
    return accumulator.result()
