"""HDF5 through h5py: deflate with shuffle, which every installation decodes; dimension labels; native attributes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.canonical import canonical
from vizschema.containers.attributes import JSON_NAMES
from vizschema.containers.hdf5.scales import is_own
from vizschema.description import ITEM_BYTES, Node, storage
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.forms.hdf5_scales import attach_scales
from vizschema.writer.forms.steady_file import SteadyFile

DEFLATE_LEVEL = 4
ATTRIBUTE_BYTES = 60_000
"""A little less than the 64 KiB of a message of an object header (HDF5 File Format 3.0, IV.A.2)."""

MOST_ATTRIBUTES = 3_000
"""Maximum attributes of one object, of which readers look through all to find one."""

_TEXT_BYTES = 16
"""What a text takes in a message beside its bytes, which are in a heap."""


class Hdf5Writer:
    """A new file at `path`, which must not exist. Where the disk is full, a method raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self._disk = SteadyFile(path)
        try:
            self._file = h5py.File(self._disk, "w")
        except BaseException:
            self._disk.close()
            raise

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Do nothing: HDF5 places every object."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Write a group."""
        group = self._file if path == "/" else self._file.create_group(path)
        _set(group, attributes)
        self._disk.check()

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array: chunked, except for scalars and empty arrays, which HDF5 cannot cut."""
        options: dict[str, Any] = {"dtype": planned.stored_dtype}
        if _is_chunked(planned):
            options |= {
                "chunks": planned.chunks,
                "shuffle": True,
                "compression": "gzip",
                "compression_opts": DEFLATE_LEVEL,
            }
        dataset = self._file.create_dataset(path, planned.shape, **options)
        for region in planned.regions():
            dataset[region] = planned.part(region)
            self._disk.check()
        for dimension, name in enumerate(planned.axes or ()):
            dataset.dims[dimension].label = name or ""
        _set(dataset, planned.marked)
        self._disk.check()

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        _set(self._file[path], attributes)
        self._disk.check()

    def finish(self) -> None:
        """Attach dimension scales, by which netCDF-4 names axes."""
        attach_scales(self._file)
        self._file.flush()
        self._disk.check()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            try:
                self._file.close()
            finally:
                self._disk.close()
            self._disk.check()


def _set(owner: Any, attributes: Mapping[str, Any]) -> None:
    """Set attributes of an object: natively, or as JSON texts, whose names are listed then; keep its others."""
    listed = set(owner.attrs.get(JSON_NAMES, ())) - attributes.keys()
    for key, value in attributes.items():
        native = _native(value)
        if native is None:
            listed.add(key)
        owner.attrs[key] = canonical(value).decode() if native is None else native
    if listed:
        owner.attrs[JSON_NAMES] = np.array(sorted(listed), dtype=h5py.string_dtype())
    elif JSON_NAMES in owner.attrs:
        del owner.attrs[JSON_NAMES]


def _native(value: Any) -> Any:
    """A scalar, or a flat list of one type, as h5py stores it; None for what HDF5 has no type for."""
    kinds = {_kind(item) for item in value} if isinstance(value, list) else {_kind(value)}
    if len(kinds) != 1 or None in kinds:
        return None
    if not isinstance(value, list):
        return np.uint64(value) if isinstance(value, int) and value >= 1 << 63 else value
    if kinds == {"text"}:
        return np.array(value, dtype=h5py.string_dtype())
    array = np.array(value)
    exact = array.tolist() == value and (array.dtype.kind != "f" or any(isinstance(item, float) for item in value))
    return array if exact else None


def _is_chunked(planned: PlannedArray) -> bool:
    return bool(planned.shape) and 0 not in planned.shape


def _storage(planned: PlannedArray) -> Node | None:
    if not _is_chunked(planned):
        return None
    return storage(
        planned.shape,
        planned.axes,
        ITEM_BYTES[planned.dtype],
        chunks=planned.chunks,
        shard=None,
        codecs=["shuffle", "deflate"],
    )


def _refusal(_: str, attributes: Mapping[str, Any]) -> str | None:
    """Names of attributes that the libraries, or the layout, keep for themselves; what an object cannot hold."""
    for key, value in attributes.items():
        if is_own(key):
            return f"attribute {key}: the name is reserved by the libraries of HDF5 and netCDF; choose another name"
        if key in (JSON_NAMES, "DIMENSION_LABELS"):
            return f"attribute {key}: in HDF5 it is reserved for what the layout stores; choose another name"
        native = _native(value) if isinstance(value, list) else None
        size = 0 if native is None else native.size * max(native.itemsize, _TEXT_BYTES * (native.dtype.kind == "O"))
        if size > ATTRIBUTE_BYTES:
            return f"attribute {key}: HDF5 supports at most {ATTRIBUTE_BYTES} bytes, found {size}; store it as an array"
    if len(attributes) > MOST_ATTRIBUTES:
        return f"expected at most {MOST_ATTRIBUTES} attributes in HDF5, found {len(attributes)}; nest them in one"
    return None


def _kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


HDF5 = Form(
    name="hdf5",
    identity={"format": "hdf5", "version": None, "store": "file", "consolidated": False},
    shards=False,
    storage=_storage,
    begin=Hdf5Writer,
    refusal=_refusal,
    captured=3,
)
