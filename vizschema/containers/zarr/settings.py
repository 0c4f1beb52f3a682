"""Checked documents of Zarr with everything filled in that they may leave out, so that two can be compared.

What is left out means what zarr-python, and for version 2 numcodecs, takes in its place. Opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vizschema.containers.base import Document
from vizschema.containers.zarr.codecs import V2, V3, named, order_of
from vizschema.containers.zarr.dtypes import fill_bits, v2_dtype, v3_dtype

_V3: Document = {"attributes": {}, "storage_transformers": [], "dimension_names": None}
_V2: Document = {"dimension_separator": "."}
_INDEX_BYTES = 8


def settings(name: str, document: Document) -> Document:
    """The document called `name` with its defaults; raises `Unreadable` for one that was not checked before."""
    if name == ".zarray":
        return _v2_array(document)
    if name == "zarr.json" and document.get("node_type") == "array":
        return _v3_array(document)
    return {"attributes": {}, **document} if name == "zarr.json" else document


def separator_of(encoding: Any) -> tuple[str, str]:
    """The name of a chunk key encoding, and its separator."""
    name, configuration = named(encoding, "chunk_key_encoding")
    return name, configuration.get("separator", "/" if name == "default" else ".")


def _v3_array(document: Document) -> Document:
    filled = {**_V3, **document}
    dtype = v3_dtype(document["data_type"])
    rank = len(document["shape"])
    if not any(filled["dimension_names"] or ()):
        filled["dimension_names"] = None
    filled["storage_transformers"] = filled["storage_transformers"] or []
    filled["data_type"] = _named_type(document["data_type"])
    filled["chunk_grid"] = named(document["chunk_grid"], "chunk_grid")
    filled["chunk_key_encoding"] = separator_of(document["chunk_key_encoding"])
    filled["fill_value"] = fill_bits(document["fill_value"], dtype.name, 3)
    filled["codecs"] = _v3_codecs(document["codecs"], rank, dtype.item_bytes)
    return filled


def _named_type(value: Any) -> tuple[str, Mapping[str, Any]]:
    return (value, {}) if type(value) is str else named(value, "data_type")


def _v3_codecs(codecs: Sequence[Any], rank: int, item_bytes: int) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (name, _v3_codec(name, given, rank, item_bytes)) for name, given in (named(each, "codecs") for each in codecs)
    ]


def _v3_codec(name: str, given: Mapping[str, Any], rank: int, item_bytes: int) -> Mapping[str, Any]:
    filled = {**(V3[name].defaults if name in V3 else {}), **given}
    if name == "bytes":
        filled["endian"] = filled.get("endian", "little") if item_bytes != 1 else None
    elif name == "transpose":
        filled["order"] = order_of(given["order"], rank)
    elif name == "blosc":
        filled = {"typesize": item_bytes, "shuffle": "bitshuffle" if item_bytes == 1 else "shuffle", **filled}
    elif name == "sharding_indexed":
        filled["codecs"] = _v3_codecs(given["codecs"], rank, item_bytes)
        filled["index_codecs"] = _v3_codecs(given["index_codecs"], rank + 1, _INDEX_BYTES)
    return filled


def _v2_array(document: Document) -> Document:
    filled = {**_V2, **document}
    filters = [_v2_codec(codec) for codec in document["filters"] or ()]
    filled["filters"] = filters
    filled["compressor"] = document["compressor"] and _v2_codec(document["compressor"])
    dtype = v2_dtype(document["dtype"], [codec["id"] for codec in filters])
    filled["fill_value"] = fill_bits(document["fill_value"], dtype.name, 2)
    return filled


def _v2_codec(given: Mapping[str, Any]) -> Mapping[str, Any]:
    filled = {**(V2[given["id"]].defaults if given["id"] in V2 else {}), **given}
    if "astype" in filled and filled["astype"] is None:
        filled["astype"] = given["dtype"]
    return filled
