"""HDF5 in any encoding, through h5py: byte order, layouts, indexes of chunks, filters, fill values, axes, texts."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5p, h5s, h5t, h5z

from vizschema.conformance.corpus.encodings.cutting import box, places
from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.encodings.zarr2 import is_coarse
from vizschema.conformance.corpus.raw.hdf5 import is_native, native, text_of
from vizschema.conformance.corpus.raw.nodes import RawNode, Values

_UNFILTERED_EDGES = 2
_DIGITS = 6
"""Decimal digits that are kept of floats: all of 64ths."""
_DIMENSION = "This is a netCDF dimension but not a netCDF variable"
_PADDING = {
    "null-terminated": (h5t.STR_NULLTERM, b"\0"),
    "null-padded": (h5t.STR_NULLPAD, b"\0"),
    "space-padded": (h5t.STR_SPACEPAD, b" "),
}
_UNLIMITED = {"extensible": 1, "btree2": 2}
"""How many axes have no limit."""


def write(path: Path, nodes: Mapping[str, RawNode], encoding: Encoding) -> None:
    """Write the archive to the new file `path`."""
    earliest = encoding["layout"] in ("contiguous", "compact", "chunked") and encoding["file"] != "dense"
    options: dict[str, Any] = {"libver": "earliest" if earliest else "latest"}
    if encoding["file"] == "user-block":
        options["userblock_size"] = 512
    if encoding["file"] == "creation-order":
        options["track_order"] = True
    with h5py.File(path, "x", **options) as file:
        scales: dict[str, Any] = {}
        for place, node in nodes.items():
            if node.values is None:
                _set(file if place == "/" else file.create_group(place), node.attributes, encoding)
                continue
            dataset = _dataset(file, place, node, encoding)
            for at, name in enumerate(node.axes or ()):
                if name is None:
                    continue
                if encoding["axes"] == "labels":
                    dataset.dims[at].label = name
                else:
                    dataset.dims[at].attach_scale(_scale(file, str(name), node.stored.shape[at], scales))
            _set(dataset, node.marked, encoding)


def _scale(file: Any, name: str, size: int, scales: dict[str, Any]) -> Any:
    """The dimension of netCDF-4 of this name, at the root: no variable, and no node."""
    if name not in scales:
        scales[name] = file.create_dataset(name, data=np.zeros(size, ">f4"))
        scales[name].make_scale(f"{_DIMENSION}{size:10d}")
    return scales[name]


def _dataset(file: Any, place: str, node: RawNode, encoding: Encoding) -> Any:
    stored = node.stored
    values = stored.astype(stored.dtype.newbyteorder("<" if encoding["endian"] == "little" else ">"))
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)  # the same bytes every time
    cut = stored.ndim > 0 and stored.size > 0 and encoding["layout"] not in ("contiguous", "compact")
    if encoding["fill"] == "never":
        creation.set_fill_time(h5d.FILL_TIME_NEVER)
    elif encoding["fill"] == "undefined":
        _undefine_fill(creation)
    elif encoding["fill"] != "default" and node.fill is not None:
        creation.set_fill_value(node.fill.astype(values.dtype))
    if encoding["layout"] == "compact":
        creation.set_layout(h5d.COMPACT)
    if encoding["layout"] == "implicit":
        creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    most = None
    if cut:
        creation.set_chunk(tuple(node.chunks))
        _filter(creation, values.dtype, encoding["filters"], coarse=is_coarse(stored))
        free = _UNLIMITED.get(encoding["layout"], 0)
        most = tuple(h5s.UNLIMITED if at < free else size for at, size in enumerate(stored.shape))
    space = h5s.create_simple(stored.shape, most) if stored.ndim else h5s.create(h5s.SCALAR)
    linked = h5p.create(h5p.LINK_CREATE)
    linked.set_create_intermediate_group(True)
    kind = h5t.py_create(values.dtype, logical=True)
    dataset = h5py.Dataset(h5d.create(file.id, place.encode(), kind, space, creation, linked))
    _write(dataset, values, node, skipped=cut and encoding["filters"] == "skipped")
    return dataset


def _write(dataset: Any, values: Values, node: RawNode, *, skipped: bool) -> None:
    """Write what is not absent; with `skipped` the first chunk without its filters, as its mask says."""
    if not node.absent:
        dataset[...] = values
    else:
        for place in places(values.shape, node.chunks):
            if place not in node.absent and values.ndim:
                dataset[box(place, node.chunks)] = values[box(place, node.chunks)]
    if skipped and values.dtype.kind != "b":
        first = (0,) * values.ndim
        whole = np.zeros(node.chunks, values.dtype)
        inner = values[box(first, node.chunks)]
        whole[tuple(slice(size) for size in inner.shape)] = inner
        dataset.id.write_direct_chunk(first, whole.tobytes(), 0b11)


def _filter(creation: Any, dtype: np.dtype[Any], level: str, *, coarse: bool) -> None:
    if level in ("shuffle-deflate", "skipped", "unfiltered-edges"):
        creation.set_shuffle()
    if level in ("deflate", "shuffle-deflate", "skipped", "unfiltered-edges"):
        creation.set_deflate(4)
    if level == "fletcher32":
        creation.set_fletcher32()
    if level == "nbit" and dtype.kind in "iuf":
        creation.set_filter(h5z.FILTER_NBIT, h5z.FLAG_MANDATORY, ())
    if level == "scaleoffset" and dtype.kind in "iu":
        creation.set_scaleoffset(h5z.SO_INT, 0)
    if level == "decimal" and dtype.kind == "f" and dtype.itemsize > 2 and coarse:
        creation.set_scaleoffset(h5z.SO_FLOAT_DSCALE, _DIGITS)
    if level == "unfiltered-edges":
        leave_edges_unfiltered(creation)


def leave_edges_unfiltered(creation: Any) -> None:
    """Let the library write the chunks at the edges without filters; nothing where its file is not found (Linux)."""
    library = _library()
    if library is not None:
        library.H5Pset_chunk_opts.argtypes = [ctypes.c_int64, ctypes.c_uint]
        library.H5Pset_chunk_opts(creation.id, _UNFILTERED_EDGES)


def _undefine_fill(creation: Any) -> None:
    """Let the dataset have no fill value; nothing where the file of the library is not found (Linux)."""
    library = _library()
    if library is not None:
        library.H5Pset_fill_value.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
        library.H5Pset_fill_value(creation.id, -1, None)


def _library() -> ctypes.CDLL | None:
    """The library that h5py calls, for what h5py has no name for."""
    if not sys.platform.startswith("linux"):
        return None
    with Path("/proc/self/maps").open(encoding="utf-8") as maps:
        name = next((line.split()[-1] for line in maps if "libhdf5" in line and "_hl" not in line), None)
    return None if name is None else ctypes.CDLL(name)


def _set(owner: Any, attributes: Mapping[str, Any], encoding: Encoding) -> None:
    texts = [key for key, value in attributes.items() if not is_native(value)]
    for key, value in attributes.items():
        if isinstance(value, str) and encoding["texts"] != "variable" and value:
            _fixed(owner, key, value, encoding["texts"])
        elif key in texts:
            owner.attrs[key] = text_of(value)
        elif encoding["endian"] == "big" and isinstance(value, int | float) and not isinstance(value, bool):
            made = np.asarray(native(value))
            owner.attrs.create(key, made.astype(made.dtype.newbyteorder(">")))
        else:
            owner.attrs[key] = native(value)
    if texts:
        owner.attrs["json_attributes"] = np.array(texts, dtype=h5py.string_dtype())
    if encoding["file"] == "dense":
        _many(owner)


def _many(owner: Any) -> None:
    """So many attributes at a time that they are stored densely; those that are only for that are removed again."""
    names: Sequence[str] = [f"passing_{number}" for number in range(12)]
    for name in names:
        owner.attrs[name] = 0
    for name in names:
        del owner.attrs[name]


def _fixed(owner: Any, key: str, value: str, level: str) -> None:
    """A text of fixed length in UTF-8, padded."""
    padding, pad = _PADDING[level]
    raw = value.encode()
    size = len(raw) + (level != "null-padded") + (level == "space-padded") * 2
    kind = h5t.C_S1.copy()
    kind.set_size(size)
    kind.set_strpad(padding)
    kind.set_cset(h5t.CSET_UTF8)
    made = h5a.create(owner.id, key.encode(), kind, h5s.create(h5s.SCALAR))
    made.write(np.array(raw.ljust(size, pad), f"S{size}"), kind)
