"""The tree of an ASDF file: YAML by its events, to plain values. Constructs nothing, resolves no tag, follows no merge.

Depth and count are bounded. An alias stands for a scalar or a flat list; of anything else it stays an `Alias`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from vizschema.containers.attributes import Unsupported
from vizschema.containers.base import Limits, Unreadable, quote

YAML = "tag:yaml.org,2002:"
DEPTH = 160
"""How deep collections may stand within each other: the groups of the deepest path, and what is in the last of them."""

NODES = 64
"""How many nodes of YAML the tree may have for every node of the archive."""

_FLAT = 4096
_PLAIN = {f"{YAML}{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.SafeLoader("")


class Tagged(NamedTuple):
    """A value under a tag that is none of YAML's own."""

    tag: str
    value: Any


class Alias(NamedTuple):
    """A second mention of a collection that is anchored elsewhere."""

    anchor: str


class Broken(NamedTuple):
    """A collection that cannot be used: a reason of the description, and the words."""

    reason: str
    detail: str


class _Open(NamedTuple):
    """A collection that is not finished: its items (of a mapping: keys and values in turn), tag and anchor."""

    is_mapping: bool
    items: list[Any]
    tag: str | None
    anchor: str | None


def read_tree(raw: bytes, limits: Limits) -> Any:
    """Scalars, lists, mappings by the text of their keys, and the classes above; raises `Unreadable`."""
    try:
        return _Builder(NODES * limits.nodes).build(yaml.parse(raw, Loader=_LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise Unreadable("metadata-malformed", f"the tree is not YAML{where}: {quote(problem)}") from None
    except UnicodeDecodeError as error:
        raise Unreadable("metadata-malformed", f"the tree is not UTF-8 at byte {error.start}") from None


class _Builder:
    """One document from events, without recursion."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._anchors: dict[str, Any] = {}
        self._open: list[_Open] = []
        self._documents: list[Any] = []

    def build(self, events: Iterator[Any]) -> Any:
        """The value of the only document."""
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._add(self._kept(event.anchor, _scalar(event)))
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if len(self._open) == DEPTH:
                    raise Unreadable("over-limit", f"the tree is nested deeper than {DEPTH} levels")
                is_mapping = kind is yaml.MappingStartEvent
                self._open.append(_Open(is_mapping, [], None if event.implicit else event.tag, event.anchor))
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                done = self._open.pop()
                value = _mapping(done.items) if done.is_mapping else done.items
                self._add(self._kept(done.anchor, _tagged(done.tag, value)))
            elif kind is yaml.AliasEvent:
                self._add(self._alias(event.anchor))
        if len(self._documents) != 1:
            raise Unreadable("metadata-malformed", f"the tree is {len(self._documents)} documents, not one")
        return self._documents[0]

    def _add(self, value: Any) -> None:
        self._count += len(value) if type(value) is list else 1
        if self._count > self._most:
            raise Unreadable("over-limit", f"the tree has more than {self._most} nodes")
        (self._open[-1].items if self._open else self._documents).append(value)

    def _kept(self, anchor: str | None, value: Any) -> Any:
        if anchor is not None:
            self._anchors[anchor] = value
        return value

    def _alias(self, anchor: str) -> Any:
        value = self._anchors.get(anchor, Alias(anchor))
        if type(value) is list:
            flat = len(value) <= _FLAT and not any(type(item) in (list, dict, Tagged, Alias, Broken) for item in value)
            return value if flat else Alias(anchor)
        return Alias(anchor) if type(value) in (dict, Tagged, Broken) else value


def _mapping(items: list[Any]) -> dict[str, Any] | Broken:
    mapping: dict[str, Any] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) not in (str, int, bool, float):
            return Broken("metadata-invalid", "a key that is not a scalar")
        name = key if type(key) is str else str(key)
        if name in mapping:
            return Broken("metadata-malformed", f"the tree repeats the key {quote(name)}")
        mapping[name] = value
    return mapping


def _tagged(tag: str | None, value: Any) -> Any:
    return value if tag is None or tag == "!" or tag in _PLAIN else Tagged(tag, value)


def _scalar(event: Any) -> Any:
    plain, quoted = event.implicit
    if event.tag is not None and not plain and not quoted:
        return _typed(event.tag, event.value) if event.tag in _PLAIN else _tagged(event.tag, event.value)
    if plain and not event.style:
        return _plain(event.value) if len(event.value) < 64 else _resolved(event.value)
    return event.value


@lru_cache(maxsize=4096)
def _plain(text: str) -> Any:
    return _resolved(text)


def _resolved(text: str) -> Any:
    """A plain scalar by the rules of YAML 1.1, but that a date stays text."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    if tag == f"{YAML}merge":
        raise Unreadable("unsupported", "the tree has a merge key (<<)")
    return _typed(tag, text) if tag in _PLAIN else text


def _typed(tag: str, text: str) -> Any:
    """The value of a scalar of one of YAML's own types; text that is none becomes what no container can carry."""
    node = yaml.ScalarNode(tag, text)
    try:
        if tag == f"{YAML}int":
            return _RESOLVER.construct_yaml_int(node)
        if tag == f"{YAML}float":
            return _RESOLVER.construct_yaml_float(node)
        if tag == f"{YAML}bool":
            return _RESOLVER.construct_yaml_bool(node)
    except (ValueError, KeyError, IndexError):
        return Unsupported(f"no {tag.removeprefix(YAML)}")
    return None if tag == f"{YAML}null" else text
