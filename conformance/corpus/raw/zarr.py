"""Zarr v2 and v3 in a folder or a zip file, written from the specifications: metadata as JSON, chunks as files.

Encodes with numcodecs, and never consults zarr-python; a codec that it does not know is named in the metadata, and the
bytes are those of zlib.
"""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode, Values, blocks
from vizschema.description import NIBBLES, STORED_AS

Codec = tuple[Mapping[str, Any], Callable[[bytes], bytes]]


Put = Callable[[str, bytes], object]
"""Writes one file of an archive, by its key: the path from the root."""


def write_zarr_v3(root: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` (path → node, every group among them) below the new folder `root`."""
    _v3(_folder(root), nodes)


def write_zarr_v3_sharded(root: Path, nodes: Mapping[str, RawNode]) -> None:
    """Likewise, every array that has chunks in one shard, unless the node has shards of its own."""
    _v3(_folder(root), {path: sharded(node) for path, node in nodes.items()})


def write_zarr_v2(root: Path, nodes: Mapping[str, RawNode]) -> None:
    """Likewise in version 2."""
    _v2(_folder(root), nodes)


def write_zarr_v3_zip(path: Path, nodes: Mapping[str, RawNode]) -> None:
    """Write `nodes` into the new zip file `path`, its members stored."""
    with zipfile.ZipFile(path, "x") as file:
        _v3(lambda key, content: file.writestr(zipfile.ZipInfo(key), content), nodes)


def write_zarr_v2_zip(path: Path, nodes: Mapping[str, RawNode]) -> None:
    """Likewise in version 2."""
    with zipfile.ZipFile(path, "x") as file:
        _v2(lambda key, content: file.writestr(zipfile.ZipInfo(key), content), nodes)


def sharded(node: RawNode) -> RawNode:
    """The node with one shard for the whole array, where it has chunks and no shards."""
    if node.values is None or not node.values.size or not node.values.ndim or node.shards is not None:
        return node
    whole = [-(-size // length) * length for size, length in zip(node.values.shape, node.chunks, strict=True)]
    return replace(node, shards=whole)


def _folder(root: Path) -> Put:
    root.mkdir(parents=True)
    there = {""}

    def put(key: str, content: bytes) -> None:
        folder = key.rpartition("/")[0]
        if folder not in there:
            Path(f"{root}/{folder}").mkdir(parents=True, exist_ok=True)
            there.add(folder)
        with Path(f"{root}/{key}").open("xb") as file:
            file.write(content)

    return put


def _key(path: str, name: str) -> str:
    return f"{path.strip('/')}/{name}".lstrip("/")


def _v3(put: Put, nodes: Mapping[str, RawNode]) -> None:
    for path, node in nodes.items():
        if node.values is None:
            group = {"zarr_format": 3, "node_type": "group", "attributes": node.attributes}
            put(_key(path, "zarr.json"), _json(group))
            continue
        put(_key(path, "zarr.json"), _json(_v3_document(node)))
        for place, chunk in blocks(node.stored, node.shards or node.chunks):
            encoded = _sharded(node, chunk) if node.shards else _encoded(chunk, _v3_codecs(node))
            put(_key(path, "/".join(map(str, ("c", *place)))), encoded)


def _v2(put: Put, nodes: Mapping[str, RawNode]) -> None:
    for path, node in nodes.items():
        attributes = node.marked
        if node.values is None:
            put(_key(path, ".zgroup"), _json({"zarr_format": 2}))
        else:
            if node.axes is not None:
                attributes["_ARRAY_DIMENSIONS"] = list(node.axes)
            _put_v2_array(put, path, node)
        if attributes:
            put(_key(path, ".zattrs"), _json(attributes))


def _put_v2_array(put: Put, path: str, node: RawNode) -> None:
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
    put(_key(path, ".zarray"), _json(document))
    for place, chunk in blocks(stored, node.chunks):
        encoded = chunk.tobytes()
        for _, encode in codecs:
            encoded = encode(encoded)
        put(_key(path, ".".join(map(str, place)) or "0"), encoded)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


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
        "data_type": node.dtype if node.dtype in STORED_AS else _V3_TYPES.get(node.dtype, node.dtype),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(node.shards or node.chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _V3_FILLS.get(stored.dtype.kind, 0)
        if node.dtype not in STORED_AS or node.dtype in NIBBLES
        else 0.0,
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
    return gzip.compress(data, 5, mtime=0)  # the same bytes every time


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
