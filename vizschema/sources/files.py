"""Single files as items: arrays of NumPy, JSON, and text. What cannot be read is an item that says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from vizschema.containers.attributes import clean_attributes
from vizschema.containers.base import Unreadable, refuse_repeated_keys
from vizschema.containers.npz.npy import HEADER, header_length, read_header
from vizschema.containers.stored import stored_v2
from vizschema.containers.values import Region, plain_dtype
from vizschema.errors import NotAnArchive
from vizschema.sources.item import Item, Values, in_memory
from vizschema.sources.pickled.files import pickled
from vizschema.sources.sequences import sequences
from vizschema.sources.shelf import Shelf
from vizschema.sources.views import View, reshaped, turned
from vizschema.text import shorten

MAX_JSON = 16 << 20
"""Most bytes of a JSON file."""

MAX_TEXT = 64 << 20
"""Most bytes of a text file."""


def npy(path: Path, place: str, shelf: Shelf) -> Iterable[Item]:
    """The array of a file of NumPy's format; one of Python objects is read as a pickle."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    try:
        length = header_length(head)
        header = read_header(head[:length])
        stored = stored_v2(header.code)
        size = math.prod(header.shape) * stored.itemsize
        if path.stat().st_size != length + size:
            raise Unreadable("damaged", f"expected {length + size} bytes, found {path.stat().st_size}")
    except Unreadable as unreadable:
        if unreadable.reason == "pickle":
            return pickled(path, place, shelf, length)
        return [Item(place or "/", "unreadable", reason=f"cannot be read as a NumPy file: {unreadable.detail}")]
    except TypeError as error:
        return [Item(place or "/", "unreadable", reason=f"cannot be read as a NumPy file: {error}")]

    dtype = plain_dtype(header.dtype.name, stored)

    def entries(region: Region) -> Values:
        start, count = region[0].start, region[0].stop - region[0].start
        flat = np.fromfile(path, stored, count, offset=length + start * stored.itemsize)
        if len(flat) != count:
            raise NotAnArchive("cannot be read: it was changed meanwhile", path=path)
        return flat.astype(dtype)

    flat = View((math.prod(header.shape),), dtype, entries)
    view = reshaped(flat, header.shape[:: -1 if header.fortran else 1])
    if header.fortran:
        view = turned(view, range(len(header.shape))[::-1])

    def read(region: Region | None = None) -> Values:
        values = view.whole() if region is None else view[region]
        return np.ascontiguousarray(values).reshape(values.shape)

    name, lying = header.dtype.name, (1,) * len(header.shape)
    return [Item(place or "/", "array", dtype=name, shape=header.shape, size=size, chunks=lying, read=read)]


def attributes(path: Path, place: str, _: Shelf) -> Iterable[Item]:
    """The members of a JSON object, as the attributes of a group."""
    with path.open("rb") as file:
        data = file.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        return [Item(place or "/", "over-limit", reason=f"exceeds the limit of {MAX_JSON} bytes")]
    try:
        document = orjson.loads(data)
        if data.count(b":") != _colons(document) or b"\\u003" in data:
            refuse_repeated_keys(data, path.name)
    except orjson.JSONDecodeError as error:
        return [Item(place or "/", "unreadable", reason=f"not JSON: {error}")]
    except Unreadable as unreadable:
        return [Item(place or "/", "unreadable", reason=unreadable.detail)]
    found = clean_attributes(document if isinstance(document, dict) else {"value": document})
    return [Item(place or "/", "group", found.values, found.unsupported)]


def _colons(document: Any) -> int:
    """How many colons a JSON text has, unless it repeats a key or escapes a colon; of any depth."""
    found, pending = 0, [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            found += len(value)
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str):
            found += value.count(":")
    return found


def weights(path: Path, place: str, _: Shelf) -> Iterable[Item]:
    """The largest weights of each head, as text, as the arrays `indices` [head, entry, 2] and `weights` [head, entry].

    A head is a line `Layer 0, Head 0`, followed by one line `query key weight` per entry, as many for every head.
    """
    if path.stat().st_size > MAX_TEXT:
        return [Item(place or "/", "over-limit", reason=f"exceeds the limit of {MAX_TEXT} bytes")]
    heads: list[list[tuple[int, int, float]]] = []
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("Layer "):
                heads.append([])
            elif line.strip():
                query, key, weight = line.split()
                heads[-1].append((int(query), int(key), float(weight)))
        indices = np.array([[entry[:2] for entry in head] for head in heads], "int32")
        weights = np.array([[entry[2] for entry in head] for head in heads], "float64")
    except (ValueError, IndexError, OverflowError) as error:
        return [
            Item(
                place or "/",
                "unreadable",
                reason=shorten(f"cannot be read as a list of the largest weights of each head: {error}", 300),
            )
        ]
    arrays = (in_memory(f"{place}/{name}", values) for name, values in (("indices", indices), ("weights", weights)))
    return [Item(place or "/", "group"), *arrays]


READERS: Mapping[str, Callable[[Path, str, Shelf], Iterable[Item]]] = {
    ".npy": npy,
    ".json": attributes,
    ".txt": weights,
    **dict.fromkeys((".fasta", ".fa", ".a3m"), sequences),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".pkl", ".pickle"), pickled),
}
"""What reads a file of a folder, by its suffix; archives are recognised by their content."""
