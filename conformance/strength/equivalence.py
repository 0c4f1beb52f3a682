"""Whether two folders of a version find the same: every description of the corpus, and mutations of them, by both.

A finding is its severity, rule, path and pointer; words are left aside.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from vizschema.conformance.corpus.cases import Case
from vizschema.description import ITEM_BYTES, REASONS, Description, complete
from vizschema.rules.judge import Fault, faults_of
from vizschema.rules.versions import Profile, profiles_in
from vizschema.rules.wording import place_of

Found = tuple[tuple[str, str, str, str], ...]
"""Findings: (severity, rule, path, pointer) of each, sorted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A description of which the two find different things."""

    profile: str
    origin: str
    only_old: Found
    only_new: Found


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many descriptions were judged by both, how many with findings, and where the findings differ."""

    judged: int
    with_findings: int
    differences: tuple[Difference, ...]


def compare(
    old: Path, new: Path, cases: Sequence[Case], *, mutated: int, seed: int, profiles: Sequence[str] = ()
) -> Comparison:
    """The comparison of two folders by `cases`, and by `mutated` of their descriptions; of all profiles, or of some."""
    sides = profiles_in(old), profiles_in(new)
    names = [name for name in sides[0] if name in sides[1] and (not profiles or name in profiles)]
    judged = with_findings = 0
    differences = []
    for name, origin, description in subjects(cases, names, mutated=mutated, seed=seed):
        before, after = (findings(description, side[name]) for side in sides)
        judged += 1
        with_findings += bool(before)
        if before != after:
            only = (
                tuple(each for each in one if each not in other) for one, other in ((before, after), (after, before))
            )
            differences.append(Difference(name, origin, *only))
    return Comparison(judged, with_findings, tuple(differences))


def findings(description: Description, profile: Profile) -> Found:
    """What a profile finds in a description."""
    return found_of(description, faults_of(description, profile))


def found_of(description: Description, faults: Sequence[Fault]) -> Found:
    """The findings that settled faults are."""
    return tuple(
        sorted(
            (each.rule.severity, each.rule.id, place_of(description, each.instance, each.name), each.pointer)
            for each in faults
        )
    )


def subjects(
    cases: Sequence[Case],
    names: Sequence[str],
    *,
    mutated: int,
    seed: int,
    taken: Callable[[str], bool] = lambda _: True,
) -> Iterator[tuple[str, str, Description]]:
    """(profile, where it is from, description): of every case in every container, then so many mutated ones.

    Those of which the origin is not `taken` are left out.
    """
    described = [case for case in cases if case.profile in names and case.has_document]
    for case in described:
        for container in case.containers:
            origin = f"{case.name} in {container}"
            if taken(origin):
                yield case.profile, origin, case.description(container)
    for number in range(mutated if described else 0):
        chance = random.Random(f"{seed} {number}")  # noqa: S311  (seeded, so that each can be had again)
        case = chance.choice(described)
        container = chance.choice(case.containers)
        origin = f"mutation {number} of {case.name}"
        if taken(origin):
            yield case.profile, origin, mutation(case.description(container), chance)


def mutation(description: Description, chance: random.Random) -> Description:
    """A copy of `description` after one to four random changes, its derived parts measured again, then changed too."""
    copy = orjson.loads(orjson.dumps(description))
    for _ in range(chance.randint(1, 4)):
        nodes = {path: node for path, node in copy["nodes"].items() if node["kind"] in ("group", "array")}
        chance.choice(_NODES)(copy["nodes"], chance.choice(list(nodes)), chance) if nodes else None
    copy = complete(copy["container"], copy["nodes"], copy["values"])
    for _ in range(chance.randint(0, 2)):
        chance.choice(_DERIVED)(copy, chance)
    return copy


Nodes = dict[str, Any]


def _kind(nodes: Nodes, path: str, chance: random.Random) -> None:
    reason = chance.choice([name for name, kind in REASONS.items() if kind in ("unreadable", "link", "object")])
    nodes[path] = {"kind": REASONS[reason], "reason": reason, "detail": "changed"}


def _swap(nodes: Nodes, path: str, chance: random.Random) -> None:
    """An array in place of a group, or a group in place of an array."""
    wanted = "array" if nodes[path]["kind"] == "group" else "group"
    nodes[path] = chance.choice([node for node in nodes.values() if node["kind"] == wanted] or [nodes[path]])


def _drop(nodes: Nodes, path: str, _: random.Random) -> None:
    if path != "/":
        for inner in [each for each in nodes if each == path or each.startswith(f"{path}/")]:
            del nodes[inner]


def _rename(nodes: Nodes, path: str, chance: random.Random) -> None:
    """Another name for a node, and so other paths of what is below it."""
    if path == "/":
        return
    parent, _, name = path.rpartition("/")
    others = [each.rpartition("/")[2] for each in nodes if each != "/"]
    new = f"{parent}/{chance.choice([name + 's', name[:-1] or 'x', name.upper(), f'{name}_00', 'extra', *others])}"
    for inner in [each for each in nodes if each == path or each.startswith(f"{path}/")]:
        nodes.setdefault(new + inner[len(path) :], nodes[inner])
        del nodes[inner]


