"""What every writer of a container offers, and what it is given to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vizschema.description import Node

BFLOAT16 = "bfloat16"
STORED_DTYPE = "stored_dtype"
"""The attribute that says what an array stored as `uint16` really holds, where the container has no name for it."""


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """One array, ready to be written: portable values in native byte order, and how to cut and describe them."""

    values: np.ndarray[Any, Any]
    dtype: str
    axes: tuple[str, ...]
    attributes: Mapping[str, Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None

    @property
    def stored(self) -> np.ndarray[Any, Any]:
        """The values as NumPy's own dtypes: the bits of bfloat16 as `uint16`."""
        return self.values.view(np.uint16) if self.dtype == BFLOAT16 else self.values


class Writer(Protocol):
    """An open archive that is being written. What a method has written is with the operating system when it returns."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Write a group; its parent is there already, or it is the root."""

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array with its values; its parent is there already."""

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group that is there, and keep its others."""

    def finish(self) -> None:
        """Write what sums up the whole archive (consolidated metadata), where the container has such a thing."""

    def close(self) -> None:
        """Let go of every file."""


@dataclass(frozen=True, slots=True)
class Form:
    """A container that can be written: its name, its `container` block once finished, how it stores, how to begin."""

    name: str
    identity: Mapping[str, Any]
    shards: bool
    storage: Callable[[PlannedArray], Node | None]
    begin: Callable[[Path], Writer]
