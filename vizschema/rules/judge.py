"""Description × profile → findings, by stock JSON Schema 2020-12.

Sees no array, no file and no container. The schemas state the rules; the rule of a fault is the nearest enclosing
`$anchor` of the absolute keyword location, with one fault a name for `required` and `propertyNames`.

Engines report an error together with a copy of the value at fault. Where that is the map of all nodes, an archive of
ten thousand misnamed nodes takes terabytes. So the schemas are walked here, into nothing but what is invalid: a stock
engine decides what that is, place by place, and copies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from vizschema.description import Description
from vizschema.errors import SpecError
from vizschema.findings import Finding, Rule
from vizschema.rules.versions import NAMED_MEMBERS, Profile, Schema, resolve
from vizschema.rules.wording import place_of, words_of

Tokens = tuple[str | int, ...]

_ABOUT = frozenset({"$schema", "$id", "$anchor", "$defs", "$comment", "title", "description", "then"})
"""Keywords that assert nothing by themselves."""

_SUBSCHEMAS = frozenset({"anyOf", "not"})
"""Keywords whose schemas decide one assertion: what fails within them is not a fault of its own."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A part of a document: its URL, the tokens that lead to it, what is there, and the nearest anchor around it.

    `inner` are the places within it that were asked for: there is one of each.
    """

    url: str
    tokens: Tokens
    value: Any
    anchor: str | None
    is_map: bool = False
    inner: dict[str | int, _Place] = field(default_factory=dict, repr=False)

    def at(self, token: str | int) -> _Place:
        """The place one token further."""
        if token not in self.inner:
            self.inner[token] = self._at(token)
        return self.inner[token]

    def _at(self, token: str | int) -> _Place:
        value = self.value[token]
        is_map = not self.is_map and token in NAMED_MEMBERS
        anchored = not is_map and isinstance(value, dict) and "$anchor" in value
        return _Place(self.url, (*self.tokens, token), value, value["$anchor"] if anchored else self.anchor, is_map)

    @property
    def reference(self) -> Schema:
        """A schema that is this one."""
        pointer = "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in self.tokens)
        return {"$ref": f"{self.url}#{quote(pointer)}"}


class Faults:
    """Finds the faults of descriptions by the schemas of one profile; fetches nothing."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._registry = jsonschema_rs.Registry(list(profile.documents.items()), retriever=_refuse)
        self._options = jsonschema_rs.RegexOptions()  # linear time, whatever the text
        self._compiled: dict[tuple[_Place, bool], Any] = {}
        self._document = cache(self._document_at)
        self._followed = cache(self._follow)

    def engine(self, schema: Schema) -> Any:
        """A compiled validator of `schema`."""
        return jsonschema_rs.Draft202012Validator(schema, registry=self._registry, pattern_options=self._options)

    def of(self, description: Any, *, errors_only: bool = False) -> Iterator[Fault]:
        """Every fault of a description, some more than once."""
        for url in _schemas(self._profile, errors_only):
            yield from self._invalid(self._document(url), description, ())

    def _document_at(self, url: str) -> _Place:
        schema = self._profile.documents[url]
        return _Place(url, (), schema, schema.get("$anchor"))

    def _invalid(self, place: _Place, instance: Any, path: Tokens) -> Iterator[Fault]:
        """The faults of `instance`, which is at `path`, by the schema at a place."""
        if not self._is_valid(place, lambda: place.reference, instance):
            yield from self._faults(self._followed(place), instance, path)

    def _faults(self, place: _Place, instance: Any, path: Tokens) -> Iterator[Fault]:
        for keyword in place.value:
            if keyword in _ABOUT:
                continue
            within = _WITHIN.get(keyword)
            if within is not None:
                yield from within(self, place.at(keyword), instance, path, place)
            elif not self._is_valid(place.at(keyword), partial(self._alone, place, keyword), instance):
                missing = place.value[keyword] if keyword == "required" else (None,)
                for name in missing:
                    if name is None or name not in instance:
                        yield self._fault(place.at(keyword), path, name)

    def _follow(self, place: _Place) -> _Place:
        while "$ref" in place.value:
            url, tokens = resolve(place.value["$ref"], place.url, self._profile.documents)
            place = self._document(url)
            for token in tokens:
                place = place.at(token)
        return place

    def _is_valid(self, place: _Place, schema: Callable[[], Schema], instance: Any, *, within: bool = False) -> bool:
        """Whether an instance is valid by the schema of a place; `within` by that which says where this one holds."""
        known = (place, within)
        if known not in self._compiled:
            self._compiled[known] = self.engine(schema())
        return bool(self._compiled[known].is_valid(instance))

    def _alone(self, place: _Place, keyword: str) -> Schema:
        """A schema of one assertion and nothing else."""
        value = place.value[keyword]
        if keyword not in _SUBSCHEMAS:
            return {keyword: value}
        inner = place.at(keyword)
        alone = [inner.at(number).reference for number in range(len(value))] if keyword == "anyOf" else inner.reference
        return {keyword: alone}

    def _fault(self, place: _Place, path: Tokens, name: str | None = None) -> Fault:
        if place.anchor is None:
            where = "/".join(map(str, place.tokens))
            raise SpecError(f"an assertion that no rule holds, at {where}", path=place.url)
        return Fault(self._profile.rules[place.anchor], path, name, str(place.tokens[-1]), place.value)

    def _all(self, place: _Place, instance: Any, path: Tokens, _: _Place) -> Iterator[Fault]:
        for number in range(len(place.value)):
            yield from self._invalid(place.at(number), instance, path)

    def _if(self, place: _Place, instance: Any, path: Tokens, around: _Place) -> Iterator[Fault]:
        if self._is_valid(place, lambda: place.reference, instance):
            yield from self._invalid(around.at("then"), instance, path)

    def _properties(self, place: _Place, instance: Any, path: Tokens, _: _Place) -> Iterator[Fault]:
        for name in place.value if isinstance(instance, dict) else ():
            if name in instance:
                yield from self._invalid(place.at(name), instance[name], (*path, name))

    def _patterns(self, place: _Place, instance: Any, path: Tokens, _: _Place) -> Iterator[Fault]:
        for pattern in place.value if isinstance(instance, dict) else ():
            inner = place.at(pattern)
            # Asked as a whole, since the engine, not Python, says which names a pattern matches.
            alone = partial(_matching, pattern, inner)
            if not self._is_valid(inner, alone, instance, within=True):
                for name, value in instance.items():
                    if not self._is_valid(inner, alone, {name: value}, within=True):
                        yield from self._invalid(inner, value, (*path, name))

    def _others(self, place: _Place, instance: Any, path: Tokens, around: _Place) -> Iterator[Fault]:
        if not isinstance(instance, dict):
            return
        alone = partial(_additional, around, place)
        if not self._is_valid(place, alone, instance, within=True):
            for name, value in instance.items():
                if not self._is_valid(place, alone, {name: value}, within=True):
                    yield from self._invalid(place, value, (*path, name))

    def _names(self, place: _Place, instance: Any, path: Tokens, _: _Place) -> Iterator[Fault]:
        for name in instance if isinstance(instance, dict) else ():
            for fault in self._invalid(place, name, ()):
                yield Fault(fault.rule, path, name, fault.keyword, fault.value)

    def _items(self, place: _Place, instance: Any, path: Tokens, around: _Place) -> Iterator[Fault]:
        first = len(around.value.get("prefixItems", ()))
        for number, value in enumerate(instance[first:] if isinstance(instance, list) else (), first):
            yield from self._invalid(place, value, (*path, number))

    def _prefix(self, place: _Place, instance: Any, path: Tokens, _: _Place) -> Iterator[Fault]:
        for number, value in enumerate(instance[: len(place.value)] if isinstance(instance, list) else ()):
            yield from self._invalid(place.at(number), value, (*path, number))


