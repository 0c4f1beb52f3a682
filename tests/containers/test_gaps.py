"""Chunks that were never written, however many: the facts and the hash are those of the fill value in their place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import GappedValues, GridValues, PlacedGridValues, grids

from vizschema.bounds import Reading
from vizschema.containers.values import Block, ChunkDamaged, Grid, Piece, absent_blocks, box_around, cells, gap, gaps
from vizschema.scan.hashing import array as array_module
from vizschema.scan.hashing import tree as tree_module
from vizschema.scan.hashing.tree import Tree, hash_of
from vizschema.scan.threads import scan

AXES = ["head", "sample", "row", "column"]
ENTRIES = [
    {"at": "^/x$", "measure": ["non_finite", "range", "constant", "row_sum", "values_hash"]},
    {"at": "^/x$", "measure": ["duplicate_slices"], "along": "^head$"},
    {"at": "^/x$", "measure": ["masked_nonzero"], "with": "/mask"},
]
ROWS_ALONG = [[{"at": "^/x$", "measure": ["row_sum"], "along": f"^{axis}$"}] for axis in AXES]


class Holding:
    """A container of two arrays: `/x`, and the partner `/mask`."""

    def __init__(self, values: Any, mask: Any) -> None:
        self._held = {"/x": values, "/mask": mask}

    def values(self, path: str) -> Any:
        return self._held[path]


def facts_of(values: Any, mask: Any = None, jobs: int = 1, entries: Any = ENTRIES) -> dict[str, Any]:
    """The facts of `values`, whose axes are the first of `AXES`."""
    mask = GridValues(np.ones((1,), np.float32), (1,)) if mask is None else mask
    nodes = {
        path: {
            "kind": "array",
            "dtype": each.dtype.name,
            "shape": list(each.shape),
            "bytes": math.prod(each.shape) * each.dtype.itemsize,
            "axes": AXES[: len(each.shape)],
            "storage": None,
        }
        for path, each in (("/x", values), ("/mask", mask))
    }
    return scan(
        Holding(values, mask),
        {"nodes": nodes, "axes": {}, "container": {"format": "npz", "version": None}},
        entries,
        Reading(jobs),
    ).facts["/x"]


def small_blocks() -> AbstractContextManager[Any]:
    return mock.patch.multiple(array_module, BLOCK_BYTES=64)


@st.composite
def sparse_arrays(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], frozenset[int]]:
    """An array, a grid, and the chunks of it that were never written, where the array holds zeros."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    values = draw(st.sampled_from([0, 1, 2])) * np.ones(
        shape, draw(st.sampled_from([np.float32, np.float16, np.float64]))
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if draw(st.booleans()):
        values = (values * rng.integers(-1, 3, size=shape)).astype(values.dtype)
    chunk = draw(grids(shape))
    plain = GridValues(values, chunk)
    absent = draw(st.frozensets(st.integers(0, len(plain.starts()) - 1)))
    for number in absent:
        start, extent = plain.where(Piece(number, "", 0, 1))
        values[tuple(slice(first, first + size) for first, size in zip(start, extent, strict=True))] = 0
    return values, chunk, absent


@settings(max_examples=150, deadline=None)
@given(sparse_arrays(), st.sampled_from([1, 2]))
def test_a_gap_has_the_facts_of_the_fill_value_in_its_place(
    drawn: tuple[Any, tuple[int, ...], frozenset[int]], jobs: int
) -> None:
    values, chunk, absent = drawn
    mask = GridValues((values.reshape(values.shape[0], -1)[:, 0] > 0).astype(np.float32), (1,))
    with small_blocks():
        written = facts_of(PlacedGridValues(values, chunk), mask)
        one_by_one = facts_of(PlacedGridValues(values, chunk, absent=absent), mask, jobs)
        at_once = facts_of(GappedValues(values, chunk, absent=absent), mask, jobs)
    assert at_once == one_by_one
    assert at_once.pop("absent_chunks") == len(absent)
    assert at_once.pop("absent_keys", []) == [f"c/{number}" for number in sorted(absent)[:16]]
    assert {**at_once, "absent_chunks": 0} == written


@settings(max_examples=150, deadline=None)
@given(sparse_arrays(), st.sampled_from(ROWS_ALONG))
def test_rows_along_any_axis_are_completed_by_what_was_never_written(
    drawn: tuple[Any, tuple[int, ...], frozenset[int]], entries: Any
) -> None:
    values, chunk, absent = drawn
    written = facts_of(PlacedGridValues(values, chunk), entries=entries)
    at_once = facts_of(GappedValues(values, chunk, absent=absent), entries=entries)
    assert {**at_once, "absent_chunks": 0, "absent_keys": 0} == {**written, "absent_keys": 0}


def test_rows_that_a_damaged_chunk_leaves_open_are_not_completed() -> None:
    values = np.full((1, 1, 4, 4), 0.5, np.float32)
    whole = facts_of(GappedValues(values, (1, 1, 2, 2), absent=frozenset([1])), entries=ROWS_ALONG[3])
    assert (whole["row_sum_minimum"], whole["row_sum_maximum"]) == (1, 2)
    broken = GappedValues(values, (1, 1, 2, 2), damaged=frozenset([0]), absent=frozenset([1]))
    facts = facts_of(broken, entries=ROWS_ALONG[3])
    assert (facts["row_sum_minimum"], facts["row_sum_maximum"]) == (2, 2)


