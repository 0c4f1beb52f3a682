"""Files of sequences, FASTA and A3M, as arrays of ASCII codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vizschema.containers.attributes import clean_attributes
from vizschema.sources.item import Item, in_memory
from vizschema.sources.shelf import Shelf
from vizschema.text import shorten

MAX_BYTES = 64 << 20
"""Most bytes of a file of sequences."""

ALIGNED = ".a3m"
"""The suffix of an alignment whose lower-case letters are insertions, which have no column."""


def sequences(path: Path, place: str, _: Shelf) -> Iterable[Item]:
    """The sequences as ASCII codes, uint8, with the attribute `names`, a list of texts.

    A FASTA file with one record is an array [letter]; several are [record, letter], and equally long. An A3M file is
    always [record, column]; its insertions are left out, and are an attribute that has no value.
    """
    aligned = path.suffix.lower() == ALIGNED
    names: list[str] = []
    rows: list[list[bytes]] = []
    left_out = 0
    try:
        if path.stat().st_size > MAX_BYTES:
            return [Item(place or "/", "over-limit", reason=f"exceeds the limit of {MAX_BYTES} bytes")]
        for line in path.read_bytes().splitlines():
            if line.startswith(b">"):
                names.append(line[1:].strip().decode("utf-8"))
                rows.append([])
            elif letters := line.strip():
                kept = bytes(code for code in letters if not (97 <= code <= 122 or code == 46)) if aligned else letters
                left_out += len(letters) - len(kept)
                rows[-1].append(kept)
        joined = [b"".join(row) for row in rows]
        lengths = sorted({len(row) for row in joined})
        if len(lengths) != 1 or not b"".join(joined).isascii():
            raise ValueError(f"expected ASCII letters, and one length, found the lengths {lengths[:8]}")
    except (ValueError, IndexError) as error:
        why = shorten(f"cannot be read as sequences, each after a line `>NAME`: {error}", 300)
        return [Item(place or "/", "unreadable", reason=why)]
    codes = np.frombuffer(b"".join(joined), "uint8").reshape(len(joined), lengths[0]).copy()
    array = in_memory(place or "/", codes if aligned or len(codes) > 1 else codes[0])
    found = clean_attributes({"names": names})
    unsupported = {**found.unsupported}
    if left_out:
        unsupported["insertions"] = f"{left_out} letters that have no column"
    return [replace(array, attributes=found.values, unsupported=unsupported)]
