"""The HDF5 container: links one by one, each object decided by its link, type and layout before more of it is asked.

Uses h5py's low-level interface. Follows hard links only. To describe, it reads attributes and never a value of a
dataset, so that no filter, no other file and no virtual source is ever touched; `values` is in `hdf5_chunks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from h5py import h5d, h5g, h5l, h5o

from vizschema.containers.base import Limits, Watch, name_node, read_as, unwatched
from vizschema.containers.hdf5.attributes import message
from vizschema.containers.hdf5.nodes import Layout, array_node, group_node, layout_of, value_layout
from vizschema.containers.hdf5.opening import Opened, open_path
from vizschema.containers.hdf5.scales import BESIDE_DIMENSION, Link, Scales, holds_dimension, is_netcdf
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, parts_of
from vizschema.description import Node, fault, join
from vizschema.text import escape_name, escape_text, shorten

if TYPE_CHECKING:
    from vizschema.containers.bytes.sources import BufferPool
    from vizschema.containers.values import Values

PATH_LENGTH = 4096
"""Characters of a group's path, as POSIX has them; a chain of long names would multiply with all that lies below it."""

OPEN_DATASETS = 16
"""Datasets that are kept open at a time while values are read: each takes tens of KiB in libhdf5."""

_REPEATED = -1


