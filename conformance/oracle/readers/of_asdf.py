"""ASDF by asdf: the tree as `asdf.open` gives it; a mapping with an ndarray as `data` is an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asdf
import numpy as np
from asdf.tags.core import NDArrayType

from .common import Nodes, array, group

LIBRARY = ("asdf_library", "history")
OF_ARRAY = frozenset({"data", "axes", "attributes"})


def version() -> str:
    """The version of the library."""
    return str(asdf.__version__)


def read(path: str, _: Mapping[str, Any]) -> Nodes:
    """Every node of the archive."""
    nodes: Nodes = {}
    with asdf.open(path, memmap=False) as file:
        _add(nodes, "/", {key: value for key, value in file.tree.items() if key not in LIBRARY})
    return nodes


def _add(nodes: Nodes, path: str, value: Any) -> None:
    if _is_array(value):
        nodes[path] = array(value, lambda: np.asarray(value), axes=None, attributes={})
    elif value is None or isinstance(value, str | int | float):
        return  # a value in the tree that is neither a group nor an array: no node of an archive
    elif not isinstance(value, Mapping):
        nodes[path] = {"kind": type(value).__name__}
    elif _is_array(value.get("data")) and set(value) <= OF_ARRAY:
        data = value["data"]
        axes, attributes = value.get("axes"), value.get("attributes") or {}
        nodes[path] = array(data, lambda: np.asarray(data), axes=axes, attributes=attributes)
    else:
        nodes[path] = group(value.get("attributes") or {})
        for key, inner in value.items():
            if key != "attributes":
                _add(nodes, f"{path.rstrip('/')}/{key}", inner)


def _is_array(value: Any) -> bool:
    return isinstance(value, NDArrayType | np.ndarray)
