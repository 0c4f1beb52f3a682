"""HDF5 with layouts, filters and masks, indexes, edges, fill values, types, labels and attributes drawn."""

from __future__ import annotations

import ctypes
import random
import sys
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5p, h5s, h5t

from vizschema.conformance.corpus.hostile.hdf5 import write
from vizschema.conformance.oracle.mutants import drawn
from vizschema.conformance.oracle.mutants.drawn import Values

_UNFILTERED_EDGES = 2


def hdf5(chance: random.Random, folder: Path) -> Path:
    """An HDF5 file with one dataset drawn."""
    options: dict[str, Any] = {"libver": chance.choice(("earliest", "earliest", "latest", ("v108", "v110")))}
    if chance.random() < 0.1:
        options["userblock_size"] = chance.choice((512, 1024))
    if chance.random() < 0.2:
        options["track_order"] = True
    if chance.random() < 0.1 and "userblock_size" not in options:
        options.update(fs_strategy=chance.choice(("page", "fsm", "aggregate", "none")))
    change = lambda file: _dataset(chance, file)  # noqa: E731
    deleted = lambda file: _deleted(chance, file)  # noqa: E731
    path: Path = write(folder, *([deleted] if chance.random() < 0.2 else []), change, **options)
    return path


def _deleted(chance: random.Random, file: Any) -> None:
    file.create_dataset("extra/gone", data=np.arange(chance.randint(1, 300)))
    file["extra"].attrs["gone"] = "x" * chance.randint(1, 300)
    del file["extra/gone"], file["extra"].attrs["gone"]


def _dataset(chance: random.Random, file: Any) -> None:
    values = drawn.values(chance)
    if chance.random() < 0.3:
        values = values.astype(values.dtype.newbyteorder(">"))
    creation = h5p.create(h5p.DATASET_CREATE)
    chunks = _layout(chance, creation, values)
    kind = h5t.py_create(values.dtype, logical=True)
    if chance.random() < 0.4:
        fill = values.ravel()[:1] if values.size else np.zeros(1, values.dtype)
        creation.set_fill_value(fill)
        creation.set_fill_time(chance.choice((h5d.FILL_TIME_IFSET, h5d.FILL_TIME_ALLOC)))
    space = _space(chance, values.shape, chunks)
    links = h5p.create(h5p.LINK_CREATE)
    links.set_char_encoding(h5t.CSET_UTF8)
    found = h5d.create(file["extra"].id, drawn.name(chance).encode(), kind, space, creation, links)
    dataset = h5py.Dataset(found)
    _fill(chance, dataset, values, chunks)
    axes = drawn.axes(chance, values.ndim)
    for number, axis in enumerate(axes or ()):
        if axis:
            dataset.dims[number].label = axis
    for key, value in drawn.attributes(chance).items():
        _attribute(chance, dataset, key, value)


def _layout(chance: random.Random, creation: Any, values: Values) -> tuple[int, ...] | None:
    if not values.ndim or chance.random() < 0.3:
        creation.set_layout(chance.choice((h5d.CONTIGUOUS, h5d.COMPACT)))
        return None
    chunks: tuple[int, ...] = drawn.chunks(chance, values.shape)
    creation.set_chunk(chunks)
    creation.set_alloc_time(chance.choice((h5d.ALLOC_TIME_INCR, h5d.ALLOC_TIME_EARLY, h5d.ALLOC_TIME_LATE)))
    filters = chance.sample((_shuffle, _deflate, _fletcher, _lzf, _scale), chance.choice((0, 1, 1, 2, 3)))
    # Behind another filter, scale-offset writes past its buffer: a fault of libhdf5.
    for each in sorted(filters, key=lambda each: each is not _scale):
        each(chance, creation, values.dtype)
    if chance.random() < 0.2:
        _edges(creation)
    return chunks


def _shuffle(_: random.Random, creation: Any, __: Any) -> None:
    creation.set_shuffle()


def _deflate(chance: random.Random, creation: Any, _: Any) -> None:
    creation.set_deflate(chance.randint(0, 9))


def _fletcher(_: random.Random, creation: Any, __: Any) -> None:
    creation.set_fletcher32()


