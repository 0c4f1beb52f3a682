"""The sums of rows are the same for every cut, and those that the specification defines."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import row_sum_vectors
from support.blocks import FLOATS, alone, arrays_and_grids, context_of, cut, exact_rows, measured, row_facts

from vizschema.rules import versions
from vizschema.scan.facts import FACTS, Context
from vizschema.scan.facts.base import Seen

SUMS = ("row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum")


ROW_SUMS = json.loads((versions.root() / "1.0.0" / "row_sum_vectors.json").read_bytes())["row_sums"]


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
    assert found == {str(row_facts(1000, rows))}
    assert max(rows) == pytest.approx(values[[0, 3, 4]].astype(np.float64).sum(-1).max(), abs=1e-6)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_row_with_a_value_beyond_two_has_no_sum(columns: int) -> None:
    for value in (2.0 + 2.0**-51, -2.1, 1e308, np.inf, np.nan):
        values = np.array([[1, value, 1], [2, -2, 0.25]])
        assert measured("row_sum", context_of(values), cut(values, (1, columns))) == row_facts(3, [0.25])
        assert measured("row_sum", context_of(values[:1]), cut(values[:1], (1, columns))) == row_facts(3, [])


@pytest.mark.parametrize("vector", ROW_SUMS, ids=lambda vector: vector["why"])
def test_row_sums_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    values = row_sum_vectors.values_of(vector)
    found = {key: vector[key] for key in SUMS}
    length = values.shape[-1] if values.ndim else 1
    for columns in {max(1, length // 3), max(1, length)}:
        grid = (*values.shape[:-1], columns) if values.ndim else ()
        expected = {"row_length": length, **found}
        assert str(measured("row_sum", context_of(values), cut(values, grid))) == str(expected)
        if values.ndim:
            assert str(measured("row_sum", context_of(values.T, along=0), cut(values.T, grid[::-1]))) == str(expected)


@settings(max_examples=150, deadline=None)
@given(arrays_and_grids(), st.integers(0, 2))
def test_rows_run_along_the_axis_that_is_asked_for(drawn: tuple[Any, tuple[int, ...], list[int]], along: int) -> None:
    values, grid, order = drawn
    along = min(along, values.ndim - 1)
    rows = exact_rows(np.moveaxis(values, along, -1))
    found = measured("row_sum", context_of(values, along=along), cut(values, grid), order)
    assert str(found) == str(row_facts(values.shape[along], rows))


def test_the_vectors_of_row_sums_are_those_of_the_definition() -> None:
    assert list(row_sum_vectors.vectors()) == ROW_SUMS


CONSTANT = [0.1, -0.1, 1 / 3, 1e-300, 5e-324, 1e300, -1e300, 3.0, 0.0, 2.0**-1022, 2.0**960, 1e308, math.inf, math.nan]


@pytest.mark.parametrize("value", CONSTANT)
@pytest.mark.parametrize("columns", [1, 3, 7, 10])
def test_rows_of_one_value_have_the_sum_of_any_others(value: float, columns: int) -> None:
    values = np.full((2, 10), value)
    rows = exact_rows(values)
    expected = row_facts(10, rows)
    assert str(alone("row_sum", context_of(values), cut(values, (2, columns)))) == str(expected)
    mixed = values.copy()
    mixed[0, 9] = 0.5
    rows = exact_rows(mixed)
    expected = row_facts(10, rows)
    assert str(alone("row_sum", context_of(mixed), cut(mixed, (2, columns)))) == str(expected)
    assert str(measured("row_sum", context_of(mixed), cut(mixed, (1, columns)))) == str(expected)


def test_a_row_that_is_lost_in_one_part_is_lost_and_no_other() -> None:
    values = np.array([[1.0, 2, np.inf, 1], [1, 2, 0.5, 1], [np.nan, 2, 2, 2], [2, 1, 1.5, 2]])
    found = row_facts(4, [4.5, 6.5])
    for grid in itertools.product((1, 2, 4), repeat=2):
        assert alone("row_sum", context_of(values), cut(values, grid)) == found
        assert alone("row_sum", context_of(values), cut(values, grid)[::-1]) == found


def test_an_array_without_axes_is_one_row() -> None:
    for value in (np.array(1.5), np.array(-0.0), np.array(2.5), np.array(np.inf)):
        total = float(value) + 0.0 if value <= 2 else None
        found = alone("row_sum", Context((), value.dtype, value), [((), value)])
        assert str(found) == str(row_facts(1, [] if total is None else [total]))
        plain = FACTS["row_sum"].start(Context((), value.dtype, value))
        plain.add(Seen((), value))
        assert str(plain.result()) == str(found)
