"""Fixes of the files of a Zarr archive: documents that are missing, malformed or stale, keys of chunks, stray files.

Each takes the files and the nodes as they are described, and gives the files after it with the changes; whether they
help is measured by the caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vizschema.containers.base import Document, Unreadable, parse
from vizschema.containers.zarr.metadata import parse_v3
from vizschema.containers.zarr.settings import separator_of
from vizschema.description import Node
from vizschema.rules.fixes.draft import Change
from vizschema.rules.fixes.table import table
from vizschema.writer.fixing.files import LIMITS, Files, document, documents, dumped, folder_of, path_of, raw, without

ROOT_V3, COPY_V2, COPY = "zarr.json", ".zmetadata", "consolidated_metadata"
_V2_NAMES = (".zarray", ".zgroup", ".zattrs")
_CHUNK = re.compile(r"c|(c[./])?[0-9]+([./][0-9]+)*", re.ASCII)
_ENCODINGS = {2: (("v2", "."), ("v2", "/")), 3: (("default", "/"), ("default", "."), ("v2", "."), ("v2", "/"))}


class Archive(NamedTuple):
    """The files of a Zarr archive of a version, and its nodes by path."""

    files: Files
    nodes: Mapping[str, Node]
    version: int

    def at(self, *reasons: str) -> frozenset[str]:
        """The paths of the nodes that cannot be used for one of these reasons."""
        return frozenset(path for path, node in self.nodes.items() if node.get("reason") in reasons)


FileFix = Callable[[Archive], tuple[Files, list[Change]]]


def document_text(archive: Archive) -> tuple[Files, list[Change]]:
    """Write malformed documents again, where they have one reading."""
    files, changes = dict(archive.files), list[Change]()
    malformed = archive.at("metadata-malformed")
    for name in documents(archive.files):
        path = path_of(folder_of(name))
        data = raw(files, name) if path in malformed and document(files, name) is None else None
        found = None if data is None else _read_again(data)
        if found is not None:
            files[name] = found
            words = f"wrote {name.rpartition('/')[2]} again as one JSON object in UTF-8"
            changes.append(Change("document-text", "metadata-malformed", path, words))
    return files, changes


class _NotFinite(str):
    """A number that JSON lacks, as it was spelt."""


def _read_again(data: bytes) -> bytes | None:
    """A document with faults that leave one reading, without them; None with any other fault."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        found = json.loads(data.decode(encoding), object_pairs_hook=_object, parse_constant=_NotFinite)
        text = dumped(found)
        return text if parse(text, "document", LIMITS) == found else None
    except (ValueError, RecursionError, Unreadable):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if isinstance(value, _NotFinite) and key == "fill_value":
            value = str(value)
        if _has_odd_number(value) or (key in found and json.dumps(found[key]) != json.dumps(value)):
            raise ValueError(key)
        found[key] = value
    return found


def _has_odd_number(value: Any) -> bool:
    return isinstance(value, _NotFinite) or (isinstance(value, list) and any(map(_has_odd_number, value)))


def named_extensions(archive: Archive) -> tuple[Files, list[Change]]:
    """Write codecs and chunk key encodings of version 3 as objects with a name."""
    files, changes = dict(archive.files), list[Change]()
    for name in documents(archive.files):
        path = path_of(folder_of(name))
        found = document(files, name) if path in archive.at("metadata-invalid") and archive.version == 3 else None
        if found is None or found.get("node_type") != "array":
            continue
        keys = found.get("chunk_key_encoding")
        new = {**found, "codecs": _named(found.get("codecs")), "chunk_key_encoding": _object_of(keys)}
        if new != found and _is_sound(new):
            files[name] = dumped(new)
            words = "wrote bare names of extensions in zarr.json as objects"
            changes.append(Change("named-extensions", "metadata-invalid", path, words))
    return files, changes


def _named(codecs: Any) -> Any:
    if not isinstance(codecs, list):
        return codecs
    found = []
    for codec in map(_object_of, codecs):
        inner = codec.get("configuration") if isinstance(codec, dict) else None
        if isinstance(inner, dict):
            lists = {key: _named(inner[key]) for key in ("codecs", "index_codecs") if key in inner}
            codec = {**codec, "configuration": {**inner, **lists}}
        found.append(codec)
    return found


