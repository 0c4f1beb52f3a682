"""Slips in a table: every row, column, name and number of it dropped or misspelt in turn. Texts are left aside.

`python -P -m vizschema.conformance.strength.slips [PROFILE [EVERY]]` makes all of one profile or of all, or every so
many-th one, and prints those that nothing notices; it exits with 1 if there are any. The tests make a sample.
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vizschema.conformance.corpus.cases import Case, corpus, described
from vizschema.conformance.strength.equivalence import Found, findings
from vizschema.description import Description
from vizschema.errors import SpecError, UsageError
from vizschema.rules import versions
from vizschema.rules.versions import Profile

Document = dict[str, Any]

_TEXTS = frozenset({"title", "why", "fix", "of", "note", "recognized_by", "profile", "part", "spec", "id"})
"""What no finding depends on but in its words, or what says which table it is."""


class Slip(NamedTuple):
    """A table with one slip, and the slip in words."""

    name: str
    table: Document


def slips(table: Document) -> Iterator[Slip]:
    """Every slip of `table` (as TOML is parsed), in its order."""
    for place in _places(table, ()):
        where = " ".join(map(str, place))
        yield Slip(f"drop {where}", _changed(table, place, drop=True))
        if isinstance(place[-1], str):
            yield Slip(f"misspell {where}", _changed(table, place, name=_misspelt(place[-1])))
        value = _at(table, place)
        for number, other in enumerate(_others(value)):
            yield Slip(f"change {number} {where} to {other}", _changed(table, place, value=other))


def toml(table: Document) -> str:
    """A table as TOML, its values on one line each."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _places(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The places of everything in `value` that a slip can be in."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in members:
        if key not in _TEXTS:
            yield (*place, key)
            yield from _places(item, (*place, key))


def _others(value: Any) -> Iterator[Any]:
    """What may stand in place of a value by a slip: each word misspelt or left out, a number one larger."""
    if isinstance(value, str):
        words = value.split()
        for number, word in enumerate(words):
            yield " ".join([*words[:number], _misspelt(word), *words[number + 1 :]])
            if len(words) > 1:
                yield " ".join([*words[:number], *words[number + 1 :]])
    elif isinstance(value, int | float):
        yield value + 1


def _misspelt(word: str) -> str:
    """`word` with two of its letters swapped, or one letter more where they are the same."""
    place = next((index for index in range(len(word) - 1, 1, -1) if _letters(word, index)), None)
    if place is None:
        return f"{word}x"
    return word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]


def _letters(word: str, index: int) -> bool:
    return word[index - 1 : index + 1].isalpha() and word[index] != word[index - 1]


def _at(table: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        table = table[key]
    return table


def _changed(
    table: Document, place: tuple[str | int, ...], *, value: Any = None, name: str | None = None, drop: bool = False
) -> Document:
    changed = copy.deepcopy(table)
    owner, key = _at(changed, place[:-1]), place[-1]
    if drop:
        del owner[key]
    elif name is not None:
        items = {name if each == key else each: item for each, item in owner.items()}
        owner.clear()
        owner.update(items)
    else:
        owner[key] = value
    return changed


class Witnesses:
    """What notices slips in the table of a profile, or of a part of it: the build, else the findings in the corpus."""

    def __init__(self, version: str, profile: str, cases: Sequence[Case], folder: Path) -> None:
        """`folder` is an empty one, for a copy of the version."""
        self._profile = versions.load(version).profile(profile)
        self._top, self._copy = folder, folder / version
        for each in versions.versions():  # one may build on another
            shutil.copytree(versions.root() / each, folder / each)
        self._cases = [case for case in cases if case.profile == profile and case.has_document]
        self._expected: dict[str, tuple[Description, Found]] = {}

    def notice(self, slip: Slip, part: str | None = None) -> str | None:
        """What building says of a slip (of `part`, if named), or the rule or case that shows it; None for nothing."""
        try:
            profile = self._slipped(slip, part)
        except SpecError as error:
            return str(error)
        worded = [rule for rule in profile.rules.values() if rule != self._profile.rules.get(rule.id, rule)]
        if worded:
            return f"rule {worded[0].id} in other words"
        if profile.views != self._profile.views:
            return "the views are others"
        changed = _rules_changed(self._profile, profile)
        measured = profile.facts != self._profile.facts
        for case in sorted(self._cases, key=lambda each: each.rule not in changed):
            if case.name not in self._expected:
                self._expected[case.name] = self._found(case, self._profile)
            description, found = self._expected[case.name]
            if self._again(case, description, profile, measured=measured) != found:
                return f"case {case.name}"
        return None

    def _again(self, case: Case, description: Description, profile: Profile, *, measured: bool) -> Found | None:
        """What a slipped profile finds in a case; None where it measures nothing that the case is about."""
        try:
            return self._found(case, profile)[1] if measured else findings(description, profile)
        except UsageError:  # the case changes a fact that is not there
            return None

    def _found(self, case: Case, profile: Profile) -> tuple[Description, Found]:
        values = profile if case.values else None
        description = described(case.document(), case.containers[0], case.described, values)
        return description, findings(description, profile)

    def _slipped(self, slip: Slip, part: str | None) -> Profile:
        homes = [self._profile.name] if part is None else [f"parts/{part}", self._profile.name]
        place = self._copy / homes[0] / "table.toml"
        original = place.read_text("utf-8")
        place.write_text(toml(slip.table), "utf-8")
        try:
            for home in homes:
                for name, document in versions.built_at(self._copy / home, self._profile.version, self._top).items():
                    (self._copy / home / name).write_text(json.dumps(document), "utf-8")
            return versions.profiles_in(self._copy)[self._profile.name]
        finally:
            place.write_text(original, "utf-8")


def _rules_changed(old: Profile, new: Profile) -> set[str]:
    """The rules whose schemas differ, or that only one of two profiles has."""
    before, after = ({each["$anchor"]: each for each in _rules(list(side.documents.values()))} for side in (old, new))
    return {rule for rule in {*before, *after} if before.get(rule) != after.get(rule)}


def _rules(schema: Any) -> Iterator[Document]:
    if isinstance(schema, dict) and "$anchor" in schema:
        yield schema
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _rules(value)


TABLES = (
    ("1.0.0", "mnist", "classifier"),
    ("1.0.0", "mnist", None),
    ("1.0.0", "vit", None),
    ("1.0.0", "openfold", None),
    ("1.1.0", "lm", None),
)
"""Every table: its version, a profile that it is of, and the part that it is, if it is one."""


def unnoticed(version: str, profile: str, part: str | None, folder: Path, every: int = 1) -> tuple[int, list[str]]:
    """How many slips of a table were made, every so many-th one, and the names of those that nothing notices.

    `folder` is an empty one, for a copy of the versions.
    """
    witnesses = Witnesses(version, profile, corpus(version), folder)
    home = profile if part is None else f"parts/{part}"
    table = tomllib.loads((versions.root() / version / home / "table.toml").read_text("utf-8"))
    made = list(slips(table))[::every]
    return len(made), [slip.name for slip in made if witnesses.notice(slip, part) is None]


def main(only: str = "", every: str = "1") -> int:
    """Print the slips that nothing notices, by table."""
    found = 0
    for version, profile, part in TABLES:
        if only in ("", part or profile):
            with tempfile.TemporaryDirectory() as folder:
                made, missed = unnoticed(version, profile, part, Path(folder), int(every))
            found += len(missed)
            print(f"{part or profile} {version}: {made} slips, {len(missed)} of them unnoticed", *missed, sep="\n  ")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
