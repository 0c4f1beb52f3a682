"""The differences of numbered arrays by their numbers: of every series in which any differs. Sees no value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vizschema.description import NUMBERED
from vizschema.difference.structure import natural


def series_of(paths: Iterable[str], values: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the series among the `paths` that were compared of which an array is among `values`, those that differ.

    Each has the `series` (`/activations/layer_*`), and by member its `numbers`, the `largest` and the `mean`
    distances: 0 of an equal one, None where the values have no distance.
    """
    found = {each["path"]: each for each in values}
    members: dict[str, dict[int, str]] = {}
    for path in paths:
        named = _numbered(path)
        if named is not None:
            members.setdefault(named[0], {})[named[1]] = path
    for name in sorted(members, key=natural):
        numbers = sorted(members[name])
        rows = [found.get(members[name][number]) for number in numbers]
        if len(numbers) > 1 and any(rows):
            parts = {part: [0.0 if row is None else row[part] for row in rows] for part in ("largest", "mean")}
            yield {"series": name, "numbers": numbers, **parts}


def _numbered(path: str) -> tuple[str, int] | None:
    """The series that an array is of, by the last step of its path with a number, and its number there."""
    steps = path.split("/")
    for at in reversed(range(len(steps))):
        match = NUMBERED.fullmatch(steps[at])
        if match:
            return "/".join([*steps[:at], f"{match[1]}_*", *steps[at + 1 :]]), int(match[2])
    return None
