"""Facts are those of the whole array, whatever grid its blocks come from and in whatever order they are merged."""

from __future__ import annotations

import concurrent.futures
import itertools
import pickle
import threading
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.blocks import FLOATS, alone, arrays_and_grids, context_of, cut, exact_rows, measured, node, row_facts

from vizschema.errors import SpecError
from vizschema.scan.facts import FACTS, Context, asked_of, base
from vizschema.scan.facts.base import Extremes, Seen
from vizschema.scan.hashing.array import ArrayHash, Memory


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
        "positive_infinite": int((doubles == np.inf).sum()),
    }
    ends = (finite.min() + 0.0, finite.max() + 0.0) if finite.size else (None, None)
    assert measured("range", context, blocks, order) == {"minimum": ends[0], "maximum": ends[1]}
    equal = int((doubles == 0).sum()) if doubles.reshape(-1)[0] == 0 else int((bits == bits[0]).all(axis=1).sum())
    assert measured("constant", context, blocks, order) == {"constant": equal == values.size}
    duplicates = len(slices) - len(set(slices))
    assert measured("duplicate_slices", context, blocks, order) == {"duplicate_slices": duplicates}
    rows = exact_rows(values)
    assert measured("row_sum", context_of(values), blocks, order) == row_facts(values.shape[-1], rows)


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
    assert measured("non_finite", context, blocks) == {"non_finite": 1, "nan": 1, "infinite": 0, "positive_infinite": 0}
    assert measured("range", context, blocks) == {"minimum": 1, "maximum": 1}
    assert measured("row_sum", context, blocks) == row_facts(2, [2])
    assert measured("row_sum", context, cut(values, (1, 1))) == row_facts(2, [2])


def test_complex_numbers_are_finite_in_both_parts() -> None:
    values = np.array([1 + 2j, complex(np.nan, np.inf), complex(0, np.inf)], np.complex64)
    found = measured("non_finite", context_of(values), cut(values, (2,)))
    assert found == {"non_finite": 2, "nan": 1, "infinite": 1, "positive_infinite": 1}
    below = np.array([complex(1, -np.inf), complex(-np.inf, 0), complex(np.inf, -np.inf)], np.complex128)
    found = measured("non_finite", context_of(below), cut(below, (1,)))
    assert found == {"non_finite": 3, "nan": 0, "infinite": 3, "positive_infinite": 1}


def test_facts_without_a_value_are_null() -> None:
    values = np.zeros((0, 3), np.float32)
    assert measured("range", context_of(values), []) == {"minimum": None, "maximum": None}
    assert measured("constant", context_of(values), []) == {"constant": False}
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
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([0, 3, 3, 6])}, 0),
    ("starts_differ", np.zeros((6, 2), np.uint8), {"partner": np.array([1, 4, 3, 2])}, 4),
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([0, 200, 100, 6], np.uint8)}, 2),
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([[0, 6]])}, 2),
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([], np.int64)}, 1),
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([0.0, 6.0])}, None),
    ("starts_differ", np.zeros(6, np.uint8), {"partner": np.array([0, 6], ml_dtypes.int4)}, None),
    ("starts_differ", np.zeros(6, np.uint8), {}, None),
]


@pytest.mark.parametrize(("name", "values", "more", "count"), PAIRS)
def test_facts_with_a_partner(name: str, values: Any, more: Mapping[str, Any], count: int | None) -> None:
    context = context_of(values, **more)
    for length in (1, 2, len(values)):
        grid = (length, *values.shape[1:])
        assert measured(name, context, cut(values, grid)) == {name: count}


def test_facts_are_asked_for_by_pattern_and_dtype() -> None:
    entries = [
        {"at": "^/", "measure": ["non_finite", "range"]},
        {"at": "^/a/", "measure": ["duplicate_slices"], "along": "head$"},
        {"at": "^/b$", "measure": ["row_sum"], "dtypes": ["float16"]},
        {"at": "^/c$", "measure": ["row_sum"], "along": ":key$"},
    ]

    def names(path: str, **described: Any) -> list[str]:
        return [asked.name for asked in asked_of(entries, path, node(**described))]

    assert names("/a/x", axes=["head", "token"]) == ["non_finite", "range", "duplicate_slices"]
    assert names("/a/x", axes=["token"]) == ["non_finite", "range"]
    assert names("/b", dtype="int32") == ["range"]
    assert names("/b", dtype="float32") == ["non_finite", "range"]
    assert names("/b", dtype="float16") == ["non_finite", "range", "row_sum"]
    assert names("/b", dtype="string") == []
    assert names("/c", axes=["key", "token:key"]) == ["non_finite", "range", "row_sum"]
    assert names("/c", axes=["token:key_2", "token:query"]) == names("/c") == ["non_finite", "range"]


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


