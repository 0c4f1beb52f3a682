"""What a worker says, checked before it is believed: against the schema of descriptions, in number and in nesting.

A worker reads an archive, and may have been taken over by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from vizschema.rules.documents import read_json, root
from vizschema.text import escape_text

_ADDED = frozenset({"members", "roles"})
"""What `description.complete` adds to a node that a worker sends."""

_STRAY = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "stray"}}, "maxProperties": 4}
_SIZES = {"type": "array", "maxItems": 64, "items": {"type": "integer", "minimum": 0, "maximum": (1 << 63) - 1}}
_ITEM_KINDS = ["array", "group", "stray", "unreadable", "link", "object", "file", "over-limit"]
_ITEM: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "path": {"type": "string"},
        "kind": {"enum": _ITEM_KINDS},
        "attributes": {"type": "object"},
        "unsupported": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1000}},
        "dtype": {"type": "string", "maxLength": 100},
        "shape": _SIZES,
        "axes": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "size": {"type": "integer", "minimum": 0},
        "reason": {"type": "string", "maxLength": 10_000},
        "chunks": {**_SIZES, "type": ["array", "null"]},
    },
}
"""An item of a source, as `sources.item.Item` has it."""

_SUSPECT = re.compile(rb'\\[^"\\]|[\x7f-\xff]')
"""Found in every packed text that has a character to escape, and in some others."""

_PATH = re.compile(r"/(?:.*[^/])?", re.DOTALL)


def is_path(path: str) -> bool:
    """Whether this is the path of a node."""
    return _PATH.fullmatch(path) is not None and escape_text(path) == path


def is_node(path: str, node: Any) -> bool:
    """Whether a worker may say this of a node: what becomes of it in a description is valid there."""
    if not is_path(path) or not isinstance(node, dict):
        return False
    validator = _validators().get(str(node.get("kind")))
    if validator is None or not validator.is_valid(node) or not is_escaped(node):
        return False
    return node["kind"] != "array" or node["axes"] is None or len(node["axes"]) == len(node["shape"])


def is_item(item: Any) -> bool:
    """Whether a worker may say this of a node of a source: as many axes and chunk lengths as it has dimensions."""
    if not _validators()["item"].is_valid(item) or not is_path(item["path"]) or not is_escaped(item):
        return False
    return all(item[name] is None or len(item[name]) == len(item["shape"]) for name in ("axes", "chunks"))


def is_container(block: Any, *, whole: bool) -> bool:
    """Whether this is a `container` block, the whole or what is known of it before the archive is opened."""
    return bool(_validators()["whole container" if whole else "container"].is_valid(block)) and is_escaped(block)


def is_facts(facts: Any) -> bool:
    """Whether these are the facts of an array, or None."""
    return facts is None or (bool(_validators()["facts"].is_valid(facts)) and is_escaped(facts))


def is_escaped(value: Any) -> bool:
    """Whether no text in a JSON value has a character that a terminal obeys, or that hides what a reader sees."""
    if _SUSPECT.search(orjson.dumps(value)) is None:
        return True
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str) and escape_text(each) != each:
            return False
        if isinstance(each, dict):
            left += each
            left += each.values()
        elif isinstance(each, list):
            left += each
    return True


@cache
def _validators() -> Mapping[str, Any]:
    """A validator for each kind of node, for `container`, for `facts` and for items of a source."""
    schema = read_json(root() / "description.schema.json")
    kinds = {each["if"]["properties"]["kind"]["const"]: each["then"] for each in schema["$defs"]["node"]["allOf"]}
    sent = {
        kind: {**sub, "required": [key for key in sub["required"] if key not in _ADDED]} for kind, sub in kinds.items()
    }
    container = schema["properties"]["container"]
    early = {key: value for key, value in container.items() if key not in ("if", "then", "else")}
    parts = {**sent, "stray": _STRAY, "container": early, "whole container": container}
    parts["item"] = {**_ITEM, "required": [*_ITEM["properties"]]}
    parts["facts"] = kinds["array"]["properties"]["facts"]
    options = jsonschema_rs.RegexOptions()  # linear time, whatever the text
    return {
        name: jsonschema_rs.Draft202012Validator({"$defs": schema["$defs"], **part}, pattern_options=options)
        for name, part in parts.items()
    }