def _object_of(extension: Any) -> Any:
    if isinstance(extension, str):
        return {"name": extension}
    if isinstance(extension, dict) and extension.get("configuration", {}) is None:
        return {key: value for key, value in extension.items() if key != "configuration"}
    return extension


def _is_sound(found: Document) -> bool:
    try:
        parse_v3(found, LIMITS)
    except Unreadable:
        return False
    return True


def group_documents(archive: Archive) -> tuple[Files, list[Change]]:
    """Write the documents of folders that have none: those of the consolidated copy, or that of an empty group."""
    files, changes = dict(archive.files), list[Change]()
    known = {folder_of(name) for name in documents(files) if name.rpartition("/")[2] not in (COPY_V2, ".zattrs")}
    copies = _copies(archive)
    folders = {above for name in files for above in _above(name)}
    for folder in sorted(folders - known):
        path = path_of(folder)
        if path not in archive.at("metadata-missing", "metadata-conflict"):
            continue
        written = copies.get(folder) or _empty_group(files, folder, known, archive.version)
        if not written:
            continue
        for name, content in written.items():
            files[f"{folder}/{name}" if folder else name] = dumped(content)
        known.add(folder)
        where = "from the consolidated copy" if folder in copies else "of a group without attributes of its own"
        rule = archive.nodes[path]["reason"]
        changes.append(Change("group-documents", rule, path, f"wrote {', '.join(written)} {where}"))
    return files, changes


def _above(name: str) -> Iterator[str]:
    """The folders that a file is in."""
    while name:
        name = folder_of(name)
        yield name


def _empty_group(files: Files, folder: str, known: set[str], version: int) -> dict[str, Document]:
    """The document of a group in a folder that has nodes below it, and no chunks; none for any other folder."""
    prefix = f"{folder}/" if folder else ""
    inside = [name[len(prefix) :] for name in files if name.startswith(prefix)]
    nodes = any(each.startswith(prefix) and each != folder for each in known)
    attributes = version == 2 and ".zattrs" in inside
    if not (nodes or attributes) or any(_CHUNK.fullmatch(name) for name in inside):
        return {}
    if version == 2:
        return {".zgroup": {"zarr_format": 2}}
    return {ROOT_V3: {"zarr_format": 3, "node_type": "group", "attributes": {}}}


def _copies(archive: Archive) -> dict[str, dict[str, Document]]:
    """The documents in the consolidated copy of the root, by folder."""
    found: dict[str, dict[str, Document]] = {}
    copy = document(archive.files, COPY_V2) if archive.version == 2 else document(archive.files, ROOT_V3)
    inline = (copy or {}).get(COPY) if archive.version == 3 else copy
    listed = inline.get("metadata") if isinstance(inline, dict) else None
    for key, content in listed.items() if isinstance(listed, dict) else ():
        folder, _, name = key.rpartition("/") if archive.version == 2 else (key, "", ROOT_V3)
        if isinstance(content, dict) and (archive.version == 3 or name in _V2_NAMES):
            found.setdefault(folder, {})[name] = content
    return found


def consolidation(archive: Archive) -> tuple[Files, list[Change]]:
    """Say that consolidated copies are made again: the caller takes them away, and makes them from the documents."""
    conflicts = sorted(archive.at("metadata-conflict", "metadata-invalid", "metadata-malformed", "metadata-missing"))
    if not conflicts or not without_copies(archive.files, archive.version)[1]:
        return archive.files, []
    shown = f"{conflicts[0]}" + (f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else "")
    words = f"consolidated the metadata again: the copy was not that of {shown}"
    return archive.files, [Change(CONSOLIDATION, archive.nodes[conflicts[0]]["reason"], conflicts[0], words)]


def without_copies(files: Files, version: int) -> tuple[Files, list[str]]:
    """The files without consolidated copies, and the folders that had one."""
    if version == 2:
        names = [name for name in files if name.rpartition("/")[2] == COPY_V2]
        return without(files, names), [folder_of(name) for name in names]
    found, removed = dict(files), []
    for name in documents(files):
        content = document(files, name)
        if content is not None and content.get("node_type") == "group" and COPY in content:
            found[name] = dumped({key: value for key, value in content.items() if key != COPY})
            removed.append(folder_of(name))
    return found, removed


