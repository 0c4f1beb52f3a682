"""The logical trace that every format stores: made one array at a time, and the same in every format."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Named = tuple[str, Values]

HEADS = 8
LAYERS = 12
PAIR_CHANNELS = 128
SINGLE_CHANNELS = 384
_ROWS = 1 << 22
"""Values that are made at once, so that temporaries stay small beside a layer."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace of `layers` layers: attention [head, query, key], pair [residue, residue, channel], single beside them.

    All float32. `smooth`: attention is a softmax of smooth scores, representations are waves with rounding noise in
    their last bits, as activations are; `noise`: normal noise, which nothing compresses. `pair_channels` 0 leaves
    representations out.
    """

    n_res: int
    layers: int = LAYERS
    pair_channels: int = PAIR_CHANNELS
    data: Literal["smooth", "noise"] = "smooth"

    @property
    def layer_bytes(self) -> int:
        """The bytes of one layer."""
        representations = self.n_res * (self.n_res * self.pair_channels + SINGLE_CHANNELS * bool(self.pair_channels))
        return 4 * (HEADS * self.n_res**2 + representations)

    @property
    def bytes(self) -> int:
        """The bytes of the whole trace."""
        return self.layers * self.layer_bytes

    def within(self, most: int | None) -> Trace:
        """This trace, or the part of it that has at most `most` bytes: fewer layers, then fewer channels of pairs."""
        if most is None or self.bytes <= most:
            return self
        layers = max(1, most // self.layer_bytes)
        channels = self.pair_channels
        while channels > 1 and replace(self, pair_channels=channels).layer_bytes > most:
            channels //= 2
        return replace(self, layers=layers, pair_channels=channels)

    def arrays(self) -> Iterator[Named]:
        """Every array with its name, one at a time."""
        for layer in range(self.layers):
            yield attention_name(layer), self.attention(layer)
            if self.pair_channels:
                yield f"pair/layer_{layer:02}", self._representation(layer, (self.n_res,) * 2 + (self.pair_channels,))
                yield f"single/layer_{layer:02}", self._representation(layer, (self.n_res, SINGLE_CHANNELS))

    def attention(self, layer: int) -> Values:
        """The attention of one layer [head, query, key]."""
        shape = (HEADS, self.n_res, self.n_res)
        if self.data == "noise":
            return _normal(layer, shape)
        place = np.arange(self.n_res, dtype=np.float32)
        values = np.empty(shape, np.float32)
        for head in range(HEADS):
            far = np.abs(place[:, None] - place) * ((head + 1) * 4 / self.n_res)
            scores = np.sin(0.11 * (head + 1) * place[:, None] + 0.07 * place + layer) - far
            weights = np.exp(scores, out=scores)
            np.divide(weights, weights.sum(axis=-1, keepdims=True), out=values[head])
        return values

    def _representation(self, layer: int, shape: tuple[int, ...]) -> Values:
        if self.data == "noise":
            return _normal(layer + len(shape), shape)
        values = np.empty(shape, np.float32)
        random = np.random.Generator(np.random.SFC64(layer))
        grid = [np.arange(size, dtype=np.float32) for size in shape[1:]]
        wave = sum(
            np.sin(0.05 * (axis + 1) * line + axis).reshape((-1,) + (1,) * (len(grid) - axis - 1))
            for axis, line in enumerate(grid)
        )
        for first, last in _ranges(shape):
            block = values[first:last]
            random.random(out=block, dtype=np.float32)
            block *= 1e-3
            block += wave
            block += np.sin(0.03 * np.arange(first, last, dtype=np.float32) + layer).reshape((-1,) + (1,) * len(grid))
        return values


def attention_name(layer: int) -> str:
    """The name of the attention of one layer."""
    return f"attention/layer_{layer:02}"


def digest(arrays: Iterable[Named]) -> str:
    """SHA-256 over names, shapes and values, in the order of the trace."""
    whole = hashlib.sha256()
    for name, values in arrays:
        whole.update(f"{name}{values.shape}{values.dtype.str}".encode())
        whole.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        del values  # before the next one is made
    return whole.hexdigest()


def _normal(seed: int, shape: tuple[int, ...]) -> Values:
    random = np.random.Generator(np.random.SFC64(seed))
    values = np.empty(shape, np.float32)
    random.standard_normal(out=values, dtype=np.float32)
    return values


def _ranges(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    step = max(1, _ROWS // math.prod(shape[1:]))
    yield from ((first, min(first + step, shape[0])) for first in range(0, shape[0], step))
