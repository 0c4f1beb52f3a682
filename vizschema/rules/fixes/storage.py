"""Fixes of how values are stored, chunks and codecs, and of values that belong in attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.description import ITEM_BYTES, Description, Node, join
from vizschema.findings import Finding
from vizschema.rules import versions
from vizschema.rules.chunking import default_chunks
from vizschema.rules.fixes.draft import item_bytes
from vizschema.rules.fixes.proposal import Context, Proposal, tokens_of

MOST_VALUES = 1024
"""Values of an array that becomes an attribute."""

MOST_BYTES = 1 << 20

_METADATA = "/metadata"
_IN_JSON = frozenset(
    f"{start}{bits}"
    for start, widths in (("int", 8), ("uint", 8), ("float", 16))
    for bits in (8, 16, 32, 64)
    if bits >= widths
) | {"string", "bool"}
_STANDS_FOR: dict[str, Any] = {"string": "text", "bool": True}
"""What stands for values that are read when they are written: JSON values of the same type."""

_CODECS = {("zarr", 3): ["bytes", "zstd"], ("zarr", 2): ["blosc"], ("hdf5", None): ["shuffle", "deflate"]}
"""The codecs that a writer uses, as descriptions name them."""


def chunks(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Store an array in default chunks."""
    node = _readable(context, finding.path)
    if node is None:
        return
    names = [name or "" for name in node["axes"] or [""] * len(node["shape"])]
    layout = versions.layout_of(versions.default())
    yield _recut(context, finding.path, default_chunks(finding.path, node["shape"], names, item_bytes(node), layout))


def codecs(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Store an array in the codecs of a writer."""
    node = _readable(context, finding.path)
    if node is not None:
        size = [max(1, size) for size in node["shape"]]
        yield _recut(context, finding.path, tuple(map(min, node["storage"]["chunks"], size)))


def _readable(context: Context, path: str) -> Node | None:
    """The array at `path`, where all of its values can be read and every chunk is there; else None."""
    node: Node = context.draft.nodes.get(path, {"kind": "series"})
    facts = node.get("facts", {})
    if node["kind"] != "array" or node["storage"] is None or node["dtype"] not in ITEM_BYTES:
        return None
    whole = not facts.get("damaged_chunks") and not facts.get("absent_chunks")
    return node if whole and context.draft.origin[path] not in context.closed else None


def _recut(context: Context, path: str, shape: tuple[int, ...]) -> Proposal:
    container = context.description["container"]
    used = _CODECS[container["format"], container["version"]]
    cut = "x".join(map(str, shape)) or "one value"
    words = f"stored in chunks of {cut}, in the codecs {', '.join(used)}"
    return Proposal(path, path, words, lambda draft: draft.cut(path, shape, used))


def metadata_arrays(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Turn a node below /metadata into an attribute."""
    _, path, *_ = tokens_of(finding)
    name = path.rpartition("/")[2]
    if name in context.nodes[_METADATA]["attributes"]:
        return
    value = _value(context, path)
    if value is None:
        return

    words = f"became the attribute {name} of {_METADATA} ({_kinds(context, path)})"
    yield Proposal(path, path, words, lambda draft: draft.absorb(path, _METADATA, value))


def _value(context: Context, path: str) -> Any:
    """A JSON value of the form that the node becomes; None where it cannot become one."""
    node = context.draft.nodes[path]
    if node["kind"] == "group":
        if node.get("unsupported") or node.get("stray"):
            return None
        inner = {name: _value(context, join(path, name)) for name in _members(context, path)}
        if None in inner.values() or inner.keys() & node["attributes"].keys():
            return None
        return {**node["attributes"], **inner}
    if not _is_small(node) or (node["dtype"] != "string" and context.draft.origin[path] in context.closed):
        return None
    if context.values is not None:
        return context.values.get(context.draft.origin[path])
    stands = _STANDS_FOR.get(node["dtype"], 0)
    return [stands] * node["shape"][0] if node["shape"] else stands


def small_arrays(description: Description) -> list[str]:
    """The arrays of which the values are needed, since they may become attributes."""
    below = f"{_METADATA}/"
    nodes = description["nodes"].items()
    return [path for path, node in nodes if path.startswith(below) and _is_small(node)]


def _is_small(node: Node) -> bool:
    """Whether a node is an array of so few values, of such types, that it can be an attribute."""
    if node["kind"] != "array" or node["attributes"] or node.get("unsupported") or len(node["shape"]) > 1:
        return False
    facts = node.get("facts", {})
    if node["dtype"] not in _IN_JSON or facts.get("damaged_chunks") or facts.get("non_finite"):
        return False
    return sum(node["shape"]) <= MOST_VALUES and node["bytes"] <= MOST_BYTES


def _members(context: Context, path: str) -> list[str]:
    prefix = f"{path}/"
    return [each[len(prefix) :] for each in context.nodes if each.startswith(prefix) and "/" not in each[len(prefix) :]]


def _kinds(context: Context, path: str) -> str:
    node = context.nodes[path]
    return "group" if node["kind"] == "group" else f"{node['dtype']} {node['shape']}"
