"""Zarr documents by hand: the harmless archive in versions 2 and 3, and ways to change it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.case import ATTRIBUTES, Build

Change = Callable[[Path], object]
"""Changes the archive at a path."""

VALUES = struct.pack("<6f", *range(6))
"""Those of `/activations/layer_00`, [token 2, hidden 3]."""

GROUP: Mapping[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": {}}
ARRAY: Mapping[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [2, 3],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {},
}
ZARRAY: Mapping[str, Any] = {
    "zarr_format": 2,
    "shape": [2, 3],
    "chunks": [2, 3],
    "dtype": "<f4",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}
ZGROUP: Mapping[str, Any] = {"zarr_format": 2}
AXES = ["token", "hidden"]
LAYER = "activations/layer_00"


def put(folder: Path, name: str, content: Any) -> None:
    """Write bytes, or a value as JSON, to `name` in `folder`, which is made."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def write_v3(folder: Path) -> Path:
    """The harmless archive in version 3."""
    archive = folder / "archive.zarr"
    for path, attributes in ATTRIBUTES.items():
        put(archive, f"{path[1:]}/zarr.json".lstrip("/"), {**GROUP, "attributes": attributes})
    put(archive, f"{LAYER}/zarr.json", {**ARRAY, "dimension_names": AXES})
    put(archive, f"{LAYER}/c/0/0", VALUES)
    return archive


def write_v2(folder: Path) -> Path:
    """The harmless archive in version 2."""
    archive = folder / "archive.zarr"
    for path, attributes in ATTRIBUTES.items():
        put(archive, f"{path[1:]}/.zgroup".lstrip("/"), ZGROUP)
        put(archive, f"{path[1:]}/.zattrs".lstrip("/"), attributes)
    put(archive, f"{LAYER}/.zarray", ZARRAY)
    put(archive, f"{LAYER}/.zattrs", {"_ARRAY_DIMENSIONS": AXES})
    put(archive, f"{LAYER}/0.0", VALUES)
    return archive


def v3(*changes: Change) -> Build:
    """Builds the archive of version 3 with these changes."""
    return lambda folder: _changed(write_v3(folder), changes)


def v2(*changes: Change) -> Build:
    """Builds the archive of version 2 with these changes."""
    return lambda folder: _changed(write_v2(folder), changes)


def _changed(archive: Path, changes: tuple[Change, ...]) -> Path:
    for change in changes:
        change(archive)
    return archive


def content(name: str, data: Any) -> Change:
    """Puts `data` at `name`, whatever was there."""
    return lambda archive: put(archive, name, data)


def fields(name: str, **values: Any) -> Change:
    """Sets fields of the document `name`."""

    def change(archive: Path) -> None:
        document = json.loads((archive / name).read_bytes()) if (archive / name).exists() else {}
        put(archive, name, {**document, **values})

    return change


def x3(**values: Any) -> Build:
    """Builds version 3 with an array `/extra/x` whose document has these fields."""
    return v3(content("extra/x/zarr.json", {**ARRAY, **values}), content("extra/x/c/0/0", VALUES))


def x2(**values: Any) -> Build:
    """Builds version 2 with an array `/extra/x` whose `.zarray` has these fields."""
    return v2(content("extra/x/.zarray", {**ZARRAY, **values}), content("extra/x/0.0", VALUES))


def raw3(text: bytes) -> Build:
    """Builds version 3 with an array `/extra/x` whose document is this text."""
    return v3(content("extra/x/zarr.json", text))


def raw2(text: bytes, attributes: bytes = b"{}") -> Build:
    """Builds version 2 with an array `/extra/x` whose documents are these texts."""
    return v2(content("extra/x/.zarray", text), content("extra/x/.zattrs", attributes), content("extra/x/0.0", VALUES))


def array_text(field: str, value: bytes) -> bytes:
    """The document of an array as text, in which one field is spelt as given."""
    return json.dumps({**ARRAY, field: "VALUE"}).encode().replace(b'"VALUE"', value)
