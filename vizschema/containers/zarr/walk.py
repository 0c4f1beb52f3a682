"""The walk over a Zarr hierarchy, whatever store holds it: folders to nodes, damage included.

A store gives folders (`zarr_folder.Folder`). An array's folder is never listed, and no chunk is read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple

from vizschema.containers.base import Limits, Unreadable, Watch, name_node, unwatched
from vizschema.containers.zarr.documents import FIRST, Copies, Found, read_array, read_group
from vizschema.containers.zarr.folder import DOCUMENTS, FILE, FOLDER, Entry, Folder
from vizschema.containers.zarr.metadata import ZarrArray
from vizschema.containers.zarr.missing import chunk_key, explain, is_chunk, of_zarr, version_of
from vizschema.description import Node, fault, join
from vizschema.text import escape_name

At = Callable[[Sequence[str]], Folder | None]
"""From the names of folders to the last one, where that is faster than to enter each; None where it cannot be said."""

_Scopes = tuple[Copies, ...]


class Place(NamedTuple):
    """Where the walk is: the path as the store has it, the same made safe, and its last name."""

    raw: str
    safe: str
    name: str
    depth: int


_ROOT = Place("/", "/", "", 0)


def _below(place: Place, name: str) -> Place:
    raw, safe = join(place.raw, name), escape_name(name)
    # One object for both, so that `is` tells where nothing was escaped.
    same = safe is name and place.safe is place.raw
    return Place(raw, raw if same else join(place.safe, safe), name, place.depth + 1)


def _at(place: Place, node: Node) -> tuple[str, Node]:
    """(safe path, node), the node marked where its name was escaped."""
    if place.safe is not place.raw:
        name_node(node, place.name, [])
    return place.safe, node


class Walk:
    """One walk from the root of an archive of one `version`."""

    def __init__(self, root: Folder, version: int, limits: Limits) -> None:
        self._root = root
        self._version = version
        self._limits = limits
        self._watch: Watch = unwatched
        self._count = 0
        self._consolidated: bool | None = None
        self._arrays: dict[str, ZarrArray] = {}

    def consolidated(self) -> bool:
        """Whether the root holds a copy of the documents below."""
        if self._consolidated is None:
            with closing(self.nodes()) as nodes:
                next(nodes)
        return bool(self._consolidated)

    def array(self, path: str, at: At = lambda _: None) -> tuple[list[str], ZarrArray | None]:
        """Where the array at `path` lies, by the names of folders, and what its documents say, read once.

        `at` is asked for the folder first. None where they describe none any more; raises `Unreadable` where a folder
        cannot be entered.
        """
        steps = path.strip("/").split("/") if path != "/" else []
        names: list[str] = []
        with ExitStack() as entered:
            folder = self._root
            held = at(steps) if path in self._arrays and "\\" not in path else None
            if held is not None:
                folder, names, steps = entered.enter_context(closing(held)), steps, []
            for shown in steps:
                names.append(folder.named(shown))
                folder = entered.enter_context(closing(folder.enter(names[-1])))
            if path not in self._arrays:
                found = read_array(folder, path, self._version, self._limits)
                return names, None if found is None else found.array
            return names, self._arrays[path] if folder.has(FIRST[self._version]) else None

    def nodes(self, watch: Watch = unwatched) -> Generator[tuple[str, Node], None, None]:
        """Every node once, as (path, node), the root first; `watch` is called with each before it is touched."""
        self._watch = watch
        self._count = 1
        self._consolidated = False
        instead = watch("/")
        yield from [("/", instead)] if instead is not None else self._visit(self._root, _ROOT, ())

    def _visit(
        self, folder: Folder, place: Place, scopes: _Scopes, *, certain: bool = True
    ) -> Iterable[tuple[str, Node]]:
        """The node of a folder and all below; one without metadata only where it is `certain` that it needs some."""
        found = read_array(folder, place.raw, self._version, self._limits)
        if found is not None and found.is_array:
            node = _checked(found, place, scopes) if scopes else found.node
            if found.array is not None and node["kind"] == "array":
                self._arrays[place.safe] = found.array
            return (_at(place, node),)
        return self._listed(folder, place, scopes, found, certain=certain)

    def _listed(
        self, folder: Folder, place: Place, scopes: _Scopes, found: Found | None, *, certain: bool
    ) -> Iterator[tuple[str, Node]]:
        """The node of a folder that is not an array by its first document, which `found` is."""
        try:
            entries = folder.entries()
        except Unreadable as unreadable:
            yield _shut(place, unreadable.node(), (*scopes, *(found.scopes if found else ())))
            return
        found = read_group(folder, {entry.name for entry in entries}, place.raw, found, self._version, self._limits)
        if found is not None:
            yield from self._group(folder, place, entries, scopes, found)
        elif certain:
            yield from self._missing(folder, place, entries, scopes)

    def _group(
        self, folder: Folder, place: Place, entries: Sequence[Entry], scopes: _Scopes, found: Found
    ) -> Iterator[tuple[str, Node]]:
        inner = (*scopes, *found.scopes)
        if place.depth == 0:
            self._consolidated = bool(found.scopes)
        node = _checked(found, place, inner)
        yield _at(place, node)
        if not found.is_array:
            # Where the documents are unusable, only those below tell what is a node and what a chunk.
            yield from self._members(folder, place, entries, inner, certain=found.accounts is not None)
        if self._count <= self._limits.nodes:
            for scope in found.scopes:
                yield from _leftover(scope)

    def _members(
        self, folder: Folder, parent: Place, entries: Sequence[Entry], scopes: _Scopes, *, certain: bool
    ) -> Iterator[tuple[str, Node]]:
        limits = self._limits
        for entry in entries:
            name, what, _ = entry
            if name in DOCUMENTS or not (certain or what == FOLDER):
                continue
            place = _below(parent, name)
            self._count += 1
            if self._count > limits.nodes:
                if self._count == limits.nodes + 1:
                    yield _at(place, fault("over-limit", f"more than {limits.nodes} nodes"))
                return
            if what != FOLDER or place.depth > limits.path_depth:
                yield _at(place, self._closed(entry))
                continue
            instead = self._watch(place.safe)
            if instead is not None:
                yield _shut(place, instead, scopes)
                continue
            try:
                child = folder.enter(name)
            except Unreadable as unreadable:
                yield _shut(place, unreadable.node(), scopes)
                continue
            try:
                yield from self._visit(child, place, scopes, certain=certain)
            finally:
                child.close()

    def _closed(self, entry: Entry) -> Node:
        """The node of a member that is never entered: no folder, or one too deep."""
        if entry.what == FOLDER:
            return fault("over-limit", f"more than {self._limits.path_depth} levels deep")
        if entry.what == FILE:
            return fault("stray-file", "a file that is not part of a Zarr archive")
        return fault(entry.what, entry.detail)

    def _missing(
        self, folder: Folder, place: Place, entries: Sequence[Entry], scopes: _Scopes
    ) -> Iterator[tuple[str, Node]]:
        """A folder without metadata: a node that lost them, with all below, or nothing of Zarr at all."""
        try:
            key = chunk_key(folder, entries)
        except Unreadable as unreadable:
            yield _at(place, unreadable.node())
            return
        others = [entry for entry in entries if key is None or not is_chunk(entry)]
        below = list(self._members(folder, place, others, scopes, certain=True))
        nodes = [node for _, node in below if of_zarr(node)]
        copied = False
        for scope in scopes:
            copied |= scope.lists(place.raw)
            scope.check(place.raw, None)
        if copied:
            yield _at(place, fault("metadata-conflict", "only the consolidated copy describes this folder"))
        elif key is not None or nodes or place.depth == 0:
            version = self._version if key is None else max(self._version, version_of(key))
            documents = any(node["kind"] in ("group", "array") for node in nodes)
            detail = explain(version, key, len(nodes), documents=documents)
            yield _at(place, fault("metadata-missing", detail))
        else:
            yield _at(place, fault("stray-file", "a folder without metadata, and with nothing of Zarr in it"))
            return
        yield from below


def _shut(place: Place, node: Node, scopes: _Scopes) -> tuple[str, Node]:
    """`node`, which stands for a folder that cannot be looked into."""
    for scope in scopes:
        scope.check(place.raw, None)
        scope.close(place.raw)
    return _at(place, node)


def _checked(found: Found, place: Place, scopes: _Scopes) -> Node:
    """The node, or a fault in its place where a consolidated copy says something else."""
    for scope in scopes:
        if scope.covers(place.raw):
            difference = scope.check(place.raw, found.accounts)
            if difference is not None:
                return fault("metadata-conflict", difference)
    return found.node


def _leftover(copies: Copies) -> Iterator[tuple[str, Node]]:
    for path, count in copies.leftover().items():
        more = f", and {count - 1} below it" if count > 1 else ""
        node = fault("metadata-conflict", f"only the consolidated copy knows this node{more}")
        name = path.rpartition("/")[2]
        name_node(node, name, [])
        yield escape_name(path), node
