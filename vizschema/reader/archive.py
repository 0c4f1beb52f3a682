"""`open`: arrays of an archive by path, read when they are asked for, with their axes and attributes.

What may be opened is decided by the description: nothing that it calls a link, an object or unreadable is followed.
Every container is read by its own `values`, as a scan reads it; the archive stays open until it is closed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache, partial
from itertools import islice
from typing import Any

import numpy as np

from vizschema.containers.base import Container
from vizschema.containers.formats import undecoded
from vizschema.containers.opening import open_container
from vizschema.containers.values import Ahead, ChunkDamaged, Values, dtype_of
from vizschema.describing import describe_open
from vizschema.description import ITEM_BYTES, TEXTS, Description, Node, coordinate_of, coordinates_of, parent_of
from vizschema.errors import NotAnArchive, UsageError, require
from vizschema.outline.tree import tree_lines
from vizschema.outline.words import headline
from vizschema.reader.arrays import Selection, Stored, StoredArray, StoredGroup
from vizschema.reader.selection import Kept, Selectable
from vizschema.reader.series import series_of
from vizschema.text import archive_name, close_to, local_path

SHOWN = 60
"""Lines of its tree that an archive shows of itself."""

KEPT = 8
"""Arrays whose index of chunks, or whose metadata, are kept for the next time that they are read."""

OTHERS: Mapping[str, str] = {
    "array": "each value an array itself",
    "bitfield": "single bits",
    "complex": "complex numbers of a type that NumPy does not have",
    "compound": "records with fields",
    "datetime": "points in time",
    "enum": "names for integers",
    "object": "objects",
    "opaque": "bytes of no type",
    "reference": "references to other objects",
    "time": "points in time",
    "timedelta": "lengths of time",
    "vlen": "lists of any length",
}
"""Canonical dtypes beside numbers and text, in words."""

_NAMED = TEXTS | ITEM_BYTES.keys()


class Archive(Mapping[str, StoredArray | StoredGroup]):
    """An open archive, returned by `open`: a mapping from paths to arrays and groups, and a context manager.

    A node that cannot be read is among the paths; `archive[path]` raises `NotAnArchive` for it.

    Attributes:
        description: The description of the archive, values not read.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     print(str(archive).splitlines()[0])
        ...     print([path for path in archive if path.startswith("/outputs")])
        <Archive run.zarr: zarr v3 (directory), 8 arrays, 3.8 KiB>
        ['/outputs', '/outputs/logits', '/outputs/next_tokens']
    """

    def __init__(self, path: str, description: Description, container: Container) -> None:
        self.description = description
        self._path = path
        self._remote = description["container"]["store"] == "remote"
        self._values = lru_cache(KEPT)(container.values)
        self._kept = Kept()
        self._container = container
        # Garbage is collected in any thread, also in that of the event loop, which closes connections.
        self._closing = weakref.finalize(self, bool if self._remote else container.close)
        self._closing.atexit = False

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, path: object) -> bool:
        return path in self.description["nodes"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.description["nodes"])

    def __len__(self) -> int:
        return len(self.description["nodes"])

    def __eq__(self, other: object) -> bool:
        return self is other  # not by what every node holds

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        lines = list(islice(self._tree_lines(), SHOWN + 1))
        more = ["… (archive.tree() has the rest)"] if len(lines) > SHOWN else []
        return "\n".join([f"<Archive {headline(self._path, self.description)}>", *lines[:SHOWN], *more])

    def _repr_html_(self) -> str:
        """The same for a notebook, with pictures of the first arrays, unless they are at a URL."""
        from vizschema.reader.notebook import archive_html

        return archive_html(self)

    def __getitem__(self, path: str) -> StoredArray | StoredGroup:
        node = self._node(path)
        if node["kind"] == "group":
            return StoredGroup(path, node["attributes"], tuple(self._members.get(path, ())))
        return StoredArray(self._stored(path, node))

    def _source(self, path: str) -> Selectable:
        return Selectable(path, self._opened, self._kept, remote=self._remote)

    def _stored(self, path: str, node: Node) -> Stored:
        return Stored(path, node, self._dtype(path, node), self._source(path), partial(self._labels, path))

    def _labels(self, path: str, axis: str, size: int) -> np.ndarray[Any, Any] | None:
        """The values of the coordinate of an axis of the array at `path`, None if there is none."""
        place = self.coordinate(path, axis, size)
        return None if place is None else self[place][...]  # type: ignore[index]

    def coordinate(self, path: str, axis: str, size: int) -> str | None:
        """Return the path of the coordinate of an axis: the nearest above, else the only one, in its scope and size.

        Parameters:
            path: The path of an array.
            axis: The name of one of its axes, with its role.
            size: The size of the axis.
        """
        return coordinate_of(self.description["nodes"], self._coordinates, path, axis, size)

    @cached_property
    def _coordinates(self) -> Mapping[str, list[str]]:
        return coordinates_of(self.description["nodes"])

    @cached_property
    def _members(self) -> Mapping[str, list[str]]:
        """The names of the members of every group."""
        members: dict[str, list[str]] = {}
        for path in self:
            if path != "/":
                members.setdefault(parent_of(path), []).append(path.rpartition("/")[2])
        return members

    def tree(self, path: str = "/") -> str:
        """Return the tree below a path as text, a line per node; members of a series that are alike are one line.

        Parameters:
            path: The path of a group.

        Raises:
            KeyError: Nothing is at the path.
        """
        if path not in self:
            raise self._missing(path)
        return "\n".join(self._tree_lines(path))

    def _tree_lines(self, path: str = "/") -> Iterator[str]:
        return tree_lines(self.description["nodes"], path)

    def stack(self, path: str, **by_name: Any) -> Selection:
        """Select the arrays of a numbered series as one, by their numbers, and a part of each; nothing is read.

        Parameters:
            path: The group of the series: `/activations` for the arrays `/activations/layer_00` and those that follow.
            by_name: The stem of the series with a number, a slice or a list of numbers (`layer=[0, 47]`; it may be left
                out if the group has one series); any other name is that of an axis, as `isel` takes it.

        Returns:
            The part, of which the series is the first axis.

        Raises:
            KeyError: Nothing is at the path.
            UsageError: The group has no such series, or no array of such a number, or they are not alike.
            NotAnArchive: An array cannot be read.

        Examples:
            >>> with vizschema.open("run.zarr") as archive:
            ...     archive.stack("/activations", layer=[0, 1], prompt=0).axes
            ('layer', 'position', 'width')
        """
        self._node(path)
        series = series_of(path, self._members.get(path, ()), by_name)
        arrays = []
        for member in series.members:
            node = self._node(member)
            if node["kind"] != "array":
                raise UsageError(path=member, expected="an array", found=node["kind"])
            arrays.append(self._stored(member, node))
        return series.selected(path, arrays, by_name)

    def to_datatree(self) -> Any:
        """Return the archive as a tree of xarray: a dataset per group, whose arrays are read when they are used.

        Coordinates are read at once. An axis that has another size than elsewhere in its group, or above, is named
        `<axis>_<size>` there; what cannot be read is left out. The archive has to stay open.

        Returns:
            An `xarray.DataTree`.

        Raises:
            UsageError: xarray is not installed.
            Damaged: A chunk of a coordinate cannot be read.
        """
        require(self._path, "xarray")
        from vizschema.reader.trees import datatree

        return datatree(self)

    def paths(self) -> list[str]:
        """The path of every node, sorted."""
        return list(self.description["nodes"])

    def close(self) -> None:
        """Close every file and connection; arrays of the archive cannot be read afterwards."""
        if self._closing.detach() is not None:
            self._values.cache_clear()
            self._kept.clear()
            self._container.close()

    def _dtype(self, path: str, node: Node) -> np.dtype[Any]:
        """What `dtype_of` gives, or the values of a dtype of the container's own; raises `NotAnArchive`."""
        if node["dtype"] in _NAMED:
            return dtype_of(node["dtype"])
        try:
            return self._values(path).dtype
        except ChunkDamaged as damaged:
            what = OTHERS.get(node["dtype"], "a type of its container's own")
            found = f"{node['dtype']} ({what}), which vizschema does not read: {damaged.detail}"
            expected = "numbers, booleans or text"
            raise NotAnArchive("cannot be read", path=path, expected=expected, found=found) from None

    def _opened(self, path: str) -> Values:
        """The values of an array, as the description has it; raises `ChunkDamaged`, `UsageError` once it is closed."""
        if not self._closing.alive:
            raise UsageError(
                path=path, expected="an open archive", found="a closed one", fix=f"open {self._path} again"
            )
        values = self._values(path)
        node = self.description["nodes"][path]
        dtype = dtype_of(node["dtype"]) if node["dtype"] in _NAMED else values.dtype
        if values.shape != tuple(node["shape"]) or values.dtype != dtype:
            raise ChunkDamaged("undecodable", "its metadata are not those of when the archive was opened", path)
        if self._remote and isinstance(values, Ahead):
            values.until(-1)  # nothing is fetched but what is read
        return values

    def _missing(self, path: str) -> KeyError:
        """Return the error of a path at which nothing is, with what is at paths close to it."""
        near = close_to(path, self.description["nodes"], most=3, cutoff=0.5)
        hint = f"; there is {', '.join(near)}" if near else ""
        return KeyError(f"{path} is not in {self._path.rstrip('/').rpartition('/')[2]}{hint}")

    def _node(self, path: str) -> Node:
        """The node at `path`; raises `KeyError` where there is none, `NotAnArchive` where it cannot be opened."""
        nodes = self.description["nodes"]
        if path not in nodes:
            raise self._missing(path)
        node: Node = nodes[path]
        above = path
        while above != "/" and "name" not in nodes[above].get("escaped", ()):
            above = parent_of(above)
        if above != "/":
            raise NotAnArchive("cannot be read: its name holds characters that are shown escaped here", path=path)
        if node["kind"] not in ("group", "array"):
            raise NotAnArchive(f"cannot be read: {node['reason']}: {node['detail']}", path=path)
        if node["kind"] == "array":
            require_decodable(path, node, self.description["container"])
        return node


