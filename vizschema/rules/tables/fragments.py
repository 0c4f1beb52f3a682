"""Rules in JSON Schema beside a table: whether the paths and facts that they name are those of the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vizschema.errors import SpecError
from vizschema.rules.own_facts import judged_by, unmeasured
from vizschema.rules.tables.paths import above, example
from vizschema.rules.tables.relations import FIELDS, RELATIONS
from vizschema.rules.tables.table import Table
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.text import suggestion


def check(table: Table, words: Vocabulary) -> None:
    """Raise `SpecError` for a rule about a node that no row has, or about a fact that nothing measures."""
    paths = ["/", "/metadata", "/extra"]
    for node in table.all_nodes():
        paths += [example(group) for group in above(node.steps)]
        paths.append(example(node.steps))
    measured = _measured(table, words)
    for rules in table.also.values():
        for rule in rules:
            for keyword, name in _names(rule, "nodes"):
                matches = name in paths if keyword == "properties" else any(re.search(name, path) for path in paths)
                if not matches:
                    hint = suggestion(name.strip("^$"), paths)
                    raise SpecError(f"rule {rule['$anchor']}: no node of the table is called {name}{hint}")
            for judged in judged_by(rule):
                flaw = unmeasured(judged, measured)
                if flaw is not None:
                    raise SpecError(f"rule {rule['$anchor']}: {flaw}")


def _measured(table: Table, words: Vocabulary) -> list[tuple[str, str]]:
    """Patterns of paths, each with a field of facts that is measured there."""
    asked = [(fact["at"], measure) for fact in words.facts for measure in fact["measure"]]
    for node in table.all_nodes():
        own = [relation.fact for name, relation in RELATIONS.items() if name in node.row.columns]
        asked += [(f"^{re.escape(example(node.steps))}$", fact) for fact in own if fact]
    return [(at, field) for at, measure in asked for field in FIELDS.get(measure, (measure,))]


def _names(schema: Any, member: str, *, inside: bool = False) -> Iterator[tuple[str, str]]:
    """(keyword, name) of what a schema asserts of the members of every `member`: nodes by path, facts by name."""
    if isinstance(schema, list):
        for item in schema:
            yield from _names(item, member, inside=inside)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties") and isinstance(value, dict):
            for name, inner in value.items():
                if inside:
                    yield keyword, name
                yield from _names(inner, member, inside=not inside and name == member and keyword == "properties")
        elif keyword == "required" and inside and isinstance(value, list):
            yield from (("properties", name) for name in value)
        elif keyword in ("allOf", "anyOf", "if", "then", "not"):
            yield from _names(value, member, inside=inside)
        elif isinstance(value, dict | list) and keyword not in ("const", "enum"):
            yield from _names(value, member)
