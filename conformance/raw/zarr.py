"""Zarr v2 and v3 in a folder, written from the specifications: metadata as JSON, chunks as files.

Encodes with numcodecs, and never consults zarr-python; a codec that it does not know is named in the metadata, and the
bytes are those of zlib.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np

from vizschema.conformance.raw.nodes import BFLOAT16, RawNode, Values, blocks

Codec = tuple[Mapping[str, Any], Callable[[bytes], bytes]]


def write_zarr_v3(root: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` (path → node, every group among them) below the new folder `root`."""
    for path, node in nodes.items():
        folder = _folder(root, path)
        if node.values is None:
            _write_json(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": node.attributes})
            continue
        _write_json(folder / "zarr.json", _v3_document(node))
        for place, chunk in blocks(node.stored, node.shards or node.chunks):
            target = folder.joinpath("c", *map(str, place))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_sharded(node, chunk) if node.shards else _encoded(chunk, _v3_codecs(node)))


def write_zarr_v2(root: Path, nodes: Mapping[str, RawNode]) -> None:
    """Likewise in version 2."""
    for path, node in nodes.items():
        folder = _folder(root, path)
        attributes = dict(node.attributes)
        if node.values is None:
            _write_json(folder / ".zgroup", {"zarr_format": 2})
        else:
            if node.axes is not None:
                attributes["_ARRAY_DIMENSIONS"] = list(node.axes)
            if node.dtype == BFLOAT16:
                attributes["stored_dtype"] = BFLOAT16
            _write_v2_array(folder, node)
        if attributes:
            _write_json(folder / ".zattrs", attributes)


def _write_v2_array(folder: Path, node: RawNode) -> None:
    stored = node.stored
    names = node.codecs if node.codecs is not None else ["zlib"]
    codecs = [_V2_CODECS.get(name, lambda name=name: ({"id": name}, zlib.compress))() for name in names]
    configurations = [configuration for configuration, _ in codecs]
    document = {
        "zarr_format": 2,
        "shape": list(stored.shape),
        "chunks": list(node.chunks),
        "dtype": stored.dtype.str if stored.dtype.names is None else [list(item) for item in stored.dtype.descr],
        "compressor": configurations[-1] if configurations else None,
        "filters": configurations[:-1] or None,
        "fill_value": None,
        "order": "C",
    }
    _write_json(folder / ".zarray", document)
    for place, chunk in blocks(stored, node.chunks):
        encoded = chunk.tobytes()
        for _, encode in codecs:
            encoded = encode(encoded)
        (folder / (".".join(map(str, place)) or "0")).write_bytes(encoded)


def _folder(root: Path, path: str) -> Path:
    folder = root.joinpath(*path.strip("/").split("/")) if path != "/" else root
    folder.mkdir(parents=True)
    return folder


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8", errors="surrogatepass")


def _v3_document(node: RawNode) -> dict[str, Any]:
    stored = node.stored
    codecs = [configuration for configuration, _ in _v3_codecs(node)]
    if node.shards is not None:
        index = [_V3_CODECS["bytes"](0)[0], {"name": "crc32c"}]
        inner = {"chunk_shape": list(node.chunks), "codecs": codecs, "index_codecs": index, "index_location": "end"}
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
    document: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(stored.shape),
        "data_type": node.dtype if node.dtype == BFLOAT16 else _V3_TYPES.get(node.dtype, node.dtype),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(node.shards or node.chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _V3_FILLS.get(stored.dtype.kind, 0) if node.dtype != BFLOAT16 else 0.0,
        "codecs": codecs,
        "attributes": node.attributes,
    }
    if node.axes is not None:
        document["dimension_names"] = list(node.axes)
    return document


_V3_FILLS: Mapping[str, Any] = {"b": False, "f": 0.0, "c": [0.0, 0.0], "U": "", "S": ""}
_V3_TYPES: Mapping[str, Any] = {
    "string": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 16}},
    "bytes": {"name": "null_terminated_bytes", "configuration": {"length_bytes": 4}},
    "datetime": {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}},
    "compound": {"name": "structured", "configuration": {"fields": [["index", "int32"], ["value", "float32"]]}},
}


