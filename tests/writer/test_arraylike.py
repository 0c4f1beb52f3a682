"""Anything array-like is written, by regions; what is not an array is refused with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array
import h5py
import ml_dtypes
import numpy as np
import pytest
import zarr
from support.traces import METADATA, values

import vizschema
from vizschema import Array, UsageError

GIVEN = {"/metadata": METADATA}
AXES = ["sample", "token", "hidden"]
X = values(6, 5, 4)


class Converts:
    """Something that only converts itself."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return X


class Exchanges:
    """Something that only has the exchange of arrays in memory."""

    def __dlpack__(self, **options: Any) -> Any:
        return X.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return X.__dlpack_device__()


def kinds(folder: Path) -> dict[str, Any]:
    stored = zarr.create_array(str(folder / "source.zarr"), data=X, chunks=(4, 5, 4))
    file = h5py.File(folder / "source.h5", "w")
    X.astype(">f4").tofile(folder / "big")
    return {
        "dask": dask.array.from_array(X, chunks=(4, 3, 4)),
        "zarr": stored,
        "h5py": file.create_dataset("x", data=X, chunks=(4, 5, 4)),
        "big-endian": np.memmap(folder / "big", ">f4", "r", shape=X.shape),
        "fortran": np.asfortranarray(X),
        "negative": X[::-1][::-1],
        "list": X.tolist(),
        "array": Converts(),
        "dlpack": Exchanges(),
        "read-only": np.broadcast_to(X, X.shape),
    }


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the pages of a mapping are shown by Linux alone")
def test_pages_of_a_mapped_file_are_given_back_and_changes_stay(tmp_path: Path) -> None:
    values(64, 64, 512).tofile(tmp_path / "mapped")
    shared = np.memmap(tmp_path / "mapped", "f4", "r+", shape=(64, 64, 512))
    shared[3] = 7
    own = np.memmap(tmp_path / "mapped", "f4", "c", shape=(64, 64, 512))
    own[5] = 8
    with vizschema.create(tmp_path / "x.zarr", profile="trace", attributes=GIVEN) as trace:
        trace.add("/activations/shared", shared, AXES)
        trace.add("/activations/view", shared[::-2, 1:], ["other", "kept", "hidden"])
        trace.add("/activations/own", own, AXES)
    entries = Path("/proc/self/smaps").read_text().split("VmFlags:")
    held = [entry.partition("Rss:")[2].split()[0] for entry in entries if str(tmp_path / "mapped") in entry]
    assert "0" in held
    with vizschema.open(tmp_path / "x.zarr") as archive:
        assert np.array_equal(archive["/activations/shared"][...], shared)
        assert np.array_equal(archive["/activations/view"][...], shared[::-2, 1:])
        assert np.array_equal(archive["/activations/own"][...], own)
    assert (shared[3] == 7).all()
    assert (own[5] == 8).all()


@pytest.mark.parametrize("container", ["zarr-v3", "hdf5", "npz", "asdf"])
def test_whatever_is_read_by_regions_is_written(container: str, tmp_path: Path) -> None:
    for kind, data in kinds(tmp_path).items():
        path = tmp_path / "target"
        vizschema.write(
            path, {"/activations/x": Array(data, AXES)}, GIVEN, profile="trace", container=container, overwrite=True
        )
        with vizschema.open(path) as archive:
            found = np.asarray(archive["/activations/x"][...])
        assert np.array_equal(found, X.astype(found.dtype)), kind
        assert found.dtype == ("f8" if kind == "list" else "f4")


def test_no_region_is_larger_than_what_is_taken_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Source:
        shape, dtype = (64, 1024), np.dtype("f4")

        def __getitem__(self, key: Any) -> Any:
            part = np.ones(self.shape, self.dtype)[key]
            asked.append(part.nbytes)
            return part

    monkeypatch.setattr("vizschema.writer.forms.base.AT_ONCE", 1 << 14)
    for suffix in ("zarr", "h5", "npz", "asdf"):
        item = Array(Source(), ["n", "wide"], chunks=[2, 1024])
        vizschema.write(tmp_path / f"a.{suffix}", {"/extra/x": item, **small()}, GIVEN, profile="trace")
    assert max(asked) <= 1 << 14
    assert sum(asked) == 4 * 64 * 1024 * 4  # each value once


def small() -> dict[str, Array]:
    return {"/activations/x": Array(X, AXES)}


@pytest.mark.parametrize("suffix", ["zarr", "h5"])
def test_blocks_of_an_iterator_are_one_array(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"

    def blocks() -> Iterator[Any]:
        yield X[:1]
        yield dask.array.from_array(X[1:5])
        yield X[5:]

    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        trace.add("/activations/x", blocks(), AXES)
        trace.append("/activations/y", blocks(), "sample", AXES)
        with pytest.raises(UsageError, match=r"float32 of the shape \[any, \*\[5, 4\]\], found float32 of the shape"):
            trace.add("/activations/z", iter([X, X[:, :2]]), AXES)
        with pytest.raises(UsageError, match="expected blocks, found an iterator of none"):
            trace.add("/activations/z", iter([]), AXES)
    whole = tmp_path / f"b.{suffix}"
    vizschema.write(whole, {f"/activations/{name}": Array(blocks(), AXES) for name in "xy"}, GIVEN, profile="trace")
    for place in (path, whole):
        with vizschema.open(place) as archive:
            for name in "xy":
                assert np.array_equal(np.asarray(archive[f"/activations/{name}"][...]), X)


class Sparse:
    """A sparse matrix, as far as it can be known."""

    def todense(self) -> Any:
        return X


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.ma.masked_greater(X, 0), "found a masked array; store data.filled"),
        ([[1.0], [1.0, 2.0]], "pad lists to one length"),
        (None, "found None"),
        (Sparse(), "found the sparse Sparse; store .todense"),
        ((X, None), "pass one array per path"),
        (iter([iter([X])]), "found an iterator; blocks of an iterator are arrays"),
        (dask.array.from_array(X)[dask.array.from_array(X[:, 0, 0]) > 0], "call compute_chunk_sizes"),
    ],
)
def test_what_is_no_array_is_refused_with_what_to_do(data: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^/activations/x: .*{words}"):
        vizschema.write(tmp_path / "a.zarr", {"/activations/x": Array(data, AXES)}, GIVEN, profile="trace")


def test_tensors_are_written_as_they_are(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="2026-11-27: torch is in no extra; the test needs it")
    base = torch.from_numpy(X)
    tensors = {"plain": base, "grad": base.clone().requires_grad_(), "half": base.bfloat16(), "view": base.mT.mT}
    with vizschema.create(tmp_path / "a.zarr", profile="trace", attributes=GIVEN) as trace:
        for name, tensor in tensors.items():
            trace.add(f"/activations/{name}", tensor, AXES)
        with pytest.raises(UsageError, match="to_dense"):
            trace.add("/activations/sparse", base.to_sparse(), AXES)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert archive["/activations/half"][...].dtype == ml_dtypes.bfloat16
        assert np.array_equal(np.asarray(archive["/activations/grad"][...]), X)
