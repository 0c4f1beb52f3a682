"""Writers that write whatever a case asks for, faults included; they share nothing with the package's own writers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from vizschema.conformance.corpus.raw.asdf import write_asdf
from vizschema.conformance.corpus.raw.hdf5 import write_hdf5
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.corpus.raw.npz import write_npz
from vizschema.conformance.corpus.raw.zarr import (
    write_zarr_v2,
    write_zarr_v2_zip,
    write_zarr_v3,
    write_zarr_v3_sharded,
    write_zarr_v3_zip,
)

Write = Callable[[Path, Mapping[str, RawNode]], None]

CONTAINERS: Mapping[str, Write] = {
    "zarr-v3": write_zarr_v3,
    "zarr-v2": write_zarr_v2,
    "hdf5": write_hdf5,
    "npz": write_npz,
    "asdf": write_asdf,
    "zarr-v3-zip": write_zarr_v3_zip,
    "zarr-v2-zip": write_zarr_v2_zip,
    "zarr-v3-sharded": write_zarr_v3_sharded,
}
"""Every container that a case can be written in, by its name."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (a folder in memory: the corpus is thousands of small files)


def scratch() -> Path | None:
    """Where archives that are soon gone are written fastest; null for the system's own choice."""
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK) else None


SUFFIXES: Mapping[str, str] = {
    "zarr-v3": ".zarr",
    "zarr-v2": ".zarr",
    "hdf5": ".h5",
    "npz": ".npz",
    "asdf": ".asdf",
    "zarr-v3-zip": ".zip",
    "zarr-v2-zip": ".zip",
    "zarr-v3-sharded": ".zarr",
    "safetensors": ".safetensors",
}
"""How the name of an archive ends."""
