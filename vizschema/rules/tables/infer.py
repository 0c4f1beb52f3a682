"""A draft of a table from descriptions of archives; what is doubtful is a comment, and the draft builds.

Relations between values are not inferred: values are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vizschema.errors import SpecError
from vizschema.rules.tables.axes import is_slip, name_of
from vizschema.rules.tables.paths import SERIES, example, is_fixed, shown
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.text import escape_text, shorten

Descriptions = Mapping[str, Mapping[str, Any]]
"""Descriptions of archives by what they are called."""

MAX_ROWS = 500
"""Most rows of a draft: what has more different nodes is not listed."""

MAX_ALTERNATIVES = 16
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_MEMBER = re.compile(r"([a-z][a-z0-9_]*)_([0-9]{1,9})", re.ASCII)
_STEMS = ("layer", "block", "recycle", "iteration", "step", "stage")
_SINGULAR = {
    **{"batch": "sample", "batches": "sample", "b": "sample", "num_heads": "head", "n_heads": "head", "h": "head"},
    **{"seq_len": "token", "n_res": "residue", "classes": "class"},
}

Steps = tuple[str, ...]


@dataclass
class _Row:
    """What the archives have at one path."""

    steps: Steps
    axes: dict[tuple[str | None, ...], None] = field(default_factory=dict)
    dtypes: dict[str, None] = field(default_factory=dict)
    archives: set[str] = field(default_factory=set)
    doubts: dict[str, None] = field(default_factory=dict)
    left_out: str = ""


def drafted(descriptions: Descriptions, name: str, words: Vocabulary, build: Callable[[str], object]) -> str:
    """The draft of a table, as TOML; `build` raises `SpecError` for one that does not build.

    A row for which it does not build is a comment. Raises `SpecError` where no row is left, or there are too many.
    """
    rows, odd = _rows(descriptions)
    if len(rows) > MAX_ROWS:
        raise SpecError(expected=f"at most {MAX_ROWS} different nodes", found=len(rows), fix="name fewer archives")
    _name_axes(rows, words)
    while True:
        text = "".join(f"{line}\n" for line in _lines(rows, odd, name, descriptions, words))
        if not any(not row.left_out for row in rows):
            raise SpecError(expected="arrays with names of lower-case letters, digits and underscores", found="none")
        try:
            build(text)
        except SpecError as error:
            refused = _refused(rows, str(error))
            if refused is None:
                raise
            refused.left_out = escape_text(shorten(str(error), 200))
        else:
            return text


def _refused(rows: Iterable[_Row], message: str) -> _Row | None:
    """The row that a message is about."""
    found = [row for row in rows if not row.left_out and f" {shown(row.steps)}: " in f" {message}"]
    return max(found, key=lambda row: len(row.steps), default=None)


def _rows(descriptions: Descriptions) -> tuple[list[_Row], list[str]]:
    """A row for each array, those of a series as one; and the paths of arrays that no row can list."""
    arrays = [
        (archive, path, node)
        for archive, description in descriptions.items()
        for path, node in description["nodes"].items()
        if node["kind"] == "array" and path.split("/")[1] not in ("extra", "metadata")
    ]
    numbers: dict[tuple[Steps, str], set[int]] = {}
    for _, path, _ in arrays:
        for parent, stem, number in _members(tuple(path[1:].split("/"))):
            numbers.setdefault((parent, stem), set()).add(number)
    rows: dict[Steps, _Row] = {}
    odd: dict[str, None] = {}
    for archive, path, node in arrays:
        names = tuple(path[1:].split("/"))
        if not all(map(_NAME.fullmatch, names)):
            odd[path] = None
            continue
        steps = _template(names, numbers)
        row = rows.setdefault(steps, _Row(steps))
        row.archives.add(archive)
        row.axes[tuple(node["axes"] or [None] * len(node["shape"]))] = None
        row.dtypes[node["dtype"]] = None
    return list(rows.values()), list(odd)


def _members(names: Steps) -> Iterator[tuple[Steps, str, int]]:
    """(steps above, stem, number) of each numbered step; numbers above are left out."""
    above: list[str] = []
    for name in names:
        match = _MEMBER.fullmatch(name)
        if match:
            yield tuple(above), match[1], int(match[2])
        above.append(f"{match[1]}{SERIES}" if match else name)


def _template(names: Steps, numbers: Mapping[tuple[Steps, str], set[int]]) -> Steps:
    """Steps with `stem_NN` in place of members of series: of a known stem, or with two numbers at least."""
    steps = []
    members = {len(above): (above, stem) for above, stem, _ in _members(names)}
    for place, name in enumerate(names):
        key = members.get(place)
        is_series = key is not None and (key[1] in _STEMS or len(numbers[key]) > 1)
        steps.append(f"{key[1]}{SERIES}" if key is not None and is_series else name)
    return tuple(steps)


def _name_axes(rows: Sequence[_Row], words: Vocabulary) -> None:
    """Give every axis a name that a table may have; what was another one before is a doubt of its row."""
    known: list[str] = []
    for row in rows:
        named: dict[tuple[str | None, ...], None] = {}
        for axes in row.axes:
            found: list[str | None] = []
            for number, axis in enumerate(axes):
                name = _axis(axis, number, found, known, words)
                if name != axis:
                    row.doubts["an axis without a name" if axis is None else f"{_said(axis)} is called {name}"] = None
                found.append(name)
                if name_of(name) not in known:
                    known.append(name_of(name))
            named[tuple(found)] = None
        if len(named) > MAX_ALTERNATIVES:
            row.doubts[f"{len(named)} lists of axes, the first {MAX_ALTERNATIVES} of them here"] = None
        row.axes = dict.fromkeys(list(named)[:MAX_ALTERNATIVES])


def _axis(axis: str | None, number: int, before: Sequence[str | None], known: Sequence[str], words: Vocabulary) -> str:
    own = f"axis_{number}"
    if axis is None or not re.search(words.axis_name, axis):
        return own
    name, role = name_of(axis), axis.partition(":")[2]
    if words.axis_terms.search(name):
        name = _SINGULAR.get(name, name.removesuffix("s"))
    if any(is_slip(name, other) for other in known):
        return own
    named = f"{name}:{role}" if role else name
    return f"{name}:{own}" if named in before else named


def _lines(
    rows: Sequence[_Row], odd: Sequence[str], name: str, descriptions: Descriptions, words: Vocabulary
) -> Iterator[str]:
    count = len(descriptions)
    yield f"# A draft from {count} archive{'s' if count != 1 else ''}: look at each row, and at each comment."
    if count == 1:
        yield "# One archive does not show which nodes are needed: `need` is what it has."
    yield f'profile = "{name}"'
    yield f'spec = "{words.version}"'
    yield ""
    yield "[nodes]"
    width = max((len(shown(row.steps)) for row in rows), default=0) + 2
    for row in sorted(rows, key=lambda row: row.steps):
        yield _line(row, count, width, words)
    yield from (f"# left out: {_said(path)}: a name is not lower-case letters, digits and underscores" for path in odd)


def _line(row: _Row, archives: int, width: int, words: Vocabulary) -> str:
    alternatives = [" ".join(str(axis) for axis in axes) for axes in row.axes]
    columns = {"axes": alternatives[0] if len(alternatives) == 1 else alternatives, "dtype": _dtype(row, words)}
    doubts = dict(row.doubts)
    if len(row.archives) < archives:
        doubts[f"in {len(row.archives)} of {archives}"] = None
    elif is_fixed(row.steps[:-1]):
        columns["need"] = "yes"
    cells = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in columns.items())
    line = f"{json.dumps(shown(row.steps)):<{width}} = {{{cells}}}"
    if row.left_out:
        return f"# left out: {row.left_out}\n# {line}"
    return f"{line}  # {'; '.join(doubts)}" if doubts else line


def _dtype(row: _Row, words: Vocabulary) -> str:
    found = list(row.dtypes)
    if words.coordinates.search(example(row.steps)) and set(found) <= set(words.classes["coordinates"]):
        return "coordinates"
    for name in words.definitions:
        if set(found) <= set(words.classes[name]):
            return name
    return " ".join(sorted(found))


def _said(text: str) -> str:
    return escape_text(shorten(text, 80))
