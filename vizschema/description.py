"""The description: builders of its nodes, and its derived parts (`members`, `roles`, `references`, `axes`, `series`).

Plain JSON in, plain JSON out. Opens nothing, judges nothing. `docs/architecture.md` says what each field means.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from vizschema.text import escape_text

Node = dict[str, Any]
Description = dict[str, Any]

REASONS: Mapping[str, str] = {
    "metadata-missing": "unreadable",
    "metadata-malformed": "unreadable",
    "metadata-invalid": "unreadable",
    "metadata-conflict": "unreadable",
    "over-limit": "unreadable",
    "damaged": "unreadable",
    "crashed": "unreadable",
    "unsupported": "unreadable",
    "external-link": "link",
    "internal-link": "link",
    "external-storage": "object",
    "virtual-dataset": "object",
    "named-type": "object",
    "pickle": "object",
    "special-file": "object",
    "stray-file": "stray",
}
"""Each reason and the kind of node it makes; what is `stray` makes no node, and is listed by its group."""

ITEM_BYTES: Mapping[str, int] = {
    "bool": 1,
    **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16},
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4"), 1),
}
"""Canonical dtypes and their sizes in bytes."""

TEXTS = frozenset({"string", "bytes"})
"""Canonical dtypes of what is read as text."""

STORED_AS: Mapping[str, str] = {
    "bfloat16": "uint16",
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4"), "uint8"),
}
"""Dtypes that NumPy does not have, and the integers of which a container without such a type stores their bits."""

NIBBLES = frozenset({"int4", "uint4"})
"""Dtypes of four bits: the lower ones of a byte."""

NUMBERED = re.compile(r"(.+)_([0-9]{1,9})", re.DOTALL)
_SHOWN = 16
_SCOPE = "scope_"
_UNSCOPED = ("/", "/metadata")
_SIZE = "size_"
_BLOCK = "block_"


def group(attributes: Mapping[str, Any]) -> Node:
    """A group; `complete` counts its members."""
    return {"kind": "group", "members": 0, "attributes": dict(attributes)}


def array(
    dtype: str,
    shape: Sequence[int],
    axes: Sequence[str | None] | None,
    attributes: Mapping[str, Any],
    storage: Node | None,
    *,
    item_bytes: int | None = None,
) -> Node:
    """An array; `item_bytes` is needed only for a dtype outside `ITEM_BYTES`."""
    size = ITEM_BYTES.get(dtype, 0) if item_bytes is None else item_bytes
    names = safe_axes(axes)
    node = {
        "kind": "array",
        "dtype": escape_text(dtype),
        "shape": list(shape),
        "bytes": math.prod(shape) * size,
        "axes": names,
        "storage": storage,
        "attributes": dict(attributes),
    }
    if axes is not None and names != list(axes):
        node["escaped"] = ["axes"]
    return node


def safe_axes(axes: Sequence[str | None] | None) -> list[str | None] | None:
    """Axis names with hostile characters escaped."""
    return None if axes is None else [None if name is None else escape_text(name) for name in axes]


def fault(reason: str, detail: str) -> Node:
    """A node that is damaged, dangerous or stray; `reason` is a key of `REASONS`."""
    return {"kind": REASONS[reason], "reason": reason, "detail": escape_text(detail)}


def storage(
    shape: Sequence[int],
    axes: Sequence[str | None] | None,
    item_bytes: int,
    *,
    chunks: Sequence[int],
    shard: Sequence[int] | None,
    codecs: Sequence[str],
) -> Node:
    """How an array is cut: `chunks` is the (inner) chunk, `shard` the shape of a shard."""
    axes = safe_axes(axes)
    counts = [_count(size, length) for size, length in zip(shape, chunks, strict=True)]
    named = axes is not None and None not in axes and len(set(axes)) == len(axes)
    return {
        "chunks": list(chunks),
        "chunk_of": dict(zip(axes or (), chunks, strict=True)) if named else None,
        "split": [name for name, count in zip(axes or (), counts, strict=True) if count > 1] if named else None,
        "chunk_bytes": math.prod(chunks) * item_bytes,
        "chunk_count": math.prod(counts),
        "shards": None if shard is None else _shards(shape, shard, item_bytes),
        "codecs": [escape_text(codec) for codec in codecs],
    }


def _shards(shape: Sequence[int], shard: Sequence[int], item_bytes: int) -> Node:
    count = math.prod(_count(size, length) for size, length in zip(shape, shard, strict=True))
    return {"shape": list(shard), "bytes": math.prod(shard) * item_bytes, "count": count}


def _count(size: int, length: int) -> int:
    return -(-size // length) if length else 0


def complete(container: Mapping[str, Any], nodes: Mapping[str, Node], values: str = "not_read") -> Description:
    """The whole description of `nodes` (path → node), with what follows from them."""
    ordered = {path: nodes[path] for path in sorted(nodes) if nodes[path]["kind"] != "stray"}
    if len(ordered) < len(nodes):
        _list_stray(ordered, sorted(path for path in nodes if path not in ordered))
    children = children_of(ordered)
    scopes = _Scopes(ordered)
    _list_unused_scopes(ordered, scopes)
    for path, node in ordered.items():
        if node["kind"] == "array" and node["axes"] == [path.rpartition("/")[2]]:
            node["coordinate"] = True
        if node["kind"] == "group":
            names = children.get(path, ())
            node["members"] = len(names)
            ambiguous = _ambiguous(names)
            if ambiguous:
                node["ambiguous"] = ambiguous
        elif node["kind"] == "array":
            node["roles"] = _roles(node["axes"] or ())
            references = _references(ordered, scopes, path)
            if references:
                node["references"] = references
    description = {
        "container": dict(container),
        "values": values,
        "nodes": ordered,
        "axes": _axes(ordered, scopes),
        "series": _series(ordered, children),
    }
    not_captured = _not_captured(ordered)
    return {**description, "not_captured": not_captured} if not_captured else description


def _not_captured(nodes: Mapping[str, Node]) -> Node:
    """The paths that the root's attribute `not_captured` names, each with its reason and whether a node is there."""
    listed = nodes.get("/", {}).get("attributes", {}).get("not_captured")
    entries = [text.partition(": ") for text in (listed if isinstance(listed, list) else ()) if isinstance(text, str)]
    named = {path: reason for path, _, reason in entries if path.startswith("/") and reason}
    return {path: {"reason": named[path], "present": path in nodes} for path in sorted(named)}


