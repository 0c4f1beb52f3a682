"""ASDF by hand: a tree in flow style, which is JSON with tags, and the blocks behind it; no library is asked."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode, Values

HEAD = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
_BLOCK = struct.Struct(">4sHI4sQQQ16s")
_PAIR = re.compile(r"\\ud([89ab][0-9a-f]{2})\\ud([c-f][0-9a-f]{2})")
_TYPES = {"b": "bool8", "i": "int{}", "u": "uint{}", "f": "float{}", "c": "complex{}"}


def write_asdf(path: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` (path → node, every group among them) into the new file `path`."""
    arrays = [place for place, node in nodes.items() if node.values is not None]
    numbers = {place: number for number, place in enumerate(arrays)}
    tree = _node("/", nodes, numbers)
    blocks = b"".join(block(nodes[place].stored) for place in arrays)
    with path.open("xb") as file:
        file.write(f"{HEAD}{tree}\n...\n".encode() + blocks)


def block(values: Values) -> bytes:
    """One block that is not packed, with its MD5."""
    raw: bytes = values.tobytes()
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return _BLOCK.pack(b"\xd3BLK", 48, 0, bytes(4), len(raw), len(raw), len(raw), digest) + raw


def _node(place: str, nodes: Mapping[str, RawNode], numbers: Mapping[str, int]) -> str:
    node = nodes[place]
    attributes = node.marked
    told = [("attributes", written(attributes))] if attributes else []
    if node.values is not None:
        axes = [] if node.axes is None else [("axes", written(list(node.axes)))]
        return _mapping([("data", _ndarray(node.stored, numbers[place])), *axes, *told])
    start = place if place == "/" else f"{place}/"
    members = [other for other in nodes if other != "/" and other.startswith(start) and "/" not in other[len(start) :]]
    return _mapping([*told, *((other[len(start) :], _node(other, nodes, numbers)) for other in members)])


def _ndarray(values: Values, number: int) -> str:
    fields = {"source": number, "datatype": _datatype(values.dtype), "byteorder": "little", "shape": list(values.shape)}
    return f"!core/ndarray-1.1.0 {written(fields)}"


def _datatype(dtype: np.dtype[Any]) -> Any:
    if dtype.names is not None:
        return [{"name": name, "datatype": _datatype(dtype[name])} for name in dtype.names]
    if dtype.kind == "U":
        return ["ucs4", dtype.itemsize // 4]
    if dtype.kind == "S":
        return ["ascii", dtype.itemsize]
    if dtype.kind not in _TYPES:
        raise ValueError(f"ASDF has no {dtype}")
    return _TYPES[dtype.kind].format(dtype.itemsize * 8)


def _mapping(items: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{_text(key)}: {value}" for key, value in items) + "}"


def written(value: Any) -> str:
    """A JSON value as YAML 1.1 reads it back: floats with a point, text in double quotes."""
    if isinstance(value, dict):
        return _mapping((key, written(item)) for key, item in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return _float(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    mantissa, exponent, power = repr(value).partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + exponent + power


def _text(text: str) -> str:
    """JSON, but that YAML writes what lies beyond the first plane as one escape of eight digits."""
    return _PAIR.sub(_joined, json.dumps(text, ensure_ascii=True))


def _joined(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16) - 0x800, int(pair[2], 16) - 0xC00
    return f"\\U{0x10000 + (high << 10) + low:08x}"
