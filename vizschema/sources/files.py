"""Single files as items: arrays of NumPy, JSON, and text. What cannot be read is an item that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import orjson

from vizschema.containers.attributes import clean_attributes
from vizschema.sources.item import Item, in_memory
from vizschema.text import shorten

MAX_JSON = 16 << 20
"""Most bytes of a JSON file."""

MAX_TEXT = 64 << 20
"""Most bytes of a text file."""


def npy(path: Path, place: str) -> Iterable[Item]:
    """The array of a file of NumPy's format; one of Python objects is not read."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, OverflowError) as error:
        return [Item(place or "/", "unreadable", reason=shorten(f"not a NumPy file that can be read: {error}", 300))]
    size = int(mapped.nbytes)
    return [
        Item(place or "/", "array", {}, {}, mapped.dtype.name, mapped.shape, None, size, "", lambda: np.array(mapped))
    ]


def attributes(path: Path, place: str) -> Iterable[Item]:
    """The members of a JSON object, as the attributes of a group."""
    with path.open("rb") as file:
        data = file.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        return [Item(place or "/", "over-limit", reason=f"exceeds the limit of {MAX_JSON} bytes")]
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return [Item(place or "/", "unreadable", reason=f"not JSON: {error}")]
    found = clean_attributes(document if isinstance(document, dict) else {"value": document})
    return [Item(place or "/", "group", found.values, found.unsupported)]


def weights(path: Path, place: str) -> Iterable[Item]:
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
                reason=shorten(f"not a list of the largest weights of each head: {error}", 300),
            )
        ]
    arrays = (in_memory(f"{place}/{name}", values) for name, values in (("indices", indices), ("weights", weights)))
    return [Item(place or "/", "group"), *arrays]


READERS: Mapping[str, Callable[[Path, str], Iterable[Item]]] = {".npy": npy, ".json": attributes, ".txt": weights}
"""What reads a file of a folder, by its suffix; archives are recognised by their content."""
