"""How two descriptions differ: nodes, dtypes, shapes, axes and attributes, but nothing of how they are stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from vizschema.description import Node

_DIGITS = re.compile(r"([0-9]+)")

_PARTS = {"array": ("dtype", "shape", "axes")}


def natural(path: str) -> list[tuple[int, str]]:
    """A key that sorts paths by the numbers in them: `layer_9` before `layer_10`."""
    parts = _DIGITS.split(path)
    return [(int(part), part) if number % 2 else (0, part) for number, part in enumerate(parts)]


def differing(
    first: Mapping[str, Node], second: Mapping[str, Node], ignored: Collection[str]
) -> Iterator[dict[str, Any]]:
    """The differences of two maps of nodes, in the order of their paths; attributes that are `ignored` are left out.

    Each has `path`, `what` and what is there in `a` and in `b` (None: nothing); of an attribute its `name` too.
    """
    for path in sorted(first.keys() | second.keys(), key=natural):
        one, other = first.get(path), second.get(path)
        if one is None or other is None:
            yield {"path": path, "what": "node", "a": one and one["kind"], "b": other and other["kind"]}
        elif one["kind"] != other["kind"]:
            yield {"path": path, "what": "kind", "a": one["kind"], "b": other["kind"]}
        else:
            yield from _parts(path, one, other, ignored)


def _parts(path: str, one: Node, other: Node, ignored: Collection[str]) -> Iterator[dict[str, Any]]:
    for part in _PARTS.get(one["kind"], ()):
        if one[part] != other[part]:
            yield {"path": path, "what": part, "a": one[part], "b": other[part]}
    ours, theirs = (
        {**node.get("attributes", {}), **{name: f"({kind})" for name, kind in node.get("unsupported", {}).items()}}
        for node in (one, other)
    )
    for name in sorted((ours.keys() | theirs.keys()) - set(ignored)):
        a, b = ours.get(name), theirs.get(name)
        if (name in ours) != (name in theirs) or not _same(a, b):
            yield {"path": path, "what": "attribute", "name": name, "a": a, "b": b}


def _same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1.0 is 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
