"""What a table takes from the schemas of `trace`: classes of dtypes, how an axis may be called, known groups."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vizschema.errors import SpecError

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema

Facts = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words of one version, read from its `trace`, of which the schema at `home` has the definitions.

    `classes` maps a class of dtypes to its dtypes; `definitions` a class to the `$defs` entry that judges it. Arrays at
    the paths of `tied` have axes with `roles`: a rule of `trace` reports those that lack them.
    """

    version: str
    home: str
    portable: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    definitions: Mapping[str, str]
    axis_name: str
    axis_terms: re.Pattern[str]
    groups: tuple[str, ...]
    coordinates: re.Pattern[str]
    tied: re.Pattern[str]
    roles: Schema
    facts: Facts

    def dtypes_of(self, text: str) -> tuple[str, ...]:
        """The dtypes that the words of `text` stand for, each once, in order."""
        found = (dtype for word in text.split() for dtype in self.classes.get(word, (word,)))
        return tuple(dict.fromkeys(found))


def vocabulary(version: str, must: Schema, should: Schema, facts: Facts) -> Vocabulary:
    """The words of a version, by the two schemas and the facts of its `trace`."""
    rules = {rule["$anchor"]: rule for document in (must, should) for rule in _rules(document)}
    floats, integers = (_then(rules[name]) for name in ("float-dtype", "integer-dtype"))
    tied = next(rule for rule in rules.values() if "roles" in rule.get("then", {}).get("properties", {}))
    coordinates = rules["coordinate-dtype"]["properties"]["dtype"]["enum"]
    names = rules["axis-name"]["properties"]["axes"]["items"]["pattern"]
    return Vocabulary(
        version,
        must["$id"],
        tuple(rules["portable-dtype"]["properties"]["dtype"]["enum"]),
        {"floats": floats, "integers": integers, "coordinates": tuple(coordinates)},
        {"floats": "float_dtype", "integers": "integer_dtype"},
        names,
        re.compile(rules["axis-term"]["not"]["pattern"], re.ASCII),
        _groups(should),
        re.compile(_pattern_above(must, "coordinate-dtype"), re.ASCII),
        re.compile(_pattern_above(must, tied["$anchor"]), re.ASCII),
        tied["then"]["properties"]["roles"]["anyOf"][0],
        facts,
    )


def _then(rule: Schema) -> tuple[str, ...]:
    return tuple(rule["then"]["properties"]["dtype"]["enum"])


def _rules(schema: Any) -> Iterator[Schema]:
    if isinstance(schema, dict):
        if "$anchor" in schema:
            yield schema
        for value in schema.values():
            yield from _rules(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _rules(item)


def _groups(should: Schema) -> tuple[str, ...]:
    """The groups at the top that series are looked for in: the names that the pattern of `series-elsewhere` lists."""
    names = re.match(r"\^/\(([a-z_|]+)\)", _pattern_above(should, "series-elsewhere"))
    return tuple(names[1].split("|")) if names else ()


def _pattern_above(document: Schema, anchor: str) -> str:
    """The pattern of names nearest above a rule, or above a reference to the definition with that rule."""
    rule = f'"$anchor": "{anchor}"'
    references = (
        f'"$ref": "#/$defs/{name}"' for name, each in document.get("$defs", {}).items() if rule in json.dumps(each)
    )
    marks = (rule, *references)
    for pattern, schema in _patterns(document):
        if any(mark in json.dumps(schema) for mark in marks):
            return pattern
    raise SpecError(path=document["$id"], expected=f"the rule {anchor} below a pattern of names", found="none")


def _patterns(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every pattern of names with its schema, inner ones first."""
    if isinstance(schema, dict):
        for value in schema.values():
            yield from _patterns(value)
        yield from (
            schema.get("patternProperties", {}).items() if isinstance(schema.get("patternProperties"), dict) else ()
        )
    elif isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)
