"""An archive of any container as items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from vizschema.containers.values import Region
from vizschema.description import Description, Node
from vizschema.reader.archive import Archive, source_of
from vizschema.reader.archive import open as open_archive
from vizschema.reader.arrays import StoredArray
from vizschema.sources.item import Item, Values
from vizschema.sources.pickled.files import member
from vizschema.sources.shelf import Shelf

_NPZ = "npz"
"""The format with pickled members, and with a checksum of each array that no part of it is compared with."""


def items_of(path: str, prefix: str, shelf: Shelf) -> Iterator[Item]:
    """The items of the archive at `path`, below `prefix`; values are read as long as `shelf` is open."""
    description: Description = shelf.get(path, open_archive).description
    is_npz = description["container"]["format"] == _NPZ
    for place, node in description["nodes"].items():
        above = prefix + place.rstrip("/")
        if is_npz and node.get("reason") == "pickle":
            yield from member(path, place, above, shelf)
            continue
        yield _item(above or "/", place, node, lambda: shelf.get(path, open_archive), is_summed=is_npz)
        for name in node.get("stray", ()):
            yield Item(f"{prefix}{place.rstrip('/')}/{name}", "stray", reason="not part of the archive's format")


def _item(path: str, place: str, node: Node, archive: Callable[[], Archive], *, is_summed: bool) -> Item:
    if node["kind"] not in ("array", "group"):
        return Item(path, node["kind"], reason=f"{node['reason']}: {node['detail']}")
    found = Item(path, node["kind"], node["attributes"], node.get("unsupported", {}))
    if node["kind"] == "group":
        return found
    unchecked = is_summed

    def read(region: Region = ()) -> Values:
        nonlocal unchecked
        array = archive()[place]
        assert isinstance(array, StoredArray)  # its node is one  # noqa: S101
        if unchecked and region:
            source_of(archive(), place).check()
        unchecked = False
        return np.asarray(array[region or ...], order="C")

    axes = None if node["axes"] is None else tuple(node["axes"])
    shape = tuple(node["shape"])
    chunks = node["storage"]["chunks"] if node["storage"] else [1] * len(shape)
    lying = tuple(chunks) if node["storage"] or source_of(archive(), place).by_range else None
    return replace(found, dtype=node["dtype"], shape=shape, axes=axes, size=node["bytes"] or 0, chunks=lying, read=read)
