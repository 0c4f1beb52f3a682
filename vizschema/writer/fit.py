"""Whether a node fits the archive that is being captured: judged beside a few witnesses, however many there are."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vizschema.description import Node, axis_key
from vizschema.errors import NotConforming
from vizschema.rules.verdict import Chosen, report_of
from vizschema.text import escape_name
from vizschema.writer import plan
from vizschema.writer.forms.base import Form
from vizschema.writer.judging import described
from vizschema.writer.refusal import family, lasting, refusal


class Nodes:
    """The nodes of an archive that is being captured, and those that bear witness to sizes of axes and to series."""

    def __init__(self, target: Path, form: Form, chosen: Chosen) -> None:
        self.nodes: dict[str, Node] = {}
        self.attributes: dict[str, dict[str, Any]] = {}
        self.growing: dict[str, tuple[str, ...]] = {}
        self._target = target
        self._form = form
        self._chosen = chosen
        self._witnesses: dict[str, str] = {}
        self._grown: set[str] = set()

    def keep(self, place: str, node: Node) -> None:
        """Remember the node at `place`; of a group, its attributes too."""
        self.nodes[place] = node
        if node["kind"] == "group":
            self.attributes.setdefault(place, {})
        self._witnesses.setdefault(family(place), place)
        for name in node.get("axes") or ():
            if name not in self.growing.get(place, ()):
                self._witnesses.setdefault(axis_key(self.nodes, place, name), place)

    def grows(self, place: str, along: Sequence[str]) -> None:
        """Remember that the array at `place`, which is known, grows along these axes: no witness of their sizes."""
        self.growing[place] = tuple(along)
        for name in along:
            key = axis_key(self.nodes, place, name)
            self._grown.add(key)
            if self._witnesses.get(key) == place:
                del self._witnesses[key]

    def keep_group(self, place: str, attributes: Mapping[str, Any]) -> None:
        """Remember a group and its attributes, added to those that it has."""
        scoped = place in self.nodes and any(key.startswith("scope_") for key in attributes)
        attributes = {**self.attributes.get(place, {}), **attributes}
        self.attributes[place] = attributes
        self.keep(place, plan.plan_group(place, attributes))
        if scoped:  # the arrays below have another scope from now on
            self._witnesses.clear()
            self._grown.clear()
            for each, node in self.nodes.items():
                self.keep(each, node)
            for each, names in self.growing.items():
                self.grows(each, names)

    def missing(self, place: str) -> list[str]:
        """The groups above `place` that are not there yet, outermost first."""
        return [above for above in plan.ancestors(place) if above not in self.nodes]

    def require_fit(
        self,
        place: str,
        node: Node,
        axes: Iterable[str | None],
        attributes: Mapping[str, Any] | None = None,
        facts: Node | None = None,
    ) -> None:
        """Raise `NotConforming` for faults of `node` alone, or of its axes and series together with existing nodes.

        The nodes looked at are the node, those above it, `/metadata`, and one witness for each axis and for the series:
        a few, however many were written. With `attributes`, only they are looked at; with `facts`, values too.
        """
        known = ChainMap({place: node}, self.nodes)
        keys = [key for key in (axis_key(known, place, name) for name in axes if name) if key not in self._grown]
        named = [value for value in node["attributes"].values() if isinstance(value, str) and value.startswith("/")]
        witnesses = [self._witnesses.get(key, "/") for key in (family(place), *keys)]
        shown = ["/", "/metadata", *witnesses, *(path for path in named if path in self.nodes)]
        absent = [path for path in named if path not in self.nodes]
        nodes: dict[str, Node] = {}
        for each in (*shown, place):
            for above in (*plan.ancestors(each), each):
                nodes[above] = dict(self.nodes.get(above) or plan.plan_group(above, {}))
        nodes[place] = node
        description = plan.plan_description(nodes, self._form)
        if facts is not None:
            description = described(description, {escape_name(place): facts})
        report = report_of(description, str(self._target), self._chosen, errors_only=True)
        lasts = lasting(place, keys, attributes, [key for key, value in node["attributes"].items() if value in absent])
        findings = tuple(filter(lasts, report.errors))
        if findings:
            refused = replace(report, findings=findings)
            raise NotConforming(f"was not written: {refusal(refused)}", refused, path=place)
