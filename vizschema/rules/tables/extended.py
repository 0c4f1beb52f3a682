"""A table that builds on another one: rows and rules are added, what it states again is tighter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from vizschema.errors import SpecError
from vizschema.rules.tables.judges import CLOSED
from vizschema.rules.tables.table import Node, Row, Rule, Table


def extended(above: Table, own: Table, *, is_named: bool) -> Table:
    """`own` with the rows, rules, parts, sets and sizes of `above`; it says what is traced where it `is_named`.

    Raises `SpecError` for a rule, a set or a size that both state.
    """
    if above.is_part or own.is_part:
        raise SpecError("extends", path=own.path, expected="the table of a profile", found="a part")
    before = {node.steps: node for node in above.nodes}
    after = {node.steps: _at_home(node, before[node.steps]) for node in own.nodes if node.steps in before}
    ids = {rule.id for rule in above.rules}
    for rule in own.rules:
        if rule.id in ids:
            raise SpecError(f"rule {rule.id} is one of {above.name}", path=own.path, fix="give it another id")
    return replace(
        own,
        of=own.of if is_named else above.of,
        recognized_by=own.recognized_by or above.recognized_by,
        sizes=_together("sizes", above.sizes, own.sizes, own),
        nodes=(*({**before, **after}.values()), *(node for node in own.nodes if node.steps not in before)),
        rules=(*_kept(above, {node.row.path for node in after.values()}), *own.rules),
        parts=tuple({part.table.base: part for part in (*above.parts, *own.parts)}.values()),
        also={level: [*rules, *own.also[level]] for level, rules in above.also.items()},
        tightened=(*above.tightened, *((before[steps], node) for steps, node in after.items())),
    )


def _at_home(node: Node, before: Node) -> Node:
    """A node that is stated again, with the rules of the row that it was in."""
    return replace(node, row=Row(node.row.path, node.row.columns, before.row.home))


def _kept(above: Table, again: Iterable[str]) -> Iterable[Rule]:
    """The rules of a table that is built on, but for its closed world; `again` are rows that the other one states."""
    among = {*(node.row.path for node in above.nodes), *above.sizes}
    for rule in above.rules:
        judges = {column: selectors for column, selectors in rule.judges.items() if column != CLOSED}
        if judges:
            yield replace(rule, judges=judges, among=frozenset({*(rule.among or among), *again}))


def _together(what: str, above: Mapping[str, Any], own: Mapping[str, Any], table: Table) -> dict[str, Any]:
    for name in above.keys() & own.keys():
        if above[name] != own[name]:
            raise SpecError(f"{what}: {name} is {above[name]} in the table that is built on", path=table.path)
    return {**above, **own}
