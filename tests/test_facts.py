"""Facts are those of the whole array, whatever grid its blocks come from and in whatever order they are merged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vizschema.errors import SpecError
from vizschema.facts import FACTS, Context, asked_of
from vizschema.facts.base import Seen

FLOATS = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]

Blocks = list[tuple[tuple[int, ...], Any]]

_BEYOND = Fraction(2) ** 1024 - Fraction(2) ** 970
"""What rounds to no finite double any more (IEEE 754, roundTiesToEven): halfway from the largest to the next."""


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
        for start in start_list(starts)
    ]


def start_list(starts: Iterator[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return list(starts)


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
        accumulators[number % parts].add(Seen(start, values, uniform=uniform and number % 2 == 0))
    first, *others = accumulators
    for other in others:
        first.merge(other)
    return first.result()


def context_of(values: Any, **more: Any) -> Context:
    first = values.reshape(-1)[:1].reshape(()) if values.size else None
    return Context(values.shape, values.dtype, first, **more)


def exact_rows(values: Any) -> list[float]:
    """The exact sums of the finite rows, as fractions rounded to nine digits."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        rows = values.astype(np.float64).reshape(-1, values.shape[-1] if values.ndim else 1)
    sums = [sum(map(Fraction, row.tolist()), Fraction()) for row in rows if np.isfinite(row).all()]
    return [float(f"{float(total):.8e}") + 0.0 for total in sums if abs(total) < _BEYOND]


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


@settings(max_examples=150, deadline=None)
@given(arrays_and_grids())
def test_facts_of_floats_are_those_of_the_whole_array(drawn: tuple[Any, tuple[int, ...], list[int]]) -> None:
    values, grid, order = drawn
    blocks, context = cut(values, grid), context_of(values, along=0)
    with np.errstate(all="ignore"):
        doubles = values.astype(np.float64)
    finite = doubles[np.isfinite(doubles)]
    bits = values.reshape(-1).view(np.uint8).reshape(values.size, -1)
    slices = [values[number].tobytes() for number in range(values.shape[0])]
    assert measured("non_finite", context, blocks, order) == {
        "non_finite": values.size - finite.size,
        "nan": int(np.isnan(doubles).sum()),
        "infinite": int(np.isinf(doubles).sum()),
    }
    ends = (finite.min() + 0.0, finite.max() + 0.0) if finite.size else (None, None)
    assert measured("range", context, blocks, order) == {"minimum": ends[0], "maximum": ends[1]}
    equal = int((doubles == 0).sum()) if doubles.reshape(-1)[0] == 0 else int((bits == bits[0]).all(axis=1).sum())
    assert measured("constant_share", context, blocks, order) == {"constant_share": equal / values.size}
    duplicates = len(slices) - len(set(slices))
    assert measured("duplicate_slices", context, blocks, order) == {"duplicate_slices": duplicates}
    rows = exact_rows(values)
    assert measured("row_sum", context, blocks, order) == {
        "row_sum_minimum": min(rows, default=None),
        "row_sum_maximum": max(rows, default=None),
    }


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_row_sum_is_the_same_for_every_cut_of_long_rows(dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(7)
    values = np.exp(rng.normal(size=(5, 1000)) * 5)
    values = (values / values.sum(axis=-1, keepdims=True)).astype(dtype)
    values[1] = 0
    values[2] = -values[2]
    found = {
        str(measured("row_sum", context_of(values), cut(values, (rows, columns))))
        for rows in (1, 2, 5)
        for columns in (1, 7, 999, 1000)
    }
    rows = exact_rows(values)
    assert found == {str({"row_sum_minimum": min(rows), "row_sum_maximum": max(rows)})}
    assert max(rows) == pytest.approx(values[[0, 3, 4]].astype(np.float64).sum(-1).max(), rel=1e-8)


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_sums_up_to_the_largest_double_are_kept_and_those_beyond_it_are_not(columns: int) -> None:
    largest, half = float(np.finfo(np.float64).max), 2.0**969
    values = np.array([[largest, half, half * (1 - 2.0**-50), 0], [1, 2, 3, 4]])
    beyond = np.array([[largest, half, half, 0], [-1, -2, -3, -4]])
    assert measured("row_sum", context_of(values), cut(values, (1, columns))) == {
        "row_sum_minimum": 10,
        "row_sum_maximum": 1.79769313e308,
    }
    assert measured("row_sum", context_of(beyond), cut(beyond, (1, columns))) == {
        "row_sum_minimum": -10,
        "row_sum_maximum": -10,
    }


def test_sums_that_overflow_on_the_way_are_exact() -> None:
    values = np.array([[1e308, 1e308, -1e308], [1e308, 1e308, 1e308], [np.inf, -np.inf, 0]])
    whole = measured("row_sum", context_of(values), cut(values, (3, 3)))
    assert whole == measured("row_sum", context_of(values), cut(values, (3, 1)))
    assert whole == {"row_sum_minimum": 1e308, "row_sum_maximum": 1e308}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["int8", "uint8", "int32", "int64", "uint64", "bool"]), st.data())
