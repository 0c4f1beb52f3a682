"""The texts of a rule that a table does not give: its clause spelt out from the rows, the reason, and how to fix it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from vizschema.rules.tables.judges import CLOSED, MEASURED, SIZE, Check, Judge
from vizschema.rules.tables.relations import RELATIONS
from vizschema.rules.tables.table import OWN, Row, Table

Texts = tuple[str, str, str]
"""Title, reason and fix."""


def texts_of(judge: Judge, table: Table) -> Texts:
    """The texts of a rule: those that the table gives, and those that follow from what the rule judges."""
    columns = dict.fromkeys(_group(check.column) for check in judge.checks)
    clauses = [_CLAUSES[column](list(_of(judge, column)), table) for column in columns]
    reason, fix = _REASONS[next(iter(columns))]
    rule = judge.rule
    return rule.title or " ".join(clauses), rule.why or reason, rule.fix or fix


def _group(column: str) -> str:
    return "values" if column in RELATIONS else column


def _of(judge: Judge, group: str) -> Iterator[Check]:
    return (check for check in judge.checks if _group(check.column) == group)


def _rows(checks: Sequence[Check]) -> list[Row]:
    return [check.nodes[0].row for check in checks]


def _sentence(phrases: Sequence[str]) -> str:
    text = "; ".join(phrases)
    return f"{text}."


def _listed(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def named_axes(text: str) -> str:
    """The axes of one alternative as words."""
    terms = text.split()
    if not terms:
        return "no axes"
    own = ["one axis or more of its own"] if terms[-1] == OWN else []
    listed = [*(term for term in terms if term != OWN), *own]
    return f"the {'axis' if len(listed) == 1 else 'axes'} {', '.join(listed)}"


def _axes(checks: Sequence[Check], _: Table) -> str:
    rows = _rows(checks)
    return _sentence([f"`{row.path}` has {_listed([named_axes(each) for each in row.axes], 'or')}" for row in rows])


def _dtype(checks: Sequence[Check], _: Table) -> str:
    rows = _rows(checks)
    return _sentence([f"`{row.path}` is {_listed(row.columns['dtype'].split(), 'or')}" for row in rows])


def _need(checks: Sequence[Check], table: Table) -> str:
    paths: dict[str, list[str]] = {}
    for row in _rows(checks):
        paths.setdefault(row.need, []).append(f"`{row.path}`")
    found = [_NEEDS[need].format(_listed(found, "and")) for need, found in paths.items()]
    return f"A trace of {table.of.rstrip(',')} holds {_sentence(found)}"


_NEEDS = {
    "yes": "{}",
    "recommended": "{}",
    "some": "at least one of {}",
    "together": "all of {}, or none of them",
    "unless declared": "{}, unless `not_captured` names what is missing",
    "some unless declared": "at least one of {}, unless `not_captured` names what is missing",
}


def _scopes(checks: Sequence[Check], _: Table) -> str:
    phrases = []
    for row in _rows(checks):
        at = [f"{axis} at `{path}`" for axis, path in row.columns["scopes"].items()]
        phrases.append(f"`{row.path}` has " + (f"a scope of {_listed(at, 'and')} alone" if at else "no scope"))
    return _sentence(phrases)


def _values(checks: Sequence[Check], _: Table) -> str:
    phrases = []
    for check in checks:
        row = check.nodes[0].row
        phrases.append(f"`{row.path}` {RELATIONS[check.column].words(row.columns[check.column])}")
    return _sentence(phrases)


def _measured(checks: Sequence[Check], _: Table) -> str:
    facts = [
        f"{relation.fact} of `{row.path}`"
        for row in _rows(checks)
        for column, relation in RELATIONS.items()
        if column in row.columns and relation.fact
    ]
    return f"Where values were read, {_listed(facts, 'and')} {'was' if len(facts) == 1 else 'were'} measured."


def _size(checks: Sequence[Check], table: Table) -> str:
    return _sentence([f"The axis {check.target} has size {table.sizes[check.target]}" for check in checks])


def _closed(_: Sequence[Check], table: Table) -> str:
    return f"A trace of {table.of.rstrip(',')} holds the nodes of its table; anything else belongs below `/extra`."


_CLAUSES: Mapping[str, Callable[[Sequence[Check], Table], str]] = {
    "axes": _axes,
    "dtype": _dtype,
    "need": _need,
    "scopes": _scopes,
    "values": _values,
    MEASURED: _measured,
    SIZE: _size,
    CLOSED: _closed,
}
_REASONS: Mapping[str, tuple[str, str]] = {
    "axes": (
        "A reader that guesses takes one axis for another where they have no names, or another order.",
        "name the axes, and move them into this order.",
    ),
    "dtype": ("Readers rely on the dtype that the profile names.", "write the array in one of these dtypes."),
    "need": (
        "What is there cannot be interpreted without the rest.",
        "capture what is named, and write it under this name.",
    ),
    "scopes": (
        "An axis with a scope where readers expect none cannot be compared with the same axis elsewhere.",
        "take the attribute `scope_<axis>` away, or set it where the table says.",
    ),
    "values": (
        "Values that break it come from another run, another model or another order of axes.",
        "look at how the array is captured, or correct the table of the profile.",
    ),
    MEASURED: (
        "A value rule that was passed because nothing was measured is not a pass.",
        "this is a fault of the program that made the description: measure what `facts.json` of the profile asks for.",
    ),
    SIZE: ("What an entry of the axis means depends on it.", "correct the names or the order of the axes."),
    CLOSED: (
        "A node under a name of its own is found by no reader.",
        "use a name of the table, or move the node below `/extra`.",
    ),
}
