"""Two versions of the spec, or of a profile, compared rule by rule; and the step that the differences make.

Where it is unknown whether an archive may stop conforming (a pattern, a condition), it is counted as if one might.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from vizschema.rules.assertions import NAMES, Assertion, Flat, Place, profiles_of
from vizschema.rules.documents import root
from vizschema.rules.profiles import TABLE, is_profile, profiles_in, stated, table_at, vocabulary_of, words_of
from vizschema.rules.tables.changes import Ruled, differences, ruled
from vizschema.rules.tables.table import Table
from vizschema.rules.versions import default, load, versions

Kind = Literal["added", "dropped", "tightened", "loosened", "reworded"]
KINDS: tuple[Kind, ...] = ("added", "dropped", "tightened", "loosened", "reworded")
STEPS = ("none", "patch", "minor", "major")
"""From no change to one after which an archive may stop conforming."""


_SOURCES = ("facts.json", "table.toml", "also.json")
"""What is compared rule by rule, or is what the rules are built from."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: of a rule (or of a whole profile or file), by its keyword, with the step that it makes."""

    kind: Kind
    subject: str
    detail: str
    step: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared: its name, its version where it has one, its profiles, and the digests of its other files."""

    name: str
    version: str | None
    profiles: Mapping[str, Flat]
    files: Mapping[str, bytes] = field(repr=False)
    tables: Mapping[str, Ruled] = field(repr=False)
    """The tables of profiles and parts by their names; of one profile that is a side, by no name."""


def side(version_or_folder: str) -> Side:
    """The installed version of this name, or the version or profile in this folder; raises `SpecError` for neither."""
    installed = version_or_folder in versions()
    folder = load(version_or_folder).folder if installed else Path(version_or_folder)
    profiles = profiles_of(folder)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".schema.json", *_SOURCES))
    }
    return Side(version_or_folder, _version(folder), profiles, {**_inherited(folder), **files}, _tables(folder))


def _inherited(folder: Path) -> dict[str, bytes]:
    """The files that a version has from the one that it builds on, where it refers to that one's `trace`."""
    own = folder / "trace" / "facts.json"
    bases = json.loads(own.read_bytes()).get("extends", ()) if own.is_file() else ()
    found: dict[str, bytes] = {}
    for base in bases:
        found |= side(stated(root(), folder.name, base).parent.name).files
    return found


def _tables(folder: Path) -> dict[str, Ruled]:
    if not is_profile(folder):
        words = vocabulary_of(profiles_in(folder)["trace"])
        return {table.name: ruled(table, words) for table in _tables_of(folder.resolve())}
    profile = default().profile(str(folder))
    if profile.table is None:
        return {}
    table = table_at(profile.table, profile.version)
    own = {part.name: part.table for part in table.all_parts() if not part.is_shipped}
    return {name: ruled(each, words_of(profile.version)) for name, each in {**own, "": table}.items()}


def _tables_of(folder: Path) -> list[Table]:
    """The tables of a version: its own, and those of profiles that it has from the one it builds on."""
    own = [path.parent for path in sorted(folder.rglob(TABLE))]
    tables = [table_at(place, folder.name, folder.parent) for place in own]
    inherited = {path.parent.name for path in folder.glob("*/must.schema.json")} - {table.name for table in tables}
    places = [stated(root(), folder.name, f"{name}/{TABLE}") for name in sorted(inherited)]
    above = [table_at(place, folder.name) for place in places if place.is_file()]
    found = {table.base: table for table in above}
    found |= {part.table.base: part.table for table in above for part in table.all_parts()}
    return [*tables, *(table for table in found.values() if table.name not in {each.name for each in tables})]


def _version(folder: Path) -> str | None:
    """The version that a folder says it is: by its name, or by the `$id` of what is in it."""
    named = re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", folder.resolve().name)
    if named:
        return named[0]
    for path in sorted(folder.glob("*/must.schema.json")):
        stated = re.search(r"/spec/([0-9]+\.[0-9]+\.[0-9]+)/", json.loads(path.read_bytes()).get("$id", ""))
        if stated:
            return stated[1]
    return None


def compare(old: Side, new: Side) -> list[Change]:
    """Every difference once, the gravest first, then by kind and rule."""
    found: set[Change] = set()
    only = next(iter(old.profiles)) if len(old.profiles) == len(new.profiles) == 1 else None
    for name in sorted({*old.profiles, *new.profiles}) if only is None else [only]:
        before = old.profiles.get(name)
        after = new.profiles.get(name) if only is None else next(iter(new.profiles.values()))
        if before is None or after is None:
            kind: Kind = "added" if before is None else "dropped"
            found.add(Change(kind, f"profile {name}", "", "minor" if before is None else "major"))
        else:
            key = name if only is None else ""
            tables = (
                [*old.tables.values(), *new.tables.values()] if key in old.tables.keys() & new.tables.keys() else []
            )
            found.update(_rules(*(_beside(flat, tables) for flat in (before, after))))
    for name in sorted(old.tables.keys() & new.tables.keys()):
        changed = differences(old.tables[name], new.tables[name])
        found.update(Change(cast(Kind, each.kind), *each[1:], new.tables[name].table.name) for each in changed)
    for name in sorted({*old.files, *new.files}):
        if old.files.get(name) != new.files.get(name):
            found.add(Change("reworded", name, "", "patch"))
    return sorted(found, key=_rank)


def _beside(flat: Flat, tables: Sequence[Ruled]) -> Flat:
    """What of a profile is compared by its schemas: all of it, or where there are tables the rules beside them."""
    if not tables:
        return flat
    own = {each.table.name for each in tables}
    judged = {name for each in tables for name in each.judges}
    rules = {name: rule for name, rule in flat.rules.items() if rule.profile in own and name not in judged}
    world = ("nodes", NAMES)  # which nodes there may be
    kept = frozenset(each for each in flat.assertions if each.rule in rules or each.place == world)
    return Flat(kept, rules, frozenset())


