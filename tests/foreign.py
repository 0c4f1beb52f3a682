"""Archives as other software writes them, none of them a trace: by the libraries, or in the layout they document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import anndata
import h5py
import netCDF4
import numpy as np
import pandas
import tensorstore
import xarray

RNG = np.random.default_rng(0)


def _dataset() -> xarray.Dataset:
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
    _dataset().to_zarr(path, zarr_format=2, consolidated=True)


def xarray_zarr_3(path: Path) -> None:
    _dataset().drop_vars("name").to_zarr(path, zarr_format=3, consolidated=False)


def xarray_netcdf(path: Path) -> None:
    _dataset().to_netcdf(path, engine="netcdf4")


def netcdf_types(path: Path) -> None:
    """Compound, variable-length and enumerated types, an unlimited dimension, groups in groups."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("n", 3)
        file.createDimension("time", None)
        pair = file.createCompoundType(np.dtype([("real", "f8"), ("imaginary", "f8")]), "pair")
        ragged = file.createVLType(np.int32, "ragged")
        kind = file.createEnumType(np.uint8, "kind", {"first": 0, "second": 1})
        file.createVariable("pairs", pair, "n")[:] = np.ones(3, pair.dtype)
        rows = np.empty(3, object)
        rows[:] = [np.arange(n, dtype=np.int32) for n in range(3)]
        file.createVariable("rows", ragged, "n")[:] = rows
        file.createVariable("kinds", kind, "n", fill_value=0)[:] = [0, 1, 0]
        file.createVariable("words", str, "n")[:] = np.array(["a", "b", "c"], object)
        inner = file.createGroup("forecast").createGroup("model")
        inner.createVariable("levels", "f4", ("time", "n"))[:] = np.ones((2, 3))


def anndata_h5ad(path: Path) -> None:
    _annotated().write_h5ad(path)


def anndata_zarr(path: Path) -> None:
    with anndata.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
        _annotated().write_zarr(path)


def _annotated() -> anndata.AnnData:
    """Cells and genes, with categories, an embedding and unstructured notes."""
    cells = pandas.DataFrame({"type": pandas.Categorical(["a", "b", "a"]), "count": [1, 2, 3]}, index=list("xyz"))
    genes = pandas.DataFrame(index=["g1", "g2"])
    found = anndata.AnnData(RNG.normal(size=(3, 2)).astype(np.float32), cells, genes)
    found.obsm["X_pca"] = RNG.normal(size=(3, 2))
    found.uns["notes"] = {"method": "none", "seed": 1}
    return found


def _tensorstore(path: Path, driver: str, **metadata: object) -> None:
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": str(path)}, "metadata": metadata, "create": True}
    store = tensorstore.open(spec).result()
    store.write(np.arange(32).reshape(4, 8).astype(store.dtype.numpy_dtype)).result()


def tensorstore_bfloat16(path: Path) -> None:
    _tensorstore(path, "zarr3", shape=[4, 8], data_type="bfloat16")


def tensorstore_big_endian(path: Path) -> None:
    _tensorstore(path, "zarr", shape=[4, 8], dtype=">f4", chunks=[2, 8])


def tensorstore_fortran(path: Path) -> None:
    _tensorstore(path, "zarr", shape=[4, 8], dtype="<f8", chunks=[4, 4], order="F")


def tensorstore_sharded(path: Path) -> None:
    """One sharded array as the root, stored transposed and big-endian."""
    inner = [{"name": "transpose", "configuration": {"order": [1, 0]}}]
    inner += [{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "zstd", "configuration": {"level": 1}}]
    codec = {"name": "sharding_indexed", "configuration": {"chunk_shape": [2, 4], "codecs": inner}}
    grid = {"name": "regular", "configuration": {"chunk_shape": [4, 8]}}
    _tensorstore(path, "zarr3", shape=[4, 8], data_type="int16", chunk_grid=grid, codecs=[codec])


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


WRITERS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "xarray, Zarr v2": ("a.zarr", xarray_zarr_2),
    "xarray, Zarr v3": ("a.zarr", xarray_zarr_3),
    "xarray, netCDF-4": ("a.nc", xarray_netcdf),
    "netCDF-4 with its own types": ("a.nc", netcdf_types),
    "AnnData, HDF5": ("a.h5ad", anndata_h5ad),
    "AnnData, Zarr": ("a.zarr", anndata_zarr),
    "tensorstore, bfloat16": ("a.zarr", tensorstore_bfloat16),
    "tensorstore, big-endian": ("a.zarr", tensorstore_big_endian),
    "tensorstore, Fortran order": ("a.zarr", tensorstore_fortran),
    "tensorstore, sharded root": ("a.zarr", tensorstore_sharded),
    "Keras, model": ("a.h5", keras_model),
    "Keras, weights": ("a.h5", keras_weights),
}
"""What wrote it → the name of the file, and the function that has it written."""
