"""Zarr v2 by zarr-python 2.18: the tree by its documents, and again by the consolidated copy where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr as _zarr

from .common import Nodes, array, group, zip_root

zarr: Any = _zarr
"""Version 2.18; type checkers see the one that is installed here."""

AXES = "_ARRAY_DIMENSIONS"


def version() -> str:
    """The version of the library."""
    return str(zarr.__version__)


def read(path: str, container: Mapping[str, Any]) -> Nodes:
    """Every node of the archive; raises `ValueError` where the copy reads otherwise than what it copies."""
    zipped = container["store"] == "zip"
    store: Any = zarr.ZipStore(path, mode="r") if zipped else zarr.DirectoryStore(path)
    try:
        if zipped:
            top = zip_root(store.keys(), ".zgroup")
            nodes = _nodes(zarr.open(store, path=top, mode="r"))
        else:
            nodes = _nodes(zarr.open(store, mode="r"))
        if container["consolidated"]:
            copied = _nodes(zarr.open_consolidated(store, mode="r"))
            other = next((each for each in sorted({*nodes, *copied}) if nodes.get(each) != copied.get(each)), None)
            if other is not None:
                raise ValueError(f"the consolidated copy reads otherwise: {other}")
    finally:
        if zipped:
            store.close()
    return nodes


def _nodes(root: Any) -> Nodes:
    nodes: Nodes = {"/": _node(root)}
    if isinstance(root, zarr.Group):
        root.visititems(lambda name, found: nodes.__setitem__(f"/{name}", _node(found)))
    return nodes


def _node(found: Any) -> dict[str, Any]:
    attributes = found.attrs.asdict()
    if isinstance(found, zarr.Group):
        return group(attributes)
    axes = attributes.pop(AXES, None)
    return array(found, lambda: found[...], axes=axes, attributes=attributes)