def _list_stray(nodes: Mapping[str, Node], paths: Sequence[str]) -> None:
    """Let the nearest group above each of `paths`, which are sorted, list it as `stray`, relative to itself."""
    for path in paths:
        holder = parent_of(path)
        while holder != "/" and nodes.get(holder, {}).get("kind") != "group":
            holder = parent_of(holder)
        if nodes.get(holder, {}).get("kind") == "group":
            listed = nodes[holder].setdefault("stray", [])
            if len(listed) < _SHOWN:
                listed.append(path[len(holder) :].lstrip("/"))


def _ambiguous(names: Sequence[str]) -> list[str]:
    """The first of the names that are not in normal form C, or that only case or normal form tells from another."""
    if all(name.isascii() and name.lower() == name for name in names):
        return []
    folded = [unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold()) for name in names]
    seen = Counter(folded)
    pairs = zip(names, folded, strict=True)
    return [name for name, fold in pairs if seen[fold] > 1 or unicodedata.normalize("NFC", name) != name][:_SHOWN]


def parent_of(path: str) -> str:
    """The path of the group that holds `path`."""
    return path.rpartition("/")[0] or "/"


def join(parent: str, name: str) -> str:
    """The path of the member `name` of `parent`."""
    return f"{parent}/{name}" if parent != "/" else f"/{name}"


