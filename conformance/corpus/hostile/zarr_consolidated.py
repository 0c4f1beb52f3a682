"""Consolidated metadata that disagree with the nodes, and folders with two accounts of one node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.case import Build, Case, broken
from vizschema.conformance.corpus.hostile.zarr_base import (
    ARRAY,
    GROUP,
    LAYER,
    ZARRAY,
    ZGROUP,
    content,
    put,
    v2,
    v3,
    write_v2,
    write_v3,
)

V2, V3 = "zarr-v2", "zarr-v3"
Edit = Callable[[dict[str, Any]], object]
_OBJECTS = {**ZARRAY, "dtype": "|O", "filters": [{"id": "pickle"}]}
_MANY = 100_000


def consolidate_v3(archive: Path, *edits: Edit) -> Path:
    """Writes the copy of every document into the root's, after `edits` of that copy (path → document)."""
    documents = {
        str(path.parent.relative_to(archive)): json.loads(path.read_bytes())
        for path in sorted(archive.rglob("zarr.json"))
        if path.parent != archive
    }
    for edit in edits:
        edit(documents)
    root = json.loads((archive / "zarr.json").read_bytes())
    copy = {"kind": "inline", "must_understand": False, "metadata": documents}
    put(archive, "zarr.json", {**root, "consolidated_metadata": copy})
    return archive


def consolidate_v2(archive: Path, *edits: Edit) -> Path:
    """Writes `.zmetadata`, after `edits` of it (path of a document → document)."""
    documents = {
        str(path.relative_to(archive)): json.loads(path.read_bytes())
        for path in sorted(archive.rglob(".z*"))
        if path.name in (".zarray", ".zgroup", ".zattrs")
    }
    for edit in edits:
        edit(documents)
    put(archive, ".zmetadata", {"zarr_consolidated_format": 1, "metadata": documents})
    return archive


def c3(*edits: Edit) -> Build:
    """Builds version 3, consolidated, with an edited copy."""
    return lambda folder: consolidate_v3(write_v3(folder), *edits)


def c2(*edits: Edit) -> Build:
    """Builds version 2, consolidated, with an edited copy."""
    return lambda folder: consolidate_v2(write_v2(folder), *edits)


def _add(**documents: Any) -> Edit:
    return lambda copy: copy.update({name.replace("__", "/"): document for name, document in documents.items()})


def _key(key: str, document: Mapping[str, Any]) -> Edit:
    return lambda copy: copy.update({key: dict(document)})


def _set(key: str, **fields: Any) -> Edit:
    return lambda copy: copy[key].update(fields)


def _many(copy: dict[str, Any]) -> None:
    copy.update({f"extra/{number}": GROUP for number in range(_MANY)})


def _dotted(folder: Path) -> Path:
    """Chunks under keys with dots, as the document says, and its copy does not."""
    archive = write_v3(folder)
    document = json.loads((archive / LAYER / "zarr.json").read_bytes())
    document["chunk_key_encoding"]["configuration"]["separator"] = "."
    put(archive / LAYER, "zarr.json", document)
    (archive / LAYER / "c/0/0").rename(archive / LAYER / "c.0.0")
    shutil.rmtree(archive / LAYER / "c")
    return consolidate_v3(archive, _set(LAYER, chunk_key_encoding={"name": "default"}))


