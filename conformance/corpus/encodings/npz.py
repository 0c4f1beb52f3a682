"""NPZ in any encoding: versions of the header, byte and memory order, padding, forms of the zip file."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from vizschema.conformance.corpus.encodings.putting import Files
from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.corpus.raw.npz import DOCUMENT


def files(nodes: Mapping[str, RawNode], encoding: Encoding) -> Files:
    """Every member of the zip file by its name, in order."""
    listed: dict[str, Any] = {}
    members: Files = {}
    for path, node in nodes.items():
        if node.values is None:
            listed[path] = {"kind": "group", "attributes": dict(node.attributes)}
            continue
        axes = None if node.axes is None else list(node.axes)
        listed[path] = {"kind": "array", "axes": axes, "attributes": node.marked}
        members[f"{path[1:]}.npy"] = _npy(node, encoding)
    document = {DOCUMENT: json.dumps({"nodes": listed}, ensure_ascii=False).encode()}
    return {**document, **members} if encoding["document"] == "first" else {**members, **document}


def _npy(node: RawNode, encoding: Encoding) -> bytes:
    stored = node.stored
    values = stored.astype(stored.dtype.newbyteorder("<" if encoding["endian"] == "little" else ">"))
    fields = {"descr": values.dtype.str, "fortran_order": encoding["order"] == "F", "shape": values.shape}
    major = int(encoding["version"][0])
    length = "<H" if major == 1 else "<I"
    begin = 8 + struct.calcsize(length)
    text = repr(fields).encode("utf-8" if major == 3 else "latin-1")
    text += b" " * (-(begin + len(text) + 1) % int(encoding["padding"])) + b"\n"
    raw: bytes = values.tobytes(order="F" if encoding["order"] == "F" else "C")
    return b"\x93NUMPY" + bytes([major, 0]) + struct.pack(length, len(text)) + text + raw
