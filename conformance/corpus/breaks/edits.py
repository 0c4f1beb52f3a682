"""The words that the tables of breaks are written in: edits of a document, of its description, or of the written archive.

Every edit changes a primary field; what follows from it (`axes`, `series`, sizes of chunks, facts) is derived again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from vizschema import description

Change = Callable[[dict[str, Any]], object]
Stage = Literal["document", "description", "damage"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: of the archive document, of the primary parts of its description, or of the archive on disk."""

    stage: Stage
    apply: Change


@dataclass(frozen=True, slots=True)
class Break:
    """A change to a conforming archive that breaks `rule`, and those in `also` with it; a neighbour breaks nothing.

    One that breaks a rule at `several` places is certified with each of them.
    """

    rule: str
    profile: str
    slug: str
    why: str
    edits: tuple[Edit, ...]
    kind: Literal["broken", "neighbour"] = "broken"
    values: bool = False
    also: tuple[str, ...] = ()
    base: str = ""
    several: bool = False

    @property
    def level(self) -> str:
        """`archive`, or `description` where only a description can be changed so."""
        return "description" if any(edit.stage == "description" for edit in self.edits) else "archive"

    @property
    def name(self) -> str:
        """`<rule>/<slug>`, with the profile where it is not trace."""
        own = self.profile == "trace" or self.profile in self.slug.split("-")
        return f"{self.rule}/{self.slug}" + ("" if own else f"-{self.profile}")

    def stage(self, stage: Stage, target: dict[str, Any]) -> dict[str, Any]:
        """`target`, changed in place by the edits of one stage; raises `KeyError` where they have nothing to change."""
        for edit in self.edits:
            if edit.stage == stage:
                edit.apply(target)
        return target


def broken(
    rule: str, profile: str, slug: str, why: str, *edits: Edit, values: bool = False, also: Sequence[str] = ()
) -> Break:
    """A break of `rule` in a conforming archive of `profile`."""
    return Break(rule, profile, slug, why, edits, "broken", values, tuple(also), profile)


def valid(rule: str, profile: str, slug: str, why: str, *edits: Edit, values: bool = False) -> Break:
    """A neighbour of `rule`: it looks like a breach, and conforms."""
    return Break(rule, profile, slug, why, edits, "neighbour", values, (), profile)


AXES: Mapping[str, int] = {"window": 4, "entry": 7, "end": 2, "xyz": 3, "atom": 37, "one": 1}
"""Sizes of axes that a base does not have; any other is 6."""


def array(
    axes: str, dtype: str = "float32", contents: Mapping[str, Any] | None = None, **attributes: Any
) -> dict[str, Any]:
    """The node of an array over `axes`, separated by spaces."""
    filled = contents or {"pattern": "smooth", "seed": len(axes)}
    return {"kind": "array", "dtype": dtype, "axes": axes.split(), "contents": dict(filled), "attributes": attributes}


def weights(axes: str, seed: int) -> dict[str, Any]:
    """Contents over `axes` of which the rows along the axis with the role key, or along the last one, sum to 1."""
    keys = [place for place, name in enumerate(axes.split()) if name.endswith(":key")]
    return {"pattern": "softmax", "seed": seed, **({"along": keys[0]} if keys else {})}


def group(**attributes: Any) -> dict[str, Any]:
    """The node of a group."""
    return {"kind": "group", "attributes": attributes}


def on_document(apply: Change) -> Edit:
    """Any change of the document."""
    return Edit("document", apply)


def attribute(path: str, name: str, value: Any) -> Edit:
    """Set an attribute."""
    return on_document(lambda document: document["nodes"][path]["attributes"].__setitem__(name, value))


def no_attribute(path: str, name: str) -> Edit:
    """Remove an attribute."""
    return on_document(lambda document: document["nodes"][path]["attributes"].__delitem__(name))


def put(path: str, key: str, value: Any) -> Edit:
    """Set a field of a node."""
    return on_document(lambda document: document["nodes"][path].__setitem__(key, value))


def without(*paths: str) -> Edit:
    """Remove nodes with all below them."""

    def apply(document: dict[str, Any]) -> None:
        for path in paths:
            below = [name for name in document["nodes"] if name == path or name.startswith(f"{path}/")]
            if not below:
                raise KeyError(path)
            for name in below:
                del document["nodes"][name]

    return on_document(apply)


