"""Memory for a part of an array, and which values of a block belong there. Reads nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.bytes.sources import Bytes
from vizschema.containers.values import Block, Box


@dataclass(frozen=True, slots=True)
class Target:
    """`memory` [any axes], C order, for the values of a `box`: along every axis the first one, and every `steps`-th."""

    box: Box
    steps: Sequence[int]
    memory: npt.NDArray[Any]

    def put(self, block: Block) -> int:
        """Copy the values of a block that belong here, unless they were decoded here; return how many they are."""
        if np.may_share_memory(self.memory, block.values):
            return int(block.values.size)
        found = self._place(block.start, block.values.shape)
        if found is None:
            return 0
        within, place = found
        part = self.memory[place]
        part[...] = block.values[within]
        return int(part.size)

    def meets(self, start: Sequence[int], shape: Sequence[int]) -> bool:
        """Whether any value of a block of this place and shape belongs here."""
        return self._place(start, shape) is not None

    @property
    def sparse(self) -> bool:
        """Whether pieces may lie between the values."""
        return any(step > 1 for step in self.steps)

    def slab(self, start: Sequence[int], shape: Sequence[int]) -> Bytes | None:
        """The bytes of a whole block of this place and shape; None where they are not one range here, or are text."""
        memory = self.memory
        if memory.dtype.hasobject or (shape[-1:] != memory.shape[-1:] and math.prod(shape[:-1]) > 1):
            return None
        found = self._place(start, shape)
        part = memory[:0] if found is None else memory[found[1]]
        whole = part.shape == tuple(shape) and part.flags.c_contiguous
        return part.reshape(-1).view(np.uint8) if whole else None

    def _place(self, start: Sequence[int], shape: Sequence[int]) -> tuple[Any, Any] | None:
        """The index of the values within a block, and that of their places in the memory; None where there are none."""
        within: list[Any] = []
        place: list[Any] = []
        for at, length, (first, end), step in zip(start, shape, self.box, self.steps, strict=True):
            last = min(at + length, end) - first
            low = 0 if at <= first else at - first if step == 1 else -((first - at) // step)
            high = last if step == 1 else -(-last // step)
            if low >= high:
                return None
            begin = first + low * step - at
            within.append(slice(begin, begin + (high - low - 1) * step + 1, step))
            place.append(slice(low, high))
        return (*within, ...), (*place, ...)
