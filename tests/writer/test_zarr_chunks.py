"""Chunks that vizschema writes itself: zarr-python reads the same values, however an array is shaped and cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from vizschema.writer.forms import base
from vizschema.writer.forms.base import PlannedArray
from vizschema.writer.forms.zarr import ZarrWriter

RNG = np.random.default_rng(0)
CUTS = [((), ()), ((0, 3), (1, 2)), ((7,), (3,)), ((4, 6), (4, 6)), ((5, 7, 9), (2, 3, 4)), ((3, 8, 8), (1, 8, 8))]
DTYPES = ("bool", "int8", "uint64", "float16", "float32", "float64", "complex64")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("shape", "chunks"), CUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_reads_the_same_values(
    version: Any, shape: Any, chunks: Any, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AT_ONCE", 200)  # bytes: several regions, and several chunks in a region
    values = (RNG.normal(size=shape) * 100).astype(dtype)
    found = _stored(tmp_path, values, chunks, version)
    assert np.array_equal(found[...], values)
    assert found.nchunks_initialized == found.nchunks


@pytest.mark.parametrize("version", [2, 3])
def test_the_order_of_memory_and_of_bytes_is_not_stored(version: Any, tmp_path: Path) -> None:
    plain = RNG.normal(size=(6, 5, 4)).astype("float32")
    wide = np.repeat(plain, 2, axis=0)
    forms = [np.asfortranarray(plain), plain[::-1][::-1], wide[::2], plain.transpose(2, 0, 1).copy().transpose(1, 2, 0)]
    chunks = [
        [path.read_bytes() for path in sorted((tmp_path / str(number)).rglob("*")) if path.is_file()]
        for number, values in enumerate([plain, *forms])
        if np.array_equal(_stored(tmp_path / str(number), values, (4, 5, 2), version)[...], plain)
    ]
    assert len(chunks) == 5
    assert all(each == chunks[0] for each in chunks)


def _stored(folder: Path, values: npt.NDArray[Any], chunks: tuple[int, ...], version: Any) -> Any:
    folder.mkdir(exist_ok=True)
    planned = PlannedArray(values, values.dtype.name, None, {}, chunks, None)
    ZarrWriter(folder, version, resume=True).array("/x", planned)
    return zarr.open_array(folder / "x", mode="r")
