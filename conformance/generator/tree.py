"""Which nodes there are: the paths that the schemas ask for, some that they allow, and the groups above them.

A path with a number in it stands for a whole family: `/pair/layer_#` with its count. What the description derives from
names (`series`, `members`) is obeyed here, by counts and by members that are drawn where there have to be some.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from vizschema.conformance.generator.broad import COUNTS, MOST
from vizschema.conformance.generator.constraints import NAMES, UNKNOWN, Partial, asked, asked_of_node, holds
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.values import merged
from vizschema.description import parent_of
from vizschema.rules.versions import Profile, Schema

WRITABLE = Language(("^(/[a-zA-Z0-9é]([a-zA-Z0-9_ é-]*[a-zA-Z0-9_é])?)+$",))
"""Paths that every container can hold as they are."""
_NUMBERED = re.compile(r"(.+)_[0-9]{1,9}")
ROOT = Partial(nodes=Partial({"/": Partial(kind="group")}))


@dataclass(slots=True)
class Tree:
    """Kinds by template, and the count of every family by the template of its members."""

    kinds: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    """Groups of which the families have gaps: of each, every other number and the last one are there."""

    def numbers(self, family: str) -> list[str]:
        """The digits of the members of a family, which are all equally long."""
        count = self.counts.get(family, 1)
        have = range(count - 1, -1, -2) if parent_of(family) in self.partial else range(count)
        return [f"{index:0{max(2, len(str(count - 1)))}d}" for index in sorted(have)]

    def paths(self, template: str) -> list[str]:
        """Every path that a template stands for."""
        steps, choices = template.split("/"), []
        for number, step in enumerate(steps):
            family = "/".join(steps[: number + 1])
            numbered = step.endswith("_#")
            choices.append([step.replace("#", each) for each in self.numbers(family)] if numbered else [step])
        return ["/".join(each) for each in itertools.product(*choices)]


def first(template: str) -> str:
    """The path of the first member that a template stands for."""
    return re.sub("_#(?=/|$)", "_00", template)


def template_of(path: str) -> str:
    """The template that a path belongs to."""
    return "/".join(f"{found[1]}_#" if (found := _NUMBERED.fullmatch(step)) else step for step in path.split("/"))


@functools.lru_cache(maxsize=32)
def names_of(profile: Profile) -> Language:
    """The paths that nodes may have: not those below what can only be an array, nor those of coordinates alone."""
    wanted = merged([each.schema for each in asked(profile, ("nodes", NAMES), UNKNOWN)], WRITABLE)
    allowed = wanted.language.names
    leaves = []
    for part in _spoken_of(profile):
        within = part & allowed
        if not within.empty and not _is_plain(profile, within.shortest()):
            leaves.append(part.within[0].removesuffix("$") + "(/|$)")
        elif not within.empty and not allows(profile, within.shortest(), "group"):
            leaves.append(part.within[0].removesuffix("$") + "/")
    return allowed & Language((), tuple(leaves))


def _is_plain(profile: Profile, path: str) -> bool:
    """Whether the node at `path` may be another one than a coordinate."""
    refused = [each.schema for each in asked_of_node(profile, path, (), Partial()) if "not" in each.schema]
    return all(holds(schema, {"coordinate": None}) is not False for schema in refused)


@functools.lru_cache(maxsize=32)
def _spoken_of(profile: Profile) -> tuple[Language, ...]:
    """The families of nodes that the schemas speak of."""
    found = []
    for schema in _asked(profile, "nodes"):
        found += [literal(name) for name in schema.get("properties", ()) if name != "/"]
        found += [Language((pattern,)) for pattern in schema.get("patternProperties", ())]
    return tuple(dict.fromkeys(found))


def literal(path: str) -> Language:
    """The one text `path`."""
    return Language((f"^{re.escape(path)}$",))


@functools.lru_cache(maxsize=32)
def parts_of(profile: Profile) -> tuple[Language, ...]:
    """Every family of nodes that the schemas speak of, and any other that they allow."""
    found = [Language(("^/",)), *_spoken_of(profile)]
    unique = dict.fromkeys(part & names_of(profile) for part in found)
    return tuple(part for part in unique if not part.empty)


@dataclass(frozen=True)
class Need:
    """A node that has to be there: its path is of `language`, and it obeys `schema`."""

    language: Language
    schema: Schema = field(default_factory=dict, hash=False)


@functools.lru_cache(maxsize=32)
def needs_of(profile: Profile) -> tuple[Need, ...]:
    """The nodes without which no archive conforms."""
    needs = []
    for schema in _asked(profile, "nodes"):
        needs += [Need(literal(name)) for name in schema.get("required", ())]
        if "not" in schema:
            needs.append(_exists(schema["not"]))
    for schema in _asked(profile, "series"):
        needs += [Need(literal(f"{name}_00")) for name in schema.get("required", ())]
    return tuple(needs)


def _exists(excluded: Schema) -> Need:
    """What there has to be, so that `excluded` does not hold: a name, or a node in a group, that it refuses."""
    if "propertyNames" in excluded:
        return Need(Language((excluded["propertyNames"]["not"]["pattern"],)))
    if "additionalProperties" not in excluded:
        return Need(Language(tuple(excluded["patternProperties"])))
    return Need(Language(("^/[^/]+/.",), tuple(excluded["patternProperties"])), excluded["additionalProperties"]["not"])


def _asked(profile: Profile, field_name: str) -> list[Schema]:
    return [each.schema for each in asked(profile, (field_name,), ROOT)]


def allows(profile: Profile, path: str, kind: str, extra: Sequence[Schema] = ()) -> bool:
    """Whether the node at `path` may be of `kind`."""
    wanted = [each.schema for each in asked_of_node(profile, path, ("kind",), Partial())]
    inside = all(holds(schema, Partial(kind=kind)) is not False for schema in extra)
    return inside and all(holds(schema, kind) is not False for schema in wanted)


@functools.lru_cache(maxsize=32)
def families_of(profile: Profile) -> tuple[Language, ...]:
    """Families of numbered nodes that the schemas speak of, and others that they allow."""
    found = [part & Language(("_[0-9]{2}$",)) for part in parts_of(profile)]
    found += [each & names_of(profile) for each in _NUMBERED_NODES]
    return tuple(each for each in dict.fromkeys(found) if not each.empty)


_NUMBERED_NODES = tuple(
    Language((pattern,))
    for pattern in ("^/[a-z]+/(layer|block|step)_[0-9]{2}$", "^/[a-z]+/block_[0-9]{2}/head_[0-9]{2}$")
)


def _families(profile: Profile) -> st.SearchStrategy[Language]:
    """A family; the last one, a series in a series where the schemas allow any, as often as all others."""
    found = families_of(profile)
    return st.one_of(st.sampled_from(found), st.just(found[-1]))


@st.composite
def trees(draw: st.DrawFn, profile: Profile, needs: Sequence[Need], least: int, *, broad: bool = False) -> Tree:
    """A tree with what is needed and some of what is optional; a `broad` one with more of it, and with long series."""
    parts = parts_of(profile)
    fewest = draw(st.sampled_from((0, 2, 5)), label="parts at least") if broad else 0
    most = 12 if broad else 4
    chosen = draw(st.lists(st.integers(0, len(parts) - 1), min_size=fewest, max_size=most), label="optional parts")
    optional = [parts[number] for number in chosen]
    numbered: bool = draw(st.booleans(), label="a series") if broad and families_of(profile) else False
    if numbered:
        optional += draw(st.lists(_families(profile), min_size=1, max_size=2), label="series")
    tree = Tree()
    for need in (*needs_of(profile), *needs, *map(Need, optional)):
        path = draw((need.language & names_of(profile)).texts())
        _plant(profile, tree, path, need.schema)
    for template in list(tree.kinds):
        _grow(draw, profile, tree, template)
    for template in sorted(tree.kinds):
        if template.endswith("_#"):
            tree.counts[template] = draw(st.integers(least, 3), label=f"members of {template}")
    if broad:
        _lengthen(draw, tree)
    return tree


def _lengthen(draw: st.DrawFn, tree: Tree) -> None:
    """Give one family many members, and gaps to the families of one group, as far as the archive stays small."""
    families = sorted(tree.counts)
    long: bool = draw(st.integers(0, 4), label="a long series") > 0 if families else False
    if long:
        fitting = [(family, count) for family in families for count in COUNTS if _fits(tree, family, count)]
        if fitting:
            family, count = draw(st.sampled_from(fitting), label="which, and how many members")
            tree.counts[family] = count
    groups: list[str] = sorted({parent_of(family) for family in families if tree.counts[family] > 1} - {"/"})
    if groups and draw(st.integers(0, 2), label="gaps") == 1:
        tree.partial.add(draw(st.sampled_from(groups), label="group with gaps"))


def _fits(tree: Tree, family: str, count: int) -> bool:
    """Whether the archive stays small where a family has so many members."""
    counts = {**tree.counts, family: count}
    sizes = (math.prod(counts.get(each, 1) for each in _families_above(template)) for template in tree.kinds)
    small: bool = sum(sizes) <= MOST
    return small


def _families_above(template: str) -> Iterator[str]:
    """The families that a template belongs to, itself and those above it."""
    for above in itertools.accumulate(template.split("/")[1:], lambda parent, step: f"{parent}/{step}", initial=""):
        if above.endswith("_#"):
            yield above


def _plant(profile: Profile, tree: Tree, path: str, schema: Schema) -> None:
    """Add a node and the groups above it, or what may be an array only on the way to it."""
    for above in itertools.accumulate(path.split("/")[1:-1], lambda parent, step: f"{parent}/{step}", initial=""):
        if above and _put(profile, tree, template_of(above), "group") == "array":
            return
    leaf = template_of(path)
    if leaf not in tree.kinds:
        _put(profile, tree, leaf, "array" if allows(profile, first(leaf), "array", [schema]) else "group")


def _put(profile: Profile, tree: Tree, template: str, kind: str) -> str:
    """The kind of the node that is there afterwards, which has no twin that only case tells from it."""
    folded = {unicodedata.normalize("NFD", name).casefold(): name for name in tree.kinds}
    twin = folded.get(unicodedata.normalize("NFD", template).casefold())
    if twin not in (None, template):
        return "array"
    if template not in tree.kinds:
        tree.kinds[template] = kind if allows(profile, first(template), kind) else "array"
    elif kind == "group" and allows(profile, first(template), "group"):
        tree.kinds[template] = "group"
    return tree.kinds[template]


def _grow(draw: st.DrawFn, profile: Profile, tree: Tree, template: str) -> None:
    """Give a group the members that it has to have."""
    if tree.kinds[template] != "group":
        return
    path = first(template)
    wanted = merged(each.schema for each in asked_of_node(profile, path, ("members",), Partial(kind="group")))
    for have in _missing(tree, template, int(wanted.low or 0)):
        members = Language((f"^{re.escape(path)}/[^/]+$",), tuple(map(_family, have)))
        language = members & names_of(profile)
        if language.empty:
            return
        child = draw(language.texts())
        _plant(profile, tree, child, {})
        if template_of(child) in tree.kinds:
            _grow(draw, profile, tree, template_of(child))


def _family(template: str) -> str:
    """A pattern of every path of a family."""
    return "^" + "/".join(re.escape(step).replace(r"_\#", "_[0-9]+") for step in template.split("/")) + "$"


def _missing(tree: Tree, template: str, least: int) -> Iterator[list[str]]:
    """The members that there are, as often as one more is needed."""
    for _ in range(least):
        have = [each for each in tree.kinds if parent_of(each) == template]
        if len(have) >= least:
            return
        yield have


def declared(profile: Profile, template: str) -> bool:
    """Whether the group of a family has to say how many members there are."""
    found = asked(profile, ("series", first(template).rpartition("_")[0], "declared_by"), Partial())
    return bool(found)
