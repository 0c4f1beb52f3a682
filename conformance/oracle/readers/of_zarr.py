"""Zarr by zarr-python 3: `zarr.open_group`, which believes a consolidated copy where there is one."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

import zarr

from .common import Nodes, array, group, refusal, zip_root

AXES = "_ARRAY_DIMENSIONS"


def version() -> str:
    """The version of the library."""
    return str(zarr.__version__)


def read(path: str, container: Mapping[str, Any]) -> Nodes:
    """Every node of the archive."""
    zipped = container["store"] == "zip"
    store = zarr.storage.ZipStore(path, mode="r") if zipped else zarr.storage.LocalStore(path, read_only=True)
    top = root_in_zip(path, container) if zipped else ""
    try:
        return _nodes(store, top, container)
    finally:
        store.close()


def root_in_zip(path: str, container: Mapping[str, Any]) -> str:
    """The folder in the zip file that is the archive."""
    with zipfile.ZipFile(path) as file:
        return zip_root(file.namelist(), "zarr.json" if container["version"] == 3 else ".zgroup")


def _nodes(store: Any, top: str, container: Mapping[str, Any]) -> Nodes:
    version = container["version"]
    try:
        root = zarr.open(store, path=top, mode="r", zarr_format=version)
        nodes: Nodes = {"/": _node(root)}
        if isinstance(root, zarr.Group):
            nodes.update((f"/{name}", _node(found)) for name, found in root.members(max_depth=None))
    except Exception:  # noqa: BLE001  (one array that it refuses is all that it says)
        return _one_by_one(store, top, container)
    return nodes


def _one_by_one(store: Any, top: str, container: Mapping[str, Any]) -> Nodes:
    """Every node by itself, without the copy; raises what opening the archive raised where each can be opened so."""
    nodes: Nodes = {}
    for path in container["paths"]:
        inner = f"{top}{path}".strip("/")
        try:
            found = zarr.open(store, path=inner, mode="r", zarr_format=container["version"], use_consolidated=False)
            nodes[path] = _node(found)
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its refusal)
            nodes[path] = {"kind": "refused", "refused": refusal(error)}
    if not any("refused" in node for node in nodes.values()):
        zarr.open_group(store, path=top, mode="r", zarr_format=container["version"]).members(max_depth=None)
    return nodes


def _node(found: Any) -> dict[str, Any]:
    attributes = dict(found.attrs)
    if not isinstance(found, zarr.Array):
        return group(attributes)
    named: Any = found.metadata
    axes = attributes.pop(AXES, None) if named.zarr_format == 2 else named.dimension_names
    return array(found, lambda: found[...], axes=axes, attributes=attributes)
