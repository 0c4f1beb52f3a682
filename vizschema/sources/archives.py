"""An archive of any container as items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from vizschema.description import Description, Node
from vizschema.reader.archive import Archive
from vizschema.reader.archive import open as open_archive
from vizschema.sources.item import Item, Values


def items_of(path: str, prefix: str, stack: ExitStack) -> Iterator[Item]:
    """The items of the archive at `path`, below `prefix`; it is open as long as `stack` is."""
    archive = stack.enter_context(open_archive(path))
    description: Description = archive.description
    for place, node in description["nodes"].items():
        yield _item((prefix + place.rstrip("/")) or "/", place, node, archive)
        for name in node.get("stray", ()):
            yield Item(f"{prefix}{place.rstrip('/')}/{name}", "stray", reason="not part of the archive's format")


def _item(path: str, place: str, node: Node, archive: Archive) -> Item:
    if node["kind"] not in ("array", "group"):
        return Item(path, node["kind"], reason=f"{node['reason']}: {node['detail']}")
    found = Item(path, node["kind"], node["attributes"], node.get("unsupported", {}))
    if node["kind"] == "group":
        return found

    def read() -> Values:
        return np.asarray(archive[place], order="C")

    axes = None if node["axes"] is None else tuple(node["axes"])
    shape = tuple(node["shape"])
    return replace(found, dtype=node["dtype"], shape=shape, axes=axes, size=node["bytes"] or 0, read=read)