def _v3_codecs(node: RawNode) -> list[Codec]:
    rank = node.stored.ndim
    names = node.codecs if node.codecs is not None else ["bytes", "zstd"]
    if "bytes" not in names:
        raise ValueError("Zarr v3 needs a codec that makes bytes of an array")
    return [_V3_CODECS.get(name, lambda _, name=name: ({"name": name}, zlib.compress))(rank) for name in names]


def _encoded(chunk: Values, codecs: Sequence[Codec]) -> bytes:
    transposed = any(configuration["name"] == "transpose" for configuration, _ in codecs)
    encoded = (chunk.T if transposed else chunk).tobytes()
    for _, encode in codecs:
        encoded = encode(encoded)
    return bytes(encoded)


def _sharded(node: RawNode, shard: Values) -> bytes:
    """A shard: its inner chunks, and an index of (offset, length) with its CRC-32C at the end (Zarr v3, sharding)."""
    content, index = b"", b""
    for _, chunk in blocks(shard, node.chunks):
        encoded = _encoded(chunk, _v3_codecs(node))
        index += struct.pack("<QQ", len(content), len(encoded))
        content += encoded
    return content + index + struct.pack("<I", google_crc32c.value(index))


def _plain(data: bytes) -> bytes:
    return data


def _zstd(data: bytes) -> bytes:
    return bytes(numcodecs.Zstd(level=3).encode(data))


def _gzip(data: bytes) -> bytes:
    return bytes(numcodecs.GZip(level=5).encode(data))


def _blosc(data: bytes) -> bytes:
    return bytes(numcodecs.Blosc(cname="zstd", clevel=3, shuffle=0).encode(data)) if data else b""


def _crc32c(data: bytes) -> bytes:
    return data + struct.pack("<I", int(google_crc32c.value(data)))


_BLOSC = {"cname": "zstd", "clevel": 3, "shuffle": "noshuffle", "typesize": 1, "blocksize": 0}
_V3_CODECS: Mapping[str, Callable[[int], Codec]] = {
    "bytes": lambda _: ({"name": "bytes", "configuration": {"endian": "little"}}, _plain),
    "transpose": lambda rank: ({"name": "transpose", "configuration": {"order": list(range(rank))[::-1]}}, _plain),
    "zstd": lambda _: ({"name": "zstd", "configuration": {"level": 3, "checksum": False}}, _zstd),
    "gzip": lambda _: ({"name": "gzip", "configuration": {"level": 5}}, _gzip),
    "blosc": lambda _: ({"name": "blosc", "configuration": _BLOSC}, _blosc),
    "crc32c": lambda _: ({"name": "crc32c"}, _crc32c),
}
_V2_CODECS: Mapping[str, Callable[[], Codec]] = {
    "zlib": lambda: ({"id": "zlib", "level": 3}, lambda data: zlib.compress(data, 3)),
    "zstd": lambda: ({"id": "zstd", "level": 3}, _zstd),
    "gzip": lambda: ({"id": "gzip", "level": 5}, _gzip),
    "blosc": lambda: ({"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 0, "blocksize": 0}, _blosc),
    "bz2": lambda: ({"id": "bz2", "level": 1}, lambda data: bytes(numcodecs.BZ2(level=1).encode(data))),
    "lzma": lambda: (
        {"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None},
        lambda data: bytes(numcodecs.LZMA().encode(data)),
    ),
    "lz4": lambda: ({"id": "lz4", "acceleration": 1}, lambda data: bytes(numcodecs.LZ4().encode(data))),
    "shuffle": lambda: (
        {"id": "shuffle", "elementsize": 4},
        lambda data: np.asarray(numcodecs.Shuffle(elementsize=4).encode(np.frombuffer(data, np.uint8))).tobytes(),
    ),
}
