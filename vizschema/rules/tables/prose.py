"""The table of a profile as the prose has it: a line for each node, and for each alternative of its axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from vizschema.rules.tables.paths import Steps, shown
from vizschema.rules.tables.table import OWN, Node, Row, Table
from vizschema.rules.tables.vocabulary import Vocabulary

NEEDS: Mapping[str, str] = {
    "yes": "yes",
    "no": "no",
    "recommended": "no",
    "some": "one at least",
    "together": "all or none",
    "unless declared": "unless declared",
    "some unless declared": "one at least, unless declared",
}
"""What the prose says of each need."""

_ORDER = {"inputs": 0, "outputs": 2}

_Axes = tuple[str, ...]


def lines_of(table: Table, words: Vocabulary) -> list[str]:
    """The table in Markdown, inputs first and outputs last; a line that every word of a set has is there once."""
    nodes = sorted(table.all_nodes(), key=lambda node: _ORDER.get(node.steps[0], 1))
    lines, joined = [], []
    for node in nodes:
        for axes in node.axes:
            lines.append(_line(node.steps, axes, node.row, words))
            shared = _of_set(node, axes, table.sets)
            joined.append(shared and (_line(*shared[:2], node.row, words), shared[2]))
    counts = Counter(joined)
    whole = [each[0] if each and counts[each] == each[1] else line for line, each in zip(lines, joined, strict=True)]
    return ["| node | axes | dtype | required |", "|---|---|---|---|", *dict.fromkeys(whole)]


def _of_set(node: Node, axes: _Axes, sets: Mapping[str, Sequence[str]]) -> tuple[Steps, _Axes, int] | None:
    """Steps and axes with `<set>` in place of a word of a set, and how many words it has; None where none is there."""
    for name, members in sets.items():
        word = next((step for step in node.steps if step in members), None)
        if word is not None:
            steps = tuple(f"<{name}>" if step == word else step for step in node.steps)
            return steps, tuple(_renamed(axis, word, name) for axis in axes), len(members)
    return None


def _renamed(axis: str, word: str, name: str) -> str:
    return f"<{name}>{axis[len(word) :]}" if axis.startswith(f"{word}_") else axis


def _line(steps: Steps, axes: _Axes, row: Row, words: Vocabulary) -> str:
    names = [f"`{axis}`" for axis in axes if axis != OWN]
    own = [f"then {row.columns.get('note', 'one or more of its own')}"] if OWN in axes else []
    cells = (f"`{shown(steps)}`", ", ".join([*names, *own]) or "none", ", ".join(_dtypes(row, words)), NEEDS[row.need])
    return f"| {' | '.join(cells)} |"


def _dtypes(row: Row, words: Vocabulary) -> Iterator[str]:
    for word in row.columns["dtype"].split():
        yield from [word] if word in words.definitions else words.dtypes_of(word)
