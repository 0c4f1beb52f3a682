"""Paths of rows: steps, the nodes that they stand for once their sets are chosen, and patterns of many of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vizschema.errors import SpecError
from vizschema.text import suggestion

SERIES = "_NN"
_DIGITS = "_[0-9]+"
_NUMBER = "_[0-9]{1,9}"
"""Digits of a number of a series, as describe finds them: what is longer is a name of no series."""

_ANY = "[^/]+"
MAX_NODES = 2000
"""Most nodes that the sets of a table may multiply to."""

Steps = tuple[str, ...]
"""Names, `name_NN` for a series, `<word>` for any name; sets are chosen."""

Within = tuple[Sequence[Steps], Sequence[str]]
"""Groups, `()` for the root, and names of nodes that each of them may have."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of the sets of a row: the steps that it leads to, and what each set was chosen as."""

    steps: Steps
    chosen: Mapping[str, str]


def choices(path: str, sets: Mapping[str, Sequence[str]]) -> Iterator[Choice]:
    """Every choice of the sets in `path`; raises `SpecError` for a set or a word that is not there."""
    steps = path[1:].split("/")
    chosen = {}
    for step in steps:
        if step.startswith("{"):
            name, _, words = step[1:-1].partition(":")
            if name in chosen:
                raise SpecError(f"the set {name} is chosen twice", path=path)
            chosen[name] = _words(path, name, words, sets)
    for picked in itertools.product(*chosen.values()):
        values = dict(zip(chosen, picked, strict=True))
        yield Choice(tuple(values[re.split("[:}]", step[1:])[0]] if step[0] == "{" else step for step in steps), values)


def _words(path: str, name: str, words: str, sets: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if name not in sets:
        raise SpecError(f"{name!r} is not a set of the table{suggestion(name, sets)}", path=path)
    chosen = words.split("|") if words else sets[name]
    for word in chosen:
        if word not in sets[name]:
            hint = suggestion(word, sets[name])
            raise SpecError(f"{word!r} is not in the set {name} ({', '.join(sets[name])}){hint}", path=path)
    if len(set(chosen)) < len(chosen):
        raise SpecError(f"a word of the set {name} is named twice", path=path)
    return chosen


def shown(steps: Steps) -> str:
    """The path of `steps` as a person writes it."""
    return "/" + "/".join(steps)


def example(steps: Steps) -> str:
    """The path of a node that `steps` stand for."""
    return "/" + "/".join(_example(step) for step in steps)


def _example(step: str) -> str:
    return f"{step.removesuffix(SERIES)}_00" if step.endswith(SERIES) else "any" if step.startswith("<") else step


def is_fixed(steps: Steps) -> bool:
    """Whether `steps` stand for one path: no series, no name that is free."""
    return not any(step.endswith(SERIES) or step.startswith("<") for step in steps)


def is_free(steps: Steps) -> bool:
    """Whether the last one of `steps` stands for any name: that of a coordinate too."""
    return steps[-1].startswith("<")


def above(steps: Steps) -> Iterator[Steps]:
    """The groups above a node, but for the root, from the top."""
    return (steps[:length] for length in range(1, len(steps)))


def groups_of(nodes: Iterable[Steps]) -> list[Steps]:
    """Every group above `nodes`, but for the root, each once, shorter ones first."""
    found = dict.fromkeys(group for steps in nodes for group in above(steps))
    return sorted(found, key=len)


def overlap(first: Steps, second: Steps) -> bool:
    """Whether a node can be one of both."""
    return len(first) == len(second) and all(map(_meet, first, second))


def _meet(first: str, second: str) -> bool:
    if first.startswith("<") or second.startswith("<") or first == second:
        return True
    pair = (first, second), (second, first)
    return any(one.endswith(SERIES) and re.fullmatch(_step(one), other) for one, other in pair)


def _step(step: str, digits: str = _DIGITS) -> str:
    return f"{step.removesuffix(SERIES)}{digits}" if step.endswith(SERIES) else _ANY if step.startswith("<") else step


def pattern(nodes: Sequence[Steps]) -> str:
    """A regular expression of the paths that `nodes` stand for, and of nothing else."""
    return _only(_joined([tuple(_step(step) for step in steps) for steps in nodes]))


def closed(arrays: Sequence[Steps], groups: Sequence[Steps]) -> list[str]:
    """Expressions of what a closed world holds: groups, arrays, and what is below arrays (`array-node` reports it)."""
    numbered = [tuple(_step(step, _NUMBER) for step in steps) for steps in groups]
    named = [tuple(_step(step, _NUMBER) for step in steps) for steps in arrays]
    return [*_joined(numbered), *(f"{part}(/.*)?" for part in _joined(named))]


def within(places: Sequence[Within]) -> str:
    """A regular expression of the nodes of these names in these groups, and of nothing else."""
    return _only(_within(places, _DIGITS))


def closed_within(places: Sequence[Within]) -> list[str]:
    """Expressions of nodes of these names in these groups, and of what is below them, as in `closed`."""
    return [f"{part}(/.*)?" for part in _within(places, _NUMBER)]


def _within(places: Sequence[Within], digits: str) -> list[str]:
    """Expressions `(|/a|/b)/(x|y)`: one for the groups that may have the same names; the root is the empty path."""
    groups = [_joined([tuple(_step(step, digits) for step in steps) for steps in groups]) for groups, _ in places]
    return [f"{_any_of(paths)}/{_any_of(names)}" for paths, (_, names) in zip(groups, places, strict=True)]


def _only(parts: Sequence[str]) -> str:
    return f"^{_any_of(parts)}$"


def _any_of(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"({'|'.join(words)})"


def _joined(paths: Iterable[Steps]) -> list[str]:
    """Expressions of `paths`, those joined that differ in one step alone; the last step first."""
    merged: dict[_Joined, None] = {tuple((step,) for step in path): None for path in paths}
    for place in range(1, 1 + max(map(len, merged), default=0)):
        families: dict[_Joined, list[str]] = {}
        for path in merged:
            end = len(path) - place
            rest = path if end < 0 else (*path[:end], (), *path[end + 1 :])
            families.setdefault(rest, []).extend(() if end < 0 else path[end])
        merged = {tuple(step or tuple(dict.fromkeys(found)) for step in rest): None for rest, found in families.items()}
    return ["".join(f"/{_any_of(step)}" for step in path) for path in merged]


_Joined = tuple[tuple[str, ...], ...]
"""Paths that differ in words of their steps: each step is the words that it may be."""
