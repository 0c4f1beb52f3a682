"""Two tables compared, row by row and column by column: what changed, and the step that it makes to archives.

Where an archive may stop conforming the step is major, where a rule changes otherwise minor, of words a patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vizschema.errors import SpecError
from vizschema.rules.tables.judges import Judge, judges_of
from vizschema.rules.tables.paths import shown
from vizschema.rules.tables.relations import RELATIONS
from vizschema.rules.tables.table import Node, Table
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.rules.tables.words import texts_of

NEEDS = ("no", "recommended", "together", "some unless declared", "some", "unless declared", "yes")
"""Needs, the loosest first."""


class Difference(NamedTuple):
    """One difference: `kind` (added, dropped, tightened, loosened, reworded) of the rule `subject`, and its step."""

    kind: str
    subject: str
    detail: str
    step: str


@dataclass(frozen=True, eq=False)
class Ruled:
    """A table with its rules: the rule of each (column, path of a node, axis or the root), and each rule by its id."""

    table: Table
    words: Vocabulary
    nodes: Mapping[str, Node]
    rule_of: Mapping[tuple[str, str], str]
    judges: Mapping[str, Judge]


def ruled(table: Table, words: Vocabulary) -> Ruled:
    """The rules of `table` by what they judge."""
    judges = judges_of(table, words)
    rule_of = {
        (check.column, place): judge.rule.id
        for judge in judges
        for check in judge.checks
        for place in ([shown(node.steps) for node in check.nodes] or [check.target])
    }
    nodes = {shown(node.steps): node for node in table.nodes}
    return Ruled(table, words, nodes, rule_of, {judge.rule.id: judge for judge in judges})


def differences(old: Ruled, new: Ruled) -> Iterator[Difference]:
    """Every difference of two tables."""
    parts = [{part.name for part in side.table.parts} for side in (old, new)]
    for name in sorted(parts[0] ^ parts[1]):
        kind = "added" if name in parts[1] else "dropped"
        yield Difference(kind, f"part {name}", "its rows and rules", "major")
    for path in sorted({*old.nodes, *new.nodes}):
        yield from _node(path, old, new)
    yield from _sizes(old, new)
    for key in sorted(old.rule_of.keys() & new.rule_of.keys()):
        if old.rule_of[key] != new.rule_of[key]:
            yield Difference(
                "dropped", old.rule_of[key], f"{' of '.join(key)} is judged by {new.rule_of[key]}", "major"
            )
    for name in sorted(old.judges.keys() & new.judges.keys()):
        yield from _rule(old, new, name)


def require_tighter(table: Table, words: Vocabulary) -> None:
    """Raise `SpecError` where a table that builds on another one states a row again, and allows more by it."""
    for before, after in table.tightened:
        for column, step in _compared(after, before, words).items():
            if step == "major":
                raise SpecError(
                    path=f"{after.row.path}: {column}",
                    expected=f"what {before.row.home} has, or less ({_cell(before, column)})",
                    found=_cell(after, column),
                )


def _cell(node: Node, column: str) -> str:
    return repr(node.row.columns.get(column, "no" if column == "need" else "none"))


def _node(path: str, old: Ruled, new: Ruled) -> Iterator[Difference]:
    closed = new.rule_of.get(("closed", "/"), new.table.name)
    if path not in old.nodes:
        need = new.nodes[path].row.need
        if need in ("yes", "together", "unless declared"):
            yield Difference("added", new.rule_of["need", path], f"{path} is needed", "major")
        else:
            yield Difference("loosened", closed, f"{path} may be there", "minor")
        return
    if path not in new.nodes:
        yield Difference("tightened", closed, f"{path} may not be there", "major")
        return
    before, after = old.nodes[path], new.nodes[path]
    for column, step in _compared(before, after, new.words).items():
        side = new if (column, path) in new.rule_of else old
        subject = side.rule_of.get((column, path), new.table.name)
        kind = "tightened" if step == "major" else "loosened"
        yield Difference(kind, subject, f"{path}: {column}", _softened(step, side, subject))
    if before.row.columns.get("view") != after.row.columns.get("view"):
        yield Difference("reworded", new.table.name, f"{path}: view", "patch")


def _softened(step: str, side: Ruled, rule: str) -> str:
    """The step of a change of a rule: of one that warns, no archive stops conforming."""
    judge = side.judges.get(rule)
    return "minor" if judge is not None and judge.level == "should" else step


def _compared(before: Node, after: Node, words: Vocabulary) -> dict[str, str]:
    """The columns in which two rows differ, each with its step."""
    found = {}
    for column, compare in _COLUMNS.items():
        step = compare(before, after, words)
        if step:
            found[column] = step
    return found


def _wider(before: Sequence[object], after: Sequence[object]) -> str:
    """The step from one set of what is allowed to another one."""
    if set(before) == set(after):
        return ""
    return "minor" if set(before) < set(after) else "major"


def _need(before: Node, after: Node, _: Vocabulary) -> str:
    first, then = (NEEDS.index(node.row.need) for node in (before, after))
    if first == then:
        return ""
    return "minor" if then < first or NEEDS[then] == "recommended" else "major"


def _relation(column: str) -> Callable[[Node, Node, Vocabulary], str]:
    def compare(before: Node, after: Node, _: Vocabulary) -> str:
        first, then = (node.row.columns.get(column) for node in (before, after))
        if first == then:
            return ""
        wider = column in ("range", "row_sum") and first is not None and then is not None and _within(first, then)
        return "minor" if then is None or wider else "major"

    return compare


def _within(inner: Sequence[Any], outer: Sequence[Any]) -> bool:
    """Whether what one range allows, another one allows too."""
    return bool(outer[0] <= inner[0] and (len(outer) == 1 or (len(inner) == 2 and inner[1] <= outer[1])))


_COLUMNS: Mapping[str, Callable[[Node, Node, Vocabulary], str]] = {
    "axes": lambda before, after, _: _wider(before.axes, after.axes),
    "dtype": lambda before, after, words: _wider(
        *(words.dtypes_of(node.row.columns["dtype"]) for node in (before, after))
    ),
    "need": _need,
    "scopes": _relation("scopes"),
    **{column: _relation(column) for column in RELATIONS},
}


def _sizes(old: Ruled, new: Ruled) -> Iterator[Difference]:
    for axis in sorted({*old.table.sizes, *new.table.sizes}):
        before, after = old.table.sizes.get(axis), new.table.sizes.get(axis)
        if before != after:
            side, kind, step = (old, "loosened", "minor") if after is None else (new, "tightened", "major")
            yield Difference(kind, side.rule_of["size", axis], f"the size of {axis}", step)


def _rule(old: Ruled, new: Ruled, name: str) -> Iterator[Difference]:
    before, after = old.judges[name], new.judges[name]
    if before.level != after.level:
        raised = after.level == "must"
        words = "warning → error" if raised else "error → warning"
        yield Difference("tightened" if raised else "loosened", name, words, "major" if raised else "minor")
    if texts_of(before, old.table) != texts_of(after, new.table):
        yield Difference("reworded", name, "title or description", "patch")
