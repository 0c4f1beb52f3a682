"""safetensors in any encoding: order of tensors, names, place of the document, padding and spelling of the header."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.corpus.raw.safetensors import DOCUMENT

_TYPES = {
    "bool": "BOOL",
    **{f"{sign}int{bits}": f"{sign.upper() or 'I'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{"float16": "F16", "float32": "F32", "float64": "F64", "bfloat16": "BF16", "complex64": "C64"},
}
HAS = frozenset(_TYPES)
"""The dtypes of the container that contents have."""


def content(nodes: Mapping[str, RawNode], encoding: Encoding) -> bytes:
    """The bytes of the file."""
    listed: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    values: bytes = b""
    slash = "/" if encoding["names"] == "slash" else ""
    for path, node in sorted(nodes.items(), reverse=encoding["order"] == "reversed"):
        if node.values is None:
            listed[path] = {"kind": "group", "attributes": dict(node.attributes)}
            continue
        axes = None if node.axes is None else list(node.axes)
        listed[path] = {"kind": "array", "axes": axes, "attributes": dict(node.attributes)}
        begin, values = len(values), values + node.stored.tobytes()
        entry = {"dtype": _TYPES[node.dtype], "shape": list(node.stored.shape), "data_offsets": [begin, len(values)]}
        tensors[f"{slash}{path[1:]}"] = entry
    document = {"__metadata__": {DOCUMENT: json.dumps({"nodes": listed}, ensure_ascii=False)}}
    header = {**document, **tensors} if encoding["document"] == "first" else {**tensors, **document}
    raw: bytes = _SPELLINGS[encoding["spelling"]](header).encode()
    raw += b" " * (-len(raw) % int(encoding["padding"]))
    return struct.pack("<Q", len(raw)) + raw + values


_SPELLINGS: Mapping[str, Any] = {
    "compact": lambda header: json.dumps(header, ensure_ascii=False, separators=(",", ":")),
    "spaced": lambda header: json.dumps(header, ensure_ascii=False, indent=2),
    "escaped": lambda header: json.dumps(header).replace('"dtype"', '"d\\u0074ype"'),
}
