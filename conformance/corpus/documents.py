"""An archive document as raw nodes to be written, and as the description that the archive will have.

A document is that of `materialise.py`, with what only a faulty archive needs: an array may say its own `shape` (else
its axes say it), its `codecs`, and axes that are null or have nulls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizschema import description
from vizschema.conformance.corpus.materialise import Document, fill
from vizschema.conformance.corpus.raw import CONTAINERS
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.corpus.raw.zarr import sharded
from vizschema.conformance.corpus.reference_facts import measure
from vizschema.containers.attributes import clean_attributes
from vizschema.description import ITEM_BYTES, Description, Node
from vizschema.rules.versions import Profile

IDENTITIES: Mapping[str, Node] = {
    "zarr-v3": {"format": "zarr", "version": 3, "store": "directory", "consolidated": False},
    "zarr-v2": {"format": "zarr", "version": 2, "store": "directory", "consolidated": False},
    "hdf5": {"format": "hdf5", "version": None, "store": "file", "consolidated": False},
    "npz": {"format": "npz", "version": None, "store": "file", "consolidated": False},
    "asdf": {"format": "asdf", "version": None, "store": "file", "consolidated": False},
    "zarr-v3-zip": {"format": "zarr", "version": 3, "store": "zip", "consolidated": False},
    "zarr-v2-zip": {"format": "zarr", "version": 2, "store": "zip", "consolidated": False},
    "zarr-v3-sharded": {"format": "zarr", "version": 3, "store": "directory", "consolidated": False},
}
"""The `container` block of what the raw writers write."""

_DEFAULT_CODECS: Mapping[str, list[str]] = {
    "zarr-v3": ["bytes", "zstd"],
    "zarr-v2": ["zlib"],
    "hdf5": ["shuffle", "deflate"],
}
_INDEX_CODECS = ["bytes", "crc32c"]
_UNIT_AXES = re.compile(r"sample|([a-z0-9_]*_)?head")


def raw_nodes(document: Document) -> dict[str, RawNode]:
    """Every node of `document` with its values, and the groups above them, parents first."""
    made: dict[str, Any] = {}
    nodes: dict[str, RawNode] = {}
    for path, node in document["nodes"].items():
        attributes = node.get("attributes", {})
        if node["kind"] == "group":
            nodes[path] = RawNode(attributes)
            continue
        values = fill(document, path, made)
        nodes[path] = RawNode(
            attributes,
            values,
            node["dtype"],
            node["axes"],
            node.get("chunks") or _chunks(path, values.shape, node["axes"]),
            node.get("shards"),
            node.get("codecs"),
        )
    for path in list(nodes):
        while path != "/":
            path = description.parent_of(path)
            nodes.setdefault(path, RawNode())
    return {path: nodes[path] for path in sorted(nodes)}


def write_document(document: Document, container: str, path: Path) -> None:
    """Write the archive to `path`, which must not exist."""
    CONTAINERS[container](path, raw_nodes(document))


def describe_document(document: Document, container: str, profile: Profile | None = None) -> Description:
    """The primary parts of the description that the archive will have: `container`, `values`, `nodes`.

    With `profile`, values count as read, and the facts that it asks for are measured.
    """
    raw = raw_nodes(document)
    nodes = {path: _node(node, container) for path, node in raw.items()}
    if profile is not None:
        for path, facts in measure(raw, profile.facts).items():
            nodes[path]["facts"] = facts
    return {
        "container": dict(IDENTITIES[container]),
        "values": "not_read" if profile is None else "read",
        "nodes": nodes,
    }


def _node(raw: RawNode, container: str) -> Node:
    cleaned = clean_attributes(raw.attributes)
    if raw.values is None:
        node = description.group({})
    else:
        item_bytes = ITEM_BYTES.get(raw.dtype, raw.values.dtype.itemsize)
        node = description.array(
            raw.dtype,
            raw.values.shape,
            raw.axes,
            {},
            _storage(raw, container, item_bytes),
            item_bytes=item_bytes,
        )
    if cleaned.escaped:
        node["escaped"] = sorted([*node.get("escaped", ()), *cleaned.escaped])
    return cleaned.of(node)


def _storage(raw: RawNode, container: str, item_bytes: int) -> Node | None:
    if raw.values is None or container in ("npz", "asdf"):
        return None
    if container == "hdf5" and not (raw.values.size and raw.values.ndim):
        return None
    codecs = list(raw.codecs) if raw.codecs is not None else _DEFAULT_CODECS[_kind(container)]
    shards = sharded(raw).shards if container == "zarr-v3-sharded" else raw.shards
    if _kind(container) != "zarr-v3":
        shards = None
    if shards is not None:
        codecs = ["sharding_indexed", *codecs, *_INDEX_CODECS]
    return description.storage(raw.values.shape, raw.axes, item_bytes, chunks=raw.chunks, shard=shards, codecs=codecs)


def _kind(container: str) -> str:
    """The container without how it is packed."""
    return container.removesuffix("-zip").removesuffix("-sharded")


def _chunks(path: str, shape: tuple[int, ...], axes: list[str | None] | None) -> list[int]:
    """One sample and one head of attention, the whole of anything else; at least 1 along each dimension."""
    names = axes if axes is not None and path.startswith("/attention/") else [None] * len(shape)
    return [
        1 if name is not None and _UNIT_AXES.fullmatch(name.partition(":")[0]) else max(1, size)
        for name, size in zip(names, shape, strict=True)
    ]
