"""The description that an archive will have once its files are changed, measured on its documents alone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vizschema.bounds import Reading
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.description import Description, Node, complete
from vizschema.errors import NotAnArchive
from vizschema.measure import measured
from vizschema.rules.fixes.draft import Change
from vizschema.rules.fixes.table import table
from vizschema.writer.fixing.documents import CONSOLIDATION, FILE_FIXES, Archive, without_copies
from vizschema.writer.fixing.files import Files, folder_of, store

_DERIVED = ("members", "ambiguous", "coordinate", "roles", "references", "unused_scopes", "stray", "facts")
_HELD = 1000
"""Files without a document above them that are put in place of chunks."""


@dataclass(slots=True)
class Staged:
    """Files after the fixes that change them, what was changed, and the description; `structure` where facts lack.

    `copies` are the folders whose consolidated copies were taken away, and are to be made again.
    """

    files: Files
    description: Description
    changes: list[Change] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    structure: bool = False


def staged(files: Files, description: Description, reading: Reading) -> Staged:
    """The files with every fix that helps: fewer nodes cannot be read, and those that could be are the same."""
    found = Staged(files, description)
    for name in table().fixes:
        if name in FILE_FIXES:
            found = _tried(name, found, reading)
    return found


def _tried(name: str, found: Staged, reading: Reading) -> Staged:
    """The files with one fix, where it helps; with consolidated copies made again where it helps only then."""
    version = found.description["container"]["version"]
    changed, changes = FILE_FIXES[name](Archive(found.files, found.description["nodes"], version))
    plain, copies = without_copies(changed, version)
    trials = [(plain, copies)] if name == CONSOLIDATION else [(changed, list[str]()), (plain, copies)]
    for trial, gone in trials if changes else ():
        after = _described(trial, found.description, reading)
        if after is not None and _helps(name, found.description, after):
            lacking = any(node["kind"] == "array" and "facts" not in node for node in after["nodes"].values())
            structure = found.structure or (lacking and after["values"] == "read")
            again = [_again(changes[0])] if gone and name != CONSOLIDATION else []
            return Staged(trial, after, [*found.changes, *changes, *again], [*found.copies, *gone], structure)
    return found


def _again(change: Change) -> Change:
    """That the consolidated copy is made again, since another document changed."""
    return Change(CONSOLIDATION, change.rule, change.path, "consolidated the metadata again, since this node changed")


def _helps(name: str, before: Description, after: Description) -> bool:
    old, new = before["nodes"], after["nodes"]
    if any(_own(node) != _own(new.get(path, {})) for path, node in old.items() if _is_sound(node)):
        return False
    sound, more = (sum(not _is_sound(node) for node in nodes.values()) for nodes in (old, new))
    return more < sound or (name in ("chunk-separator", "system-files") and more == sound)


def _is_sound(node: Node) -> bool:
    return node["kind"] in ("group", "array")


def _own(node: Node) -> Node:
    return {key: value for key, value in node.items() if key not in _DERIVED}


def _described(files: Files, before: Description, reading: Reading) -> Description | None:
    """The description of files, with the facts of nodes that stay; None where they are not an archive."""
    arrays = {folder_of(name) for name in files if name.rpartition("/")[2] == ".zarray"}
    arrays |= {path.lstrip("/") for path, node in before["nodes"].items() if node["kind"] == "array"}
    held = {name for name in files if not _is_document(name) and _loose(name, arrays)}
    held = set(sorted(held)[:_HELD])
    shown = {name: content if _is_document(name) else b"" for name, content in files.items()}
    with tempfile.TemporaryDirectory(prefix="vizschema-") as folder:
        place = Path(folder) / "archive.zarr"
        store(shown, place, link=False, only=lambda name: _is_document(name) or name in held)
        try:
            with measured(place, replace(reading, progress=None, dask=None), values=False) as archive:
                after = archive.description
        except NotAnArchive:
            return None
    container = {**after["container"], "store": before["container"]["store"]}
    nodes = {path: _merged(node, before["nodes"].get(path, {})) for path, node in after["nodes"].items()}
    kept = {
        path: node for path, node in before["nodes"].items() if path not in nodes and node["kind"] in ("link", "object")
    }
    return complete(container, {**nodes, **kept}, before["values"])


def _loose(name: str, arrays: set[str]) -> bool:
    """Whether a file is in no folder of an array."""
    while name:
        name = folder_of(name)
        if name in arrays:
            return False
    return True


def _is_document(name: str) -> bool:
    return name.rpartition("/")[2] in DOCUMENTS


def _merged(node: Node, before: Mapping[str, Any]) -> Node:
    own = {key: value for key, value in node.items() if key not in _DERIVED or key == "stray"}
    if "facts" not in before or _own(node) != _own(dict(before)):
        return own
    facts = before["facts"]
    if any(each["reason"] == "misplaced" for each in facts.get("damaged_chunks", ())):
        return own
    return {**own, "facts": facts}
