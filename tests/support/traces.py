"""A small trace to write in tests: arrays of many dtypes, and the attributes that make it conform."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import ml_dtypes
import numpy as np

import vizschema
from vizschema import Array
from vizschema.conformance.corpus.raw.safetensors import DOCUMENT, Tensor, safetensors

STEPWISE = {
    **{"zarr-v2": "trace.zarr", "zarr-v3": "trace.zarr", "hdf5": "trace.h5"},
    "zarr-v3-sharded": "sharded.zarr",
}
"""Every container that can be written array by array, and a name for the target."""

CONTAINERS = {
    **STEPWISE,
    **{"npz": "trace.npz", "asdf": "trace.asdf", "zarr-v2-zip": "two.zip", "zarr-v3-zip": "trace.zip"},
}
"""Every container that can be written."""

READABLE = {**CONTAINERS, "safetensors": "trace.safetensors"}
"""Every container that can be read."""

NESTED: Mapping[str, Any] = {
    "nested": {"b": [1, None, {"": [], "1": "1e3"}], "a": {}, "on": "yes"},
    **{"none": None, "mixed": [1, "a", True], "table": [[1.5], [2**63]], "long_table": [list(range(9_000))]},
}
"""Attributes that not every container has a type for."""

METADATA = {"model_name": "tiny", "model_version": "1"}


def values(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def hidden(seed: int = 0, tokens: int = 5, dtype: Any = np.float32) -> Array:
    return Array(values(2, tokens, 4, dtype=dtype, seed=seed), ["sample", "token", "hidden"])


def arrays() -> dict[str, Array]:
    """Every portable kind of array: roles, scalar, empty, bool, complex, bfloat16, the other byte order."""
    return {
        "/activations/layer_00": hidden(0),
        "/activations/layer_01": hidden(1),
        "/activations/gates": Array(values(2, 5, dtype=ml_dtypes.bfloat16), ["sample", "token"], {"note": "half"}),
        "/attention/self/layer_00": Array(
            values(2, 3, 5, 5),
            ["sample", "head", "token:query", "token:key"],
            {"normalization": "none", "source": "unknown"},
        ),
        "/outputs/loss": Array(np.float64(3.5), []),
        "/extra/empty": Array(np.zeros((0, 3)), ["none", "three"]),
        "/extra/mask": Array(np.array([True, False]), ["two"], {"flags": [True, False], "names": ["a", "é"]}),
        "/extra/wave": Array(
            np.array([1 + 2j]), ["one"], {"large": 2**63, "share": 1.5, "list": [1, 2], "no_list": [], **NESTED}
        ),
        "/extra/swapped": Array(np.arange(3, dtype=">i4"), ["three"]),
    }


def attributes() -> dict[str, Mapping[str, Any]]:
    return {
        "/metadata": {**METADATA, "size_sample": 2},
        "/activations": {"num_layers": 2},
        "/attention/self": {"num_layers": 1},
    }


def growing(path: Path) -> Path:
    """Where the archive is that a writer captures to `path`, before it is complete."""
    return path if path.suffix == ".zarr" else path.with_name(f".{path.name}.partial") / "capture"


def listing(folder: Path) -> list[str]:
    """Everything in a folder, hidden names too."""
    return sorted(path.name for path in folder.iterdir())


_OWN = {
    **{"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"},
    **{"float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ"},
}
_LETTERS = {"b": "BOOL", "i": "I", "u": "U", "f": "F", "c": "C"}


def written(folder: Path, container: str, **more: Any) -> Path:
    """The trace in a container that can be read, with arrays besides (`more` from path to array)."""
    path, given = folder / READABLE[container], {**arrays(), **more}
    if container in CONTAINERS:
        vizschema.write(path, given, attributes(), profile="trace", container=container)
        return path
    npz = folder / "trace.npz"
    vizschema.write(npz, held(path, given), attributes(), profile="trace")
    return repacked(npz, path)


def held(path: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some arrays that the container of `path` can hold: safetensors has no complex128."""
    wide = {name for name, array in given.items() if np.asarray(array.data).dtype == np.complex128}
    return {name: given[name] for name in given if not (str(path).endswith(".safetensors") and name in wide)}


def repacked(npz: Path, path: Path) -> Path:
    """What an NPZ file holds as a safetensors file at `path`; `npz` is removed."""
    with ZipFile(npz) as file:
        document = json.loads(file.read("vizschema.json"))
        tensors = {
            name.removesuffix(".npy"): np.load(io.BytesIO(file.read(name)))
            for name in file.namelist()
            if ".npy" in name
        }
    npz.unlink()
    packed = {}
    for name, values in tensors.items():
        attributes = document["nodes"].get(f"/{name}", {}).get("attributes", {})
        letter = _LETTERS[values.dtype.kind]
        dtype = letter if letter == "BOOL" else f"{letter}{8 * values.itemsize}"
        if attributes.get("stored_dtype") in _OWN:
            dtype = _OWN[attributes.pop("stored_dtype")]
        little = values.astype(values.dtype.newbyteorder("<"))
        packed[name] = Tensor(dtype, values.shape, little.tobytes())
    path.write_bytes(safetensors(packed, {DOCUMENT: json.dumps(document)}))
    return path
