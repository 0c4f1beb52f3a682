"""NPZ by hand: `.npy` headers as text, members deflated, and `vizschema.json`; no writer of NumPy's is asked."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.raw.nodes import RawNode

DOCUMENT = "vizschema.json"


def write_npz(path: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` (path → node, every group among them) into the new file `path`."""
    listed: dict[str, Any] = {}
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for place, node in nodes.items():
            if node.values is None:
                listed[place] = {"kind": "group", "attributes": dict(node.attributes)}
                continue
            axes = None if node.axes is None else list(node.axes)
            listed[place] = {"kind": "array", "axes": axes, "attributes": node.marked}
            file.writestr(zipfile.ZipInfo(f"{place[1:]}.npy"), npy(node), zipfile.ZIP_DEFLATED)
        document = json.dumps({"nodes": listed}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        file.writestr(zipfile.ZipInfo(DOCUMENT), document, zipfile.ZIP_DEFLATED)


def npy(node: RawNode) -> bytes:
    """A `.npy` file of version 1.0 with the values of an array (NumPy Enhancement Proposal 1)."""
    stored = node.stored
    type_of = stored.dtype.str if stored.dtype.names is None else stored.dtype.descr
    values: bytes = stored.tobytes()
    return npy_header({"descr": type_of, "fortran_order": False, "shape": stored.shape}) + values


def npy_header(fields: Mapping[str, Any]) -> bytes:
    """Magic, length and text of a header; the whole is a multiple of 64 bytes."""
    text = repr(dict(fields)).encode("latin-1")
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
