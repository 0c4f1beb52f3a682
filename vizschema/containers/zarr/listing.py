"""What lies in the folder of an array: the chunks that the metadata name, and what else there is. Opens no file.

The folder is listed once, and those of its chunks: only folders that the chunk keys name are entered, and no link.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from vizschema.containers.zarr.folder import DOCUMENTS, FILE, FOLDER, Entry
from vizschema.containers.zarr.layout import Layout
from vizschema.containers.zarr.missing import is_chunk

Steps = tuple[str, ...]


class Listable(Protocol):
    """A folder whose members can be listed without a look into them. Any method but `close` may raise `Unreadable`."""

    def members(self) -> Iterable[tuple[str, bool]]:
        """The name of each, and whether it is a folder; a link is none."""

    def enter(self, name: str) -> Listable:
        """The folder of that name within this one."""

    def close(self) -> None:
        """Let go of the folder."""


_OWN = {2: frozenset({".zarray", ".zattrs"}), 3: frozenset({"zarr.json"})}
_SHOWN = 16
_LOOKED_AT = 1000
_DEPTH = 64


class Blocked(NamedTuple):
    """Cells `first` to `end` of the grid, in whose place `key` lies, which is not a folder."""

    first: int
    end: int
    key: str


class Listing(NamedTuple):
    """What was found: the numbers of the cells that are there, sorted; what blocks others; keys of another encoding."""

    cells: npt.NDArray[np.int64]
    blocked: Sequence[Blocked]
    others: Sequence[str]
    stray: Sequence[str]
    total: int

    def ranges(self) -> Iterator[tuple[int, int]]:
        """All cells in order: (number, number) for one that is there, else the range that is not (first, end).

        What is blocked is a range of its own.
        """
        at = 0
        for first, end, _ in [*self.blocked, Blocked(self.total, self.total, "")]:
            low, high = (int(place) for place in np.searchsorted(self.cells, (at, first)))
            for cell in self.cells[low:high]:
                number = int(cell)
                if at < number:
                    yield at, number
                yield number, number
                at = number + 1
            if at < first:
                yield at, first
            if first < end:
                yield first, end
            at = end

    def blocking(self, number: int) -> str | None:
        """What blocks a cell, None where nothing does."""
        place = bisect_left(self.blocked, (number + 1,)) - 1
        found = self.blocked[place] if place >= 0 else None
        return found.key if found is not None and found.first <= number < found.end else None

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        return self.cells.size == self.total


def listing_of(layout: Layout, counts: Sequence[int], folder: Listable) -> Listing:
    """What lies in the `folder` of the array of this layout, whose chunks make a grid of `counts`.

    Raises `Unreadable` where a folder cannot be listed.
    """
    return _Reader(layout, counts).read(folder)


class _Reader:
    def __init__(self, layout: Layout, counts: Sequence[int]) -> None:
        self._layout = layout
        self._counts = counts
        self._cells = array("q")
        self._blocked: list[Blocked] = []
        self._others: list[str] = []
        self._stray: list[str] = []

    def read(self, folder: Listable) -> Listing:
        total = math.prod(self._counts)
        if self._layout.separator == "/" and self._counts:
            if self._layout.prefix:
                self._below_prefix(folder, total)
            else:
                self._axis(folder, (), 0, 0)
        else:
            self._flat(folder)
        few = sorted(set(self._cells)) if len(self._cells) < _LOOKED_AT else None  # of few, NumPy takes longer
        return Listing(
            np.unique(np.frombuffer(self._cells, np.int64)) if few is None else np.array(few, np.int64),
            sorted(self._blocked),
            sorted(self._others)[:_SHOWN],
            sorted(self._stray)[:_SHOWN],
            total,
        )

    def _below_prefix(self, folder: Listable, total: int) -> None:
        prefix = self._layout.prefix[:-1]
        entered = False
        for name, is_folder in folder.members():
            if name != prefix:
                self._other(folder, (), name, is_folder)
            elif is_folder:
                entered = True
            else:
                self._blocked.append(Blocked(0, total, name))
        if entered:
            with closing(folder.enter(prefix)) as child:
                self._axis(child, (prefix,), 0, 0)

    def _axis(self, folder: Listable, steps: Steps, axis: int, number: int) -> None:
        """Sort the members of a folder of chunks that differ along `axis`; `number` counts along the axes before."""
        count, last = self._counts[axis], axis == len(self._counts) - 1
        below = math.prod(self._counts[axis + 1 :])
        inner: list[str] = []
        for name, is_folder in folder.members():
            at = _number(name)
            if at is None:
                self._other(folder, steps, name, is_folder)
            elif at >= count:
                self._note(self._stray, "/".join((*steps, name)))
            elif last:
                self._cells.append(number * count + at)
            elif is_folder:
                inner.append(name)
            else:
                first = (number * count + at) * below
                self._blocked.append(Blocked(first, first + below, "/".join((*steps, name))))
        for name in inner:
            with closing(folder.enter(name)) as child:
                self._axis(child, (*steps, name), axis + 1, number * count + int(name))

    def _flat(self, folder: Listable) -> None:
        """The members of a folder that holds chunks under one name each."""
        prefix, separator, counts = self._layout.prefix, self._layout.separator, self._counts
        whole = None if counts else self._layout.key(())
        for name, is_folder in folder.members():
            if whole is not None:
                places: list[int | None] = [] if name == whole else [None]
            elif name.startswith(prefix):
                places = [_number(part) for part in name[len(prefix) :].split(separator)]
            else:
                places = [None]
            if None in places or len(places) != len(counts):
                self._other(folder, (), name, is_folder)
                continue
            number, inside = 0, True
            for at, count in zip(places, counts, strict=True):
                inside = inside and at is not None and at < count
                number = number * count + (at or 0)
            if inside:
                self._cells.append(number)
            else:
                self._note(self._stray, name)

    def _other(self, folder: Listable, steps: Steps, name: str, is_folder: bool) -> None:
        """Notes what no chunk key names: one of another encoding, or no chunk at all."""
        if not steps and name in _OWN[self._layout.version]:
            return
        key = "/".join((*steps, name))
        if is_chunk(Entry(name, FOLDER if is_folder else FILE)):
            found = self._chunk_in(folder, (*steps, name)) if is_folder and not self._others else key
            if found is not None:
                self._note(self._others, found)
                return
        self._note(self._stray, key)

    def _chunk_in(self, above: Listable, steps: Steps) -> str | None:
        """The key of a chunk in a folder that is named like one of chunks, None where it holds none."""
        with closing(above.enter(steps[-1])) as folder:
            kinds = {True: FOLDER, False: FILE}
            entries = [Entry(name, kinds[is_folder]) for name, is_folder in islice(folder.members(), _LOOKED_AT)]
            if len(steps) > _DEPTH or not DOCUMENTS.isdisjoint(entry.name for entry in entries):
                return None
            chunks = sorted(entry for entry in entries if is_chunk(entry) and not entry.name.startswith("c"))
            whole = next((entry.name for entry in chunks if entry.what == FILE), None)
            if whole is not None:
                return "/".join((*steps, whole))
            inner = next((entry.name for entry in chunks if entry.what == FOLDER), None)
            return None if inner is None else self._chunk_in(folder, (*steps, inner))

    @staticmethod
    def _note(keys: list[str], key: str) -> None:
        """Keep a key, as long as it may be among the first."""
        keys.append(key)
        if len(keys) > 4 * _SHOWN:
            keys[:] = sorted(keys)[:_SHOWN]


def _number(name: str) -> int | None:
    """The number that a name is in the way that writers of chunks spell it: no sign, and no zeros before it."""
    if not (name.isascii() and name.isdigit()) or (name[0] == "0" and len(name) > 1) or len(name) > 19:
        return None
    return int(name)
