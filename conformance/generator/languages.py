"""Texts that match some allowed patterns and not others, drawn along an automaton: none is thrown away."""

from __future__ import annotations

import functools
import importlib
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

# How Python reads a pattern; part of `re` since 3.11, without types.
parser: Any = importlib.import_module("re._parser")
tokens: Any = importlib.import_module("re._constants")

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789_/ABCXYZTUSJQV -:.+~,@\\é"
"""What texts are made of, the simplest first: every class of characters of our patterns has a member."""

States = frozenset[int]
_START, _END = "^", "$"


@dataclass(slots=True)
class _Automaton:
    """An automaton of a pattern that is searched for, as JSON Schema does, made deterministic where it is walked."""

    moves: list[list[tuple[frozenset[str], int]]] = field(default_factory=list)
    free: list[list[tuple[str, int]]] = field(default_factory=list)
    last: int = 0
    numbers: dict[States, int] = field(default_factory=dict)
    rows: list[tuple[States, dict[str, int]]] = field(default_factory=list)
    ends: dict[tuple[int, bool], bool] = field(default_factory=dict)

    def state(self) -> int:
        self.moves.append([])
        self.free.append([])
        return len(self.moves) - 1

    def closure(self, states: Iterable[int], marks: str) -> States:
        """`states` with what is reached from them for free; anchors hold where `marks` has them."""
        found, pending = set(states), list(states)
        while pending:
            for mark, target in self.free[pending.pop()]:
                if (not mark or mark in marks) and target not in found:
                    found.add(target)
                    pending.append(target)
        return frozenset(found)

    def number(self, states: States) -> int:
        """The number of a set of states."""
        if states not in self.numbers:
            self.numbers[states] = len(self.rows)
            self.rows.append((states, {}))
        return self.numbers[states]

    def step(self, number: int, character: str) -> int:
        states, row = self.rows[number]
        if character not in row:
            reached = {target for state in states for chosen, target in self.moves[state] if character in chosen}
            row[character] = self.number(self.closure(reached, ""))
        return row[character]

    def accepts(self, number: int, *, at_start: bool) -> bool:
        if (number, at_start) not in self.ends:
            marks = _END + (_START if at_start else "")
            self.ends[number, at_start] = self.last in self.closure(self.rows[number][0], marks)
        return self.ends[number, at_start]

    def sets(self) -> set[frozenset[str]]:
        """The sets of characters that it tells apart."""
        return {chosen for moves in self.moves for chosen, _ in moves}


@functools.cache
def _automaton(pattern: str) -> _Automaton:
    made = _Automaton()
    first = made.state()
    made.moves[first].append((frozenset(ALPHABET), first))
    made.last = _sequence(made, first, parser.parse(pattern))
    made.moves[made.last].append((frozenset(ALPHABET), made.last))
    return made


def _sequence(made: _Automaton, at: int, items: Any) -> int:
    for kind, value in items:
        at = _item(made, at, kind, value)
    return at


def _item(made: _Automaton, at: int, kind: Any, value: Any) -> int:
    """Adds one item of a parsed pattern behind the state `at`; the state after it."""
    end = made.state()
    if kind is tokens.AT:
        made.free[at].append((_START if value is tokens.AT_BEGINNING else _END, end))
    elif kind is tokens.SUBPATTERN:
        made.free[_sequence(made, at, value[-1])].append(("", end))
    elif kind is tokens.BRANCH:
        for branch in value[1]:
            first = made.state()
            made.free[at].append(("", first))
            made.free[_sequence(made, first, branch)].append(("", end))
    elif kind is tokens.MAX_REPEAT:
        _repeat(made, at, value, end)
    else:
        made.moves[at].append((_characters(kind, value), end))
    return end


def _repeat(made: _Automaton, at: int, value: Any, end: int) -> None:
    least, most, items = value
    for _ in range(least):
        at = _sequence(made, at, items)
    made.free[at].append(("", end))
    if most is tokens.MAXREPEAT:
        loop = made.state()
        made.free[at].append(("", loop))
        back = _sequence(made, loop, items)
        made.free[back] += [("", loop), ("", end)]
        return
    for _ in range(most - least):
        at = _sequence(made, at, items)
        made.free[at].append(("", end))


def _characters(kind: Any, value: Any) -> frozenset[str]:
    if kind is tokens.ANY:
        return frozenset(ALPHABET)
    if kind is tokens.LITERAL:
        return frozenset(chr(value))
    if kind is tokens.NOT_LITERAL:
        return frozenset(ALPHABET) - {chr(value)}
    members = {chr(code) for code in _codes(value)}
    return frozenset(ALPHABET) - members if value[0][0] is tokens.NEGATE else frozenset(members)


def _codes(items: Any) -> Iterator[int]:
    for kind, value in items:
        if kind is tokens.LITERAL:
            yield value
        elif kind is tokens.RANGE:
            yield from range(value[0], value[1] + 1)


