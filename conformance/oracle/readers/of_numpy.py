"""NPZ by `numpy.load`: the members as NumPy names and reads them, and the document among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from .common import Nodes, above, array, group

DOCUMENT = "vizschema.json"


def version() -> str:
    """The version of the library."""
    return np.__version__


def read(path: str, _: Mapping[str, Any]) -> Nodes:
    """Every node of the archive."""
    with np.load(path, allow_pickle=False) as file:
        told = json.loads(file[DOCUMENT])["nodes"] if DOCUMENT in file.files else {}
        names = [name for name in file.files if name != DOCUMENT and not name.endswith("/")]
        nodes: Nodes = {}
        for name in names:
            node = told.get(f"/{name}", {})
            values = file[name]
            seen = {"axes": node.get("axes"), "attributes": node.get("attributes", {})}
            nodes[f"/{name}"] = array(values, partial(np.asarray, values), **seen)
    groups = {each for each, node in told.items() if node.get("kind") == "group"}
    for place in groups | above([*nodes, *groups]):
        nodes.setdefault(place, group(told.get(place, {}).get("attributes", {})))
    return nodes
