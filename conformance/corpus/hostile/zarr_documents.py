"""Zarr whose metadata documents lie, or are not metadata: sizes, nesting, keys, encodings, codecs and data types."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.case import Build, Case, Payload, broken
from vizschema.conformance.corpus.hostile.zarr_base import (
    ARRAY,
    GROUP,
    ZARRAY,
    array_text,
    content,
    put,
    raw2,
    raw3,
    v3,
    write_v2,
    x2,
    x3,
)

V2, V3 = "zarr-v2", "zarr-v3"
_ZARRAY = json.dumps(ZARRAY).encode()
_BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
_GZIP = {"name": "gzip", "configuration": {"level": 5}}


def _grid(*lengths: Any) -> dict[str, Any]:
    return {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(lengths)}}}


def _pickled(folder: Path) -> Path:
    """Version 2, with a chunk that the pickle codec would execute."""
    archive: Path = write_v2(folder)
    array = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "fill_value": None}
    put(archive, "extra/x/.zarray", {**array, "order": "C", "filters": [{"id": "pickle", "protocol": 5}]})
    put(archive, "extra/x/0", pickle.dumps(Payload()))
    return archive


def _attributes(text: str) -> Build:
    """Version 3 with a group whose attributes are spelt as given."""
    return v3(content("extra/x/zarr.json", json.dumps({**GROUP, "attributes": "A"}).replace('"A"', text).encode()))


def _shards(depth: int, *index: dict[str, Any]) -> dict[str, Any]:
    """Shards within each other; `index` are codecs of the index besides."""
    codec: dict[str, Any] = _BYTES
    for _ in range(depth):
        index_codecs = [_BYTES, {"name": "crc32c"}, *index]
        configuration = {"chunk_shape": [2, 3], "codecs": [codec], "index_codecs": index_codecs}
        codec = {"name": "sharding_indexed", "configuration": configuration}
    return {"codecs": [codec]}


CASES: tuple[Case, ...] = (
    broken(V2, "pickle", "pickle", "a chunk that runs code where the pickle codec decodes it", _pickled),
    broken(V2, "objects", "pickle", "objects without a codec: readers fall back on pickle", x2(dtype="|O")),
    broken(V3, "shape-2-62", "metadata-invalid", "a size of 2^62 overflows every product", x3(shape=[1 << 62, 3])),
    broken(V3, "shape-2-64", "metadata-invalid", "a size that no integer holds", raw3(array_text("shape", b"[18446744073709551616, 3]"))),
    broken(V2, "shape-2-62", "metadata-invalid", "a size of 2^62 overflows every product", x2(shape=[1 << 62, 3])),
    broken(V3, "shape-negative", "metadata-invalid", "a negative size wraps around in C", x3(shape=[-1, 3])),
    broken(V3, "shape-fraction", "metadata-invalid", "a size of two and a half", x3(shape=[2.5, 3])),
    broken(V3, "shape-nan", "metadata-malformed", "NaN is not JSON, and is equal to no value", raw3(array_text("shape", b"[NaN, 3]"))),
    broken(V3, "shape-infinite", "metadata-malformed", "1e999 is infinite where it is read as a double", raw3(array_text("shape", b"[1e999, 3]"))),
    broken(V3, "shape-text", "metadata-invalid", "a size that is text", x3(shape=["2", 3])),
    broken(V3, "shape-boolean", "metadata-invalid", "true is 1 in Python", x3(shape=[True, 3])),
    broken(V3, "shape-object", "metadata-invalid", "a shape that is not a list", x3(shape={"0": 2})),
    broken(V3, "rank-65", "over-limit", "more dimensions than NumPy has", x3(shape=[1] * 65, **_grid(*[1] * 65))),
    broken(V3, "chunk-zero", "metadata-invalid", "chunks of length 0 divide by 0", x3(**_grid(0, 3))),
    broken(V3, "chunk-negative", "metadata-invalid", "chunks of negative length", x3(**_grid(-2, 3))),
    broken(V3, "chunk-rank", "metadata-invalid", "chunks with fewer dimensions than the array", x3(**_grid(2))),
    broken(V3, "chunk-2-62", "metadata-invalid", "a chunk of 2^62 entries", x3(shape=[2, 3], **_grid(1 << 62, 3))),
    broken(V3, "chunk-1-gib", "chunk-maximum", "one chunk of 1 GiB, compressed to next to nothing", x3(shape=[1 << 28], **_grid(1 << 28)), values="chunk-readable"),
    broken(V2, "chunk-1-gib", "chunk-maximum", "one chunk of 1 GiB that is not there", x2(shape=[1 << 28], chunks=[1 << 28]), values="chunk-keys"),
    broken(V3, "chunks-2-58", "over-limit", "2^58 chunks that were never written: a loop that never ends", x3(shape=[1 << 40, 1 << 18], **_grid(1, 1))),
    broken(V2, "chunks-2-31", "over-limit", "2^31 chunks that were never written", x2(shape=[1 << 31], chunks=[1])),
    broken(V3, "grid-unknown", "metadata-invalid", "a chunk grid of an extension", x3(chunk_grid={"name": "spiral", "configuration": {}})),
    broken(V3, "codec-unknown", "portable-codec", "a codec that no plain reader has", x3(codecs=[_BYTES, {"name": "mystery"}])),
    broken(V3, "codec-module", "portable-codec", "a codec named like a function to import", x3(codecs=[_BYTES, {"name": "os.system"}])),
    broken(V3, "codec-none", "metadata-invalid", "no codec that makes bytes", x3(codecs=[])),
    broken(V3, "codec-bytes-only", "metadata-invalid", "a compressor alone: nothing makes bytes of the array", x3(codecs=[_GZIP])),
    broken(V3, "codec-order", "metadata-invalid", "a compressor before what makes the bytes", x3(codecs=[_GZIP, _BYTES])),
    broken(V3, "codec-twice", "metadata-invalid", "two codecs that make bytes of an array", x3(codecs=[_BYTES, _BYTES])),
    broken(V3, "codec-behind", "metadata-invalid", "a transposition of what is bytes already", x3(codecs=[_BYTES, {"name": "transpose", "configuration": {"order": [1, 0]}}])),
    broken(V3, "codec-endian", "metadata-invalid", "no byte order for entries of four bytes", x3(codecs=[{"name": "bytes"}])),
    broken(V3, "codec-level", "metadata-invalid", "a level that no compressor has", x3(codecs=[_BYTES, {"name": "gzip", "configuration": {"level": 99}}])),
    broken(V3, "codec-field", "unsupported", "a setting of a codec that is unknown", x3(codecs=[_BYTES, {"name": "gzip", "configuration": {"level": 5, "dictionary": "x"}}])),
    broken(V3, "transpose-order", "metadata-invalid", "an axis that is taken twice", x3(codecs=[{"name": "transpose", "configuration": {"order": [0, 0]}}, _BYTES])),
    broken(V3, "index-packed", "metadata-invalid", "an index of shards whose size is unknown", x3(**_shards(1, _GZIP))),
    broken(V3, "codec-text", "metadata-invalid", "a codec by its name alone, which no reader opens", x3(codecs=[_BYTES, "crc32c"])),
    broken(V3, "codec-null", "metadata-invalid", "a configuration of null, which no reader opens", x3(codecs=[_BYTES, {"name": "crc32c", "configuration": None}])),
    broken(V3, "keys-text", "metadata-invalid", "a chunk key encoding by its name alone, which no reader opens", x3(chunk_key_encoding="default")),
    broken(V3, "type-bare", "metadata-invalid", "a data type as an object without a configuration, which no reader opens", x3(data_type={"name": "float32"})),
    broken(V3, "fill-short", "metadata-invalid", "bits of half the type: readers take them for different values", x3(data_type="float64", fill_value="0x7fc00000")),
    broken(V2, "fill-bits", "metadata-invalid", "bits as a fill value, which version 2 does not have", x2(fill_value="0x7fc00000")),
    broken(V3, "codec-number", "metadata-invalid", "a codec that is a number", x3(codecs=[7])),
    broken(V2, "codec-unknown", "portable-codec", "a compressor that no plain reader has", x2(compressor={"id": "mystery"})),
    broken(V2, "filter-unset", "metadata-invalid", "a filter that does not say of which type", x2(filters=[{"id": "delta"}])),
    broken(V2, "filters-object", "metadata-invalid", "filters that are not a list", x2(filters={"id": "delta"})),
    broken(V3, "shards-nested", "over-limit", "shards within shards within shards", x3(**_shards(40))),
    broken(V3, "extension-required", "unsupported", "a field that must be understood", x3(novelty={"must_understand": True})),
    broken(V3, "transformers", "unsupported", "a storage transformer", x3(storage_transformers=[{"name": "mystery"}])),
    broken(V3, "type-unknown", "portable-dtype", "a data type that is unknown", x3(data_type="float8_mystery", fill_value=0)),
    broken(V3, "type-object", "metadata-invalid", "a data type without a name", x3(data_type={"configuration": {}})),
    broken(V2, "type-huge", "metadata-invalid", "text of 2^63 bytes an entry", x2(dtype="|S9223372036854775807")),
    broken(V2, "type-nonsense", "metadata-invalid", "an invalid dtype", x2(dtype="<f4; import os")),
    broken(V2, "order-nonsense", "metadata-invalid", "an order that is neither C nor F", x2(order="Z")),
    broken(V3, "fill-huge", "metadata-malformed", "a fill value of ten thousand digits", raw3(array_text("fill_value", b"9" * 10_000))),
    broken(V3, "fill-text", "metadata-invalid", "a fill value that is a word, of chunks that are all there", x3(fill_value="fast")),
    broken(V3, "fill-null", "metadata-invalid", "no fill value, which version 3 does not have", x3(fill_value=None)),
    broken(V2, "fill-text", "metadata-invalid", "a fill value that is a word, of chunks that are all there", x2(fill_value="fast")),
    broken(V3, "names-short", "metadata-invalid", "one axis name for two dimensions", x3(dimension_names=["a"])),
    broken(V3, "nodes-conflict", "metadata-invalid", "neither array nor group", x3(node_type="both")),
    broken(V3, "key-twice", "metadata-malformed", "readers take the first shape or the last", raw3(b'{"shape":[1],' + array_text("shape", b"[9]")[1:])),
    broken(V3, "key-twice-hidden", "metadata-malformed", "the same key spelt with an escape", raw3(b'{"sh\\u0061pe":[1],' + array_text("shape", b"[9]")[1:])),
    broken(V3, "byte-order-mark", "metadata-malformed", "a byte-order mark, which some readers swallow", raw3(b"\xef\xbb\xbf" + json.dumps(ARRAY).encode())),
    broken(V2, "key-twice", "metadata-malformed", "readers take the first shape or the last", raw2(b'{"shape":[1],' + _ZARRAY[1:])),
    broken(V2, "attribute-twice", "metadata-malformed", "readers take the first unit or the last", raw2(_ZARRAY, b'{"unit":"nm","unit":"pm"}')),
    broken(V2, "fill-nan", "metadata-malformed", "NaN as a fill value, which is not JSON", raw2(_ZARRAY.replace(b'"fill_value": 0', b'"fill_value": NaN'))),
    broken(V2, "attribute-nan", "metadata-malformed", "NaN as an attribute, which is not JSON", raw2(_ZARRAY, b'{"scale":NaN}')),
    broken(V3, "attribute-nan", "metadata-malformed", "NaN as an attribute, which is not JSON", _attributes('{"scale": NaN}')),
    broken(V2, "byte-order-mark", "metadata-malformed", "a byte-order mark, which some readers swallow", raw2(b"\xef\xbb\xbf" + _ZARRAY)),
    broken(V2, "byte-order-mark-attributes", "metadata-malformed", "a byte-order mark before attributes", raw2(_ZARRAY, b'\xef\xbb\xbf{"unit":"nm"}')),
    broken(V3, "extension-text", "unsupported", "an unknown field that does not say that it may be left out", x3(novelty="yes")),
    broken(V3, "extension-silent", "unsupported", "an unknown field that does not say whether it may be left out", x3(novelty={"name": "mystery"})),
    broken(V3, "utf-16", "metadata-malformed", "JSON in UTF-16", raw3(json.dumps(ARRAY).encode("utf-16"))),
    broken(V3, "latin-1", "metadata-malformed", "a byte that is not UTF-8", raw3(json.dumps(ARRAY).encode().replace(b"float32", b"fl\xf6at32"))),
    broken(V3, "surrogate", "metadata-malformed", "half a character, which no text holds", _attributes('{"title": "\\ud800"}')),
    broken(V3, "empty-document", "metadata-malformed", "a document of no bytes", raw3(b"")),
    broken(V3, "zeros-document", "metadata-malformed", "what a disk leaves that was full", raw3(bytes(512))),
    broken(V3, "cut-document", "metadata-malformed", "the first half of a document", raw3(json.dumps(ARRAY).encode()[:100])),
    broken(V3, "two-documents", "metadata-malformed", "one document behind another", raw3(json.dumps(ARRAY).encode() * 2)),
    broken(V3, "list-document", "metadata-malformed", "a list", raw3(b"[1, 2, 3]")),
    broken(V3, "deep", "over-limit", "attributes nested a hundred times", _attributes('{"a":' * 100 + "1" + "}" * 100)),
    broken(V3, "very-deep", "over-limit", "a million brackets, to exhaust the stack", raw3(b"[" * 1_000_000)),
    broken(V3, "100-mb", "over-limit", "a document of 100 MB", raw3(b'{"a":"' + b"x" * 100_000_000 + b'"}')),
    broken(V3, "many-lists", "portable-attribute", "3 MB of empty lists, each of which takes more than twenty times its text", _attributes('{"a":[' + "[]," * 1_000_000 + "[]]}")),
    broken(V3, "many-lists-4-mb", "portable-attribute", "as many empty lists as a document may hold", _attributes('{"a":[' + "[]," * 1_390_000 + "[]]}")),
    broken(V3, "attribute-deep", "portable-attribute", "an attribute nested 17 levels deep", _attributes('{"config": ' + '{"a":' * 16 + "[]" + "}" * 17)),
    broken(V3, "attribute-huge-integer", "metadata-malformed", "an integer beyond every double", _attributes('{"seed": ' + "7" * 400 + "}")),
    broken(V3, "attribute-escape", "printable-text", "a text that would repaint the terminal", _attributes('{"title": "\\u001b[2J\\u001b[31mconforms"}')),
    broken(V3, "attribute-lines", "printable-text", "a text that would add lines to a CI log", _attributes('{"title": "a\\n::error::all is lost\\r\\n"}')),
    broken(V3, "attribute-override", "printable-text", "a text that is shown from right to left", _attributes('{"title": "\\u202Eevil\\u2066"}')),
    broken(V3, "attribute-key", "printable-text", "a key with an escape", _attributes('{"\\u001b]0;x\\u0007": 1}')),
    broken(V2, "type-record", "portable-dtype", "records, which no other container carries", x2(dtype=[["a", "<f4"], ["b", "<i4"]])),
)  # fmt: skip
