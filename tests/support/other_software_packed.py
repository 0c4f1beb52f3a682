"""Writes `other_software.zip` for `other_software.py`: what netCDF4, AnnData and tensorstore write. Last written by

pip install anndata==0.12.19 netCDF4==1.7.5.1.post1 tensorstore==0.1.86 xarray==2026.9.0 pandas==2.3.3
PYTHONPATH=tests python tests/support/other_software_packed.py
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import anndata
import netCDF4
import numpy as np
import pandas
import tensorstore
from support.other_software import PACKED, RNG, dataset


def xarray_netcdf(path: Path) -> None:
    dataset().to_netcdf(path, engine="netcdf4")


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


WRITERS = {
    "xarray, netCDF-4": xarray_netcdf,
    "netCDF-4 with its own types": netcdf_types,
    "AnnData, HDF5": anndata_h5ad,
    "AnnData, Zarr": anndata_zarr,
    "tensorstore, bfloat16": tensorstore_bfloat16,
    "tensorstore, big-endian": tensorstore_big_endian,
    "tensorstore, Fortran order": tensorstore_fortran,
    "tensorstore, sharded root": tensorstore_sharded,
}


def main() -> None:
    """Writes every archive, and packs them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(Path(__file__).with_name("other_software.zip"), "w", zipfile.ZIP_DEFLATED) as kept,
    ):
        for software, name in PACKED.items():
            (Path(folder) / software).mkdir()
            WRITERS[software](Path(folder) / software / name)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                kept.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
