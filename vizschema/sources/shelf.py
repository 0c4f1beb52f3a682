"""Files of a source that are open: the last few, since a source may have more of them than a process may open."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

KEPT = 8
"""How many files are open at a time."""


class Shelf:
    """What is open, by its path and by what opened it; a context manager."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, Any], Any] = OrderedDict()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def get(self, path: str | os.PathLike[str], open_: Callable[[str], Any]) -> Any:
        """What `open_` gives for a path, opened again if it is not among the last ones."""
        key = os.fspath(path), open_
        if key not in self._open:
            self._open[key] = open_(key[0])
        self._open.move_to_end(key)
        while len(self._open) > KEPT:
            self._open.popitem(last=False)[1].close()
        return self._open[key]
