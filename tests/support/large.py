"""An archive of 5 GB at a URL: its attention is made up when it is asked for, in shards of 128 MiB, by ranges."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from support.language_model import gpt2
from support.servers import Handler

import vizschema

LAYERS, HEADS, TOKENS = 40, 32, 1024
INNER = TOKENS * TOKENS * 4
"""Bytes of the map of one head, which is an inner chunk."""

_SHARD = re.compile(r"/large[.]zarr/attention/self/layer_([0-9]{2})/c/0/0/0/0")
_PLAIN = {"name": "bytes", "configuration": {"endian": "little"}}


def write_large(path: Path) -> int:
    """Write all but the attention of the archive; return how many bytes its arrays have."""
    words = [f"w{number}" for number in range(TOKENS)]
    arrays, attributes = gpt2(words, layers=1, heads=1, hidden=16)
    first = arrays["/activations/layer_00"]
    arrays.update({f"/activations/layer_{layer:02}": first for layer in range(1, LAYERS)})
    attributes["/activations"] = attributes["/attention/self"] = {"num_layers": LAYERS}
    arrays.update(
        {f"/attention/self/layer_{layer:02}": arrays["/attention/self/layer_00"] for layer in range(1, LAYERS)}
    )
    vizschema.write(path, arrays, attributes, profile="lm", values=False)
    document = json.loads((path / "zarr.json").read_bytes())
    nodes: Mapping[str, dict[str, Any]] = document["consolidated_metadata"]["metadata"]
    nodes["metadata"]["attributes"]["size_head"] = HEADS
    for layer in range(LAYERS):
        _shard(nodes[f"attention/self/layer_{layer:02}"])
    (path / "zarr.json").write_text(json.dumps(document))
    return LAYERS * HEADS * INNER


def _shard(node: dict[str, Any]) -> None:
    """Let an array be stored in one shard, of which each head is an inner chunk."""
    node["shape"] = [1, HEADS, TOKENS, TOKENS]
    node["chunk_grid"]["configuration"]["chunk_shape"] = node["shape"]
    checked = [_PLAIN, {"name": "crc32c"}]
    inner = {
        "chunk_shape": [1, 1, TOKENS, TOKENS],
        "codecs": [_PLAIN],
        "index_codecs": checked,
        "index_location": "end",
    }
    node["codecs"] = [{"name": "sharding_indexed", "configuration": inner}]


def attention(layer: int, head: int) -> bytes:
    """The map of a head [token:query, token:key]: causal, and nearer tokens count more, in other ways in each head."""
    apart = np.arange(TOKENS, dtype=np.float32)[:, None] - np.arange(TOKENS, dtype=np.float32)
    scores = -np.abs(apart) / (8 * (head + 1)) + 2 * np.cos(apart / (3 + layer + head))
    weights = np.where(apart >= 0, np.exp(scores), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype("<f4").tobytes()


def made_up(handler: Handler) -> bool:
    """Answer a request for a range of a shard; false for anything else."""
    match = _SHARD.fullmatch(handler.path)
    if match is None:
        return False
    index = np.array([[head * INNER, INNER] for head in range(HEADS)], "<u8").tobytes()
    index += int(google_crc32c.value(index)).to_bytes(4, "little")
    size = HEADS * INNER + len(index)
    asked = re.fullmatch(r"bytes=([0-9]*)-([0-9]+)", handler.headers.get("Range", ""))
    if asked is None:
        handler.answer(400, b"a range is needed")
        return True
    first = int(asked[1]) if asked[1] else size - int(asked[2])
    last = int(asked[2]) if asked[1] else size - 1
    if first >= HEADS * INNER:
        body = index[first - HEADS * INNER : last + 1 - HEADS * INNER]
    else:
        heads = range(first // INNER, min(HEADS, last // INNER + 1))
        body = b"".join(attention(int(match[1]), head) for head in heads) + index
        body = body[first - heads[0] * INNER : last + 1 - heads[0] * INNER]
    handler.answer(206, body, {"Content-Range": f"bytes {first}-{last}/{size}"})
    return True
