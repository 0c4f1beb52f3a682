"""Attributes made safe for a description: JSON values as they are, and apart from them what JSON or a limit excludes.

Opens nothing. Source: spec.md, "Attributes".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from vizschema.containers.base import Limits
from vizschema.description import Node
from vizschema.text import escape_name, escape_text

DEPTH = 16
"""Maximum nesting of lists and objects in one attribute, itself included."""

JSON_NAMES = "json_attributes"
"""The attribute of an HDF5 object with the names of its attributes whose value is a JSON text: HDF5 has no type."""

_WHOLE = range(-(1 << 63), 1 << 64)


class Unsupported(NamedTuple):
    """Stands for a value that is not a JSON value, or for a part of one; `kind` says in words what it is."""

    kind: str


class Attributes(NamedTuple):
    """Attributes fit for a description: `values` by name, kinds of those left out by name, places that were escaped."""

    values: dict[str, Any]
    unsupported: dict[str, str]
    escaped: list[str]

    def of(self, node: Node) -> Node:
        """`node`, with these attributes."""
        node["attributes"] = self.values
        if self.unsupported:
            node["unsupported"] = self.unsupported
        return node


class _NotJson(Exception):
    """Raised for a value that cannot be in a description; its argument is the kind."""


def clean_attributes(raw: Mapping[str, Any], limits: Limits = Limits()) -> Attributes:  # noqa: B008  (frozen)
    """Return the attributes fit for a description; `escaped` has `attributes/<key>` of each that was escaped, sorted.

    Left out: one that holds `Unsupported`, a number that is not finite or of more than 64 bits, more than `DEPTH`
    levels, or that is larger than `limits.attribute_bytes` as JSON text.
    """
    values: dict[str, Any] = {}
    unsupported: dict[str, str] = {}
    escaped: list[str] = []
    for key, value in raw.items():
        name = escape_name(key)
        try:
            _require_small(value, limits.attribute_bytes)
            safe = _clean(value, DEPTH)
        except _NotJson as error:
            unsupported[name] = escape_text(str(error))
            if name is not key:
                escaped.append(f"attributes/{name}")
            continue
        values[name] = safe
        if name is not key or (isinstance(value, str | list | dict) and _differs(value, safe)):
            escaped.append(f"attributes/{name}")
    return Attributes(values, unsupported, sorted(escaped))


def larger(limit: int) -> Unsupported:
    """What stands for an attribute of more than `limit` bytes."""
    return Unsupported(f"larger than {limit} bytes")


def _require_small(value: Any, limit: int) -> None:
    """Raise `_NotJson` for a value of more than `limit` bytes as JSON text; a number takes fewer in any case."""
    if isinstance(value, str):
        small = 4 * len(value) <= limit or len(value.encode("utf-8", "surrogatepass")) <= limit
    elif isinstance(value, list | dict):
        # An item takes two bytes at least. What is too long is not even written: that would take hundreds an item.
        small = 2 * len(value) <= limit and _size(value) <= limit
    else:
        small = True
    if not small:
        raise _NotJson(larger(limit).kind)


def _size(value: Any) -> int:
    """About how many bytes a value takes as JSON."""
    try:
        return len(orjson.dumps(value))
    except (TypeError, ValueError):  # a lone surrogate: made safe by escaping
        return len(repr(value))


def _clean(value: Any, depth: int) -> Any:
    """`value` with hostile characters escaped, `depth` levels deep at most; raises `_NotJson`."""
    if isinstance(value, str):
        return escape_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if value not in _WHOLE:
            raise _NotJson("integer of more than 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _NotJson("number that is not finite")
        return value
    if isinstance(value, Unsupported):
        raise _NotJson(value.kind)
    if not depth:
        raise _NotJson(f"nested deeper than {DEPTH} levels")
    if isinstance(value, list):
        return [_clean(item, depth - 1) for item in value]
    return {escape_text(key): _clean(item, depth - 1) for key, item in value.items()}


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
