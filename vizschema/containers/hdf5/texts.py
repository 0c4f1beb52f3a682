"""Text of HDF5, of a fixed width or any length, read by libhdf5 a few at a time: a text may be as long as the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from h5py import h5i, h5s, h5t

from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.types import LIBRARY_ERRORS
from vizschema.containers.values import Block, ChunkDamaged, Piece, dtype_of, extent_of, grid_counts

MOST = 64 << 20
"""Bytes of text of one array: many texts of any length can be one and the same in the file."""

AT_ONCE = 4096
"""Texts that are read at once, as long as they fit in `MOST` bytes: one of any length is no longer than the file."""


class Hdf5Texts:
    """The texts of an open dataset, as `Values`; `name` is what to call it."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.dtype = dtype_of("string")
        self.shape = tuple(dataset.shape)
        self._dataset = dataset
        self._name = name

    def pieces(self) -> Iterator[Piece]:
        """The array as one piece."""
        if math.prod(self.shape):
            yield Piece(0, self._name, MOST, 1)

    def read(self, _: Piece) -> Iterator[Block | ChunkDamaged]:
        """Some texts of a row at a time."""
        kind = self._dataset.get_type()
        whole = h5i.get_file_id(self._dataset).get_filesize() if kind.is_variable_str() else kind.get_size()
        grid = [1] * len(self.shape)
        grid[-1:] = [max(1, min(length, AT_ONCE, MOST // max(1, whole))) for length in self.shape[-1:]]
        counts = grid_counts(self.shape, grid)
        left = MOST
        for index in range(math.prod(counts)):
            start, extent = extent_of(index, counts, grid, self.shape)
            try:
                texts = self._texts(kind, start, extent)
            except LIBRARY_ERRORS as error:
                yield ChunkDamaged("undecodable", message(error), self._name)
                return
            left -= sum(map(len, texts))
            if left < 0:
                yield ChunkDamaged("over-limit", f"more than {MOST} bytes of text", self._name)
                return
            decoded = [text.decode("utf-8", "backslashreplace") for text in texts]
            yield Block(start, np.array(decoded, self.dtype).reshape(extent))

    def _texts(self, kind: Any, start: tuple[int, ...], extent: tuple[int, ...]) -> list[bytes]:
        """The bytes of the texts of a box, without what fills them up."""
        space = self._dataset.get_space()
        if extent:
            space.select_hyperslab(start, extent)
        memory = h5s.create_simple(extent) if extent else h5s.create(h5s.SCALAR)
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
