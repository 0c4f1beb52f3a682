"""Zarr v3 with settings drawn: codecs, byte and memory order, fill values, chunk keys, shards, copies, spellings."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np

from vizschema.conformance.corpus.hostile.zarr_base import put, write_v3
from vizschema.conformance.corpus.hostile.zarr_consolidated import consolidate_v3
from vizschema.conformance.oracle.mutants import drawn
from vizschema.conformance.oracle.mutants.drawn import Values

Encode = Callable[[bytes], bytes]
Codec = tuple[dict[str, Any], Encode]


def zarr3(chance: random.Random, folder: Path) -> Path:
    """An archive of version 3 with one array drawn."""
    archive: Path = write_v3(folder)
    values, name = drawn.values(chance), f"extra/{drawn.name(chance)}"
    chunks = drawn.chunks(chance, values.shape)
    outer, codecs = chunks, _codecs3(chance, values.dtype, values.ndim)
    encode, told = _chain(codecs), [configuration for configuration, _ in codecs]
    document = {
        "zarr_format": 3, "node_type": "array", "shape": list(values.shape), "data_type": values.dtype.name,
        "codecs": told, "fill_value": _fill3(chance, values),
        "attributes": drawn.attributes(chance),
    }  # fmt: skip
    store: Callable[[Values], bytes] = lambda chunk: encode(_bytes3(chunk, told))  # noqa: E731
    if chance.random() < 0.35 and values.ndim:
        outer = tuple(length * chance.randint(1, 3) for length in chunks)
        store = _sharded(chance, document, chunks, store)
    document["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": list(outer)}}
    keys = _keys3(chance, document)
    _edit3(chance, document, values.ndim)
    put(archive, f"{name}/zarr.json", drawn.spelled(chance, document))
    for place, chunk in drawn.cut(values, outer):
        if chance.random() > 0.12:
            put(archive, f"{name}/{keys(place)}", store(chunk))
    return consolidate_v3(archive) if chance.random() < 0.2 else archive


def _chain(codecs: list[Codec]) -> Encode:
    def encode(data: bytes) -> bytes:
        for _, each in codecs:
            data = each(data)
        return data

    return encode


def _bytes3(chunk: Values, codecs: list[dict[str, Any]]) -> bytes:
    for codec in codecs:
        if codec["name"] == "transpose":
            chunk = chunk.transpose(codec["configuration"]["order"])
        if codec["name"] == "bytes":
            order = codec.get("configuration", {}).get("endian", "little")
            chunk = chunk.astype(chunk.dtype.newbyteorder("<" if order == "little" else ">"))
    return bytes(chunk.tobytes())


def _codecs3(chance: random.Random, dtype: np.dtype[Any], rank: int) -> list[Codec]:
    endian: dict[str, Any] = {"name": "bytes", "configuration": {"endian": chance.choice(("little", "little", "big"))}}
    if dtype.itemsize == 1 and chance.random() < 0.4:
        endian = {"name": "bytes"}
    made: list[Codec] = [(endian, lambda data: data)]
    if rank > 1 and chance.random() < 0.25:
        order = chance.sample(range(rank), rank)
        made.insert(0, ({"name": "transpose", "configuration": {"order": order}}, lambda data: data))
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        made.append(chance.choice((_zstd, _gzip, _blosc, _crc32c))(chance, dtype))
    return made


def _zstd(chance: random.Random, _: np.dtype[Any]) -> Codec:
    checksum, level = chance.random() < 0.5, chance.choice((-5, 0, 1, 3, 19))
    codec = numcodecs.Zstd(level=level, checksum=checksum)
    told = {"level": chance.choice((level, 3, 22)), "checksum": chance.choice((checksum, not checksum))}
    return {"name": "zstd", "configuration": told}, lambda data: bytes(codec.encode(data))


def _gzip(chance: random.Random, _: np.dtype[Any]) -> Codec:
    level = chance.randint(0, 9)
    told = {"name": "gzip", "configuration": {"level": chance.randint(0, 9)}}
    return told, lambda data: gzip.compress(data, level, mtime=0)


def _blosc(chance: random.Random, dtype: np.dtype[Any]) -> Codec:
    inner, shuffle = chance.choice(("zstd", "lz4", "lz4hc", "zlib", "blosclz")), chance.choice((0, 1, 2))
    codec = numcodecs.Blosc(cname=inner, clevel=chance.randint(0, 9), shuffle=shuffle)
    told = {
        "cname": chance.choice((inner, "lz4")), "clevel": chance.randint(0, 9),
        "typesize": chance.choice((dtype.itemsize, 1)),
        "shuffle": chance.choice(("noshuffle", "shuffle", "bitshuffle")), "blocksize": chance.choice((0, 256)),
    }  # fmt: skip
    return {"name": "blosc", "configuration": told}, lambda data: bytes(codec.encode(data))


def _crc32c(chance: random.Random, _: np.dtype[Any]) -> Codec:
    told: dict[str, Any] = chance.choice(({"name": "crc32c"}, {"name": "crc32c", "configuration": {}}))
    return told, lambda data: data + struct.pack("<I", int(google_crc32c.value(data)))


def _sharded(
    chance: random.Random, document: dict[str, Any], inner: tuple[int, ...], store: Callable[[Values], bytes]
) -> Callable[[Values], bytes]:
    location, checked = chance.choice(("end", "end", "start")), chance.random() < 0.8
    order = chance.choice(("little", "little", "big"))
    codecs: list[dict[str, Any]] = [{"name": "bytes", "configuration": {"endian": order}}]
    told = {
        "chunk_shape": list(inner),
        "codecs": document["codecs"],
        "index_codecs": codecs + [{"name": "crc32c"}] * checked,
    }
    if location == "start" or chance.random() < 0.5:
        told["index_location"] = location
    document["codecs"] = [{"name": "sharding_indexed", "configuration": told}]
    skipped, gap, mixed = chance.random() * 0.3, bytes(chance.choice((0, 0, 0, 3))), chance.random() < 0.3
    number = chance.randrange(1 << 30)

    def shard(chunk: Values) -> bytes:
        lots = random.Random(number)  # noqa: S311  (seeded)
        parts = [None if lots.random() < skipped else store(part) for _, part in drawn.cut(chunk, inner)]
        size = 16 * len(parts) + 4 * checked
        places, content = {}, b""
        sequence = list(range(len(parts)))
        if mixed:
            lots.shuffle(sequence)
        for at in sequence:
            raw = parts[at]
            if raw is None:
                places[at] = ((1 << 64) - 1, (1 << 64) - 1)
                continue
            places[at] = (len(content) + (size if location == "start" else 0), len(raw))
            content += raw + gap
        index = b"".join(struct.pack(f"{'<' if order == 'little' else '>'}QQ", *places[at]) for at in range(len(parts)))
        if checked:
            index += struct.pack("<I", int(google_crc32c.value(index)))
        return index + content if location == "start" else content + index

    return shard


def _keys3(chance: random.Random, document: dict[str, Any]) -> Callable[[tuple[int, ...]], str]:
    name, separator = chance.choice((("default", "/"), ("default", "/"), ("default", "."), ("v2", "."), ("v2", "/")))
    told: dict[str, Any] = {"name": name, "configuration": {"separator": separator}}
    if chance.random() < 0.2 and (name, separator) in (("default", "/"), ("v2", ".")):
        del told["configuration"]
    document["chunk_key_encoding"] = told
    if name == "v2":
        return lambda place: separator.join(map(str, place)) or "0"
    return lambda place: separator.join(map(str, ("c", *place)))


def _edit3(chance: random.Random, document: dict[str, Any], rank: int) -> None:
    axes = drawn.axes(chance, rank)
    if axes is not None:
        document["dimension_names"] = axes
    elif chance.random() < 0.1:
        document["dimension_names"] = None if chance.random() < 0.3 else [None] * rank
    if chance.random() < 0.1:
        document["storage_transformers"] = []
    if chance.random() < 0.1:
        document["novelty"] = {"must_understand": False, "name": "x"}
    if chance.random() < 0.05:
        document["data_type"] = {"name": document["data_type"]}
    if chance.random() < 0.05:
        document["codecs"] = [codec["name"] if "configuration" not in codec else codec for codec in document["codecs"]]
    if chance.random() < 0.1 and not document["attributes"]:
        del document["attributes"]


def _fill3(chance: random.Random, values: Values) -> Any:
    kind, bits = values.dtype.kind, values.dtype.itemsize * 8
    if kind == "b":
        return chance.choice((False, True))
    if kind in "iu":
        return chance.choice((0, 1, int(np.iinfo(values.dtype).max), 7))
    if kind == "f":
        return chance.choice(
            (0, 0.0, -0.0, 1, 0.1, "NaN", "Infinity", "-Infinity", f"0x{chance.getrandbits(bits):0{bits // 4}x}")
        )
    return [chance.choice((0, 0.0, 1.5, "NaN")), chance.choice((0.0, -0.0, 2))]