def _number(nodes: Nodes, path: str, chance: random.Random) -> None:
    """Another number of a member of a series."""
    stem, mark, digits = path.rpartition("_")
    if mark and digits.isdecimal():
        _move(nodes, path, f"{stem}_{chance.choice(['0', '3', '07', '000', '0' * 10, '12'])}")


def _move(nodes: Nodes, path: str, new: str) -> None:
    for inner in [each for each in nodes if each == path or each.startswith(f"{path}/")]:
        nodes.setdefault(new + inner[len(path) :], nodes[inner])
        del nodes[inner]


def _axes(nodes: Nodes, path: str, chance: random.Random) -> None:
    node = nodes[path]
    if node["kind"] != "array":
        return
    axes = list(node["axes"] or ())
    known = sorted({axis for each in nodes.values() for axis in each.get("axes") or () if axis is not None})
    change = chance.randrange(6)
    if change == 0:
        chance.shuffle(axes)
    elif change == 1 and axes and known:
        axes[chance.randrange(len(axes))] = chance.choice([*known, None, "Bad", "other", "token:query"])
    elif change == 2 and axes:
        del axes[-1], node["shape"][-1]
    elif change == 3 and known:
        axes.append(chance.choice(known))
        node["shape"].append(chance.randint(0, 4))
    elif change == 4 and axes:
        node["shape"][chance.randrange(len(axes))] += chance.choice([-1, 1, 7])
    node["axes"] = None if change == 5 else axes
    node["shape"] = [max(size, 0) for size in node["shape"]]


def _dtype(nodes: Nodes, path: str, chance: random.Random) -> None:
    if nodes[path]["kind"] == "array":
        nodes[path]["dtype"] = chance.choice([*ITEM_BYTES, "string", "object"])


def _facts(nodes: Nodes, path: str, chance: random.Random) -> None:
    """Another value of a fact, none, or no fact."""
    facts = nodes[path].get("facts")
    if not facts:
        return
    name = chance.choice(list(facts))
    if chance.random() < 0.3:
        del facts[name]
    elif isinstance(facts[name], int | float | None) and not isinstance(facts[name], bool):
        facts[name] = chance.choice([None, 0, 1, 2, -1, 0.5, 1.005, 1.02, 64, 65, 90, 91, 100, 100.5, 3000])


def _attributes(nodes: Nodes, path: str, chance: random.Random) -> None:
    attributes = nodes[path]["attributes"]
    if attributes and chance.random() < 0.5:
        del attributes[chance.choice(list(attributes))]
    else:
        name = chance.choice(["num_layers", "partial", "anchor", "source", "num_recycles", "complete"])
        attributes[name] = chance.choice([0, 1, 3, True, False, "mean", "softmax", -1, 1.5, ["a"], None])


_NODES: tuple[Callable[[Nodes, str, random.Random], None], ...] = (
    *(_kind, _swap, _drop, _rename, _number, _axes, _dtype, _facts, _facts, _attributes),
)


def _values(description: Description, chance: random.Random) -> None:
    description["values"] = chance.choice(["read", "partial", "not_read"])


def _members(description: Description, chance: random.Random) -> None:
    groups = [node for node in description["nodes"].values() if node["kind"] == "group"]
    if groups:
        chance.choice(groups)["members"] = chance.randint(0, 3)


def _series(description: Description, chance: random.Random) -> None:
    """A field of a series changed, or a series that is gone."""
    if not description["series"]:
        return
    name = chance.choice(list(description["series"]))
    series = description["series"][name]
    field = chance.choice(["indices", "missing", "partial", "siblings", "declared", "undeclared", "gone"])
    if field == "gone":
        del description["series"][name]
    elif field in ("partial",):
        series[field] = not series[field]
    else:
        series[field] = chance.choice([0, 1, 2]) if field in ("siblings", "declared") else chance.choice([[], [0], [3]])


def _sizes(description: Description, chance: random.Random) -> None:
    """A second size of an axis, or another one."""
    if description["axes"]:
        sizes = description["axes"][chance.choice(list(description["axes"]))]
        seen = sizes.pop(next(iter(sizes))) if chance.random() < 0.5 else next(iter(sizes.values()))
        sizes[str(chance.randint(0, 9))] = seen


_DERIVED: tuple[Callable[[Description, random.Random], None], ...] = (_values, _members, _series, _sizes)


def lines_of(result: Comparison, shown: int = 20) -> Iterator[str]:
    """A comparison in words."""
    yield f"{result.judged} descriptions judged, {result.with_findings} with findings, {len(result.differences)} differ"
    for each in itertools.islice(result.differences, shown):
        yield f"{each.profile}: {each.origin}"
        yield from (f"  only old: {' '.join(found)}" for found in each.only_old)
        yield from (f"  only new: {' '.join(found)}" for found in each.only_new)
    if len(result.differences) > shown:
        yield f"and {len(result.differences) - shown} more"