def chunk_separator(archive: Archive) -> tuple[Files, list[Change]]:
    """Correct how the keys of chunks are made, where no file is under such a key, and one way explains all files."""
    files, changes = dict(archive.files), list[Change]()
    name = ".zarray" if archive.version == 2 else ROOT_V3
    listed = _keys(files)
    for folder, keys in listed.items():
        path = path_of(folder)
        place = f"{folder}/{name}" if folder else name
        node = archive.nodes.get(path, {"kind": "group"})
        content = document(files, place) if node["kind"] == "array" else None
        found = None if content is None else _other_encoding(content, node, keys, archive.version)
        if content is None or found is None:
            continue
        files[place] = dumped(_with_keys(content, archive.version, *found))
        words = f"chunk keys are of the encoding {found[0]} with the separator {found[1]}, as the files are"
        changes.append(Change("chunk-separator", "chunk-keys", path, words))
    return files, changes


def _other_encoding(content: Document, node: Node, keys: Sequence[str], version: int) -> tuple[str, str] | None:
    """The one encoding of which all keys are, where none is of that of the document; else None."""
    counts = [-(-size // length) for size, length in zip(*_grid(node), strict=True)]
    now = (
        ("v2", content.get("dimension_separator", ".")) if version == 2 else separator_of(content["chunk_key_encoding"])
    )
    if not keys or any(_is_key(key, now, counts) for key in keys):
        return None
    fitting = [each for each in _ENCODINGS[version] if all(_is_key(key, each, counts) for key in keys)]
    return fitting[0] if len(fitting) == 1 or (fitting and len(counts) < 2) else None


def _grid(node: Node) -> tuple[Sequence[int], Sequence[int]]:
    shards = node["storage"]["shards"]
    return node["shape"], node["storage"]["chunks"] if shards is None else shards["shape"]


def _keys(files: Files) -> dict[str, list[str]]:
    """The folders of arrays, and the names of the files below each that may be chunks."""
    found: dict[str, list[str]] = {folder_of(name): [] for name in documents(files)}
    for name in files:
        last = name.rpartition("/")[2]
        if _is_system_file(name) or last in (ROOT_V3, *_V2_NAMES, COPY_V2):
            continue
        folder = next((above for above in _above(name) if above in found), None)
        if folder is not None:
            found[folder].append(name[len(folder) + 1 :] if folder else name)
    return found


def _is_key(key: str, encoding: tuple[str, str], counts: Sequence[int]) -> bool:
    """Whether a key is that of a chunk of a grid of these counts."""
    name, separator = encoding
    if not counts:
        return key == ("c" if name == "default" else "0")
    steps = key.split(separator)
    if name == "default":
        if steps[0] != "c":
            return False
        steps = steps[1:]
    whole = all(step.isascii() and step.isdecimal() and str(int(step[:18])) == step for step in steps)
    return whole and len(steps) == len(counts) and all(int(at) < n for at, n in zip(steps, counts, strict=True))


def _with_keys(content: Document, version: int, encoding: str, separator: str) -> Document:
    if version == 2:
        return {**content, "dimension_separator": separator}
    return {**content, "chunk_key_encoding": {"name": encoding, "configuration": {"separator": separator}}}


def system_files(archive: Archive) -> tuple[Files, list[Change]]:
    """Remove files that operating systems leave behind."""
    names = [name for name in archive.files if _is_system_file(name)]
    changes = [
        Change("system-files", "stray-file", path_of(folder_of(name)), f"removed the file {name.rpartition('/')[2]}")
        for name in names
    ]
    return without(archive.files, names), changes


def _is_system_file(name: str) -> bool:
    words = table().words
    last = name.rpartition("/")[2]
    return last in words["system_files"] or last.startswith(tuple(words["system_prefixes"]))


CONSOLIDATION = "consolidation"

FILE_FIXES: Mapping[str, FileFix] = {
    "document-text": document_text,
    "named-extensions": named_extensions,
    "group-documents": group_documents,
    CONSOLIDATION: consolidation,
    "chunk-separator": chunk_separator,
    "system-files": system_files,
}
"""The fixes of files by their names in the table, but for that of zip files, which comes before any is looked at."""