def _lzf(_: random.Random, creation: Any, __: Any) -> None:
    creation.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)


def _scale(chance: random.Random, creation: Any, dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iu" and chance.random() < 0.3:
        creation.set_scaleoffset(h5py.h5z.SO_INT, 0)


def _edges(creation: Any) -> None:
    """H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, which h5py has no name for."""
    name = next((path for path in map(str, Path(h5d.__file__).parents[1].glob("h5py.libs/libhdf5-*"))), None)
    if name is None or not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(name)
    library.H5Pset_chunk_opts.argtypes = [ctypes.c_int64, ctypes.c_uint]
    library.H5Pset_chunk_opts(creation.id, _UNFILTERED_EDGES)


def _space(chance: random.Random, shape: tuple[int, ...], chunks: tuple[int, ...] | None) -> Any:
    if not shape:
        return h5s.create(h5s.SCALAR)
    least = shape if chunks is None else tuple(map(max, shape, chunks))
    if chunks is None or (least == shape and chance.random() < 0.4):
        return h5s.create_simple(shape)
    most = tuple(h5s.UNLIMITED if chance.random() < 0.4 else size + chance.choice((0, 0, 3)) for size in least)
    return h5s.create_simple(shape, most)


def _fill(chance: random.Random, dataset: Any, values: Values, chunks: tuple[int, ...] | None) -> None:
    if not values.size or chance.random() < 0.05:
        return
    if chunks is None or chance.random() < 0.6:
        dataset[...] = values
        return
    steps = [range(0, size, length) for size, length in zip(values.shape, chunks, strict=True)]
    for place in product(*steps):
        box = tuple(slice(at, at + length) for at, length in zip(place, chunks, strict=True))
        lot = chance.random()
        if lot < 0.6:
            dataset[box] = values[box]
        elif lot < 0.8 and dataset.id.get_create_plist().get_nfilters():
            whole = np.zeros(chunks, values.dtype)
            part = values[box]
            whole[tuple(slice(0, size) for size in part.shape)] = part
            mask = (1 << dataset.id.get_create_plist().get_nfilters()) - 1
            dataset.id.write_direct_chunk(place, whole.tobytes(), mask)


def _attribute(chance: random.Random, owner: Any, key: str, value: Any) -> None:
    if isinstance(value, str) and chance.random() < 0.5:
        _text(chance, owner, key, value)
    elif isinstance(value, bool) or not isinstance(value, int | float) or chance.random() < 0.5:
        owner.attrs[key] = _native(value)
    else:
        kinds = [
            name
            for name in drawn.DTYPES
            if name[0] in ("f" if isinstance(value, float) else "iu") and _fits(name, value)
        ]
        owner.attrs.create(key, value, dtype=np.dtype(chance.choice(kinds)).newbyteorder(chance.choice("<>")))


def _fits(name: str, value: float) -> bool:
    if name.startswith("float"):
        return abs(value) < 6e4 or name == "float64"
    return np.iinfo(name).min <= value <= np.iinfo(name).max


def _native(value: Any) -> Any:
    if isinstance(value, list) and isinstance(value[0], str):
        return np.array(value, dtype=h5py.string_dtype())
    if isinstance(value, list) and max(value) >= 1 << 63:
        return np.array(value, dtype=np.uint64)
    return np.uint64(value) if isinstance(value, int) and value >= 1 << 63 else value


def _text(chance: random.Random, owner: Any, key: str, value: str) -> None:
    """Text of fixed length, padded in each of three ways."""
    raw = value.encode()
    kind = h5t.C_S1.copy()
    padding = chance.choice((h5t.STR_NULLTERM, h5t.STR_NULLPAD, h5t.STR_SPACEPAD))
    size = len(raw) + 1 + chance.choice((0, 0, 3))
    kind.set_size(size)
    kind.set_strpad(padding)
    kind.set_cset(h5t.CSET_UTF8)
    made = h5a.create(owner.id, key.encode(), kind, h5s.create(h5s.SCALAR))
    made.write(np.array(raw.ljust(size, b" " if padding == h5t.STR_SPACEPAD else b"\0"), f"S{size}"), kind)
