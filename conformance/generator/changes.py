"""What a break is made of: the place that is broken, the archive around it, and the words that the tables share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vizschema.conformance.corpus.breaks.edits import Edit, on_document
from vizschema.conformance.generator.applied import Applied, applied
from vizschema.conformance.generator.constraints import Place, asked, asked_of_node, holds
from vizschema.conformance.generator.drawing import Archive
from vizschema.description import Description
from vizschema.rules.versions import Profile


@dataclass(frozen=True)
class Change:
    """Edits of primary fields that break a rule; they may break those in `entailed`, too."""

    edits: tuple[Edit, ...]
    entailed: frozenset[str] = frozenset()


class Base:
    """An archive that is about to be broken, and what has a say about it."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.nodes: Mapping[str, Any] = archive.document["nodes"]
        self.sizes: Mapping[str, int] = archive.document["sizes"]

    @cached_property
    def description(self) -> Description:
        """Its description with values, as Zarr v3."""
        described: Description = self.archive.description("zarr-v3")
        return described

    @cached_property
    def applied(self) -> list[Applied]:
        """Every assertion about it."""
        found: list[Applied] = applied(self.archive.profile, self.description)
        return found

    def rules(self, *fields: str, path: str | None = None) -> frozenset[str]:
        """The rules about one of `fields`, of the node or family at `path` where it is given."""
        return frozenset(
            each.rule
            for each in self.applied
            if each.field.startswith(fields) and (path is None or (len(each.place) > 1 and each.place[1] == path))
        )

    @property
    def demands(self) -> frozenset[str]:
        """The rules that ask for nodes, members or families."""
        found = self.rules("nodes/*/members", "series/*/indices", "series/*/members")
        whole = {each.rule for each in self.applied if each.place in (("nodes",), ("series",))}
        return found | whole

    def below(self, path: str) -> list[str]:
        """The paths of a node and of all below it."""
        return [name for name in self.nodes if name == path or name.startswith(f"{path}/")]

    def children(self, path: str) -> list[str]:
        """The paths of the members of a group."""
        start = "/" if path == "/" else f"{path}/"
        return [
            name for name in self.nodes if name != path and name.startswith(start) and "/" not in name[len(start) :]
        ]

    def violated(self, place: Place, value: Any) -> set[str]:
        """The rules that `value` at `place` would break there and then."""
        profile = self.archive.profile
        if place[0] != "nodes":
            found = asked(profile, place, self.description)
        else:
            node = dict(self.description["nodes"][place[1]])
            found = asked_of_node(profile, place[1], place[2:], _with(node, place[2:], value))
        return {each.rule for each in found if each.schema and holds(each.schema, value) is False}


def _with(node: Any, steps: Place, value: Any) -> Any:
    if not steps:
        return value
    inner = node.get(steps[0], {}) if isinstance(node, dict) else {}
    return {**(node if isinstance(node, dict) else {}), steps[0]: _with(inner, steps[1:], value)}


@dataclass(frozen=True)
class Target:
    """One assertion to be broken, in one archive."""

    at: Applied
    base: Base

    @property
    def profile(self) -> Profile:
        """The profile of the archive."""
        profile: Profile = self.base.archive.profile
        return profile

    @property
    def path(self) -> str:
        """The node, axis or family that it is about."""
        path: str = self.at.place[1]
        return path

    @property
    def node(self) -> Any:
        """The node, as the document has it."""
        return self.base.nodes.get(self.path)

    @property
    def described(self) -> Any:
        """The node, as it is described."""
        return self.base.description["nodes"][self.path]

    @property
    def values(self) -> frozenset[str]:
        """The rules about the values of the node."""
        return self.base.rules("nodes/*/facts", path=self.path)

    @property
    def is_array(self) -> bool:
        """Whether the document has an array there."""
        return self.node is not None and self.node["kind"] == "array"


Breaker = Callable[[Target], Iterable[Change]]
"""From a place to the ways to break it there, none where it cannot be."""


def change(*edits: Edit, also: Iterable[str] = ()) -> Change:
    """One way to break a rule."""
    return Change(edits, frozenset(also))


def followers(target: Target) -> list[str]:
    """The arrays whose contents follow from this one."""
    pairs = ((path, node.get("contents", {})) for path, node in target.base.nodes.items())
    return [path for path, contents in pairs if target.path in (contents.get("of"), contents.get("where"))]


def released(*changed: str) -> Edit:
    """Fill what follows from arrays that are gone or have another shape with what follows from nothing."""

    def apply(document: dict[str, Any]) -> None:
        for path, node in document["nodes"].items():
            contents = node.get("contents", {})
            partners = [contents.get(key) for key in ("of", "where")]
            if (path in changed and any(partners)) or any(partner in changed for partner in partners):
                node["contents"] = _alone(contents)

    return on_document(apply)


def _alone(contents: Mapping[str, Any]) -> dict[str, Any]:
    if "of" in contents:
        return {"pattern": "listed", "values": [0, 1]}
    return {key: value for key, value in contents.items() if key != "where"}


def pruned(base: Base, *paths: str) -> list[str]:
    """`paths` with all below them, and the groups above that would be left empty."""
    gone = {name for path in paths for name in base.below(path)}
    for path in paths:
        above = path.rpartition("/")[0]
        while above and not [name for name in base.children(above) if name not in gone]:
            gone.add(above)
            above = above.rpartition("/")[0]
    return sorted(gone)


def removed(*gone: str) -> Edit:
    """Remove nodes, and the counts of families that have no member left."""

    def apply(document: dict[str, Any]) -> None:
        nodes = document["nodes"]
        for path in gone:
            nodes.pop(path, None)

    return on_document(apply)
