"""Zarr on the network: described from its consolidated copy, which is trusted, or from one listing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vizschema.containers.base import Limits, Unreadable, Watch, parse, unwatched
from vizschema.containers.remote.store import Missing, Part, Remote, place_of
from vizschema.containers.zarr.documents import Accounts, v2_copies, v3_copies
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.containers.zarr.missing import no_zarr, survey
from vizschema.containers.zarr.remote_tree import RemoteFolder, copied_tree, listed_tree
from vizschema.containers.zarr.walk import Walk
from vizschema.description import Node
from vizschema.errors import NotAnArchive

if TYPE_CHECKING:
    from vizschema.containers.bytes.sources import BufferPool
    from vizschema.containers.values import Values
    from vizschema.containers.zarr.ahead import Budget

_ROOT = ("zarr.json", ".zmetadata")
_UNCONSOLIDATED = (
    "a Zarr archive without consolidated metadata, on a server that cannot list what it holds: consolidate it "
    "(zarr.consolidate_metadata), or publish it as one zip file"
)


class ZarrRemote:
    """A Zarr archive on the network, as a `Container`."""

    def __init__(self, remote: Remote, root: RemoteFolder, version: int, limits: Limits) -> None:
        self._remote = remote
        self._root = root
        self._version = version
        self._limits = limits
        self._walk = Walk(root, version, limits)
        self._shared: tuple[BufferPool, Budget] | None = None

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        consolidated = self._walk.consolidated()
        identity = {"format": "zarr", "version": self._version, "store": "remote", "consolidated": consolidated}
        return {**identity, "unlisted": True}

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; fetches nothing."""
        return self._walk.nodes(watch)

    def values(self, path: str) -> Values:
        """The values of the array under a path that `nodes` gave; raises `ChunkDamaged` where it cannot be opened.

        Whenever a piece is read, those that follow it are under way.
        """
        # Describing needs no NumPy and no codec: they are imported where values are read.
        from vizschema.containers.bytes.sources import BufferPool
        from vizschema.containers.zarr.ahead import IN_FLIGHT, Budget, RemoteChunks, ValuesAhead
        from vizschema.containers.zarr.values import ZarrValues, located

        self._shared = self._shared or (BufferPool(), Budget(IN_FLIGHT))
        pool, budget = self._shared
        names, layout = located(self._walk, path)
        chunks = RemoteChunks(self._remote, names, budget)
        return ValuesAhead(ZarrValues(layout, chunks, pool), chunks)

    def close(self) -> None:
        """Let go of every connection."""
        self._remote.close()


def open_zarr_remote(remote: Remote, limits: Limits) -> ZarrRemote | Missing:
    """The archive below a URL: by two requests where it is consolidated, otherwise by a listing and its documents.

    Gives why there is nothing of Zarr; raises `NotAnArchive`.
    """
    running = [(name, remote.begin(name, None, limits.consolidated_bytes)) for name in _ROOT]
    answers = {name: future.result() for name, future in running}
    documents = {name: _document(remote, name, part) for name, part in answers.items() if isinstance(part, Part)}
    accounts, alone = _accounts(documents, limits)
    if accounts is not None or alone:
        return ZarrRemote(
            remote, copied_tree(documents, accounts or {}, limits), 3 if "zarr.json" in documents else 2, limits
        )
    if remote.lists:
        return _by_listing(remote, documents, limits)
    if documents or isinstance(remote.fetch(".zgroup", None, limits.document_bytes), Part):
        raise NotAnArchive(_UNCONSOLIDATED, path=remote.shown)
    array = {name: remote.fetch(name, None, limits.document_bytes) for name in (".zarray",)}
    if isinstance(array[".zarray"], Missing):
        return Missing.DENIED if Missing.DENIED in answers.values() else Missing.ABSENT
    array[".zattrs"] = remote.fetch(".zattrs", None, limits.document_bytes)
    found = {name: _document(remote, name, part) for name, part in array.items() if isinstance(part, Part)}
    return ZarrRemote(remote, copied_tree(found, {}, limits), 2, limits)


def _document(remote: Remote, name: str, part: Part) -> bytes:
    if part.data[:64].lstrip().startswith(b"<"):
        raise NotAnArchive(
            path=place_of(remote.shown, name),
            expected="a metadata document",
            found="a web page: give the URL of the archive itself, not that of a page about it",
        )
    if len(part.data) < part.size:
        raise NotAnArchive(f"{part.size} bytes, more than is read of metadata", path=place_of(remote.shown, name))
    return part.data


def _accounts(documents: Mapping[str, bytes], limits: Limits) -> tuple[Mapping[str, Accounts] | None, bool]:
    """What the consolidated copy says of every node, if there is one; and whether the root's document says it all."""
    try:
        if "zarr.json" in documents:
            document = parse(documents["zarr.json"], "zarr.json", limits)
            copies = None if document.get("node_type") == "array" else v3_copies(document, "/", limits)
            return (None if copies is None else copies.accounts), document.get("node_type") == "array"
        if ".zmetadata" in documents:
            return v2_copies(parse(documents[".zmetadata"], ".zmetadata", limits), "/", limits).accounts, False
    except Unreadable:
        return None, True  # the root's own node says what is wrong with it
    return None, False


def _by_listing(remote: Remote, documents: Mapping[str, bytes], limits: Limits) -> ZarrRemote | Missing:
    root = listed_tree(remote, documents, limits)
    if not root.folders and not root.files and not root.documents:
        return Missing.ABSENT
    if root.has("zarr.json"):
        return ZarrRemote(remote, root, 3, limits)
    if any(root.has(name) for name in DOCUMENTS):
        return ZarrRemote(remote, root, 2, limits)
    version, archives = survey(root)
    if version is not None:
        return ZarrRemote(remote, root, version, limits)
    raise no_zarr(remote.shown, remote.shown, [entry.name for entry in root.entries()], archives)