def test_the_range_of_integers_is_exact(seed: int, name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    dtype = np.dtype(name)
    values = rng.integers(0, 256, size=(4, 5, dtype.itemsize), dtype=np.uint8)
    values = (values > 128 if name == "bool" else values).view(dtype)[..., 0].copy()
    grid = (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5)))
    assert measured("range", context_of(values), cut(values, grid)) == {
        "minimum": int(values.min()),
        "maximum": int(values.max()),
    }


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_signalling_nan_is_a_nan_and_no_warning(dtype: np.dtype[Any]) -> None:
    infinity = np.array([np.inf], dtype).view(f"u{dtype.itemsize}")
    values = np.concatenate([(infinity + 1).view(dtype), np.ones(3, dtype)]).reshape(2, 2)
    context, blocks = context_of(values, along=0), cut(values, (1, 2))
    assert measured("non_finite", context, blocks) == {"non_finite": 1, "nan": 1, "infinite": 0}
    assert measured("range", context, blocks) == {"minimum": 1, "maximum": 1}
    assert measured("row_sum", context, blocks) == {"row_sum_minimum": 2, "row_sum_maximum": 2}
    assert measured("row_sum", context, cut(values, (1, 1))) == {"row_sum_minimum": 2, "row_sum_maximum": 2}


def test_complex_numbers_are_finite_in_both_parts() -> None:
    values = np.array([1 + 2j, complex(np.nan, np.inf), complex(0, np.inf)], np.complex64)
    assert measured("non_finite", context_of(values), cut(values, (2,))) == {"non_finite": 2, "nan": 1, "infinite": 1}


def test_facts_without_a_value_are_null() -> None:
    values = np.zeros((0, 3), np.float32)
    assert measured("range", context_of(values), []) == {"minimum": None, "maximum": None}
    assert measured("constant_share", context_of(values), []) == {"constant_share": None}
    nothing = np.full((2, 2), np.nan, np.float16)
    assert measured("range", context_of(nothing), cut(nothing, (1, 2))) == {"minimum": None, "maximum": None}
    assert measured("row_sum", context_of(nothing), cut(nothing, (1, 1)))["row_sum_minimum"] is None


def test_a_slice_of_which_a_part_is_missing_is_no_copy() -> None:
    values = np.zeros((3, 4), np.float32)
    blocks = cut(values, (1, 2))
    assert measured("duplicate_slices", context_of(values, along=0), blocks) == {"duplicate_slices": 2}
    assert measured("duplicate_slices", context_of(values, along=0), blocks[1:]) == {"duplicate_slices": 1}


