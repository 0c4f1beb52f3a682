"""safetensors by hand: the header as text, with whatever it is to say, and the values behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

DOCUMENT = "vizschema"
"""The text of `__metadata__` that says what NPZ says in `vizschema.json`."""


class Tensor(NamedTuple):
    """A tensor: its data type in the words of safetensors, its shape, and its values as they are stored."""

    dtype: str
    shape: Sequence[int]
    values: bytes


def safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, values: bytes = b"") -> bytes:
    """A file of these tensors, one behind another, and of `values` that belong to none of them."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    parts: list[bytes] = []
    for name, tensor in tensors.items():
        begin = sum(map(len, parts))
        offsets = [begin, begin + len(tensor.values)]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
        parts.append(tensor.values)
    return headed(json.dumps(header, ensure_ascii=False), b"".join([*parts, values]))


def headed(header: str, values: bytes = b"") -> bytes:
    """A file with this header, padded to a multiple of 8 bytes, whatever it says."""
    raw = header.encode("utf-8", "surrogatepass")
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + values
