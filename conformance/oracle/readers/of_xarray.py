"""Arrays as xarray names their dimensions: Zarr by its own engine, HDF5 by that of netCDF4."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray
import zarr

from .common import Nodes, array, refusal
from .of_zarr import root_in_zip

DIES = True
"""The netCDF library ends the process on some damaged files."""

PHONY = "phony_dim_"
"""What netCDF calls a dimension that nothing names."""


def version() -> str:
    """The version of the library."""
    return xarray.__version__


def read(path: str, container: Mapping[str, Any]) -> Nodes:
    """The arrays of each group that has some."""
    nodes: Nodes = {}
    for place in sorted({each.rpartition("/")[0] or "/" for each in container["arrays"]}):
        wanted = [each for each in container["arrays"] if (each.rpartition("/")[0] or "/") == place]
        try:
            _group(nodes, path, container, place)
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its refusal)
            nodes.update((each, {"kind": "array", "refused": refusal(error)}) for each in wanted)
    return nodes


def _group(nodes: Nodes, path: str, container: Mapping[str, Any], place: str) -> None:
    plain: dict[str, Any] = {"decode_cf": False, "chunks": None, "group": place}
    if container["format"] == "hdf5":
        dataset = xarray.open_dataset(path, engine="netcdf4", **plain)
    else:
        store: Any = path
        if container["store"] == "zip":
            store = zarr.storage.ZipStore(path, mode="r")
            plain["group"] = f"{root_in_zip(path, container)}{place}"
        dataset = xarray.open_zarr(store, zarr_format=container["version"], **plain)
    with dataset:
        for name, found in dataset.variables.items():
            named = not any(str(axis).startswith(PHONY) for axis in found.dims)
            seen: dict[str, Any] = {"axes": list(found.dims)} if named else {}
            if container["format"] == "zarr":
                kept = dict(found.attrs)
                if container["version"] == 2:
                    kept.pop("_FillValue", None)  # what xarray calls the fill value
                seen["attributes"] = kept
            where = f"{place.rstrip('/')}/{name}"
            nodes[where] = array(found, partial(np.asarray, found), **seen)
