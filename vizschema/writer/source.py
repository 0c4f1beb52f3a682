"""What an archive would lose in another container, and its values, read as a writer asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.bounds import MEMORY
from vizschema.containers.base import Container
from vizschema.description import ITEM_BYTES, Description, Node
from vizschema.errors import NotAnArchive, UsageError
from vizschema.reader.archive import require_decodable
from vizschema.reader.selection import Kept, Selectable
from vizschema.writer.forms.base import Form
from vizschema.writer.plan import node_path


def problems_of(description: Description, form: Form) -> Iterator[tuple[str, str]]:
    """Every node that cannot be carried, and why."""
    for path, node in description["nodes"].items():
        why = _problem(path, node, description["container"]) or form.why_not(
            path, node["attributes"], node.get("dtype")
        )
        if why is not None:
            yield path, why


def _problem(path: str, node: Node, container: Mapping[str, Any]) -> str | None:
    """Return why no container supports the node, or None."""
    if node["kind"] not in ("group", "array"):
        return f"{node['reason']}: {node['detail']}"
    if "escaped" in node:
        return f"non-printable characters in {', '.join(node['escaped'])}"
    if "axes_detail" in node and node["axes"] is None:
        return f"its axes are unknown: {node['axes_detail']}"
    size = node["storage"]["chunk_bytes"] if node["kind"] == "array" and node["storage"] is not None else 0
    if size > MEMORY:
        return f"a chunk of {size} bytes exceeds the limit of {MEMORY} bytes"
    for key, kind in node.get("unsupported", {}).items():
        return f"attribute {key}: {kind}"
    try:
        node_path(path)
        if node["kind"] == "array":
            require_decodable(path, node, container)
            if node["dtype"] not in ITEM_BYTES:
                return f"expected numbers or booleans, found {node['dtype']}, which no container of the standard stores"
    except (UsageError, NotAnArchive) as error:
        return error.reason
    return None


class SourceValues:
    """The values of one array of the source, read as they are indexed."""

    def __init__(self, path: str, opened: Container, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._path = path
        self._opened = opened
        self._source: Selectable | None = None
        self.done: Callable[[int], object] | None = None

    def __getitem__(self, key: Any, /) -> npt.NDArray[Any]:
        if self._source is None:
            self._source = Selectable(self._path, lru_cache(1)(self._opened.values), Kept())
        values = self._source[key]
        if self.done is not None:
            self.done(values.nbytes)
        return values

    def release(self) -> None:
        """Let go of what was decoded."""
        self._source = None
