"""What a node of a description is, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vizschema.description import Description
from vizschema.text import count, escape_text, size_words


def words_of(node: Mapping[str, Any], *, codecs: bool = False) -> str:
    """Return dtype, axes with sizes, bytes and chunks of an array, the reason for anything that is not readable.

    Empty for a group with members. With `codecs`, the names of an array's codecs come last, and the size of an only
    chunk is there too.
    """
    if node["kind"] == "group":
        return "" if node["members"] else f"{count(len(node['attributes']), 'attribute')}, no members"
    if node["kind"] != "array":
        return f"{node['kind']}: {node['reason']}"
    sizes = " × ".join(map(str, node["shape"]))
    if node["axes"] is not None:
        sizes = ", ".join(f"{axis or '?'} {size}" for axis, size in zip(node["axes"], node["shape"], strict=True))
    parts = [node["dtype"], f"({sizes})" if sizes else "scalar", size_words(node["bytes"])]
    storage = node["storage"]
    if storage is not None:
        chunks = count(storage["chunk_count"], "chunk")
        if codecs or storage["chunk_count"] != 1:
            grid = " × ".join(map(str, storage["chunks"]))
            chunks += f" of {grid or 'one value'}, {size_words(storage['chunk_bytes'])}"
        parts.append(chunks)
        parts.append(", ".join(storage["codecs"]) if codecs else "")
    return escape_text(" · ".join(part for part in parts if part))


def headline(archive: str, description: Description) -> str:
    """Return the archive's name, its container, how many arrays it has, and their decoded bytes."""
    container: dict[str, Any] = description["container"]
    version = "" if container["version"] is None else f" v{container['version']}"
    arrays = [node for node in description["nodes"].values() if node["kind"] == "array"]
    size = size_words(sum(node["bytes"] for node in arrays))
    form = f"{container['format']}{version} ({container['store']})"
    return escape_text(f"{archive}: {form}, {count(len(arrays), 'array')}, {size}")
