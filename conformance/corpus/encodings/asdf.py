"""ASDF in any encoding: byte order, strides, shared blocks, tags, packing, checksums, padding, block index, style."""

from __future__ import annotations

import bz2
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.raw.asdf import written
from vizschema.conformance.corpus.raw.nodes import RawNode, Values

_TYPES = {"b": "bool8", "i": "int{}", "u": "uint{}", "f": "float{}", "c": "complex{}"}


def _lz4(raw: bytes) -> bytes:
    """In two parts: the length of each as big-endian, then, as little-endian, that of what it decodes to, and LZ4."""
    half = -(-len(raw) // 2) or 1
    parts = [bytes(numcodecs.LZ4().encode(raw[at : at + half])) for at in range(0, len(raw), half)]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


_PACK: Mapping[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "none": (bytes(4), bytes),
    "zlib": (b"zlib", zlib.compress),
    "bzp2": (b"bzp2", bz2.compress),
    "lz4": (b"lz4\0", _lz4),
}
_STANDARD = {"1.1.0": "1.6.0", "1.0.0": "1.5.0"}


def write(path: Path, nodes: Mapping[str, RawNode], encoding: Encoding) -> None:
    """Write the archive to the new file `path`."""
    blocks: list[bytes] = []
    tree = _node("/", nodes, encoding, blocks)
    standard = _STANDARD[encoding["tag"]]
    head = f"#ASDF 1.0.0\n#ASDF_STANDARD {standard}\n%YAML 1.1\n"
    root = "!<tag:stsci.edu:asdf/core/asdf-1.1.0>"
    if encoding["tags"] == "short":
        head, root = f"{head}%TAG ! tag:stsci.edu:asdf/\n", "!core/asdf-1.1.0"
    body = _styled(tree, "", encoding["style"])
    raw = f"{head}--- {root}{body}\n...\n".encode()
    raw += bytes(11) if encoding["room"] == "padded" else b""
    starts = []
    for each in blocks:
        starts.append(len(raw))
        raw += _block(each, encoding)
    if encoding["index"] == "there":
        raw += f"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n{starts}\n...\n".encode()
    path.write_bytes(raw)


class _Tagged(dict[str, Any]):
    """The fields of an ndarray, and its tag."""

    tag = ""


def _node(place: str, nodes: Mapping[str, RawNode], encoding: Encoding, blocks: list[bytes]) -> dict[str, Any]:
    node = nodes[place]
    told = {"attributes": node.marked} if node.marked else {}
    if node.values is not None:
        axes = {} if node.axes is None else {"axes": list(node.axes)}
        return {"data": _ndarray(node.stored, encoding, blocks), **axes, **told}
    start = place if place == "/" else f"{place}/"
    members = [other for other in nodes if other != "/" and other.startswith(start) and "/" not in other[len(start) :]]
    return {**told, **{other[len(start) :]: _node(other, nodes, encoding, blocks) for other in members}}


def _ndarray(values: Values, encoding: Encoding, blocks: list[bytes]) -> _Tagged:
    values = values.astype(values.dtype.newbyteorder("<" if encoding["endian"] == "little" else ">"))
    made = _Tagged(source=len(blocks))
    level = encoding["strides"] if values.size else "C"
    raw = values.tobytes()
    if level == "F" and values.ndim > 1:
        raw, made["strides"] = values.tobytes(order="F"), list(map(int, np.asfortranarray(values).strides))
    elif level == "stepped" and values.ndim:
        wide = np.full((*values.shape, 2), values.dtype.type(1), values.dtype)
        wide[..., 0] = values
        raw, made["strides"] = wide.tobytes(), list(map(int, wide.strides[:-1]))
    if level == "shared" and blocks:
        made["source"], made["offset"] = 0, -(-len(blocks[0]) // 16) * 16
        blocks[0] = blocks[0].ljust(made["offset"], b"\xa5") + raw
    else:
        blocks.append(raw)
    made["datatype"] = _TYPES[values.dtype.kind].format(values.itemsize * 8)
    made["byteorder"], made["shape"] = encoding["endian"], list(values.shape)
    version = encoding["tag"]
    short = f"!core/ndarray-{version}"
    made.tag = short if encoding["tags"] == "short" else f"!<tag:stsci.edu:asdf/core/ndarray-{version}>"
    return made


def _styled(value: Any, indent: str, style: str) -> str:
    """A mapping behind its key: in one line, or in block style with every scalar and list in one line."""
    tag = f" {value.tag}" if isinstance(value, _Tagged) else ""
    if not isinstance(value, dict) or not value or (style == "flow" and not _holds(value)):
        return f"{tag} {written(value)}"
    if style == "flow":
        return f"{tag} {{{', '.join(f'{written(key)}:{_styled(item, indent, style)}' for key, item in value.items())}}}"
    lines = "".join(f"\n{indent}{written(key)}:{_styled(item, indent + '  ', style)}" for key, item in value.items())
    return tag + lines


def _holds(value: Any) -> bool:
    """Whether a mapping holds an ndarray, at any depth."""
    return isinstance(value, dict) and any(isinstance(item, _Tagged) or _holds(item) for item in value.values())


def _block(raw: bytes, encoding: Encoding) -> bytes:
    label, pack = _PACK[encoding["packing"]]
    packed = pack(raw)
    allocated = len(packed) + (40 if encoding["room"] == "padded" else 0)
    digest = hashlib.md5(packed, usedforsecurity=False).digest() if encoding["checksum"] == "set" else bytes(16)
    header = struct.pack(">I4sQQQ16s", 0, label, allocated, len(packed), len(raw), digest)
    return b"\xd3BLK" + struct.pack(">H", 48) + header + packed.ljust(allocated, b"\xa5")
