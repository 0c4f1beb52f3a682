"""What a wrong implementation is: this package with one fault, in one role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.description import Description

Nodes = Mapping[str, RawNode]


@dataclass(frozen=True, slots=True)
class Wrong:
    """An implementation by its name, its role, its fault in words, and one change that makes the fault.

    `description` is changed before it is judged; `archive` on disk before it is described (true where it was changed);
    `findings` after judging; `nodes`, as they are read by a reader, or as a writer gets them. What does not apply is
    returned as it is. `facts` measures those of nodes, as the entries of `facts.json` ask for them. With `written`, a writer says this whatever it is asked for.
    """

    name: str
    role: str
    fault: str
    description: Callable[[Description], Description] | None = None
    archive: Callable[[Path], bool] | None = None
    findings: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    nodes: Callable[[Nodes], Nodes] | None = None
    written: bool | None = None
    facts: Callable[[Nodes, Sequence[Mapping[str, Any]]], Mapping[str, Mapping[str, Any]]] | None = None
