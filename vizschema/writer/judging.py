"""Values that are measured as they pass on their way into an archive, by the facts that validation measures."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy.typing as npt

from vizschema.bounds import MEMORY
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, Values
from vizschema.description import Description, Node
from vizschema.scan.array import ScannedArray
from vizschema.scan.coverage import coverage_of, readable
from vizschema.scan.facts import Entry, asked_of
from vizschema.scan.facts.base import quiet
from vizschema.scan.threads import scan
from vizschema.text import escape_name

_OTHERS = ("with", "axis")
"""Keys of an entry by which a fact depends on other nodes."""

_NAMING = ("with_attribute", "share_attribute", "starts_attribute")
"""Keys of an entry that are the name of an attribute, which names another node where an array has it."""


class Passing:
    """The facts of one array, measured from its regions in any order and on any thread."""

    def __init__(self, path: str, node: Node, entries: Sequence[Entry]) -> None:
        place = escape_name(path)
        alone = [entry for entry in entries if not _needs_others(entry, node)]
        description = {"nodes": {place: node}, "axes": {}}
        self.is_whole = len(alone) == len(entries) or asked_of(entries, place, node) == asked_of(alone, place, node)
        self._array = ScannedArray(_Nothing(), description, place, alone, MEMORY)
        self._array.expect_blocks()
        self._lock = threading.Lock()

    def see(self, start: tuple[int, ...], values: npt.NDArray[Any]) -> None:
        """Take in the values of a region that begins at `start`."""
        with self._lock, quiet():
            self._array.take(Block(start, values))

    def facts(self) -> Node:
        """The facts, after all regions were seen; those that depend on other nodes are missing."""
        return self._array.facts()


class _Nothing:
    """No arrays beside the one that passes."""

    def values(self, path: str) -> Values:
        """Never called: facts that need another array are measured at completion."""
        raise NotImplementedError(path)


def _needs_others(entry: Entry, node: Node) -> bool:
    named = (entry.get(key) in node["attributes"] for key in _NAMING)
    return any(key in entry for key in _OTHERS) or any(named)


def with_facts(
    description: Description, measured: Mapping[str, Node], entries: Sequence[Entry], archive: Path
) -> Description:
    """`description` with facts of all arrays: those `measured`, and for the others what is read back from `archive`."""
    facts = {escape_name(path): found for path, found in measured.items()}
    missing = [path for path in readable(description) if path not in facts]
    if missing:
        with closing(open_container(os.fspath(archive))) as container:
            facts.update(scan(container, description, entries, paths=missing).facts)
    return described(description, facts)


def described(description: Description, facts: Mapping[str, Node]) -> Description:
    """`description` as of an archive whose values were read, with `facts` of arrays by path."""
    nodes = {
        path: {**node, "facts": facts[path]} if path in facts else node for path, node in description["nodes"].items()
    }
    coverage = coverage_of(description)
    coverage |= {"chunks_read": coverage["chunks"], "bytes_read": coverage["bytes"]}
    return {**description, "values": "read", "nodes": nodes, "coverage": coverage}
