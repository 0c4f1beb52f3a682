"""Documents of Zarr arrays, whole and with one thing wrong, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from vizschema.containers.base import Limits, Unreadable
from vizschema.containers.zarr.metadata import parse_v2_array, parse_v2_group, parse_v3

LIMITS = Limits()

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
GZIP = {"name": "gzip", "configuration": {"level": 1}}
ZSTD = {"name": "zstd", "configuration": {"level": 1}}
CRC = {"name": "crc32c"}
MYSTERY = {"name": "mystery"}
TRANSPOSE = {"name": "transpose", "configuration": {"order": [2, 0, 1]}}
V3: Mapping[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4, 76, 76],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 76, 76]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0.0,
    "codecs": [LITTLE, {"name": "zstd", "configuration": {}}],
    "attributes": {"normalization": "softmax", "source": "captured"},
    "dimension_names": ["head", "residue:query", "residue:key"],
    "storage_transformers": [],
}
V2: Mapping[str, Any] = {
    "zarr_format": 2,
    "shape": [4, 76],
    "chunks": [1, 76],
    "dtype": "<f4",
    "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
    "fill_value": 0.0,
    "order": "C",
    "filters": None,
}


def v3_node(document: Any, limits: Limits) -> Any:
    return parse_v3(document, limits).node


def v2_array(document: Any, attributes: Any, limits: Limits) -> Any:
    return parse_v2_array(document, attributes, limits).node


def v2_group(document: Any, attributes: Any, limits: Limits) -> Any:
    return parse_v2_group(document, attributes, limits).node


def v3(**changes: Any) -> dict[str, Any]:
    """The node of a version 3 array with these fields."""
    return v3_node({**V3, **changes}, LIMITS)


def v2(attributes: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The node of a version 2 array with these fields and attributes."""
    return v2_array({**V2, **changes}, dict(attributes or {}), LIMITS)


def without(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def refusal(call: Any, *arguments: Any, **keywords: Any) -> tuple[str, str]:
    """(reason, detail) of the damage."""
    with pytest.raises(Unreadable) as caught:
        call(*arguments, **keywords)
    return caught.value.reason, caught.value.detail


def reason(call: Any, *arguments: Any, **keywords: Any) -> str:
    return refusal(call, *arguments, **keywords)[0]


def sharding(inner: Any, inner_codecs: Any = (LITTLE, ZSTD), **changes: Any) -> dict[str, Any]:
    codecs = {"codecs": list(inner_codecs), "index_codecs": [LITTLE, CRC]}
    configuration = {"chunk_shape": inner, **codecs, **changes}
    return {"name": "sharding_indexed", "configuration": configuration}
