"""The arrays of Zarr by tensorstore, which has no groups: those that vizschema found are opened one by one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

import tensorstore

from .common import Nodes, array, refusal, zip_root


def version() -> str:
    """The version of the library."""
    return installed("tensorstore")


def read(path: str, container: Mapping[str, Any]) -> Nodes:
    """The arrays at the paths of the request."""
    driver = "zarr3" if container["version"] == 3 else "zarr"
    place = os.path.abspath(path)  # noqa: PTH100  (nothing in it is resolved)
    top = ""
    if container["store"] == "zip":
        with zipfile.ZipFile(path) as file:
            top = zip_root(file.namelist(), "zarr.json" if container["version"] == 3 else ".zgroup")
    return {
        each: _array(_spec(driver, place, container["store"], f"{top}{each}"), driver) for each in container["arrays"]
    }


def _spec(driver: str, place: str, store: str, path: str) -> dict[str, Any]:
    file = {"driver": "file", "path": place}
    inner = f"{path}/".lstrip("/")
    if store == "zip":
        return {"driver": driver, "kvstore": {"driver": "zip", "base": file, "path": inner}}
    return {"driver": driver, "kvstore": {"driver": "file", "path": f"{place}/{inner}"}}


def _array(spec: dict[str, Any], driver: str) -> dict[str, Any]:
    try:
        found = tensorstore.open(spec, read=True, open=True).result()
    except Exception as error:  # noqa: BLE001  (whatever a library raises is its refusal)
        return {"kind": "array", "refused": refusal(error)}
    seen: dict[str, Any] = {}
    if driver == "zarr3":
        labels = [label or None for label in found.domain.labels]
        seen["axes"] = labels if any(labels) or not labels else None
        seen["attributes"] = found.spec().to_json()["metadata"].get("attributes", {})
    return array(_Stored(found), lambda: found.read().result(), **seen)


class _Stored:
    def __init__(self, found: Any) -> None:
        self.shape = found.shape
        self.dtype = found.dtype.numpy_dtype
