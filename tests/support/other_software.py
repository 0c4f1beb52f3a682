"""Archives as other software writes them, none of them a trace: by the libraries, or in the layout they document.

Those of netCDF4, AnnData and tensorstore are kept in `other_software.zip`, which `other_software_packed.py` writes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas
import xarray

RNG = np.random.default_rng(0)


def dataset() -> xarray.Dataset:
    """Weather, as in the first page of xarray's documentation: coordinates, text, time, attributes."""
    return xarray.Dataset(
        {
            "temperature": (("x", "time"), RNG.normal(size=(4, 3))),
            "flag": (("x",), np.array([True, False, True, True])),
        },
        coords={"time": pandas.date_range("2026-01-01", periods=3), "x": np.arange(4), "name": ("x", list("abcd"))},
        attrs={"title": "weather", "Conventions": "CF-1.8"},
    )


def xarray_zarr_2(path: Path) -> None:
    dataset().to_zarr(path, zarr_format=2, consolidated=True)


def xarray_zarr_3(path: Path) -> None:
    dataset().drop_vars("name").to_zarr(path, zarr_format=3, consolidated=False)


def packed(software: str, path: Path) -> None:
    """What is kept of the software, at `path`."""
    prefix = f"{software}/{path.name}"
    with zipfile.ZipFile(Path(__file__).with_name("other_software.zip")) as kept:
        for name in kept.namelist():
            if name == prefix or name.startswith(f"{prefix}/"):
                file = Path(f"{path}{name.removeprefix(prefix)}")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(kept.read(name))


def keras_model(path: Path) -> None:
    """`model.save("model.h5")` of Keras 2 and 3: the layout of keras.src.legacy.saving.legacy_h5_format, by h5py.

    Keras itself is not asked: it would need TensorFlow, JAX or PyTorch beside it.
    """
    layers = {"dense": {"kernel": (4, 3), "bias": (3,)}, "activations": {}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "3.5.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([name.encode() for name in layers])
        for layer, variables in layers.items():
            group = weights.create_group(layer)
            group.attrs["weight_names"] = np.array([f"sequential/{layer}/{name}".encode() for name in variables], "S")
            for name, shape in variables.items():
                group[f"sequential/{layer}/{name}"] = RNG.normal(size=shape).astype(np.float32)
        top = weights.create_group("top_level_model_weights")
        top.attrs["weight_names"] = np.array([], "S")


def keras_weights(path: Path) -> None:
    r"""`model.save_weights("model.weights.h5")` of Keras 3: numbered variables below every layer."""
    with h5py.File(path, "w") as file:
        for layer, shapes in {"dense": [(4, 3), (3,)], "attention": [(3, 2, 3)]}.items():
            variables = file.create_group(f"layers/{layer}/vars")
            for number, shape in enumerate(shapes):
                variables[str(number)] = RNG.normal(size=shape).astype(np.float32)
        file.create_group("optimizer/vars")["0"] = np.int64(7)


PACKED = {
    "xarray, netCDF-4": "a.nc",
    "netCDF-4 with its own types": "a.nc",
    "AnnData, HDF5": "a.h5ad",
    "AnnData, Zarr": "a.zarr",
    "tensorstore, bfloat16": "a.zarr",
    "tensorstore, big-endian": "a.zarr",
    "tensorstore, Fortran order": "a.zarr",
    "tensorstore, sharded root": "a.zarr",
}
WRITERS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "xarray, Zarr v2": ("a.zarr", xarray_zarr_2),
    "xarray, Zarr v3": ("a.zarr", xarray_zarr_3),
    **{software: (name, partial(packed, software)) for software, name in PACKED.items()},
    "Keras, model": ("a.h5", keras_model),
    "Keras, weights": ("a.h5", keras_weights),
}
"""What wrote it → the name of the file, and the function that has it written."""