PAIRS: list[tuple[str, Any, dict[str, Any], int | None]] = [
    ("beyond_axis", np.array([0, 9, 10, -3, 11]), {"axis_size": 10}, 2),
    ("beyond_axis", np.array([0, 255], np.uint8), {"axis_size": 300}, 0),
    ("beyond_axis", np.array([0, 9]), {}, None),
    ("argmax_differs", np.array([1, 0, 5, -1]), {"partner": np.array([[0, 2.0], [3, 4], [0, 1], [1, 0]])}, 3),
    ("argmax_differs", np.array([1, 0]), {"partner": np.array([[2.0, 2.0], [np.nan, 4]])}, 0),
    ("argmax_differs", np.array([1]), {"partner": np.array([[0, 2]]).astype(ml_dtypes.bfloat16)}, 0),
    ("argmax_differs", np.array([1, 0]), {"partner": np.zeros((3, 2))}, None),
    ("argmax_differs", np.array([1, 0]), {}, None),
    ("decode_differs", np.array([0, 1, 2, 2]), {"partner": np.frombuffer(b"ABZB", np.uint8), "table": "ABX"}, 1),
    ("decode_differs", np.array([0, 2]), {"partner": np.array([65, 3000]), "table": "ABX"}, 0),
    ("decode_differs", np.array([0, 2]), {"partner": np.array([65.0, 66.0]), "table": "ABX"}, None),
    ("masked_nonzero", np.array([[[0.0, 1]], [[2, 3]]]), {"partner": np.array([[0], [1]])}, 1),
    ("masked_nonzero", np.array([[np.nan, -0.0]]), {"partner": np.array([0])}, 1),
    ("masked_nonzero", np.array([[1.0]]), {"partner": np.array([0, 1])}, None),
]


@pytest.mark.parametrize(("name", "values", "more", "count"), PAIRS)
def test_facts_with_a_partner(name: str, values: Any, more: Mapping[str, Any], count: int | None) -> None:
    context = context_of(values, **more)
    for length in (1, 2, len(values)):
        grid = (length, *values.shape[1:])
        assert measured(name, context, cut(values, grid)) == {name: count}


def node(dtype: str = "float32", axes: list[str] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "axes": axes}


def test_facts_are_asked_for_by_pattern_and_dtype() -> None:
    entries = [
        {"at": "^/", "measure": ["non_finite", "range"]},
        {"at": "^/a/", "measure": ["duplicate_slices"], "along": "head$"},
        {"at": "^/b$", "measure": ["row_sum"], "dtypes": ["float16"]},
    ]

    def names(path: str, **described: Any) -> list[str]:
        return [asked.name for asked in asked_of(entries, path, node(**described))]

    assert names("/a/x", axes=["head", "token"]) == ["non_finite", "range", "duplicate_slices"]
    assert names("/a/x", axes=["token"]) == ["non_finite", "range"]
    assert names("/b", dtype="int32") == ["range"]
    assert names("/b", dtype="float32") == ["non_finite", "range"]
    assert names("/b", dtype="float16") == ["non_finite", "range", "row_sum"]
    assert names("/b", dtype="string") == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"at": "^/", "measure": ["median"]}, "expected facts among non_finite, range, .*, found 'median'"),
        ({"at": "^/", "measure": ["beyond_axis"]}, "beyond_axis needs axis, and the entry has none"),
        ({"at": "(", "measure": ["range"]}, "expected a regular expression, found '\\('"),
        ({"measure": ["range"]}, "expected a pattern of paths as `at` in every entry, found none"),
    ],
)
def test_an_entry_that_asks_for_nothing_measurable_is_a_fault_of_the_profile(entry: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        asked_of([entry], "/x", node("int32"))


def test_doubles_hold_every_half_exactly() -> None:
    for dtype in FLOATS[:2]:
        every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        with np.errstate(invalid="ignore"):
            finite = every[np.isfinite(every.astype(np.float32))]
        assert (Seen((0,), finite).doubles == finite.astype(np.float64)).all()
        positive = finite[finite.view(np.uint16) < 0x8000]
        assert (Seen((0,), positive).doubles == positive.astype(np.float64)).all()
        assert not np.isfinite(Seen((0,), every).doubles).all()
        assert math.isclose(Seen((0,), finite).extremes.maximum, float(ml_dtypes.finfo(dtype).max))