_WITHIN: Mapping[str, Callable[[Faults, _Place, Any, Tokens, _Place], Iterator[Fault]]] = {
    "allOf": Faults._all,
    "if": Faults._if,
    "properties": Faults._properties,
    "patternProperties": Faults._patterns,
    "additionalProperties": Faults._others,
    "propertyNames": Faults._names,
    "items": Faults._items,
    "prefixItems": Faults._prefix,
}
"""The keywords below which the faults are: what is at the place of the keyword, an instance, its path, the schema."""


def _matching(pattern: str, place: _Place) -> Schema:
    """A schema by which the schema at a place holds for what a pattern matches."""
    return {"patternProperties": {pattern: place.reference}}


def _additional(around: _Place, place: _Place) -> Schema:
    """A schema by which the schema at a place holds for what the one around it does not name."""
    named: Schema = {name: {} for name in around.value.get("properties", ())}
    patterns: Schema = {pattern: {} for pattern in around.value.get("patternProperties", ())}
    return {"properties": named, "patternProperties": patterns, "additionalProperties": place.reference}


def _refuse(uri: str) -> Any:
    raise SpecError(f"{uri} is not part of the installed specification, and schemas are never fetched")


def judge(description: Description, profile: Profile, *, errors_only: bool = False) -> tuple[Finding, ...]:
    """The findings about `description`: errors first, then by rule and place; a set, whatever the engine's order."""
    faults = faults_of(description, profile, errors_only=errors_only)
    return tuple(_finding(description, fault) for fault in faults)


def faults_of(description: Description, profile: Profile, *, errors_only: bool = False) -> list[Fault]:
    """The faults of `description` by `profile`, as `settle` leaves them: what findings are made of."""
    engine, faults = _engine(profile, errors_only)
    if engine.is_valid(description):  # half the cost of collecting errors, and what most archives are
        return []
    return settle(faults.of(description, errors_only=errors_only))


def entry_of(profile: Profile, *, errors_only: bool = False) -> Schema:
    """The schema that an engine starts from: both schemas of the profile, in one pass, or that of errors alone."""
    return {"allOf": [{"$ref": url} for url in _schemas(profile, errors_only)]}


def _schemas(profile: Profile, errors_only: bool) -> tuple[str, ...]:
    return (profile.must,) if errors_only else (profile.must, profile.should)


@lru_cache(maxsize=16)
def _engine(profile: Profile, errors_only: bool) -> tuple[Any, Faults]:
    """A compiled validator for a profile, and what finds the faults where it says that there are any."""
    faults = _faults(profile)
    return faults.engine(entry_of(profile, errors_only=errors_only)), faults


_faults = lru_cache(maxsize=16)(Faults)


def settle(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once by (place, rule), errors first, sorted.

    A misnamed node is one fault: its members, misnamed because of it, are left out.
    """
    unique = {(fault.rule.severity, fault.rule.id, fault.pointer): fault for fault in faults}
    misnamed = {(fault.rule.id, fault.name) for fault in unique.values() if _is_misnamed_node(fault)}
    kept = (
        key for key, fault in unique.items() if not any((fault.rule.id, above) in misnamed for above in _above(fault))
    )
    return [unique[key] for key in sorted(kept)]


def _is_misnamed_node(fault: Fault) -> bool:
    return fault.instance == ("nodes",) and fault.name is not None and fault.keyword != "required"


def _above(fault: Fault) -> Iterator[str]:
    """The paths above a misnamed node."""
    parent = (fault.name or "").rpartition("/")[0] if _is_misnamed_node(fault) else ""
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
        fix=fault.rule.fix,
    )
