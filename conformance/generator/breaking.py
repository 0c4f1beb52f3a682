"""The strategy `broken_archives`: an archive that conforms, and one change of it, drawn last, that breaks one rule."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from vizschema import description
from vizschema.conformance.corpus.breaks.edits import Edit
from vizschema.conformance.corpus.documents import describe_document
from vizschema.conformance.generator import break_attributes, break_nodes, break_series, break_values
from vizschema.conformance.generator.applied import Applied, applied, wishes
from vizschema.conformance.generator.break_series import stems
from vizschema.conformance.generator.changes import Base, Breaker, Change, Target
from vizschema.conformance.generator.constraints import NAMES, UNKNOWN, asked
from vizschema.conformance.generator.drawing import Archive, drawn, profile_of
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.tree import Need, literal, names_of
from vizschema.description import Description
from vizschema.rules.versions import Profile

BREAKS: Mapping[tuple[str, str], Breaker] = {
    **break_attributes.BREAKS,
    **break_nodes.BREAKS,
    **break_series.BREAKS,
    **break_values.BREAKS,
}
"""For each field of a description and each keyword, the changes of primary fields that break it."""


class Unbreakable(ValueError):
    """Nothing in an archive can break the rule: where a profile leaves no room for what it forbids."""


@dataclass(frozen=True, eq=False, repr=False)
class Broken:
    """`archive` after `change`: it breaks `rule`, and at most those of `entailed` with it.

    `level` is `archive` where a document can say the change, else `description` (damage, other grids, codecs).
    """

    archive: Archive
    change: Change
    at: Applied

    @property
    def rule(self) -> str:
        """The rule that is broken."""
        rule: str = self.at.rule
        return rule

    @property
    def entailed(self) -> frozenset[str]:
        """Rules that may be broken with it."""
        entailed: frozenset[str] = self.change.entailed
        return entailed - {self.rule}

    @property
    def edits(self) -> Sequence[Edit]:
        """What is changed, in order."""
        edits: Sequence[Edit] = self.change.edits
        return edits

    @property
    def level(self) -> str:
        """`archive` or `description`."""
        return "archive" if all(edit.stage == "document" for edit in self.edits) else "description"

    @property
    def changed(self) -> Archive:
        """The archive after the changes of its document."""
        document: dict[str, Any] = copy.deepcopy(dict(self.archive.document))
        for edit in self.edits:
            if edit.stage == "document":
                edit.apply(document)
        return Archive(document, self.archive.profile)

    def description(self, container: str = "zarr-v3") -> Description:
        """The description of the broken archive in `container`, with values."""
        parts = describe_document(self.changed.document, container, self.archive.profile)
        for edit in self.edits:
            if edit.stage == "description":
                edit.apply(parts)
        return description.complete(parts["container"], parts["nodes"], parts["values"])

    def __repr__(self) -> str:
        return f"Broken: {self.rule} at {'/'.join(self.at.place)} ({self.at.keyword}) in\n{self.changed!r}"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))


def broken_archives(
    profile: str | Profile, version: str = "1.0.0", rule: str | None = None
) -> st.SearchStrategy[Broken]:
    """Archives of `profile` that break one rule: `rule`, or any. The change is drawn last, so that the base shrinks.

    Raises `SpecError` where there is no such profile, `ValueError` where it has no such rule, and, once drawn,
    `Unbreakable` where no archive of the profile can break the rule.
    """
    judged = profile_of(profile, version)
    if rule is not None and rule not in judged.rules:
        raise ValueError(f"{rule}: expected a rule of {judged.name}, one of {', '.join(sorted(judged.rules))}")
    return _broken(judged, version, rule)


@st.composite
def _broken(draw: st.DrawFn, profile: Profile, version: str, rule: str | None) -> Broken:
    needs = [] if rule is None else needs_for(profile, rule)
    base = Base(draw(drawn(profile, version, needs, 1 if rule is None else 2)))
    by_rule: dict[str, list[Applied]] = {}
    for each in [*base.applied, *_elsewhere(base)]:
        by_rule.setdefault(each.rule, []).append(each)
    names = sorted(by_rule) if rule is None else [rule]
    start = draw(st.integers(0, len(names) - 1), label="rule")
    for name in [*names[start:], *names[:start]]:
        found = [(each, change) for each in by_rule.get(name, ()) for change in changes(base, each)]
        if found:
            at, change = found[draw(st.integers(0, len(found) - 1), label=f"break of {name}")]
            return Broken(base.archive, change, at)
    raise Unbreakable(f"{profile.name}: nothing in the archive can break {', '.join(names)}:\n{base.archive!r}")


def changes(base: Base, at: Applied) -> list[Change]:
    """The ways to break one assertion; raises `ValueError` where the table has none for its field and keyword."""
    breaker = BREAKS.get((at.field, at.keyword))
    if breaker is None:
        raise ValueError(
            f"{at.rule}: no break for {at.keyword!r} of {at.field}; enter one in the tables of the generator"
        )
    return list(breaker(Target(at, base)))


def can_be_broken(profile: Profile, rule: str) -> bool:
    """Whether archives of `profile` can have a node that `rule` is about: there is no attention in some profiles."""
    if any(each.rule == rule for each in asked(profile, ("nodes", NAMES), UNKNOWN)):
        return True  # a name that is not allowed
    found = wishes(profile, rule)
    root = any(wish.language.holds("/") and not wish.inside for wish in found)
    return not found or root or any(not (wish.language & names_of(profile)).empty for wish in found)


def needs_for(profile: Profile, rule: str) -> list[Need]:
    """The nodes that let `rule` apply."""
    found = [wish for wish in wishes(profile, rule) if not (wish.language & names_of(profile)).empty]
    for wish in found:
        if wish.inside:
            return _two_members(profile, wish.language & names_of(profile))
    return [Need(wish.language, wish.schema) for wish in found[:1]]


def _two_members(profile: Profile, language: Language) -> list[Need]:
    """Two members of the members of one family."""
    path = language.shortest()
    beside = Language((f"^{re.escape(path.rpartition('/')[0])}/[^/]+$",), (f"^{re.escape(path)}$",))
    second = beside & names_of(profile)
    return [Need(literal(path)), *([] if second.empty else [Need(second)])]


def _elsewhere(base: Base) -> list[Applied]:
    """Assertions about what is not there: counted families that a group does not hold, large arrays, scopes."""
    found = []
    description = {**base.description, "series": dict(base.description["series"])}
    for pattern in _families(base.archive.profile):
        for group in (path for path, node in base.nodes.items() if node["kind"] == "group" and path != "/"):
            for name in stems(pattern, group):
                if name not in description["series"]:
                    partial = base.nodes[group]["attributes"].get("partial") is True
                    description["series"][name] = {**_NONE, "partial": partial}
    for each in applied(base.archive.profile, description):
        if each.place[0] == "series" and len(each.place) > 1 and each.place[1] not in base.description["series"]:
            found.append(each)
    found = [each for each in found if each.field == "series/*/missing"]
    nodes = base.description["nodes"]
    large = {path: {**node, "bytes": 1 << 16, "references": {}, "unsupported": {}} for path, node in nodes.items()}
    beyond = applied(base.archive.profile, {**base.description, "nodes": large})
    alone = {
        f"{name}@elsewhere": {size: {"count": 1}} for name, sizes in base.description["axes"].items() for size in sizes
    }
    scoped = applied(base.archive.profile, {**base.description, "axes": alone})
    found += [each for each in scoped if each.field == "axes/*/*/count"]
    named = {**base.description, "not_captured": {"/nowhere": {}}}
    found += [each for each in applied(base.archive.profile, named) if each.place[0] == "not_captured"]
    fields = ("nodes/*/storage/split", "nodes/*/references/*", "nodes/*/unsupported/*")
    return [*found, *(each for each in beyond if each.field in fields)]


_NONE = {"indices": [], "siblings": 1, "partial": False, "missing": [0]}


def _families(profile: Profile) -> list[str]:
    """Patterns of names of families that the schemas speak of."""
    schemas = [each.schema for each in asked(profile, ("series",), UNKNOWN)]
    patterns = [pattern for schema in schemas for pattern in schema.get("patternProperties", ())]
    return [pattern for pattern in dict.fromkeys(patterns) if not Language((pattern, "^/[a-z/]+$")).empty]
