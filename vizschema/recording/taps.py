"""Taps: which array each module of one model fills, from a table and the names of its modules. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vizschema.errors import UsageError
from vizschema.recording.tables import Row, Table, Target

_SERIES = re.compile(r"(.*)/([a-z][a-z0-9_]*)_([0-9]+)(?:/.*)?")
_LIKE_A_SERIES = re.compile(r"(layer|block|recycle|iteration|step|stage)_[0-9]+")
"""Names that readers take for members of a numbered series."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Tap:
    """One value of one module, and the array that it becomes.

    `node` and `axes` have no placeholder but `{call}`; `place` is the place in the value, such as `[0]`, and `read` has
    the places in the module of attributes that are read from it, by their names. `list` is the name of the module
    before its first number: that of the list of modules which the numbers of a series count.
    """

    module: str
    row: Row
    node: str
    axes: tuple[str, ...]
    kind: str
    place: str
    generated: Target | None = None
    read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    list: str = ""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of the row, and the module's own name in the model."""
        return {**self.row.attributes, **({"module": self.module} if self.module else {})}


@dataclass(frozen=True, slots=True)
class Plan:
    """All taps of a model, and what their groups say: the count of a series, and what of it is left out.

    `names` are all arrays that the table has for the model, recorded or not.
    """

    taps: tuple[Tap, ...]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_selected: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


def plan(table: Table, modules: Mapping[str, str], select: Sequence[str] | None) -> Plan:
    """Return what of a model is recorded.

    Parameters:
        table: The table.
        modules: The names of all modules of the model, `""` the model itself, and the name of the class of each.
        select: Regular expressions; nodes in which one is found are recorded, and those that a row always brings. None:
            all but the rows with `default = false`.

    Raises `UsageError` where a row fits no module, two rows fill one node, or `select` leaves nothing.
    """
    every: list[Tap] = []
    lost: list[str] = []
    for row in table.rows:
        found = list(_taps(row, modules))
        every += found
        if not found and row.optional != "module" and row.default:
            kind = f" of the class {row.type}" if row.type else ""
            lost.append(f"{row.target.node}: no module is called {row.module or 'as the model'}{kind}")
    if lost:
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise UsageError(
            f"table {table.name}: rows fit nothing: {'; '.join(lost[:_SHOWN])}{more}",
            fix='pass rows with the names of this model\'s modules (table=[…]), or mark them optional = "module"',
        )
    taps = _selected(every, select)
    doubled = sorted({tap.node for tap in taps if sum(other.node == tap.node for other in taps) > 1})
    if doubled:
        named = ", ".join(tap.module or "the model" for tap in taps if tap.node == doubled[0])
        raise UsageError(f"table {table.name}: {doubled[0]} is filled by several modules: {named}")
    outer = {tap.node.split("/")[1] for tap in every if tap.row.default} - {tap.node.split("/")[1] for tap in taps}
    return Plan(tuple(taps), groups_of(every, taps), tuple(sorted(outer)), frozenset(tap.node for tap in every))


def node_name(module: str, kind: str) -> str:
    """Return the name of a module as that of a node: `features.0` of a Conv2d is `features_0`, `0` is `conv2d_0`."""
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", module).lower()).strip("_") or "model"
    kind = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_") or "module"
    if not name[0].isalpha():
        return f"{kind}_{name}"
    return f"{name}_{kind}" if _LIKE_A_SERIES.fullmatch(name) else name


def _selected(taps: Sequence[Tap], select: Sequence[str] | None) -> list[Tap]:
    if select is None:
        return [tap for tap in taps if tap.row.default]
    try:
        patterns = [re.compile(pattern) for pattern in select]
    except re.error as error:
        raise UsageError(path="select", expected="regular expressions of paths", found=error) from None
    for pattern in patterns:
        if not any(pattern.search(tap.node) for tap in taps):
            known = ", ".join(sorted({re.sub("[0-9]+", "NN", tap.node) for tap in taps}))
            raise UsageError(
                path="select", expected=f"a pattern that is found in one of {known}", found=repr(pattern.pattern)
            )
    return [tap for tap in taps if tap.row.always or any(pattern.search(tap.node) for pattern in patterns)]


def _taps(row: Row, modules: Mapping[str, str]) -> Iterable[Tap]:
    """The taps of a row: one per module that it fits, or per module that `each` fits."""
    at, kind = re.compile(row.module), re.compile(row.type or ".*")
    fitting = [(name, match) for name in modules if (match := at.fullmatch(name)) and kind.fullmatch(modules[name])]
    each = [match for name in modules if row.each is not None and (match := re.fullmatch(row.each, name))]
    pairs = [(name, other) for name, match in fitting for other in (each if row.each is not None else [match])]
    width = max((len(group) for _, match in pairs for group in match.groups() if group and group.isdigit()), default=2)
    for name, match in pairs:
        words = {str(number): group or "" for number, group in enumerate(match.groups())}
        plain = {**words, "module": node_name(name, modules[name])}
        padded = {key: word.zfill(max(2, width)) if word.isdigit() else word for key, word in plain.items()}
        word, place = _split(filled(row.value, plain))
        other = row.generated
        yield Tap(
            name,
            row,
            filled(row.target.node, padded),
            tuple(filled(axis, padded) for axis in row.target.axes),
            word,
            place,
            None
            if other is None
            else Target(filled(other.node, padded), tuple(filled(axis, padded) for axis in other.axes)),
            {key: tuple(filled(at, plain) for at in places) for key, places in row.read.items()},
            match.string[: match.start(1)] if match.re.groups else "",
        )


def _split(value: str) -> tuple[str, str]:
    """A value as its first word and the place in it: `in`, `.input_ids`."""
    end = next((number for number, letter in enumerate(value) if letter in ".["), len(value))
    return value[:end], value[end:]


def filled(template: str, words: Mapping[str, str]) -> str:
    """Return a template with these words in place of its placeholders; one without a word stays."""
    return _PLACEHOLDER.sub(lambda match: words.get(match[1], match[0]), template)


def groups_of(every: Sequence[Tap], taps: Sequence[Tap]) -> dict[str, dict[str, Any]]:
    """What the groups of numbered nodes say, by path: counts are the model's, whatever is recorded.

    The count is that of the list of modules: an encoder and a decoder have one each. A series that some modules only
    have (layers 3 and 11) lists them as `present`.
    """
    numbers: dict[tuple[str, str], set[int]] = {}
    lists: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, str], int] = {}
    for tap in every:
        if (match := _SERIES.fullmatch(tap.node)) is None or not tap.row.target.node.count("{0}"):
            continue
        parent, stem, number = match[1], match[2], int(match[3])
        numbers.setdefault((parent, stem), set()).add(number)
        lists[parent, stem] = tap.list
        counts[tap.list, stem] = max(counts.get((tap.list, stem), 0), number + 1)
    kept = {tap.node for tap in taps}
    groups: dict[str, dict[str, Any]] = {}
    for (parent, stem), found in numbers.items():
        have = {
            int(match[3]) for node in kept if (match := _SERIES.fullmatch(node)) and match.group(1, 2) == (parent, stem)
        }
        if not have:
            continue
        count = counts[lists[parent, stem], stem]
        said: dict[str, Any] = {f"num_{stem}s": count}
        if found != set(range(count)):
            said["present"] = sorted(found)
        if have != found:
            said["partial"] = True
        groups[parent] = groups.get(parent, {}) | said
    return groups
