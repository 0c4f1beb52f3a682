"""Facts of the entries that a mask counts, and of rows that have a share."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.blocks import context_of, cut, measured, node, row_facts

from vizschema.errors import SpecError
from vizschema.scan.facts import FACTS, Context, asked_of
from vizschema.scan.facts.base import Seen, quiet
from vizschema.scan.facts.masks import beside_rows, mask_of


@st.composite
def masked_arrays(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], list[str], Any, list[str]]:
    """An array, a grid over it, its axes, a mask, and the axes of the mask."""
    sizes = {name: draw(st.integers(1, 4)) for name in ("sample", "token", "head")}
    names = draw(st.permutations(["sample", "head", "token:query", "token:key"]))[: draw(st.integers(1, 4))]
    known = sorted({*names, *(name.partition(":")[0] for name in names)})
    of = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique_by=lambda name: name.partition(":")[0]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(-2, 3, size=[sizes[name.partition(":")[0]] for name in names]).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1.0]))
    values = values if draw(st.booleans()) else np.zeros_like(values)
    grid = tuple(draw(st.integers(1, size)) for size in values.shape)
    return values, grid, names, rng.random([sizes[name.partition(":")[0]] for name in of]) < 0.5, of


@settings(max_examples=200, deadline=None)
@given(masked_arrays())
def test_masked_facts_are_those_of_the_entries_that_count(
    drawn: tuple[Any, tuple[int, ...], list[str], Any, list[str]],
) -> None:
    values, grid, names, where, of = drawn
    counts = np.ones(values.shape, bool)
    for index in np.ndindex(values.shape):
        at: dict[str, list[int]] = {}
        for name, place in zip(names, index, strict=True):
            for known in {name, name.partition(":")[0]}:
                at.setdefault(known, []).append(place)
        counts[index] = all(where[way] for way in itertools.product(*(at[name] for name in of)))
    mask = mask_of(where, of, names, values.shape)
    assert mask is not None
    blocks = cut(values, grid)
    context = context_of(values, mask=mask)
    counted = values[counts]
    for name in ("non_finite", "range", "constant"):
        accumulators = [FACTS[name].start(context) for _ in range(2)]
        for number, (start, block) in enumerate(blocks):
            uniform = not block.view(np.uint32).any() and number % 2 == 0
            with quiet():
                accumulators[number % 2].add(mask.within(Seen(start, block, uniform=uniform)))
        accumulators[0].merge(accumulators[1])
        finite = counted[np.isfinite(counted)]
        bits = {value.tobytes() for value in counted + np.float32(0)}
        assert (
            accumulators[0].result()
            == {
                "non_finite": {
                    "non_finite": counted.size - finite.size,
                    "nan": int(np.isnan(counted).sum()),
                    "infinite": int(np.isinf(counted).sum()),
                    "positive_infinite": int(np.isposinf(counted).sum()),
                },
                "range": {
                    "minimum": finite.min() if finite.size else None,
                    "maximum": finite.max() if finite.size else None,
                },
                "constant": {"constant": len(bits) == 1},
            }[name]
        )


def test_a_vast_uniform_block_is_masked_without_its_entries() -> None:
    where = np.arange(100_000) % 4 == 0
    mask = mask_of(where, ["token"], ["head", "token:query", "token:key"], [1000, 100_000, 100_000])
    assert mask is not None
    block = np.broadcast_to(np.float32(0), (1000, 100_000, 100_000))
    assert mask.within(Seen((0, 0, 0), block, uniform=True)).values.size == 1000 * 25_000**2


@pytest.mark.parametrize(("axes", "of"), [(["other"], ["token"]), ([None], [None]), (["token:key"], ["token:query"])])
def test_a_mask_over_other_axes_is_none(axes: Any, of: Any) -> None:
    assert mask_of(np.ones(3, bool), axes, of, [3]) is None
    assert mask_of(np.ones(2, bool), ["token"], ["token"], [3]) is None


def test_a_mask_of_countless_ways_does_not_fit() -> None:
    roles = [f"token:r{number}" for number in range(32)]
    assert mask_of(np.ones((1,) * 10, bool), ["token"] * 10, roles, [1] * 32) is None


def masked_rows(values: np.ndarray[Any, Any], mask: Any, share: Any = None, along: int = 1) -> Context:
    """Rows [query, key] of `values`, by a mask over tokens, with a share of each row [query]."""
    places = mask_of(np.array(mask, bool), ["token"], ["token:query", "token:key"], values.shape)
    beside = (
        None
        if share is None
        else beside_rows(np.array(share), ["token"], ["token:query", "token:key"], values.shape, along)
    )
    return replace(context_of(values, along=along), mask=places, share=beside)


@pytest.mark.parametrize("grid", [(3, 3), (1, 3), (3, 1), (1, 1), (2, 2)])
def test_a_mask_says_which_rows_have_a_sum_and_which_values_are_in_it(grid: tuple[int, ...]) -> None:
    values = np.array([[0.25, 0.75, 9.0], [0.5, 0.25, np.nan], [7.0, 7.0, 7.0]])
    context = masked_rows(values, [1, 1, 0])
    assert measured("row_sum", context, cut(values, grid)) == row_facts(3, [1, 0.75])
    assert measured("left_out_nonzero", context, cut(values, grid)) == {"left_out_nonzero": 5}


@pytest.mark.parametrize("grid", [(3, 3), (3, 1), (1, 2)])
def test_a_share_is_added_to_the_sum_of_its_row(grid: tuple[int, ...]) -> None:
    values = np.array([[0.25, 0.5, 0.0], [0.5, 0.25, 0.125], [0.0, 0.0, 1.0]])
    context = masked_rows(values, [1, 1, 1], share=[0.25, 0.125, 0.5])
    assert measured("row_sum", context, cut(values, grid)) == row_facts(3, [1, 1, 1.5])
    assert measured("row_sum", masked_rows(values, [1, 1, 0], [0.25, 0.125, 3.0]), cut(values, grid)) == row_facts(
        3, [1, 0.875]
    )


def test_chunks_that_were_never_written_have_masks_and_shares_too() -> None:
    zeros = np.broadcast_to(np.zeros((), np.float32), (3, 3))
    context = masked_rows(zeros, [1, 1, 0], share=[1.0, 1.0, 0.0])
    accumulator = FACTS["row_sum"].start(context)
    accumulator.add(Seen((0, 0), zeros, uniform=True))
    assert accumulator.result() == row_facts(3, [1, 1])
    large = np.broadcast_to(np.zeros((), np.float32), (1 << 13, 1 << 13))
    given_up = FACTS["row_sum"].start(replace(context_of(large, along=1), share=np.ones((1 << 13,))))
    given_up.add(Seen((0, 0), large, uniform=True))
    assert given_up.result() == row_facts(1 << 13, [])


def test_a_share_that_fits_in_no_way_or_in_two_is_none() -> None:
    of, shape = ["head", "token:query", "token:key"], [2, 3, 3]
    share = np.arange(6.0).reshape(3, 2)
    beside = beside_rows(share, ["token", "head"], of, shape, 2)
    assert beside is not None
    assert (beside == share.T).all()
    assert beside_rows(share, ["token:key", "head"], of, shape, 2) is None
    assert beside_rows(np.ones(2), ["token"], ["token:a", "token:b", "key"], [2, 2, 4], 2) is None


def test_a_fact_that_cannot_be_masked_is_refused_with_an_attribute() -> None:
    entry = {"at": "^/", "measure": ["duplicate_slices"], "along": "head", "with_attribute": "mask"}
    with pytest.raises(SpecError, match="duplicate_slices is not measured by a mask"):
        asked_of([entry], "/x", node())
