"""How an array of a Zarr folder is stored, version 2 and 3 alike, and how it would be stored with its axes moved.

Opens nothing. Source: Zarr v3 core specification, "Chunk grids", "Codecs"; transpose codec 1.0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vizschema.containers.zarr.layout import layout_of
from vizschema.containers.zarr.metadata import ZarrArray
from vizschema.description import ITEM_BYTES, STORED_AS

Axes = Sequence[int | None]
"""For each axis of a result, that of the source, or None for one of size 1 that the source does not have."""

_KEPT = frozenset(("bytes", "sharding_indexed", "crc32c", "blosc", "zstd", "gzip"))
"""Codecs of version 3 that a plain installation of Zarr decodes, and that act on bytes."""

_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")


@dataclass(frozen=True, slots=True)
class Stored:
    """An array as it is stored.

    Attributes:
        shape: The size of each axis.
        chunk: The length of a chunk along each axis, of a shard where it is sharded.
        dtype: The canonical dtype.
        fill: The fill value, as version 3 has it; None where there is none.
        order: The axes in the order in which a chunk is laid out, slowest first; of length 1, any.
        codecs: The codecs behind the transposition, as version 3 has them.
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str
    fill: Any
    order: tuple[int, ...]
    codecs: tuple[Any, ...]

    @property
    def sharded(self) -> bool:
        """Whether its chunks are shards."""
        return any(codec["name"] == "sharding_indexed" for codec in self.codecs)

    @property
    def grid(self) -> tuple[int, ...]:
        """How many chunks there are along each axis."""
        return tuple(-(-size // length) if length else 0 for size, length in zip(self.shape, self.chunk, strict=True))

    def moved(self, axes: Axes) -> Stored | None:
        """The same chunks with these axes; None where there is no such array."""
        kept = [axis for axis in axes if axis is not None]
        gone = [axis for axis in range(len(self.shape)) if axis not in kept]
        if any(self.shape[axis] != 1 or self.chunk[axis] != 1 for axis in gone):
            return None
        if self.sharded and list(axes) != list(range(len(self.shape))):
            return None  # zarr-python cannot read shards behind a transposition
        added = [place for place, axis in enumerate(axes) if axis is None]
        order = [*added, *(axes.index(axis) for axis in self.order if axis not in gone)]
        shape = tuple(1 if axis is None else self.shape[axis] for axis in axes)
        chunk = tuple(1 if axis is None else self.chunk[axis] for axis in axes)
        return Stored(shape, chunk, self.dtype, self.fill, tuple(order), self.codecs)

    def same(self, other: Stored) -> bool:
        """Whether chunks of one are chunks of the other: axes along which a chunk has length 1 may lie anywhere."""
        plain = (self.shape, self.chunk, self.dtype, self.fill, self.codecs)
        orders = [[axis for axis in each.order if each.chunk[axis] != 1] for each in (self, other)]
        return plain == (other.shape, other.chunk, other.dtype, other.fill, other.codecs) and orders[0] == orders[1]

    def document(self, axes: Sequence[str], attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The `zarr.json` of the array."""
        turned = self.order != tuple(range(len(self.shape)))
        transpose = [{"name": "transpose", "configuration": {"order": list(self.order)}}] if turned else []
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunk)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
            "fill_value": self.fill,
            "codecs": [*transpose, *self.codecs],
            "attributes": dict(attributes),
            "dimension_names": list(axes),
        }


def stored(array: ZarrArray) -> Stored | None:
    """How an array is stored; None where version 3 has no word for it that a plain installation decodes."""
    if array.dtype not in ITEM_BYTES:
        return None
    layout = layout_of(array)
    codecs = _codecs_v2(array) if array.version == 2 else _codecs_v3(array)
    if codecs is None or layout.pipeline.unsupported is not None:
        return None
    if array.dtype in STORED_AS and array.data_type != array.dtype and any(array.fill):
        return None  # the bits of an integer, which are another number
    order = layout.pipeline.forward or tuple(range(len(array.shape)))
    return Stored(tuple(array.shape), tuple(array.chunk), array.dtype, _fill(array), order, tuple(codecs))


def _codecs_v3(array: ZarrArray) -> list[Any] | None:
    given = [(name, dict(configuration)) for name, configuration in array.codecs.given if name != "transpose"]
    if not {name for name, _ in given} <= _KEPT:
        return None
    return [
        {"name": name, "configuration": configuration} if configuration else {"name": name}
        for name, configuration in given
    ]


def _codecs_v2(array: ZarrArray) -> list[Any] | None:
    """Those of a compressor, behind the one that says how numbers lie; None with filters, or for another compressor."""
    width = ITEM_BYTES[array.dtype]
    one: dict[str, Any] = {"name": "bytes"}
    if width > 1:
        one["configuration"] = {"endian": "big" if str(array.data_type).startswith(">") else "little"}
    if not array.codecs.given:
        return [one]
    name, given = array.codecs.given[0]
    if len(array.codecs.given) > 1 or name not in ("blosc", "zstd", "gzip"):
        return None
    configuration: dict[str, Any] = {"level": max(0, given.get("level", 1))}
    if name == "zstd":
        configuration = {"level": given.get("level", 0), "checksum": bool(given.get("checksum", False))}
    if name == "blosc":
        shuffle = given.get("shuffle", 1)
        configuration = {
            "cname": given.get("cname", "lz4"),
            "clevel": given.get("clevel", 5),
            "shuffle": _SHUFFLES[shuffle if shuffle >= 0 else 2 if width == 1 else 1],
            "typesize": width,
            "blocksize": given.get("blocksize", 0),
        }
    return [one, {"name": name, "configuration": configuration}]


def _fill(array: ZarrArray) -> Any:
    """The fill value as version 3 writes it; None where version 2 has none."""
    parts = [_part(part) for part in array.fill]
    if not parts:
        return None
    return parts if array.dtype.startswith("complex") else parts[0]


def _part(part: Any) -> Any:
    if isinstance(part, bytes):
        return f"0x{part.hex()}"
    if isinstance(part, float) and not math.isfinite(part):
        return "NaN" if math.isnan(part) else "Infinity" if part > 0 else "-Infinity"
    return part


def moved_axes(steps: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> Axes | None:
    """Which axes operations leave where; None where they do more than move, remove or add axes of size 1."""
    axes: list[int | None] = list(range(len(shape)))
    for step in steps:
        ((name, argument),) = step.items()
        if name == "moveaxis":
            axes.insert(argument[1] % len(axes), axes.pop(argument[0]))
        elif name == "squeeze":
            del axes[argument]
        elif name == "expand":
            axes.insert(argument % (len(axes) + 1), None)
        elif name == "reshape":
            sizes = [1 if axis is None else shape[axis] for axis in axes]
            if [size for size in argument if size != 1] != [size for size in sizes if size != 1]:
                return None
            left = iter([axis for axis, size in zip(axes, sizes, strict=True) if size != 1])
            axes = [None if size == 1 else next(left) for size in argument]
        else:
            return None
    return axes
