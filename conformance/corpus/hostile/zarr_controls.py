"""Zarr that is legal but odd: every case conforms, and no validator may refuse it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numcodecs

from vizschema.conformance.corpus.hostile.case import Build, Case, control
from vizschema.conformance.corpus.hostile.zarr_base import (
    ARRAY,
    GROUP,
    LAYER,
    VALUES,
    ZARRAY,
    content,
    fields,
    put,
    v2,
    v3,
    write_v2,
    write_v3,
    x2,
    x3,
)
from vizschema.conformance.corpus.hostile.zarr_consolidated import c2, c3, consolidate_v3
from vizschema.conformance.corpus.hostile.zarr_files import deep, named

V2, V3 = "zarr-v2", "zarr-v3"
_BIG = {"name": "bytes", "configuration": {"endian": "big"}}
_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_GRID = {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}}}


def x3_packed(codec: object, chunk: bytes) -> Build:
    """Builds version 3 with an array `/extra/x` whose chunk was encoded by this codec."""
    return v3(content("extra/x/zarr.json", {**ARRAY, "codecs": [_LITTLE, codec]}), content("extra/x/c/0/0", chunk))


def _sharded(folder: Path) -> Path:
    import zarr

    archive: Path = write_v3(folder)
    extra = zarr.open_group(archive, path="extra", mode="r+")
    extra.create_array("x", shape=(4, 3), chunks=(1, 3), shards=(2, 3), dtype="f4")[:] = 1
    return archive


def _reversed_copy(folder: Path) -> Path:
    archive: Path = consolidate_v3(write_v3(folder))
    root = json.loads((archive / "zarr.json").read_bytes())
    documents = root["consolidated_metadata"]["metadata"]
    root["consolidated_metadata"]["metadata"] = {key: documents[key] for key in reversed(documents)}
    put(archive, "zarr.json", dict(reversed(root.items())))
    return archive


def _spaced(folder: Path) -> Path:
    """Documents written with much space, other orders of keys, and escapes for plain letters."""
    archive: Path = write_v3(folder)
    for path in archive.rglob("zarr.json"):
        document = json.loads(path.read_bytes())
        text = json.dumps(dict(reversed(document.items())), indent=7).replace("zarr_format", "z\\u0061rr_format")
        path.write_text("\n\n\t" + text + "  \r\n")
    return archive


CASES: tuple[Case, ...] = (
    control(V3, "plain", "the archive that all others are made from", v3()),
    control(V2, "plain", "the archive that all others are made from", v2()),
    control(V3, "big-endian", "the other byte order", x3(codecs=[_BIG])),
    control(V2, "big-endian", "the other byte order", x2(dtype=">f4")),
    control(V2, "fortran-order", "the first index runs fastest", x2(order="F")),
    control(V3, "fortran-order", "the first index runs fastest, by a transposition", x3(codecs=[{"name": "transpose", "configuration": {"order": [1, 0]}}, _LITTLE])),
    control(V3, "absent-chunk", "a chunk that was never written holds the fill value", v3(content("extra/x/zarr.json", ARRAY))),
    control(V2, "absent-chunk", "a chunk that was never written holds the fill value", v2(content("extra/x/.zarray", ZARRAY))),
    control(V2, "fill-none", "no fill value", x2(fill_value=None)),
    control(V3, "fill-nan", "a fill value that is not a number", x3(fill_value="NaN")),
    control(V3, "fill-bits", "a fill value by its bits", x3(fill_value="0x7fc00001")),
    control(V3, "copy-order", "a consolidated copy, its keys in reverse", _reversed_copy),
    control(V3, "copy", "a consolidated copy", c3()),
    control(V2, "copy", "a consolidated copy", c2()),
    control(V3, "spacing", "documents with space, escapes and keys in reverse", _spaced),
    control(V3, "separator-dot", "chunks under keys with dots", v3(content("extra/x/zarr.json", {**ARRAY, "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}}), content("extra/x/c.0.0", VALUES))),
    control(V3, "keys-of-v2", "chunks under the keys of version 2", v3(content("extra/x/zarr.json", {**ARRAY, "chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}}), content("extra/x/0.0", VALUES))),
    control(V3, "files-beside-chunks", "stray files in the folder of an array", v3(content("extra/x/zarr.json", ARRAY), content("extra/x/c/0/0", VALUES), content("extra/x/c/.DS_Store", b""), content("extra/x/note", b""))),
    control(V2, "fill-number-text", "a fill value that its writer made text of", v2(content("extra/x/.zarray", {**ZARRAY, "fill_value": "0.0"}))),
    control(V2, "separator-slash", "chunks in folders", v2(content("extra/x/.zarray", {**ZARRAY, "dimension_separator": "/"}), content("extra/x/0/0", VALUES))),
    control(V2, "attributes-empty", "attributes of no entry, and none at all", v2(content("extra/x/.zarray", ZARRAY), content("extra/x/0.0", VALUES), content("extra/x/.zattrs", {}))),
    control(V3, "attributes-left-out", "a group without the field attributes", v3(content("extra/x/zarr.json", {"zarr_format": 3, "node_type": "group"}), content("extra/x/y/zarr.json", ARRAY))),
    control(V3, "size-zero", "an array without values", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [0, 3]}))),
    control(V3, "scalar", "an array without dimensions", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}}}), content("extra/x/c", VALUES[:4]))),
    control(V3, "chunk-beyond", "a chunk that is larger than the array", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [1, 1]}), content("extra/x/c/0/0", VALUES))),
    control(V3, "chunk-at-edge", "chunks that the array does not fill", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [3, 4]}), content("extra/x/c/0/0", VALUES), content("extra/x/c/1/1", VALUES))),
    control(V3, "sixty-deep", "sixty levels of groups", v3(deep(60))),
    control(V3, "names-of-scripts", "names in many scripts, in normal form C", v3(named("größe".encode(), "слой".encode(), "層".encode(), "طبقة".encode(), "שכבה".encode(), "परत".encode(), "레이어".encode(), "🧬".encode()))),
    control(V3, "names-odd", "spaces, quotes, dots, brackets, a long name", v3(named(b"a b", b"it's \"so\"", b"...", b"[0]", b"%2e%2e", b"-rf", b"x" * 200))),
    control(V3, "numbers-odd", "numbers at the edge of what JSON and doubles hold", v3(fields("extra/zarr.json", attributes={"a": 2**63, "b": -(2**63), "c": 1e308, "d": 5e-324, "e": -0.0, "f": 10**30}))),
    control(V3, "texts-odd", "texts in many scripts, empty, and long", v3(fields("extra/zarr.json", attributes={"a": "", "b": "日本語 العربية 🧬", "c": "x" * 100_000, "d": ["a", ""]}))),
    control(V3, "field-unknown", "a field that need not be understood", x3(novelty={"must_understand": False, "name": "x"})),
    control(V3, "complex", "complex numbers", v3(content("extra/x/zarr.json", {**ARRAY, "data_type": "complex64", "fill_value": [0, 0]}), content("extra/x/c/0/0", VALUES * 2))),
    control(V3, "negative-zero", "zeros of both signs, and denormal numbers", v3(content(f"{LAYER}/c/0/0", struct.pack("<6f", -0.0, 0.0, 1e-45, -1e-45, 1, -1)))),
    control(V3, "group-unlisted-empty", "a group that is empty, below extra", v3(content("extra/x/zarr.json", GROUP))),
    control(V3, "zstd", "a chunk that is compressed", x3_packed({"name": "zstd", "configuration": {"level": 3, "checksum": True}}, numcodecs.Zstd(3, True).encode(VALUES))),
    control(V3, "blosc", "a chunk that is shuffled and compressed", x3_packed({"name": "blosc", "configuration": {"cname": "zstd", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0}}, numcodecs.Blosc("zstd", 5, numcodecs.Blosc.SHUFFLE).encode(VALUES))),
    control(V3, "sharded", "four chunks in two shards", _sharded),
    control(V2, "without-attributes", "no .zattrs below extra", lambda folder: _without_attributes(folder)),
)  # fmt: skip


def _without_attributes(folder: Path) -> Path:
    archive: Path = write_v2(folder)
    (archive / "extra/.zattrs").unlink()
    return archive
