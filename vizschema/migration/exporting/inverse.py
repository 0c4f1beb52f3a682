"""What an archive is in another layout: each array and attribute has a place there, or is lost with a reason."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vizschema.errors import UsageError
from vizschema.findings import Question
from vizschema.migration.answers import MISSING, Answers
from vizschema.migration.exporting.past import Past
from vizschema.migration.exporting.spelling import groups_of, path_of
from vizschema.migration.exporting.undo import Incomplete, undone
from vizschema.migration.mapping import Dialect
from vizschema.migration.operations import Unfit
from vizschema.migration.plan import ALWAYS
from vizschema.migration.proof import RECORD
from vizschema.sources.item import Item, Tree, Values
from vizschema.sources.views import Kept, View, digest, turned, view_of

NO_PLACE = "the layout has no place for it"

_OF_THE_ARCHIVE = {"spec_version", "profile", "created_at", "generator", "complete", "spec_digest", "profile_digest"}
_COUNT = re.compile(r"num_([a-z_]+)s", re.ASCII)
_BAD = re.compile(r"[\\\x00-\x1f\x7f]")

Rule = Mapping[str, Any]


@dataclass
class Given:
    """An array of the other layout, and what it is made of."""

    values: View
    place: str

    @cached_property
    def sha256(self) -> str:
        """The digest of the values."""
        return digest(self.values)


class Inverse:
    """What a mapping makes of an archive, the other way.

    Attributes:
        arrays: The arrays in the other layout, by path.
        attributes: The attributes there, by path.
        losses: What is not given back: `what` and `why`.
        lines: What happens to each node and attribute, in words.
        questions: What the layout demands and the archive does not say.
    """

    def __init__(self, dialect: Dialect, tree: Tree, past: Past, given: Mapping[str, Any]) -> None:
        self.arrays: dict[str, Given] = {}
        self.attributes: dict[str, dict[str, Any]] = {}
        self.losses: list[dict[str, str]] = list(past.losses)
        self.lines: list[str] = []
        self.questions: list[Question] = []
        self._dialect = dialect
        self._tree = {path: item for path, item in tree.items() if path != RECORD}
        self._past = past
        self._given = given
        asks = {**dialect.asks, **self._needs()}
        said = {key: value for key, value in past.answers.items() if _is_answer(asks, key, value)}
        self._answers = Answers(asks, {**said, **given})
        self._used: set[tuple[str, str]] = set()
        self._rules: dict[str, Rule] = {}
        self._by_rules: dict[str, set[str]] = {}
        self._folded: dict[tuple[str, str], list[str]] = {}
        self._kept = Kept()
        for place, item in self._tree.items():
            if item.kind == "array":
                self._array(place, item)
        for rule in dialect.rules("nodes"):
            if "as" in rule:
                self._value(rule)
        for rule in dialect.rules("attributes"):
            if "to" in rule and "axes" not in rule:
                self._attribute(rule)
        self._account()

    def _needs(self) -> dict[str, dict[str, Any]]:
        """The questions about what the layout demands, by the names of attributes."""
        found = {}
        for rule in self._dialect.rules("nodes"):
            for name, kind in rule.get("back", {}).get("need", {}).items():
                found[name] = {"why": f"the layout demands {name}, and the archive does not have it", "type": kind}
        return found

    def _lose(self, what: str, why: str) -> None:
        self.losses.append({"what": what, "why": why})
        self.lines.append(f"{what}: lost: {why}")

    # Arrays

    def _array(self, place: str, item: Item) -> None:
        """Give an array back by the first rule that fits it, or lose it."""
        reasons = []
        for rule in self._fitting(place):
            groups = {**(groups_of(rule["to"], place) or {}), **self._groups(place, item, rule)}
            path = self._path(place, rule, groups)
            if path is None:
                continue
            try:
                self._give(path, Given(self._undone(item, rule, path), place))
            except Unfit as error:
                is_known = any(loss["what"] == path for loss in self._past.losses)
                if not (isinstance(error, Incomplete) and is_known):
                    reasons.append(str(error))
                    continue
            self._rules[place] = rule
            self._used |= {(place, name) for name in self._named(rule)}
            return
        if not self._array_of_attribute(place, item):
            self._lose(place, reasons[0] if reasons else NO_PLACE)

    def _fitting(self, place: str) -> Iterator[Rule]:
        """The rules that give an array at `place`; if the record says what it was, the rules that took that."""
        origin = self._past.arrays.get(place)
        for rule in self._dialect.rules("nodes"):
            if "to" not in rule or "as" in rule or groups_of(rule["to"], place) is None:
                continue
            if origin is not None and re.fullmatch(rule["from"], origin) is None:
                continue
            said = {key: self._answers.answer(key, "") for key in rule.get("when", {})}
            if MISSING in said.values():
                self.questions += [found for found in self._answers.questions.values() if found not in self.questions]
            if said == rule.get("when", {}):
                yield rule

    def _path(self, place: str, rule: Rule, groups: Mapping[str, str]) -> str | None:
        """The path in the layout: as the record has it, else by the rule."""
        origin = self._past.arrays.get(place)
        found = origin or path_of(rule["from"], rule.get("back", {}).get("node"), groups)
        return found if found is not None and is_plain(found) else None

    def _groups(self, place: str, item: Item, rule: Rule) -> dict[str, str]:
        """The groups of a pattern that attributes of an array, or of its group, have."""
        above = self._tree.get(place.rpartition("/")[0])
        found = {}
        for held, values in ((item, rule.get("attributes", {})), (above, rule.get("group", {}))):
            for name, value in values.items():
                if isinstance(value, dict) and "group" in value and held is not None and name in held.attributes:
                    said = held.attributes[name]
                    back = {new: old for old, new in value.get("map", {}).items()}
                    found[value["group"]] = str(back.get(said, said) if isinstance(said, (str, int)) else said)
        return found

    def _undone(self, item: Item, rule: Rule, path: str) -> View:
        """The values in the layout; raises `Unfit`."""
        wanted = self._axes(item, rule)
        values = self._kept.view(item)
        if item.axes is not None and wanted != list(item.axes):
            values = turned(values, [list(item.axes).index(axis) for axis in wanted])
        back = rule.get("back", {})
        shape, dtype = self._past.of(path)
        if shape is None and "shape" in back:
            shape = [None if size == "*" else size for size in back["shape"]]
        elif shape is None and "ndim" in rule:
            shape = [None] * rule["ndim"]
        found = undone(values, rule.get("do", ()), shape, dtype or back.get("dtype"))
        if rule.get("ndim", found.ndim) != found.ndim:
            raise Unfit(f"expected {rule['ndim']} dimensions in the layout, found {found.ndim}")
        return found

    def _axes(self, item: Item, rule: Rule) -> list[str]:
        """The axes that the rule gives, if the array has these in any order; raises `Unfit`."""
        wanted: Sequence[str] = rule.get("axes", ())
        axes = [str(axis) for axis in item.axes or ()]
        found = []
        for template in wanted:
            fitting = [axis for axis in axes if groups_of(template, axis) is not None and axis not in found]
            exact = [axis for axis in fitting if axis == template]
            if not fitting:
                raise Unfit(f"its axes are {axes}, and those of the layout {list(wanted)}")
            found.append((exact or fitting)[0])
        if len(found) != len(axes):
            raise Unfit(f"its axes are {axes}, and those of the layout {list(wanted)}")
        return found

    def _give(self, path: str, given: Given) -> None:
        if path in self.arrays:
            raise Unfit(f"the layout has one array {path}, made of {self.arrays[path].place} already")
        self.arrays[path] = given
        self.lines.append(f"{given.place}: {path} {given.values.dtype.name} {list(given.values.shape)}")

    @staticmethod
    def _named(rule: Rule) -> set[str]:
        """The attributes of arrays that are in the names of the layout."""
        values = rule.get("attributes", {})
        return {name for name, value in values.items() if isinstance(value, dict) and "group" in value}

    def _array_of_attribute(self, place: str, item: Item) -> bool:
        """Whether an array is an attribute in the layout, which it is given back as."""
        for rule in self._dialect.rules("attributes"):
            groups = groups_of(rule["to"], place) if "axes" in rule else None
            node = None if groups is None else path_of(rule["from"], None, groups)
            name = None if groups is None else path_of(rule["name"], None, groups)
            if node is None or name is None or not is_plain(node):
                continue
            shape: Sequence[int | None] | None
            try:
                shape = [] if math.prod(item.shape) == 1 or "codes" in str(rule.get("do")) else None
                values = undone(self._kept.view(item), rule.get("do", ()), shape, None)
            except Unfit as error:
                self._lose(place, str(error))
                return True
            self._set(node, name, values.whole().tolist(), place)
            return True
        return False

    # Attributes

    def _value(self, rule: Rule) -> None:
        """Give attributes back that were arrays."""
        back = rule.get("back", {})
        found = {}
        for place, item in self._tree.items():
            groups = groups_of(rule["to"], place)
            for name, value in item.attributes.items() if groups is not None else ():
                more = groups_of(rule["as"], name)
                if more is not None and (place, name) not in self._used:
                    found[place, name] = ({**(groups or {}), **more}, value)
        if rule["as"].startswith("size_") and not found:
            size = self._size(rule["as"].removeprefix("size_"))
            if size is not None:
                found[rule["to"], rule["as"]] = ({}, size)
        for name in back.get("need", {}):
            if (rule["to"], name) not in found and (name in self._given or not self._past):
                said = self._answers.answer(name, "")
                if said is not MISSING:
                    found[rule["to"], name] = (groups_of(rule["as"], name) or {}, said)
        self.questions += [each for each in self._answers.questions.values() if each not in self.questions]
        for (place, name), (groups, value) in found.items():
            path = path_of(rule["from"], back.get("node"), groups)
            is_new = bool(self._past) and path not in self._past.source and name not in self._given
            if path is None or not is_plain(path) or is_new:
                continue
            shape, dtype = self._past.of(path)
            if rule.get("ndim") == 1 and isinstance(value, str):
                value = value.split(",")
            values = _array(value, dtype or (back.get("dtype") if not isinstance(value, str) else None), rule)
            if values is None or (shape is not None and list(values.shape) != list(shape)):
                self._lose(f"{place}@{name}", f"it is {value!r}, and the layout has an array of another shape or dtype")
            elif path not in self.arrays:
                self._give(path, Given(view_of(values), f"{place}@{name}"))
            self._used.add((place, name))

    def _size(self, axis: str) -> int | None:
        """The size of an axis in the archive."""
        for item in self._tree.values():
            for name, size in zip(item.axes or (), item.shape, strict=False):
                if str(name).partition(":")[0] == axis:
                    return size
        return None

    def _attribute(self, rule: Rule) -> None:
        """Give attributes back that a rule for attributes took."""
        for place, item in self._tree.items():
            groups = groups_of(rule["to"], place)
            for name, value in item.attributes.items() if groups is not None else ():
                more = groups_of(rule.get("as", "{name}"), name)
                if more is None or (place, name) in self._used:
                    continue
                known = {**(groups or {}), **more}
                node, old = path_of(rule["from"], None, known), more.get("name") or path_of(rule["name"], None, known)
                if node and is_plain(node) and old is not None and re.fullmatch(rule["name"], old):
                    self._set(node, old, self._text(rule, value), f"{place}@{name}")
                    self._used.add((place, name))

    def _text(self, rule: Rule, value: Any) -> Any:
        """The value of an attribute without what answers added to it."""
        if "text" not in rule or not isinstance(value, str):
            return value
        keys = self._dialect.document.get("ask", {}).keys() & set(re.findall(r"\{(\w+)\}", rule["text"]))
        text = rule["text"]
        for key in keys:
            said = self._past.answers.get(key)
            text = text.replace(f"{{{key}}}", str(said) if said is not None else "")
        return (groups_of(text, value) or {"value": value}).get("value", value)

    def _set(self, node: str, name: str, value: Any, place: str) -> None:
        self.attributes.setdefault(node, {})[name] = value
        self.lines.append(f"{place}: {node}@{name}")

    # What is left

    def _account(self) -> None:
        """Lose the attributes that nothing gives back, but for those that the mapping gives again."""
        for place, item in self._tree.items():
            for name in item.attributes:
                if (place, name) not in self._used and not self._is_again(place, name, item):
                    self._folded.setdefault((name, NO_PLACE), []).append(f"{place}@{name}")
        for (_, why), places in self._folded.items():
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            self._lose(f"{places[0]}{more}", why)

    def _is_again(self, place: str, name: str, item: Item) -> bool:
        """Whether a migration of what is exported has an attribute again: by the record, or because it is measured."""
        if place == "/" and name in _OF_THE_ARCHIVE:
            return True
        again = self._dialect.document.get("set", {}).get(place, {})
        if self._past and (name in again or name == "partial" or self._by_rule(place, name)):
            return True
        if place == "/metadata" and name.startswith("size_"):
            return bool(self._size(name.removeprefix("size_")) == item.attributes[name])
        count = _COUNT.fullmatch(name)
        if count is None or place in ALWAYS or not self._by_rule(place, name):
            return False
        members = [path for path in self._tree if re.fullmatch(re.escape(f"{place}/{count[1]}_") + "[0-9]+", path)]
        return bool(item.attributes[name] == len(members))

    def _by_rule(self, place: str, name: str) -> bool:
        """Whether a rule for nodes gives an attribute to an array, or to the group of its arrays."""
        if not self._by_rules:
            for given, rule in self._rules.items():
                self._by_rules.setdefault(given, set()).update(rule.get("attributes", {}))
                self._by_rules.setdefault(given.rpartition("/")[0], set()).update(rule.get("group", {}))
        return name in self._by_rules.get(place, ())


def _is_answer(asks: Mapping[str, Mapping[str, Any]], key: str, value: Any) -> bool:
    """Whether an answer of a record is one to a question of the mapping."""
    if key.partition(":")[0] not in asks:
        return False
    try:
        Answers(asks, {key: value})
    except UsageError:
        return False
    return True


def is_plain(path: str) -> bool:
    """Whether a path in the layout leads nowhere else: no empty step, no `..`, no control characters."""
    steps = path.split("/")[1:]
    safe = all(step not in ("", ".", "..") and len(step.encode()) <= 255 for step in steps)
    return path == "/" or (path.startswith("/") and safe and not _BAD.search(path))


def _array(value: Any, dtype: str | None, rule: Rule) -> Values | None:
    """The value of an attribute as an array; None where it is none."""
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "biufU":
            return None
        if dtype is not None and dtype != "string" and found.dtype.kind != "U":
            exact = found.astype(dtype)
            found = exact if (exact == found).all() else found
    except (ValueError, TypeError, OverflowError):
        return None
    return found if rule.get("ndim", found.ndim) == found.ndim else None
