"""HDF5 through h5py, as a case asks for it: any filter that h5py has, labels that may be missing, any attribute."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode


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
            _set(dataset, node.marked)


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
    texts = [key for key, value in attributes.items() if not is_native(value)]
    for key, value in attributes.items():
        owner.attrs[key] = text_of(value) if key in texts else native(value)
    if texts:
        owner.attrs["json_attributes"] = np.array(texts, dtype=h5py.string_dtype())


def is_native(value: Any) -> bool:
    """Whether HDF5 has a type for a JSON value: a scalar, or a list of scalars of one kind."""
    if not isinstance(value, list):
        return isinstance(value, bool | int | float | str)
    types = {type(item) for item in value}
    if len(types) != 1 or not types <= {bool, int, float, str}:
        return False
    return types == {float} or np.array(value).dtype.kind != "f"  # integers that no one type of NumPy has


def text_of(value: Any) -> str:
    """The JSON text of a value that HDF5 has no type for."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def native(value: Any) -> Any:
    """A value as h5py takes it."""
    if isinstance(value, list):
        return np.array(value, dtype=h5py.string_dtype()) if isinstance(value[0], str) else np.array(value)
    return np.uint64(value) if isinstance(value, int) and value >= 1 << 63 else value
