"""How to break what is asked of families of numbered nodes: by names, counts, kinds and dtypes of their members."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import add, attribute, move, no_attribute, put
from vizschema.conformance.generator.break_nodes import PLAIN, plain
from vizschema.conformance.generator.changes import Breaker, Change, Target, change, pruned, released, removed
from vizschema.conformance.generator.constraints import asked
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.nodes import DTYPES
from vizschema.description import parent_of


def _family(target: Target) -> list[str]:
    """The paths of the members, in order."""
    start = re.escape(target.path)
    return sorted(name for name in target.base.nodes if re.fullmatch(f"{start}_[0-9]+", name))


def _count_of(target: Target) -> tuple[str, str]:
    """The group of a family, and its attribute that counts it."""
    return parent_of(target.path), f"num_{target.path.rpartition('/')[2]}s"


def _declared(target: Target) -> int | None:
    group, name = _count_of(target)
    count: int | None = target.base.nodes.get(group, {}).get("attributes", {}).get(name)
    return count


def _renumbered(target: Target) -> Iterator[Change]:
    """A member whose number has one digit."""
    members = _family(target)
    if members and (target.at.keyword == "minimum") is (len(members) == 1):
        last = members[-1]
        short = f"{target.path}_{int(last.rpartition('_')[2])}"
        yield change(move(last, short), released(last), also=target.base.rules("nodes/(names)"))


def _missing(target: Target) -> Iterator[Change]:
    count = _declared(target)
    if not _family(target):
        yield from _elsewhere(target)
    if count is not None and _family(target):
        yield change(attribute(*_count_of(target), count + 1))
    if len(_family(target)) > 1:
        gone = target.base.below(_family(target)[0])
        yield change(removed(*gone), released(*gone), also=target.base.demands)


def _undeclared(target: Target) -> Iterator[Change]:
    if _declared(target):
        yield change(attribute(*_count_of(target), len(_family(target)) - 1))


def _dtypes(target: Target) -> Iterator[Change]:
    members = _family(target)
    if len(members) < 2:
        return
    path = members[-1]
    if len(target.at.place) > 3:
        path = f"{path}/{target.at.place[3]}"
    node = target.base.nodes.get(path)
    if node is None or node["kind"] != "array":
        return
    for dtype in DTYPES:
        if dtype != node["dtype"] and not target.base.violated(("nodes", path, "dtype"), dtype):
            also = target.base.rules("nodes/*/facts", path=path)
            yield change(released(path), put(path, "dtype", dtype), put(path, "contents", PLAIN), also=also)


def _kinds(target: Target) -> Iterator[Change]:
    members = _family(target)
    if len(members) > 1:
        path, also = members[-1], target.base.rules("nodes/*/kind", "series/") | target.base.demands
        if target.base.nodes[path]["kind"] == "array":
            group = add(path, {"kind": "group", "attributes": {}})
            yield change(released(path), group, add(f"{path}/x", plain(target.profile, f"{path}/x")), also=also)
        else:
            gone = target.base.below(path)
            yield change(removed(*gone), released(*gone), add(path, plain(target.profile, path)), also=also)


def _absent_member(target: Target) -> Iterator[Change]:
    members = _family(target)
    if len(members) > 1:
        gone = target.base.below(f"{members[-1]}/{target.at.place[3]}")
        if gone and len(target.base.children(members[-1])) > 1:
            yield change(removed(*gone), released(*gone), also=target.base.demands)


def _uncounted(target: Target) -> Iterator[Change]:
    if _declared(target) is not None and _family(target):
        group, name = _count_of(target)
        if target.at.keyword == "not":
            yield change(no_attribute(group, name), attribute("/metadata", name, len(_family(target))))
        elif _judged_uncounted(target):
            yield change(no_attribute(group, name))


def _judged_uncounted(target: Target) -> bool:
    """Whether the rule is about the family without its count, too, as about those of known stems."""
    described = target.base.description
    series = {**described["series"][target.path], "declared": None, "declared_by": None}
    known = {**described, "series": {**described["series"], target.path: series}}
    found = asked(target.base.archive.profile, target.at.place, known)
    return any(each.rule == target.at.rule for each in found)


def _elsewhere(target: Target) -> Iterator[Change]:
    """A group that counts what it does not hold."""
    if not _family(target) and target.base.children(parent_of(target.path)):
        yield change(attribute(*_count_of(target), 1))


def _gone(target: Target) -> Iterator[Change]:
    """None of the members of a family that has to be there, and nobody who counts them."""
    for name in target.at.value:
        members = [path for path in target.base.nodes if re.fullmatch(f"{re.escape(name)}_[0-9]+", path)]
        gone = pruned(target.base, *members)
        group, count = parent_of(name), f"num_{name.rpartition('/')[2]}s"
        left = (
            [] if group in gone or count not in target.base.nodes[group]["attributes"] else [no_attribute(group, count)]
        )
        if members:
            yield change(*left, removed(*gone), released(*gone), also=target.base.demands)


def _none(target: Target) -> Iterator[Change]:
    """A count of 0, and no member."""
    members = [path for each in _family(target) for path in target.base.below(each)]
    if members and _declared(target) is not None:
        yield change(removed(*members), released(*members), attribute(*_count_of(target), 0), also=target.base.demands)


BREAKS: dict[tuple[str, str], Breaker] = {
    ("series", "required"): _gone,
    ("series/*/indices", "minItems"): _none,
    ("series/*/digits", "maxItems"): _renumbered,
    ("series/*/digits/[]", "minimum"): _renumbered,
    ("series/*/missing", "maxItems"): _missing,
    ("series/*/undeclared", "maxItems"): _undeclared,
    ("series/*/dtypes", "maxItems"): _dtypes,
    ("series/*/members/*/dtypes", "maxItems"): _dtypes,
    ("series/*/members/*/absent", "maxItems"): _absent_member,
    ("series/*/kinds", "not"): _kinds,
    ("series/*/declared_by", "type"): _uncounted,
    ("series/*/declared_by", "not"): _uncounted,
}


def stems(pattern: str, group: str) -> list[str]:
    """Names of families below `group` that `pattern` matches."""
    language = Language((pattern, f"^{re.escape(group)}/[a-z]+$"))
    return [] if language.empty else [language.shortest()]
