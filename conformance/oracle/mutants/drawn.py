"""What all kinds draw: values, attributes, names. Most values are finite, so that most mutants conform."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
_FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, 6e-8, 65504.0, -3.25, 1 / 3)
_NAMES = ("x", "größe", "a b", "X9", "層", "it's", "v.1", "[0]", "0", "c", "data")
_VALUES: tuple[Any, ...] = (
    *(True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63, -(2**63), 2**64 - 1, 1.0, -0.0, 0.1, 1e300, 5e-324),
    *("", "text", "größe 🧬", "true", "1", "null", " a ", "x" * 300, "a: b", "~", "1e5", "0x10"),
    *([1, 2, 3], [1.0, 2.5], ["a", ""], [True, False], [0], ["größe"], [2**63, 1]),
)


def shape(chance: random.Random) -> tuple[int, ...]:
    """Sizes of up to three dimensions; one is rarely 0."""
    rank = chance.choice((0, 1, 1, 2, 2, 2, 3))
    return tuple(0 if chance.random() < 0.03 else chance.randint(1, 6) for _ in range(rank))


def values(chance: random.Random, dtypes: tuple[str, ...] = DTYPES) -> Values:
    """An array; in one of twelve the bits are random, NaN among them."""
    dtype = np.dtype(chance.choice(dtypes))
    sizes = shape(chance)
    count = int(np.prod(sizes, dtype=np.int64))
    if dtype.kind == "b":
        return np.array([chance.random() < 0.5 for _ in range(count)], dtype).reshape(sizes)
    if chance.random() < 1 / 12:
        return np.frombuffer(chance.randbytes(count * dtype.itemsize), dtype).reshape(sizes)
    if dtype.kind in "iu":
        edges = np.iinfo(dtype)
        found = [chance.choice((0, 1, 2, 77, edges.min, edges.max)) for _ in range(count)]
        return np.array(found, dtype).reshape(sizes)
    made = np.array([chance.choice(_FLOATS) for _ in range(count)], dtype)
    if dtype.kind == "c":
        made = made + np.array([chance.choice(_FLOATS) for _ in range(count)], dtype) * dtype.type(1j)
    return made.astype(dtype).reshape(sizes)


def chunks(chance: random.Random, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A chunk for these sizes, sometimes larger than they are."""
    return tuple(chance.randint(1, max(1, size) + (chance.random() < 0.2)) for size in sizes)


def attributes(chance: random.Random) -> dict[str, Any]:
    """Up to three attributes."""
    return {
        f"{chance.choice('abk')}{number}": chance.choice(_VALUES) for number in range(chance.choice((0, 0, 1, 2, 3)))
    }


def name(chance: random.Random) -> str:
    """The name of an array."""
    return chance.choice(_NAMES)


def axes(chance: random.Random, rank: int) -> list[str | None] | None:
    """Names for the dimensions: none, all, or some."""
    if chance.random() < 0.5:
        return None
    every: list[str | None] = [f"dim{number}" for number in range(rank)]
    if chance.random() < 0.2:
        every[-1:] = [None] * bool(rank)
    return every


def reordered(chance: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """The same fields in another order."""
    keys = list(document)
    chance.shuffle(keys)
    return {key: document[key] for key in keys}


def spelled(chance: random.Random, document: dict[str, Any]) -> bytes:
    """A JSON document in one of many spellings."""
    document = reordered(chance, document)
    return json.dumps(document, indent=chance.choice((None, None, 2)), ensure_ascii=chance.random() < 0.5).encode()


def cut(values: Values, chunks: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Values]]:
    """Every chunk by its place; what is beyond the edge of the array, which nobody reads, is 1."""
    counts = [-(-size // length) for size, length in zip(values.shape, chunks, strict=True)]
    for place in product(*map(range, counts)):
        whole = np.full(chunks, 1, values.dtype)
        box = tuple(
            slice(at * length, min(size, (at + 1) * length))
            for at, length, size in zip(place, chunks, values.shape, strict=True)
        )
        part = values[box]
        whole[tuple(slice(0, size) for size in part.shape)] = part
        yield place, whole
