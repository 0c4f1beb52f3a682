"""HDF5 through h5py: deflate with shuffle, which every installation decodes; dimension labels; native attributes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.containers.hdf5.scales import is_own
from vizschema.description import ITEM_BYTES, Node, storage
from vizschema.errors import UsageError
from vizschema.writer.forms.base import BFLOAT16, STORED_DTYPE, Form, PlannedArray
from vizschema.writer.forms.hdf5_scales import attach_scales
from vizschema.writer.forms.steady_file import SteadyFile

DEFLATE_LEVEL = 4
ATTRIBUTE_BYTES = 60_000
"""A little less than the 64 KiB of a message of an object header (HDF5 File Format 3.0, IV.A.2)."""


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
        self._set(path, group, attributes)
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
        marks = {STORED_DTYPE: BFLOAT16} if planned.dtype == BFLOAT16 else {}
        self._set(path, dataset, {**planned.attributes, **marks})
        self._disk.check()

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        self._set(path, self._file[path], attributes)
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

    @staticmethod
    def _set(path: str, owner: Any, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            native = _native(value)
            if isinstance(native, np.ndarray) and native.nbytes > ATTRIBUTE_BYTES:
                raise UsageError(
                    f"attribute {key}",
                    path=path,
                    expected=f"at most {ATTRIBUTE_BYTES} bytes in HDF5",
                    found=native.nbytes,
                    fix="store it as an array",
                )
            owner.attrs[key] = native


def _native(value: Any) -> Any:
    """A JSON scalar or flat list as h5py stores it natively."""
    if not isinstance(value, list):
        return np.uint64(value) if isinstance(value, int) and value >= 1 << 63 else value
    if value and isinstance(value[0], str):
        return np.array(value, dtype=h5py.string_dtype())
    return np.array(value)


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
    """Attributes that have no native type in HDF5, or do not fit an object header."""
    for key, value in attributes.items():
        if is_own(key):
            return f"attribute {key}: the name is reserved by the libraries of HDF5 and netCDF"
        items = value if isinstance(value, list) else [value]
        kinds = {_kind(item) for item in items}
        if None in kinds or len(kinds) > 1:
            return f"attribute {key}: HDF5 supports numbers, texts, booleans and flat lists of one of them"
        native = _native(value)
        if isinstance(native, np.ndarray) and native.nbytes > ATTRIBUTE_BYTES:
            return f"attribute {key}: HDF5 supports at most {ATTRIBUTE_BYTES} bytes, found {native.nbytes}"
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
