"""Dimension scales of a file that is complete: one for each axis and size, as the netCDF-4 library writes them.

A scale is named like its axis, and lies in a group that encloses the array, the outermost one of the axis's scope where
the name is free: there netCDF-4 looks for it. An axis whose name is free nowhere has its label alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

USES = 4000
"""How many dimensions one scale is attached to: a few more references than fit into 64 KiB (IV.A.2) are refused."""

_NETCDF_NAME = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff][^\x00-\x1f\x7f/]*(?<! )")
_WITHOUT_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"
_REFERENCES = np.dtype([("dataset", h5py.ref_dtype), ("dimension", "<i4")])


@dataclass(slots=True)
class _Scale:
    """A scale in the file, the size that it stands for, and the dimensions that it is attached to."""

    dataset: Any
    size: int
    uses: list[tuple[Any, int]] = field(default_factory=list)


def attach_scales(file: Any) -> None:
    """Name every labelled dimension of an open file by a scale; what an interrupted call left is made again."""
    arrays: list[Any] = []
    left: list[str] = []

    def collect(path: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            (left if node.attrs.get("CLASS") == b"DIMENSION_SCALE" else arrays).append(path)

    file.visititems(collect)
    for path in left:
        del file[path]
    scales: dict[str, _Scale] = {}
    for path in arrays:
        _attach(file, path, scales)
    for scale in scales.values():
        scale.dataset.attrs.create("REFERENCE_LIST", np.array(scale.uses, _REFERENCES))


def _attach(file: Any, path: str, scales: dict[str, _Scale]) -> None:
    dataset = file[path]
    lists = np.empty(dataset.ndim, object)
    for axis, (dimension, size) in enumerate(zip(dataset.dims, dataset.shape, strict=True)):
        scale = _scale(file, path, dimension.label, size, scales)
        lists[axis] = np.array([] if scale is None else [scale.dataset.ref], h5py.ref_dtype)
        if scale is not None:
            scale.uses.append((dataset.ref, axis))
    if any(map(len, lists)):
        dataset.attrs.create("DIMENSION_LIST", lists, dtype=h5py.vlen_dtype(h5py.ref_dtype))


def _scale(file: Any, path: str, name: str, size: int, scales: dict[str, _Scale]) -> _Scale | None:
    """The outermost scale of this name and size that encloses the array at `path`; None if the file holds too many."""
    if not size or not _NETCDF_NAME.fullmatch(name):
        return None
    groups = path.split("/")[:-1]
    for depth in range(_outermost(file, groups, name.partition(":")[0]), len(groups) + 1):
        place = "/".join([*groups[:depth], name])
        scale = scales.get(place)
        if scale is None and place not in file:
            dataset = file.create_dataset(place, (size,), ">f4")
            h5py.h5ds.set_scale(dataset.id, (_WITHOUT_VARIABLE % size).encode())
            scale = scales[place] = _Scale(dataset, size)
        if scale is not None and scale.size == size and len(scale.uses) < USES:
            return scale
    return None


def _outermost(file: Any, groups: list[str], axis: str) -> int:
    """How many of `groups`, from the root down, lead to the innermost one that labels a scope of `axis`."""
    depths = range(len(groups), 0, -1)
    return next((depth for depth in depths if f"scope_{axis}" in file["/".join(groups[:depth])].attrs), 0)
