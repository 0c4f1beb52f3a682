"""The documents of a Zarr folder: attributes set in them, and the consolidated copy. Each is replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT_V3, COPY_V2, ATTRIBUTES_V2 = "zarr.json", ".zmetadata", ".zattrs"
COPY_V3 = "consolidated_metadata"
_V2_DOCUMENTS = (".zarray", ATTRIBUTES_V2, ".zgroup")


def set_attributes(folder: Path, version: int, attributes: Mapping[str, Any], stage: Path | None = None) -> None:
    """Set attributes of the node in `folder`, and keep its others; temporary files go to `stage`."""
    document = folder / (ATTRIBUTES_V2 if version == 2 else ROOT_V3)
    found = read_document(document) if version == 3 or document.exists() else {}
    content = {**found, **attributes} if version == 2 else _with_attributes(found, attributes)
    replace_document(document, content, stage)


def complete_documents(root: Path, version: int, attributes: Mapping[str, Any], stage: Path) -> None:
    """Set attributes of the root, and consolidate the metadata, so that no reader sees one without the other.

    In v2, which has two documents for it, they disagree in between, which no reader takes for an archive.
    """
    if version == 3:
        consolidate(root, 3, attributes, stage)
        return
    document = root / ATTRIBUTES_V2
    consolidate(root, 2, attributes, stage)
    try:
        replace_document(document, {**read_document(document), **attributes}, stage)
    except BaseException:
        with suppress(OSError):
            (root / COPY_V2).unlink()
        raise


def take_back_copy(root: Path, version: int, attributes: Mapping[str, Any], stage: Path) -> None:
    """Set attributes of the root, and remove the consolidated copy, which is no longer true."""
    if version == 3:
        found = _with_attributes(read_document(root / ROOT_V3), attributes)
        found.pop(COPY_V3, None)
        replace_document(root / ROOT_V3, found, stage)
        return
    set_attributes(root, version, attributes, stage)
    (root / COPY_V2).unlink(missing_ok=True)


def consolidate(
    root: Path, version: int, attributes: Mapping[str, Any] | None = None, stage: Path | None = None
) -> None:
    """Consolidate metadata, `.zmetadata` in v2 and inline in the root document in v3; set `attributes` of the root."""
    if version == 2:
        documents = {path.relative_to(root).as_posix(): read_document(path) for path in _found(root, _V2_DOCUMENTS)}
        if attributes:
            documents[ATTRIBUTES_V2] = {**documents.get(ATTRIBUTES_V2, {}), **attributes}
        replace_document(root / COPY_V2, {"metadata": documents, "zarr_consolidated_format": 1}, stage)
        return
    document = root / ROOT_V3
    members = {
        path.parent.relative_to(root).as_posix(): read_document(path)
        for path in _found(root, (ROOT_V3,))
        if path != document
    }
    consolidated = {"kind": "inline", "must_understand": False, "metadata": members}
    content = _with_attributes(read_document(document), attributes or {})
    replace_document(document, {**content, COPY_V3: consolidated}, stage)


def replace_document(path: Path, content: Any, stage: Path | None = None) -> None:
    """Write JSON so that a reader sees the old or the new document, and never half of one; by way of `stage`."""
    if stage is not None:
        stage.mkdir(parents=True, exist_ok=True)
    temporary = (stage or path.parent) / f"{path.name}.partial"
    indent = None if COPY_V3 in content or path.name == COPY_V2 else 2  # json is ten times as fast without
    temporary.write_text(json.dumps(content, indent=indent, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def read_document(path: Path) -> Any:
    """Return the JSON that a document contains."""
    return json.loads(path.read_bytes())


def _with_attributes(document: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "attributes": {**document.get("attributes", {}), **attributes}} if attributes else {**document}


def _found(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(files) if name in names)
