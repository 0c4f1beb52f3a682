"""Whether rows are what they claim: one array a path, known groups, dtypes that exist, partners that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vizschema.errors import SpecError
from vizschema.rules.tables.axes import is_near, name_of, names_in
from vizschema.rules.tables.paths import above, example, is_fixed, overlap, shown
from vizschema.rules.tables.relations import RELATIONS, Relation
from vizschema.rules.tables.table import Node, Table
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.text import suggestion

RESERVED = ("extra", "metadata")
"""Groups at the top of which a profile has no say."""


def check(table: Table, words: Vocabulary) -> None:
    """Raise `SpecError` for a row that cannot be what it says, with what may have been meant."""
    nodes = table.all_nodes()
    _distinct(nodes)
    for node in table.nodes:
        _path(node, words)
        _dtype(node, words)
        _scopes(node)
        _view(node, table)
        for column, value in node.row.columns.items():
            if column in RELATIONS:
                _relation(node, column, value, nodes, words)


def _distinct(nodes: Sequence[Node]) -> None:
    groups = {group: node for node in nodes for group in above(node.steps)}
    lengths: dict[int, list[Node]] = {}
    for node in nodes:
        same = lengths.setdefault(len(node.steps), [])
        for other in same:
            if overlap(node.steps, other.steps):
                raise SpecError(
                    f"{shown(node.steps)} is also a node of {other.row.path}", path=node.row.path, fix="list it once"
                )
        same.append(node)
        for group, inner in groups.items():
            if overlap(group, node.steps):
                raise SpecError(f"an array holds no other node, and {inner.row.path} lies below it", path=node.row.path)


def _path(node: Node, words: Vocabulary) -> None:
    top, place = node.steps[0], node.row.path
    if top in RESERVED:
        raise SpecError(f"a profile says nothing of /{top}", path=place)
    if len(node.steps) > 1:
        _known(place, "group", top, words.groups)


def _known(place: str, what: str, name: str, known: Iterable[str]) -> None:
    """Raise `SpecError` where `name` is not among `known`, and one letter from one of them."""
    near = [each for each in known if is_near(name, each)]
    if near and name not in known:
        raise SpecError(f"{what} {name!r}; did you mean {near[0]}?", path=place)


def _dtype(node: Node, words: Vocabulary) -> None:
    place, text = f"{node.row.path}: dtype", node.row.columns["dtype"]
    known = [*words.classes, *words.portable]
    listed = text.split()
    for word in listed:
        if word not in known:
            raise SpecError(f"{word!r} is not a dtype{suggestion(word, known) or f': expected {known}'}", path=place)
    if len(words.dtypes_of(text)) < sum(len(words.dtypes_of(word)) for word in listed):
        raise SpecError("a dtype is listed twice", path=place)
    if text == "coordinates" and not words.coordinates.search(example(node.steps)):
        raise SpecError(
            "coordinates is for what trace calls coordinates (`/outputs/coordinates`)",
            path=place,
            fix="write float32 float64",
        )


def _scopes(node: Node) -> None:
    """Raise `SpecError` where a scope is of no axis of the row, or its label at no group above it."""
    place, names = f"{node.row.path}: scopes", names_in([node])
    steps = node.row.path[1:].split("/")
    places = ["/" + "/".join(steps[:length]) for length in range(1, len(steps) + 1)]
    for axis, path in node.row.columns.get("scopes", {}).items():
        if axis not in names:
            raise SpecError(f"the row has no axis {axis!r}{suggestion(axis, names)}", path=place)
        if path not in places:
            hint = suggestion(path, places) or f": expected one of {', '.join(places)}"
            raise SpecError(f"{path} is neither the row nor a group above it{hint}", path=place)


VIEWS: Mapping[str, tuple[str, Callable[[Sequence[str], Mapping[str, int]], bool]]] = {
    "image": ("two axes or more", lambda names, _: len(names) > 1),
    "square": ("one axis twice, with two roles", lambda names, _: len(set(names)) < len(names)),
    "curve": ("an axis", lambda names, _: bool(names)),
    "points": (
        "an axis of size 2 or 3 by `sizes`",
        lambda names, sizes: any(sizes.get(each) in (2, 3) for each in names),
    ),
}
"""How an array may be drawn: what its axes have to be, in words and as a check of their names."""


def _view(node: Node, table: Table) -> None:
    """Raise `SpecError` where the axes of a row cannot be drawn as its view says."""
    view = node.row.columns.get("view")
    if view is None:
        return
    expected, fits = VIEWS[view]
    for axes in node.axes:
        if not fits([name_of(axis) for axis in axes], table.all_sizes()):
            raise SpecError(path=f"{node.row.path}: view", expected=f"{expected} for {view}", found=_shown([axes]))


def _relation(node: Node, column: str, value: Any, nodes: Sequence[Node], words: Vocabulary) -> None:
    relation, place = RELATIONS[column], f"{node.row.path}: {column}"
    allowed = words.classes[relation.dtypes] if relation.dtypes else _ordered(words)
    wrong = [dtype for dtype in words.dtypes_of(node.row.columns["dtype"]) if dtype not in allowed]
    if wrong:
        raise SpecError(path=place, expected=f"a dtype among {', '.join(allowed)}", found=wrong[0])
    if relation.flaw(value):
        raise SpecError(f"{relation.flaw(value)}", path=place)
    if relation.axis is not None:
        names = names_in(nodes)
        if relation.axis(value) not in names:
            axis = relation.axis(value)
            raise SpecError(f"no node of the table has the axis {axis!r}{suggestion(axis, names)}", path=place)
    if relation.partner is not None:
        _partner(node, place, relation, value, nodes)


def _ordered(words: Vocabulary) -> list[str]:
    return [dtype for dtype in words.portable if not dtype.startswith("complex")]


def _partner(node: Node, place: str, relation: Relation, value: Any, nodes: Sequence[Node]) -> None:
    partner = relation.partner
    if partner is None:
        return
    path = partner.path(value)
    fixed: Mapping[str, Node] = {shown(each.steps): each for each in nodes if is_fixed(each.steps)}
    if path not in fixed or fixed[path] is node:
        others = [each for each in fixed if fixed[each] is not node]
        raise SpecError(f"{path} is not one node of the table{suggestion(path, others)}", path=place)
    if not is_fixed(node.steps):
        raise SpecError("a series has no one partner", path=place)
    own, other = node.axes, fixed[path].axes
    if not all(any(partner.fits(axes, each) for each in other) for axes in own):
        raise SpecError(path=place, expected=f"that {path} has {partner.expected}", found=_shown(other))


def _shown(alternatives: Sequence[Sequence[str]]) -> str:
    return " or ".join(" ".join(axes) or "no axes" for axes in alternatives)
