"""Axes of rows: what the text of a column says, and whether the names are those of the specification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from vizschema.errors import SpecError
from vizschema.rules.tables.table import OWN, Node, Row
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.text import suggestion

_SHORTEST = 4
"""Letters of the shortest name of an axis that may be a slip for another one: `row` and `raw` are two axes."""

MAX_AXES = 500
"""Most names of axes of a table: each is compared with every other one, and may be a coordinate in every group."""


def axes_of(row: Row, chosen: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The alternatives of the axes of a row where the sets of its path are `chosen`."""
    return tuple(tuple(_filled(row, term, chosen) for term in text.split()) for text in row.axes)


def _filled(row: Row, term: str, chosen: Mapping[str, str]) -> str:
    for name in re.findall("{([^{}]*)}", term):
        if name not in chosen:
            raise SpecError(f"axes: the path chooses no set {name!r}{suggestion(name, chosen)}", path=row.path)
        term = term.replace(f"{{{name}}}", chosen[name])
    return term


def name_of(axis: str) -> str:
    """The name of an axis without its role."""
    return axis.partition(":")[0]


def names_in(nodes: Iterable[Node]) -> list[str]:
    """Every name of an axis in `nodes`, once, without roles."""
    axes = (axis for node in nodes for alternative in node.axes for axis in alternative if axis != OWN)
    return list(dict.fromkeys(map(name_of, axes)))


def check(nodes: Sequence[Node], sizes: Mapping[str, int], words: Vocabulary) -> None:
    """Raise `SpecError` where an axis of `nodes` has no good name, or a name that looks like a slip for another."""
    for node in nodes:
        for alternative in node.axes:
            _alternative(node, alternative, words)
        if len(set(node.axes)) < len(node.axes):
            raise SpecError("axes: an alternative is listed twice", path=node.row.path)
    names = names_in(nodes)
    if len(names) > MAX_AXES:
        raise SpecError(f"axes: exceeds the limit of {MAX_AXES} names of axes, found {len(names)}")
    for axis in sizes:
        if axis not in names:
            raise SpecError(f"sizes: no node of the table has the axis {axis!r}{suggestion(axis, names)}")
    for place, name in enumerate(names):
        for other in names[:place]:
            if is_slip(name, other):
                raise SpecError(f"axes: {name!r} and {other!r} are one letter apart; write one name for one axis")


def _alternative(node: Node, axes: Sequence[str], words: Vocabulary) -> None:
    place = f"{node.row.path}: axes"
    for number, axis in enumerate(axes):
        if axis == OWN and number == len(axes) - 1:
            continue
        if not re.search(words.axis_name, axis):
            raise SpecError(
                path=place, expected="names like `token` or `token:query`, and `...` at the end", found=repr(axis)
            )
        if words.axis_terms.search(name_of(axis)):
            raise SpecError(
                f"{name_of(axis)!r} is not the specification's name of an axis (rule axis-term)", path=place
            )
    if len(set(axes)) < len(axes):
        raise SpecError("a name is there twice; tell them apart by roles, like `token:query token:key`", path=place)


def is_slip(name: str, other: str) -> bool:
    """Whether two names are one letter apart, digits aside."""
    bare, against = (re.sub("[0-9]", "", each) for each in (name, other))
    if bare == against:
        return False
    return (
        f"{bare}s" == against
        or f"{against}s" == bare
        or (min(len(bare), len(against)) >= _SHORTEST and is_near(bare, against))
    )


def is_near(name: str, other: str) -> bool:
    """Whether one letter changed, added, left out, or swapped with its neighbour, makes one name the other."""
    if len(name) == len(other):
        differing = [place for place in range(len(name)) if name[place] != other[place]]
        swapped = len(differing) == 2 and differing[1] == differing[0] + 1
        first, last = differing[:1], differing[-1:]
        return len(differing) == 1 or (
            swapped and name[first[0]] == other[last[0]] and name[last[0]] == other[first[0]]
        )
    short, long = sorted((name, other), key=len)
    return len(long) == len(short) + 1 and any(long[:cut] + long[cut + 1 :] == short for cut in range(len(long)))
