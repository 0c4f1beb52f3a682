"""Tables as values: rows, rules, and the parts that they are made of. Nothing is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vizschema.rules.tables.paths import Steps, pattern

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema


OWN = "..."
"""What ends a list of axes after which an array has one axis or more of its own."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row as it is written: its path, the value of each column that it has, and the name of the table that has it."""

    path: str
    columns: Mapping[str, Any]
    home: str

    @property
    def axes(self) -> tuple[str, ...]:
        """The alternatives of the axes, each as a text."""
        axes = self.columns["axes"]
        return (axes,) if isinstance(axes, str) else tuple(axes)

    @property
    def need(self) -> str:
        """How much the row is needed."""
        return str(self.columns.get("need", "no"))


@dataclass(frozen=True, eq=False)
class Node:
    """A row with its sets chosen: the steps of its path, and the alternatives of its axes, each a list of names."""

    row: Row
    steps: Steps
    axes: tuple[tuple[str, ...], ...]

    @property
    def scopes(self) -> dict[str, Steps]:
        """Where the label of each axis of the row may be that has a scope: a group above the array, or the array."""
        at = self.row.columns.get("scopes", {})
        return {axis: self.steps[: len(path[1:].split("/"))] for axis, path in at.items()}

    @property
    def full_axes(self) -> tuple[tuple[str, ...], ...]:
        """The alternatives that name every axis."""
        return tuple(axes for axes in self.axes if OWN not in axes)

    def stands_for(self, path: str) -> bool:
        """Whether the array at `path` is one of this row."""
        return re.search(pattern([self.steps]), path) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a table states it: what it judges (column → selectors of rows), and its level and texts where given.

    A rule of a table that is built on selects among the rows `among` alone.
    """

    id: str
    judges: Mapping[str, Sequence[str]]
    level: str | None = None
    title: str | None = None
    why: str | None = None
    fix: str | None = None
    among: frozenset[str] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """A table with its parts. `is_own`: it is a user's, not the specification's.

    `version` is what it builds on, `base` where its `$id`s begin; `also` are rules in JSON Schema, by level. What it
    takes from a table that it extends is in it; `tightened` are the nodes that it states again, as they were and are.
    """

    name: str
    path: Path
    version: str
    is_part: bool
    is_own: bool
    base: str
    of: str
    recognized_by: tuple[str, ...]
    sets: Mapping[str, Sequence[str]]
    sizes: Mapping[str, int]
    nodes: tuple[Node, ...]
    rules: tuple[Rule, ...]
    parts: tuple[Part, ...]
    also: Mapping[str, Sequence[Schema]]
    tightened: tuple[tuple[Node, Node], ...] = ()

    def all_parts(self) -> list[Part]:
        """The parts, and theirs, each once, those that others are made of first."""
        found: dict[str, Part] = {}
        for part in self.parts:
            for each in (*part.table.all_parts(), part):
                found.setdefault(each.table.base, each)
        return list(found.values())

    def all_nodes(self) -> list[Node]:
        """The nodes of the parts and of the table."""
        return [*(node for part in self.all_parts() for node in part.table.nodes), *self.nodes]

    def all_sizes(self) -> dict[str, int]:
        """The sizes of axes, of the parts and of the table."""
        sizes = {axis: size for part in self.all_parts() for axis, size in part.table.sizes.items()}
        return {**sizes, **self.sizes}


@dataclass(frozen=True, slots=True)
class Part:
    """A part as a table names it, whether it is one of the specification, and its table."""

    name: str
    is_shipped: bool
    table: Table

    def folder(self, table: Table) -> str:
        """Where what is built of the part is, seen from what is built of a table that names it."""
        return f"../{self.name}" if table.is_part and table.is_own != self.is_shipped else f"parts/{self.name}"
