"""What every container gives, and what they share: limits, and attributes made safe for a description."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vizschema.description import Node
from vizschema.text import escape_name, escape_text

if TYPE_CHECKING:
    from vizschema.containers.values import Values


_NO_STEPS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what is read to describe an archive; a node that exceeds one is `over-limit`.

    Attributes:
        document_bytes: Maximum bytes of a metadata document, and of the attributes of one HDF5 object.
        consolidated_bytes: Maximum bytes of consolidated metadata, of `vizschema.json`, of the directory of a zip file.
        document_depth: Maximum nesting of lists and objects in a document.
        tree_bytes: Maximum bytes of the tree of an ASDF file.
        attribute_bytes: Maximum bytes of one attribute.
        nodes: Maximum nodes of an archive, and members of a folder.
        members: Maximum members of a zip file.
        chunks: Maximum chunks of an array, stored or not.
        path_depth: Maximum levels of groups.

    Examples:
        >>> description = vizschema.describe("run.zarr", limits=vizschema.Limits(nodes=4))
        >>> sum(node.get("reason") == "over-limit" for node in description["nodes"].values())
        1
    """

    document_bytes: int = 4 << 20
    consolidated_bytes: int = 64 << 20
    document_depth: int = 32
    tree_bytes: int = 32 << 20
    attribute_bytes: int = 1 << 20
    nodes: int = 1_000_000
    members: int = 1_000_000
    chunks: int = 10_000_000
    path_depth: int = 64


Watch = Callable[[str], Node | None]
"""Told the path of a node before anything of it is touched; the node it gives, if any, is taken instead."""


def unwatched(_: str) -> Node | None:
    """Return None: no node is replaced."""
    return None


class Container(Protocol):
    """An open archive that can be described. Nothing of it is executed, and `nodes` reads no chunk."""

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""

    def values(self, path: str) -> Values:
        """The values of an array that `nodes` gave under this path, of a dtype among `description.ITEM_BYTES`.

        Raises `ChunkDamaged` where the array cannot be opened any more.
        """

    def close(self) -> None:
        """Let go of every file."""


READINGS = 16
"""How many of the places are listed at which other readers read another archive."""


def read_as(identity: dict[str, Any], readings: Sequence[str]) -> dict[str, Any]:
    """The `container` block, with the first of the places at which other readers read another archive."""
    shown = [escape_text(words) for words in readings[:READINGS]]
    return {**identity, "readings": shown} if shown else identity


def is_path(steps: Iterable[str]) -> bool:
    """Whether steps between slashes lead below the root: none is empty, or stands for another place."""
    return _NO_STEPS.isdisjoint(steps)


def too_many_chunks(node: Node, limits: Limits) -> str | None:
    """Why the chunks of an array are more than the limit; None if they are not.

    A few bytes of metadata declare any number of chunks that were never written, each of which takes its time.
    """
    count = 0 if node["storage"] is None else node["storage"]["chunk_count"]
    return None if count <= limits.chunks else f"the array has {count} chunks, more than {limits.chunks}"


def unsupported(reason: str) -> dict[str, str]:
    """The value of an attribute that no other container can carry."""
    return {"unsupported": reason}


def clean_attributes(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Attributes fit for a description, and the places that were escaped (`attributes/<key>`, sorted)."""
    cleaned: dict[str, Any] = {}
    escaped: list[str] = []
    for key, value in raw.items():
        safe_key = escape_name(key)
        safe_value = _clean(value)
        cleaned[safe_key] = safe_value
        # Only text can be replaced by other text: a number of more than 64 bits becomes an object.
        if safe_key is not key or (isinstance(value, str | list | dict) and _differs(value, safe_value)):
            escaped.append(f"attributes/{safe_key}")
    return cleaned, sorted(escaped)


def name_node(node: Node, name: str, escaped: list[str]) -> tuple[str, Node]:
    """(`name` made safe, `node` marked with everything in it that was escaped)."""
    safe = escape_name(name)
    places = [*(["name"] if safe != name else []), *node.get("escaped", ()), *escaped]
    if places:
        node["escaped"] = places
    return safe, node


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return escape_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else unsupported("integer of more than 64 bits")
    if isinstance(value, float):
        return value if math.isfinite(value) else unsupported("number that is not finite")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return {escape_name(key): _clean(item) for key, item in value.items()}


def _differs(value: Any, safe: Any) -> bool:
    if isinstance(value, str):
        return bool(value != safe)
    if isinstance(value, list):
        return any(_differs(item, clean) for item, clean in zip(value, safe, strict=True))
    if isinstance(value, dict):
        pairs = zip(value.items(), safe.items(), strict=False)
        return len(value) != len(safe) or any(
            key != name or _differs(item, clean) for (key, item), (name, clean) in pairs
        )
    return False
