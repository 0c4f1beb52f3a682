"""Zarr v3 in any encoding: byte order, transpositions, grids, keys, codecs, shards, fill values, documents."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import google_crc32c
import numcodecs
import numpy as np

from vizschema.conformance.corpus.encodings.contents import permutation
from vizschema.conformance.corpus.encodings.cutting import Place, cut
from vizschema.conformance.corpus.encodings.putting import Files, spelled
from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.description import STORED_AS

_ABSENT = (1 << 64) - 1


def files(nodes: Mapping[str, RawNode], encoding: Encoding) -> Files:
    """Every file of the archive by its key."""
    level = encoding["documents"]
    documents = {
        path: _group(node, level) if node.values is None else _array(node, encoding) for path, node in nodes.items()
    }
    if level == "consolidated":
        copy = {path[1:]: document for path, document in documents.items() if path != "/"}
        told = {"kind": "inline", "must_understand": False, "metadata": copy}
        documents["/"] = {**documents["/"], "consolidated_metadata": told}
    made = {_key(path, "zarr.json"): spelled(document, level) for path, document in documents.items()}
    for path, node in nodes.items():
        if node.values is not None:
            made |= {_key(path, _chunk_key(place, encoding)): data for place, data in _chunks(node, encoding)}
    return made


def _key(path: str, name: str) -> str:
    return f"{path[1:]}/{name}".lstrip("/")


def _chunk_key(place: Place, encoding: Encoding) -> str:
    name, _, separator = encoding["keys"].partition("-")
    between = "." if separator == "dot" else "/"
    return between.join(map(str, ("c", *place) if name == "default" else place)) or "0"


def _group(node: RawNode, level: str) -> dict[str, Any]:
    document = {"zarr_format": 3, "node_type": "group", "attributes": dict(node.attributes)}
    if level == "no-attributes" and not node.attributes:
        del document["attributes"]
    return document


def _array(node: RawNode, encoding: Encoding) -> dict[str, Any]:
    stored, level = node.stored, encoding["documents"]
    name, _, separator = encoding["keys"].partition("-")
    document: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(stored.shape),
        "data_type": node.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(_outer(node, encoding))}},
        "chunk_key_encoding": {"name": name, "configuration": {"separator": "." if separator == "dot" else "/"}},
        "fill_value": _fill(node),
        "codecs": _codecs(node, encoding),
        "attributes": dict(node.attributes),
    }
    if node.axes is not None:
        document["dimension_names"] = list(node.axes)
    if level == "transformers":
        document["storage_transformers"] = []
    if level == "unknown-field":
        document["novelty"] = {"must_understand": False, "name": "novelty"}
    if level == "no-attributes" and not node.attributes:
        del document["attributes"]
    return document


def _fill(node: RawNode) -> Any:
    """The fill value of an array as Zarr v3 writes it."""
    fill = np.zeros((), node.stored.dtype) if node.fill is None else node.fill
    if fill.dtype.kind == "c":
        return [_number(part) for part in (fill.real, fill.imag)]
    if node.dtype in STORED_AS:
        return f"0x{int(fill):0{fill.dtype.itemsize * 2}x}"
    return bool(fill) if fill.dtype.kind == "b" else int(fill) if fill.dtype.kind in "iu" else _number(fill)


def _number(value: Any) -> Any:
    number = float(value)
    if math.isnan(number):
        bits = int(np.asarray(value).view(f"u{value.dtype.itemsize}"))
        canonical = int(np.array(np.nan, value.dtype).view(f"u{value.dtype.itemsize}"))
        return "NaN" if bits == canonical else f"0x{bits:0{value.dtype.itemsize * 2}x}"
    return number if math.isfinite(number) else "Infinity" if number > 0 else "-Infinity"


def _sharded(node: RawNode, encoding: Encoding) -> bool:
    return encoding["shards"] != "none" and len(node.chunks) > 0


def _outer(node: RawNode, encoding: Encoding) -> tuple[int, ...]:
    """The shape of what one file holds: a chunk, or a shard of two chunks along each axis."""
    return tuple(2 * length for length in node.chunks) if _sharded(node, encoding) else tuple(node.chunks)


def _orders(encoding: Encoding, rank: int) -> list[list[int]]:
    if rank < 2 or encoding["order"] == "none":
        return []
    levels = ("reversed", "cycled") if encoding["order"] == "twice" else (encoding["order"],)
    return [permutation(level, rank) for level in levels]


def _transpose(order: Sequence[int]) -> dict[str, Any]:
    return {"name": "transpose", "configuration": {"order": list(order)}}


def _codecs(node: RawNode, encoding: Encoding) -> list[dict[str, Any]]:
    rank, item = node.stored.ndim, node.stored.dtype.itemsize
    endian = {"name": "bytes", "configuration": {"endian": encoding["endian"]}}
    if item == 1 and encoding["endian"] == "big":
        del endian["configuration"]
    turns = list(map(_transpose, _orders(encoding, rank)))
    packed = [endian, *_TOLD[encoding["compression"]](item)]
    if not _sharded(node, encoding):
        return [*turns, *packed]
    level = encoding["shards"]
    outside, inside = (turns, packed) if level == "turned" else ([], [*turns, *packed])
    index = [{"name": "bytes", "configuration": {"endian": "big" if level == "big-index" else "little"}}]
    shard = {
        "chunk_shape": _turned(node.chunks, encoding) if level == "turned" else list(node.chunks),
        "codecs": inside,
        "index_codecs": [*index, *([] if level == "unchecked" else [{"name": "crc32c"}])],
        "index_location": "start" if level == "start" else "end",
    }
    return [*outside, {"name": "sharding_indexed", "configuration": shard}]


def _turned(lengths: Sequence[int], encoding: Encoding) -> list[int]:
    """What there is one of for each dimension, in the order of the dimensions after all transpositions."""
    made = list(lengths)
    for order in _orders(encoding, len(made)):
        made = [made[axis] for axis in order]
    return made


def _chunks(node: RawNode, encoding: Encoding) -> list[tuple[Place, bytes]]:
    stored = node.stored
    if not _sharded(node, encoding):
        return [
            (place, _encoded(chunk, encoding)) for place, chunk in cut(stored, node.chunks) if place not in node.absent
        ]
    made = []
    for place, shard in cut(stored, _outer(node, encoding)):
        absent = {at for at in np.ndindex(*[2] * stored.ndim) if _global(place, at) in node.absent}
        beyond = {
            at
            for at in np.ndindex(*[2] * stored.ndim)
            if any(
                index * length >= size
                for index, length, size in zip(_global(place, at), node.chunks, stored.shape, strict=True)
            )
        }
        if absent | beyond != set(np.ndindex(*[2] * stored.ndim)):
            made.append((place, _shard(shard, node.chunks, absent, encoding)))
    return made


def _global(place: Place, inner: Place) -> Place:
    return tuple(2 * outer + at for outer, at in zip(place, inner, strict=True))


def _shard(shard: Values, chunk: Sequence[int], absent: set[Place], encoding: Encoding) -> bytes:
    level, rank = encoding["shards"], shard.ndim
    if level == "turned":
        absent = {tuple(_turned(at, encoding)) for at in absent}
        shard = shard.transpose(_turned(range(rank), encoding))
        chunk, encoding = _turned(chunk, encoding), {**encoding, "order": "none"}
    encoded = {at: _encoded(part, encoding) for at, part in cut(shard, chunk) if at not in absent}
    checked = level != "unchecked"
    size = (16 << rank) + 4 * checked
    start = size if level == "start" else 0
    content, found = b"", {}
    for at in sorted(encoded, reverse=level == "mixed"):
        content += b"gap" if level == "mixed" else b""
        found[at] = (start + len(content), len(encoded[at]))
        content += encoded[at]
    form = ">QQ" if level == "big-index" else "<QQ"
    index = b"".join(struct.pack(form, *found.get(at, (_ABSENT, _ABSENT))) for at in np.ndindex(*[2] * rank))
    if checked:
        index += struct.pack("<I", int(google_crc32c.value(index)))
    return index + content if level == "start" else content + index


def _encoded(chunk: Values, encoding: Encoding) -> bytes:
    for order in _orders(encoding, chunk.ndim):
        chunk = chunk.transpose(order)
    data = chunk.astype(chunk.dtype.newbyteorder("<" if encoding["endian"] == "little" else ">")).tobytes()
    return _ENCODE[encoding["compression"]](data, chunk.dtype.itemsize)


def _blosc(cname: str, shuffle: int) -> Callable[[bytes, int], bytes]:
    def encode(data: bytes, item: int) -> bytes:
        codec = numcodecs.Blosc(cname=cname, clevel=5, shuffle=shuffle)
        return bytes(codec.encode(np.frombuffer(data, f"V{item}" if item > 8 else f"u{item}")))

    return encode


def _crc32c(data: bytes, _: int) -> bytes:
    return data + struct.pack("<I", int(google_crc32c.value(data)))


_ENCODE: Mapping[str, Callable[[bytes, int], bytes]] = {
    "none": lambda data, _: data,
    "gzip": lambda data, _: gzip.compress(data, 5, mtime=0),
    "zstd": lambda data, _: bytes(numcodecs.Zstd(level=3).encode(data)),
    "zstd-checksum": lambda data, _: bytes(numcodecs.Zstd(level=1, checksum=True).encode(data)),
    "blosc-lz4-shuffle": _blosc("lz4", 1),
    "blosc-zstd-bitshuffle": _blosc("zstd", 2),
    "blosc-zlib": _blosc("zlib", 0),
    "crc32c": _crc32c,
}


def _told_blosc(cname: str, shuffle: str) -> Callable[[int], list[dict[str, Any]]]:
    fields = {"cname": cname, "clevel": 5, "shuffle": shuffle, "blocksize": 0}
    return lambda item: [{"name": "blosc", "configuration": {**fields, "typesize": item}}]


_TOLD: Mapping[str, Callable[[int], list[dict[str, Any]]]] = {
    "none": lambda _: [],
    "gzip": lambda _: [{"name": "gzip", "configuration": {"level": 5}}],
    "zstd": lambda _: [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    "zstd-checksum": lambda _: [{"name": "zstd", "configuration": {"level": 1, "checksum": True}}],
    "blosc-lz4-shuffle": _told_blosc("lz4", "shuffle"),
    "blosc-zstd-bitshuffle": _told_blosc("zstd", "bitshuffle"),
    "blosc-zlib": _told_blosc("zlib", "noshuffle"),
    "crc32c": lambda _: [{"name": "crc32c"}],
}
