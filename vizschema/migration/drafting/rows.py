"""What each series of a source becomes: its group and name in the result, its layout, its attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vizschema.migration.drafting.hints import hints, plain
from vizschema.migration.drafting.layout import MAX_MEASURED, Layout, Said, Sizes, layout, measured, place_of
from vizschema.migration.drafting.series import Family
from vizschema.sources.item import Item

FLOATS = re.compile(r"b?float(16|32|64)", re.ASCII)


@dataclass(slots=True)
class Row:
    """A family, what it becomes, and how it is laid out."""

    family: Family
    name: str
    group: str
    layout: Layout
    place: Mapping[str, Any] | None = None
    embedding: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name in the keys of questions."""
        return plain(re.sub(r"[{}]", "", self.name)) or self.group[1:]

    @property
    def to(self) -> str:
        """The template of the path of the result."""
        base = f"{self.group}/{self.name}" if self.name else self.group
        if self.family.main is None:
            return base
        shift = min(self.family.numbers())
        return f"{base}/{self.family.stem}_{{i{-1 if shift == 1 else ''}:n}}"


def rows_of(families: Sequence[Family], limit: int, said: Sequence[Said]) -> tuple[list[Row], Sizes]:
    """What the first `limit` families become, and the sizes that recur."""
    sizes, keys = measured(families, said)
    common = _common([item.path for family in families for item in family.members.values()])
    rows: list[Row] = []
    named = {family.first.path: keys.get(place, ()) for place, family in enumerate(families)}
    for family in families[:limit]:
        rows.append(_row(family, named, sizes, common, rows))
    _distinct_sizes(rows, sizes)
    _embeddings(rows)
    return rows, sizes


def _layout(family: Family, name: str, keys: Mapping[str, Sequence[int]], sizes: Sizes) -> Layout:
    """The layout of a family; where its rows do not tell, that of the clearest one that differs in one size only."""
    clearest = family.clearest or family
    found = layout(family, name, keys[family.first.path], _within(family, sizes))
    if clearest is family or keys[family.first.path] or keys[clearest.first.path]:
        return found
    other = layout(clearest, name, (), _within(clearest, sizes))
    if other.readings != found.readings:
        other.doubts.append(f"the axes are those of {clearest.first.path}, whose sizes tell more")
        return other
    return found


def _within(family: Family, sizes: Sizes) -> Sizes:
    return replace(sizes, sequence=family.sequence) if family.scope else sizes


def _row(family: Family, keys: Mapping[str, Sequence[int]], sizes: Sizes, common: int, before: Iterable[Row]) -> Row:
    """What a family becomes, under a name that no other one has; `keys` are those of each family, by its first path."""
    name = family.name(common)
    whole = plain(re.sub(r"[{}]", "_", family.name(0)))
    found = _layout(family, plain(re.sub(r"[{}]", "_", name)) or whole, keys, sizes)
    place = None if found.is_weights else place_of(whole, family.first.shape)
    group = _group(family, found, place)
    for word in sorted(hints()["weights"]["words"] if found.is_weights else [group[1:]], key=len, reverse=True):
        name = f"_{name}_".replace(f"_{word}_", "_").strip("_")
    if found.is_weights and not name:
        name = hints()["weights"]["unnamed"]
    if not name and family.main is None:
        name = plain(family.first.path.rpartition("/")[2]) or "values"
    if name[:1].isdigit() or name[:1] == "{":
        name = f"x_{name}"
    row = Row(family, name, group, found, place)
    if found.is_weights:
        row.attributes = {
            **hints()["weights"]["attributes"],
            **({} if keys[family.first.path] else _masked(family.first)),
        }
    if family.scope and any(axis.partition(":")[0] == sizes.axis for axis in found.readings[0]):
        row.attributes[f"scope_{sizes.axis}"] = family.scope
    number = 2
    while any(_clash(row.to, other.to) for other in before):
        row.name = f"{name or 'series'}_{'abcdefghijklmnopqrstuvwxyz'[number % 26]}{'' if number < 26 else number}"
        number += 1
    return row


def _masked(item: Item) -> dict[str, str]:
    """The attribute of scores that are minus infinity where they are masked."""
    values = item.values().astype(np.float64) if item.size <= MAX_MEASURED else np.zeros(1)
    return {"masked_value": "-inf"} if np.isneginf(values).any() else {}


def _clash(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _group(family: Family, found: Layout, place: Mapping[str, Any] | None) -> str:
    """The group of the result: that of weights, one that the source has too, or by the name and the dtype."""
    item = family.first
    is_float = bool(FLOATS.fullmatch(item.dtype) and item.shape)
    if found.is_weights:
        return str(hints()["weights"]["group"])
    if 0 in item.shape:
        return "/extra"
    if family.main is not None and is_float:
        place = None
    for step in item.path.lower().split("/")[1:-1]:
        if step in ("inputs", "outputs") or (step == "activations" and is_float):
            return f"/{step}"
    if place is not None:
        return str(place["group"])
    return "/activations" if is_float else "/extra"


def _distinct_sizes(rows: Sequence[Row], sizes: Sizes) -> None:
    """Give an axis another name where it would have a second size."""
    known = {(sizes.axis, ""): sizes.sequence} if sizes.sequence else {}
    for row in rows:
        shape = row.family.first.shape
        renamed = {}
        for number, axis in enumerate(row.layout.readings[0]):
            name = axis.partition(":")[0]
            scope = row.family.scope if name == sizes.axis else ""
            if known.setdefault((name, scope), shape[number]) != shape[number] and name not in renamed:
                renamed[name] = f"{row.key}_{name}"
                known[renamed[name], ""] = shape[number]

        def fresh(axis: str, renamed: Mapping[str, str] = renamed) -> str:
            name, colon, role = axis.partition(":")
            return renamed.get(name, name) + colon + role

        row.layout.readings = [[fresh(axis) for axis in reading] for reading in row.layout.readings]
        row.layout.order = None if row.layout.order is None else [fresh(axis) for axis in row.layout.order]


def _embeddings(rows: Sequence[Row]) -> None:
    """Note the series that have one member more than one of weights."""
    counts = {len(row.family.numbers()): row for row in rows if row.layout.is_weights and row.family.main is not None}
    for row in rows:
        numbers = row.family.numbers()
        weights = counts.get(len(numbers) - 1)
        is_one = len(numbers) == len(row.family.members) and numbers[:1] == [0] and row.group == "/activations"
        if weights is not None and is_one and not row.layout.is_weights:
            row.embedding = f"{len(numbers)} beside the {len(numbers) - 1} of {weights.family.first.path}"


def _common(paths: Sequence[str]) -> int:
    """How many steps all paths begin with, the last step apart."""
    steps = [path.split("/")[1:-1] for path in paths]
    return next(
        (n for n, each in enumerate(zip(*steps, strict=False)) if len(set(each)) > 1), min(map(len, steps), default=0)
    )