def add(path: str, node: Mapping[str, Any]) -> Edit:
    """Add a node, or put it in the place of another."""

    def apply(document: dict[str, Any]) -> None:
        for axis in node.get("axes") or ():
            root = (axis or "").partition(":")[0]
            if root and "shape" not in node:
                document["sizes"].setdefault(root, AXES.get(root, 6))
        document["nodes"][path] = deepcopy(dict(node))

    return on_document(apply)


def move(source: str, target: str) -> Edit:
    """Rename a node and all below it."""

    def apply(document: dict[str, Any]) -> None:
        nodes = document["nodes"]
        names = [name for name in nodes if name == source or name.startswith(f"{source}/")]
        if not names:
            raise KeyError(source)
        for name in names:
            nodes[target + name[len(source) :]] = nodes.pop(name)

    return on_document(apply)


def axes(path: str, names: str, dtype: str | None = None) -> Edit:
    """Give an array other axes, and what fills any shape; its attributes stay."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        softmax = node["contents"]["pattern"] == "softmax" and names
        contents = weights(names, 77) if softmax else {"pattern": "smooth", "seed": 77}
        changed = array(names, dtype or node["dtype"], contents, **node["attributes"])
        add(path, changed).apply(document)

    return on_document(apply)


def axis(path: str, place: int, name: str | None) -> Edit:
    """Rename one axis of an array, or take its name away; the shape stays."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        if "shape" not in node:
            node["shape"] = [document["sizes"][each.partition(":")[0]] for each in node["axes"]]
        node["axes"] = [name if at == place else each for at, each in enumerate(node["axes"])]

    return on_document(apply)


def no_axes(path: str) -> Edit:
    """Take all names of axes away."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        node["shape"] = [document["sizes"][each.partition(":")[0]] for each in node["axes"]]
        node["axes"] = None

    return on_document(apply)


def resize(path: str, place: int, size: int) -> Edit:
    """Give one array another size along one axis."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        node["shape"] = [document["sizes"][each.partition(":")[0]] for each in node["axes"]]
        node["shape"][place] = size
        if node["contents"]["pattern"] not in ("softmax", "normal", "uniform", "mask", "classes"):
            node["contents"] = {"pattern": "smooth", "seed": 78}

    return on_document(apply)


def sized(name: str, size: int) -> Edit:
    """Give an axis another size in the whole archive."""
    return on_document(lambda document: document["sizes"].__setitem__(name, size))


def filled(path: str, **contents: Any) -> Edit:
    """Fill an array otherwise."""
    return on_document(lambda document: document["nodes"][path].__setitem__("contents", contents))


def damage(kind: str, at: str, to: str | None = None) -> Edit:
    """Damage the archive after it was written."""
    done = {"kind": kind, "at": at, **({} if to is None else {"to": to})}
    return Edit("damage", lambda target: target.setdefault("damage", []).append(done))


def on_description(apply: Change) -> Edit:
    """Any change of the primary parts of the description."""
    return Edit("description", apply)


def measured(path: str, *keys: str, value: Any) -> Edit:
    """Set a field of a node of the description."""

    def apply(parts: dict[str, Any]) -> None:
        target = parts["nodes"][path]
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return on_description(apply)


def unmeasured(path: str, *keys: str) -> Edit:
    """Remove a field of a node of the description."""

    def apply(parts: dict[str, Any]) -> None:
        target = parts["nodes"][path]
        for key in keys[:-1]:
            target = target[key]
        del target[keys[-1]]

    return on_description(apply)


def fact(path: str, **facts: Any) -> Edit:
    """Set facts of an array."""
    return on_description(lambda parts: parts["nodes"][path]["facts"].update(facts))


def found_at(path: str, reason: str) -> Edit:
    """Put a node that is damaged, dangerous or stray in the place of what is there, with all below it gone."""

    def apply(parts: dict[str, Any]) -> None:
        nodes = parts["nodes"]
        for name in [name for name in nodes if name == path or name.startswith(f"{path}/")]:
            del nodes[name]
        nodes[path] = description.fault(reason, "for a reason")

    return on_description(apply)
