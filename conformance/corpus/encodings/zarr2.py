"""Zarr v2 in any encoding: byte and memory order, grids, separators, filters, compressors, fill values, documents."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np

from vizschema.conformance.corpus.encodings.cutting import cut
from vizschema.conformance.corpus.encodings.putting import Files, spelled
from vizschema.conformance.corpus.encodings.table import Encoding
from vizschema.conformance.corpus.raw.nodes import RawNode, Values

_COMPRESSORS: Mapping[str, Any] = {
    "none": None,
    "zlib": {"id": "zlib", "level": 3},
    "gzip": {"id": "gzip", "level": 5},
    "zstd": {"id": "zstd", "level": 3},
    "blosc-lz4": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "blocksize": 0},
    "blosc-zstd-bitshuffle": {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 2, "blocksize": 0},
    "bz2": {"id": "bz2", "level": 1},
    "lzma": {"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None},
    "lz4": {"id": "lz4", "acceleration": 1},
}


def files(nodes: Mapping[str, RawNode], encoding: Encoding) -> Files:
    """Every file of the archive by its key."""
    documents: dict[str, Any] = {}
    chunks: Files = {}
    for path, node in nodes.items():
        attributes = node.marked
        if node.values is None:
            documents[_key(path, ".zgroup")] = {"zarr_format": 2}
        else:
            if node.axes:
                attributes["_ARRAY_DIMENSIONS"] = list(node.axes)
            documents[_key(path, ".zarray")] = _array(node, encoding)
            chunks |= _chunks(path, node, encoding)
        if attributes or encoding["documents"] == "empty-attributes":
            documents[_key(path, ".zattrs")] = attributes
    if encoding["documents"] == "consolidated":
        documents[".zmetadata"] = {"zarr_consolidated_format": 1, "metadata": dict(documents)}
    made = {key: spelled(document, encoding["documents"]) for key, document in documents.items()}
    return made | chunks


def _key(path: str, name: str) -> str:
    return f"{path[1:]}/{name}".lstrip("/")


def _dtype(node: RawNode, encoding: Encoding) -> np.dtype[Any]:
    dtype: np.dtype[Any] = node.stored.dtype.newbyteorder("<" if encoding["endian"] == "little" else ">")
    return dtype


def _array(node: RawNode, encoding: Encoding) -> dict[str, Any]:
    dtype = _dtype(node, encoding)
    told = filters(dtype, encoding["filters"])
    document = {
        "zarr_format": 2,
        "shape": list(node.stored.shape),
        "chunks": list(node.chunks),
        "dtype": dtype.str,
        "compressor": _COMPRESSORS[encoding["compressor"]],
        "filters": told or (None if encoding["filters"] == "null" else []),
        "fill_value": None if encoding["fill"] == "null" else _fill(node),
        "order": encoding["order"],
    }
    separator = {"left-out": None, "dot": ".", "slash": "/"}[encoding["separator"]]
    return document if separator is None else {**document, "dimension_separator": separator}


def _fill(node: RawNode) -> Any:
    fill = np.zeros((), node.stored.dtype) if node.fill is None else node.fill
    if fill.dtype.kind == "c":
        return [_number(float(fill.real)), _number(float(fill.imag))]
    return bool(fill) if fill.dtype.kind == "b" else int(fill) if fill.dtype.kind in "iu" else _number(float(fill))


def _number(number: float) -> Any:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def filters(dtype: np.dtype[Any], level: str) -> list[dict[str, Any]]:
    """The filters of a level for a dtype: those that lose nothing of it."""
    shuffle = {"id": "shuffle", "elementsize": dtype.itemsize}
    delta = {"id": "delta", "dtype": dtype.str}
    if level == "shuffle":
        return [{"id": "packbits"}] if dtype.kind == "b" else [shuffle]
    if level in ("delta", "delta-shuffle"):
        found = [delta] if dtype.kind in "iu" else []
        return [*found, shuffle] if level == "delta-shuffle" and dtype.kind != "b" else found
    wide = f"{dtype.str[:2].replace('|', '<')}4"
    if level == "astype":
        return [{"id": "astype", "encode_dtype": wide, "decode_dtype": dtype.str}] if _narrow(dtype) else []
    if level == "scale":
        told = {"id": "fixedscaleoffset", "offset": 0, "scale": 1, "dtype": dtype.str, "astype": wide}
        return [told] if _narrow(dtype) else []
    return [{"id": level}] if level in ("fletcher32", "crc32c", "crc32", "adler32") else []


def _narrow(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.itemsize < 4


def _chunks(path: str, node: RawNode, encoding: Encoding) -> Files:
    dtype = _dtype(node, encoding)
    between = "/" if encoding["separator"] == "slash" else "."
    return {
        _key(path, between.join(map(str, place)) or "0"): _encoded(chunk.astype(dtype), encoding)
        for place, chunk in cut(node.stored, node.chunks)
        if place not in node.absent
    }


def _encoded(chunk: Values, encoding: Encoding) -> bytes:
    data: Any = np.frombuffer(chunk.tobytes(order="F" if encoding["order"] == "F" else "C"), chunk.dtype)
    for told in filters(chunk.dtype, encoding["filters"]):
        data = np.ascontiguousarray(numcodecs.get_codec(dict(told)).encode(data))
    compressor = _COMPRESSORS[encoding["compressor"]]
    if compressor is None:
        return bytes(data.tobytes())
    if compressor["id"] == "gzip":
        return gzip.compress(data.tobytes(), 5, mtime=0)
    return bytes(numcodecs.get_codec(dict(compressor)).encode(np.ascontiguousarray(data)))
