"""From a source and a mapping to what is written: every node and attribute has a target, a reason, or is a problem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vizschema.migration.answers import LOSE, MISSING, Answers, measured_rows
from vizschema.migration.mapping import Dialect, filled, numbered
from vizschema.migration.operations import Done, Undo, Unfit, apply, digest
from vizschema.migration.tree import Item, Tree, Values

ALWAYS = ("/", "/metadata")
"""Groups that every result has."""

MAX_DIGITS = 9
"""Most digits of a number in a name, as in the specification's series."""

Rule = Mapping[str, Any]


@dataclass(slots=True)
class Planned:
    """An array of the result: what it is made of, and how that is undone."""

    source: str
    sha256: str
    done: Done
    steps: Sequence[Rule]
    axes: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def undo(self) -> Sequence[Undo]:
        """The inverses of the operations."""
        return self.done.undo


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

    def __init__(self, dialect: Dialect, tree: Tree, answers: Answers) -> None:
        self.arrays: dict[str, Planned] = {}
        self.attributes: dict[str, dict[str, Any]] = {}
        self.losses: list[dict[str, str]] = []
        self.problems: list[str] = []
        self.digests: dict[str, str] = {}
        self.answers = answers
        self.lines: list[str] = []
        self._dialect = dialect
        self._tree = tree
        self._lets = {name: self._number(how) for name, how in dialect.document.get("let", {}).items()}
        for why in dialect.document.get("lost_before", ()):
            self._lose("the source", why)
        self._require()
        self._nodes()
        self._take_attributes()
        self._set()
        self._mark_partial()

    def _number(self, how: Mapping[str, Any]) -> int | None:
        """A number of `let`, or None where the source has nothing that it is measured on."""
        pattern = next(how[key] for key in ("shape", "array", "attribute", "count") if key in how)
        items = [item for path, item in self._tree.items() if re.fullmatch(pattern, path)]
        found: Any = len(items)
        if "count" not in how:
            if not items:
                return None
            item = items[0]
            if "shape" in how:
                found = dict(enumerate(item.shape)).get(how["at"])
            else:
                found = item.attributes.get(how.get("name", "")) if "attribute" in how else _scalar(item)
        if not isinstance(found, int) or isinstance(found, bool):
            return None
        return found + int(how.get("plus", 0))

    def _require(self) -> None:
        for test in self._dialect.document.get("require", ()):
            one, other = (self._lets[name] for name in test["equal"])
            if one != other:
                self.problems.append(f"{' and '.join(test['equal'])} are {one} and {other}: {test['why']}")

    def _lose(self, what: str, why: str) -> None:
        self.losses.append({"what": what, "why": why})
        self.lines.append(f"{what}: lost: {why}")

    # Nodes

    def _nodes(self) -> None:
        matches = list(self._matched())
        for rule in self._dialect.rules("nodes"):
            self._apply_rule(rule, [match for match in matches if match.rule is rule])

    def _matched(self) -> Iterator[_Match]:
        """Every node that a rule takes; the others are lost by the user, or a problem."""
        parents = {path.rpartition("/")[0] or "/" for path in self._tree if path != "/"}
        for path, item in self._tree.items():
            if item.kind == "array":
                self.digests[path] = digest(item.values())
            match = next(self._fitting(item), None)
            given_up = self.answers.lost(path)
            if given_up is not None:
                self._lose(path, f"given up by the user: {given_up}")
            elif match is not None:
                yield match
            elif item.kind == "group":
                if not (path in parents or item.attributes or item.unsupported or path == "/"):
                    self._lose(path, "a group without members and attributes")
            else:
                self.problems.append(f"{path}: {self._why_not(item)}")

    def _fitting(self, item: Item) -> Iterator[_Match]:
        for rule in self._dialect.rules("nodes"):
            match = re.fullmatch(rule["from"], item.path)
            if match is None or item.kind == "group" or rule.get("ndim", len(item.shape)) != len(item.shape):
                continue
            if ("to" in rule and item.kind != "array") or ("derived" in rule and not self._is_derived(item, rule)):
                continue
            groups = {name: text or "" for name, text in match.groupdict().items()}
            if not any(len(text) > MAX_DIGITS and text.isdecimal() for text in groups.values()):
                yield _Match(item, rule, groups)

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
        found = [
            (int(match[how["last"]]) if "last" in how else 0, path)
            for path in self._tree
            if (match := re.fullmatch(how["from"], path))
            and ("last" not in how or len(match[how["last"]]) <= MAX_DIGITS)
        ]
        if item.kind != "array" or not found:
            return False
        try:
            done = apply(self._tree[max(found)[1]].values(), self._steps(how))
        except Unfit:
            return False
        return digest(done.values) == digest(item.values())

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

    def _apply_rule(self, rule: Rule, matches: Sequence[_Match]) -> None:
        digits: dict[str, int] = {}
        for name, plus in numbered(rule.get("to", "")):
            for match in matches:
                digits[name] = max(digits.get(name, 2), len(str(int(match.groups[name]) + plus)))
        for match in matches:
            path = match.item.path
            if "lose" in rule:
                self._lose(path, rule["lose"])
                continue
            place = filled(rule["to"], match.groups, digits)
            if "as" in rule:
                self._put(place, filled(rule["as"], match.groups, digits), _plain(match.item), path)
                continue
            axes = [filled(axis, match.groups, digits) for axis in rule.get("axes", ())]
            self._add(place, path, match.item.values(), rule, axes)
            if place in self.arrays:
                self._annotate(place, match)
        for place in {filled(rule["to"], match.groups, digits) for match in matches if "group" in rule}:
            self._annotate_group(place.rpartition("/")[0], rule, matches, digits)

    def _add(self, place: str, source: str, values: Values, rule: Rule, axes: list[str]) -> None:
        if place in self.arrays:
            self.problems.append(f"{source}: {place} is made of {self.arrays[place].source} already")
            return
        try:
            steps = self._steps(rule)
            done = apply(values, steps)
        except Unfit as error:
            self.problems.append(f"{source}: {error}")
            return
        if len(axes) != done.values.ndim:
            self.problems.append(f"{source}: expected {len(axes)} axes {axes}, found the shape {done.values.shape}")
            return
        self.arrays[place] = Planned(source, digest(done.base), done, steps, axes)
        done.base = done.values
        self.lines.append(f"{source}: {place} {axes}")
        for lost in done.lost:
            self._lose(source, lost)

    def _annotate(self, place: str, match: _Match) -> None:
        """Set the attributes of an array, measured on what is written."""
        planned = self.arrays[place]
        named = match.item.axes
        if named and any(named) and list(named) != planned.axes:
            self._lose(match.item.path, f"the axis names {list(named)}: those of the mapping are used")
        for name, value in match.rule.get("attributes", {}).items():
            measured = None
            if isinstance(value, dict) and "ask" in value and "measure" in self._ask(value["ask"]):
                measured = measured_rows(planned.done.values, planned.axes)
            found = self._value(value, place, match.groups, measured=measured)
            if found is not MISSING:
                planned.attributes[name] = found

    def _annotate_group(self, group: str, rule: Rule, matches: Sequence[_Match], digits: Mapping[str, int]) -> None:
        places = [filled(rule["to"], match.groups, digits) for match in matches]
        numbers = [
            int(match[1]) for place in places if (match := re.fullmatch(re.escape(group) + r"/[^/]*_([0-9]+)", place))
        ]
        whole = sorted(numbers) == list(range(len(numbers)))
        groups = next(
            match.groups for match in matches if filled(rule["to"], match.groups, digits).startswith(f"{group}/")
        )
        for name, value in rule["group"].items():
            if isinstance(value, dict) and "members" in value:
                found = self.answers.answer(name, group, counted=len(numbers) if whole else MISSING)
            else:
                found = self._value(value, group, groups)
            if found is not MISSING:
                self._put(group, name, found, "")

    # Attributes

    def _take_attributes(self) -> None:
        for item in self._tree.values():
            for name in item.unsupported:
                self._take(item, name, MISSING)
            for name, value in item.attributes.items():
                self._take(item, name, value)

    def _take(self, item: Item, name: str, value: Any) -> None:
        shown = f"{item.path}@{name}"
        given_up = self.answers.lost(shown) or self.answers.lost(item.path)
        if given_up is not None:
            self._lose(shown, f"given up by the user: {given_up}")
            return
        for rule in self._dialect.rules("attributes"):
            node, attribute = re.fullmatch(rule["from"], item.path), re.fullmatch(rule["name"], name)
            if node is None or attribute is None or (value is MISSING and "to" in rule):
                continue
            groups = {**node.groupdict(""), **attribute.groupdict(""), "name": name, "value": str(value)}
            self._take_by(rule, shown, value, groups)
            return
        why = item.unsupported.get(name, "no rule of the mapping is about it")
        self.problems.append(f"{shown}: {why}; drop it with --set '{LOSE}:{shown}=REASON', or extend the mapping")

    def _take_by(self, rule: Rule, shown: str, value: Any, groups: Mapping[str, str]) -> None:
        if "is" in rule:
            found = self._said(rule["is"])
            if value != found:
                self._lose(shown, f"it says {value}; the arrays have {found}")
                return
        if "to" not in rule:
            self._lose(shown, rule["lose"])
            return
        place = filled(rule["to"], groups, {})
        if "axes" in rule:
            self._add(place, shown, np.asarray(value), rule, list(rule["axes"]))
            return
        if "text" in rule:
            keys = set(re.findall(r"\{(\w+)\}", rule["text"])) & self._dialect.document.get("ask", {}).keys()
            asked = {key: self.answers.answer(key, place) for key in sorted(keys)}
            if MISSING in asked.values():
                return
            value = filled(rule["text"], {**groups, **asked}, {})
        self._put(place, filled(rule.get("as", "{name}"), groups, {}), value, shown)

    def _said(self, wanted: Any) -> Any:
        """What the arrays say: numbers, and names of `let`."""
        if isinstance(wanted, list):
            return [self._said(each) for each in wanted]
        return self._lets.get(wanted) if isinstance(wanted, str) else wanted

    def _put(self, place: str, name: str, value: Any, source: str) -> None:
        held = self.arrays[place].attributes if place in self.arrays else self.attributes.setdefault(place, {})
        if held.get(name, value) != value:
            self.problems.append(f"{source or place}: {place}@{name} is {held[name]!r} already, and would be {value!r}")
            return
        held[name] = value
        if source:
            self.lines.append(f"{source}: {place}@{name}")

    def _ask(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._dialect.document["ask"][key]
        return found

    def _value(
        self,
        value: Any,
        place: str,
        groups: Mapping[str, str],
        *,
        measured: tuple[str, str] | None = None,
    ) -> Any:
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
        for place, values in self._dialect.document.get("set", {}).items():
            if place in ALWAYS or any(array.startswith(f"{place}/") for array in self.arrays):
                there = self.attributes.get(place, {})
                for name, value in values.items():
                    found = MISSING if name in there else self._value(value, place, {})
                    if found is not MISSING:
                        self._put(place, name, found, "")

    def _mark_partial(self) -> None:
        """Mark the groups that hold fewer members of a series than they declare."""
        for place, values in self.attributes.items():
            for name, count in list(values.items()):
                stem = re.fullmatch(r"num_([a-z_]+)s", name)
                if stem and place not in ALWAYS and isinstance(count, int):
                    prefix = re.compile(re.escape(f"{place}/{stem[1]}_") + r"[0-9]+(/.*)?")
                    found = {
                        array[len(place) + 1 :].partition("/")[0] for array in self.arrays if prefix.fullmatch(array)
                    }
                    if len(found) < count:
                        values["partial"] = True


def _scalar(item: Item) -> Any:
    return item.values().item() if item.kind == "array" and not item.shape else None


def _plain(item: Item) -> Any:
    """The values of an array as an attribute."""
    return item.values().astype(object).tolist() if item.dtype in ("string", "bytes") else item.values().tolist()
