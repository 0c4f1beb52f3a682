"""NPZ with headers drawn: version, spelling, padding, type strings, memory order, in zip files drawn as well."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.hostile.npz import harmless
from vizschema.conformance.oracle.mutants import drawn
from vizschema.conformance.oracle.mutants.drawn import Values
from vizschema.conformance.oracle.mutants.zips import pack


def npz(chance: random.Random, folder: Path) -> Path:
    """An NPZ file with one array drawn."""
    members = {entry.name: entry.data for entry in harmless()}
    values, name = drawn.values(chance), drawn.name(chance)
    told: dict[str, Any] = {"kind": "array", "attributes": drawn.attributes(chance)}
    axes = drawn.axes(chance, values.ndim)
    if axes is not None:
        told["axes"] = axes
    if chance.random() < 0.8:
        document = json.loads(members["vizschema.json"])
        document["nodes"][f"/extra/{name}"] = told
        members["vizschema.json"] = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode()
    members[f"extra/{name}.npy"] = npy(chance, values)
    path = folder / "archive.npz"
    path.write_bytes(pack(chance, list(members.items())))
    return path


def npy(chance: random.Random, values: Values) -> bytes:
    """A `.npy` file of these values."""
    fortran = chance.random() < 0.3
    if chance.random() < 0.3:
        values = values.astype(values.dtype.newbyteorder(">"))
    raw: bytes = values.tobytes(order="F" if fortran else "C")
    header = _header(chance, _descr(chance, values.dtype), fortran, values.shape)
    version = chance.choice((1, 1, 1, 2, 3))
    room = 10 if version == 1 else 12
    multiple = chance.choice((64, 64, 16, 1))
    text = header.encode("latin-1")
    text += b" " * (-(len(text) + 1 + room) % multiple) + chance.choice((b"\n", b"\n", b"\n", b" "))
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + length + text + raw


def _descr(chance: random.Random, dtype: np.dtype[Any]) -> str:
    usual = str(dtype.str)
    if chance.random() < 0.8:
        return usual
    odd = [usual.replace("|", "<"), usual.replace("|", ">"), dtype.newbyteorder("=").name]
    if usual[0] in "<|":
        odd += [usual[1:], "=" + usual[1:], dtype.char, "<" + dtype.char]
    return chance.choice(odd)


def _header(chance: random.Random, descr: str, fortran: bool, shape: tuple[int, ...]) -> str:
    items = [("descr", repr(descr)), ("fortran_order", repr(fortran)), ("shape", _shape(chance, shape))]
    if chance.random() < 0.2:
        chance.shuffle(items)
    quote = chance.choice(("'", "'", "'", '"'))
    colon, comma, last = (
        chance.choice((": ", ": ", ":")),
        chance.choice((", ", ", ", ",")),
        chance.choice((", ", ", ", ",", "")),
    )
    return "{" + comma.join(f"{quote}{key}{quote}{colon}{value}" for key, value in items) + last + "}"


def _shape(chance: random.Random, shape: tuple[int, ...]) -> str:
    if chance.random() < 0.85:
        return repr(shape)
    odd = [
        f"({','.join(map(str, shape))}{',' if len(shape) else ''})",
        f"( {', '.join(map(str, shape))}, )",
        repr(list(shape)),
    ]
    if shape:
        odd.append(f"({', '.join(f'{size}L' for size in shape)},)")
    return chance.choice(odd)
