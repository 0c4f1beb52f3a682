"""What every container gives, and what they share: limits, names made safe for a description, strict JSON.

A metadata document is parsed from bytes to a JSON object, strictly and within the limits, whatever it should hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from vizschema.description import Node, fault
from vizschema.text import escape_name, escape_text, shorten

if TYPE_CHECKING:
    from vizschema.containers.values import Values

_NO_STEPS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what is read to describe an archive; a node that exceeds one is `over-limit`.

    Attributes:
        document_bytes: Maximum bytes of a metadata document, and of the attributes of one HDF5 object.
        consolidated_bytes: Maximum bytes of consolidated metadata, of `vizschema.json`, of the directory of a zip file.
        document_depth: Maximum nesting of lists and objects in a document.
        tree_bytes: Maximum bytes of the tree of an ASDF file.
        attribute_bytes: Maximum bytes of one attribute.
        nodes: Maximum nodes of an archive, and members of a folder.
        members: Maximum members of a zip file.
        chunks: Maximum chunks of an array, stored or not.
        path_depth: Maximum levels of groups.

    Examples:
        >>> description = vizschema.describe("run.zarr", limits=vizschema.Limits(nodes=4))
        >>> sum(node.get("reason") == "over-limit" for node in description["nodes"].values())
        1
    """

    document_bytes: int = 4 << 20
    consolidated_bytes: int = 64 << 20
    document_depth: int = 32
    tree_bytes: int = 32 << 20
    attribute_bytes: int = 1 << 20
    nodes: int = 1_000_000
    members: int = 1_000_000
    chunks: int = 10_000_000
    path_depth: int = 64


Watch = Callable[[str], Node | None]
"""Called with the path of a node before anything of it is touched; the node it gives, if any, is taken instead."""


def unwatched(_: str) -> Node | None:
    """Return None: no node is replaced."""
    return None


class Container(Protocol):
    """An open archive that can be described. Nothing of it is executed, and `nodes` reads no chunk."""

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""

    def values(self, path: str) -> Values:
        """The values of an array that `nodes` gave under this path, of a dtype among `description.ITEM_BYTES`.

        Raises `ChunkDamaged` where the array cannot be opened any more.
        """

    def close(self) -> None:
        """Let go of every file."""


READINGS = 16
"""How many of the places are listed at which other readers read another archive."""


def read_as(identity: dict[str, Any], readings: Sequence[str]) -> dict[str, Any]:
    """The `container` block, with the first of the places at which other readers read another archive."""
    shown = [escape_text(words) for words in readings[:READINGS]]
    return {**identity, "readings": shown} if shown else identity


def is_path(steps: Iterable[str]) -> bool:
    """Whether steps between slashes lead below the root: none is empty, or stands for another place."""
    return _NO_STEPS.isdisjoint(steps)


def too_many_chunks(node: Node, limits: Limits) -> str | None:
    """Why the chunks of an array are more than the limit; None if they are not.

    A few bytes of metadata declare any number of chunks that were never written, each of which takes its time.
    """
    count = 0 if node["storage"] is None else node["storage"]["chunk_count"]
    return None if count <= limits.chunks else f"the array has {count} chunks, more than {limits.chunks}"


def name_node(node: Node, name: str, escaped: list[str]) -> tuple[str, Node]:
    """(`name` made safe, `node` marked with everything in it that was escaped)."""
    safe = escape_name(name)
    places = [*(["name"] if safe != name else []), *node.get("escaped", ()), *escaped]
    if places:
        node["escaped"] = places
    return safe, node


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
    parsed = parse_value(raw, name, limits)
    if type(parsed) is not dict:
        raise Unreadable("metadata-malformed", f"{name} holds no JSON object")
    return parsed


def parse_value(raw: bytes, name: str, limits: Limits) -> Any:
    """The value that the JSON text `name` holds; raises `Unreadable` for anything but one strict JSON text."""
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
        refuse_repeated_keys(raw, name)
        parsed = _loaded(raw, name)
    elif raw.count(b":") != orjson.dumps(parsed).count(b":") or (b"\\" in raw and b"\\u003" in raw):
        refuse_repeated_keys(raw, name)
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
        words += "; NaN and Infinity are not JSON: store null or a text, and consolidate again"
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


def refuse_repeated_keys(raw: bytes, name: str) -> None:
    """Raise `Unreadable` where an object of the JSON text `name` has a key twice."""

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
