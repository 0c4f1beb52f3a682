"""An archive, opened to be measured: by this process, by a worker, or its values by a Dask cluster.

Each way of reading is imported when it is taken: a description alone needs no NumPy, a trusted archive no worker.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vizschema.bounds import Reading
from vizschema.description import Description, Node
from vizschema.errors import NotAnArchive, UsageError
from vizschema.text import local_path

if TYPE_CHECKING:
    from vizschema.containers.base import Container
    from vizschema.scan.coverage import Scanned

Entries = Sequence[Mapping[str, Any]]
"""The entries of `facts.json` of a profile: what is asked of the values."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An open archive: its description, values not read, and notes in words about how it was read."""

    description: Description
    notes: tuple[str, ...]
    scan: Callable[[Entries, Sequence[str] | None], Scanned | None]
    draw: Callable[[Sequence[str], bool], Iterator[tuple[str, Mapping[str, Any]]]]
    """(path, picture) of those paths that are arrays; with True, a map of each that has two axes.

    Raises `WorkerDied`.
    """

    take: Callable[[str, Sequence[tuple[int, int]]], Any]
    """The values of a box of an array, a NumPy array; raises `NotAnArchive`, `Damaged`."""

    weigh: Callable[[Sequence[str]], Mapping[str, int | None]]
    """The stored bytes of arrays by path, None where they are unknown; raises `WorkerDied`."""

    def with_values(self, entries: Entries, paths: Sequence[str] | None = None) -> Description:
        """Return the description with the facts that `entries` ask for; without them if no worker is left to read.

        With `paths`, only these arrays are read.
        """
        from vizschema.scan.coverage import describe_scanned

        found = self.scan(entries, paths)
        return self.description if found is None else describe_scanned(self.description, found)


@contextmanager
def measured(path: str | os.PathLike[str], reading: Reading, *, values: bool = True) -> Iterator[Measured]:
    """Open the archive at `path`, a URL too, for the block; its `values` may be read if that is said.

    Raises `NotAnArchive`, and `UsageError` if a cluster is to read in isolation.
    """
    archive = local_path(os.fspath(path))
    if reading.isolated:
        if reading.dask is not None:
            raise UsageError(
                "the processes of a Dask cluster are not sandboxed",
                expected="--trust (in Python: not `isolated`) with --dask",
                found="none",
            )
        from vizschema.worker.client import opened

        with opened(archive, bounds=reading.bounds, keep=values) as there:
            yield Measured(
                there.description,
                there.notes,
                lambda entries, paths: there.scan(entries, reading, paths),
                lambda wanted, every: there.draw(wanted, every=every),
                lambda path, box: _array(there.description["nodes"][path], path, box, there.take(path, box)),
                there.weigh,
            )
        return
    from vizschema.containers.opening import open_container
    from vizschema.describing import describe_open

    with closing(open_container(archive)) as container:
        description = describe_open(container)

        def scanned(entries: Entries, paths: Sequence[str] | None) -> Scanned:
            if reading.dask is None or paths is not None:
                from vizschema.scan.threads import scan

                return scan(container, description, entries, reading, paths)
            from vizschema.scan.dask import scan_on

            return scan_on(reading.dask, archive, container, description, entries, reading)

        def drawn(wanted: Sequence[str], every: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
            from vizschema.scan.pictures import pictures

            return pictures(container, description["nodes"], wanted, every=every)

        selectable = lru_cache(1)(lambda path: _selectable(container, path))

        def taken(path: str, box: Sequence[tuple[int, int]]) -> Any:
            return selectable(path)[tuple(slice(*side) for side in box)]

        def weighed(paths: Sequence[str]) -> Mapping[str, int | None]:
            from vizschema.scan.sizes import stored_bytes

            return dict(stored_bytes(container, description["nodes"], paths))

        yield Measured(description, (), scanned, drawn, taken, weighed)


def closed_in(description: Description) -> frozenset[str]:
    """The paths of the arrays in codecs that are not decoded here: no value of them is read."""
    from vizschema.containers.formats import undecoded

    nodes, container = description["nodes"].items(), description["container"]
    return frozenset(path for path, node in nodes if node["kind"] == "array" and undecoded(container, node))


def _selectable(container: Container, path: str) -> Any:
    """The array at `path`, to be indexed."""
    from vizschema.reader.selection import Kept, Selectable

    return Selectable(path, container.values, Kept())


def _array(node: Node, path: str, box: Sequence[tuple[int, int]], raw: bytes | list[str]) -> Any:
    """The values of a box from what a worker sent, which is not trusted; raises `NotAnArchive`."""
    import numpy as np

    from vizschema.containers.values import dtype_of

    dtype = dtype_of(node["dtype"])
    sizes = [end - low for low, end in box]
    text = dtype.kind == "T"
    if isinstance(raw, bytes) == text or len(raw) != math.prod(sizes) * (1 if text else dtype.itemsize):
        raise NotAnArchive("cannot be read: the worker sent a malformed message", path=path)
    if not isinstance(raw, bytes):
        return np.array(raw, dtype).reshape(sizes)
    return np.frombuffer(raw, np.uint8).view(dtype).reshape(sizes)
