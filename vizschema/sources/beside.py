"""Arrays that a source never had, from files that the user names with `--with`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vizschema.errors import UsageError
from vizschema.sources.folder import item_of
from vizschema.sources.item import Values, digest

_PLACE = re.compile(r"(?P<path>/[^\[\]]+?)(?:\[(?P<axes>[^\[\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Beside:
    """An array of another file: its values, axes (none: those of the profile), digest, and the name of the file."""

    values: Values
    axes: tuple[str, ...]
    sha256: str
    name: str


def added(given: Mapping[str, str]) -> Mapping[str, Beside]:
    """The arrays by their path in the result.

    Each key is a path, with axes where the profile names none: `/inputs/msa[sequence,residue]`. Each value is a `.npy`
    file, or an archive and the array in it: `run.npz#/msa`. Raises `UsageError` and `NotAnArchive`.
    """
    found = {}
    for key, text in given.items():
        match = _PLACE.fullmatch(key)
        if match is None:
            raise UsageError(path=f"--with {key}", expected="a path such as /inputs/msa[sequence,residue]", found=key)
        file, _, node = text.partition("#")
        values = item_of(file, node).values()
        axes = tuple(filter(None, re.split(r"[,\s]+", match["axes"] or "")))
        found[match["path"]] = Beside(values, axes, digest(values), Path(file).name)
    return found