@pytest.mark.parametrize("along", [2, 3])
def test_large_blocks_that_cut_rows_lose_none_of_them(along: int) -> None:
    values = np.full((1, 1, 1100, 1100), 2.0**-8, np.float32)
    for chunk in ((1, 1, 1100, 1000), (1, 1, 1000, 1100), (1, 1, 1000, 1000)):
        facts = facts_of(PlacedGridValues(values, chunk), entries=ROWS_ALONG[along])
        assert facts["row_sum_minimum"] == facts["row_sum_maximum"] == 1100 / 256


class Vast:
    """An array [head, row, column] of terabytes in chunks, of which only those in `stored` were written, all ones."""

    dtype = np.dtype(np.float32)
    fill = np.zeros((), np.float32)

    def __init__(self, shape: tuple[int, ...], chunk: tuple[int, ...], stored: tuple[int, ...]) -> None:
        self.shape = shape
        self._grid = Grid(shape, chunk, chunk)
        self._stored = stored

    def pieces(self) -> Iterator[Piece]:
        missing = dict(gaps(self._stored, math.prod(self._grid.counts)))
        for number in sorted({*missing, *self._stored}):
            if number in missing:
                yield gap(number, missing[number], self._grid, str)
            else:
                yield Piece(number, str(number), math.prod(self._grid.cell) * 4, 1)

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return box_around(piece, self._grid)

    def touching(self, box: Any) -> Iterator[Piece]:
        raise NotImplementedError

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        if piece.decoded_bytes:
            start, extent = self.extent(piece)
            return iter([Block(start, np.ones(extent, np.float32))])
        return absent_blocks(piece, self._grid, str, self.fill)


@pytest.mark.parametrize(
    ("shape", "chunk", "stored", "copies"),
    [
        ((4, 1 << 19, 1 << 19), (1, 1, 1), (), 3),
        ((4, 1 << 19, 1 << 19), (1, 256, 1 << 9), (0,), 2),
        ((1 << 20, 1 << 10, 1 << 10), (1, 1 << 10, 1 << 10), (5, 6, 1 << 19), (1 << 20) - 2),
        ((1 << 30, 1 << 10, 1), (1 << 28, 1 << 8, 1), (), (1 << 30) - 1),
    ],
)
def test_terabytes_that_were_never_written_are_measured_at_once(
    shape: tuple[int, ...], chunk: tuple[int, ...], stored: tuple[int, ...], copies: int
) -> None:
    """With the hash of the values, of which one by one there would be millions of blocks or billions of chunks."""
    values = Vast(shape, chunk, stored)
    facts = facts_of(values)
    chunks = math.prod(values._grid.counts)
    assert (facts["absent_chunks"], facts["damaged_chunks"]) == (chunks - len(stored), [])
    assert (facts["minimum"], facts["maximum"]) == (0, 1 if stored else 0)
    assert facts["duplicate_slices"] == copies
    assert facts["values_hash"] is not None
    assert facts["constant"] is (not stored)


# What is shared by containers


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 4)), max_size=3), st.data())
def test_ranges_of_cells_are_few_boxes_and_boxes_few_cells(sides: list[tuple[int, int]], data: st.DataObject) -> None:
    shape, cell = tuple(size for size, _ in sides), tuple(length for _, length in sides)
    grid = Grid(shape, cell, cell)
    number = np.zeros(shape, np.int64)
    for index, start in enumerate(GridValues(number, cell).starts()):
        number[tuple(slice(first, first + length) for first, length in zip(start, cell, strict=True))] = index
    total = math.prod(grid.counts)
    first = data.draw(st.integers(0, total - 1))
    end = data.draw(st.integers(first + 1, total))
    piece = gap(first, end, grid, str)
    found = np.zeros(shape, bool)
    blocks = list(absent_blocks(piece, grid, str, np.zeros((), np.int8)))
    for block in blocks:
        part = tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))
        assert not found[part].any()
        found[part] = True
    assert (found == ((number >= first) & (number < end))).all()
    assert sum(block.absent for block in blocks) == piece.chunks == end - first
    assert len(blocks) <= max(1, 2 * len(shape) - 1)
    start, extent = box_around(piece, grid)
    around = np.zeros(shape, bool)
    around[tuple(slice(at, at + size) for at, size in zip(start, extent, strict=True))] = True
    assert around[found].all()
    box = [(data.draw(st.integers(0, size)), data.draw(st.integers(0, size))) for size in shape]
    inside = number[tuple(slice(low, high) for low, high in box)]
    assert list(cells(box, grid.counts, cell)) == sorted(set(inside.reshape(-1).tolist()))


@given(st.frozensets(st.integers(0, 30)), st.integers(31, 40))
def test_gaps_and_what_is_stored_make_up_the_whole(stored: frozenset[int], total: int) -> None:
    found = [number for first, end in gaps(sorted(stored), total) for number in range(first, end)]
    assert sorted([*found, *stored]) == list(range(total))


@settings(max_examples=200)
@given(st.integers(1, 200), st.integers(2, 5), st.data())
def test_one_hash_for_many_blocks_makes_the_tree_of_all_of_them(count: int, fan_out: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count))
    end = data.draw(st.integers(first, count))
    same, other = hash_of(b"same"), hash_of(b"other")
    before = data.draw(st.frozensets(st.integers(0, count - 1)))
    with mock.patch.object(tree_module, "FAN_OUT", fan_out):
        plain, quick = Tree(count), Tree(count)
        for block in range(count):
            plain.put(block, same if first <= block < end else other)
        for block in before:
            quick.put(block, same if first <= block < end else other)
        quick.put_same(first, end, same)
        there = {block for block in range(count) if first <= block < end} | before
        assert {block for block in range(count) if block in quick} == there
        for block in range(count):
            quick.put(block, other)
        assert quick.root == plain.root
        assert quick.root is not None
