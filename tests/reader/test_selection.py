"""A part of an array, by any index, is what NumPy gives of the whole; each of its values was read, and no others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
import zarr.codecs
from support.grids import GridValues
from support.traces import CONTAINERS

import vizschema
from vizschema import Array, Damaged
from vizschema.containers.bytes import spans
from vizschema.containers.values import Piece, Values
from vizschema.reader import selection
from vizschema.reader.selection import Kept, Selectable


def keys(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Any]:
    """Integers and slices of any step along every axis."""
    for _ in range(40):
        key: list[Any] = []
        for size in shape:
            if size and rng.random() < 0.4:
                key.append(int(rng.integers(-size, size)))
                continue
            ends = [int(end) if rng.random() < 0.8 else None for end in rng.integers(-size - 1, size + 2, 2)]
            key.append(slice(*ends, int(rng.choice([1, 1, 2, -1, -3]))))
        yield tuple(key)


def same(path: Path, expected: Any, rng: np.random.Generator) -> None:
    with vizschema.open(path) as archive:
        stored = archive["/x"]
        assert np.array_equal(stored[...], expected)
        for key in keys(expected.shape, rng):
            assert np.array_equal(stored[key], expected[key]), key
        where = expected > np.median(expected)
        assert np.array_equal(stored[where], expected[where])


@pytest.mark.filterwarnings("ignore:Combining a")  # it is read all the same
@pytest.mark.parametrize("seed", range(30))
def test_a_part_of_a_sharded_array_is_that_of_numpy(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    inner = int(rng.integers(1, 4))  # zarr-python compares inner and outer lengths of the same place, though turned
    shard, shape = (tuple(map(int, rng.integers(1, top, rank) * by)) for top, by in ((4, inner), (14, 1)))
    outside, within = (tuple(map(int, rng.permutation(rank))) for _ in range(2))
    sharding = zarr.codecs.ShardingCodec(
        chunk_shape=(inner,) * rank,
        codecs=[zarr.codecs.TransposeCodec(order=within), zarr.codecs.BytesCodec()],
    )
    values = rng.integers(0, 1000, shape).astype("i4")
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array(
        "x",
        shape=shape,
        dtype="i4",
        chunks=shard,
        serializer=sharding,
        filters=[zarr.codecs.TransposeCodec(order=outside)],
        compressors=None,
    )[...] = values
    same(tmp_path / "a.zarr", values, rng)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_part_is_that_of_numpy_in_every_container(container: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(7, 5, 6))
    path = tmp_path / CONTAINERS[container]
    group = {"/": {"x": 1}, "/metadata": {"model_name": "a", "model_version": "1"}}
    given = {"/x": Array(values, ["a", "b", "c"], chunks=[2, 3, 4]), "/outputs/y": Array(values, ["a", "b", "c"])}
    vizschema.write(path, given, {name: value for name, value in group.items() if name != "/"}, profile="trace")
    same(path, values, rng)


@pytest.mark.parametrize(("hole", "block"), [(0, 1 << 20), (0, 64), (100, 200), (1 << 20, 100)])
@pytest.mark.parametrize("save", ["contiguous", "big-endian", "compact", "npz", "fortran"])
def test_ranges_of_any_size_give_what_numpy_gives(
    save: str, hole: int, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "HOLE", hole)
    monkeypatch.setattr(spans, "BLOCK_BYTES", block)
    rng = np.random.default_rng(2)
    values = rng.normal(size=(7, 5, 6))
    path = tmp_path / ("a.npz" if save in ("npz", "fortran") else "a.h5")
    if path.suffix == ".npz":
        np.savez(path, x=np.asfortranarray(values) if save == "fortran" else values)
    else:
        space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.IEEE_F64BE if save == "big-endian" else None
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT if save == "compact" else h5py.h5d.CONTIGUOUS)
        with h5py.File(path, "w") as file:
            dataset = h5py.h5d.create(file.id, b"x", kind or h5py.h5t.IEEE_F64LE, space, creation)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    same(path, values, rng)


@pytest.mark.parametrize("filters", [{}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf"}])
@pytest.mark.parametrize("chunks", [(1, 5, 6), (2, 3, 4), (7, 5, 6), (3, 1, 6)])
def test_chunks_of_hdf5_give_what_numpy_gives_the_first_time_and_again(
    filters: dict[str, Any], chunks: tuple[int, ...], tmp_path: Path
) -> None:
    values = np.random.default_rng(3).normal(size=(7, 5, 6))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=chunks, **filters)
    for seed in (0, 0):
        same(tmp_path / "a.h5", values, np.random.default_rng(seed))


@pytest.mark.parametrize("store", ["contiguous", "chunks", "zarr", "shards"])
def test_parts_of_terabytes_that_were_never_written_take_no_more_than_their_own_memory(
    store: str, tmp_path: Path
) -> None:
    side = 1 << 20
    path = tmp_path / ("a.zarr" if store in ("zarr", "shards") else "a.h5")
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("x", (side, side), "f4", chunks=(512, 512) if store == "chunks" else None, fillvalue=2)
    else:
        group = zarr.create_group(path)
        shards = {"shards": (1 << 14, 1 << 14)} if store == "shards" else {}
        array = group.create_array("x", shape=(side, side), dtype="f4", chunks=(512, 512), fill_value=2, **shards)
        array[3, 3] = 7
    written = path.suffix == ".zarr"
    with vizschema.open(path) as archive:
        stored = archive["/x"]
        tracemalloc.start()
        for key in (np.s_[5], np.s_[:, 5], np.s_[:: side // 8, :: side // 8], np.s_[::-1000, 7]):
            assert (stored[key] == 2).all()
        assert stored[3, :5].tolist() == [2, 2, 2, 7 if written else 2, 2]
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("store", ["contiguous", "chunks", "zarr", "npz", "npz, packed"])
def test_an_array_with_an_empty_axis_is_read(store: str, tmp_path: Path) -> None:
    values = np.ones((4, 0, 2))
    path = tmp_path / {"zarr": "a.zarr", "contiguous": "a.h5", "chunks": "a.h5"}.get(store, "a.npz")
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            options = {"chunks": (2, 2, 2), "maxshape": (4, None, 2)} if store == "chunks" else {}
            file.create_dataset("x", data=values, **options)
    elif path.suffix == ".zarr":
        zarr.create_group(path).create_array("x", shape=values.shape, dtype="f8", chunks=(2, 1, 2))
    else:
        (np.savez if store == "npz" else np.savez_compressed)(path, x=values)
    with vizschema.open(path) as archive:
        for key in (np.s_[...], np.s_[1:3], np.s_[::2, :, 0]):
            assert archive["/x"][key].shape == values[key].shape


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_kept_of_an_array_is_never_what_was_handed_out(container: str, tmp_path: Path) -> None:
    values = np.arange(210.0).reshape(7, 5, 6)
    path = tmp_path / CONTAINERS[container]
    attributes = {"/metadata": {"model_name": "a", "model_version": "1"}}
    vizschema.write(path, {"/x": Array(values, ["a", "b", "c"], chunks=[2, 3, 4])}, attributes, profile="trace")
    with vizschema.open(path) as archive:
        for key in (np.s_[...], np.s_[3], np.s_[1:5, ::2, ::-1], 2, np.s_[0, 0, 0]):
            for _ in range(4):
                found = archive["/x"][key]
                assert np.array_equal(found, values[key])
                found[...] = -1


@pytest.mark.parametrize("chunks", [None, (64, 64)])
def test_no_more_is_kept_of_an_archive_than_its_limit(
    chunks: tuple[int, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "KEPT", 1 << 20)
    values = np.random.default_rng(4).normal(size=(1024, 1024))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=chunks)
    with vizschema.open(tmp_path / "a.h5") as archive:
        stored = archive["/x"]
        stored[:64]
        tracemalloc.start()
        for _ in range(3):
            for row in range(1024):
                assert np.array_equal(stored[row], values[row])
        assert tracemalloc.get_traced_memory()[0] < 2 << 20
        tracemalloc.stop()


class Holes(GridValues):
    """Values of which one piece gives nothing: no container does so, and none shall hand out memory where one does."""

    def read(self, piece: Piece) -> Any:
        return iter(()) if piece.index == 1 else super().read(piece)


def test_values_that_nobody_read_are_never_handed_out() -> None:
    holes: Values = Holes(np.ones((4, 4)), (2, 4))
    selectable = Selectable("/x", lambda _: holes, Kept())
    assert (selectable[:2] == 1).all()
    with pytest.raises(Damaged, match=r"/x: cannot be read: .*: 8 of 16 values are in no chunk"):
        selectable[...]