HALVES = [0x0000, 0x0001, 0x3C00, 0x7BFF, 0x7C00, 0x7E00, 0x7F00, 0x7F7F, 0x7F80, 0x7FC0]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_extremes_of_a_block_are_its_finite_values_whatever_their_signs(dtype: np.dtype[Any]) -> None:
    halves = np.array([sign | bits for sign in (0, 0x8000) for bits in HALVES], np.uint16)
    halves = halves.view(dtype if dtype.itemsize == 2 else np.float16)
    with np.errstate(invalid="ignore"):
        interesting = halves if dtype.itemsize == 2 else halves.astype(dtype)
        doubles = interesting.astype(np.float64)
    for picked in itertools.product(range(interesting.size), repeat=2):
        chosen = list(picked)
        finite = doubles[chosen][np.isfinite(doubles[chosen])]
        ends = (finite.min() + 0.0, finite.max() + 0.0) if finite.size else (None, None)
        extremes = Seen((0, 0), interesting[chosen].reshape(2, 1)).extremes
        # As text, since 0.0 and -0.0 are equal, and no fact has the latter.
        assert str(extremes) == str(Extremes(*map(as_float, ends), finite.size == 2))


def as_float(value: Any) -> float | None:
    return None if value is None else float(value)


def test_a_uniform_block_is_its_value_once() -> None:
    value = np.full((2, 3), 7.0)
    seen = Seen((0, 0), value, uniform=True)
    assert (seen.uniform, seen.weight, seen.few.tolist()) == (True, 6, [7.0])
    single = Seen((0, 0), value[:1, :1], uniform=True)
    assert (single.uniform, single.weight, single.few.tolist()) == (True, 1, [7.0])
    nothing = Seen((0, 0), value[:0], uniform=True)
    assert (nothing.uniform, nothing.weight, nothing.extremes) == (False, 1, Extremes(None, None, True))
    plain = Seen((0, 0), value)
    assert (plain.uniform, plain.weight, plain.few.shape) == (False, 1, (2, 3))


def test_a_buffer_is_the_threads_own_and_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_BUFFERS", threading.local())
    monkeypatch.setattr(base, "_KEPT", 8)

    def doubles(size: int) -> Any:
        return base.buffer("doubles", (size,), np.dtype(np.float64))

    first = doubles(8)
    assert first.dtype == np.float64
    assert all(np.shares_memory(doubles(size), first) for size in (8, 3, 1))
    assert doubles(3).shape == (3,)
    large = doubles(9)
    assert not np.shares_memory(large, first)
    assert not np.shares_memory(doubles(9), large)
    assert np.shares_memory(doubles(8), first)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert not np.shares_memory(pool.submit(doubles, 8).result(), first)


@pytest.mark.parametrize("parts", [1, 3])
def test_counts_add_up_over_blocks_and_accumulators(parts: int) -> None:
    values = np.array([np.nan, np.nan, np.nan, np.nan, np.inf, np.inf, 1, 2, np.nan, -np.inf, 0, 0], np.float32)
    blocks = cut(values, (2,))
    for dtype in FLOATS:
        given = [(start, block.astype(dtype)) for start, block in blocks]
        context = context_of(values.astype(dtype))
        found = measured("non_finite", context, given, parts=parts)
        assert found == {"non_finite": 8, "nan": 5, "infinite": 3, "positive_infinite": 2}
        assert alone("non_finite", context, given) == found
        assert measured("constant", context, given, parts=parts) == {"constant": False}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_zeros_of_either_sign_are_one_value_and_no_other_bits_are(dtype: np.dtype[Any]) -> None:
    smallest, second = (
        np.array([1 << shift], f"u{dtype.itemsize}").view(dtype)[0] for shift in (0, dtype.itemsize * 8 - 2)
    )
    values = np.array([-0.0, 0.0, smallest, second, -smallest, 0.0, -0.0, 1.0], dtype)
    assert measured("constant", context_of(values), cut(values, (3,))) == {"constant": False}
    unread = Context(values.shape, values.dtype, None)
    assert measured("constant", unread, cut(values, (3,))) == {"constant": False}
    for same in (np.array([-0.0, 0.0, -0.0]), np.array([np.nan] * 3), np.array([-np.inf] * 3), np.full(3, 7.0)):
        given = same.astype(dtype)
        assert measured("constant", context_of(given), cut(given, (1,))) == {"constant": True}
        assert alone("constant", context_of(given), cut(given, (1,))) == {"constant": True}
        for place in range(3):
            other = given.copy()
            other[place] = second
            assert measured("constant", context_of(other), cut(other, (1,))) == {"constant": False}
            assert alone("constant", context_of(other), cut(other, (2,))) == {"constant": False}
        assert measured("constant", Context((3,), dtype, None), cut(given, (1,))) == {"constant": False}


