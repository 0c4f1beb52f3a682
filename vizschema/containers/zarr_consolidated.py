"""Consolidated metadata: the copy of every document below a group, held against the documents. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from vizschema.containers.base import is_path
from vizschema.containers.zarr_json import Document, Unreadable, quote
from vizschema.description import join, parent_of

Accounts = Mapping[str, Document]
"""The documents of one node by name: `zarr.json`, or `.zarray`, `.zgroup`, `.zattrs`."""

_COPY = "consolidated_metadata"
_DEFAULTS: Mapping[str, Any] = {
    "attributes": {},
    "storage_transformers": [],
    "dimension_names": None,
    "dimension_separator": ".",
}
"""Fields that may be left out, and what that means."""


class Copies:
    """What one consolidated document says of each node: `check` them one by one, then ask for the `leftover`."""

    def __init__(self, accounts: Mapping[str, Accounts], *, without: str | None) -> None:
        self._accounts = accounts
        self._without = without
        self._checked: set[str] = set()
        self._closed: set[str] = set()

    @property
    def accounts(self) -> Mapping[str, Accounts]:
        """The copies of every node, by its path."""
        return self._accounts

    def close(self, path: str) -> None:
        """Notes that the folder at `path` could not be looked into, so that nothing below it counts as left over."""
        self._closed.add(path)

    def covers(self, path: str) -> bool:
        """Whether the copy should list the node at `path`; that of version 3 does not list the group that holds it."""
        return path != self._without

    def check(self, path: str, found: Accounts | None) -> str | None:
        """What is different in the copy of the node at `path`; `found` is null where its documents are no use."""
        self._checked.add(path)
        copy = self._accounts.get(path)
        if found is None:
            return None
        if copy is None:
            return "the consolidated copy does not list this node"
        for name in sorted(found.keys() | copy.keys()):
            difference = _difference(name, found.get(name), copy.get(name))
            if difference is not None:
                return difference
        return None

    def lists(self, path: str) -> bool:
        """Whether there is a copy of the node at `path`."""
        return path in self._accounts

    def leftover(self) -> dict[str, int]:
        """The topmost nodes that only the copy knows, and how many each stands for, save below shut folders."""
        missing = sorted(path for path in self._accounts if path not in self._checked)
        counts: dict[str, int] = {}
        known = set(missing)
        for path in missing:
            top = path
            while top != "/" and parent_of(top) in known:
                top = parent_of(top)
            if parent_of(top) not in self._closed:
                counts[top] = counts.get(top, 0) + 1
        return counts


def v3_copies(document: Document, path: str) -> Copies | None:
    """The copies within the `zarr.json` of a group, if it holds any."""
    consolidated = document.get(_COPY)
    if consolidated is None:
        return None
    documents = consolidated.get("metadata") if type(consolidated) is dict else None
    if type(documents) is not dict:
        raise Unreadable("metadata-invalid", f"{_COPY} of zarr.json holds no object of documents")
    if consolidated.get("kind") != "inline":
        raise Unreadable("unsupported", f"{_COPY} is of the kind {quote(consolidated.get('kind'))}")
    accounts = {_absolute(path, key): {"zarr.json": _object(key, documents[key])} for key in documents}
    return Copies(accounts, without=path)


def v2_copies(document: Document, path: str) -> Copies:
    """The copies in a `.zmetadata`."""
    documents = document.get("metadata")
    if type(documents) is not dict or document.get("zarr_consolidated_format") != 1:
        raise Unreadable("metadata-invalid", ".zmetadata holds no object of documents of format 1")
    accounts: dict[str, dict[str, Document]] = {}
    for key in documents:
        node, _, name = key.rpartition("/")
        if name not in (".zarray", ".zgroup", ".zattrs"):
            raise Unreadable("metadata-invalid", f".zmetadata lists {quote(key)}, which is no document of Zarr")
        accounts.setdefault(_absolute(path, node) if node else path, {})[name] = _object(key, documents[key])
    return Copies(accounts, without=None)


def _absolute(path: str, key: str) -> str:
    if not is_path(key.split("/")):
        raise Unreadable(
            "metadata-invalid", f"the consolidated metadata list {quote(key)}, which is no path below the group"
        )
    return join(path, key)


def _object(key: str, document: Any) -> Document:
    if type(document) is not dict:
        raise Unreadable("metadata-invalid", f"the consolidated copy of {quote(key)} is no object")
    return document


def _difference(name: str, found: Document | None, copy: Document | None) -> str | None:
    if name == ".zattrs":
        found, copy = found or {}, copy or {}
    if found is None or copy is None:
        return f"{name} is only in the {'folder' if copy is None else 'consolidated copy'}"
    if orjson.dumps(found, option=orjson.OPT_SORT_KEYS) == orjson.dumps(copy, option=orjson.OPT_SORT_KEYS):
        return None
    same = _same if name == ".zattrs" else _same_settings
    for key in sorted((found.keys() | copy.keys()) - {_COPY}):
        if key not in found or key not in copy:
            spelled = found.get(key, copy.get(key))
            if name == ".zattrs" or key not in _DEFAULTS or spelled != _DEFAULTS[key]:
                return f"{quote(key)} of {name} is only in the {'folder' if key in found else 'consolidated copy'}"
        elif not (_same if key == "attributes" else same)(found[key], copy[key]):
            return f"{quote(key)} of {name} is {quote(found[key])}, and {quote(copy[key])} in the consolidated copy"
    return None


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, and 1 is 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _same_settings(one: Any, other: Any) -> bool:
    """Likewise, but for settings that only one spells out: zarr-python writes every default into its copy."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same_settings(one[key], other[key]) for key in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_settings, one, other))
    if isinstance(one, str) and isinstance(other, dict):
        return bool(other.get("name") == one)
    if isinstance(one, dict) and isinstance(other, str):
        return bool(one.get("name") == other)
    return _same(one, other)
