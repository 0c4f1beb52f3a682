"""`open`: arrays of an archive by path, read when they are asked for, with their axes and attributes.

What may be opened is decided by the description: nothing that it calls a link, an object or unreadable is followed,
and no codec is run but those below.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import zarr
from zarr.storage import LocalStore, StorePath

from vizschema.containers import open_container
from vizschema.containers.base import Container
from vizschema.containers.decoded import DECODED
from vizschema.containers.hdf5_values import PLUG_INS, hdf5_values
from vizschema.containers.sources import Rooms
from vizschema.containers.values import dtype_of
from vizschema.containers.zarr_remote import ZarrRemote
from vizschema.describe import describe, describe_open
from vizschema.description import ITEM_BYTES, Description, Node, parent_of
from vizschema.errors import NotAnArchive, UsageError
from vizschema.selection import Selectable
from vizschema.unpacked import Unpacked
from vizschema.urls import archive_name, scheme_of
from vizschema.writers.base import BFLOAT16

_DECODED = frozenset().union(*DECODED.values())
"""Codecs that only decode numbers: `pickle` would execute what the archive says, others would load a plug-in."""


Source = Callable[[str, str], Any]
Opened = tuple[Source, Callable[[], None]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """An array in an archive; indexing it reads the chunks that it takes, and no others."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[str | None, ...] | None
    attributes: Mapping[str, Any]
    chunks: tuple[int, ...] | None
    _source: Any

    @property
    def ndim(self) -> int:
        """How many dimensions there are."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        values = np.asarray(self._source[key])
        if self.dtype == ml_dtypes.bfloat16 and values.dtype.itemsize == 2 and values.dtype.kind == "u":
            values = values.astype(np.uint16).view(ml_dtypes.bfloat16)
        return values.astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError(f"{self.path}: is on disk, and cannot become an array without a copy")
        values: np.ndarray[Any, Any] = self[...]
        return values if dtype is None else values.astype(dtype)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group in an archive: its attributes, and the names of its members."""

    path: str
    attributes: Mapping[str, Any]
    members: tuple[str, ...]


class Archive:
    """An open archive; made by `open`, and a context manager that closes it."""

    def __init__(self, path: str, description: Description, opened: Opened | None = None) -> None:
        self.description = description
        self._path = path
        if opened is not None:
            self._source, self.close = opened
            return
        container = description["container"]
        how = (container["format"], container["store"])
        if how not in _SOURCES:
            raise UsageError(
                f"{path}: expected a file or folder of this machine, found {how[0]} ({how[1]}), which is not read here"
            )
        self._source, self.close = _SOURCES[how](Path(path), container["version"])

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, path: object) -> bool:
        return path in self.description["nodes"]

    def __getitem__(self, path: str) -> StoredArray | StoredGroup:
        node = self._node(path)
        if node["kind"] == "group":
            children = (each for each in self.description["nodes"] if each != "/" and parent_of(each) == path)
            return StoredGroup(path, node["attributes"], tuple(each.rpartition("/")[2] for each in children))
        chunks = node["storage"] and tuple(node["storage"]["chunks"])
        axes = None if node["axes"] is None else tuple(node["axes"])
        dtype = np.dtype(ml_dtypes.bfloat16 if node["dtype"] == BFLOAT16 else node["dtype"])
        return StoredArray(
            path, tuple(node["shape"]), dtype, axes, node["attributes"], chunks, self._source(path, node["dtype"])
        )

    def paths(self) -> list[str]:
        """The path of every node, sorted."""
        return list(self.description["nodes"])

    def _node(self, path: str) -> Node:
        """The node at `path`; raises `KeyError` where there is none, `NotAnArchive` where it cannot be opened."""
        nodes = self.description["nodes"]
        if path not in nodes:
            near = difflib.get_close_matches(path, nodes, n=3, cutoff=0.5)
            hint = f"; there is {', '.join(near)}" if near else ""
            raise KeyError(f"{path} is not in {self._path.rstrip('/').rpartition('/')[2]}{hint}")
        node: Node = nodes[path]
        above = path
        while above != "/" and "name" not in nodes[above].get("escaped", ()):
            above = parent_of(above)
        if above != "/":
            raise NotAnArchive(f"{path}: cannot be read: its name holds characters that are shown escaped here")
        if node["kind"] not in ("group", "array"):
            raise NotAnArchive(f"{path}: cannot be read: {node['reason']}: {node['detail']}")
        if node["kind"] == "array":
            require_decodable(path, node)
        return node


