"""Metadata documents: bytes to a JSON object, strictly and within the limits. Knows nothing of what it should hold."""

from __future__ import annotations

import json
from typing import Any

import orjson

from vizschema.containers.base import Limits
from vizschema.description import Node, fault
from vizschema.text import escape_text, shorten

Document = dict[str, Any]

_WRITABLE = 250
"""The nesting up to which orjson writes what it has read."""

_LONG = 200_000
"""The length of a list up to which orjson writes it: it sets aside 256 bytes an item, and dies where it gets none."""

_SEARCHED = 4 << 20
"""The size of a document up to which the place of a number that JSON lacks is looked for."""

_NOT_FINITE = object()
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Unreadable(Exception):
    """A node, or a document of it, that cannot be used: a `reason` of the description, and a `detail` in words."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def node(self) -> Node:
        """The node that stands in for it."""
        return fault(self.reason, self.detail)


def quote(value: object) -> str:
    """A value out of a document as it may stand in a message: escaped and short."""
    return shorten(escape_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)))


def parse(raw: bytes, name: str, limits: Limits) -> Document:
    """The object that the document `name` holds; raises `Unreadable` for anything but one strict JSON object."""
    parsed = _loaded(raw, name)
    depth = min(limits.document_depth, _WRITABLE)
    longest = 0
    if raw.count(b"{") + raw.count(b"[") > depth or len(raw) > _LONG:
        longest = _longest(parsed, depth)
    if longest < 0:
        raise Unreadable("over-limit", f"{name} is nested deeper than {depth} levels")
    # A repeated key takes its colon with it; only an escaped colon in a string could make up for that.
    if longest > _LONG:
        del parsed  # not both at once: they take many times the bytes of the document
        _refuse_repeated_keys(raw, name)
        parsed = _loaded(raw, name)
    elif raw.count(b":") != orjson.dumps(parsed).count(b":") or (b"\\" in raw and b"\\u003" in raw):
        _refuse_repeated_keys(raw, name)
    if type(parsed) is not dict:
        raise Unreadable("metadata-malformed", f"{name} holds no JSON object")
    return parsed


def _loaded(raw: bytes, name: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "memory" in error.msg:
            raise MemoryError from None
        raise _not_json(raw, name, error) from None
    except SystemError as error:
        if isinstance(error.__cause__, MemoryError):  # orjson 3.13 wraps it
            raise MemoryError from None
        raise


def _not_json(raw: bytes, name: str, error: orjson.JSONDecodeError) -> Unreadable:
    if raw.startswith(_BYTE_ORDER_MARKS):
        return Unreadable("metadata-malformed", f"{name} starts with a byte-order mark")
    if not raw.strip(b" \t\r\n"):
        return Unreadable("metadata-malformed", f"{name} is empty")
    if "depth limit" in error.msg:
        return Unreadable("over-limit", f"{name} is nested too deeply")
    try:
        raw.decode()
    except UnicodeDecodeError as undecodable:
        return Unreadable("metadata-malformed", f"{name} is not UTF-8 at byte {undecodable.start}")
    words = shorten(escape_text(str(error)))
    if b"NaN" in raw or b"Infinity" in raw:
        place = _not_finite(raw) if len(raw) <= _SEARCHED else None
        words = f"{quote(place)} is NaN or infinite" if place else words
        words += "; NaN and Infinity are no JSON: store null or a text, and consolidate again"
    return Unreadable("metadata-malformed", f"{name} is not JSON: {words}")


def _not_finite(raw: bytes) -> str | None:
    """The keys that lead to the first number that JSON lacks, in a document that is JSON but for such numbers."""
    try:
        level = [("", json.loads(raw, parse_constant=lambda _: _NOT_FINITE))]
    except (ValueError, RecursionError):
        return None
    for _ in range(_WRITABLE):
        found = next((path for path, item in level if item is _NOT_FINITE), None)
        if found is not None:
            return found.lstrip("/")
        level = [
            (f"{path}/{key}", value)
            for path, item in level
            if type(item) is dict or type(item) is list
            for key, value in (item.items() if type(item) is dict else enumerate(item))
        ]
    return None


def _longest(parsed: Any, depth: int) -> int:
    """The length of the longest list or object, and -1 where they stand within each other more than `depth` times."""
    level = [parsed] if type(parsed) is dict or type(parsed) is list else []
    longest = 0
    for _ in range(depth + 1):  # level by level, without recursion
        longest = max(longest, max(map(len, level), default=0))
        level = [
            value
            for item in level
            for value in (item.values() if type(item) is dict else item)
            if type(value) is dict or type(value) is list
        ]
        if not level:
            return longest
    return -1


def _refuse_repeated_keys(raw: bytes, name: str) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Unreadable("metadata-malformed", f"{name} repeats the key {quote(key)}")
            seen.add(key)

    try:
        json.loads(raw, object_pairs_hook=check, parse_int=str, parse_float=str)
    except RecursionError:  # what a repeated key hides may be deeper than what is left
        raise Unreadable("over-limit", f"{name} is nested too deeply") from None
