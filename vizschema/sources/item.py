"""A node of a source, and the digest of all. Knows no container and no file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from vizschema.canonical import canonical
from vizschema.containers.values import Region
from vizschema.errors import NotAnArchive

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One node of a source.

    `kind` is `array`, `group`, or for anything else the word of the description, whose `reason` says what it is. `size`
    is in bytes of decoded values; `unsupported` are attributes that are not JSON values, with what each is. `read`
    gives the values: of a region alone if there are `chunks`, which is how they lie, else always all.
    """

    path: str
    kind: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    dtype: str = ""
    shape: tuple[int, ...] = ()
    axes: tuple[str | None, ...] | None = None
    size: int = 0
    reason: str = ""
    chunks: tuple[int, ...] | None = None
    read: Callable[..., Values] | None = None

    def values(self, region: Region | None = None) -> Values:
        """The values of an array, or of a region of it."""
        if self.read is None:
            raise NotAnArchive("cannot be read", path=self.path, expected="an array", found=self.reason or self.kind)
        try:
            if region is None or self.chunks is not None:
                return self.read(*([] if region is None else [region]))
            return self.read()[region or ...]
        except (ValueError, OverflowError, OSError) as error:
            raise NotAnArchive(f"cannot be read: {error}", path=self.path) from error

    def plain(self) -> Any:
        """The values of an array as they can be in an attribute: a number, a text, or lists of these."""
        values = self.values()
        return values.astype(object).tolist() if self.dtype in ("string", "bytes") else values.tolist()


Tree = Mapping[str, Item]


def in_memory(path: str, values: Values) -> Item:
    """An array whose values are there already."""
    return Item(path, "array", dtype=values.dtype.name, shape=values.shape, size=values.nbytes, read=lambda: values)


def digest_of_source(tree: Tree, digests: Mapping[str, str]) -> str:
    """The SHA-256 of the canonical JSON of all nodes, each array with the digest of its values."""
    nodes = {
        path: {
            "kind": item.kind,
            "dtype": item.dtype,
            "shape": list(item.shape),
            "attributes": dict(item.attributes),
            "sha256": digests.get(path),
        }
        for path, item in tree.items()
    }
    return hashlib.sha256(canonical(nodes)).hexdigest()
