"""From a source and a mapping to what is written: every node and attribute has a target, a reason, or is a problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.migration.answers import LOSE, MISSING, Answers
from vizschema.migration.mapping import Dialect, filled, numbered
from vizschema.migration.operations import Done, Unfit, apply
from vizschema.sources.item import Item, Tree, in_memory
from vizschema.sources.rows import measured_rows
from vizschema.sources.views import Kept, digest

ALWAYS = ("/", "/metadata")
"""Groups that every result has."""

MAX_DIGITS = 9
"""Most digits of a number in a name, as in the specification's series."""

Rule = Mapping[str, Any]

Links = Callable[[Item, Sequence[Rule]], Any]
"""How an array can be linked instead of read, given what is done with it; None where it cannot."""


@dataclass(slots=True)
class Planned:
    """An array of the result: what it is made of, and how that is undone."""

    source: str
    sha256: str
    done: Done
    steps: Sequence[Rule]
    axes: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    link: Any = None


@dataclass(frozen=True, slots=True)
class _Match:
    """A node, the rule that takes it, and the groups of its pattern."""

    item: Item
    rule: Rule
    groups: Mapping[str, str]


class Plan:
    """What a mapping makes of a source.

    Attributes:
        arrays: The arrays of the result, by path.
        attributes: The attributes of the result's groups, by path.
        losses: What is left out: `what` and `why`.
        problems: What nothing accounts for, or does not fit, in words.
        digests: The SHA-256 of the values of each array of the source.
        answers: The answers, and the open questions.
        lines: What happens to each node and attribute, in words.
    """

    def __init__(self, dialect: Dialect, tree: Tree, answers: Answers, links: Links | None = None) -> None:
        self.arrays: dict[str, Planned] = {}
        self.attributes: dict[str, dict[str, Any]] = {}
        self.losses: list[dict[str, str]] = []
        self.problems: list[str] = []
        self.digests: dict[str, str] = {}
        self.answers = answers
        self.lines: list[str] = []
        self._waiting: set[str] = set()
        self._dialect = dialect
        self._tree = tree
        self._links = links
        self._kept = Kept()
        self._lets = {name: self._number(how) for name, how in dialect.document.get("let", {}).items()}
        for why in dialect.document.get("lost_before", ()):
            self._lose("the source", why)
        for test in dialect.document.get("require", ()):
            one, other = (self._lets[name] for name in test["equal"])
            if one != other:
                self.problems.append(f"{' and '.join(test['equal'])} are {one} and {other}: {test['why']}")
        matches = list(self._matched())
        for rule in dialect.rules("nodes"):
            self._apply(rule, [match for match in matches if match.rule is rule])
        for item in tree.values():
            for name, value in {**dict.fromkeys(item.unsupported, MISSING), **item.attributes}.items():
                self._take(item, name, value)
        self._set()
        self._mark_partial()

    def _number(self, how: Mapping[str, Any]) -> int | None:
        """A number of `let`, or None where the source has nothing that it is measured on."""
        kind = next(key for key in ("shape", "array", "attribute", "count") if key in how)
        items = [item for path, item in self._tree.items() if re.fullmatch(how[kind], path)]
        found: Any = None
        if kind == "count":
            found = len(items)
        elif items and kind == "shape":
            found = dict(enumerate(items[0].shape)).get(how["at"])
        elif items and kind == "attribute":
            found = items[0].attributes.get(how["name"])
        elif items and items[0].kind == "array" and not items[0].shape:
            found = items[0].plain()
        return found + int(how.get("plus", 0)) if type(found) is int else None

    def _lose(self, what: str, why: str) -> None:
        self.losses.append({"what": what, "why": why})
        self.lines.append(f"{what}: lost: {why}")

    def _given_up(self, what: str, *above: str) -> bool:
        """Whether the user gives it up, or what it is a part of."""
        why = next(filter(None, map(self.answers.lost, (what, *above))), None)
        if why is not None:
            self._lose(what, f"given up by the user: {why}")
        return why is not None

    # Nodes

    def _matched(self) -> Iterator[_Match]:
        """Every node that a rule takes; the others are lost by the user, or a problem."""
        parents = {path.rpartition("/")[0] or "/" for path in self._tree} | {"/"}
        for path, item in self._tree.items():
            if item.kind == "array" and self._links is None:
                self.digests[path] = digest(self._kept.view(item))
            match = next(self._fitting(item), None)
            if self._given_up(path):
                continue
            if match is not None:
                yield match
            elif item.kind != "group" and path not in self._waiting:
                self.problems.append(f"{path}: {self._why_not(item)}")
            elif item.kind == "group" and not (path in parents or item.attributes or item.unsupported):
                self._lose(path, "a group without members and attributes")

    def _fitting(self, item: Item) -> Iterator[_Match]:
        """The rules that fit a node, in order."""
        for rule in self._dialect.rules("nodes"):
            match = re.fullmatch(rule["from"], item.path)
            if match is None or item.kind == "group" or rule.get("ndim", len(item.shape)) != len(item.shape):
                continue
            if ("to" in rule and item.kind != "array") or ("derived" in rule and not self._is_derived(item, rule)):
                continue
            said = {key: self.answers.answer(key, "") for key in rule.get("when", {})}
            if MISSING in said.values():
                self._waiting.add(item.path)
            numbers = filter(str.isdecimal, match.groupdict("").values())
            if said == rule.get("when", {}) and all(len(text) <= MAX_DIGITS for text in numbers):
                yield _Match(item, rule, match.groupdict(""))

    def _why_not(self, item: Item) -> str:
        """Why no rule takes a node, and what the user can do."""
        fix = f"drop it with --set '{LOSE}:{item.path}=REASON', or extend the mapping"
        if item.kind != "array":
            return f"{item.kind}: {item.reason}; {fix}"
        near = [rule for rule in self._dialect.rules("nodes") if re.fullmatch(rule["from"], item.path)]
        if any("derived" in rule for rule in near):
            return f"it is not what its rule recomputes it from; {fix}"
        if near:
            wanted = ", ".join(str(rule["ndim"]) for rule in near if "ndim" in rule)
            return f"expected {wanted} dimensions, found {len(item.shape)}; {fix}"
        return f"no rule of the mapping is about it; {fix}"

    def _is_derived(self, item: Item, rule: Rule) -> bool:
        """Whether an array is what the mapping recomputes it from."""
        how = rule["derived"]
        matches = [match for path in self._tree if (match := re.fullmatch(how["from"], path))]
        numbers = {match.string: match[how["last"]] if "last" in how else "0" for match in matches}
        found = [(int(number), path) for path, number in numbers.items() if len(number) <= MAX_DIGITS]
        if item.kind != "array" or not found:
            return False
        try:
            origin = self._kept.view(self._tree[max(found)[1]])
            return digest(apply(origin, self._steps(how)).values) == digest(self._kept.view(item))
        except Unfit:
            return False

    def _steps(self, rule: Rule) -> list[Rule]:
        """The operations of a rule, with the numbers of `let` in their shapes."""
        steps = []
        for step in rule.get("do", ()):
            if "reshape" in step:
                sizes = [self._lets.get(size) if isinstance(size, str) else size for size in step["reshape"]]
                if None in sizes:
                    raise Unfit(f"reshape {step['reshape']}: the source has nothing that it is measured on")
                step = {"reshape": sizes}
            steps.append(step)
        return steps

    def _apply(self, rule: Rule, matches: Sequence[_Match]) -> None:
        """Do what a rule says with the nodes that it takes."""
        digits: dict[str, int] = {}
        for name, plus in numbered(rule.get("to", "")):
            digits[name] = max([2, *(len(str(int(match.groups[name]) + plus)) for match in matches)])
        groups: dict[str, dict[str, _Match]] = {}
        for match in matches:
            path = match.item.path
            if "lose" in rule:
                self._lose(path, rule["lose"])
                continue
            place = filled(rule["to"], match.groups, digits)
            if "as" in rule:
                self._put(place, filled(rule["as"], match.groups, digits), match.item.plain(), path)
                continue
            axes = [filled(axis, match.groups, digits) for axis in rule.get("axes", ())]
            planned = self._add(place, path, match.item, rule, axes)
            if planned is not None:
                self._annotate(place, planned, match)
            groups.setdefault(place.rpartition("/")[0], {})[place] = match
        for group, members in groups.items():
            self._annotate_group(group, rule.get("group", {}), members)

    def _add(self, place: str, source: str, item: Item, rule: Rule, axes: list[str]) -> Planned | None:
        """Plan an array, or note why it cannot be one."""
        if place in self.arrays:
            self.problems.append(f"{source}: {place} is made of {self.arrays[place].source} already")
            return None
        try:
            steps = self._steps(rule)
            link = self._links(item, steps) if self._links else None
            source_view = self._kept.view(item)
            done = apply(source_view, steps)
            if len(axes) != done.values.ndim:
                raise Unfit(f"expected {len(axes)} axes {axes}, found the shape {done.values.shape}")
        except Unfit as error:
            self.problems.append(f"{source}: {error}")
            return None
        known = self.digests.get(source) if done.base is source_view else None
        sha256 = "" if link is not None else known or digest(done.base)
        planned = self.arrays[place] = Planned(source, sha256, done, steps, axes, link=link)
        self.lines.append(f"{source}: {place} {axes}")
        for lost in done.lost:
            self._lose(source, lost)
        return planned

    def _annotate(self, place: str, planned: Planned, match: _Match) -> None:
        """Set the attributes of an array, measured on what is written."""
        named = match.item.axes
        if named and any(named) and list(named) != planned.axes:
            self._lose(match.item.path, f"the axis names {list(named)}: those of the mapping are used")
        for name, value in match.rule.get("attributes", {}).items():
            measured = None
            if isinstance(value, dict) and "measure" in self._dialect.asks.get(value.get("ask", ""), ()):
                measured = (
                    ("", "values are not read") if planned.link else measured_rows(planned.done.values, planned.axes)
                )
            self._put(place, name, self._value(value, place, match.groups, measured))

    def _annotate_group(self, group: str, values: Mapping[str, Any], members: Mapping[str, _Match]) -> None:
        """Set the attributes of the group that a rule puts `members` into."""
        numbers = sorted(int(found[1]) for place in members if (found := re.fullmatch(r".*_([0-9]+)", place)))
        counted = len(numbers) if numbers == list(range(len(numbers))) else MISSING
        for name, value in values.items():
            if isinstance(value, dict) and "members" in value:
                self._put(group, name, self.answers.answer(name, group, counted=counted))
            else:
                self._put(group, name, self._value(value, group, next(iter(members.values())).groups))

    # Attributes

    def _take(self, item: Item, name: str, value: Any) -> None:
        """Do with an attribute what the first rule that fits says."""
        shown = f"{item.path}@{name}"
        if self._given_up(shown, item.path):
            return
        for rule in self._dialect.rules("attributes"):
            node, attribute = re.fullmatch(rule["from"], item.path), re.fullmatch(rule["name"], name)
            if node and attribute and not (value is MISSING and "to" in rule):
                groups = {**node.groupdict(""), **attribute.groupdict(""), "name": name, "value": str(value)}
                self._take_by(rule, shown, value, groups)
                return
        why = item.unsupported.get(name, "no rule of the mapping is about it")
        self.problems.append(f"{shown}: {why}; drop it with --set '{LOSE}:{shown}=REASON', or extend the mapping")

    def _take_by(self, rule: Rule, shown: str, value: Any, groups: Mapping[str, str]) -> None:
        if "is" in rule and value != (found := self._said(rule["is"])):
            self._lose(shown, f"it says {value}; the arrays have {found}")
            return
        if "to" not in rule:
            self._lose(shown, rule["lose"])
            return
        place = filled(rule["to"], groups, {})
        if "axes" in rule:
            self._add(place, shown, in_memory(shown, np.asarray(value)), rule, list(rule["axes"]))
            return
        if "text" in rule:
            keys = set(re.findall(r"\{(\w+)\}", rule["text"])) & self._dialect.document.get("ask", {}).keys()
            asked = {key: self.answers.answer(key, place) for key in sorted(keys)}
            value = MISSING if MISSING in asked.values() else filled(rule["text"], {**groups, **asked}, {})
        self._put(place, filled(rule.get("as", "{name}"), groups, {}), value, shown)

    def _said(self, wanted: Any) -> Any:
        """What the arrays say: numbers, and names of `let`."""
        if isinstance(wanted, list):
            return [self._said(each) for each in wanted]
        return self._lets.get(wanted) if isinstance(wanted, str) else wanted

    def _put(self, place: str, name: str, value: Any, source: str = "") -> None:
        """Set an attribute of the result, unless it is missing or another value is there."""
        if value is MISSING:
            return
        held = self.arrays[place].attributes if place in self.arrays else self.attributes.setdefault(place, {})
        if held.setdefault(name, value) != value:
            self.problems.append(f"{source or place}: {place}@{name} is {held[name]!r} already, and would be {value!r}")
        elif source:
            self.lines.append(f"{source}: {place}@{name}")

    def _value(self, value: Any, place: str, groups: Mapping[str, str], measured: tuple[str, str] | None = None) -> Any:
        """The value of an attribute of the result; `MISSING` where there is none."""
        if not isinstance(value, dict):
            return value
        if "ask" in value:
            return self.answers.answer(value["ask"], place, measured)
        if "let" in value:
            found = self._lets[value["let"]]
            return MISSING if found is None else found
        text = groups.get(value["group"], "")
        return value.get("map", {}).get(text, int(text) if value.get("number") and text.isdecimal() else text)

    def _set(self) -> None:
        """Set what the mapping says of groups that are there, unless a rule did."""
        for place, values in self._dialect.document.get("set", {}).items():
            if place in ALWAYS or any(array.startswith(f"{place}/") for array in self.arrays):
                for name in [name for name in values if name not in self.attributes.get(place, {})]:
                    self._put(place, name, self._value(values[name], place, {}))

    def _mark_partial(self) -> None:
        """Mark the groups that hold fewer members of a series than they declare."""
        for place, values in self.attributes.items():
            counts = {found[1]: values[name] for name in values if (found := re.fullmatch(r"num_([a-z_]+)s", name))}
            for stem, count in counts.items() if place not in ALWAYS else ():
                member = re.compile(re.escape(f"{place}/{stem}_") + r"[0-9]+(?=/|$)")
                members = {match[0] for array in self.arrays if (match := member.match(array))}
                if isinstance(count, int) and len(members) < count:
                    values["partial"] = True
