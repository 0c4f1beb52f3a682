"""`archives`: logical archives that conform, to be described in memory and written in any container."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from vizschema import description
from vizschema.conformance.corpus.documents import describe_document, write_document
from vizschema.conformance.corpus.materialise import Document, materialise
from vizschema.conformance.generator.broad import added, features, shown
from vizschema.conformance.generator.constraints import Partial, holds
from vizschema.conformance.generator.nodes import Draft, array_of, attributes_of, fill
from vizschema.conformance.generator.tree import Need, Tree, declared, first, names_of, trees
from vizschema.conformance.generator.values import merged
from vizschema.description import Description
from vizschema.rules import versions
from vizschema.rules.versions import Profile
from vizschema.writer.write import Array


@dataclass(frozen=True, eq=False, repr=False)
class Archive:
    """A logical archive: `document` as `materialise.py` reads it, and the profile and version that it is of."""

    document: Document
    profile: Profile

    def __repr__(self) -> str:
        return "\n".join([f"Archive of {self.profile.name} {self.profile.version}", *shown(self.document)])

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))

    def description(self, container: str = "zarr-v3", *, values: bool = True) -> Description:
        """The description that the archive has in `container`, made in memory; with `values` the facts are measured."""
        parts = describe_document(self.document, container, self.profile if values else None)
        return description.complete(parts["container"], parts["nodes"], parts["values"])

    def write(self, path: Path, container: str = "zarr-v3") -> None:
        """Write it to `path`, which must not exist; `container` is a key of `corpus.raw.CONTAINERS`."""
        write_document(self.document, container, path)

    def arrays(self) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        """Arrays and attributes by path, as `vizschema.write` takes them."""
        made: tuple[dict[str, Array], dict[str, dict[str, Any]]] = materialise(self.document)
        return made


class _Named(Profile):
    """A profile that Hypothesis shows by its name."""

    def __repr__(self) -> str:
        return f"<profile {self.name} {self.version}>"


def profile_of(profile: str | Profile, version: str) -> Profile:
    """The profile of this name, or in this folder; a loaded one is itself. Raises `SpecError` where there is none."""
    return _named(profile if isinstance(profile, Profile) else versions.load(version).profile(profile))


@functools.lru_cache(maxsize=32)
def _named(profile: Profile) -> Profile:
    return _Named(**{each.name: getattr(profile, each.name) for each in fields(profile)})


def archives(profile: str | Profile, version: str = "1.0.0") -> st.SearchStrategy[Archive]:
    """Archives that conform to `profile` (a name, the folder of a profile of one's own, or a loaded one).

    Neither a rule nor a recommendation is broken. Nothing is drawn and thrown away. Raises `SpecError` where there is
    no such profile, and `ValueError`, once drawn, where its schemas ask for what nothing obeys.
    """
    return _reported(profile_of(profile, version), version)


@st.composite
def _reported(draw: st.DrawFn, profile: Profile, version: str) -> Archive:
    """An archive, with an event for each thing that it has of `AIMS`."""
    archive: Archive = draw(drawn(profile, version, (), 1, broad=True))
    for feature in sorted(features(archive.document)):
        event(feature)
    return archive


@st.composite
def drawn(
    draw: st.DrawFn, profile: Profile, version: str, needs: Sequence[Need], least: int, *, broad: bool = False
) -> Archive:
    """An archive with the nodes that are needed, too; axes and families are `least` long at the least.

    A `broad` one may have long series, large axes, and what its schemas do not speak of.
    """
    tree = draw(trees(profile, needs, least, broad=broad))
    draft = Draft(draw, profile, wishes=needs, least=least, large=broad and len(tree.kinds) <= 24)
    nodes: dict[str, Any] = {"/": _group(draft, tree, "/", version)}
    for template, kind in sorted(tree.kinds.items()):
        path = first(template)
        node = array_of(draft, path) if kind == "array" else _group(draft, tree, template, version)
        for each in tree.paths(template):
            nodes[each] = {**node, "attributes": dict(node["attributes"])}
            if kind == "array":
                draft.shapes[each] = draft.shapes[path]
    for template, kind in sorted(tree.kinds.items()):
        if kind == "array":
            _fill(draft, nodes, tree.paths(template))
    _declare_sizes(draft, nodes)
    if broad:
        added(draw, nodes, free=all(names_of(profile).holds(each) for each in ("/extra", "/extra/x/y")))
    return Archive({"profile": profile.name, "sizes": dict(draft.sizes), "nodes": nodes}, profile)


def _fill(draft: Draft, nodes: dict[str, Any], paths: Sequence[str]) -> None:
    """Give the members of a family contents of one kind, each by a seed of its own."""
    for number, path in enumerate(paths):
        if number < 2:
            fill(draft, path, nodes[path])
        else:
            made = nodes[paths[1]]["contents"]
            nodes[path]["contents"] = {**made, "seed": made["seed"] + number} if "seed" in made else made


def _group(draft: Draft, tree: Tree, template: str, version: str) -> dict[str, Any]:
    """The group, which counts its families."""
    path = first(template)
    attributes = attributes_of(draft, path, Partial(kind="group"))
    if template == "/":
        attributes = {**attributes, "spec_version": version, "profile": draft.profile.name}
    for family, count in tree.counts.items():
        if description.parent_of(family) == template and declared(draft.profile, family):
            attributes[f"num_{family.rpartition('/')[2].removesuffix('_#')}s"] = count
    if template in tree.partial:
        attributes["partial"] = True
    return {"kind": "group", "attributes": attributes}


def _declare_sizes(draft: Draft, nodes: dict[str, Any]) -> None:
    """Say some sizes in `/metadata`, where there is one."""
    names = merged(draft.ask("/metadata", Partial(kind="group"), "attributes")).names
    axes = [axis for axis in sorted(draft.sizes) if all(holds(schema, f"size_{axis}") for schema in names)]
    if "/metadata" in nodes and axes:
        for axis in draft.draw(st.lists(st.sampled_from(axes), max_size=2, unique=True), label="declared sizes"):
            nodes["/metadata"]["attributes"][f"size_{axis}"] = draft.sizes[axis]
