"""What the values of every container have in common: one contract, run over each of them."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support import traces
from support.traces import READABLE, held

import vizschema
from vizschema import Array
from vizschema.bounds import Reading
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, ChunkDamaged, Values, read_whole
from vizschema.description import STORED_AS
from vizschema.scan.threads import scan

DTYPES = [
    *(np.dtype(name) for name in ("bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")),
    *(np.dtype(name) for name in ("float16", "float32", "float64", "complex64", "complex128")),
    *(np.dtype(getattr(ml_dtypes, name)) for name in STORED_AS),
]


def extra() -> dict[str, Any]:
    """An array of each dtype, cut with edges that do not fit; a scalar, an empty one, one of a single long row."""
    rng = np.random.default_rng(5)
    arrays = {
        f"/extra/{dtype.name}": Array((rng.normal(size=(5, 7, 6)) * 9).astype(dtype), ["a", "b", "c"], chunks=[2, 3, 4])
        for dtype in DTYPES
    }
    arrays["/extra/scalar"] = Array(np.float32(2.5), [])
    arrays["/extra/none"] = Array(np.zeros((0, 3), np.int16), ["none", "three"])
    arrays["/extra/long"] = Array(np.arange(3_000_000, dtype=np.float32), ["long"], chunks=[1 << 20])
    return arrays


@pytest.fixture(scope="module", params=READABLE)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(traces.written(tmp_path_factory.mktemp("values"), request.param, **extra()))


def assembled(values: Values) -> Any:
    """The whole array, from its blocks; every entry written once."""
    whole = np.empty(values.shape, values.dtype)
    times = np.zeros(values.shape, int)
    for piece in values.pieces():
        for block in values.read(piece):
            assert isinstance(block, Block), block
            place = tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))
            whole[place] = block.values
            times[place] += 1
            assert block.values.dtype == values.dtype
            assert block.values.flags.c_contiguous
            assert block.values.nbytes <= piece.decoded_bytes
    assert (times == 1).all()
    return whole


@pytest.mark.parametrize("path", sorted(extra()))
def test_blocks_hold_every_value_once(archive: str, path: str) -> None:
    expected = np.asarray(extra()[path].data)
    with closing(open_container(archive)) as container:
        if path not in held(archive, extra()):
            assert path not in dict(container.nodes())
            return
        values = container.values(path)
        assert values.dtype == expected.dtype
        assert values.shape == expected.shape
        assert assembled(values).tobytes() == np.ascontiguousarray(expected).tobytes()
        whole = read_whole(container.values(path), 1 << 30)
        assert whole is not None
        assert whole.tobytes() == expected.tobytes()


def test_all_arrays_of_a_trace_come_back(archive: str) -> None:
    with closing(open_container(archive)) as container:
        for path, given in held(archive, traces.arrays()).items():
            data = np.asarray(given.data)
            expected = data.astype(data.dtype.newbyteorder("="))
            assert assembled(container.values(path)).tobytes() == expected.tobytes()


def test_pieces_are_counted_in_order(archive: str) -> None:
    with closing(open_container(archive)) as container:
        for path in held(archive, extra()):
            pieces = list(container.values(path).pieces())
            assert [piece.index for piece in pieces] == list(range(len(pieces)))


def test_blocks_lie_on_one_regular_grid(archive: str) -> None:
    with closing(open_container(archive)) as container:
        for path in held(archive, extra()):
            values = container.values(path)
            starts = [
                block.start for piece in values.pieces() for block in values.read(piece) if isinstance(block, Block)
            ]
            along = [sorted({start[axis] for start in starts}) for axis in range(len(values.shape))]
            if math.prod(values.shape):
                assert sorted(starts) == sorted(itertools.product(*along))


def test_many_threads_may_read_one_array(archive: str) -> None:
    expected = np.asarray(extra()["/extra/float32"].data)
    with closing(open_container(archive)) as container:
        values = container.values("/extra/float32")

        def right(piece: Any) -> bool:
            same = []
            for block in values.read(piece):
                assert isinstance(block, Block)
                place = tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))
                same.append(bool((block.values == expected[place]).all()))
            return bool(same) and all(same)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(right, [*values.pieces()] * 20))


def test_two_reads_in_turn_do_not_disturb_each_other(archive: str) -> None:
    with closing(open_container(archive)) as container:
        one, other = container.values("/extra/float64"), container.values("/extra/int32")
        reading = (block for piece in one.pieces() for block in one.read(piece))
        first = next(reading)
        assert isinstance(first, Block)
        before = first.values.copy()
        assert assembled(other).size
        assert (first.values == before).all()


def test_facts_are_the_same_in_every_container(archive: str, tmp_path: Path) -> None:
    entries = [
        {"at": "^/", "measure": ["non_finite", "range", "constant", "row_sum"]},
        {"at": "^/", "measure": ["duplicate_slices"], "along": "^(head|a)$"},
    ]
    reference = tmp_path / "reference.h5"
    given = held(archive, {**traces.arrays(), **extra()})
    vizschema.write(reference, given, traces.attributes(), profile="trace")
    found = []
    for path in (archive, str(reference)):
        description = vizschema.describe(path)
        with closing(open_container(path)) as container:
            found.append(scan(container, description, entries, Reading(2)))
    assert found[0].facts == found[1].facts
    assert found[0].coverage["bytes_read"] == found[1].coverage["bytes"]
    assert found[0].coverage["chunks_read"] == found[0].coverage["chunks"]


def test_an_array_that_is_gone_is_damage(archive: str) -> None:
    with closing(open_container(archive)) as container, pytest.raises((ChunkDamaged, KeyError)):
        container.values("/extra/absent")
