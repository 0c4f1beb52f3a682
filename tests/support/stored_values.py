"""What an archive stores, as tests compare it: its portable description, and the blocks of an array."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import vizschema
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, ChunkDamaged

SHAPE, CHUNKS = (7, 9, 10), (3, 4, 5)


def numbers(dtype: str = "<f4") -> Any:
    """Values [7, 9, 10] that no chunk of `CHUNKS` divides evenly."""
    return (np.random.default_rng(1).normal(size=SHAPE) * 5).astype(dtype)


def portable(path: Path) -> dict[str, Any]:
    """The description of an archive, but for its container and how it is cut and encoded."""
    description = vizschema.describe(path)
    description.pop("container")
    for node in description["nodes"].values():
        node.pop("storage", None)
    return description


def blocks(path: Path, array: str = "/x") -> list[Block | ChunkDamaged]:
    """Every block with values of its own, and all damage."""
    with closing(open_container(str(path))) as container:
        values = container.values(array)
        return [
            Block(found.start, found.values.copy(), found.stored_bytes, found.absent)
            if isinstance(found, Block)
            else found
            for piece in values.pieces()
            for found in values.read(piece)
        ]


def whole(path: Path, like: Any, array: str = "/x") -> Any:
    """The blocks put together, in the shape and dtype of `like`."""
    result = np.zeros(like.shape, like.dtype.newbyteorder("="))
    for block in blocks(path, array):
        assert isinstance(block, Block), block
        result[tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))] = (
            block.values
        )
    return result


def damage(path: Path) -> list[tuple[str, str, str]]:
    """Key, reason and detail of every chunk that is damaged."""
    return [(found.key, found.reason, found.detail) for found in blocks(path) if isinstance(found, ChunkDamaged)]
