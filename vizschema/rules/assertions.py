"""The schemas of a profile as a flat list: every assertion, the rule it belongs to, and what it is about.

References are followed and `allOf` vanishes, so that two ways to write the same rules give the same list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.errors import SpecError
from vizschema.findings import Severity
from vizschema.rules.versions import LEVELS, Schema, default, is_profile, profiles_in, resolve

Place = tuple[str, ...]
Documents = Mapping[str, Schema]

_WORDS = frozenset({"$schema", "$id", "$anchor", "$comment", "$defs", "title", "description"})
_OPAQUE = frozenset({"anyOf", "not"})
NAMES = "(names)"
"""The step of a place that stands for the names of members."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """`keyword` with `value`, at `place`: steps from the description inwards, with the conditions on the way."""

    rule: str
    severity: Severity
    place: Place
    keyword: str
    value: str
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The words of a rule: its clause and its description, and the profile whose schema states them."""

    title: str
    description: str
    profile: str


@dataclass(frozen=True, slots=True)
class Flat:
    """A profile: its assertions, the words of its rules, and the facts it has measured (canonical JSON)."""

    assertions: frozenset[Assertion]
    rules: Mapping[str, Statement]
    facts: frozenset[str]


def canonical(value: Any) -> str:
    """`value` as JSON, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def profiles_of(folder: Path) -> dict[str, Flat]:
    """The profiles in the folder of a version, or the one profile that a folder is; raises `SpecError` for neither."""
    if is_profile(folder):
        profile = default().profile(str(folder))
        return {profile.name: _flat((profile.must, profile.should), profile.documents, profile.facts)}
    if not any(folder.glob("*/must.schema.json")):
        raise SpecError(
            "expected an installed version, the folder of a version, or a profile (a table, or a folder with a "
            "table.toml or a must.schema.json); found none of these",
            path=folder,
        )
    profiles = profiles_in(folder)
    return {name: _flat((each.must, each.should), each.documents, each.facts) for name, each in profiles.items()}


def _flat(entries: tuple[str, ...], documents: Documents, facts: tuple[Mapping[str, Any], ...]) -> Flat:
    rules: dict[str, Statement] = {}
    found: set[Assertion] = set()
    for identity in entries:
        level = identity.rpartition("/")[2].partition(".")[0]
        walk = _Walk(documents, LEVELS[level], rules, found)
        walk.schema(identity, documents[identity], (), "", frozenset())
    return Flat(frozenset(found), rules, frozenset(map(canonical, facts)))


class _Walk:
    """A walk through everything that one schema asserts."""

    def __init__(
        self, documents: Documents, severity: Severity, rules: dict[str, Statement], found: set[Assertion]
    ) -> None:
        self._documents = documents
        self._severity: Severity = severity
        self._rules = rules
        self._found = found

    def schema(self, base: str, schema: Schema, place: Place, rule: str, above: frozenset[str]) -> None:
        """Note what `schema` asserts at `place`; `above` are the references on the way here, to end recursion."""
        if "$ref" in schema:
            self._reference(base, schema["$ref"], place, above)
            return
        if "$anchor" in schema:
            rule = schema["$anchor"]
            owner = base.rpartition("/")[0].rpartition("/")[2]
            self._rules[rule] = Statement(schema.get("title", ""), schema.get("description", ""), owner)
        if "if" in schema:
            condition = f"(if {canonical(self.inlined(base, schema['if'], above))})"
            self.schema(base, schema["then"], (*place, condition), rule, above)
        for keyword, value in schema.items():
            if keyword in _WORDS or keyword in ("if", "then"):
                continue
            for step, child in _children(schema, keyword, value):
                self.schema(base, child, (*place, *step), rule, above)
            if keyword not in _APPLICATORS:
                self._assert(base, rule, place, keyword, value, above)

    def _reference(self, base: str, reference: str, place: Place, above: frozenset[str]) -> None:
        url, tokens = resolve(reference, base, self._documents)
        here = f"{url}#{'/'.join(tokens)} {place[-1:]}"
        if here in above:
            return
        target, rule = self._documents[url], ""
        for token in tokens:
            target = target[token]
            rule = target.get("$anchor", rule) if isinstance(target.get("$anchor", rule), str) else rule
        self.schema(url, target, place, rule, above | {here})

    def _assert(self, base: str, rule: str, place: Place, keyword: str, value: Any, above: frozenset[str]) -> None:
        if keyword in _OPAQUE:
            value = self.inlined(base, value, above)
        if keyword == "const":
            keyword, value = "enum", [value]
        if keyword == "type" and isinstance(value, str):
            value = [value]
        if isinstance(value, list) and keyword in ("enum", "type", "required"):
            value = sorted(value, key=canonical)
        self._found.add(Assertion(rule, self._severity, place, keyword, canonical(value)))

    def inlined(self, base: str, value: Any, above: frozenset[str]) -> Any:
        """`value` without words, with what it refers to in place of each reference."""
        if isinstance(value, list):
            return [self.inlined(base, item, above) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("$ref"), str):
            url, tokens = resolve(value["$ref"], base, self._documents)
            target: Any = self._documents[url]
            for token in tokens:
                target = target[token]
            here = f"{url}#{'/'.join(tokens)}"
            return here if here in above else self.inlined(url, target, above | {here})
        return {key: self.inlined(base, item, above) for key, item in value.items() if key not in _WORDS}


_APPLICATORS = frozenset(
    {"allOf", "properties", "patternProperties", "additionalProperties", "propertyNames", "items", "prefixItems"}
)


def _children(schema: Schema, keyword: str, value: Any) -> Iterator[tuple[Place, Schema]]:
    """The subschemas that `keyword` applies, and the step to what each is applied to."""
    if keyword == "allOf":
        yield from (((), child) for child in value)
    elif keyword in ("properties", "patternProperties"):
        mark = "" if keyword == "properties" else "~"
        yield from (((f"{mark}{name}",), child) for name, child in value.items() if isinstance(child, dict))
    elif keyword == "additionalProperties":
        others = sorted([*schema.get("properties", ()), *(f"~{name}" for name in schema.get("patternProperties", ()))])
        yield (f"*{' but ' + ', '.join(others) if others else ''}",), value
    elif keyword == "propertyNames":
        yield (NAMES,), value
    elif keyword == "items":
        yield ("[]",), value
    elif keyword == "prefixItems":
        yield from (((f"[{index}]",), child) for index, child in enumerate(value))