Place = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Language:
    """The texts in which every pattern of `within` is found, and none of `without`.

    Those of `stops` say the same of every part that ends before a slash: the groups above a node have names, too.
    """

    within: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    stops: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<texts of {len(self.within)} patterns, and of none of {len(self.without)} others>"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))

    def __and__(self, other: Language) -> Language:
        within, without = (*self.within, *other.within), (*self.without, *other.without)
        return Language(tuple(dict.fromkeys(within)), tuple(dict.fromkeys(without)), self.stops | other.stops)

    def holds(self, text: str) -> bool:
        """Whether `text` is one of them, whatever its parts are."""
        found = all(re.search(pattern, text) for pattern in self.within)
        return found and not any(re.search(pattern, text) for pattern in self.without)

    @property
    def names(self) -> Language:
        """The same for the groups above: every pattern is one of `stops`."""
        return Language(self.within, self.without, frozenset((*self.within, *self.without)))

    @property
    def empty(self) -> bool:
        """Whether there is no such text, of the characters of `ALPHABET`."""
        return self._start() not in _distances(self)

    def texts(self, longest: int = 8) -> st.SearchStrategy[str]:
        """Such texts, with at most about `longest` characters more than needed; the shortest are the simplest."""
        if self.empty:
            raise ValueError(f"no text matches {self.within} and not {self.without}")
        return _texts(self, longest)

    def shortest(self) -> str:
        """The simplest of the shortest texts."""
        distances, place, text = _distances(self), self._start(), ""
        while distances[place]:
            nearer = (each for each in _onward(self, place) if distances[_next(self, place, each)] < distances[place])
            character = next(nearer)
            place, text = _next(self, place, character), text + character
        return text

    def _start(self) -> Place:
        return tuple(made.number(made.closure((0,), _START)) for made in _automata(self))

    def _accepts(self, place: Place, *, at_start: bool, only: frozenset[str] | None = None) -> bool:
        for number, pattern in enumerate((*self.within, *self.without)):
            if only is None or pattern in only:
                found = _automaton(pattern).accepts(place[number], at_start=at_start)
                if found is (number >= len(self.within)):
                    return False
        return True

    def _open(self, place: Place, alphabet: str = ALPHABET) -> str:
        """The characters of `alphabet` that may come next."""
        if not self.stops or place == self._start() or self._accepts(place, at_start=False, only=self.stops):
            return alphabet
        return alphabet.replace("/", "")


def _next(language: Language, place: Place, character: str) -> Place:
    return tuple([made.step(number, character) for made, number in zip(_automata(language), place, strict=True)])


@functools.lru_cache(maxsize=4096)
def _automata(language: Language) -> tuple[_Automaton, ...]:
    return tuple(map(_automaton, (*language.within, *language.without)))


@functools.lru_cache(maxsize=4096)
def _classes(language: Language) -> str:
    """The first of all characters that the patterns treat alike; a slash stands for itself."""
    sets = sorted({each for made in _automata(language) for each in made.sets()}, key=sorted)
    seen: dict[tuple[bool, ...], str] = {}
    for character in ALPHABET:
        seen.setdefault((character == "/", *(character in each for each in sets)), character)
    return "".join(seen.values())


def _hopeless(language: Language, place: Place) -> bool:
    """Whether nothing that follows is one of the texts: a wanted pattern cannot begin any more, another is found."""
    for number, made in enumerate(_automata(language)):
        states = made.rows[place[number]][0]
        begun = states != {0} or any(target for _, target in made.moves[0]) or any(not mark for mark, _ in made.free[0])
        if number < len(language.within) and not begun:
            return True
        if number >= len(language.within) and made.last in states:
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _distances(language: Language) -> dict[Place, int]:
    """How far every live place is from the end of a text; places from which there is none are left out."""
    start = language._start()
    before: dict[Place, set[Place]] = {start: set()}
    pending = deque([start])
    while pending:
        place = pending.popleft()
        for character in language._open(place, _classes(language)):
            reached = _next(language, place, character)
            if reached not in before and _hopeless(language, reached):
                continue
            if reached not in before:
                before[reached] = set()
                pending.append(reached)
            before[reached].add(place)
    ends = [place for place in before if language._accepts(place, at_start=place is start)]
    found = dict.fromkeys(ends, 0)
    pending = deque(ends)
    while pending:
        place = pending.popleft()
        for above in before[place]:
            if above not in found:
                found[above] = found[place] + 1
                pending.append(above)
    return found


@functools.lru_cache(maxsize=1 << 14)
def _onward(language: Language, place: Place) -> tuple[str, ...]:
    return tuple(each for each in language._open(place) if _next(language, place, each) in _distances(language))


@functools.lru_cache(maxsize=1 << 14)
def _nearer(language: Language, place: Place) -> tuple[str, ...]:
    """The characters that lead nearer to an end."""
    distances = _distances(language)
    onward = _onward(language, place)
    return tuple(each for each in onward if distances[_next(language, place, each)] < distances[place])


@st.composite
def _texts(draw: st.DrawFn, language: Language, longest: int) -> str:
    distances, place, text = _distances(language), language._start(), ""
    spare = longest
    while True:
        if not distances[place] and (not spare or draw(st.booleans(), label="more") is False):
            return text
        onward = _onward(language, place)
        nearer = _nearer(language, place)
        if not onward:
            return text
        choices = onward if spare > 0 or not nearer else nearer
        character = choices[0] if len(choices) == 1 else draw(st.sampled_from(choices))
        spare -= character not in nearer
        place, text = _next(language, place, character), text + character
