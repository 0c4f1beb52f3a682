"""The documents of one folder to one node, held against each other and against the copies in consolidated metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

import orjson

from vizschema.containers.base import Document, Limits, Unreadable, is_path, parse, quote
from vizschema.containers.zarr.folder import DOCUMENTS, Folder
from vizschema.containers.zarr.metadata import ZarrArray, parse_v2_array, parse_v2_group, parse_v3
from vizschema.containers.zarr.settings import settings
from vizschema.description import Node, fault, join, parent_of

Accounts = Mapping[str, Document]
"""The documents of one node by name: `zarr.json`, or `.zarray`, `.zgroup`, `.zattrs`."""

_COPY = "consolidated_metadata"


class Copies:
    """What one consolidated document says of each node: `check` them one by one, then ask for the `leftover`."""

    def __init__(self, accounts: Mapping[str, Accounts], limits: Limits, *, without: str | None) -> None:
        self._accounts = accounts
        self._limits = limits
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
        """What is different in the copy of the node at `path`; `found` is None where its documents are unusable."""
        self._checked.add(path)
        copy = self._accounts.get(path)
        if found is None:
            return None
        if copy is None:
            return "the consolidated copy does not list this node"
        for name in sorted(found.keys() | copy.keys()):
            difference = self._difference(name, found.get(name), copy.get(name), copy.get(".zattrs") or {})
            if difference is not None:
                return difference
        return None

    def _difference(self, name: str, found: Document | None, copy: Document | None, attributes: Document) -> str | None:
        """What is different in the copy of the document `name`, everything filled in that either leaves out."""
        if name == ".zattrs":
            found, copy = found or {}, copy or {}
        if found is None or copy is None:
            return f"{name} is only in the {'folder' if copy is None else 'consolidated copy'}"
        if orjson.dumps(found, option=orjson.OPT_SORT_KEYS) == orjson.dumps(copy, option=orjson.OPT_SORT_KEYS):
            return None
        try:
            _CHECKS[name](copy, attributes, self._limits)
        except Unreadable as unreadable:
            return f"the consolidated copy of {name}: {unreadable.detail}"
        return _first_difference(name, found, copy)

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


def v3_copies(document: Document, path: str, limits: Limits) -> Copies | None:
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
    return Copies(accounts, limits, without=path)


def v2_copies(document: Document, path: str, limits: Limits) -> Copies:
    """The copies in a `.zmetadata`."""
    documents = document.get("metadata")
    if type(documents) is not dict or document.get("zarr_consolidated_format") != 1:
        raise Unreadable("metadata-invalid", ".zmetadata holds no object of documents of format 1")
    accounts: dict[str, dict[str, Document]] = {}
    for key in documents:
        node, _, name = key.rpartition("/")
        if name not in (".zarray", ".zgroup", ".zattrs"):
            raise Unreadable("metadata-invalid", f".zmetadata lists {quote(key)}, which is not a document of Zarr")
        accounts.setdefault(_absolute(path, node) if node else path, {})[name] = _object(key, documents[key])
    return Copies(accounts, limits, without=None)


def _absolute(path: str, key: str) -> str:
    if not is_path(key.split("/")):
        raise Unreadable(
            "metadata-invalid", f"the consolidated metadata list {quote(key)}, which is not a path below the group"
        )
    return join(path, key)


def _object(key: str, document: Any) -> Document:
    if type(document) is not dict:
        raise Unreadable("metadata-invalid", f"the consolidated copy of {quote(key)} is not an object")
    return document


def _first_difference(name: str, found: Document, copy: Document) -> str | None:
    ours, theirs = settings(name, found), settings(name, copy)
    for key in sorted((ours.keys() | theirs.keys()) - {_COPY}):
        if key not in ours or key not in theirs:
            return f"{quote(key)} of {name} is only in the {'folder' if key in ours else 'consolidated copy'}"
        if not _same(ours[key], theirs[key]):
            shown = (quote(document.get(key, "left out")) for document in (found, copy))
            return f"{quote(key)} of {name} is {next(shown)}, and {next(shown)} in the consolidated copy"
    nested = _nested(copy)
    if name == "zarr.json" and nested and not _same(nested, _nested(found)):
        return f"{_COPY} of zarr.json is another one in the consolidated copy"
    return None


def _nested(document: Document) -> Any:
    """The documents of a consolidated copy within a document: none, or an empty object, where it has none."""
    copy = document.get(_COPY)
    return copy.get("metadata") if type(copy) is dict else None


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, and 1 is 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


_CHECKS: Mapping[str, Callable[[Document, Document, Limits], Any]] = {
    "zarr.json": lambda copy, _, limits: parse_v3(copy, limits),
    ".zarray": parse_v2_array,
    ".zgroup": parse_v2_group,
    ".zattrs": lambda *_: None,
}
"""What builds a node of a document, and refuses one that no reader would open."""


FIRST = {2: ".zarray", 3: "zarr.json"}
"""The document of an array, by the version of Zarr."""


class Found(NamedTuple):
    """What the documents of a folder say: `accounts` and `array` are None where they are unusable.

    `scopes` are copies within them.
    """

    node: Node
    is_array: bool
    accounts: Accounts | None
    scopes: tuple[Copies, ...] = ()
    array: ZarrArray | None = None


def read_array(folder: Folder, path: str, version: int, limits: Limits) -> Found | None:
    """What the folder's `zarr.json` (array or group) or `.zarray` says, None if there is none. Lists nothing."""
    found = _READ[version](folder, path, limits)
    if found is not None and found.is_array:
        for name in _RIVALS[version]:
            if folder.has(name):
                return found._replace(node=_rivals(FIRST[version], name), accounts=None, array=None)
    return found