def open(path: str | os.PathLike[str]) -> Archive:
    """The archive at `path` or at a URL, open for reading; raises `NotAnArchive` where there is none.

    Of a remote archive, what an index touches is fetched when it is asked for.
    """
    place = os.fspath(path)
    if scheme_of(place) is None:
        return Archive(place, describe(place))
    container = open_container(place)
    try:
        opened = _remote(container), container.close
        return Archive(archive_name(place), describe_open(container), opened)
    except BaseException:
        container.close()
        raise


def require_decodable(path: str, node: Node) -> None:
    """Nothing; raises `NotAnArchive` for an array that only foreign code could decode, or that holds no numbers."""
    if node["dtype"] not in ITEM_BYTES:
        raise NotAnArchive(f"{path}: cannot be read: expected numbers or booleans, found {node['dtype']}")
    foreign = [name for name in (node["storage"] or {}).get("codecs", ()) if name not in _DECODED]
    if foreign:
        raise NotAnArchive(
            f"{path}: cannot be read: expected codecs that only decode numbers, found {', '.join(foreign)}"
        )


def _zarr_directory(root: Path, version: int) -> tuple[Source, Callable[[], None]]:
    store = LocalStore(root, read_only=True)

    def source(path: str, dtype: str) -> Any:
        name = path.strip("/")
        if dtype != BFLOAT16 or version == 2:
            return zarr.open_array(store, path=name, mode="r", zarr_format=2 if version == 2 else 3)
        # zarr-python has no bfloat16: the same bits are read as uint16. The fill value is taken along as bits.
        metadata = json.loads((root / name / "zarr.json").read_bytes())
        bits: Any = {**metadata, "data_type": "uint16", "fill_value": _bits(metadata["fill_value"])}
        return zarr.Array(zarr.AsyncArray(metadata=bits, store_path=StorePath(store, name)))

    return source, store.close


def _bits(fill: Any) -> int:
    """The bits of a fill value of bfloat16: a number, hexadecimal bits, or NaN or Infinity by name (Zarr v3 core)."""
    if isinstance(fill, str) and fill.startswith("0x"):
        return int(fill, 16)
    return int(np.array(float(fill), ml_dtypes.bfloat16).view(np.uint16))


def _zarr_zip(root: Path, _: int | None) -> tuple[Source, Callable[[], None]]:
    container = open_container(str(root))
    return (lambda path, _: Selectable(lambda: container.values(path), path)), container.close


def _flat_file(root: Path, _: int | None) -> tuple[Source, Callable[[], None]]:
    container = open_container(str(root))
    return (lambda path, _: Unpacked(path, container)), container.close


def _remote(container: Container) -> Source:
    values = container.array if isinstance(container, ZarrRemote) else container.values
    return lambda path, _: Selectable(lambda: values(path), path)


def _hdf5_file(root: Path, _: int | None) -> tuple[Source, Callable[[], None]]:
    file = h5py.File(root, "r", locking=False)
    rooms = Rooms()

    def source(path: str, dtype: str) -> Any:
        dataset = file[path]
        creation = dataset.id.get_create_plist()
        filters = {creation.get_filter(position)[0] for position in range(creation.get_nfilters())}
        if filters.isdisjoint(PLUG_INS):
            return dataset
        return Selectable(lambda: hdf5_values(dataset.id, path, dtype_of(dtype), None, rooms), path)

    return source, file.close


_SOURCES: Mapping[tuple[str, str], Callable[[Path, Any], tuple[Source, Callable[[], None]]]] = {
    ("zarr", "directory"): _zarr_directory,
    ("zarr", "zip"): _zarr_zip,
    ("hdf5", "file"): _hdf5_file,
    ("npz", "file"): _flat_file,
    ("asdf", "file"): _flat_file,
}
