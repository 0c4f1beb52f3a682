"""The documents of one folder to one node: which there are, and whether they contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import NamedTuple

from vizschema.containers.base import Limits
from vizschema.containers.document import Document, Unreadable, parse
from vizschema.containers.zarr.consolidated import Accounts, Copies, v2_copies, v3_copies
from vizschema.containers.zarr.folder import DOCUMENTS, Folder
from vizschema.containers.zarr.metadata import ZarrArray, parse_v2_array, parse_v2_group, parse_v3
from vizschema.description import Node, fault

FIRST = {2: ".zarray", 3: "zarr.json"}
"""The document of an array, by the version of Zarr."""


class Found(NamedTuple):
    """What the documents of a folder say: `accounts` and `array` are None where they are no use.

    `scopes` are copies within them.
    """

    node: Node
    is_array: bool
    accounts: Accounts | None
    scopes: tuple[Copies, ...] = ()
    array: ZarrArray | None = None


def read_array(folder: Folder, path: str, version: int, limits: Limits) -> Found | None:
    """What the folder's `zarr.json` (array or group) or `.zarray` says, null where there is none. Lists nothing."""
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
