"""A description that is being changed: nodes under new names, and where the values of each come from. Opens nothing.

What was changed is read off a draft at its end, so that a writer needs no list of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from vizschema.description import ITEM_BYTES, Description, Node, array, complete, group, parent_of, storage

_DERIVED = frozenset({"members", "ambiguous", "coordinate", "roles", "references", "unused_scopes"})
"""Fields of nodes that follow from others."""

_LINKS = ("mask", "scale", "sink")
"""Attributes that are the path of another array."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a fix makes.

    Attributes:
        fix: The name of the fix, in `spec/fixes.toml`.
        rule: The rule that is broken there.
        path: Where: a node of the archive as it was before the change.
        words: What was changed.

    Examples:
        >>> fixed = vizschema.fix("unfixed.zarr")
        >>> print(fixed.changes[0].fix, fixed.changes[0].path)
        index-width /activations
    """

    fix: str
    rule: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Absorbed:
    """An array, or a group of them, that becomes an attribute: `path` in the archive, and the attribute of `holder`."""

    path: str
    holder: str
    keys: tuple[str, ...]


@dataclass(slots=True)
class Draft:
    """The nodes of an archive by their new paths.

    `origin` is the path of each in the archive; a node without one is new. `recut` has the new chunks of arrays whose
    values are to be stored again, `absorbed` the arrays that become attributes. `stale` is set once other facts may
    be asked of the draft than those that are known.
    """

    container: Mapping[str, Any]
    values: str
    nodes: dict[str, Node]
    origin: dict[str, str] = field(default_factory=dict)
    recut: dict[str, tuple[int, ...]] = field(default_factory=dict)
    absorbed: list[Absorbed] = field(default_factory=list)
    stale: bool = False

    @classmethod
    def of(cls, description: Description) -> Draft:
        """A draft in which nothing is changed yet."""
        nodes = {path: _primary(node) for path, node in description["nodes"].items()}
        return cls(description["container"], description["values"], nodes, {path: path for path in nodes})

    def copy(self) -> Draft:
        """Another draft, which may be changed alone."""
        other = copy(self)
        other.nodes = dict(self.nodes)
        other.origin = dict(self.origin)
        other.recut = dict(self.recut)
        other.absorbed = list(self.absorbed)
        return other

    def description(self, *, structure: bool = False) -> Description:
        """The description that the archive will have; with `structure`, without what is known of the values."""
        nodes = {path: dict(node) for path, node in self.nodes.items()}
        if structure:
            for node in nodes.values():
                node.pop("facts", None)
        return complete(self.container, nodes, "not_read" if structure else self.values)

    @property
    def new_paths(self) -> dict[str, str]:
        """The path that each node of the archive has now; those that are gone are missing."""
        return {old: new for new, old in self.origin.items()}

    def below(self, path: str) -> list[str]:
        """`path` and every path below it."""
        prefix = f"{path.rstrip('/')}/"
        return [each for each in self.nodes if each == path or each.startswith(prefix)]

    def rename(self, moves: Mapping[str, str]) -> None:
        """Move nodes with all below them, from path to path; attributes that name one of them follow.

        The new paths must be free, and none of the nodes below another one.
        """
        self.stale = True
        moved = {path: _moved(path, moves) for path in self.nodes}
        self.nodes = {moved[path]: node for path, node in self.nodes.items()}
        self.origin = {moved[path]: old for path, old in self.origin.items()}
        self.recut = {moved[path]: cut for path, cut in self.recut.items()}
        for path, node in list(self.nodes.items()):
            for key in _LINKS:
                target = node.get("attributes", {}).get(key)
                if isinstance(target, str) and moved.get(target, target) != target:
                    self.set(path, key, moved[target])

    def set(self, path: str, key: str, value: Any) -> None:
        """Set an attribute."""
        self.stale = self.stale or key in _LINKS
        node = self._changed(path)
        node["attributes"] = {**node["attributes"], key: value}

    def unset(self, path: str, key: str) -> None:
        """Remove an attribute."""
        node = self._changed(path)
        node["attributes"] = {name: value for name, value in node["attributes"].items() if name != key}

    def name_axes(self, path: str, axes: Sequence[str | None]) -> None:
        """Give an array axis names; its facts no longer count."""
        node = self._changed(path)
        cut = node["storage"]
        item = item_bytes(node)
        shard = None if cut is None or cut["shards"] is None else cut["shards"]["shape"]
        named = array(node["dtype"], node["shape"], axes, node["attributes"], None, item_bytes=item)
        if cut is not None:
            named["storage"] = storage(
                node["shape"], axes, item, chunks=cut["chunks"], shard=shard, codecs=cut["codecs"]
            )
        kept = {key: value for key, value in node.items() if key not in named and key != "axes_detail"}
        self.nodes[path] = {**named, **kept}
        self.stale = True

    def cut(self, path: str, chunks: Sequence[int], codecs: Sequence[str]) -> None:
        """Store the values of an array again, in chunks of this shape, without shards, in `codecs`."""
        node = self._changed(path)
        node["storage"] = storage(
            node["shape"], node["axes"], item_bytes(node), chunks=chunks, shard=None, codecs=codecs
        )
        self.recut[path] = tuple(chunks)

    def add_group(self, path: str) -> None:
        """Add a group, and those above it."""
        while path not in self.nodes:
            self.nodes[path] = group({})
            path = parent_of(path)

    def absorb(self, path: str, holder: str, value: Any) -> None:
        """Turn the node at `path` with all below it into an attribute of the group `holder`, called like the node.

        `value` stands for it: arrays in it are read when it is written.
        """
        name = path.rpartition("/")[2]
        for each in self.below(path):
            if self.nodes[each]["kind"] == "array":
                steps = each[len(path) + 1 :].split("/") if each != path else []
                self.absorbed.append(Absorbed(self.origin[each], holder, (name, *steps)))
            del self.nodes[each], self.origin[each]
        self.set(holder, name, value)

    def _changed(self, path: str) -> Node:
        node = self.nodes[path] = dict(self.nodes[path])
        return node


def item_bytes(node: Node) -> int:
    """The bytes of an item of an array."""
    size = math.prod(node["shape"])
    return ITEM_BYTES.get(node["dtype"]) or (int(node["bytes"]) // size if size else 1)


def _moved(path: str, moves: Mapping[str, str]) -> str:
    """Where `path` is once the nearest node above it, or it itself, was moved."""
    above = path
    while above != "/":
        if above in moves:
            return moves[above] + path[len(above) :]
        above = parent_of(above)
    return path


def _primary(node: Node) -> Node:
    return {key: value for key, value in node.items() if key not in _DERIVED}
