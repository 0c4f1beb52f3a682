"""Consolidated metadata of a Zarr directory, written from its own documents.

zarr-python would do it, but warns for v3 and cannot read arrays of bfloat16.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_V2_DOCUMENTS = (".zarray", ".zattrs", ".zgroup")


def consolidate_v2(root: Path) -> None:
    """Write `.zmetadata`: every `.zgroup`, `.zarray` and `.zattrs` under its key."""
    documents = {path.relative_to(root).as_posix(): _read(path) for path in _documents(root, _V2_DOCUMENTS)}
    replace_document(root / ".zmetadata", {"metadata": documents, "zarr_consolidated_format": 1})


def consolidate_v3(root: Path) -> None:
    """Write every other `zarr.json` into that of the root."""
    document = root / "zarr.json"
    members = {
        path.parent.relative_to(root).as_posix(): _read(path)
        for path in _documents(root, ("zarr.json",))
        if path != document
    }
    consolidated = {"kind": "inline", "must_understand": False, "metadata": members}
    replace_document(document, {**_read(document), "consolidated_metadata": consolidated})


def replace_document(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old or the new document, and never half of one."""
    temporary = path.with_name(f"{path.name}.partial")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def _documents(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(files) if name in names)


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())
