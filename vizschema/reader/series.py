"""Numbered arrays of a group as one selection: which of them, by their numbers, and that they are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vizschema.description import NUMBERED, join
from vizschema.errors import UsageError
from vizschema.reader.arrays import Selection, Stored
from vizschema.text import escape_text, shorten

_ALIKE = ("dtype", "shape", "axes")


@dataclass(frozen=True, slots=True)
class Series:
    """Members of a series: their numbers and paths; `alone` if one number was asked for, not a list."""

    stem: str
    numbers: Sequence[int]
    members: Sequence[str]
    alone: bool

    def selected(self, path: str, arrays: Sequence[Stored], by_name: Mapping[str, Any]) -> Selection:
        """Return the arrays of the members as one selection, without the rest of `by_name`.

        Raises `UsageError` if they are not alike, or a name is not that of an axis.
        """
        first = arrays[0]
        for other in arrays[1:]:
            for part in _ALIKE:
                if other.node[part] != first.node[part]:
                    expected = f"the {part} {first.node[part]} of {first.path}"
                    raise UsageError(path=other.path, expected=expected, found=f"{other.node[part]}")
        whole = Selection(path, arrays, [range(size) for size in first.shape], self.stem, self.numbers)
        positions = {name: index for name, index in by_name.items() if name != self.stem}
        return whole.isel({self.stem: 0} if self.alone else {}, **positions)


def series_of(path: str, names: Sequence[str], by_name: Mapping[str, Any]) -> Series:
    """Return the members that `by_name` asks for of a series of the group at `path`, whose members have these `names`.

    Raises `UsageError`.
    """
    families: dict[str, dict[int, str]] = {}
    for name in names:
        match = NUMBERED.fullmatch(name)
        if match:
            families.setdefault(match[1], {}).setdefault(int(match[2]), join(path, name))
    named = [stem for stem in families if stem in by_name] or list(families)
    if len(named) != 1:
        known = ", ".join(families) or "none"
        raise UsageError(
            path=path,
            expected="a group with one numbered series, or the stem of one as a keyword",
            found=escape_text(shorten(f"the series {known}")),
        )
    stem = named[0]
    wanted = by_name.get(stem, slice(None))
    numbers = _numbers(path, stem, sorted(families[stem]), wanted)
    alone = isinstance(wanted, int | np.integer)
    return Series(stem, numbers, [families[stem][number] for number in numbers], alone)


def _numbers(path: str, stem: str, known: Sequence[int], wanted: Any) -> list[int]:
    """The numbers of members that are asked for, all of which are `known`; those of a slice that are."""
    if isinstance(wanted, slice):
        span = range(known[-1] + 1)[wanted]
        found = [number for number in known if number in span]
        found = found if span.step > 0 else found[::-1]
    else:
        listed = [wanted] if isinstance(wanted, int | np.integer) else wanted
        if not isinstance(listed, Sequence | range | np.ndarray) or isinstance(listed, str):
            raise UsageError(path=path, expected=f"numbers of {stem}", found=repr(wanted))
        if any(isinstance(each, bool) or not isinstance(each, int | np.integer) for each in listed):
            raise UsageError(path=path, expected=f"whole numbers of {stem}", found=repr(wanted))
        found = [int(each) for each in listed]
    missing = sorted(set(found) - set(known))
    if missing or not found:
        have = f"{stem} {known[0]} to {known[-1]} ({len(known)})"
        raise UsageError(path=path, expected=f"numbers among {have}", found=f"{missing[:8] if missing else 'none'}")
    return found