def open(path: str | os.PathLike[str]) -> Archive:
    """Open an archive for reading; of a remote archive, chunks are fetched when they are read.

    Up to 16 MiB of what was decoded last is kept for the next time that it is asked for.

    Parameters:
        path: A file, a folder or a URL.

    Returns:
        The open archive, which a `with` block closes.

    Raises:
        NotAnArchive: The path cannot be read as an archive.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:
        ...     layer = archive["/activations/layer_00"]
        ...     print(layer.axes, layer[0, :2].shape)
        ('prompt', 'position', 'width') (2, 8)
    """
    place = local_path(os.fspath(path))
    container = open_container(place)
    try:
        return Archive(archive_name(place), describe_open(container), container)
    except BaseException:
        container.close()
        raise


def source_of(archive: Archive, path: str) -> Selectable:
    """Return what the array at `path` is read from; its node is not checked."""
    return archive._source(path)


def require_decodable(path: str, node: Node, container: Mapping[str, Any]) -> None:
    """Raise `NotAnArchive` for an array in a codec that is not decoded here.

    `container` is the block of that name of the description.
    """
    unknown = [name for name in undecoded(container, node) if node["dtype"] != "string" or name != "vlen-utf8"]
    if unknown:
        found = f"{', '.join(unknown)}, which vizschema does not read"
        raise NotAnArchive("cannot be read", path=path, expected="codecs that are decoded here", found=found)
