"""Arrays of an open archive and parts of them, by position and by label: read when they are indexed, not before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.description import ITEM_BYTES, Node
from vizschema.errors import UsageError, require
from vizschema.outline.words import words_of
from vizschema.reader.labels import positions
from vizschema.reader.selection import Cost, Held, Selectable, expanded
from vizschema.scan.pictures import BYTES, picture
from vizschema.text import suggestion

Index = int | range
"""Of one axis: one position, or the positions that are kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One array of an archive, as a selection needs it.

    `labels` gives the values of the coordinate of one of its axes, by name and size; None if the axis has none.
    """

    path: str
    node: Node
    dtype: np.dtype[Any]
    source: Selectable
    labels: Callable[[str, int], npt.NDArray[Any] | None]

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""
        return tuple(self.node["shape"])


class Selection:
    """A part of an array, or of the arrays of a series, that is read when it is indexed or becomes an array.

    Attributes:
        path: The path of the array, or of the group that has the series.
        shape: The size of every dimension.
        dtype: The dtype of the values.
        axes: The name of every dimension, or None if no dimension has one.
        attributes: The attributes of the array; none of a series.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     part = archive["/outputs/logits"].isel(prompt=0, position=slice(0, 2))
        ...     print(part.axes, part.shape, part.cost())
        ...     print(part.to_numpy().mean(axis=0).shape, part[0, 0] == np.asarray(part)[0, 0])
        ('position', 'vocabulary') (2, 32) Cost(requests=1, bytes=..., exact=True)
        (32,) True
    """

    def __init__(
        self,
        path: str,
        arrays: Sequence[Stored],
        key: Sequence[Index],
        stem: str | None = None,
        numbers: Sequence[int] = (),
    ) -> None:
        self.path = path
        self._arrays = tuple(arrays)
        self._key = tuple(key)
        self._stem = stem
        self._numbers = tuple(numbers)
        kept = [axis for axis, index in enumerate(self._key) if isinstance(index, range)]
        first = self._arrays[0]
        names = first.node["axes"]
        series = () if stem is None else (stem,)
        self.shape: tuple[int, ...] = (*(len(arrays) for _ in series), *(len(key[axis]) for axis in kept))  # type: ignore[arg-type]
        self.dtype = first.dtype
        self.attributes: Mapping[str, Any] = first.node["attributes"] if stem is None else {}
        self.axes: tuple[str | None, ...] | None = None
        if names is not None or stem is not None:
            self.axes = (*series, *(names[axis] if names is not None else None for axis in kept))

    def __repr__(self) -> str:
        axes = None if self.axes is None else list(self.axes)
        part = {"kind": "array", "dtype": self._arrays[0].node["dtype"], "shape": list(self.shape), "axes": axes}
        return f"<{type(self).__name__} {self.path}: {words_of({**part, 'bytes': self.nbytes, 'storage': None})}>"

    def _repr_html_(self) -> str:
        """The same for a notebook, with a picture of at most 8 MiB of the values."""
        from vizschema.reader.notebook import selection_html

        return selection_html(repr(self), self)

    def picture(self) -> dict[str, Any] | None:
        """Draw the values: a histogram, and a map of the last two axes.

        Returns:
            `minimum`, `maximum`, `counts`, `seen`, and of two axes or more `levels`, `columns` and `axes`, as in
            `spec/show.schema.json`. None of an archive at a URL, and of a part larger than 8 MiB.

        Raises:
            Damaged: A chunk cannot be read.
        """
        if self.remote or self.nbytes > BYTES or self._arrays[0].node["dtype"] not in ITEM_BYTES:
            return None
        return picture(Held(self.to_numpy()), self.axes, every=True)

    @property
    def remote(self) -> bool:
        """Whether the archive is at a URL."""
        return self._arrays[0].source.remote

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the values, decoded."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        steps = expanded(key, self.ndim)
        if steps is None:
            return np.asarray(self._read(self._all())[key])
        within = [self._within(axis, step) for axis, step in enumerate(steps)]
        return self._read(within)

    def isel(self, indexers: Mapping[str, Any] | None = None, **by_name: Any) -> Selection:
        """Select a part by positions along named axes; nothing is read.

        Parameters:
            indexers: An integer or a slice per name of an axis; an axis without one is kept whole.
            by_name: The same as keywords, with `_` for the colon of a role: `residue_i` for the axis `residue:i`.

        Returns:
            The part, without the axes that an integer selects.

        Raises:
            UsageError: No axis, or more than one, has a name, or an index is not an integer or a slice.
            IndexError: A position is outside the array.

        Examples:
            >>> with vizschema.open("run.zarr") as archive:
            ...     archive["/outputs/logits"].isel(prompt=0, position=slice(0, 2)).shape
            (2, 32)
        """
        steps: list[Any] = [slice(None)] * self.ndim
        for axis, index in self._named(indexers, by_name):
            if isinstance(index, bool) or not isinstance(index, int | np.integer | slice):
                raise UsageError(
                    path=self.path, expected=f"an integer or a slice for {self._name(axis)}", found=repr(index)
                )
            steps[axis] = index
        return self._part([self._within(axis, step) for axis, step in enumerate(steps)])

    def sel(self, indexers: Mapping[str, Any] | None = None, **by_name: Any) -> Selection:
        """Select a part by labels along named axes, those of coordinates; only coordinates are read.

        The coordinate of an axis `token` is the array `token` with the only axis `token`, in the same scope: the
        nearest one above the array, else the only one in the archive.

        Parameters:
            indexers: A label or a slice of labels, both ends included, per name of an axis.
            by_name: The same as keywords, with `_` for the colon of a role.

        Returns:
            The part, without the axes that a label selects.

        Raises:
            UsageError: An axis has no coordinate, or a label does not occur in it, or occurs more than once.
            Damaged: A chunk of a coordinate cannot be read.
        """
        steps: list[Any] = [slice(None)] * self.ndim
        for axis, label in self._named(indexers, by_name):
            known = self.labels(axis)
            if known is None:
                name = self._name(axis).partition(":")[0]
                raise UsageError(
                    path=self.path,
                    expected=f"an axis with a coordinate (an array named {name} with the only axis {name})",
                    found=f"none for {self._name(axis)}",
                    fix="select by position with isel",
                )
            steps[axis] = positions(known, label, self._name(axis), self.path)
        return self._part([self._within(axis, step) for axis, step in enumerate(steps)])

    def cost(self) -> Cost:
        """Return what reading this part takes; indices of chunks are read for it, values are not.

        Returns:
            How many reads and how many stored bytes, at most.

        Raises:
            Damaged: An index of chunks cannot be read.
        """
        arrays, key = self._chosen(self._all())
        return sum((each.source.cost(key) for each in arrays), Cost(0, 0, exact=True))

    def to_numpy(self) -> npt.NDArray[Any]:
        """Read the values into a NumPy array of their own, without another copy.

        Raises:
            Damaged: A chunk cannot be read.
        """
        return self._read(self._all())

    def to_torch(self) -> Any:
        """Read the values into a tensor of PyTorch, in the memory that they were read into.

        Returns:
            A `torch.Tensor`.

        Raises:
            UsageError: PyTorch is not installed, or has no such dtype (text, 4-bit integers).
            Damaged: A chunk cannot be read.
        """
        from vizschema.reader.tensors import tensor

        return tensor(self.to_numpy(), self.path)

    def to_xarray(self) -> Any:
        """Read the values into an array of xarray, with the names of axes and their coordinates.

        Returns:
            An `xarray.DataArray`.

        Raises:
            UsageError: xarray is not installed.
            Damaged: A chunk cannot be read.
        """
        require(self.path, "xarray")
        from vizschema.reader.labelled import data_array

        return data_array(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.path}: is on disk, and cannot become an array without a copy")
        values = self.to_numpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def _all(self) -> list[Index]:
        return [range(size) for size in self.shape]

    def _name(self, axis: int) -> str:
        return (self.axes and self.axes[axis]) or f"axis {axis}"

    def _named(self, indexers: Mapping[str, Any] | None, by_name: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
        """(axis, index) of every name; raises `UsageError` where a name is not that of one axis, or comes twice."""
        seen = set()
        for name, index in [*(indexers or {}).items(), *by_name.items()]:
            named = [known or "" for known in self.axes or ()]
            if name not in named:
                named = [known.replace(":", "_") for known in named]
            axes = [axis for axis, known in enumerate(named) if known == name]
            if len(axes) != 1 or axes[0] in seen:
                names = ", ".join(map(str, self.axes or ())) or "none"
                found = f"{name!r}{self._meant(str(name))}"
                raise UsageError(path=self.path, expected=f"one index for one axis among {names}", found=found)
            seen.add(axes[0])
            yield axes[0], index

    def _meant(self, name: str) -> str:
        """Return what may have been meant by a name that is not that of one axis: its roles, or a name close to it."""
        names = [known for known in self.axes or () if known]
        roles = [known for known in names if known.partition(":")[0] == name != known]
        return f"; did you mean {' or '.join(roles)}?" if roles else suggestion(name, {*names} - {name})

    def _within(self, axis: int, step: Any) -> Index:
        """The positions along an axis of this selection that a step of an index keeps; raises `IndexError`."""
        everything = range(self.shape[axis])
        if isinstance(step, slice):
            return everything[step]
        try:
            return everything[int(step)]
        except IndexError:
            size = self.shape[axis]
            name = f" ({self.axes[axis]})" if self.axes and self.axes[axis] else ""
            raise IndexError(f"index {step} is out of bounds for axis {axis} with size {size}{name}") from None

    def _chosen(self, within: Sequence[Index]) -> tuple[Sequence[Stored], list[Index]]:
        """The arrays that positions along the axes of this selection keep, and the index into each of them."""
        left = list(within)
        arrays: Sequence[Stored] = self._arrays
        if self._stem is not None:
            first = left.pop(0)
            arrays = [arrays[at] for at in ([first] if isinstance(first, int) else first)]
        return arrays, [index if isinstance(index, int) else index[_slice(left.pop(0))] for index in self._key]

    def _part(self, within: Sequence[Index]) -> Selection:
        arrays, key = self._chosen(within)
        if self._stem is None or isinstance(within[0], int):
            return Selection(arrays[0].path if arrays else self.path, arrays, key)
        if not arrays:
            raise UsageError(path=self.path, expected=f"one {self._stem} or more", found="none")
        return Selection(self.path, arrays, key, self._stem, [self._numbers[at] for at in within[0]])

    def _read(self, within: Sequence[Index]) -> npt.NDArray[Any]:
        arrays, key = self._chosen(within)
        index = tuple(map(_slice, key))
        if self._stem is None or isinstance(within[0], int):
            return np.asarray(arrays[0].source[index])
        sizes = [len(each) for each in key if isinstance(each, range)]
        values = np.empty((len(arrays), *sizes), self.dtype)
        for at, each in enumerate(arrays):
            values[at] = each.source[index]
        return values

    def labels(self, axis: int) -> npt.NDArray[Any] | None:
        """Read the labels of the positions along an axis; None if it has no coordinate.

        Parameters:
            axis: The number of the axis.

        Raises:
            Damaged: A chunk of the coordinate cannot be read.
        """
        if self._stem is not None:
            if axis == 0:
                return np.array(self._numbers)
            axis -= 1
        place = [at for at, index in enumerate(self._key) if isinstance(index, range)][axis]
        name = (self._arrays[0].node["axes"] or [None] * len(self._key))[place]
        labels = self._arrays[0].labels(name, self._arrays[0].shape[place]) if name else None
        return None if labels is None else labels[_slice(self._key[place])]


class StoredArray(Selection):
    """An array of an open archive, all of it: a selection, with what else is stored of it.

    Indexing reads the chunks that the index needs, and returns a NumPy array.

    Attributes:
        path: The path in the archive.
        shape: The size of every dimension.
        dtype: The dtype of the values.
        axes: The name of every dimension, or None if no dimension has one.
        attributes: The attributes.
        chunks: The chunk length along every dimension, or None if the array has no chunks.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     array = archive["/outputs/logits"]
        ...     print(array.ndim, array[:1, ..., 0].mean().dtype)
        3 float32
    """

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.path, [stored], [range(size) for size in stored.node["shape"]])
        storage = stored.node["storage"]
        self.chunks: tuple[int, ...] | None = storage and tuple(storage["chunks"])

    def picture(self) -> dict[str, Any] | None:
        """Draw at most 8 MiB of the values, as `Selection.picture` does; None of an archive at a URL."""
        stored = self._arrays[0]
        return stored.source.picture(stored.node["axes"]) if stored.node["dtype"] in ITEM_BYTES else None

    def __repr__(self) -> str:
        return f"<StoredArray {self.path}: {words_of(self._arrays[0].node, codecs=True)}>"


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group of an open archive.

    Attributes:
        path: The path in the archive.
        attributes: The attributes.
        members: The names of the nodes directly below it.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     print(archive["/activations"].members)
        ('embedding', 'layer_00', 'layer_01')
    """

    path: str
    attributes: Mapping[str, Any]
    members: tuple[str, ...]


def _slice(index: Index) -> Any:
    """An index of NumPy for one axis of a stored array."""
    if isinstance(index, int):
        return index
    if not len(index):
        return slice(0, 0)
    end = index[-1] + (1 if index.step > 0 else -1)
    return slice(index[0], None if end < 0 else end, index.step)
