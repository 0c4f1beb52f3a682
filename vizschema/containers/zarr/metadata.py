"""Zarr's metadata documents, parsed, to nodes: everything that the format defines is checked before it is used.

Opens nothing and knows no store. Every function raises `Unreadable` for what cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from vizschema import description
from vizschema.containers.attributes import CONVENTIONS, DEPTH, STORED, clean_attributes, real_dtype
from vizschema.containers.base import (
    Document,
    Limits,
    Unreadable,
    quote,
    too_many_chunks,
)
from vizschema.containers.zarr.codecs import Codecs, named, require_v2_configurations, v2_codecs, v3_codecs
from vizschema.containers.zarr.dtypes import MAXIMUM, Dtype, fill_parts, v2_dtype, v3_dtype
from vizschema.containers.zarr.settings import separator_of
from vizschema.description import Node

RANK = 64
"""The most dimensions of an array, as NumPy has it."""

Names = Sequence[str | None]

_ARRAY_V3 = {
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
}
_ARRAY_V3_KNOWN = {*_ARRAY_V3, "attributes", "dimension_names", "storage_transformers"}
_GROUP_V3_KNOWN = {"zarr_format", "node_type", "attributes", "consolidated_metadata"}
_ARRAY_V2 = ("zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order", "filters")
_OTHER_GRIDS = ("rectilinear",)
_AXES_V2 = "_ARRAY_DIMENSIONS"
_MEMOISED = 4096


class ZarrArray(NamedTuple):
    """What the documents of an array say, checked, but for its attributes. Shared: nothing in it is ever changed.

    `dtype` is the canonical name, `data_type` that of the document; `chunk` is the shape of a chunk, of a shard where
    it is sharded; `keys` the name of the chunk key encoding, and the separator; `fill` is what `fill_parts` gives.
    """

    version: int
    dtype: str
    data_type: Any
    shape: Sequence[int]
    chunk: Sequence[int]
    keys: tuple[str, str]
    fill: Any
    codecs: Codecs
    order: str = "C"


class Parsed(NamedTuple):
    """What documents describe: the node, and of an array, what reads it."""

    node: Node
    array: ZarrArray | None = None


def parse_v3(document: Document, limits: Limits) -> Parsed:
    """The array or group that a `zarr.json` describes."""
    _version(document, 3, "zarr.json")
    attributes, suspect = _attributes(document.get("attributes", {}), limits, "the attributes of zarr.json")
    if document.get("node_type") == "group":
        _extensions(document, _GROUP_V3_KNOWN)
        return Parsed(_finish(description.group({}), attributes, limits, suspect=suspect))
    if document.get("node_type") != "array":
        raise Unreadable("metadata-invalid", f"node_type {quote(document.get('node_type'))} is neither array nor group")
    structure = orjson.dumps({**document, "attributes": None})
    build = _v3_array if len(structure) <= _MEMOISED else _v3_array.__wrapped__
    array, shared = build(structure)
    node = _within(_copy(shared), limits)
    array, attributes = _as_stored(node, array, attributes)
    return Parsed(_finish(node, attributes, limits, suspect=suspect), array)


def parse_v2_array(document: Document, raw_attributes: Document, limits: Limits) -> Parsed:
    """The array that a `.zarray` describes, with the object of its `.zattrs`."""
    _version(document, 2, ".zarray")
    attributes, suspect = _attributes(raw_attributes, limits, ".zattrs")
    axes, problem = _v2_axes(attributes, document.get("shape"))
    structure = orjson.dumps(document)
    build = _v2_array if len(structure) <= _MEMOISED else _v2_array.__wrapped__
    array, shared = build(structure, axes)
    node = _within(_copy(shared), limits)
    if problem is not None:
        node["axes_detail"] = problem
    elif _AXES_V2 in attributes:
        attributes = {key: value for key, value in attributes.items() if key != _AXES_V2}
    array, attributes = _as_stored(node, array, attributes)
    return Parsed(_finish(node, attributes, limits, suspect=suspect), array)


def parse_v2_group(document: Document, raw_attributes: Document, limits: Limits) -> Parsed:
    """The group that a `.zgroup` describes, with the object of its `.zattrs`."""
    _version(document, 2, ".zgroup")
    attributes, suspect = _attributes(raw_attributes, limits, ".zattrs")
    return Parsed(_finish(description.group({}), attributes, limits, suspect=suspect))


def _as_stored(node: Node, array: ZarrArray, attributes: Document) -> tuple[ZarrArray, Document]:
    """An array, its node changed with it, and attributes, by what `stored_dtype` says."""
    if STORED not in attributes:
        return array, attributes
    others = dict(attributes)
    node["dtype"] = real_dtype(array.dtype, others)
    return array._replace(dtype=node["dtype"]), others


@lru_cache(maxsize=1024)
def _v3_array(structure: bytes) -> tuple[ZarrArray, Node]:
    """An array, and its node without attributes, to be copied: arrays of a series share all that."""
    document = orjson.loads(structure)
    if not document.keys() >= _ARRAY_V3:
        raise Unreadable("metadata-invalid", f"zarr.json has no {', '.join(sorted(_ARRAY_V3 - document.keys()))}")
    _extensions(document, _ARRAY_V3_KNOWN)
    if document.get("storage_transformers"):
        raise Unreadable("unsupported", "the array has storage transformers")
    dtype = v3_dtype(document["data_type"])
    shape, chunk = document["shape"], _v3_chunk(document["chunk_grid"])
    _require_extent(shape, chunk, dtype, may_be_empty=False)
    keys = _v3_keys(document["chunk_key_encoding"])
    codecs, inner = v3_codecs(document["codecs"], chunk, description.ITEM_BYTES.get(dtype.name, 0))
    fill = _fill(document["fill_value"], dtype, 3)
    axes = _v3_axes(document.get("dimension_names"), len(shape))
    array = ZarrArray(3, dtype.name, document["data_type"], shape, chunk, keys, fill, codecs)
    return array, _node(array, dtype.item_bytes, axes, inner)


@lru_cache(maxsize=1024)
def _v2_array(structure: bytes, axes: Names | None) -> tuple[ZarrArray, Node]:
    document = orjson.loads(structure)
    missing = [key for key in _ARRAY_V2 if key not in document]
    if missing:
        raise Unreadable("metadata-invalid", f".zarray has no {', '.join(missing)}")
    if document["order"] not in ("C", "F"):
        raise Unreadable("metadata-invalid", f"order {quote(document['order'])} is neither C nor F")
    if document.get("dimension_separator", ".") not in (".", "/"):
        raise Unreadable(
            "metadata-invalid", f"dimension_separator {quote(document['dimension_separator'])} is not . or /"
        )
    codecs = v2_codecs(document["filters"], document["compressor"])
    dtype = v2_dtype(document["dtype"], codecs.names)
    require_v2_configurations(codecs)
    shape, chunk = document["shape"], document["chunks"]
    _require_extent(shape, chunk, dtype, may_be_empty=True)
    fill = _fill(document["fill_value"], dtype, 2)
    keys = "v2", document.get("dimension_separator", ".")
    array = ZarrArray(2, dtype.name, document["dtype"], shape, chunk, keys, fill, codecs, document["order"])
    return array, _node(array, dtype.item_bytes, axes, None)


def _node(array: ZarrArray, item_bytes: int, axes: Names | None, inner: list[int] | None) -> Node:
    """The node of an array; `inner` is a chunk of it within a shard."""
    chunks, shard = (array.chunk, None) if inner is None else (inner, array.chunk)
    cut = description.storage(array.shape, axes, item_bytes, chunks=chunks, shard=shard, codecs=array.codecs.names)
    return description.array(array.dtype, array.shape, axes, {}, cut, item_bytes=item_bytes)


def _copy(node: Node) -> Node:
    """A node of its own, nothing shared with the memoised one; twice as fast as any general copy."""
    storage, axes = node["storage"], node["axes"]
    chunk_of, split, shards = storage["chunk_of"], storage["split"], storage["shards"]
    cut = {
        **storage,
        "chunks": storage["chunks"][:],
        "chunk_of": None if chunk_of is None else chunk_of.copy(),
        "split": None if split is None else split[:],
        "shards": None if shards is None else {**shards, "shape": shards["shape"][:]},
        "codecs": storage["codecs"][:],
    }
    copy = {**node, "shape": node["shape"][:], "axes": None if axes is None else axes[:], "storage": cut}
    if "escaped" in copy:
        copy["escaped"] = node["escaped"][:]
    return copy


def _within(node: Node, limits: Limits) -> Node:
    excess = too_many_chunks(node, limits)
    if excess is not None:
        raise Unreadable("over-limit", excess)
    return node


def _finish(node: Node, attributes: Document, limits: Limits, *, suspect: bool) -> Node:
    node["attributes"] = attributes
    if suspect:
        cleaned = clean_attributes(attributes, limits)
        if cleaned.escaped:
            node["escaped"] = sorted([*node.get("escaped", ()), *cleaned.escaped])
        cleaned.of(node)
    return node


def _version(document: Document, expected: int, name: str) -> None:
    found = document.get("zarr_format")
    if type(found) is not int or found != expected:
        raise Unreadable("metadata-invalid", f"zarr_format of {name} is {quote(found)}, not {expected}")


def _attributes(value: Any, limits: Limits, place: str) -> tuple[Document, bool]:
    """Attributes within the limit, and whether anything in them may have to be escaped or left out."""
    if type(value) is not dict:
        raise Unreadable("metadata-invalid", f"{place} holds {quote(value)}, not an object")
    limit = limits.attribute_bytes
    # An item takes two bytes at least. What is too long is not even written: that would take hundreds of bytes an item.
    if any(isinstance(item, list | dict) and 2 * len(item) > limit for item in value.values()):
        return value, True
    text = orjson.dumps(value)
    # JSON escapes control characters and backslashes by a backslash, and leaves DEL and an empty key as they are.
    suspect = not text.isascii() or b"\\" in text or b"\x7f" in text or b'""' in text
    large = len(text) > limit or text.count(b"[") + text.count(b"{") > DEPTH
    return value, suspect or large or CONVENTIONS in value


def _extensions(document: Document, known: set[str]) -> None:
    """Refuses what a reader must understand and we do not; `must_understand: false` says that it need not."""
    if document.keys() <= known:
        return
    for key, value in document.items():
        if key not in known and not (type(value) is dict and value.get("must_understand") is False):
            raise Unreadable("unsupported", f"zarr.json has the field {quote(key)}, which this reader does not know")


def _require_extent(shape: Any, chunk: Any, dtype: Dtype, *, may_be_empty: bool) -> None:
    """Raise `Unreadable` unless shape and chunk are lists of sizes that fit each other and 63 bits."""
    _sizes(shape, "shape", dtype)
    _sizes(chunk, "chunk shape", dtype)
    if len(shape) != len(chunk):
        raise Unreadable(
            "metadata-invalid", f"the chunk shape {chunk} does not have the {len(shape)} axes of the shape"
        )
    for size, length in zip(shape, chunk, strict=True):
        if not length and (size or not may_be_empty):
            raise Unreadable("metadata-invalid", f"the chunk shape {chunk} has a length of 0")


def _sizes(value: Any, name: str, dtype: Dtype) -> None:
    if type(value) is not list:
        raise Unreadable("metadata-invalid", f"the {name} {quote(value)} is not a list")
    if len(value) > RANK:
        raise Unreadable("over-limit", f"the {name} has {len(value)} dimensions, more than {RANK}")
    total = max(dtype.item_bytes, 1)
    for size in value:
        if type(size) is not int or not 0 <= size < MAXIMUM:
            raise Unreadable("metadata-invalid", f"the {name} {quote(value)} holds {quote(size)}, which is not a size")
        total *= size
    if total >= MAXIMUM:
        raise Unreadable("metadata-invalid", f"the {name} {quote(value)} is one of 2^63 bytes or more")


def _fill(value: Any, dtype: Dtype, version: int) -> Any:
    try:
        return fill_parts(value, dtype.name, version)
    except ValueError as error:
        raise Unreadable("metadata-invalid", quote(str(error))) from None


def _v3_chunk(grid: Any) -> Any:
    name, configuration = named(grid, "chunk_grid")
    if name in _OTHER_GRIDS:
        raise Unreadable("unsupported", f"the chunk grid is {name}")
    if name != "regular":
        raise Unreadable("metadata-invalid", f"the chunk grid {quote(name)} is not regular")
    _require_known(configuration, "chunk_shape", "the chunk grid")
    return configuration.get("chunk_shape")


def _v3_keys(encoding: Any) -> tuple[str, str]:
    name, configuration = named(encoding, "chunk_key_encoding")
    if name not in ("default", "v2"):
        raise Unreadable("unsupported", f"the chunk key encoding is {quote(name)}")
    _require_known(configuration, "separator", "the chunk key encoding")
    if configuration.get("separator", "/") not in ("/", "."):
        raise Unreadable(
            "metadata-invalid", f"the separator {quote(configuration['separator'])} of chunk keys is not / or ."
        )
    return separator_of(encoding)


def _require_known(configuration: Mapping[str, Any], field: str, place: str) -> None:
    unknown = configuration.keys() - {field}
    if unknown:
        raise Unreadable("unsupported", f"{place} has the field {quote(min(unknown))}, which this reader does not know")


def _v3_axes(names: Any, rank: int) -> Names | None:
    if rank == 0 and not names:
        return []
    if names is None:
        return None
    if type(names) is not list or any(name is not None and type(name) is not str for name in names):
        raise Unreadable("metadata-invalid", f"dimension_names {quote(names)} is not a list of names")
    if len(names) != rank:
        raise Unreadable(
            "metadata-invalid", f"dimension_names {quote(names)} has {len(names)} names for {rank} dimensions"
        )
    return names if any(name is not None for name in names) else None


def _v2_axes(attributes: Document, shape: Any) -> tuple[tuple[str | None, ...] | None, str | None]:
    """The names in `_ARRAY_DIMENSIONS`, or why they are none; a tuple, so that it can be a key."""
    rank = len(shape) if type(shape) is list else None
    if _AXES_V2 not in attributes:
        return (() if rank == 0 else None), None
    names = attributes[_AXES_V2]
    if type(names) is not list or any(name is not None and type(name) is not str for name in names):
        return None, f"{_AXES_V2} {quote(names)} is not a list of names"
    if len(names) != rank:
        return None, f"{_AXES_V2} has {len(names)} names for {rank} dimensions"
    return (tuple(names) if any(name is not None for name in names) or not rank else None), None
