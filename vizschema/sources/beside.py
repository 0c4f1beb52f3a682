"""Arrays that a source never had, from files that the user names with `--with`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from vizschema.errors import NotAnArchive, UsageError
from vizschema.sources.item import Tree, Values
from vizschema.sources.views import digest

Opened = Callable[[str], AbstractContextManager[Tree]]
"""What opens a source."""

_PLACE = re.compile(r"(?P<path>/[^\[\]]+?)(?:\[(?P<axes>[^\[\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Beside:
    """An array of another file: its values, axes (none: those of the profile), digest, and the name of the file."""

    values: Values
    axes: tuple[str, ...]
    sha256: str
    name: str


def added(given: Mapping[str, str], opened: Opened) -> Mapping[str, Beside]:
    """The arrays by their path in the result.

    Each key is a path, with axes where the profile names none: `/inputs/msa[sequence,residue]`. Each value is a `.npy`
    file, or an archive and the array in it: `run.npz#/msa`. `opened` opens a source. Raises `UsageError` and
    `NotAnArchive`.
    """
    found = {}
    for key, text in given.items():
        match = _PLACE.fullmatch(key)
        if match is None:
            raise UsageError(path=f"--with {key}", expected="a path such as /inputs/msa[sequence,residue]", found=key)
        file, _, node = text.partition("#")
        with opened(file) as tree:
            values = _values(tree, file, node)
        axes = tuple(filter(None, re.split(r"[,\s]+", match["axes"] or "")))
        found[match["path"]] = Beside(values, axes, digest(values), Path(file).name)
    return found


def _values(tree: Tree, file: str, node: str) -> Values:
    """The values of the array `node` of a source, which is a file of one array where it is empty."""
    item = tree.get(node or "/")
    if item is None:
        raise NotAnArchive(path=file, expected=f"the array {node}", found=", ".join(list(tree)[:8]))
    if item.kind != "array":
        raise NotAnArchive("cannot be read", path=file, expected="an array", found=item.reason or item.kind)
    return item.values()
