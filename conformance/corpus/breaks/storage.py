"""Breaks of the rules on chunks, shards and codecs."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    add,
    array,
    broken,
    damage,
    measured,
    on_description,
    put,
    sized,
    valid,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"
MIB = 1 << 20
PORTABLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4")
V2 = ("blosc", "zstd", "gzip", "zlib", "bz2", "lzma", "lz4", "shuffle", "delta", "packbits", "fixedscaleoffset", "quantize", "astype", "crc32", "crc32c", "adler32", "fletcher32")


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _chunks()
    yield from _minimum()
    yield from _codecs()


def _storage(path: str, **values: object) -> tuple:  # type: ignore[type-arg]
    return tuple(measured(path, "storage", key, value=value) for key, value in values.items())


def _identity(container: dict) -> tuple:  # type: ignore[type-arg]
    return (on_description(lambda parts: parts.__setitem__("container", container)),)


def _chunks() -> Iterator[Break]:
    large = {**array("page letter", "uint8", {"pattern": "zeros"}), "shape": [1, 16 * MIB + 1]}
    yield broken("chunk-maximum", "trace", "one-byte", "A chunk of one byte more than 16 MiB.", add("/outputs/x", large))
    yield broken("chunk-maximum", "trace", "double", "A chunk of 32 MiB.", *_storage(LAYER, chunk_bytes=32 * MIB))
    yield broken("chunk-maximum", "trace", "in-extra", "A chunk of more than 16 MiB below /extra.", *_storage("/extra/Anything, even Größe", chunk_bytes=17 * MIB))
    yield valid("chunk-one-sample", "trace", "one-of-a-batch", "A chunk holds one entry of a batch.", *_storage(SELF, chunk_of={"batch": 1, "head": 1}))
    yield valid("chunk-maximum", "trace", "exact", "A chunk of 16 MiB.", add("/outputs/x", {**large, "shape": [1, 16 * MIB]}))
    yield broken("shard-maximum", "trace", "one-byte", "A shard of one byte more than 1 GiB.", *_storage(LAYER, shards={"shape": [5, 8], "bytes": 2**30 + 1, "count": 1}))
    sharded = {**array("page letter", "uint8", {"pattern": "ramp"}), "shape": [2, 1 << 16], "chunks": [1, 1 << 16], "shards": [2, 1 << 16]}
    yield broken("shard-maximum", "trace", "never-written", "A shard of more than 1 GiB that was never written.", add("/outputs/x", sharded), damage("shard-grown", "/outputs/x"))
    yield valid("shard-maximum", "trace", "exact", "A shard of 1 GiB.", *_storage(LAYER, shards={"shape": [5, 8], "bytes": 2**30, "count": 1}))
    yield valid("shard-maximum", "trace", "in-extra", "Below /extra shards are free.", *_storage("/extra/Anything, even Größe", shards={"shape": [5], "bytes": 2**31, "count": 1}))
    slugs = {"head": "head", "heads": "heads", "ipa_head": "ipa-head", "n2_heads": "n-heads", "_head": "no-stem"}
    for head in ("head", "heads", "ipa_head", "n2_heads", "_head"):
        names = f"sample {head} token:query token:key"
        also = ("axis-term",) if head == "heads" else ("axis-name",) if head == "_head" else ()
        changed = add(SELF, {**array(names, contents={"pattern": "softmax", "seed": 3}, normalization="softmax", source="captured"), "chunks": [1, 2, 5, 5]})
        yield broken("chunk-one-head", "trace", f"two-of-{slugs[head]}", f"Two of the axis {head} in a chunk.", sized(head, 2), changed, also=also)
    yield broken("chunk-one-head", "openfold", "ipa", "All heads in one chunk.", put("/attention/ipa/layer_00", "chunks", [3, 12, 12]))
    yield valid("chunk-one-head", "trace", "one", "One head in a chunk, and a part of its rows.", put(SELF, "chunks", [1, 1, 2, 5]))
    yield valid(
        "chunk-one-head",
        "trace",
        "header",
        "An axis that only begins alike is not a head.",
        sized("header", 2),
        add(SELF, {**array("header token:query token:key", contents={"pattern": "softmax", "seed": 3}, normalization="softmax", source="captured"), "chunks": [2, 5, 5]}),
    )
    yield valid(
        "chunk-one-head",
        "trace",
        "overhead",
        "An axis that only ends alike is not a head.",
        sized("overhead", 2),
        add(SELF, {**array("overhead token:query token:key", contents={"pattern": "softmax", "seed": 3}, normalization="softmax", source="captured"), "chunks": [2, 5, 5]}),
    )
    yield valid("chunk-one-head", "trace", "activations", "Only attention is read head by head.", add("/activations/heads", {**array("head token"), "chunks": [2, 5]}))
    yield valid("chunk-one-head", "trace", "similar-name", "A group whose name only begins alike.", add("/attention_maps/x", {**array("head token"), "chunks": [2, 5]}))
    yield broken("chunk-one-sample", "trace", "two", "Two samples in a chunk.", put(SELF, "chunks", [2, 1, 5, 5]))
    yield broken(
        "chunk-one-sample",
        "trace",
        "batch",
        "Two entries of a batch in a chunk.",
        sized("batch", 2),
        add(SELF, {**array("batch head token:query token:key", contents={"pattern": "softmax", "seed": 3}, normalization="softmax", source="captured"), "chunks": [2, 1, 5, 5]}),
        also=("axis-term",),
    )
    yield valid("chunk-one-sample", "trace", "activations", "Only attention is read sample by sample.", add("/activations/x", {**array("sample token"), "chunks": [3, 5]}))
    yield valid("chunk-one-sample", "trace", "one", "One sample in a chunk.", put(SELF, "chunks", [1, 1, 5, 5]))
    yield broken("chunk-one-head", "trace", "array-at-attention", "/attention itself is an array.", on_description(_attention_array), also=())


def _attention_array(parts: dict) -> None:  # type: ignore[type-arg]
    nodes = parts["nodes"]
    node = nodes.pop(SELF)
    del nodes["/attention/self"]
    node["storage"]["chunk_of"]["head"] = 2
    nodes["/attention"] = node


def _minimum() -> Iterator[Break]:
    grid = {**array("row column", contents={"pattern": "smooth", "seed": 5}), "shape": [128, 130]}
    yield broken("chunk-minimum", "trace", "tiles", "Tiles of 32 by 32.", add("/outputs/x", {**grid, "chunks": [32, 32]}))
    yield broken("chunk-minimum", "trace", "rows", "One row a chunk.", add("/outputs/x", {**grid, "chunks": [1, 130]}))
    yield broken("chunk-minimum", "trace", "just-below", "Chunks of one row less than 64 KiB.", add("/outputs/x", {**grid, "chunks": [126, 130]}))
    yield broken("chunk-minimum", "trace", "one-byte-below", "Chunks of one byte less than 64 KiB.", *_storage(LAYER, chunk_bytes=65535, split=["token"]), measured(LAYER, "bytes", value=65536))
    yield broken("chunk-minimum", "trace", "heads-and-rows", "Split along heads, and along rows.", *_storage(SELF, chunk_bytes=100, split=["head", "token:query"]), measured(SELF, "bytes", value=65536))
    for axis in ("samples", "header", "head_", "a_sample"):
        yield broken(
            "chunk-minimum",
            "trace",
            f"split-along-{axis.replace('head_', 'head-end').replace('_', '-')}",
            f"Split along {axis}, which is neither a sample nor a head.",
            *_storage(LAYER, chunk_bytes=100, split=[axis]),
            measured(LAYER, "bytes", value=65536),
        )
    for axis in ("sample", "head", "ipa_head", "n2_head"):
        yield valid("chunk-minimum", "trace", f"split-along-{axis.replace('_', '-')}", f"Small chunks of one {axis} each.", *_storage(LAYER, chunk_bytes=100, split=[axis]), measured(LAYER, "bytes", value=65536))
    yield valid("chunk-minimum", "trace", "exact", "Chunks of 64 KiB.", *_storage(LAYER, chunk_bytes=65536, split=["token"]), measured(LAYER, "bytes", value=131072))
    yield valid("chunk-minimum", "trace", "small-array", "An array of less than 64 KiB may be cut.", *_storage(LAYER, chunk_bytes=100, split=["token"]), measured(LAYER, "bytes", value=65535))
    yield valid("chunk-minimum", "trace", "cut-small-array", "An array of less than 64 KiB may be cut.", put(LAYER, "chunks", [1, 8]))
    yield valid("chunk-minimum", "trace", "in-extra", "Below /extra chunks are free.", add("/extra/x", {**grid, "chunks": [32, 32]}))
    yield valid("chunk-minimum", "trace", "unnamed-dimensions", "Without names it is unknown along which axis it is split.", add("/extra/y", {**grid, "axes": None, "chunks": [32, 32]}))
    yield broken("axes-named", "trace", "cut-without-names", "Small chunks along dimensions without names: one fault, not two.", add("/outputs/x", {**grid, "axes": None, "chunks": [32, 32]}))


def _codecs() -> Iterator[Break]:
    yield broken("portable-codec", "trace", "plug-in", "A codec that is a plug-in.", put(LAYER, "codecs", ["bytes", "numcodecs.zlib"]))
    yield broken("portable-codec", "trace", "plug-in-filter", "A filter of h5py's own.", put(LAYER, "codecs", ["shuffle", "lzf"]))
    yield broken("portable-codec", "trace", "version-two-plug-in", "A compressor of another library.", put(LAYER, "codecs", ["imagecodecs_jpeg"]))
    yield broken("portable-codec", "trace", "version-two-filter", "A filter of another library before a known compressor.", put(LAYER, "codecs", ["my_filter", "zlib"]))
    yield broken("portable-codec", "trace", "plug-in-in-shards", "A codec that is a plug-in, within shards.", put(LAYER, "shards", [4, 8]), put(LAYER, "chunks", [2, 4]), put(LAYER, "codecs", ["bytes", "numcodecs.zlib"]))
    yield broken("portable-codec", "trace", "plug-in-in-one-shard", "A codec of another library, within one shard for the whole.", put(LAYER, "shards", [6, 8]), put(LAYER, "chunks", [6, 8]), put(LAYER, "codecs", ["bytes", "imagecodecs_jpeg"]))
    yield broken("portable-codec", "trace", "in-extra", "A plug-in below /extra.", put("/extra/Anything, even Größe", "codecs", ["bytes", "numcodecs.zlib"]))
    for names in (["bytes"], ["bytes", "gzip"], ["bytes", "blosc"], ["transpose", "bytes", "zstd"], ["bytes", "zstd", "crc32c"]):
        yield valid("portable-codec", "trace", f"v-three-{'-'.join(names)}", "Codecs of every reader of Zarr v3.", put(LAYER, "codecs", names))
    for name in ("zlib", "blosc", "zstd", "gzip", "bz2", "lz4"):
        yield valid("portable-codec", "trace", f"v-two-{name}", "A codec of every reader of Zarr v2.", put(LAYER, "codecs", [name]))
    for names in ([], ["deflate"], ["shuffle", "deflate", "fletcher32"]):
        yield valid("portable-codec", "trace", f"v-five-{'-'.join(names) or 'none'}", "Filters of every installation of HDF5.", put(LAYER, "codecs", names))
    yield valid("portable-codec", "trace", "sharded", "Shards are not a plug-in.", put(LAYER, "shards", [4, 8]), put(LAYER, "chunks", [2, 4]))
    for slug, container, good, bad in (
        ("zarr-three", {"format": "zarr", "version": 3, "store": "directory", "consolidated": False}, ("bytes", "transpose", "sharding_indexed", "crc32c", "blosc", "zstd", "gzip"), ("zlib", "numcodecs.zlib", "blosc-snappy")),
        ("zarr-two", {"format": "zarr", "version": 2, "store": "directory", "consolidated": False}, V2, ("bytes", "bitround", "blosc-snappy")),
        ("hdf", {"format": "hdf5", "version": None, "store": "file", "consolidated": False}, ("deflate", "shuffle", "fletcher32", "nbit", "scaleoffset"), ("lzf", "szip", "hdf5-32001")),
    ):
        for name in good:
            yield valid("portable-codec", "trace", f"{slug}-{name}", f"{name} alone, described.", *_identity(container), *_storage(LAYER, codecs=[name]))
        for name in bad:
            yield broken("portable-codec", "trace", f"{slug}-{name.replace('.', '-')}", f"{name} alone, described.", *_identity(container), *_storage(LAYER, codecs=[name]))
        for dtype in PORTABLE:
            node = array("token", dtype, {"pattern": "listed", "values": [0, 1, 1]})
            yield broken("portable-codec", "trace", f"{slug}-of-{dtype}", f"A plug-in for an array of {dtype}.", add("/inputs/x", node), *_identity(container), *_storage("/inputs/x", codecs=["my_own"]))
        yield broken(
            "portable-dtype",
            "trace",
            f"{slug}-text",
            "Text in a codec of its own: one fault, not two.",
            add("/inputs/x", array("token", "bytes", {"pattern": "zeros"})),
            *_identity(container),
            *_storage("/inputs/x", codecs=["vlen-utf8"]),
        )