def test_the_hash_of_the_values_is_that_of_all_blocks() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    values[2:] = 7
    blocks = cut(values, (1, 6))

    def context() -> Context:
        return context_of(values, hash=ArrayHash(values.shape, values.dtype, Memory(1 << 20)))

    whole = ArrayHash(values.shape, values.dtype, Memory(1 << 20))
    whole.add((0, 0), values)
    assert whole.root is not None
    expected = {"values_hash": whole.root.hex()}
    assert alone("values_hash", context(), blocks) == expected
    shared = context()
    assert measured("values_hash", shared, blocks) == expected  # one hash for the accumulators of a process
    halves = [FACTS["values_hash"].start(context()) for _ in range(2)]
    for number, (start, block) in enumerate(blocks):
        halves[number // 2].add(Seen(start, block))
    assert halves[0].result() == {"values_hash": None}
    halves[0].merge(halves[1])
    assert halves[0].result() == expected
    nothing = FACTS["values_hash"].start(context_of(values))
    nothing.add(Seen((0, 0), values))
    nothing.merge(halves[0])
    assert nothing.result() == {"values_hash": None}
    halves[0].merge(nothing)
    assert halves[0].result() == expected


MORE_PAIRS: list[tuple[str, Any, dict[str, Any], int | None]] = [
    ("beyond_axis", np.array([0, 0, -1, -1, 1, 1]), {"axis_size": 0}, 4),
    ("beyond_axis", np.array([3, 3, 3, 3, 3, 3]), {"axis_size": 3}, 6),
    ("argmax_differs", np.array([0, 2, 2]), {"partner": np.array([[9, 1], [1, 9], [9, 1]])}, 2),
    ("argmax_differs", np.array([3, -1, 0]), {"partner": np.array([[0, 1, 9], [9, 1, 0], [9, 1, 0]])}, 2),
    ("argmax_differs", np.array([0, 0]), {"partner": np.array([[5.0], [np.nan]])}, 0),
    ("argmax_differs", np.array([0, 1, 2]), {"partner": np.zeros((3, 0))}, None),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[True, False], [True, False]])}, 1),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([["a", "b"], ["a", "b"]])}, None),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[1j, 2], [3, 4]])}, None),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array(0.0)}, None),
    ("argmax_differs", np.array([[2, 0], [1, 1]]), {"partner": np.array([[[0, 1, 2], [5, 4, 3]], [[0, 9, 0], [9, 0, 1]]])}, 1),  # noqa: E501
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[2**60 + 1, 2**60], [2**60 + 1, 2**60]])}, 1),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[32767, 32766], [32767, 32766]], np.int16)}, 1),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[1 + 2**-52, 1], [1 + 2**-52, 1]])}, 1),
    ("argmax_differs", np.array([0, 1]), {"partner": np.array([[1, np.nan], [0, 1]], np.float16)}, 0),
    ("decode_differs", np.array([0, 0, 1]), {"partner": np.array([65, 7, 66], np.uint8), "table": "A"}, 1),
    ("decode_differs", np.array([2, 1, 2, 2]), {"partner": np.array([-1, 0, 256, 255]), "table": "\x01\x00X"}, 0),
    ("decode_differs", np.array([0, 1, 2, 2]), {"partner": np.array([255, 1, 256, 257]), "table": "ÿ\x01X"}, 0),
    ("decode_differs", np.array([0, 1]), {"partner": np.array([65, 256]), "table": "AĀ"}, 0),
    ("decode_differs", np.array([1, 1, 1, 0]), {"partner": np.array([65, 65, 65, 65]), "table": "AB"}, 3),
    ("decode_differs", np.array([0, 1]), {"partner": np.array([65, 66]), "table": ""}, None),
    ("decode_differs", np.array([0, 1]), {"partner": np.array([True, False]), "table": "AB"}, None),
    ("decode_differs", np.array([0, 1]), {"partner": np.array([65, 66, 67]), "table": "ABC"}, None),
    ("decode_differs", np.array([0, 1]), {"table": "AB"}, None),
    ("masked_nonzero", np.array([1.0, 2, 3, 4]), {"partner": np.array([0, 0, 0, 1])}, 3),
    ("masked_nonzero", np.array([[1.0, 2], [3, 4]]), {"partner": np.array([[0, 1], [1, 0]])}, 2),
    ("masked_nonzero", np.array([1.0, 2]), {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "more", "count"), MORE_PAIRS)
