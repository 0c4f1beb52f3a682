"""What the record of a migration says of the layout that an archive was made of. It is data of an untrusted archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vizschema.description import ITEM_BYTES
from vizschema.migration.proof import RECORD
from vizschema.sources.item import Tree

_DTYPES = frozenset({*ITEM_BYTES, "string"})


@dataclass(frozen=True, slots=True)
class Past:
    """What an archive was before its migration by the same mapping; empty where it is not the result of one.

    Attributes:
        arrays: The path in the layout of each array, by its path in the archive.
        sha256: The digest of the values there, by the path in the archive.
        source: Shape and dtype of the arrays of the layout, by path.
        answers: The answers by key.
        losses: What the migration lost.
    """

    arrays: Mapping[str, str] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, tuple[Sequence[int | None] | None, str | None]] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    losses: Sequence[dict[str, str]] = ()
    known: bool = False

    def of(self, path: str) -> tuple[Sequence[int | None] | None, str | None]:
        """Shape and dtype of an array of the layout, each None where it is not known."""
        return self.source.get(path, (None, None))

    def __bool__(self) -> bool:
        return self.known


def past(tree: Tree, mapping: str) -> Past:
    """What the record in an archive says, if it is of a migration by `mapping`; anything malformed is left out."""
    node = tree.get(RECORD)
    if node is None or node.attributes.get("mapping") != mapping:
        return Past()
    record = node.attributes
    arrays = {place: each for place, each in _table(record, "arrays") if isinstance(each, Mapping)}
    source = {path: _shape_and_dtype(each) for path, each in _table(record, "source") if isinstance(each, Mapping)}
    losses = record.get("losses", [])
    return Past(
        {place: each["from"] for place, each in arrays.items() if isinstance(each.get("from"), str)},
        {place: each["sha256"] for place, each in arrays.items() if isinstance(each.get("sha256"), str)},
        source,
        {
            key: each["value"]
            for key, each in _table(record, "answers")
            if isinstance(each, Mapping) and "value" in each
        },
        [
            {"what": str(each["what"]), "why": str(each["why"])}
            for each in (losses if isinstance(losses, list) else [])
            if isinstance(each, Mapping) and each.keys() >= {"what", "why"}
        ],
        known=True,
    )


def _table(record: Mapping[str, Any], name: str) -> Sequence[tuple[str, Any]]:
    found = record.get(name)
    return list(found.items()) if isinstance(found, Mapping) else []


def _shape_and_dtype(entry: Mapping[str, Any]) -> tuple[Sequence[int | None] | None, str | None]:
    shape, dtype = entry.get("shape"), entry.get("dtype")
    is_shape = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    return (shape if is_shape else None), (dtype if dtype in _DTYPES else None)
