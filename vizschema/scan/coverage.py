"""How much of an archive is read, and what was found, put into its description. Needs no NumPy, and reads nothing."""

from __future__ import annotations

import math
from typing import NamedTuple

from vizschema.containers.formats import undecoded
from vizschema.description import ITEM_BYTES, Description, Node


class Scanned(NamedTuple):
    """What a scan found: facts by path, how much it read of how much, and whether it came to its end."""

    facts: dict[str, Node]
    coverage: dict[str, int]
    complete: bool


def readable(description: Description) -> list[str]:
    """The arrays whose values can be read: numbers or booleans, in codecs that are decoded here."""
    container = description.get("container", {})
    arrays = ((path, node) for path, node in description["nodes"].items() if node["kind"] == "array")
    return [path for path, node in arrays if node["dtype"] in ITEM_BYTES and not undecoded(container, node)]


def coverage_of(description: Description) -> dict[str, int]:
    """The coverage of a scan that has read nothing yet."""
    arrays = [node for node in description["nodes"].values() if node["kind"] == "array"]
    chunks = sum(chunk_count(node) for node in arrays)
    return {"chunks_read": 0, "chunks": chunks, "bytes_read": 0, "bytes": sum(node["bytes"] for node in arrays)}


def describe_scanned(description: Description, scanned: Scanned) -> Description:
    """`description` with what the scan found in it."""
    nodes = {
        path: {**node, "facts": scanned.facts[path]} if path in scanned.facts else node
        for path, node in description["nodes"].items()
    }
    values = "read" if scanned.complete else "partial"
    return {**description, "values": values, "nodes": nodes, "coverage": scanned.coverage}


def chunk_count(node: Node) -> int:
    """The chunks of an array; without chunks it counts as one."""
    return node["storage"]["chunk_count"] if node["storage"] is not None else int(math.prod(node["shape"]) > 0)
