"""Container to description: opens, measures, and decides nothing."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from vizschema import description
from vizschema.containers.base import Container, Limits
from vizschema.containers.opening import open_container
from vizschema.description import Description, Node
from vizschema.text import local_path


def describe(path: str | os.PathLike[str], *, limits: Limits = Limits()) -> Description:  # noqa: B008  (frozen)
    """Describe an archive without reading chunks, and return the description, a JSON document.

    Parameters:
        path: A file, a folder or a URL.
        limits: Limits on what is read; a node that exceeds one is `over-limit`.

    Returns:
        The description, as `spec/description.schema.json` defines it; its `values` are "not_read".

    Raises:
        NotAnArchive: The path cannot be read as an archive.

    Examples:
        >>> description = vizschema.describe("run.zarr")
        >>> description["nodes"]["/activations/layer_00"]["axes"]
        ['prompt', 'position', 'width']
    """
    with closing(open_container(local_path(os.fspath(path)), limits)) as container:
        return describe_open(container)


def describe_open(container: Container) -> Description:
    """The description of an open container, which stays open, values not read."""
    with _collector_paused():
        nodes: dict[str, Node] = {}
        for place, node in container.nodes():
            # Escaping keeps different names apart; should two ever meet, the first stays, as for any reader by name.
            nodes.setdefault(place, node)
        return description.complete(container.identity(), nodes)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Holds the cyclic collector off: looking through every node again and again, it would take half of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Straight to the oldest generation, as after surviving: the next collection would look through them all.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
