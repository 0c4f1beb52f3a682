"""Fixes of names: of nodes, of numbered series, of attributes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from vizschema.description import join, parent_of
from vizschema.findings import Finding
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.fixes.proposal import Context, Proposal, attribute_of, members_of, snake, tokens_of

LEAST_DIGITS = 2


def index_width(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Rename the members of a series to numbers of one width."""
    _, key, *_ = tokens_of(finding)
    series = context.description["series"][key]
    parent, stem = parent_of(key), series["stem"]
    indices: list[int] = series["indices"]
    if len(set(indices)) < len(indices):
        return
    width = max(LEAST_DIGITS, *(len(str(index)) for index in indices), *series["digits"][1:])
    moves = {}
    for path, number in members_of(context, parent).get(stem, ()):
        to = join(parent, f"{stem}_{int(number):0{width}}")
        if to != path:
            moves[path] = to
    if not moves or any(to in context.nodes for to in moves.values()):
        return
    first = next(iter(moves))
    more = f" and {len(moves) - 1} more" if len(moves) > 1 else ""
    words = f"renamed {first} to {moves[first]}{more}: numbers of {width} digits"
    yield Proposal(key, parent, words, lambda draft: draft.rename(moves))


def node_name(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Rename a node to lower_snake_case."""
    yield from _renamed(context, finding.path, snake(finding.path.rpartition("/")[2]))


def composed_names(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Rename the members of a group to Unicode normal form C."""
    for name in context.nodes.get(finding.path, {}).get("ambiguous", ()):
        composed = unicodedata.normalize("NFC", name)
        yield from _renamed(context, join(finding.path, name), composed if composed != name else None)


def _renamed(context: Context, path: str, name: str | None) -> Iterator[Proposal]:
    if name is None or path not in context.nodes or path == "/":
        return
    to = join(parent_of(path), name)
    if to not in context.nodes:
        yield Proposal(path, path, f"renamed to {to}", lambda draft: draft.rename({path: to}))


def attribute_name(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Rename an attribute to lower_snake_case."""
    place = attribute_of(finding)
    if place is None:
        return
    path, name = place
    attributes = context.nodes[path]["attributes"]
    to = snake(name)
    if to is None or to in attributes or name not in attributes:
        return

    def apply(draft: Draft) -> None:
        draft.set(path, to, attributes[name])
        draft.unset(path, name)

    yield Proposal(f"{path}@{name}", path, f"renamed the attribute {name} to {to}", apply)
