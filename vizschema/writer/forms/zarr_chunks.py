"""The chunks of a new Zarr array in a folder: each encoded and written once, as a file of its own, on a thread per CPU.

zarr-python would write them as well, at the cost of a task, several copies and a rename for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import Blosc
from numcodecs.zstd import Zstd

from vizschema.bounds import allowed_cpus
from vizschema.containers.values import Region, regions
from vizschema.writer.forms.base import PlannedArray

ZSTD_LEVEL = 3
BLOSC = Blosc(cname="zstd", clevel=ZSTD_LEVEL, shuffle=Blosc.SHUFFLE)
_CODECS = {2: BLOSC, 3: Zstd(level=ZSTD_LEVEL)}

Values = np.ndarray[Any, Any]


def write_chunks(folder: Path, planned: PlannedArray, version: int) -> None:
    """Write all values of an array without shards; its metadata are in `folder`, and say so.

    After an error, no thread goes on.
    """
    with ThreadPoolExecutor(allowed_cpus()) as pool:
        for region in planned.regions():
            part = planned.part(region)
            first = [along.start for along in region]
            within = [*regions(part.shape, planned.chunks)]

            def write(chunk: Region, part: Values = part, first: Sequence[int] = first) -> None:
                starts = zip(first, chunk, planned.chunks, strict=True)
                place = [(at + along.start) // length for at, along, length in starts]
                _write(folder / _key(place, version), _CODECS[version].encode(_whole(part[chunk], planned.chunks)))

            if len(within) == 1:  # a thread would cost more than it gains
                write(within[0])
            else:
                list(pool.map(write, within))


def _whole(values: Values, chunk: Sequence[int]) -> Values:
    """The values of a chunk in C order and little-endian, filled up with zeros where the array ends within it."""
    dtype = values.dtype.newbyteorder("<")
    if values.shape == tuple(chunk):
        return np.ascontiguousarray(values, dtype)
    whole = np.zeros(tuple(chunk), dtype)
    whole[tuple(slice(length) for length in values.shape)] = values
    return whole


def _key(place: Sequence[int], version: int) -> str:
    numbers = [str(number) for number in place]
    return "/".join(["c", *numbers]) if version == 3 else ".".join(numbers) or "0"


def _write(path: Path, content: bytes) -> None:
    try:
        file = path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    with file:
        file.write(content)
