"""Attributes made safe for a description: JSON values as they are, and apart from them what JSON or a limit excludes.

Opens nothing. Source: spec.md, "Attributes".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from vizschema.containers.base import Limits
from vizschema.description import STORED_AS, Node
from vizschema.text import escape_name, escape_text

DEPTH = 16
"""Maximum nesting of lists and objects in one attribute, itself included."""

JSON_NAMES = "json_attributes"
"""The attribute of an HDF5 object with the names of its attributes whose value is a JSON text: HDF5 has no type."""

STORED = "stored_dtype"
"""The attribute that says what an array of unsigned integers really holds, where the container has no such type."""

CONVENTIONS = "zarr_conventions"
"""The attribute by which a Zarr node lists the conventions that it follows (github.com/zarr-conventions)."""

REGISTERED: Mapping[str, str] = MappingProxyType(
    {
        "uuid": "9653e1da-d78e-4922-a8ca-adfb5364061a",
        "name": "vizschema",
        "description": "Traces of neural networks",
        "spec_url": "https://vizschema.org/spec/",
    }
)
"""The entry of this specification in that list. It belongs to the container: descriptions leave it out."""

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
    _leave_out_registration(values)
    return Attributes(values, unsupported, sorted(escaped))


def real_dtype(dtype: str, attributes: dict[str, Any]) -> str:
    """The dtype of which a container stores the bits as `dtype`; takes the attribute that says so."""
    stored = attributes.get(STORED)
    if isinstance(stored, str) and STORED_AS.get(stored) == dtype:
        del attributes[STORED]
        return stored
    return dtype


def registered(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` of the root of a Zarr archive, with the entry of this specification among its conventions."""
    others = attributes.get(CONVENTIONS)
    if others is None and CONVENTIONS not in attributes:
        return {**attributes, CONVENTIONS: [dict(REGISTERED)]}
    if not isinstance(others, list) or not others or any(map(_is_ours, others)):
        return dict(attributes)  # no list of conventions, or one that would not be the same without the entry
    return {**attributes, CONVENTIONS: [*others, dict(REGISTERED)]}


def _leave_out_registration(values: dict[str, Any]) -> None:
    """Remove the entry of this specification, and the list where it holds no other."""
    listed = values.get(CONVENTIONS)
    if isinstance(listed, list) and any(map(_is_ours, listed)):
        values[CONVENTIONS] = [entry for entry in listed if not _is_ours(entry)]
        if not values[CONVENTIONS]:
            del values[CONVENTIONS]


def _is_ours(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("uuid") == REGISTERED["uuid"]


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
