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
    told = filters(dtype, encoding["filters"], coarse=is_coarse(node.stored))
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


_SCALE, _OFFSET = 64, 3


def is_coarse(stored: Values) -> bool:
    """Whether values are 64ths up to 1,000, without −0: filters that lose something of most values keep these."""
    if stored.dtype.kind in "iu":
        return bool(stored.dtype.itemsize < 4)
    if stored.dtype.kind != "f" or not np.isfinite(stored).all() or (np.signbit(stored) & (stored == 0)).any():
        return False
    return bool((np.abs(stored) <= 1000).all() and (stored.astype("f8") * _SCALE % 1 == 0).all())


def filters(dtype: np.dtype[Any], level: str, *, coarse: bool) -> list[dict[str, Any]]:
    """The filters of a level for a dtype: those that lose nothing of it, or of values that are `coarse`."""
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
    if level in ("offset", "quantize"):
        order = dtype.str[0].replace("|", "<")
        scaled = {
            "id": "fixedscaleoffset",
            "offset": _OFFSET,
            "scale": _SCALE,
            "dtype": dtype.str,
            "astype": f"{order}i4",
        }
        quantized = {"id": "quantize", "digits": 2, "dtype": dtype.str, "astype": f"{order}f8"}
        return [] if not coarse else [scaled] if level == "offset" else [quantized] if dtype.kind == "f" else []
    return [{"id": level}] if level in ("fletcher32", "crc32c", "crc32", "adler32") else []


def _narrow(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.itemsize < 4


def _chunks(path: str, node: RawNode, encoding: Encoding) -> Files:
    dtype = _dtype(node, encoding)
    between = "/" if encoding["separator"] == "slash" else "."
    told = filters(dtype, encoding["filters"], coarse=is_coarse(node.stored))
    return {
        _key(path, between.join(map(str, place)) or "0"): _encoded(chunk.astype(dtype), encoding, told)
        for place, chunk in cut(node.stored, node.chunks)
        if place not in node.absent
    }


def _scaled(data: Values, told: Mapping[str, Any]) -> Values:
    """Numbers as a filter stores them, in double precision; what lies beyond the edges may be any."""
    wide = np.nan_to_num(data.astype("f8"), posinf=0.0, neginf=0.0)
    wide = np.where(np.abs(wide) < 1 << 20, wide, 0)
    scaled = np.rint((wide - told.get("offset", 0)) * told.get("scale", 1)) if "scale" in told else wide
    return np.asarray(scaled.astype(told["astype"]))


def _encoded(chunk: Values, encoding: Encoding, filters: list[dict[str, Any]]) -> bytes:
    data: Any = np.frombuffer(chunk.tobytes(order="F" if encoding["order"] == "F" else "C"), chunk.dtype)
    for told in filters:
        if told["id"] in ("fixedscaleoffset", "quantize"):
            data = _scaled(data, told)
        else:
            data = np.ascontiguousarray(numcodecs.get_codec(dict(told)).encode(data))
    compressor = _COMPRESSORS[encoding["compressor"]]
    if compressor is None:
        return bytes(data.tobytes())
    if compressor["id"] == "gzip":
        return gzip.compress(data.tobytes(), 5, mtime=0)
    return bytes(numcodecs.get_codec(dict(compressor)).encode(np.ascontiguousarray(data)))
