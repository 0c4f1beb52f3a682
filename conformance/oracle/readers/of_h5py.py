"""HDF5 by h5py, as its user reads it: `file[path][...]`, `.attrs`, labels of dimensions and scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py

from .common import Nodes, array, group

OF_DIMENSIONS = ("DIMENSION_LABELS", "DIMENSION_LIST", "REFERENCE_LIST")
"""Attributes that hold axes."""
OF_SCALES = ("CLASS", "NAME")
"""Those of a scale alone; elsewhere a user may call one so."""
WITHOUT_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def version() -> str:
    """The versions of the library and of HDF5."""
    return str(h5py.__version__)


def read(path: str, _: Mapping[str, Any]) -> Nodes:
    """Every node of the archive."""
    nodes: Nodes = {}
    with h5py.File(path, "r") as file:
        netcdf = "_NCProperties" in file.attrs
        nodes["/"] = group(_attributes(file, netcdf))
        file.visititems(lambda name, found: _add(nodes, f"/{name}", found, netcdf))
    return nodes


def _add(nodes: Nodes, path: str, found: Any, netcdf: bool) -> None:
    if isinstance(found, h5py.Group):
        nodes[path] = group(_attributes(found, netcdf))
    elif isinstance(found, h5py.Dataset) and not _no_variable(found):
        seen = {"axes": _axes(found), "attributes": _attributes(found, netcdf)}
        nodes[path] = array(found, lambda: found[...], **seen)
    elif not isinstance(found, h5py.Dataset):
        nodes[path] = {"kind": type(found).__name__}


def _no_variable(found: Any) -> bool:
    name = found.attrs.get("NAME", b"") if found.is_scale else b""
    return (name if isinstance(name, bytes) else str(name).encode()).startswith(WITHOUT_VARIABLE)


def _axes(found: Any) -> list[str | None] | None:
    """Names by labels, else by the first scale attached; None where no dimension has one."""
    names: list[str | None] = []
    for number, dimension in enumerate(found.dims):
        scale = dimension[0].name.rpartition("/")[2] if len(dimension) else None
        own = found.name.rpartition("/")[2] if found.is_scale and found.ndim == 1 and number == 0 else None
        names.append(dimension.label or scale or own)
    return names if any(names) or not names else None


def _attributes(owner: Any, netcdf: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    scale = isinstance(owner, h5py.Dataset) and owner.is_scale
    for name in owner.attrs:
        if (
            name in OF_DIMENSIONS
            or (scale and name in OF_SCALES)
            or name == "_NCProperties"
            or name.startswith("_Netcdf4")
        ):
            continue
        if isinstance(owner, h5py.Dataset) and netcdf and name == "_FillValue":
            continue
        value = owner.attrs[name]
        kept[name] = value[0] if netcdf and getattr(value, "shape", None) == (1,) else value
    return kept
