"""Zarr in a zip file: folders made of the names in its directory, documents and chunks read without unpacking.

The root is at the top, or is the only folder at the top that holds metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

from vizschema.containers.base import Limits, Unreadable, Watch, is_path, read_as, unwatched
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.sources import Buffer, BufferPool, Bytes, Held, Source
from vizschema.containers.values import ChunkDamaged, Values
from vizschema.containers.zarr.folder import DOCUMENTS, FILE, FOLDER, Entry
from vizschema.containers.zarr.missing import survey
from vizschema.containers.zarr.walk import Walk
from vizschema.containers.zips.directory import Member
from vizschema.containers.zips.members import Zip
from vizschema.description import Node, fault
from vizschema.text import escape_name

CHUNK = 2 << 30
"""Maximum bytes of a packed member that holds a chunk or shard; a stored one is read in ranges."""

_Tree = dict[str, Any]


class ZipFolder:
    """A folder within a zip file, as a `Folder`: names of members and of further folders."""

    def __init__(self, file: Zip, tree: _Tree) -> None:
        self._file = file
        self._tree = tree

    def read(self, name: str, limit: int) -> bytes | None:
        """The document of that name, None if there is none."""
        found = self._tree.get(name)
        if found is None:
            return None
        if isinstance(found, dict):
            raise Unreadable("metadata-invalid", f"{name} is a folder, not a document")
        return self._file.document(found, limit)

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return name in self._tree

    def entries(self) -> Sequence[Entry]:
        """Every member, sorted by name."""
        return sorted(_entry(name, found) for name, found in self._tree.items())

    def enter(self, name: str) -> ZipFolder:
        """The folder of that name within this one."""
        found = self._tree.get(name)
        if not isinstance(found, dict):
            raise Unreadable("damaged", f"{name} is not a folder")
        return ZipFolder(self._file, found)

    def named(self, shown: str) -> str:
        """The name of the member that a description shows as `shown`."""
        if shown in self._tree:
            return shown
        return next((name for name in self._tree if escape_name(name) == shown), shown)

    def find(self, key: str) -> Member | None:
        """The member under a key of several steps, None if there is none."""
        found: Any = self._tree
        for step in key.split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        return None if isinstance(found, dict) else found

    def size_of(self, key: str) -> int | None:
        """Return the bytes of the member under a key, as they are stored; None if there is none."""
        member = self.find(key)
        return None if member is None else member.packed

    def members(self) -> Iterator[tuple[str, bool]]:
        """The name of every member, and whether it is a folder."""
        return ((name, isinstance(found, dict)) for name, found in self._tree.items())

    def close(self) -> None:
        """Do nothing: the container closes the file."""


class ZarrZip:
    """A Zarr archive in an open zip file, as a `Container`; `beside` are the names beside its folder."""

    def __init__(self, file: Zip, tree: _Tree, version: int, limits: Limits, beside: Sequence[str] = ()) -> None:
        self._file = file
        self._root = ZipFolder(file, tree)
        self._version = version
        self._beside = beside
        self._limits = limits
        self._walk = Walk(self._root, version, limits)
        self._pool = BufferPool()

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        consolidated = self._walk.consolidated()
        identity = {"format": "zarr", "version": self._version, "store": "zip", "consolidated": consolidated}
        return read_as(identity, self._file.readings)

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""
        yield from self._walk.nodes(watch)
        for name in self._beside:
            yield f"/{escape_name(name)}", fault("stray-file", "stands beside the folder of the archive")

    def values(self, path: str) -> Values:
        """The values of the array at `path`; raises `ChunkDamaged` where it cannot be opened."""
        from vizschema.containers.zarr.values import ZarrValues, located

        names, layout = located(self._walk, path)
        folder = reduce(ZipFolder.enter, names, self._root)
        return ZarrValues(layout, lambda key: self._chunk(folder, key), self._pool, lambda: folder, folder.size_of)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _chunk(self, folder: ZipFolder, key: str) -> Source | None:
        member = folder.find(key)
        if member is None:
            return None
        try:
            run = self._file.run(member)
            if not run.codec:
                return StoredMember(run)
            if run.size > CHUNK:
                raise ChunkDamaged("over-limit", f"a packed zip member of {run.size} bytes, more than {CHUNK}")
            return Held(run.checked())
        except Unreadable as unreadable:
            raise ChunkDamaged("undecodable", unreadable.detail) from None


class StoredMember:
    """A member that lies in the zip file as it is, as a `Source`; its CRC-32 is checked where it is taken whole."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._run.size

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`."""
        if start + length > self._run.size:
            raise ChunkDamaged("truncated", f"expected {length} bytes, found {max(self._run.size - start, 0)}")
        whole = length == self._run.size
        return self._run.stored(buffer) if whole else self._run.fill(start, buffer.sized(length))

    def close(self) -> None:
        """Do nothing: the container closes the file."""


def zarr_in_zip(file: Zip, limits: Limits) -> ZarrZip | None:
    """The archive that these members make, None if they show nothing of Zarr."""
    if not any(_may_be_zarr(member.name) for member in file.members):
        return None
    tree = _tree(file.members)
    version = _version(tree)
    if version is not None:
        return ZarrZip(file, tree, version, limits)
    below = [name for name, found in tree.items() if isinstance(found, dict) and _version(found) is not None]
    if len(below) == 1:
        inner = tree[below[0]]
        beside = sorted(name for name in tree if name != below[0] and name not in inner)
        return ZarrZip(file, inner, _version(inner) or 3, limits, beside)
    # Chunks, or nodes, whose root lost its metadata.
    lost, _ = survey(ZipFolder(file, tree))
    return None if lost is None else ZarrZip(file, tree, lost, limits)


def _version(tree: _Tree) -> int | None:
    if "zarr.json" in tree:
        return 3
    return 2 if not DOCUMENTS.isdisjoint(tree) else None


def _may_be_zarr(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last in DOCUMENTS or last.replace(".", "").removeprefix("c").isdecimal()


def _tree(members: Sequence[Member]) -> _Tree:
    """Folders within folders; a name that is not a path below the root, or that is taken twice, stands as a problem."""
    tree: _Tree = {}
    for member in members:
        steps = member.name.rstrip("/").split("/")
        if "\\" in member.name and member.problem is None:
            member = member._replace(
                problem=("metadata-invalid", "a backslash, which is a slash to readers on Windows")
            )
        if not is_path(steps):
            tree[member.name] = member
            continue
        folder = tree
        for step in steps if member.is_folder and member.problem is None else steps[:-1]:
            inner = folder.setdefault(step, {})
            if not isinstance(inner, dict):
                folder[step] = inner._replace(problem=("metadata-conflict", "a zip member and a folder have this name"))
                break
            folder = inner
        else:
            _place(folder, steps[-1], member)
    return tree


def _place(folder: _Tree, name: str, member: Member) -> None:
    if member.is_folder and member.problem is None:
        return
    if isinstance(folder.get(name), dict):
        member = member._replace(problem=("metadata-conflict", "a zip member and a folder have this name"))
    folder[name] = member


def _entry(name: str, found: Any) -> Entry:
    if isinstance(found, dict):
        return Entry(name, FOLDER)
    return Entry(name, FILE) if found.problem is None else Entry(name, *found.problem)
