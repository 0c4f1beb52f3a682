"""Description × profile → findings, by stock JSON Schema 2020-12. The only importer of a JSON Schema engine.

Sees no array, no file and no container. The schemas state the rules; this module finds the rule of each error, the same
way for every engine: the nearest enclosing `$anchor` of the absolute keyword location, and one error a name for
`required` and `propertyNames`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from vizschema.description import Description
from vizschema.errors import SpecError
from vizschema.findings import Finding, Rule
from vizschema.phrases import place_of, words_of
from vizschema.specs import NAMED_MEMBERS, Profile, Schema, resolve

Tokens = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an engine, in terms that all engines share.

    `instance` leads to the value at fault in the description, `name` is the property that is missing or misnamed,
    `keyword` and `value` are the assertion that failed.
    """

    rule: Rule
    instance: Tokens
    name: str | None
    keyword: str
    value: Any

    @property
    def pointer(self) -> str:
        """The JSON Pointer of the fault; a missing or misnamed property is part of it."""
        tokens = self.instance if self.name is None else (*self.instance, self.name)
        return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def judge(description: Description, profile: Profile) -> tuple[Finding, ...]:
    """The findings about `description`: errors first, then by rule and place; a set, whatever the engine's order."""
    engine, locator = _engine(profile)
    if engine.is_valid(description):  # half the cost of collecting errors, and what most archives are
        return ()
    faults = (
        locator.fault(error.evaluation_path, error.instance_path, _named(error))
        for error in engine.iter_errors(description)
    )
    return tuple(_finding(description, fault) for fault in settle(faults))


def entry_of(profile: Profile) -> Schema:
    """The schema that an engine starts from: both schemas of the profile, in one pass."""
    return {"allOf": [{"$ref": profile.must}, {"$ref": profile.should}]}


@functools.lru_cache(maxsize=16)
def _engine(profile: Profile) -> tuple[Any, Locator]:
    """A compiled validator for a profile, which can fetch nothing, and the locator of its errors."""
    registry = jsonschema_rs.Registry(list(profile.documents.items()), retriever=_refuse)
    options = jsonschema_rs.RegexOptions()  # linear time, whatever the text
    engine = jsonschema_rs.Draft202012Validator(entry_of(profile), registry=registry, pattern_options=options)
    return engine, Locator(profile)


def _refuse(uri: str) -> Any:
    raise SpecError(f"{uri} is not part of the installed specification, and schemas are never fetched")


def _named(error: Any) -> str | None:
    kind = error.kind
    if kind.name == "required":
        return str(kind.property)
    if kind.name == "propertyNames":
        return str(kind.error.instance)
    return None


class Locator:
    """Finds the rule behind an error of any engine, whose keyword path may or may not show the `$ref` steps."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._entry = entry_of(profile)
        self._known: dict[Tokens, tuple[Rule, str, Any]] = {}

    def fault(self, keyword_path: Iterable[str | int], instance: Iterable[str | int], name: str | None) -> Fault:
        """The fault at `instance` that the assertion at `keyword_path` found."""
        path = tuple(keyword_path)
        if path not in self._known:
            self._known[path] = self._assertion(path)
        rule, keyword, value = self._known[path]
        return Fault(rule, tuple(instance), name, keyword, value)

    def _assertion(self, path: Tokens) -> tuple[Rule, str, Any]:
        walk = _Walk(self._profile, self._entry)
        for token in path:
            walk.step(token)
        if walk.anchor is None:
            raise SpecError(f"{walk.base}: an assertion that no rule holds, at {'/'.join(map(str, path))}")
        return self._profile.rules[walk.anchor], str(path[-1]), walk.value


class _Walk:
    """A walk along an evaluation path, which keeps the nearest anchor of the absolute location."""

    def __init__(self, profile: Profile, entry: Schema) -> None:
        self.profile = profile
        self.base = ""
        self.value: Any = entry
        self.anchor: str | None = None
        self._names = False

    def step(self, token: str | int) -> None:
        """Go one token further, through references where the path does not name them."""
        if not self._names:
            self._follow()
        if token == "$ref" and not self._names:
            return
        self._enter(token)

    def _follow(self) -> None:
        while isinstance(self.value, dict) and "$ref" in self.value:
            self.base, place = resolve(self.value["$ref"], self.base, self.profile.documents)
            self.value, self.anchor, self._names = self.profile.documents[self.base], None, False
            for token in place:
                self._enter(token)

    def _enter(self, token: str | int) -> None:
        self.value = self.value[token]
        self._names = not self._names and token in NAMED_MEMBERS
        if not self._names and isinstance(self.value, dict) and "$anchor" in self.value:
            self.anchor = self.value["$anchor"]


def settle(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once by (place, rule), errors first, sorted.

    A misnamed node is one fault: its members, misnamed because of it, are left out.
    """
    unique = {(fault.rule.severity, fault.rule.id, fault.pointer): fault for fault in faults}
    misnamed = {(fault.rule.id, fault.name) for fault in unique.values() if fault.keyword in _NAMING and fault.name}
    kept = (
        key for key, fault in unique.items() if not any((fault.rule.id, above) in misnamed for above in _above(fault))
    )
    return [unique[key] for key in sorted(kept)]


_NAMING = frozenset({"pattern", "not", "enum", "const"})


def _above(fault: Fault) -> Iterator[str]:
    if fault.name is None or fault.keyword not in _NAMING or not fault.name.startswith("/"):
        return
    parent = fault.name.rpartition("/")[0]
    while parent:
        yield parent
        parent = parent.rpartition("/")[0]


def _finding(description: Description, fault: Fault) -> Finding:
    expected, found = words_of(description, fault.rule, fault.instance, fault.name, fault.keyword, fault.value)
    return Finding(
        rule=fault.rule.id,
        severity=fault.rule.severity,
        path=place_of(description, fault.instance, fault.name),
        instance=fault.pointer,
        expected=expected,
        found=found,
        title=fault.rule.title,
        mend=fault.rule.mend,
    )
