"""ASDF with tags, types, byte order, strides, packing, padding, block index, YAML styles and attributes drawn."""

from __future__ import annotations

import bz2
import hashlib
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.hostile.case import ATTRIBUTES
from vizschema.conformance.corpus.raw.asdf import written
from vizschema.conformance.oracle.mutants import drawn
from vizschema.conformance.oracle.mutants.drawn import Values

_SIX = np.arange(6, dtype="<f4").reshape(2, 3)
_TYPES = {"b": "bool8", "i": "int{}", "u": "uint{}", "f": "float{}", "c": "complex{}"}


def asdf(chance: random.Random, folder: Path) -> Path:
    """An ASDF file with one array drawn."""
    values, name = drawn.values(chance), drawn.name(chance)
    standard = chance.choice(("1.6.0", "1.6.0", "1.6.0", "1.5.0", "1.4.0", "1.3.0", "1.2.0"))
    tag = f"!core/ndarray-{'1.1.0' if standard == '1.6.0' else '1.0.0'}"
    told = drawn.attributes(chance)
    axes = drawn.axes(chance, values.ndim)
    blocks, x = _array(chance, values, tag)
    fields = [f"data: {x}"]
    fields += [f"axes: {written(axes)}"] if axes is not None else []
    fields += [f"attributes: {written(told)}"] if told or chance.random() < 0.2 else []
    node = x if len(fields) == 1 and chance.random() < 0.5 else "{" + ", ".join(fields) + "}"
    first = f"{tag} {_ndarray(_SIX.dtype, (2, 3), source=0)}"
    head = f"#ASDF 1.0.0\n#ASDF_STANDARD {standard}\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
    groups = {path: json.dumps(dict(attributes)) for path, attributes in ATTRIBUTES.items()}
    tree = (
        f"attributes: {groups['/']}\nmetadata: {{attributes: {groups['/metadata']}}}\n"
        f"activations: {{attributes: {groups['/activations']}, layer_00: {{data: {first}, axes: [token, hidden]}}}}\n"
        f"{chance.choice(('', '# a comment' + chr(10)))}extra:\n  attributes: {{}}\n  {json.dumps(name)}: {node}\n"
    )
    raw = (head + tree + "...\n").encode()
    raw += bytes(chance.choice((0, 0, 0, 7, 4096 - len(raw) % 4096)))
    path = folder / "archive.asdf"
    path.write_bytes(_packed(chance, raw, [_block(chance, _SIX.tobytes()), *blocks]))
    return path


def _array(chance: random.Random, values: Values, tag: str) -> tuple[list[bytes], str]:
    if chance.random() < 0.3:
        values = values.astype(values.dtype.newbyteorder(">"))
    fields: dict[str, Any] = {"source": chance.choice((1, 1, 1, -1))}
    raw = values.tobytes()
    if values.ndim > 1 and chance.random() < 0.25:
        raw = values.tobytes(order="F")
        fields["strides"] = [int(step) for step in np.asfortranarray(values).strides]
    elif values.ndim and chance.random() < 0.1:
        fields["strides"] = [int(step) for step in np.ascontiguousarray(values).strides]
    if chance.random() < 0.15:
        offset = chance.choice((4, 8, 16))
        raw, fields["offset"] = chance.randbytes(offset) + raw, offset
    raw += chance.randbytes(chance.choice((0, 0, 0, 5)))
    return [_block(chance, raw)], f"{tag} {_ndarray(values.dtype, values.shape, **fields)}"


def _ndarray(dtype: np.dtype[Any], shape: tuple[int, ...], **fields: Any) -> str:
    order = "big" if dtype.byteorder == ">" else "little"
    name = _TYPES[dtype.kind].format(dtype.itemsize * 8)
    return json.dumps({**fields, "datatype": name, "byteorder": order, "shape": list(shape)})


def _block(chance: random.Random, raw: bytes) -> bytes:
    label, packed = chance.choice(((b"", raw), (b"", raw), (b"zlib", zlib.compress(raw)), (b"bzp2", bz2.compress(raw))))
    label += bytes(4 - len(label))
    room = len(packed) + chance.choice((0, 0, 0, 9, 100))
    digest = hashlib.md5(packed, usedforsecurity=False).digest() if chance.random() < 0.5 else bytes(16)
    size = chance.choice((48, 48, 48, 48, 56))
    header = struct.pack(">I4sQQQ16s", 0, label, room, len(packed), len(raw), digest) + bytes(size - 48)
    return b"\xd3BLK" + struct.pack(">H", size) + header + packed + bytes(room - len(packed))


def _packed(chance: random.Random, head: bytes, blocks: list[bytes]) -> bytes:
    places, raw = [], head
    for block in blocks:
        places.append(len(raw))
        raw += block
    if chance.random() < 0.4:
        listed = "\n".join(f"- {place}" for place in places)
        if chance.random() < 0.3:
            listed = str(places)
        raw += f"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n{listed}\n...{chance.choice((chr(10), ''))}".encode()
    return raw