@pytest.mark.parametrize("parts", [1, 3])
def test_facts_with_a_partner_at_their_edges(
    name: str, values: Any, more: Mapping[str, Any], count: int | None, parts: int
) -> None:
    context = context_of(values, **more)
    for length in (1, 2, len(values)):
        grid = (length, *values.shape[1:])
        assert measured(name, context, cut(values, grid), parts=parts) == {name: count}
        assert alone(name, context, cut(values, grid)) == {name: count}


def test_an_argmax_over_one_row_belongs_to_a_scalar() -> None:
    right, wrong = np.array(1), np.array(0)
    partner = np.array([2.0, 3.0])
    for values, count in ((right, 0), (wrong, 1)):
        assert alone("argmax_differs", context_of(values, partner=partner), [((), values)]) == {"argmax_differs": count}


def test_a_partner_does_not_travel_with_what_has_seen_its_blocks() -> None:
    values, partner = np.array([1, 1]), np.array([[2.0, 1.0], [0.0, 1.0]])
    accumulator = FACTS["argmax_differs"].start(context_of(values, partner=partner))
    accumulator.add(Seen((0,), values))
    travelled = pickle.loads(pickle.dumps(accumulator))  # noqa: S301  (our own)
    assert (vars(travelled)["_partner"], travelled.result()) == (None, {"argmax_differs": 1})
    travelled.add(Seen((0,), values))  # without its partner it can look at nothing more
    assert travelled.result() == {"argmax_differs": 1}
    again = FACTS["argmax_differs"].start(context_of(values, partner=partner))
    again.merge(travelled)
    assert again.result() == {"argmax_differs": 1}


def test_slices_along_any_axis_are_compared_in_every_part() -> None:
    values = np.arange(60, dtype=np.float64).reshape(3, 4, 5)
    values[:, 2] = values[:, 0]
    values[2, 3] = 9
    for axis, count in ((0, 0), (1, 1), (2, 0)):
        for grid in ((3, 4, 5), (1, 1, 1), (2, 3, 2)):
            context = context_of(values, along=axis)
            assert alone("duplicate_slices", context, cut(values, grid)) == {"duplicate_slices": count}
    short = np.array([1.5, 2.5, 1.5, 1.5], np.float16)
    assert alone("duplicate_slices", context_of(short, along=0), cut(short, (2,))) == {"duplicate_slices": 2}
    same = np.full((4, 6), 3.0)
    assert alone("duplicate_slices", context_of(same, along=1), cut(same, (2, 3))) == {"duplicate_slices": 5}
    swapped = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [3.0, 2.0, 1.0]])
    assert alone("duplicate_slices", context_of(swapped, along=0), cut(swapped, (1, 3))) == {"duplicate_slices": 0}


def test_what_is_asked_for_names_the_entry_that_asks() -> None:
    first, second = (
        {"at": "^/", "measure": ["range"]},
        {"at": "x$", "measure": ["range", "beyond_axis"], "axis": "token"},
    )
    asked = asked_of([first, second, {"at": "^/"}], "/x", node("int32"))
    assert {each.name: each.entry for each in asked} == {"range": second, "beyond_axis": second}
    assert [each.entry for each in asked_of([first, second], "/y", node("int32"))] == [first]
    # ASCII: other digits are no digits in a path.
    assert asked_of([{"at": r"^/\d$", "measure": ["range"]}], "/٣", node("int32")) == ()
    with pytest.raises(SpecError) as caught:
        asked_of([{"at": "^/", "measure": ["decode_differs"]}], "/x", node("int32"))
    assert str(caught.value) == "facts.json: decode_differs needs with and table, and the entry has none"
    with pytest.raises(SpecError) as caught:
        asked_of([{"measure": ["range"]}], "/x", node("int32"))
    assert str(caught.value) == "facts.json: expected a pattern of paths as `at` in every entry, found none"