def _rank(change: Change) -> tuple[int, int, str, str]:
    return -STEPS.index(change.step), KINDS.index(change.kind), change.subject, change.detail


def step(changes: Iterable[Change]) -> str:
    """The largest step among `changes`."""
    return max((change.step for change in changes), key=STEPS.index, default="none")


def claimed(old: str, new: str) -> str:
    """The step that the numbers of two versions claim; raises `ValueError` where the second is the earlier one."""
    before, after = (tuple(int(part) for part in version.split(".")) for version in (old, new))
    if after < before:
        raise ValueError(f"{new} comes before {old}")
    for place, name in enumerate(("major", "minor", "patch")):
        if before[place] != after[place]:
            return name
    return "none"


def _rules(old: Flat, new: Flat) -> Iterator[Change]:
    for name in sorted({*old.rules, *new.rules}):
        before, after = (_of(flat, name) for flat in (old, new))
        severity = next((each.severity for each in (*after, *before)), "error")
        profile = (new.rules.get(name) or old.rules[name]).profile
        if name not in old.rules or name not in new.rules:
            kind: Kind = "added" if name not in old.rules else "dropped"
            unknown = kind == "added" and all(_about_a_new_node(old, each.place) for each in after)
            yield Change(kind, name, severity, _step(kind, severity, about_a_new_node=unknown), profile)
            continue
        yield from (
            Change(kind, name, detail, _step(kind, severity, about_a_new_node=new_node), profile)
            for kind, detail, new_node in _differences(old, before, after)
        )
        severities = [{each.severity for each in side} for side in (before, after)]
        if all(severities) and severities[0] != severities[1]:
            raised = "error" in severities[1] - severities[0]
            yield Change(
                "tightened" if raised else "loosened",
                name,
                "warning → error" if raised else "error → warning",
                "major" if raised else "minor",
                profile,
            )
        if (old.rules[name].title, old.rules[name].description) != (new.rules[name].title, new.rules[name].description):
            yield Change("reworded", name, "title or description", "patch", profile)
    yield from _facts(old, new)


def _of(flat: Flat, rule: str) -> list[Assertion]:
    return sorted(
        (each for each in flat.assertions if each.rule == rule), key=lambda each: (each.place, each.keyword, each.value)
    )


def _step(kind: Kind, severity: str, *, about_a_new_node: bool = False) -> str:
    return "major" if severity == "error" and kind in ("added", "tightened") and not about_a_new_node else "minor"


def _differences(old: Flat, before: list[Assertion], after: list[Assertion]) -> Iterator[tuple[Kind, str, bool]]:
    """(kind, detail, whether it is about a node that the old version did not allow) of each changed assertion."""
    grouped: dict[tuple[Place, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for index, side in enumerate((before, after)):
        for each in side:
            grouped[each.place, each.keyword][index].add(each.value)
    for (place, keyword), (was, now) in sorted(grouped.items()):
        lost, gained = sorted(was - now), sorted(now - was)
        new_node = _about_a_new_node(old, place)
        where = f" at {_shown(' / '.join(place)) or 'the description'}"
        if len(lost) == len(gained) == 1:
            kind = _direction(keyword, json.loads(lost[0]), json.loads(gained[0]))
            yield kind, f"{keyword} {_shown(lost[0])} → {_shown(gained[0])}{where}", new_node
            continue
        for value in lost:
            yield "loosened", f"{keyword} {_shown(value)} no longer{where}", new_node
        for value in gained:
            yield "tightened", f"{keyword} {_shown(value)} now{where}", new_node


def _shown(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:80]}…{text[-39:]}"


def _direction(keyword: str, old: Any, new: Any) -> Kind:
    """Whether a changed value lets more through, as far as that is known; otherwise tightened."""
    return "loosened" if _LOOSER.get(keyword, lambda *_: False)(old, new) else "tightened"


def _fewer(old: list[Any], new: list[Any]) -> bool:
    return all(item in old for item in new)


def _more(old: list[Any], new: list[Any]) -> bool:
    return all(item in new or (item == "integer" and "number" in new) for item in old)


_LOOSER: Mapping[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), lambda old, new: new < old),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxItems", "maxProperties"), lambda old, new: new > old),
    **dict.fromkeys(("enum", "type"), _more),
    "required": _fewer,
}


def _about_a_new_node(old: Flat, place: Place) -> bool:
    """Whether `place` lies in a node of one name that the closed world of the old version did not allow."""
    if len(place) < 2 or place[0] != "nodes" or not place[1].startswith("/"):
        return False
    return not _allowed(old, place[1])


def _allowed(old: Flat, name: str) -> bool:
    patterns = (
        json.loads(each.value)
        for each in old.assertions
        if each.place == ("nodes", NAMES) and each.keyword == "pattern" and each.severity == "error"
    )
    return all(re.search(pattern, name) for pattern in patterns)


def _facts(old: Flat, new: Flat) -> Iterator[Change]:
    for text in sorted(new.facts - old.facts):
        at = re.fullmatch(r"\^(/[a-z0-9_/]+)\$", json.loads(text).get("at", ""))
        new_node = at is not None and not _allowed(old, at[1])
        yield Change("tightened", "facts.json", f"measures {_shown(text)}", "minor" if new_node else "major")
    for text in sorted(old.facts - new.facts):
        yield Change("loosened", "facts.json", f"no longer measures {_shown(text)}", "minor")
