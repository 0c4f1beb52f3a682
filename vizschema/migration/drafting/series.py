"""Arrays whose paths differ in numbers only, folded to one pattern each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from vizschema.migration.drafting.hints import hints, meaning, plain
from vizschema.sources.item import Item

MAX_FIXED = 2
"""Most numbers of a path that are tried as parts of the pattern; where that is not enough, all are."""

_NUMBER = re.compile(r"(?<![0-9])([0-9]{1,9})(?![0-9])", re.ASCII)
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
_LAST_WORD = re.compile(r"([A-Za-z]+)[^A-Za-z0-9]*$", re.ASCII)
_TOKEN = re.compile(r"([A-Za-z]+|[0-9]{10,})|\0([0-9]+)\0", re.ASCII)
_FILE = re.compile(r"\.(npy|npz|json|txt|pt|pth|pkl|safetensors|h5|hdf5|zarr|zip)$", re.IGNORECASE)
_GROUPS = "ijklmn"


@dataclass(slots=True)
class Family:
    """Arrays of one shape whose paths differ in numbers only; one array is a family too.

    Attributes:
        texts: The parts of the paths between numbers, one more than there are numbers.
        members: The arrays by their numbers.
        varying: The places of the numbers that are groups of the pattern, at most six; the others are part of it.
        main: The place of the number of the series, or None.
        stem: What the members of the series are called.
        doubts: What a reader of the draft should look at.
        sequence: The size in which its arrays differ from those of its like with another number, or 0.
        scope: The words and numbers that tell it from those, as a label.
        clearest: The one of these whose dimensions have the most different sizes, or None.
    """

    texts: tuple[str, ...]
    members: dict[tuple[str, ...], Item]
    varying: tuple[int, ...] = ()
    main: int | None = None
    stem: str = ""
    doubts: list[str] = field(default_factory=list)
    sequence: int = 0
    scope: str = ""
    clearest: Family | None = None

    @property
    def first(self) -> Item:
        """The first array."""
        return next(iter(self.members.values()))

    @property
    def pattern(self) -> str:
        """The regular expression of the paths."""
        return self.with_numbers({place: f"(?P<{self.group(place)}>[0-9]+)" for place in self.varying})

    def with_numbers(self, patterns: Mapping[int, str]) -> str:
        """The regular expression with `patterns` in place of some numbers; the others are those of the first array."""
        numbers = next(iter(self.members))
        parts = [_escaped(self.texts[0])]
        for place, text in enumerate(self.texts[1:]):
            parts += [patterns.get(place, numbers[place]), _escaped(text)]
        return "".join(parts)

    def group(self, place: int) -> str:
        """The name of the group of a number; that of the series is i."""
        order = [self.main, *(other for other in self.varying if other != self.main)]
        return _GROUPS[[other for other in order if other is not None].index(place)]

    def numbers(self) -> list[int]:
        """The numbers of the series, sorted; empty where there is none."""
        return sorted({int(key[self.main]) for key in self.members}) if self.main is not None else []

    def name(self, common: int) -> str:
        """What is left of the path as a name, with `{j}` for further numbers; the first `common` steps are left out."""
        numbers, dropped = next(iter(self.members)), hints()["dropped"]
        marked = "".join(f"{text}\0{place}\0" for place, text in enumerate(self.texts[:-1])) + self.texts[-1]
        steps = [_FILE.sub("", step) for step in marked.split("/")[1 + common :]]
        tokens = [token for step in steps for token in _TOKEN.findall(step)]
        words: list[str] = []
        for (word, mark), (_, after) in pairwise([*tokens, ("", "")]):
            is_stem = after != "" and int(after) == self.main and meaning(word.lower(), hints()["series"]) is not None
            if word and not is_stem and word.lower() not in dropped:
                words.append(plain(word))
            elif mark and int(mark) != self.main:
                number = f"{{{self.group(int(mark))}}}" if int(mark) in self.varying else numbers[int(mark)]
                words[-1:] = [f"{words[-1] if words else 'number'}{number}"]
        return "_".join(words)


def families(items: Iterable[Item]) -> list[Family]:
    """The families of arrays, in the order of their paths."""
    alike: dict[tuple[tuple[str, ...], int], dict[tuple[str, ...], Item]] = {}
    for item in items:
        parts = _NUMBER.split(item.path)
        key = (tuple(parts[::2]), len(item.shape))
        alike.setdefault(key, {})[tuple(parts[1::2])] = item
    return [family for (texts, _), members in alike.items() for family in _split(texts, members)]


def _split(texts: tuple[str, ...], members: dict[tuple[str, ...], Item]) -> Iterator[Family]:
    """One family where all have one shape; else one for each value of the fewest numbers that make it so."""
    places = range(len(texts) - 1)
    for count in (*range(min(len(texts), MAX_FIXED + 1)), len(texts) - 1):
        for fixed in combinations(places, count):
            found: dict[tuple[str, ...], dict[tuple[str, ...], Item]] = {}
            for numbers, item in members.items():
                found.setdefault(tuple(numbers[place] for place in fixed), {})[numbers] = item
            if all(_is_uniform(part.values()) for part in found.values()):
                split = [_family(texts, part, fixed) for part in found.values()]
                _scope(split, fixed)
                yield from split
                return


def _scope(split: Sequence[Family], fixed: Sequence[int]) -> None:
    """Note the size in which families differ, where it is one, and the label of each: `prompt_0` and `prompt_1`."""
    shapes = [family.first.shape for family in split]
    differ = [number for number, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if len(fixed) == 1 and differ and all(len({shape[number] for number in differ}) == 1 for shape in shapes):
        clearest = max(split, key=lambda family: len(set(family.first.shape)))
        for family in split:
            family.clearest = clearest
            word = _LAST_WORD.search(family.texts[fixed[0]])
            number = next(iter(family.members))[fixed[0]]
            family.sequence = family.first.shape[differ[0]]
            family.scope = f"{plain(word[1]) if word else 'number'}_{number}"


def _is_uniform(items: Iterable[Item]) -> bool:
    return len({(item.shape, _kind(item.dtype)) for item in items}) == 1


def _kind(dtype: str) -> str:
    return dtype.rstrip("0123456789").removeprefix("b").removeprefix("u")


def _family(texts: tuple[str, ...], members: dict[tuple[str, ...], Item], fixed: Sequence[int]) -> Family:
    found = Family(texts, dict(sorted(members.items(), key=lambda pair: [int(number) for number in pair[0]])))
    stems = {place: _stem(texts, place) for place in range(len(texts) - 1) if place not in fixed}
    varying = {place for place in stems if len({numbers[place] for numbers in members}) > 1}
    known = {place for place, (stem, is_known) in stems.items() if is_known and stem == next(iter(hints()["series"]))}
    found.varying = tuple(sorted(varying | known))[: len(_GROUPS)]
    if found.varying:
        layers = [place for place in found.varying if place in known]
        found.main = layers[0] if layers else found.varying[-1]
        found.stem, is_known = stems[found.main]
        if not is_known:
            found.doubts.append(f"the number is taken for that of a {found.stem}")
    return found


def _stem(texts: Sequence[str], place: int) -> tuple[str, bool]:
    """What a number counts, by the word before it, and whether that word is known."""
    word = _LAST_WORD.search(texts[place])
    found = None if word is None else meaning(word[1].lower(), hints()["series"])
    return (found, True) if found else (next(iter(hints()["series"])), False)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", text)
