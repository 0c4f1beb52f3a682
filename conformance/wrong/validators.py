"""Wrong validators: each judges a description in which one thing was measured wrongly."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from vizschema.conformance.wrong.kinds import Wrong
from vizschema.description import Description, Node, children_of, complete

ChangeNode = Callable[[str, Node], Node]


def each_node(change: ChangeNode) -> Callable[[Description], Description]:
    """Changes every node; the rest of the description stays."""

    def changed(description: Description) -> Description:
        nodes = {path: change(path, node) for path, node in description["nodes"].items()}
        if all(nodes[path] is node for path, node in description["nodes"].items()):
            return description
        return {**description, "nodes": nodes}

    return changed


def facts(change: Callable[[Node, Node], Mapping[str, Any]]) -> Callable[[Description], Description]:
    """Changes facts: what `change` (node, facts) returns is put in their place."""

    def of(_: str, node: Node) -> Node:
        if "facts" not in node:
            return node
        update = {key: value for key, value in change(node, node["facts"]).items() if node["facts"].get(key) != value}
        return {**node, "facts": {**node["facts"], **update}} if update else node

    return each_node(of)


def families(change: Callable[[Node], Mapping[str, Any]]) -> Callable[[Description], Description]:
    """Changes every numbered series."""

    def changed(description: Description) -> Description:
        series = {key: {**family, **change(family)} for key, family in description["series"].items()}
        return {**description, "series": series} if series != description["series"] else description

    return changed


def axes_of(change: ChangeNode) -> Callable[[Description], Description]:
    """Counts the sizes of axes as they are after a change of nodes, which is made nowhere else."""
    each = each_node(change)

    def changed(description: Description) -> Description:
        other = each(description)
        if other is description:
            return description
        axes = complete(description["container"], copy.deepcopy(other["nodes"]), description["values"])["axes"]
        return {**description, "axes": {name.replace("~", ":"): sizes for name, sizes in axes.items()}}

    return changed


def again(change: Callable[[Mapping[str, Node]], Mapping[str, Node]]) -> Callable[[Description], Description]:
    """Derives everything again from other nodes."""

    def changed(description: Description) -> Description:
        nodes = change(description["nodes"])
        if len(nodes) == len(description["nodes"]):
            return description
        made: Description = complete(description["container"], copy.deepcopy(dict(nodes)), description["values"])
        return {**description, **made}

    return changed


def storage(change: Callable[[Node, Node], Node]) -> Callable[[Description], Description]:
    """Changes what is said of the chunks of an array: `change` (node, storage)."""

    def of(_: str, node: Node) -> Node:
        if not node.get("storage"):
            return node
        storage = change(node, node["storage"])
        return node if storage == node["storage"] else {**node, "storage": storage}

    return each_node(of)


def _roles_kept(_: str, node: Node) -> Node:
    axes = node.get("axes")
    if not axes or not any(name and ":" in name for name in axes):
        return node
    return {**node, "axes": [name and name.replace(":", "~") for name in axes]}


def _sizes_left_out(_: str, node: Node) -> Node:
    attributes = node.get("attributes", {})
    kept = {key: value for key, value in attributes.items() if not key.startswith("size_")}
    return node if len(kept) == len(attributes) else {**node, "attributes": kept}


def _outer_codec(_: Node, storage: Node) -> Node:
    return {**storage, "codecs": ["sharding_indexed"]} if "sharding_indexed" in storage["codecs"] else storage


def _shard_for_chunk(node: Node, storage: Node) -> Node:
    shards = storage["shards"]
    if not shards:
        return storage
    axes = node.get("axes")
    chunk_of = storage["chunk_of"] and dict(zip(axes or (), shards["shape"], strict=False))
    same = {"chunks": shards["shape"], "chunk_bytes": shards["bytes"], "chunk_count": shards["count"]}
    split = [
        name for name, size, length in zip(axes or (), node["shape"], shards["shape"], strict=False) if size > length
    ]
    return {**storage, **same, "chunk_of": chunk_of, "split": split if storage["split"] is not None else None}


def _folded_alone(description: Description) -> Description:
    """Names are alike where their letters are, whatever their normal form."""
    children = children_of(description["nodes"])

    def of(path: str, node: Node) -> Node:
        if node["kind"] != "group":
            return node
        names = sorted(name.rpartition("/")[2] for name in children.get(path, ()))
        folded = [name.casefold() for name in names]
        alike = [name for name in names if folded.count(name.casefold()) > 1]
        found = node.get("ambiguous", [])
        if alike[:16] == found:
            return node
        return {
            **{key: value for key, value in node.items() if key != "ambiguous"},
            **({"ambiguous": alike} if alike else {}),
        }

    changed: Description = each_node(of)(description)
    return changed


def without(field: str) -> ChangeNode:
    """A node without a field."""
    return lambda _, node: {key: value for key, value in node.items() if key != field} if field in node else node


def _as_uint16(description: Description) -> Description:
    if description["container"]["version"] == 3:
        return description
    change: ChangeNode = lambda _, node: {**node, "dtype": "uint16"} if node.get("dtype") == "bfloat16" else node  # noqa: E731
    changed: Description = each_node(change)(description)
    return changed


def _by_count(family: Node) -> Mapping[str, Any]:
    if family.get("declared") is None or family["declared"] != len(family.get("indices", [])):
        return {}
    return {"missing": [], "missing_count": 0, "undeclared": []}


def _no_warnings(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "findings": []} if reply["verdict"] == "valid" else reply


_BY_DESCRIPTION: tuple[Wrong, ...] = tuple(
    Wrong(name, "validator", fault, description=change)
    for name, fault, change in (
        ("nan_for_absent", "fill of absent chunks counts as NaN", facts(lambda _, facts: {key: facts[key] + facts.get("absent_chunks", 0) for key in ("nan", "non_finite") if key in facts})),
        ("roles_kept", "roles not taken off an axis name", axes_of(_roles_kept)),
        ("sizes_left_out", "`size_<axis>` not counted", axes_of(_sizes_left_out)),
        ("scalar_axes_null", "axes of a scalar null, not []", each_node(lambda _, node: {**node, "axes": None} if node.get("axes") == [] else node)),
        ("outer_codec_only", "inner codecs of shards not seen", storage(_outer_codec)),
        ("shard_for_chunk", "shard size taken for chunk size", storage(_shard_for_chunk)),
        ("absent_inner_left_out", "absent inner chunks not counted", facts(lambda node, _: {"absent_chunks": 0} if (node.get("storage") or {}).get("shards") else {})),
        ("bfloat16_as_integer", "bfloat16 taken for uint16 outside Zarr v3", _as_uint16),
        ("constant_by_range", "constant = (minimum = maximum)", facts(lambda _, facts: {"constant": facts["minimum"] == facts.get("maximum")} if "constant" in facts and "minimum" in facts else {})),
        ("damage_as_fill", "damaged chunk read as fill", facts(lambda _, __: {"damaged_chunks": []})),
        ("first_width", "first digit width of a series only", families(lambda family: {"digits": family.get("digits", [])[:1]})),
        ("width_of_number", "digit width from the number, not the name", families(lambda family: {"digits": sorted({len(str(index)) for index in family.get("indices", [])})})),
        ("count_for_indices", "count of members = declared, not indices", families(_by_count)),
        ("partial_ignored", "`partial` ignored", families(lambda _: {"partial": False})),
        ("partial_always", "`partial` always true", families(lambda _: {"partial": True})),
        ("groups_not_compared", "members of groups of a series not compared", families(lambda family: {"members": {}} if family.get("members") else {})),
        ("first_dtype", "first dtype of a series only", families(lambda family: {"dtypes": family.get("dtypes", [])[:1]})),
        ("folded_alone", "case folding without NFC in `ambiguous`", _folded_alone),
        ("no_ambiguous", "no `ambiguous`", each_node(without("ambiguous"))),
        ("no_stray", "no `stray`", each_node(without("stray"))),
        ("slices_from_three", "equal slices counted only from three on", facts(lambda _, facts: {"duplicate_slices": max(0, facts["duplicate_slices"] - 1)} if facts.get("duplicate_slices") else {})),
        ("shallow", "nodes deeper than 3 not seen", again(lambda nodes: {path: node for path, node in nodes.items() if path.count("/") <= 3})),
        ("infinity_finite", "infinities not counted", facts(lambda _, facts: {"non_finite": facts.get("nan"), "infinite": 0, "positive_infinite": 0} if "nan" in facts else {})),
    )
)  # fmt: skip
VALIDATORS: tuple[Wrong, ...] = (
    *_BY_DESCRIPTION,
    Wrong("no_warnings", "validator", "warnings left out", findings=_no_warnings),
    Wrong("always_valid", "validator", "always valid", findings=lambda reply: {**reply, "verdict": "valid", "findings": []}),
    Wrong("always_invalid", "validator", "always invalid", findings=lambda reply: {**reply, "verdict": "invalid"}),
)  # fmt: skip
