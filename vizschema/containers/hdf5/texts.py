"""Text of HDF5, of a fixed width or any length, lists of any length, and records of either: read by libhdf5.

A few are read at a time: each text and list may be as long as the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from h5py import h5i, h5s, h5t

from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.types import LIBRARY_ERRORS
from vizschema.containers.values import Block, ChunkDamaged, Piece, dtype_of, extent_of, grid_counts

MOST = 64 << 20
"""Bytes of text, or of lists, of one array: many of any length can be one and the same in the file."""

AT_ONCE = 4096
"""How many values are read together, provided they fit in `MOST` bytes; a text or list is no longer than the file."""

PARTS = 64
"""Parts of any length in one record: it may be that many times as long as the file."""


class Hdf5Texts:
    """The texts of an open dataset, as `Values`; `name` is what to call it."""

    dtype: np.dtype[Any] = dtype_of("string")
    _parts = 1

    def __init__(self, dataset: Any, name: str) -> None:
        self.shape = tuple(dataset.shape)
        self._dataset = dataset
        self._name = name

    def pieces(self) -> Iterator[Piece]:
        """The array as one piece."""
        if math.prod(self.shape):
            yield Piece(0, self._name, MOST, 1)

    def read(self, _: Piece) -> Iterator[Block | ChunkDamaged]:
        """Some values of a row at a time."""
        kind = self._dataset.get_type()
        fixed = kind.get_class() == h5t.STRING and not kind.is_variable_str()
        longest = kind.get_size() if fixed else self._parts * h5i.get_file_id(self._dataset).get_filesize()
        grid = [1] * len(self.shape)
        grid[-1:] = [max(1, min(length, AT_ONCE, MOST // max(1, longest))) for length in self.shape[-1:]]
        counts = grid_counts(self.shape, grid)
        left = MOST
        for index in range(math.prod(counts)):
            start, extent = extent_of(index, counts, grid, self.shape)
            try:
                size, values = self._some(kind, start, extent)
            except LIBRARY_ERRORS as error:
                yield ChunkDamaged("undecodable", message(error), self._name)
                return
            left -= size
            if left < 0:
                yield ChunkDamaged("over-limit", f"more than {MOST} bytes of text or lists", self._name)
                return
            yield Block(start, values)

    def _some(self, kind: Any, start: tuple[int, ...], extent: tuple[int, ...]) -> tuple[int, npt.NDArray[Any]]:
        """How many bytes there are in a box, and its values."""
        texts = self._texts(kind, start, extent)
        decoded = [text.decode("utf-8", "backslashreplace") for text in texts]
        return sum(map(len, texts)), np.array(decoded, self.dtype).reshape(extent)

    def _spaces(self, start: tuple[int, ...], extent: tuple[int, ...]) -> tuple[Any, Any]:
        """A box in memory, and in the file."""
        space = self._dataset.get_space()
        if extent:
            space.select_hyperslab(start, extent)
        return h5s.create_simple(extent) if extent else h5s.create(h5s.SCALAR), space

    def _texts(self, kind: Any, start: tuple[int, ...], extent: tuple[int, ...]) -> list[bytes]:
        """The bytes of the texts of a box, without what fills them up."""
        memory, space = self._spaces(start, extent)
        if kind.is_variable_str():
            found = np.empty(extent, h5t.string_dtype())
            self._dataset.read(memory, space, found)
            return [text or b"" for text in found.ravel().tolist()]
        raw = np.empty(extent, np.dtype((np.void, kind.get_size())))
        self._dataset.read(memory, space, raw, kind)
        texts = [text.tobytes() for text in raw.ravel()]
        if kind.get_strpad() == h5t.STR_SPACEPAD:
            return [text.rstrip(b" \0") for text in texts]
        return [text.rstrip(b"\0") for text in texts]


class Hdf5Objects(Hdf5Texts):
    """Lists of any length, or records with such lists or texts, of an open dataset, as `Values` of objects of Python.

    Texts are `str`, lists arrays of NumPy. `parts` is what `parts_of` says.
    """

    def __init__(self, dataset: Any, name: str, parts: int) -> None:
        super().__init__(dataset, name)
        if parts > PARTS:
            raise ChunkDamaged("over-limit", f"{parts} lists or texts in one value, more than {PARTS}", name)
        self._parts = parts
        self._form = np.dtype(dataset.get_type().dtype)
        self.dtype = np.dtype(object) if self._form.names is None else _without_metadata(self._form)

    def _some(self, kind: Any, start: tuple[int, ...], extent: tuple[int, ...]) -> tuple[int, npt.NDArray[Any]]:  # noqa: ARG002
        found = np.zeros(extent, self._form)
        self._dataset.read(*self._spaces(start, extent), found)
        values = found.astype(self.dtype)
        return found.nbytes + _made_plain(values, self._form), values


def _without_metadata(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A type in native order without what h5py notes of its parts."""
    if dtype.subdtype is not None:
        return np.dtype((_without_metadata(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.names is None:
        return np.dtype(object) if dtype.kind == "O" else np.dtype(dtype.newbyteorder("=").str)
    return np.dtype([(name, _without_metadata(dtype[name])) for name in dtype.names])


def _made_plain(values: npt.NDArray[Any], form: np.dtype[Any]) -> int:
    """How many bytes the objects in values of this form have; text becomes `str`, lists are put in native order."""
    if form.names is not None:
        return sum(_made_plain(values[name], form[name].base) for name in form.names)
    if form.kind != "O":
        return 0
    listed, size = h5t.check_vlen_dtype(form), 0
    places = values.reshape(1) if not values.shape else values  # an array can be put at a place, but not into no axes
    for at in np.ndindex(places.shape):
        found: Any = places[at]
        if not isinstance(listed, np.dtype):
            text = found or b""
            places[at], size = text.decode("utf-8", "backslashreplace"), size + len(text)
            continue
        if not listed.isnative and found.dtype.isnative:
            found = found.byteswap()  # h5py (3.16 at least) takes any numbers for native ones
        places[at], size = found.astype(found.dtype.newbyteorder("="), copy=False), size + found.nbytes
    return size
