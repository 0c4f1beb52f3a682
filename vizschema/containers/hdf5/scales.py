"""Dimension scales of HDF5 and netCDF-4: what they name the axes of an array, and which datasets are nothing else.

HDF5 Dimension Scale Specification; https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html.
Follows the references of `DIMENSION_LIST` to datasets of the same file, and reads nothing of these but attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5r, h5t

from vizschema.containers.base import Limits
from vizschema.containers.hdf5.attributes import OverLimit, message, read_attributes
from vizschema.containers.hdf5.types import LIBRARY_ERRORS

_LIST = "DIMENSION_LIST"
_SCALE = "DIMENSION_SCALE"
_WITHOUT_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
_OWN = frozenset({"CLASS", "NAME", "REFERENCE_LIST", _LIST, "_NCProperties", "_FillValue"})


BESIDE_DIMENSION = b"_nc4_non_coord_"
"""What netCDF puts before the name of a variable that is named like a dimension of its group, and is not its axis."""


class Link(NamedTuple):
    """A member of a group, before it is opened: its name, its link type, and for a hard link the object's address."""

    name: bytes
    kind: int
    address: int


def is_netcdf(root: Any) -> bool:
    """Whether the netCDF library wrote the file with this root group."""
    try:
        return bool(h5a.exists(root, b"_NCProperties"))
    except LIBRARY_ERRORS:
        return False


def is_own(name: str) -> bool:
    """Whether an attribute is one that the HDF5 and netCDF libraries keep for themselves."""
    return name in _OWN or name.startswith("_Netcdf4")


def is_scale(raw: Mapping[str, Any]) -> bool:
    """Whether a dataset with these attributes is a dimension scale."""
    return raw.get("CLASS") == _SCALE


def is_dimension(raw: Mapping[str, Any], rank: int) -> bool:
    """Whether a dataset with these attributes is the name and size of a dimension, and no variable."""
    name = raw.get("NAME")
    return is_scale(raw) and rank == 1 and isinstance(name, str) and name.startswith(_WITHOUT_VARIABLE)


def holds_dimension(group: Any, name: bytes, limits: Limits) -> bool:
    """Whether a group has a member of this name that is a dimension and no variable."""
    try:
        if not group.links.exists(name) or group.links.get_info(name).type != h5l.TYPE_HARD:
            return False
        opened = h5o.open(group, name)
        return isinstance(opened, h5d.DatasetID) and is_dimension(read_attributes(opened, limits), opened.rank)
    except (*LIBRARY_ERRORS, OverLimit):
        return False


class Scales:
    """The dimension scales of an open file, found by the groups around an array, or else anywhere in the file.

    `netcdf` is whether the netCDF library wrote the file.
    """

    def __init__(self, root: Any, most: int) -> None:
        self._root = root
        self._most = most
        self._around: list[tuple[Sequence[Link], dict[int, bytes]]] = []
        self._elsewhere: dict[int, bytes] | None = None
        self.netcdf = is_netcdf(root)

    def enter(self, links: Sequence[Link]) -> None:
        """Look among these members, too, of a group that is entered."""
        self._around.append((links, {}))

    def leave(self) -> None:
        """Look no longer among the members of the group that was entered last."""
        self._around.pop()

    def names(self, dataset: Any, rank: int, raw: Mapping[str, Any]) -> tuple[list[str | None], str | None]:
        """What scales name the dimensions of an open dataset, and why they name none where they should."""
        unnamed: list[str | None] = [None] * rank
        try:
            if is_scale(raw):
                return ([self._name(h5o.get_info(dataset).addr)] if rank == 1 else unnamed), None
            if _LIST not in raw:
                return unnamed, None
            references = _references(dataset, rank)
        except LIBRARY_ERRORS as error:
            return unnamed, f"DIMENSION_LIST cannot be read: {message(error)}"
        if isinstance(references, str):
            return unnamed, references
        names = list(unnamed)
        for axis, reference in enumerate(references):
            try:
                names[axis] = None if reference is None else self._referred(dataset, reference)
            except (*LIBRARY_ERRORS, _NotAScale) as error:
                return unnamed, f"DIMENSION_LIST of dimension {axis} refers to no dimension scale: {message(error)}"
        return names, None

    def _referred(self, dataset: Any, reference: Any) -> str:
        scale = h5r.dereference(reference, dataset)
        if not isinstance(scale, h5d.DatasetID) or not h5a.exists(scale, b"CLASS"):
            raise _NotAScale("it is none")
        name = self._name(h5o.get_info(scale).addr)
        if name is None:
            raise _NotAScale("it has no name in this file")
        return name

    def _name(self, address: int) -> str | None:
        """The name of the object at an address: that in the nearest group around, or else the first in the file."""
        for links, by_address in reversed(self._around):
            if not by_address:
                for link in reversed(links):
                    if link.kind == h5l.TYPE_HARD:
                        by_address[link.address] = link.name
            if address in by_address:
                return _text(by_address[address])
        if self._elsewhere is None:
            self._elsewhere = self._everywhere()
        found = self._elsewhere.get(address)
        return None if found is None else _text(found)

    def _everywhere(self) -> dict[int, bytes]:
        """The first name of every object in the file."""
        names: dict[int, bytes] = {}
        groups = [self._root]
        while groups and len(names) < self._most:
            group = groups.pop()
            for name, address in _members(group):
                if address in names:
                    continue
                names[address] = name
                try:
                    opened = h5o.open(group, name)
                except LIBRARY_ERRORS:
                    continue  # the walk says so in its place
                if isinstance(opened, h5g.GroupID):
                    groups.append(opened)
        return names


def _members(group: Any) -> list[tuple[bytes, int]]:
    """The names of hard links of a group, as far as they can be listed, and the addresses of their objects."""
    members: list[tuple[bytes, int]] = []

    def collect(name: bytes, info: Any) -> None:
        if info.type == h5l.TYPE_HARD:
            members.append((name, info.u))

    try:
        group.links.iterate(collect, info=True)
    except LIBRARY_ERRORS:
        return members  # likewise
    return members


class _NotAScale(Exception):
    """A reference to something that is not a dimension scale."""


def _references(dataset: Any, rank: int) -> list[Any] | str:
    """The first reference of every dimension, None where there is none; or in words why they cannot be had."""
    attribute = h5a.open(dataset, _LIST.encode())
    kind = attribute.get_type()
    if not isinstance(kind, h5t.TypeVlenID) or not kind.get_super().equal(h5t.STD_REF_OBJ):
        return "DIMENSION_LIST is not a list of references"
    shape = attribute.get_space().get_simple_extent_dims()
    if shape != (rank,):
        return f"DIMENSION_LIST has the shape {list(shape)} for {rank} dimensions"
    found = np.empty(shape, kind.dtype)
    attribute.read(found)
    return [each[0] if each is not None and len(each) else None for each in found]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