class Hdf5:
    """An open HDF5 file, as a `Container`; `readings` are what is odd about the file around it."""

    readings: Sequence[str] = ()

    def __init__(self, opened: Opened, limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._pool: BufferPool | None = None
        self._held: dict[str, tuple[Any, Layout | None]] = {}
        self._holding = Lock()

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        identity = {"format": "hdf5", "version": None, "store": "file", "consolidated": False}
        return read_as(identity, self.readings)

    def values(self, path: str) -> Values:
        """The values of the dataset under a path that `nodes` gave; raises `ChunkDamaged` where it cannot be opened."""
        from vizschema.containers.bytes.sources import BufferPool
        from vizschema.containers.hdf5.chunks import hdf5_values  # with the codecs, which describing does not need
        from vizschema.containers.hdf5.texts import Hdf5Objects, Hdf5Texts
        from vizschema.containers.values import ChunkDamaged

        if self._opened.written is not None:
            raise ChunkDamaged("undecodable", self._opened.written, path)
        self._pool = self._pool or BufferPool()
        shown = path
        try:
            layout = self._layout(path)
            if layout is None:  # a dimension, beside the variable of its name
                parent, _, name = path.rpartition("/")
                path = f"{parent}/{BESIDE_DIMENSION.decode()}{name}"
                layout = self._layout(path)
        except LIBRARY_ERRORS as error:
            raise ChunkDamaged("undecodable", message(error), path) from None
        if not isinstance(layout, Layout):
            raise ChunkDamaged("undecodable", "it is no longer a dataset", path)
        if layout.dtype == "string":
            return Hdf5Texts(self._dataset(path), shown)
        parts = parts_of(layout.kind) if layout.dtype in ("vlen", "compound") else 0
        if parts:
            return Hdf5Objects(self._dataset(path), shown, parts)
        return hdf5_values(partial(self._dataset, path), shown, layout, self._opened.fd, self._pool)

    def _layout(self, path: str) -> Layout | Node | None:
        """What `value_layout` says; raises `TypeError` where no dataset is."""
        opened, layout = self._found(path)
        if not isinstance(opened, h5d.DatasetID):
            raise TypeError("it is not a dataset")
        return layout or value_layout(opened, self._limits, netcdf=self._netcdf)

    @cached_property
    def _netcdf(self) -> bool:
        return is_netcdf(self._opened.file)

    def _dataset(self, path: str) -> Any:
        return self._found(path)[0]

    def _found(self, path: str) -> tuple[Any, Layout | None]:
        """The object under a path that `nodes` gave, among the few held open; raises one of `LIBRARY_ERRORS`.

        With the layout of what `nodes` gave last.

        Not by `lru_cache`: a cycle of references would be taken apart by any thread, and one that fetches for libhdf5
        waits there for its lock.
        """
        with self._holding:
            held = self._held.pop(path, None)
        if held is None:
            opened = h5o.open(self._opened.file, b"/" if "\\" in path else path.encode())
            for shown in path.strip("/").split("/") if "\\" in path else ():
                opened = h5o.open(opened, _raw_name(opened, shown))
            held = opened, None
        self._hold(path, *held)
        return held

    def _hold(self, path: str, dataset: Any, layout: Layout | None) -> None:
        with self._holding:
            self._held[path] = dataset, layout
            if len(self._held) > OPEN_DATASETS:
                del self._held[next(iter(self._held))]

    def close(self) -> None:
        """Let go of the file, and of every object opened in it."""
        self._held.clear()
        if self._opened.file is not None and self._opened.file.valid:
            self._opened.file.close()
        self._opened.stream.close()

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; past the limit on nodes one `over-limit` node."""
        most = self._limits.nodes
        root, address = _root(self._opened, watch)
        scales = Scales(root, most)
        described = self._describe(root, "/", 0, most, scales)
        assert described is not None  # it is not a dataset  # noqa: S101
        node, escaped, links = described
        scales.enter(links)
        yield "/", {**node, "escaped": escaped} if escaped else node
        seen = {address: "/"}
        count = 1
        stack = [("/", root, iter(links))]
        while stack:
            parent, holder, members = stack[-1]
            link = next(members, None)
            if link is None:
                stack.pop()
                scales.leave()
                continue
            name = self._shown(holder, link, scales)
            path = join(parent, escape_name(name))
            if count >= most:
                yield path, name_node(fault("over-limit", f"more than {most} nodes"), name, [])[1]
                return
            count += 1
            opened = _follow(holder, link, path, seen, watch)
            described = self._describe(opened, path, len(stack), most - count + 1, scales)
            if described is None:
                continue
            node, escaped, links = described
            yield path, name_node(node, name, escaped)[1]
            if links:
                scales.enter(links)
                stack.append((path, opened, iter(links)))

    def _shown(self, holder: Any, link: Link, scales: Scales) -> str:
        """The name of a member: in a file of netCDF without what that library puts before it."""
        plain = link.name.removeprefix(BESIDE_DIMENSION)
        if scales.netcdf and plain != link.name and holds_dimension(holder, plain, self._limits):
            return _name(plain)
        return _name(link.name)

    def _describe(
        self, opened: Any, path: str, depth: int, most: int, scales: Scales
    ) -> tuple[Node, list[str], list[Link]] | None:
        """The node of an open object (or the node that stands for it), what was escaped in it, and its members.

        None for a dimension that is not a variable: it is not a node.
        """
        if isinstance(opened, h5d.DatasetID):
            layout = layout_of(opened)
            found = array_node(opened, layout, self._limits, scales)
            if found is None:
                return None
            if isinstance(layout, Layout) and found[0]["kind"] == "array":
                self._hold(path, opened, layout._replace(dtype=found[0]["dtype"]))
            return *found, []
        if isinstance(opened, dict):
            return opened, [], []
        if not isinstance(opened, h5g.GroupID):
            return fault("named-type", "a committed datatype"), [], []
        links, error = _links(opened, most)
        if links and (depth >= self._limits.path_depth or len(path) > PATH_LENGTH):
            detail = f"members below {self._limits.path_depth} levels or {PATH_LENGTH} characters of path"
            return fault("over-limit", detail), [], []
        if error is not None:
            return fault("damaged", f"its members cannot be listed: {error}"), [], links
        return *group_node(opened, self._limits, scales), links


def open_hdf5(path: str, limits: Limits = Limits()) -> Hdf5:  # noqa: B008  (frozen)
    """The file at `path`, open for reading; raises `NotAnArchive` where there is no HDF5 file."""
    return Hdf5(open_path(path), limits)


def _root(opened: Opened, watch: Watch) -> tuple[Any, int]:
    """The open root group (or the node that stands for it) and its address."""
    instead = watch("/")
    if instead is not None:
        return instead, -1
    if opened.written is not None:
        return fault("damaged", opened.written), -1
    try:
        root = h5o.open(opened.file, b"/")
        return root, h5o.get_info(root).addr
    except LIBRARY_ERRORS as error:
        return fault("damaged", message(error)), -1


def _links(group: Any, most: int) -> tuple[list[Link], str | None]:
    """The members of a group, at most `most`, and why there may be more than these."""
    links: dict[bytes, Link] = {}

    def collect(name: bytes, info: Any) -> bool | None:
        links[name] = Link(name, _REPEATED if name in links else info.type, info.u)
        return True if len(links) >= most else None

    try:
        group.links.iterate(collect, info=True)
    except LIBRARY_ERRORS as error:
        return list(links.values()), message(error)
    return list(links.values()), None


def _follow(holder: Any, link: Link, path: str, seen: dict[int, str], watch: Watch) -> Any:
    """The open object behind a hard link that is met for the first time, otherwise the node that stands for it."""
    instead = watch(path)
    if instead is not None:
        seen.setdefault(link.address, path)  # nor under another name
        return instead
    if link.kind == _REPEATED:
        return fault("damaged", "more than one member of the group has this name")
    if link.name in (b"", b".") or b"/" in link.name:
        return fault("damaged", f"a member named {_shown(link.name)}, which stands for another place")
    if link.name == b"..":
        return fault("metadata-invalid", "a member named .., which is not a step of a path but in HDF5")
    if link.kind != h5l.TYPE_HARD:
        return _unfollowed(holder, link)
    first = seen.setdefault(link.address, path)
    if first != path:
        return fault("internal-link", f"second hard link to {shorten(first)}")
    try:
        return h5o.open(holder, link.name)
    except LIBRARY_ERRORS as error:
        return fault("damaged", message(error))


def _unfollowed(holder: Any, link: Link) -> Node:
    if link.kind not in (h5l.TYPE_SOFT, h5l.TYPE_EXTERNAL):
        return fault("unsupported", f"a link of the user-defined type {link.kind}")
    try:
        target = holder.links.get_val(link.name)
    except LIBRARY_ERRORS as error:
        return fault("damaged", f"a link whose target cannot be read: {message(error)}")
    if link.kind == h5l.TYPE_SOFT:
        return fault("internal-link", f"soft link to {_shown(target)}")
    file, place = target
    return fault("external-link", f"link to {_shown(place)} in the file {_shown(file)}")


def _name(raw: bytes) -> str:
    """A link's name as text; U+0000, which no name holds, marks one that would be taken for another path."""
    name = raw.decode("utf-8", "surrogateescape")
    return "\0" + name.replace("/", "\0") if name in ("", ".") or "/" in name else name


def _raw_name(group: Any, shown: str) -> bytes:
    """The name of the link that a description shows as `shown`."""
    if "\\" not in shown:
        return shown.encode()
    links, _ = _links(group, 1 << 20)
    return next((link.name for link in links if escape_name(_name(link.name)) == shown), shown.encode())


def _shown(text: str | bytes) -> str:
    decoded = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    return shorten(escape_text(decoded))
