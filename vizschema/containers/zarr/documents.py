"""The documents of one folder to one node: which there are, and whether they contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import NamedTuple

from vizschema.containers.base import Limits
from vizschema.containers.document import Document, Unreadable, parse
from vizschema.containers.zarr.consolidated import Accounts, Copies, v2_copies, v3_copies
from vizschema.containers.zarr.folder import DOCUMENTS, Folder
from vizschema.containers.zarr.metadata import v2_array, v2_group, v3_node
from vizschema.description import Node, fault


class Found(NamedTuple):
    """What the documents of a folder say: `accounts` is null where they are no use, `scopes` are copies within them."""

    node: Node
    is_array: bool
    accounts: Accounts | None
    scopes: tuple[Copies, ...] = ()


def read_array(folder: Folder, path: str, version: int, limits: Limits) -> Found | None:
    """What the folder's `zarr.json` (array or group) or `.zarray` says, null where there is none. Lists nothing."""
    found = _FIRST[version](folder, path, limits)
    if found is not None and found.is_array:
        for name in _RIVALS[version]:
            if folder.has(name):
                return found._replace(node=_rivals(_FIRST_NAMES[version], name), accounts=None)
    return found


def read_group(
    folder: Folder, names: Set[str], path: str, found: Found | None, version: int, limits: Limits
) -> Found | None:
    """What the folder's other documents say, once its members are known by name; `found` is what `read_array` gave."""
    name = _FIRST_NAMES[version]
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
        node = v3_node(document, limits)
        copies = None if is_array else v3_copies(document, path, limits)
    except Unreadable as unreadable:
        return Found(unreadable.node(), is_array, None)
    return Found(node, is_array, {"zarr.json": document}, () if copies is None else (copies,))


def _v2_array(folder: Folder, _: str, limits: Limits) -> Found | None:
    try:
        raw = folder.read(".zarray", limits.document_bytes)
        if raw is None:
            return None
        document = parse(raw, ".zarray", limits)
        attributes = _read(folder, ".zattrs", limits)
        node = v2_array(document, attributes, limits)
    except Unreadable as unreadable:
        return Found(unreadable.node(), True, None)
    return Found(node, True, {".zarray": document, ".zattrs": attributes})


def _v2_group(folder: Folder, names: Set[str], path: str, limits: Limits) -> Found:
    try:
        attributes = _read(folder, ".zattrs", limits) if ".zattrs" in names else {}
        accounts = {".zattrs": attributes}
        node = fault("metadata-missing", "there is .zmetadata, and no .zgroup")
        if ".zgroup" in names:
            accounts[".zgroup"] = _read(folder, ".zgroup", limits)
            node = v2_group(accounts[".zgroup"], attributes, limits)
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


_FIRST: dict[int, Callable[[Folder, str, Limits], Found | None]] = {2: _v2_array, 3: _v3}
_FIRST_NAMES = {2: ".zarray", 3: "zarr.json"}
_RIVALS = {2: (".zgroup", "zarr.json"), 3: (".zarray", ".zgroup")}