def read_group(
    folder: Folder, names: Set[str], path: str, found: Found | None, version: int, limits: Limits
) -> Found | None:
    """What the folder's other documents say, once its members are known by name; `found` is what `read_array` gave."""
    name = FIRST[version]
    if found is None and version == 2 and (".zgroup" in names or ".zmetadata" in names):
        name = ".zgroup"
        found = _v2_group(folder, names, path, limits)
    others = sorted(other for other in DOCUMENTS & names if (other == "zarr.json") == (version == 2))
    if found is not None:
        return found._replace(node=_rivals(name, others[0]), accounts=None) if others else found
    if others:
        detail = f"{others[0]} is metadata of version {5 - version}, in an archive of version {version}"
        return Found(fault("metadata-conflict", detail), ".zarray" in others, None)
    if version == 2 and ".zattrs" in names:
        return Found(fault("metadata-missing", "there is .zattrs, and neither .zarray nor .zgroup"), False, None)
    return None


def _v3(folder: Folder, path: str, limits: Limits) -> Found | None:
    is_array = False
    try:
        raw = folder.read("zarr.json", limits.consolidated_bytes if path == "/" else limits.document_bytes)
        if raw is None:
            return None
        document = parse(raw, "zarr.json", limits)
        is_array = document.get("node_type") == "array"
        node, array = parse_v3(document, limits)
        copies = None if is_array else v3_copies(document, path, limits)
    except Unreadable as unreadable:
        return Found(unreadable.node(), is_array, None)
    return Found(node, is_array, {"zarr.json": document}, () if copies is None else (copies,), array)


def _v2_array(folder: Folder, _: str, limits: Limits) -> Found | None:
    try:
        raw = folder.read(".zarray", limits.document_bytes)
        if raw is None:
            return None
        document = parse(raw, ".zarray", limits)
        attributes = _read(folder, ".zattrs", limits)
        node, array = parse_v2_array(document, attributes, limits)
    except Unreadable as unreadable:
        return Found(unreadable.node(), True, None)
    return Found(node, True, {".zarray": document, ".zattrs": attributes}, array=array)


def _v2_group(folder: Folder, names: Set[str], path: str, limits: Limits) -> Found:
    try:
        attributes = _read(folder, ".zattrs", limits) if ".zattrs" in names else {}
        accounts = {".zattrs": attributes}
        node = fault("metadata-missing", "there is .zmetadata, and no .zgroup")
        if ".zgroup" in names:
            accounts[".zgroup"] = _read(folder, ".zgroup", limits)
            node = parse_v2_group(accounts[".zgroup"], attributes, limits).node
        scopes: tuple[Copies, ...] = ()
        if ".zmetadata" in names:
            raw = folder.read(".zmetadata", limits.consolidated_bytes if path == "/" else limits.document_bytes)
            scopes = (v2_copies(parse(raw or b"", ".zmetadata", limits), path, limits),)
    except Unreadable as unreadable:
        return Found(unreadable.node(), False, None)
    return Found(node, False, accounts, scopes)


def _read(folder: Folder, name: str, limits: Limits) -> Document:
    raw = folder.read(name, limits.document_bytes)
    return {} if raw is None else parse(raw, name, limits)


def _rivals(name: str, other: str) -> Node:
    return fault("metadata-conflict", f"{name} stands beside {other}: two accounts of one node")


_READ: dict[int, Callable[[Folder, str, Limits], Found | None]] = {2: _v2_array, 3: _v3}
_RIVALS = {2: (".zgroup", "zarr.json"), 3: (".zarray", ".zgroup")}
