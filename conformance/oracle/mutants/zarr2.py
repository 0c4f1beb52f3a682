"""Zarr v2 with settings drawn: filters, compressors, types, byte and memory order, fill values, keys, copies."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

from vizschema.conformance.corpus.hostile.zarr_base import put, write_v2
from vizschema.conformance.corpus.hostile.zarr_consolidated import consolidate_v2
from vizschema.conformance.oracle.mutants import drawn
from vizschema.conformance.oracle.mutants.drawn import Values

_NO_FILTERS: tuple[Any, ...] = (None, None, [])


def zarr2(chance: random.Random, folder: Path) -> Path:
    """An archive of version 2 with one array drawn."""
    archive: Path = write_v2(folder)
    values, name = drawn.values(chance), f"extra/{drawn.name(chance)}"
    if chance.random() < 0.3 and values.dtype.itemsize > 1:
        values = values.astype(values.dtype.newbyteorder(">"))
    chunks = drawn.chunks(chance, values.shape)
    order, filters, compressor = chance.choice("CCF"), _filters(chance, values.dtype), _compressor(chance)
    document = {
        "zarr_format": 2, "shape": list(values.shape), "chunks": list(chunks),
        "dtype": _spelled_dtype(chance, values.dtype),
        "compressor": compressor, "filters": filters or chance.choice(_NO_FILTERS), "order": order,
        "fill_value": _fill2(chance, values),
    }  # fmt: skip
    separator = chance.choice((None, ".", "/"))
    if separator:
        document["dimension_separator"] = separator
    if chance.random() < 0.1:
        document["novelty"] = 1
    put(archive, f"{name}/.zarray", drawn.spelled(chance, document))
    told = drawn.attributes(chance)
    axes = drawn.axes(chance, values.ndim)
    if axes is not None and None not in axes:
        told["_ARRAY_DIMENSIONS"] = axes
    if told or chance.random() < 0.5:
        put(archive, f"{name}/.zattrs", told)
    for place, chunk in drawn.cut(values, chunks):
        if document["fill_value"] is None or chance.random() > 0.12:  # without a fill value they hold nothing
            key = (separator or ".").join(map(str, place)) or "0"
            put(archive, f"{name}/{key}", _encoded2(chunk, order, filters, compressor))
    return consolidate_v2(archive) if chance.random() < 0.25 else archive


def _fill2(chance: random.Random, values: Values) -> Any:
    kind = values.dtype.kind
    if chance.random() < 0.2:
        return None
    if kind == "b":
        return chance.choice((False, True, 0, 1))
    if kind in "iu":
        return chance.choice((0, 1, int(np.iinfo(values.dtype).max), 0.0))
    if kind == "f":
        return chance.choice((0, 0.0, -0.0, 1, 0.1, "NaN", "Infinity", "-Infinity", "0.0", "0"))
    return chance.choice(([0.0, 0.0], [1.5, 2.0], [0.1, 1.0], 0, 0.0))


def _filters(chance: random.Random, dtype: np.dtype[Any]) -> list[dict[str, Any]]:
    if chance.random() < 0.7 or dtype.kind not in "iu":
        size = chance.choice((0, 0, dtype.itemsize))
        return [{"id": "shuffle", "elementsize": size}] if size and chance.random() < 0.4 else []
    native = dtype.str
    return chance.choice(([{"id": "delta", "dtype": native}], [{"id": "delta", "dtype": native, "astype": native}]))


def _compressor(chance: random.Random) -> dict[str, Any] | None:
    inner = chance.choice(("zstd", "lz4", "zlib", "blosclz", "lz4hc"))
    return chance.choice(
        (
            None, None, {"id": "zlib", "level": chance.randint(0, 9)}, {"id": "gzip", "level": 1},
            {"id": "bz2", "level": 1},
            {"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None}, {"id": "lz4", "acceleration": 1},
            {"id": "zstd", "level": 3}, {"id": "zstd", "level": 0, "checksum": True},
            {"id": "blosc", "cname": inner, "clevel": 5, "shuffle": chance.choice((0, 1, 2, -1)), "blocksize": 0},
        )
    )  # fmt: skip


def _encoded2(chunk: Values, order: str, filters: list[dict[str, Any]], compressor: dict[str, Any] | None) -> bytes:
    data: Any = np.frombuffer(chunk.tobytes(order=order), chunk.dtype)
    for each in filters:
        data = numcodecs.get_codec(dict(each)).encode(data)
    data = np.ascontiguousarray(data)
    if compressor is not None and compressor["id"] == "gzip":
        return gzip.compress(data.tobytes(), compressor["level"], mtime=0)
    return bytes(numcodecs.get_codec(dict(compressor)).encode(data)) if compressor else data.tobytes()


def _spelled_dtype(chance: random.Random, dtype: np.dtype[Any]) -> str:
    if dtype.itemsize > 1:
        return str(dtype.newbyteorder(dtype.byteorder).str)
    return chance.choice(("|", "|", "|", "<", ">")) + dtype.str[1:]
