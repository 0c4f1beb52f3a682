"""A selection as an array of xarray: its values, with the names of axes and the labels along them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import xarray

if TYPE_CHECKING:
    from vizschema.reader.arrays import Selection


def data_array(selection: Selection) -> xarray.DataArray:
    """Return the values of a selection, read at once, with its axes and the labels along them."""
    axes = selection.axes or [None] * selection.ndim
    dims = [_free(axis or f"dim_{at}", axes[:at]) for at, axis in enumerate(axes)]
    labels = ((dim, selection.labels(at)) for at, dim in enumerate(dims))
    coordinates = {dim: (dim, plain(found)) for dim, found in labels if found is not None}
    name = selection.path.rpartition("/")[2] or None
    values = plain(selection.to_numpy())
    return xarray.DataArray(values, coordinates, dims, name=name, attrs=dict(selection.attributes))


def plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values as xarray takes them: text as objects."""
    return values.astype(object) if values.dtype.kind == "T" else values


def _free(name: str, taken: Any) -> str:
    """A name that is not among those that are taken."""
    number, free = 1, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
