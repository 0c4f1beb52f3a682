"""`spec/1.0.0/judging.md` written down once more, as plainly as can be: from a description to findings.

`WRONG` are readings of its sentences that are not meant; a test holds a vector against each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

import jsonschema

from vizschema.rules.versions import NAMED_MEMBERS, Profile, resolve

WRONG = {
    "failures": (
        "any_of_inside",
        "not_inside",
        "if_inside",
        "if_itself",
        "names_themselves",
        "required_once",
        "entries_as_list",
    ),
    "rules": ("all_errors",),
    "places": ("nothing_escaped", "percent_escaped"),
    "misnamed": ("members_too", "members_by_any_rule", "prefix_without_slash", "of_attributes_too"),
    "paths": ("series_as_key", "size_seen_most", "sizes_as_texts", "absence_at_root", "first_name_always"),
    "numbers": ("integers_without_a_point", "fractions_are_whole"),
}
NUMBERS = WRONG["numbers"]
WORDS = frozenset(("$schema", "$id", "$anchor", "$defs", "$comment", "title", "description", "then"))
Tokens = tuple[str | int, ...]


class Place(NamedTuple):
    """A schema: its document, itself, and the rule of its assertions."""

    url: str
    schema: Any
    rule: str


class Failure(NamedTuple):
    rule: str
    severity: str
    tokens: Tokens
    misnamed: bool


@cache
def _leaf(text: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads(text))


class Plain:
    """Judges by the chapter, or by one wrong reading of it."""

    def __init__(self, profile: Profile, wrong: str = "") -> None:
        self.documents = profile.documents
        self.entries = {"error": profile.must, "warning": profile.should}
        self.wrong = wrong

    def findings(self, description: Any) -> list[tuple[str, str, str, str]]:
        """(severity, rule, path, pointer) of each, sorted."""
        failures = [
            failure._replace(severity="error") if self.wrong == "all_errors" else failure
            for url in self.entries.values()
            for failure in self.failures(self.place(url, ()), description, (), "")
        ]
        kept = [each for each in failures if not self.is_left_out(each, failures)]
        found = [(each.severity, each.rule, self.path(description, each), self.pointer(each)) for each in kept]
        return sorted(set(found))

    def place(self, url: str, tokens: Tokens) -> Place:
        schema, rule, is_map = self.documents[url], self.documents[url].get("$anchor", ""), False
        for token in tokens:
            schema = schema[token]
            is_map = not is_map and token in NAMED_MEMBERS
            if not is_map and isinstance(schema, dict):
                rule = schema.get("$anchor", rule)
        return Place(url, schema, rule)

    def inner(self, around: Place, schema: Any) -> Place:
        own = schema.get("$anchor") if isinstance(schema, dict) else None
        return Place(around.url, schema, own or around.rule)

    def failures(self, place: Place, value: Any, tokens: Tokens, name: str) -> Iterator[Failure]:
        """The failures of a value; `name` is the name that is judged in its stead."""
        for keyword, content in place.schema.items() if isinstance(place.schema, dict) else ():
            if keyword == "$ref":
                url, steps = resolve(content, place.url, self.documents)
                yield from self.failures(self.place(url, steps), value, tokens, name)
            elif keyword in self.APPLIED:
                yield from self.APPLIED[keyword](self, place, content, value, tokens, name)
            elif keyword not in WORDS and not self.holds(keyword, content, value):
                is_entry = bool(tokens) and isinstance(tokens[-1], int)
                yield self.one(place, tokens[:-1] if self.wrong == "entries_as_list" and is_entry else tokens, name)

    def holds(self, keyword: str, content: Any, value: Any) -> bool:
        if self.wrong in NUMBERS and keyword == "type" and content == "integer" and isinstance(value, float):
            return self.wrong == "fractions_are_whole"
        return bool(_leaf(json.dumps({keyword: content})).is_valid(value))

    def valid(self, place: Place, value: Any) -> bool:
        kept, self.wrong = (
            self.wrong,
            self.wrong if self.wrong in ("integers_without_a_point", "fractions_are_whole") else "",
        )
        try:
            return next(self.failures(place, value, (), ""), None) is None
        finally:
            self.wrong = kept

    def one(self, place: Place, tokens: Tokens, name: str) -> Failure:
        severity = "error" if "/must." in place.url else "warning"
        return Failure(place.rule, severity, tokens, bool(name))

    def any_of(self, place: Place, content: Any, value: Any, tokens: Tokens, name: str) -> Iterator[Failure]:
        branches = [self.inner(place, each) for each in content]
        if not any(self.valid(each, value) for each in branches):
            yield self.one(place, tokens, name)
            for each in branches if self.wrong == "any_of_inside" else ():
                yield from self.failures(each, value, tokens, name)

    def not_(self, place: Place, content: Any, value: Any, tokens: Tokens, name: str) -> Iterator[Failure]:
        inner = self.inner(place, content)
        if self.valid(inner, value):
            yield self.one(place, tokens, name)
        elif self.wrong == "not_inside":
            yield from self.failures(inner, value, tokens, name)

    def if_(self, place: Place, content: Any, value: Any, tokens: Tokens, name: str) -> Iterator[Failure]:
        condition = self.inner(place, content)
        if self.valid(condition, value):
            found = list(self.failures(self.inner(place, place.schema["then"]), value, tokens, name))
            yield from found
            if found and self.wrong == "if_itself" and place.rule:
                yield self.one(place, tokens, name)
        elif self.wrong == "if_inside":
            yield from self.failures(condition, value, tokens, name)

    def all_of(self, place: Place, content: Any, value: Any, tokens: Tokens, name: str) -> Iterator[Failure]:
        for each in content:
            yield from self.failures(self.inner(place, each), value, tokens, name)

    def named(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        for key, schema in content.items() if isinstance(value, dict) else ():
            if key in value:
                yield from self.failures(self.inner(place, schema), value[key], (*tokens, key), "")

    def matched(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        for pattern, schema in content.items() if isinstance(value, dict) else ():
            for key in filter(re.compile(pattern).search, value):
                yield from self.failures(self.inner(place, schema), value[key], (*tokens, key), "")

    def others(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        patterns = place.schema.get("patternProperties", ())
        for key in value if isinstance(value, dict) else ():
            if key not in place.schema.get("properties", ()) and not any(re.search(each, key) for each in patterns):
                yield from self.failures(self.inner(place, content), value[key], (*tokens, key), "")

    def first(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        for number, (schema, each) in enumerate(zip(content, value if isinstance(value, list) else (), strict=False)):
            yield from self.failures(self.inner(place, schema), each, (*tokens, number), "")

    def entries(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        first = len(place.schema.get("prefixItems", ()))
        for number, each in enumerate(value if isinstance(value, list) else ()):
            if number >= first:
                yield from self.failures(self.inner(place, content), each, (*tokens, number), "")

    def names(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        for key in value if isinstance(value, dict) else ():
            found = list(self.failures(self.inner(place, content), key, (*tokens, key), key))
            yield from found
            if found and self.wrong == "names_themselves":
                yield found[0]._replace(tokens=tokens, misnamed=False)

    def required(self, place: Place, content: Any, value: Any, tokens: Tokens, _: str) -> Iterator[Failure]:
        missing = [key for key in content if isinstance(value, dict) and key not in value]
        if self.wrong == "required_once":
            missing = missing[:1]
        for key in missing:
            yield self.one(place, (*tokens, key), "")

    APPLIED: Mapping[str, Any] = {
        **{"anyOf": any_of, "not": not_, "if": if_, "allOf": all_of, "required": required, "propertyNames": names},
        **{"properties": named, "patternProperties": matched, "additionalProperties": others},
        **{"prefixItems": first, "items": entries},
    }

    def is_left_out(self, failure: Failure, failures: list[Failure]) -> bool:
        if not failure.misnamed or self.wrong == "members_too":
            return False
        if failure.tokens[:1] != ("nodes",) and self.wrong != "of_attributes_too":
            return False
        mark = "" if self.wrong == "prefix_without_slash" else "/"
        return any(
            other.misnamed
            and other.tokens[:-1] == failure.tokens[:-1]
            and (len(failure.tokens) == 2 or self.wrong == "of_attributes_too")
            and other.tokens != failure.tokens
            and (other.rule == failure.rule or self.wrong == "members_by_any_rule")
            and str(failure.tokens[-1]).startswith(f"{other.tokens[-1]}{mark}")
            for other in failures
        )

    def pointer(self, failure: Failure) -> str:
        texts = [str(token) for token in failure.tokens]
        if self.wrong != "nothing_escaped":
            texts = [text.replace("~", "~0").replace("/", "~1") for text in texts]
        return "".join(f"/{quote(text) if self.wrong == 'percent_escaped' else text}" for text in texts)

    def path(self, description: Any, failure: Failure) -> str:
        part, key, *_ = (*map(str, failure.tokens), "", "")
        if self.wrong == "first_name_always" and part not in ("nodes", "series", "axes", "not_captured"):
            return f"/{part}"
        if not key or part not in ("nodes", "series", "axes", "not_captured"):
            return "/"
        if part == "series":
            return key if self.wrong == "series_as_key" else f"{key}_*"
        if part == "axes":
            sizes = description["axes"][key]
            sign = -1 if self.wrong == "size_seen_most" else 1
            order = (lambda size: size) if self.wrong == "sizes_as_texts" else int
            return str(sizes[min(sizes, key=lambda size: (sign * sizes[size]["count"], order(size)))]["first"][0])
        return "/" if part == "not_captured" and self.wrong == "absence_at_root" else key