CASES: tuple[Case, ...] = (
    broken(V3, "copy-shape", "metadata-conflict", "readers of the copy see another shape", c3(_set(LAYER, shape=[20, 30]))),
    broken(V3, "copy-codecs", "metadata-conflict", "readers of the copy decode by other codecs", c3(_set(LAYER, codecs=[{"name": "bytes", "configuration": {"endian": "big"}}]))),
    broken(V3, "copy-default", "metadata-conflict", "a copy that leaves the separator out: its readers take another one", _dotted),
    broken(V3, "copy-unopened", "metadata-conflict", "a copy that no reader opens", c3(_set(LAYER, codecs=["bytes"]))),
    broken(V3, "copy-attributes", "metadata-conflict", "readers of the copy see another model", c3(_set("metadata", attributes={"model_name": "another", "model_version": "1"}))),
    broken(V3, "copy-lacks-node", "metadata-conflict", "readers of the copy miss an array", c3(lambda copy: copy.pop(LAYER))),
    broken(V3, "copy-only", "metadata-conflict", "an array that only readers of the copy see", c3(_key("extra/ghost", ARRAY))),
    broken(V3, "copy-of-100000", "metadata-conflict", "a copy of 100,000 nodes that are not there", c3(_many)),
    broken(V3, "copy-dots", "metadata-invalid", "a copy that names a node outside the archive", c3(_key("../outside", ARRAY))),
    broken(V3, "copy-absolute", "metadata-invalid", "a copy that names an absolute path", c3(_key("/etc", ARRAY))),
    broken(V3, "copy-kind", "unsupported", "a copy of a kind that may lie elsewhere", lambda folder: _kind(c3()(folder))),
    broken(V3, "copy-list", "metadata-invalid", "a copy that is not an object", lambda folder: _copy_is(write_v3(folder), [1])),
    broken(V2, "copy-shape", "metadata-conflict", "readers of the copy see another shape", c2(_set(f"{LAYER}/.zarray", shape=[20, 30]))),
    broken(V2, "copy-default", "metadata-conflict", "a copy with a compressor of another level than its default", c2(_set(f"{LAYER}/.zarray", compressor={"id": "zlib"}))),
    broken(V2, "copy-pickle", "metadata-conflict", "only readers of the copy would unpickle", c2(_set(f"{LAYER}/.zarray", dtype="|O", filters=[{"id": "pickle"}]))),
    broken(V2, "copy-hidden-pickle", "metadata-conflict", "an array that only the copy knows, pickled", c2(_add(extra__ghost__DOT=_OBJECTS), lambda copy: copy.update({"extra/ghost/.zarray": copy.pop("extra/ghost/DOT")}))),
    broken(V2, "copy-format", "metadata-invalid", "a copy of a format to come", lambda folder: _format(c2()(folder))),
    broken(V2, "copy-other-files", "metadata-invalid", "a copy that lists what is not a document of Zarr", c2(_key("etc/passwd", {}))),
    broken(V2, "hidden-pickle", "pickle node-name", "pickles in a folder that most listings hide", v2(content("extra/x/.zgroup", ZGROUP), content("activations/.hidden/.zarray", _OBJECTS))),
    broken(V3, "both-versions-root", "metadata-conflict", "a root of both versions", v3(content(".zgroup", ZGROUP))),
    broken(V3, "both-versions-array", "metadata-conflict", "an array of both versions, of two shapes", v3(content(f"{LAYER}/.zarray", {**ZARRAY, "shape": [9, 9]}))),
    broken(V2, "both-versions-array", "metadata-conflict", "an array of both versions, of two shapes", v2(content(f"{LAYER}/zarr.json", {**ARRAY, "shape": [9, 9]}))),
    broken(V2, "array-and-group", "metadata-conflict", "an array that is a group too", v2(content(f"{LAYER}/.zgroup", ZGROUP))),
    broken(V2, "other-version-below", "metadata-conflict", "a node of version 3 in an archive of version 2", v2(content("extra/x/zarr.json", ARRAY))),
)  # fmt: skip


def _kind(archive: Path) -> Path:
    root = json.loads((archive / "zarr.json").read_bytes())
    root["consolidated_metadata"]["kind"] = "https://example.org/metadata.json"
    put(archive, "zarr.json", root)
    return archive


def _copy_is(archive: Path, value: Any) -> Path:
    root = json.loads((archive / "zarr.json").read_bytes())
    put(archive, "zarr.json", {**root, "consolidated_metadata": value})
    return archive


def _format(archive: Path) -> Path:
    copy = json.loads((archive / ".zmetadata").read_bytes())
    put(archive, ".zmetadata", {**copy, "zarr_consolidated_format": 2})
    return archive
