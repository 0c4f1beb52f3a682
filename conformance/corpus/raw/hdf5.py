"""HDF5 through h5py, as a case asks for it: any filter that h5py has, labels that may be missing, any attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.conformance.corpus.raw.nodes import BFLOAT16, RawNode


def write_hdf5(path: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` (path → node, every group among them) into the new file `path`."""
    with h5py.File(path, "x") as file:
        for place, node in nodes.items():
            if node.values is None:
                owner = file if place == "/" else file.create_group(place)
                _set(owner, node.attributes)
                continue
            dataset = _dataset(file, place, node)
            if node.axes is not None and any(node.axes):
                for dimension, name in enumerate(node.axes):
                    dataset.dims[dimension].label = name or ""
            _set(dataset, {**node.attributes, **({"stored_dtype": BFLOAT16} if node.dtype == BFLOAT16 else {})})


def _dataset(file: Any, place: str, node: RawNode) -> Any:
    stored = node.stored
    if stored.dtype.kind == "U":
        return file.create_dataset(place, data=stored.astype(object), dtype=h5py.string_dtype())
    if stored.dtype.kind == "M":
        raise ValueError("HDF5 has no dates")
    options: dict[str, Any] = {}
    if stored.ndim and stored.size:
        codecs = node.codecs if node.codecs is not None else ["shuffle", "deflate"]
        options = {"chunks": tuple(node.chunks)}
        for codec in codecs:
            options.update(_FILTERS[codec])
    return file.create_dataset(place, data=stored, **options)


_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "shuffle": {"shuffle": True},
    "deflate": {"compression": "gzip", "compression_opts": 3},
    "fletcher32": {"fletcher32": True},
    "lzf": {"compression": "lzf"},
    "scaleoffset": {"scaleoffset": 0},
}


def _set(owner: Any, attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        owner.attrs[key] = _native(value)


def _native(value: Any) -> Any:
    """A JSON value as HDF5 holds it; what it cannot hold natively becomes its nearest relative."""
    if value is None:
        return h5py.Empty("f4")
    if isinstance(value, dict):
        return np.array((1,), dtype=[("field", "i4")])
    if isinstance(value, list):
        return _array(value)
    return np.uint64(value) if isinstance(value, int) and value >= 1 << 63 else value


def _array(items: list[Any]) -> Any:
    if items and all(isinstance(item, str) for item in items):
        return np.array(items, dtype=h5py.string_dtype())
    if not items:
        return np.zeros(0, "i8")
    if len({isinstance(item, str) for item in items}) > 1:
        raise ValueError("HDF5 has no lists of text and numbers")
    if any(item is None or isinstance(item, dict) for item in items):
        raise ValueError("HDF5 has no lists of nulls or objects")
    return np.array(items)
