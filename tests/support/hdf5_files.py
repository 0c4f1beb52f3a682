"""Files of HDF5 for tests: described, and damaged as no library would write them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from vizschema.containers.base import Limits
from vizschema.containers.hdf5.file import open_hdf5
from vizschema.description import Node

Fill = Callable[[h5py.File], Any]

RTL = "\u202e"
TEXT = h5py.string_dtype()
ENUM = h5py.enum_dtype({"RED": 0, "BLUE": 1}, basetype="i1")


def nodes_of(path: Path, limits: Limits = Limits()) -> dict[str, Node]:  # noqa: B008  (frozen)
    container = open_hdf5(str(path), limits)
    try:
        pairs = list(container.nodes())
    finally:
        container.close()
    nodes = dict(pairs)
    assert len(nodes) == len(pairs), "a path came twice"
    assert pairs[0][0] == "/"
    return nodes


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The file with every `old` replaced: damage that no library writes."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


def unfiltered_edges(creation: Any) -> None:
    """Ask that chunks over an edge of the shape are stored without filters, which h5py has no way to ask."""
    set_options = ctypes.CDLL(h5py.h5p.__file__).H5Pset_chunk_opts
    set_options.argtypes = [ctypes.c_int64, ctypes.c_uint]
    assert set_options(creation.id, 2) >= 0
