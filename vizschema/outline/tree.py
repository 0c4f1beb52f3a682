"""The tree of a description as rows: members of a series that are alike are one row. Linear in the number of nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vizschema.description import NUMBERED, Node, children_of, join
from vizschema.outline.words import words_of
from vizschema.text import escape_text

_LABEL = 32
"""Columns up to which names of neighbours are padded to one length."""

_GAPS = 4
"""Numbers that a row lists as not there; of more, it says how many there are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a tree: the node at the first of `paths`, or a series of nodes that are alike.

    `guide` are the lines that lead to it, `label` is its name or the names of the series.
    """

    paths: Sequence[str]
    node: Node
    label: str
    guide: str
    width: int

    @property
    def path(self) -> str:
        """The path of the node, or of the first of the series."""
        return self.paths[0]

    def line(self, width: int | None = None, more: str = "") -> str:
        """Return the row as text, with `more` words about it, cut to `width` columns."""
        several = len(self.paths) > 1
        words = words_of(self.node)
        each = " each" if several and self.node["kind"] == "array" else ""
        together = " together" if several and more else ""
        padded = self.label.ljust(self.width) if words or more else self.label
        parts = " · ".join(part for part in (f"{words}{each}", f"{more}{together}") if part)
        text = f"{self.guide}{padded}  {parts}".rstrip()
        return text if width is None or len(text) <= width else f"{text[: width - 1]}…"


class Tree:
    """The tree of `nodes`, those of a description."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._children = children_of(nodes)
        self._kinds: dict[Any, int] = {}
        self._alike: dict[str, int] = {}
        for path in sorted(nodes.keys() - {"/"}, key=lambda path: -path.count("/")):
            below = tuple((name, self._alike[join(path, name)]) for name in self._children.get(path, ()))
            key = (_form(nodes[path]), below)
            self._alike[path] = self._kinds.setdefault(key, len(self._kinds))

    def rows(self, path: str = "/", guide: str = "") -> Iterator[Row]:
        """The rows of all that is below `path`, parents first; of a series that is one row, those below its first."""
        runs = self._runs(path)
        labels = [_label(run) for run in runs]
        width = max((len(label) for label in labels if len(label) <= _LABEL), default=0)
        for number, (run, label) in enumerate(zip(runs, labels, strict=True), 1):
            paths = [join(path, name) for name in run]
            first = paths[0]
            branch, below = ("└── ", "    ") if number == len(runs) else ("├── ", "│   ")
            yield Row(paths, self._nodes[first], label, f"{guide}{branch}", width)
            yield from self.rows(first, f"{guide}{below}")

    def _runs(self, path: str) -> list[list[str]]:
        """The names of the members of `path`, those of one stem that are alike together, by their numbers."""
        runs: dict[Any, list[str]] = {}
        for name in self._children.get(path, ()):
            match = NUMBERED.fullmatch(name)
            key = (match[1], self._alike[join(path, name)]) if match else name
            runs.setdefault(key, []).append(name)
        return [sorted(run, key=_number) if len(run) > 1 else run for run in runs.values()]


def tree_lines(nodes: Mapping[str, Node], path: str = "/", *, width: int | None = None) -> Iterator[str]:
    """The lines of the tree below `path`, cut to `width` columns."""
    for row in Tree(nodes).rows(path):
        yield row.line(width)


def _form(node: Node) -> Any:
    """What nodes that are alike have in common."""
    if node["kind"] != "array":
        return (node["kind"], node.get("reason"))
    storage = node["storage"]
    chunks = None if storage is None else (*storage["chunks"], *storage["codecs"])
    axes = None if node["axes"] is None else tuple(node["axes"])
    return (node["dtype"], tuple(node["shape"]), axes, chunks)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _label(run: Sequence[str]) -> str:
    """A name, or the first and the last of a series, how many there are, and which are not among them."""
    if len(run) == 1:
        return escape_text(run[0])
    numbers = {_number(name) for name in run}
    first, last = min(numbers), max(numbers)
    lacking = last - first + 1 - len(numbers)
    among = f"{len(run)}"
    if lacking > _GAPS:
        among = f"{len(run)} of the numbers {first} to {last}"
    elif lacking:
        gaps = (str(number) for number in range(first, last) if number not in numbers)
        among = f"{len(run)}, without {', '.join(gaps)}"
    return escape_text(f"{run[0]} … {run[-1]} ({among})")
