"""The hash of an array's values: independent of grid, order, threads, memory and machine, and of nothing else."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support import digest_vectors
from support.grids import GridValues, PlacedGridValues, grids, shapes

from vizschema.containers.values import Block, ChunkDamaged, Piece, Values, boxes
from vizschema.rules import versions
from vizschema.scan.hashing import array as array_module
from vizschema.scan.hashing import finish as finish_module
from vizschema.scan.hashing import tree as tree_module
from vizschema.scan.hashing.array import ArrayHash, Memory, logical
from vizschema.scan.hashing.finish import _Cursor, finish
from vizschema.scan.hashing.tree import Tree, hash_of
from vizschema.scan.hashing.window import Window, slab, span
from vizschema.scan.pool import read_pieces

VECTORS = json.loads((versions.root() / "1.0.0" / "digest_vectors.json").read_bytes())
DTYPES = ["bool", "uint8", "int16", "<f4", ">f8", "complex64"]


@contextmanager
def small_blocks(size: int = 64, fan_out: int = 4) -> Iterator[None]:
    """Blocks of 64 bytes and runs of 4, so that small arrays have large trees."""
    with (
        mock.patch.object(array_module, "BLOCK_BYTES", size),
        mock.patch.object(finish_module, "BLOCK_BYTES", size),
        mock.patch.object(tree_module, "FAN_OUT", fan_out),
    ):
        yield


def plain_root(values: Any, size: int = 64, fan_out: int = 4) -> bytes:
    """The hash of an array in memory, as the definition has it."""
    if values.dtype == ml_dtypes.bfloat16:
        values = values.view(np.uint16)
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    level = [hash_of(block) for block in digest_vectors.cut(data, size)]
    while len(level) > 1:
        level = [hash_of(b"".join(run)) for run in digest_vectors.cut(level, fan_out)]
    return level[0] if level else hash_of(b"")


def take(values: Values, pieces: Iterable[Piece], accumulator: ArrayHash, jobs: int = 1) -> None:
    def read(piece: Piece) -> None:
        for block in values.read(piece):
            assert isinstance(block, Block)
            accumulator.add(block.start, block.values, uniform=block.absent > 0)

    read_pieces(read, pieces, jobs, 1 << 20)


def root(values: Values, memory: int = 1 << 20, jobs: int = 1) -> bytes | None:
    held = Memory(memory)
    accumulator = ArrayHash(values.shape, values.dtype, held)
    take(values, values.pieces(), accumulator, jobs)
    finish(values, accumulator, memory, jobs, 1 << 20)
    assert held._left == memory, "memory was not handed back"
    return accumulator.root


@st.composite
def cut_arrays(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], list[int]]:
    """An array, a grid and an order of its chunks."""
    shape = draw(shapes(600))
    values = draw(npst.arrays(draw(st.sampled_from(DTYPES)), shape, fill=st.nothing()))
    chunk = draw(grids(shape))
    count = len(GridValues(values, chunk).starts())
    return values, chunk, draw(st.permutations(range(count)))


# The tree


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: str(vector["leaves"]))
def test_a_tree_has_the_root_of_the_vectors(vector: dict[str, Any]) -> None:
    tree = Tree(vector["leaves"])
    for leaf in reversed(range(vector["leaves"])):
        assert tree.root is None
        tree.put(leaf, hash_of(str(leaf).encode()))
    assert tree.root is not None
    assert tree.root.hex() == vector["root"]


@given(st.integers(0, 70), st.data())
def test_trees_of_any_parts_merge_to_the_same_root(count: int, data: st.DataObject) -> None:
    leaves = [hash_of(bytes([leaf])) for leaf in range(count)]
    owners = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    with small_blocks():
        parts = [Tree(count) for _ in range(3)]
        whole = Tree(count)
        for leaf, owner in enumerate(owners):
            parts[owner].put(leaf, leaves[leaf])
            whole.put(leaf, leaves[leaf])
        merged = Tree(count)
        for part in data.draw(st.permutations([*parts, parts[0]])):
            there = {leaf for leaf in range(count) if leaf in merged} | {leaf for leaf in range(count) if leaf in part}
            merged.merge(pickle.loads(pickle.dumps(part)))  # noqa: S301  (ours)
            assert {leaf for leaf in range(count) if leaf in merged} == there
            missing = {leaf for low, high in merged.missing() for leaf in range(low, high)}
            assert missing == set(range(count)) - there
        assert merged.root == whole.root
        assert merged.root is not None


def test_a_tree_keeps_one_hash_of_a_complete_run() -> None:
    tree = Tree(1 << 16)
    for leaf in range(60 * 1024):
        tree.put(leaf, bytes(32))
    assert len(pickle.dumps(tree)) < 40 << 10


# Ranges in C order


@given(shapes(500), st.data())
def test_a_range_is_made_of_few_boxes_in_order(shape: tuple[int, ...], data: st.DataObject) -> None:
    entries = np.arange(int(np.prod(shape))).reshape(shape)
    first = data.draw(st.integers(0, entries.size))
    end = data.draw(st.integers(first, entries.size))
    found: list[int] = []
    for start, extent in boxes(first, end, shape):
        part = tuple(slice(at, at + length) for at, length in zip(start, extent, strict=True))
        found.extend(np.asarray(entries[part]).reshape(-1).tolist())
    assert found == list(range(first, end))
    assert len(list(boxes(first, end, shape))) <= max(1, 2 * len(shape) - 1)


@given(cut_arrays(), st.data())
def test_a_window_takes_of_each_box_what_is_its_own(
    drawn: tuple[Any, tuple[int, ...], list[int]], data: st.DataObject
) -> None:
    values, chunk, order = drawn
    entries = np.arange(values.size).reshape(values.shape)
    first = data.draw(st.integers(0, entries.size))
    end = data.draw(st.integers(first, entries.size))
    window = Window(first, end, entries.shape, entries.dtype)
    grid = PlacedGridValues(entries, chunk, order)
    for piece in grid.pieces():
        (block,) = grid.read(piece)
        assert isinstance(block, Block)
        taken = window.put(block.start, block.values)
        assert bool(taken) == window.holds(*grid.extent(piece))
        low, high = span(*grid.extent(piece), entries.shape)
        assert (low, high) == (block.values.min(), block.values.max() + 1)
        low, high = slab(*grid.extent(piece), entries.shape)
        assert low <= block.values.min() <= block.values.max() < high
        window.left -= taken
    assert window.left == 0
    assert window.data.tolist() == list(range(first, end))


# The hash of an array


@settings(max_examples=150)
@given(cut_arrays(), st.sampled_from([64, 200, 512, 1 << 20]), st.booleans())
def test_the_hash_is_the_same_for_every_grid_order_and_memory(
    drawn: tuple[Any, tuple[int, ...], list[int]], memory: int, placed: bool
) -> None:
    values, chunk, order = drawn
    with small_blocks():
        grid = (PlacedGridValues if placed else GridValues)(values, chunk, order)
        assert root(grid, memory) == plain_root(values)


@settings(max_examples=15)
@given(cut_arrays(), st.sampled_from([200, 1 << 20]))
def test_the_hash_is_the_same_on_threads(drawn: tuple[Any, tuple[int, ...], list[int]], memory: int) -> None:
    values, chunk, order = drawn
    with small_blocks():
        assert root(PlacedGridValues(values, chunk, order), memory, jobs=3) == plain_root(values)


@given(cut_arrays(), st.data())
def test_the_hash_is_the_same_merged_from_ranges_of_chunks(
    drawn: tuple[Any, tuple[int, ...], list[int]], data: st.DataObject
) -> None:
    values, chunk, _ = drawn
    grid = PlacedGridValues(values, chunk)
    pieces = list(grid.pieces())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pieces)), max_size=3)))
    with small_blocks():
        parts = []
        for low, high in zip([0, *cuts], [*cuts, len(pieces)], strict=True):
            part = ArrayHash(values.shape, values.dtype, Memory(1 << 16))
            take(grid, pieces[low:high], part)
            parts.append(pickle.loads(pickle.dumps(part)))  # noqa: S301  (ours)
        whole = ArrayHash(values.shape, values.dtype, Memory(1 << 16))
        for part in data.draw(st.permutations(parts)):
            whole.merge(part)
        finish(grid, whole, 128, 1, 1 << 20)
        assert whole.root == plain_root(values)


@given(cut_arrays(), st.data())
def test_absent_chunks_count_as_what_they_hold(
    drawn: tuple[Any, tuple[int, ...], list[int]], data: st.DataObject
) -> None:
    values, chunk, order = drawn
    absent = frozenset(data.draw(st.sets(st.sampled_from(order)))) if order else frozenset()
    filled = values.copy()
    for number in absent:
        start = GridValues(values, chunk).starts()[number]
        filled[tuple(slice(at, at + length) for at, length in zip(start, chunk, strict=True))] = 0
    with small_blocks():
        assert root(PlacedGridValues(filled, chunk, order, absent=absent)) == plain_root(filled)


@given(cut_arrays(), st.data())
def test_the_hash_differs_for_any_bit(drawn: tuple[Any, tuple[int, ...], list[int]], data: st.DataObject) -> None:
    values, chunk, order = drawn
    raw = bytearray(values.tobytes())
    if not raw:
        return
    bit = data.draw(st.integers(0, 8 * len(raw) - 1)) if values.dtype != bool else 8 * (len(raw) // 2)
    raw[bit // 8] ^= 1 << bit % 8
    changed = np.frombuffer(bytes(raw), values.dtype).reshape(values.shape)
    with small_blocks():
        assert root(PlacedGridValues(values, chunk, order)) != root(PlacedGridValues(changed, chunk, order))


def test_a_grid_along_the_logical_order_is_read_once_and_held_for_two_blocks_at_most() -> None:
    values = np.arange(40 * 50, dtype="f4").reshape(40, 50)
    grid = PlacedGridValues(values, (3, 50))
    with small_blocks():
        assert root(grid, memory=128) == plain_root(values)
    assert set(grid.reads.values()) == {1}


def test_a_grid_across_the_logical_order_is_read_once_where_a_slab_fits() -> None:
    values = np.arange(40 * 50, dtype="f4").reshape(40, 50)
    grid = PlacedGridValues(values, (4, 7))
    with small_blocks():
        assert root(grid, memory=2 * 4 * 50 * 4 + 128) == plain_root(values)
    assert set(grid.reads.values()) == {1}


def test_a_slab_beyond_the_memory_is_read_again_as_often_as_it_must_be() -> None:
    values = np.arange(64 * 50, dtype="f4").reshape(64, 50)
    grid = PlacedGridValues(values, (32, 5))
    with small_blocks():
        memory = 16 * 50 * 4  # a quarter of the array
        assert root(grid, memory) == plain_root(values)
    # Once in the pass that cannot hold them; then each of the four ranges needs half of the chunks, or a few more.
    assert max(grid.reads.values()) <= 1 + 3
    assert sum(grid.reads.values()) <= 20 * (1 + 3)


def test_what_is_missing_here_and_there_is_read_again_and_not_what_lies_between() -> None:
    values = np.arange(4096, dtype="u1")
    grid = PlacedGridValues(values, (64,))
    with small_blocks():
        accumulator = ArrayHash(values.shape, values.dtype, Memory(1 << 12))
        for piece in grid.pieces():
            if piece.index not in (3, 4, 50):
                take(grid, [piece], accumulator)
        grid.reads.clear()
        finish(grid, accumulator, 1 << 10, 1, 1 << 20)
        assert accumulator.root == plain_root(values)
    assert grid.reads == {3: 1, 4: 1, 50: 1}


def test_chunks_that_come_in_no_logical_order_are_found_again() -> None:
    values = np.arange(16 * 40, dtype="f4").reshape(16, 40)
    count = 2 * 8
    for order in (list(range(count))[::-1], [*range(8, count), *range(8)], [*range(1, count, 2), *range(0, count, 2)]):
        grid = PlacedGridValues(values, (8, 5), order)
        with small_blocks():
            assert root(grid, memory=512) == plain_root(values)


def test_the_cursor_holds_the_chunks_of_about_one_range() -> None:
    values = np.zeros((400, 8), "u1")
    cursor = _Cursor(PlacedGridValues(values, (1, 4)))
    for first in range(0, 3200, 160):
        assert len(list(cursor.reaching_into(Window(first, first + 160, values.shape, values.dtype)))) == 40
        assert len(cursor._held) <= 42


def fill_slab(accumulator: ArrayHash, number: int) -> None:
    """Row `number` of an array of (10, 3, 32) bytes in chunks of (1, 3, 16): a slab is one and a half blocks."""
    for column in (0, 16):
        accumulator.add((number, 0, column), np.full((1, 3, 16), number, "u1"))


def test_a_slab_for_which_there_was_no_room_is_left_out_until_the_next_pass() -> None:
    with small_blocks():
        memory = Memory(1024)
        accumulator = ArrayHash((10, 3, 32), np.dtype("u1"), memory)
        assert memory.take(1000)
        fill_slab(accumulator, 2)  # block 3, and a part of block 4
        memory.give(1000)
        fill_slab(accumulator, 3)  # the other part of block 4, and block 5
        assert 5 in accumulator._tree
        assert memory._left == 1024, "a part of block 4 waits for another part that has gone by"
        fill_slab(accumulator, 2)
        assert memory._left == 1024, "a part of the slab has gone by before"
        accumulator.release()
        fill_slab(accumulator, 2)
        assert memory._left == 1024 - 64, "block 4 waits for the part of slab 3"


def test_a_slab_that_is_left_out_lets_go_of_the_blocks_it_shares() -> None:
    with small_blocks():
        memory = Memory(1024)
        accumulator = ArrayHash((10, 3, 32), np.dtype("u1"), memory)
        fill_slab(accumulator, 3)
        assert memory._left == 1024 - 64, "block 4 waits for slab 2"
        assert memory.take(900)
        fill_slab(accumulator, 2)
        assert memory._left == 124


def test_released_accumulators_hand_back_their_memory() -> None:
    with small_blocks():
        memory = Memory(1024)
        accumulator = ArrayHash((10, 3, 32), np.dtype("u1"), memory)
        fill_slab(accumulator, 3)
        accumulator.add((7, 0, 0), np.zeros((1, 3, 16), "u1"))
        assert memory._left == 1024 - 64 - 96
        accumulator.release()
        assert memory._left == 1024


def test_a_merged_tree_keeps_nothing_below_a_hash_that_it_was_given() -> None:
    with small_blocks():
        whole, part = Tree(64), Tree(64)
        for leaf in range(16):
            whole.put(leaf, bytes(32))
        for leaf in (0, 1, 4, 20):
            part.put(leaf, bytes(32))
        part.merge(whole)
        assert [sorted(level) for level in part._levels] == [[5], [], [0], []]


def test_a_damaged_chunk_stops_the_hash() -> None:
    grid = PlacedGridValues(np.zeros((8, 8)), (2, 8), damaged=frozenset({2}))
    for jobs in (1, 2):
        accumulator = ArrayHash((8, 8), np.dtype(np.float64), Memory(1 << 20))
        with pytest.raises(ChunkDamaged, match="c/2: truncated: cut short"):
            finish(grid, accumulator, 1 << 20, jobs, 1 << 20)


def test_a_hash_that_lacks_values_has_no_root() -> None:
    accumulator = ArrayHash((4,), np.dtype("u1"), Memory(1 << 20))
    accumulator.add((0,), np.zeros(2, "u1"))
    accumulator.release()
    assert accumulator.root is None
    assert accumulator.missing() == [(0, 4)]


def test_bfloat16_counts_as_its_bits() -> None:
    values = np.arange(300, dtype=np.uint16).view(ml_dtypes.bfloat16).reshape(30, 10)
    with small_blocks():
        assert root(PlacedGridValues(values, (4, 3))) == plain_root(values)
        absent = GridValues(np.zeros((30, 10), ml_dtypes.bfloat16), (30, 10), absent=frozenset({0}))
        assert root(absent) == plain_root(absent.array)


def test_values_in_the_other_byte_order_count_as_what_they_are() -> None:
    values = np.arange(100, dtype=">i4")
    assert logical(values, np.dtype("<i4")).tobytes() == values.astype("<i4").tobytes()


def test_blocks_of_full_size_have_the_hashes_of_the_vectors() -> None:
    for vector in VECTORS["archives"]:
        for path, expected in vector["expect"]["values"].items():
            node = vector["nodes"][path]
            dtype = np.dtype(ml_dtypes.bfloat16 if node["dtype"] == "bfloat16" else node["dtype"])
            data = np.frombuffer(digest_vectors.bytes_of(node["data"]), dtype).reshape(node["shape"])
            chunk = [max(1, size // 3) for size in data.shape]
            found = root(PlacedGridValues(data, chunk), memory=4 << 20)
            assert found is not None
            assert found.hex() == expected, path
