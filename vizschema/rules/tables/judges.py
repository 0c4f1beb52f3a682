"""Which rule judges which check: a check is a column of a row (or of the table), and has exactly one rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vizschema.errors import SpecError
from vizschema.rules.tables.relations import RELATIONS
from vizschema.rules.tables.table import Node, Row, Rule, Table
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.text import suggestion

MEASURED, SIZE, CLOSED = "measured", "size", "closed"
ROOT = "/"

DEFAULTS: Mapping[str, str] = {
    "axes": "axes",
    "dtype": "dtypes",
    "need": "nodes",
    "scopes": "scopes",
    **dict.fromkeys(RELATIONS, "values"),
    MEASURED: "facts-measured",
    SIZE: "sizes",
    CLOSED: "known-nodes",
}
"""The end of the id of the rule that judges a column where the table names none."""

RECOMMENDED = "recommended"


@dataclass(frozen=True, slots=True)
class Check:
    """`column` of the row at `target` (of the table: an axis, or the root), and the nodes that the row stands for."""

    column: str
    target: str
    nodes: tuple[Node, ...] = ()

    @property
    def is_recommended(self) -> bool:
        """Whether a breach is a warning, as the row has it."""
        return self.column == "need" and self.nodes[0].row.need == RECOMMENDED


@dataclass(frozen=True, slots=True)
class Judge:
    """A rule with its level, and the checks that it judges."""

    rule: Rule
    level: str
    checks: tuple[Check, ...]

    def of(self, *columns: str) -> Iterator[Check]:
        """The checks of these columns."""
        return (check for check in self.checks if check.column in columns)


def judges_of(table: Table, words: Vocabulary) -> list[Judge]:
    """The rules of `table`, its own first; raises `SpecError` for a check with two, and for a selector of none."""
    checks = list(_checks(table, words))
    found: dict[str, list[Check]] = {rule.id: [] for rule in table.rules}
    taken: dict[tuple[str, str], str] = {}
    for rule in table.rules:
        for check in _selected(table, rule, checks):
            key = (check.column, check.target)
            if taken.setdefault(key, rule.id) != rule.id:
                both = f"{taken[key]} and {rule.id}"
                raise SpecError(f"{check.column} of {check.target}", path=table.path, expected="one rule", found=both)
            if check not in found[rule.id]:
                found[rule.id].append(check)
    rules = {rule.id: rule for rule in table.rules}
    for check in checks:
        if (check.column, check.target) not in taken:
            end = RECOMMENDED if check.is_recommended else DEFAULTS[check.column]
            home = check.nodes[0].row.home if check.nodes else table.name
            name = f"{home.replace('_', '-')}-{end}"
            if name in rules and check.column in rules[name].judges:
                listed = " ".join(rules[name].judges[check.column])
                raise SpecError(
                    f"rule {name}: judges {check.column} of {listed}, and not of {check.target}", path=table.path
                )
            rules.setdefault(name, Rule(name, {}))
            found.setdefault(name, []).append(check)
    judging = [rule for rule in rules.values() if found[rule.id]]
    return [Judge(rule, _level(table, rule, found[rule.id]), tuple(found[rule.id])) for rule in judging]


def _checks(table: Table, words: Vocabulary) -> Iterator[Check]:
    rows: dict[str, list[Node]] = {}
    for node in table.nodes:
        rows.setdefault(node.row.path, []).append(node)
    for path, nodes in rows.items():
        yield from (Check(column, path, tuple(nodes)) for column in _columns(nodes[0].row, words))
    yield from (Check(SIZE, axis) for axis in table.sizes)
    if not table.is_part:
        yield Check(CLOSED, ROOT)


def _columns(row: Row, words: Vocabulary) -> Iterator[str]:
    """The columns of a row that a rule of its profile judges."""
    yield "axes"
    if row.columns["dtype"] not in words.classes:
        yield "dtype"
    if row.need != "no":
        yield "need"
    if "scopes" in row.columns:
        yield "scopes"
    relations = [column for column in RELATIONS if column in row.columns]
    yield from relations
    if any(RELATIONS[column].fact for column in relations):
        yield MEASURED


def _selected(table: Table, rule: Rule, checks: Sequence[Check]) -> Iterator[Check]:
    for column, selectors in rule.judges.items():
        targets = [check.target for check in checks if check.column == column]
        for selector in selectors:
            matching = [check for check in checks if check.column == column and _matches(selector, check.target)]
            matching = [check for check in matching if rule.among is None or check.target in rule.among]
            if not matching and rule.among is None:
                known = suggestion(selector, targets) or f": {', '.join(targets) or 'none has one'}"
                raise SpecError(f"rule {rule.id}: {selector} selects no {column} of the table{known}", path=table.path)
            yield from matching


def _matches(selector: str, target: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, selector.split("*"))), target) is not None


def _level(table: Table, rule: Rule, checks: Sequence[Check]) -> str:
    """The level of a rule: should where it says so, or where what it judges is recommended."""
    needs = {check.is_recommended for check in checks if check.column == "need"}
    recommended = needs == {True}
    if len(needs) == 2 or (recommended and rule.level == "must") or (needs == {False} and rule.level == "should"):
        raise SpecError(
            f"rule {rule.id}: a row that is needed is judged by a rule of level must, one that is "
            "recommended by a rule of level should",
            path=table.path,
        )
    return rule.level or ("should" if recommended else "must")
