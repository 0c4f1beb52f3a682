"""Mutants that mostly stay readable: each kind changes what readers may weigh differently, by a seeded chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from vizschema.conformance.oracle.mutants.asdf import asdf
from vizschema.conformance.oracle.mutants.hdf5 import hdf5
from vizschema.conformance.oracle.mutants.npz import npz
from vizschema.conformance.oracle.mutants.of_bytes import of_bytes
from vizschema.conformance.oracle.mutants.zarr2 import zarr2
from vizschema.conformance.oracle.mutants.zarr3 import zarr3
from vizschema.conformance.oracle.mutants.zips import zarr2_zip, zarr3_zip

KINDS: Mapping[str, Callable[[random.Random, Path], Path]] = {
    "zarr-v3": zarr3,
    "zarr-v2": zarr2,
    "zarr-v3-zip": zarr3_zip,
    "zarr-v2-zip": zarr2_zip,
    "hdf5": hdf5,
    "npz": npz,
    "asdf": asdf,
    "bytes-zarr": of_bytes("zarr"),
    "bytes-hdf5": of_bytes("hdf5"),
    "bytes-npz": of_bytes("npz"),
    "bytes-asdf": of_bytes("asdf"),
}
"""Each kind by its name: what writes a mutant into an empty folder."""