def children_of(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """Return the names of the members of every node that has any, by its path."""
    children: dict[str, list[str]] = {}
    for path in nodes:
        if path != "/":
            parent, _, name = path.rpartition("/")
            children.setdefault(parent or "/", []).append(name)
    return children


def _roles(axes: Sequence[str | None]) -> dict[str, list[str]]:
    """Each role that `axes` have, with the axes that have it."""
    roles: dict[str, list[str]] = {}
    for name in axes:
        axis, colon, role = (name or "").partition(":")
        if colon:
            roles.setdefault(role, []).append(axis)
    return roles


def _references(nodes: Mapping[str, Node], scopes: _Scopes, path: str) -> Node:
    """Each attribute of an array that is a path: whether an array is there, its dtype, and whether its axes fit.

    A path at which something lies that is neither an array nor a group is left out: that is reported by itself.
    """
    found: Node = {}
    for name, target in nodes[path]["attributes"].items():
        if not isinstance(target, str) or not target.startswith("/"):
            continue
        other = nodes.get(target, {"kind": "group"})
        if other["kind"] == "array":
            fits = _axes_fit(nodes, scopes, target, path)
            found[name] = {"path": target, "exists": True, "dtype": other["dtype"], "axes_fit": fits}
        elif other["kind"] == "group":
            found[name] = {"path": target, "exists": False, "dtype": None, "axes_fit": False}
    return found


def _axes_fit(nodes: Mapping[str, Node], scopes: _Scopes, part: str, whole: str) -> bool:
    """Whether each axis of the array at `part` is one of that at `whole`, of its size (or its blocks) and in its scope.

    One without a role stands for all its roles.
    """
    known = set(_in_scopes(nodes, scopes, whole))
    known |= {(name and name.partition(":")[0], key, size) for name, key, size in known}
    blocks = _blocks(nodes[whole])
    axes = _in_scopes(nodes, scopes, part)
    return all((name, key, size) in known or blocks.get(name) == size for name, key, size in axes)


def _in_scopes(nodes: Mapping[str, Node], scopes: _Scopes, path: str) -> Iterator[tuple[str | None, str | None, int]]:
    """(name, key in `axes`, size) of each axis of the array at `path`; none of an array without names."""
    node = nodes[path]
    for name, size in zip(node["axes"] or (), node["shape"], strict=node["axes"] is not None):
        yield name, name and scopes.key(path, name), size


def _blocks(node: Node) -> dict[str | None, int]:
    """The axis `<axis>_block` of the blocks along each axis of which the length is an attribute: how many there are."""
    lengths = {f"{_BLOCK}{axis}": (axis, size) for axis, size in zip(node["axes"] or (), node["shape"], strict=False)}
    given = {key: value for key, value in node["attributes"].items() if key in lengths and _is_size(value) and value}
    return {f"{lengths[key][0]}_block": -(-lengths[key][1] // int(value)) for key, value in given.items()}


def axis_key(nodes: Mapping[str, Node], path: str, name: str) -> str:
    """The key in `axes` of an axis of the node at `path`: `<axis>@<label>` in a scope, else `<axis>`."""
    above = [path]
    while above[-1] not in _UNSCOPED:
        above.append(parent_of(above[-1]))
    return _Scopes({each: nodes[each] for each in above if each in nodes}).key(path, name)


def coordinates_of(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """Return the paths of the coordinates of every axis that has any."""
    found: dict[str, list[str]] = {}
    for path, node in nodes.items():
        if node.get("coordinate"):
            found.setdefault(node["axes"][0], []).append(path)
    return found


def coordinate_of(
    nodes: Mapping[str, Node], known: Mapping[str, Sequence[str]], path: str, name: str, size: int
) -> str | None:
    """Return the path of the coordinate of an axis of this `size` of the array at `path`, in its scope.

    That is the nearest one above; else the only one; None if there is none, or more than one. `known` is what
    `coordinates_of` gives.
    """
    axis = name.partition(":")[0]
    if axis not in known:
        return None
    key = axis_key(nodes, path, name)
    fitting = [
        place for place in known[axis] if nodes[place]["shape"] == [size] and axis_key(nodes, place, axis) == key
    ]
    above = [place for place in fitting if path.startswith(f"{parent_of(place).rstrip('/')}/")]
    if above:
        return max(above, key=len)
    return fitting[0] if len(fitting) == 1 else None


class _Scopes:
    """The labels of the scopes of `nodes`, each looked for once for each group and axis."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._labels: dict[tuple[str, str], str] = {
            (path, key[len(_SCOPE) :]): value
            for path, node in nodes.items()
            if path not in _UNSCOPED
            for key, value in node.get("attributes", {}).items()
            if key.startswith(_SCOPE) and isinstance(value, str)
        }
        self._axes = {axis for _, axis in self._labels}
        self._holders: dict[tuple[str, str], str | None] = {(path, axis): path for path, axis in self._labels}

    def __bool__(self) -> bool:
        return bool(self._labels)

    def holder(self, path: str, axis: str) -> str | None:
        """The nearest node, from `path` upwards, that labels a scope of `axis`."""
        if axis not in self._axes:
            return None
        below = []
        while path not in _UNSCOPED and (path, axis) not in self._holders:
            below.append(path)
            path = parent_of(path)
        found = self._holders.get((path, axis))
        self._holders.update(dict.fromkeys(((each, axis) for each in below), found))
        return found

    def key(self, path: str, name: str) -> str:
        """As `axis_key`; empty of a name that is not an axis."""
        axis = axis_of(name)
        holder = self.holder(path, axis) if axis else None
        return axis if holder is None else f"{axis}@{self._labels[holder, axis]}"

    def unused(self, nodes: Mapping[str, Node]) -> dict[str, list[str]]:
        """The nodes that label scopes in which no array of `nodes` is, and the first axes of these, sorted."""
        used = {
            (self.holder(path, axis), axis)
            for path, node in nodes.items()
            for axis in {name.partition(":")[0] for name in node.get("axes") or () if name}
        }
        unused: dict[str, list[str]] = {}
        for path, axis in sorted(self._labels.keys() - used):
            unused.setdefault(path, []).append(axis)
        return {path: axes[:_SHOWN] for path, axes in unused.items()}


def _list_unused_scopes(nodes: Mapping[str, Node], scopes: _Scopes) -> None:
    """Let each node that labels scopes in which no array is list their axes as `unused_scopes`."""
    for node in nodes.values():
        node.pop("unused_scopes", None)
    if scopes:
        for path, axes in scopes.unused(nodes).items():
            nodes[path]["unused_scopes"] = axes


def _axes(nodes: Mapping[str, Node], scopes: _Scopes) -> Node:
    # Arrays of a series are alike: what they have in common is looked at once.
    alike: dict[tuple[tuple[str | None, ...], tuple[int, ...]], list[str]] = {}
    axes: dict[str, dict[str, Node]] = {}
    for path, node in nodes.items():
        if node["kind"] == "array" and node["axes"]:
            names = [name and scopes.key(path, name) for name in node["axes"]] if scopes else node["axes"]
            alike.setdefault((tuple(names), tuple(node["shape"])), []).append(path)
        for axis, size in _declared_sizes(path, node):
            _sight(axes, scopes.key(path, axis), size, [path])
    for (names, shape), paths in alike.items():
        for name, size in zip(names, shape, strict=True):
            if name is not None:
                _sight(axes, name if scopes else axis_of(name), size, paths)
    return {name: {key: axes[name][key] for key in sorted(axes[name])} for name in sorted(axes)}


def axis_of(name: str) -> str:
    """The axis of a name: without its role; empty where it has an `@`, which divides an axis from its scope."""
    axis = name.partition(":")[0]
    return "" if "@" in axis else axis


def _declared_sizes(path: str, node: Node) -> Iterator[tuple[str, int]]:
    """The sizes that a node declares: `/metadata` of any axis, another node of the axes whose scopes it labels."""
    attributes = node.get("attributes", {})
    for key, value in attributes.items() if path != "/" else ():
        axis = key[len(_SIZE) :]
        if not key.startswith(_SIZE) or not _is_size(value):
            continue
        declares = node["kind"] == "group" if path == "/metadata" else isinstance(attributes.get(_SCOPE + axis), str)
        if declares:
            yield axis, int(value)


def _sight(axes: dict[str, dict[str, Node]], name: str, size: int, paths: Sequence[str]) -> None:
    """Add that each of the sorted `paths` has an axis of this name and size; an empty name is not an axis."""
    if not name:
        return
    sighting = axes.setdefault(name, {}).setdefault(str(size), {"count": 0, "first": []})
    sighting["count"] += len(paths)
    sighting["first"] = sorted({*sighting["first"], *paths[:2]})[:2]


def _series(nodes: Mapping[str, Node], children: Mapping[str, Sequence[str]]) -> Node:
    series: Node = {}
    for parent, names in children.items():
        if nodes.get(parent, {}).get("kind") != "group":
            continue  # what cannot be read may say anything about its members
        families: dict[str, list[tuple[str, int]]] = {}
        for name in names:
            match = NUMBERED.fullmatch(name)
            if match:
                families.setdefault(match[1], []).append((match[2], int(match[2])))
        for stem, members in families.items():
            series[join(parent, stem)] = _family(nodes, children, parent, stem, members)
    for path, node in nodes.items():
        if node["kind"] != "group" or path in ("/", "/metadata"):
            continue
        for key, value in node["attributes"].items():
            stem = key[len("num_") : -1]
            if key.startswith("num_") and key.endswith("s") and stem and _is_size(value):
                series.setdefault(join(path, stem), _family(nodes, children, path, stem, []))
    return {key: series[key] for key in sorted(series)}


def _family(
    nodes: Mapping[str, Node],
    children: Mapping[str, Sequence[str]],
    parent: str,
    stem: str,
    members: Sequence[tuple[str, int]],
) -> Node:
    paths = {join(parent, f"{stem}_{digits}"): index for digits, index in members}
    indices = sorted(index for _, index in members)
    declared, declared_by = _declared(nodes, parent, stem, fallback=bool(members))
    last = max(indices, default=-1) + 1
    expected = max(last, declared) if declared is not None and declared_by == parent else last
    present = _present(nodes, parent)
    missing_count, missing = _missing(indices, expected) if present is None else _missing_of(indices, present)
    past = (index for index in indices if declared is not None and index >= declared)
    undeclared = past if present is None else (index for index in indices if index not in present)
    return {
        "stem": stem,
        "indices": indices,
        "missing": missing,
        "missing_count": missing_count,
        "declared": declared,
        "declared_by": declared_by,
        "present": None if present is None else sorted(present)[:_SHOWN],
        "undeclared": list(islice(undeclared, _SHOWN)),
        "partial": nodes.get(parent, {}).get("attributes", {}).get("partial") is True,
        "siblings": len(children.get(parent, ())),
        "digits": sorted({len(digits) for digits, _ in members}),
        "kinds": sorted({nodes[path]["kind"] for path in paths}),
        **_alike(nodes, paths),
        "members": _members(nodes, children, paths),
    }


def _declared(nodes: Mapping[str, Node], parent: str, stem: str, *, fallback: bool) -> tuple[int | None, str | None]:
    for path in (parent, "/metadata") if fallback else (parent,):
        value = nodes.get(path, {}).get("attributes", {}).get(f"num_{stem}s")
        if value is not None:
            return (int(value) if _is_size(value) else None), path
    return None, None


def _present(nodes: Mapping[str, Node], parent: str) -> frozenset[int] | None:
    """The numbers of the members that exist in the model, as the attribute `present` of the group lists them."""
    listed = nodes.get(parent, {}).get("attributes", {}).get("present")
    if not isinstance(listed, list) or not all(map(_is_size, listed)):
        return None
    return frozenset(map(int, listed))


def _missing_of(indices: Sequence[int], present: frozenset[int]) -> tuple[int, list[int]]:
    """How many of `present` are not in `indices`, and the first of them."""
    missing = sorted(present.difference(indices))
    return len(missing), missing[:_SHOWN]


def _missing(indices: Sequence[int], expected: int) -> tuple[int, list[int]]:
    """How many of `range(expected)` are not in `indices`, and the first of them; never builds the range."""
    present = sorted({index for index in indices if index < expected})
    shown: list[int] = []
    following = 0
    for index in [*present, expected]:
        shown.extend(range(following, min(index, following + _SHOWN - len(shown))))
        following = index + 1
    return expected - len(present), shown


def _members(nodes: Mapping[str, Node], children: Mapping[str, Sequence[str]], paths: Mapping[str, int]) -> Node:
    holders: dict[str, list[str]] = {}
    absent: dict[str, list[int]] = {}
    by_kind: dict[str | None, list[str]] = {}
    for path in paths:
        if nodes[path]["kind"] == "group":
            kind = nodes[path]["attributes"].get("kind")
            by_kind.setdefault(kind if isinstance(kind, str) else None, []).append(path)
    for groups in by_kind.values():
        seen = Counter(name for path in groups for name in children.get(path, ()))
        common = {name for name, count in seen.items() if count == len(groups)}
        lacking = sorted(paths[path] for path in groups if common.issuperset(children.get(path, ())))
        for path in groups:
            for name in children.get(path, ()):
                holders.setdefault(name, []).append(join(path, name))
        for name in seen.keys() - common:
            absent.setdefault(name, []).extend(lacking)
    return {
        name: {"absent": sorted(absent.get(name, ()))[:_SHOWN], **_alike(nodes, holders[name])}
        for name in sorted(holders)
    }


def _alike(nodes: Mapping[str, Node], paths: Iterable[str]) -> Node:
    arrays = [nodes[path] for path in paths if nodes[path]["kind"] == "array"]
    shapes = {tuple(node["shape"]) for node in arrays}
    return {"dtypes": sorted({node["dtype"] for node in arrays}), "shapes": [list(shape) for shape in sorted(shapes)]}


def _is_size(value: Any) -> bool:
    """Whether a JSON value is a whole number, 0 or more; 3.0 is one, as it is for JSON Schema."""
    if isinstance(value, float):
        return value.is_integer() and value >= 0
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
