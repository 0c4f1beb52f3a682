"""How many bytes a container stores of its arrays: by metadata and indices of chunks; no value is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vizschema.containers.base import Container
from vizschema.containers.values import ChunkDamaged, reads_of
from vizschema.description import Node


def stored_bytes(
    container: Container, nodes: Mapping[str, Node], paths: Sequence[str]
) -> Iterator[tuple[str, int | None]]:
    """(path, stored bytes) of the arrays at `paths`; None if only requests could find out, or an array is damaged.

    Bytes that two arrays share count for both.
    """
    for path in paths:
        try:
            found = reads_of(container.values(path), [(0, size) for size in nodes[path]["shape"]])
        except ChunkDamaged:
            found = None
        yield path, None if found is None else found.bytes
