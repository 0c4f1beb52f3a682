"""An archive as a tree of xarray, whose arrays are read when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from vizschema.description import join, parent_of
from vizschema.errors import NotAnArchive
from vizschema.reader.arrays import StoredArray, StoredGroup
from vizschema.reader.labelled import plain

if TYPE_CHECKING:
    from vizschema.reader.archive import Archive


def datatree(archive: Archive) -> xarray.DataTree:
    """Return the groups of an archive as datasets, parents first."""
    datasets: dict[str, xarray.Dataset] = {}
    names = _Names(archive)
    for path, group in _readable(archive):
        if isinstance(group, StoredGroup):
            arrays = dict(_readable(archive, [join(path, name) for name in group.members]))
            found = [each for each in arrays.values() if isinstance(each, StoredArray)]
            datasets[path] = _dataset(names, path, found, group.attributes)
    return xarray.DataTree.from_dict(datasets, name=None)


def _readable(archive: Archive, paths: list[str] | None = None) -> Iterator[tuple[str, StoredArray | StoredGroup]]:
    """(path, node) of those nodes that can be read."""
    for path in sorted(archive) if paths is None else paths:
        try:
            yield path, archive[path]
        except NotAnArchive:
            continue


def _dataset(names: _Names, path: str, arrays: list[StoredArray], attributes: Mapping[str, Any]) -> xarray.Dataset:
    names.enter(path)
    # A coordinate first: it is what the axes of the others are named by.
    arrays = sorted(arrays, key=lambda each: (each.axes != (each.path.rpartition("/")[2],), each.path))
    variables = {}
    for array in arrays:
        lazy = indexing.LazilyIndexedArray(_Lazy(array))
        name, dims = array.path.rpartition("/")[2], names.dims(path, array)
        name = dims[0] if array.axes == (name,) else name  # under another name, the groups above have one too
        variables[name] = xarray.Variable(dims, lazy, dict(array.attributes))
    coordinates = {name: xarray.Variable((name,), labels) for name, labels in names.labels(path).items()}
    within = [name for name, each in variables.items() if each.dims == (name,)]
    coordinates |= {name: variables.pop(name) for name in within}
    return xarray.Dataset(variables, coordinates, dict(attributes))


class _Names:
    """Names of dimensions, each of one size and one coordinate in a group and all groups above it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[str, dict[str, tuple[int, str | None]]] = {}
        self._added: dict[str, dict[str, npt.NDArray[Any]]] = {}

    def enter(self, path: str) -> None:
        """Begin a group with what is known of the groups above it."""
        above = self._known.get(parent_of(path), {}) if path != "/" else {}
        self._known[path] = dict(above)
        self._added[path] = {}

    def labels(self, path: str) -> Mapping[str, npt.NDArray[Any]]:
        """Return the coordinates that a group gets from elsewhere, by dimension."""
        return self._added[path]

    def dims(self, path: str, array: StoredArray) -> list[str]:
        """Return the names of the dimensions of an array in the group at `path`."""
        found: list[str] = []
        name = array.path.rpartition("/")[2]
        for at, (axis, size) in enumerate(zip(array.axes or [None] * array.ndim, array.shape, strict=True)):
            place = self._archive.coordinate(array.path, axis, size) if axis else None
            dim = axis or f"{name}_dim_{at}"
            taken = {*found, *([name] if array.ndim != 1 or place != array.path else [])}
            found.append(self._dim(path, dim, size, place, taken, array.path))
        return found

    def _dim(self, path: str, name: str, size: int, place: str | None, taken: set[str], own: str) -> str:
        known, dim, number = self._known[path], name, 1
        while dim in taken or known.get(dim, (size, place)) != (size, place):
            dim, number = f"{name}_{size}" if number == 1 else f"{name}_{size}_{number}", number + 1
        if dim not in known:
            known[dim] = size, place
            if place not in (None, own):
                self._added[path][dim] = plain(self._archive[place][...])  # type: ignore[index]
        return dim


class _Lazy(BackendArray):
    """An array of an open archive, as xarray reads one."""

    def __init__(self, array: StoredArray) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = np.dtype(object) if array.dtype.kind == "T" else array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, lambda within: plain(self._array[within]))
