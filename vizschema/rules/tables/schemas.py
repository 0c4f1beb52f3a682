"""From checks to JSON Schema: what a rule asserts of a description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vizschema.rules.tables.axes import names_in
from vizschema.rules.tables.judges import CLOSED, MEASURED, SIZE, Check, Judge
from vizschema.rules.tables.needs import needed
from vizschema.rules.tables.paths import (
    Steps,
    Within,
    above,
    closed,
    closed_within,
    example,
    groups_of,
    is_fixed,
    is_free,
    overlap,
    pattern,
    shown,
    within,
)
from vizschema.rules.tables.relations import FIELDS, RELATIONS
from vizschema.rules.tables.table import OWN, Node, Table
from vizschema.rules.tables.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema

MISNAMED = "/(.*/)?([^a-z/][^/]*|[a-z][^/]*[^a-z0-9_/][^/]*)(/.*)?"
"""Paths in which a step has no name that `node-name` allows: reported there, and nowhere else."""

_NO_COORDINATE = {"coordinate": {"not": {"const": True}}}
"""Members of what is not a coordinate."""

Placed = tuple[Steps, "Schema"]


def asserted(judge: Judge, table: Table, words: Vocabulary) -> Schema:
    """What a rule asserts, without its id and texts."""
    parts = [
        *_of_nodes([placed for check in judge.checks for placed in _placed(check, words)]),
        *_measured(list(judge.of(MEASURED)), words, strict=table.is_own),
        *_sizes(list(judge.of(SIZE)), table),
        *_scopes(list(judge.of("scopes")), table),
        *needed([node for check in judge.of("need") for node in check.nodes]),
        *(schema for _ in judge.of(CLOSED) for schema in _closed(table)),
    ]
    return parts[0] if len(parts) == 1 else {"allOf": parts}


def structure(table: Table, words: Vocabulary) -> Schema:
    """What the rows of a table say by rules of `trace`: arrays, groups, and classes of dtypes."""
    trace = words.home
    arrays = [node.steps for node in table.nodes]
    judged: dict[str, list[Steps]] = {"array_node": arrays, "group_node": groups_of(arrays)}
    free: dict[str, list[Steps]] = {}
    for node in table.nodes:
        definition = words.definitions.get(node.row.columns["dtype"])
        if definition:
            (free if is_free(node.steps) else judged).setdefault(definition, []).append(node.steps)
    groups: list[tuple[Schema, Sequence[Steps]]] = []
    for definition, nodes in judged.items():
        others = [steps for steps in nodes if not is_fixed(steps)]
        each = [[steps] for steps in nodes if is_fixed(steps)] + ([others] if others else [])
        groups += [({"$ref": f"{trace}#/$defs/{definition}"}, members) for members in each]
    for definition, nodes in free.items():
        groups.append((_no_coordinate({"$ref": f"{trace}#/$defs/{definition}"}), nodes))
    return _at_nodes(groups)


def _no_coordinate(schema: Schema) -> Schema:
    """`schema` for what is not a coordinate."""
    return {"if": {"properties": _NO_COORDINATE}, "then": schema}


def _all(schemas: Sequence[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"allOf": list(schemas)}


def _at_nodes(groups: Sequence[tuple[Schema, Sequence[Steps]]]) -> Schema:
    """Each schema at its nodes: by name where that is one path, else by a pattern."""
    found: dict[str, dict[str, list[Schema]]] = {}
    for schema, nodes in groups:
        named = len(nodes) == 1 and is_fixed(nodes[0])
        at = found.setdefault("properties" if named else "patternProperties", {})
        at.setdefault(shown(nodes[0]) if named else pattern(nodes), []).append(schema)
    asserted = {keyword: {at: _all(each) for at, each in members.items()} for keyword, members in found.items()}
    return {"properties": {"nodes": asserted}}


def _of_nodes(placed: Sequence[Placed]) -> Iterator[Schema]:
    """One schema of what is asserted node by node: nodes of which the same is asserted share a pattern."""
    groups: list[tuple[Schema, list[Steps]]] = []
    for steps, schema in placed:
        same = next((found for each, found in groups if each == schema), None)
        if same is None:
            groups.append((schema, [steps]))
        else:
            same.append(steps)
    if groups:
        yield _at_nodes(groups)


def _placed(check: Check, words: Vocabulary) -> Iterator[Placed]:
    make = _OF_NODE.get(check.column)
    if make is not None:
        for node in check.nodes:
            schema = make(node, words)
            yield node.steps, _no_coordinate(schema) if is_free(node.steps) else schema


def _axes(node: Node, words: Vocabulary) -> Schema:
    named = {"type": "array", "uniqueItems": True, "items": {"type": "string", "pattern": words.axis_name}}
    if words.tied.search(example(node.steps)):
        both = {"properties": {"roles": words.roles, "axes": named}}
        return {"if": both, "then": {"properties": {"axes": _listed(node.axes)}}}
    return {"properties": {"axes": {"if": named, "then": _listed(node.axes)}}}


def _listed(alternatives: Sequence[Sequence[str]]) -> Schema:
    if all(OWN not in axes for axes in alternatives):
        return _one_of([list(axes) for axes in alternatives])
    schemas = [_open(axes) if OWN in axes else {"const": list(axes)} for axes in alternatives]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _open(axes: Sequence[str]) -> Schema:
    """A list that begins with `axes`, but for the mark at its end, and has one more at least."""
    first: Schema = {"prefixItems": [{"const": axis} for axis in axes[:-1]]} if len(axes) > 1 else {}
    return {"minItems": len(axes), **first}


def _one_of(values: Sequence[object]) -> Schema:
    return {"const": values[0]} if len(values) == 1 else {"enum": list(values)}


def _dtype(node: Node, words: Vocabulary) -> Schema:
    array = {"properties": {"kind": {"const": "array"}, "dtype": {"enum": list(words.portable)}}}
    allowed = words.dtypes_of(node.row.columns["dtype"])
    return {"if": array, "then": {"properties": {"dtype": _one_of(allowed)}}}


def _relation(column: str) -> Callable[[Node, Vocabulary], Schema]:
    return lambda node, _: {"properties": {"facts": RELATIONS[column].schema(node.row.columns[column])}}


_OF_NODE: Mapping[str, Callable[[Node, Vocabulary], Schema]] = {
    "axes": _axes,
    "dtype": _dtype,
    **{column: _relation(column) for column in RELATIONS},
}


def _measured(checks: Sequence[Check], words: Vocabulary, *, strict: bool) -> Iterator[Schema]:
    """That facts were measured, where values were read; `strict`: and are numbers, where there is what they need."""
    placed: list[Placed] = []
    sized: dict[str, list[Placed]] = {}
    for node in (node for check in checks for node in check.nodes):
        for column, relation in RELATIONS.items():
            if column in node.row.columns and relation.fact and relation.dtypes:
                array = {"kind": {"const": "array"}, "dtype": {"enum": list(words.classes[relation.dtypes])}}
                there = {"properties": {"facts": {"required": list(FIELDS.get(relation.fact, (relation.fact,)))}}}
                placed.append((node.steps, {"if": {"properties": array}, "then": there}))
                if strict and relation.axis:
                    number = {"properties": {"facts": {"properties": {relation.fact: {"type": "number"}}}}}
                    axis = relation.axis(node.row.columns[column])
                    sized.setdefault(axis, []).append((node.steps, {"if": {"properties": array}, "then": number}))
    read = {"values": {"const": "read"}}
    yield from ({"if": {"properties": read}, "then": schema} for schema in _of_nodes(placed))
    for axis, found in sized.items():
        known = {"axes": {"required": [axis], "properties": {axis: {"maxProperties": 1}}}}
        yield from ({"if": {"properties": {**read, **known}}, "then": schema} for schema in _of_nodes(found))


def _scopes(checks: Sequence[Check], table: Table) -> Iterator[Schema]:
    """That the axes of rows which say where their scopes are have no label elsewhere: at the array, or above it."""
    allowed = {(place, axis) for node in table.all_nodes() for axis, place in node.scopes.items()}
    refused: dict[Steps, dict[str, None]] = {}
    for node in (node for check in checks for node in check.nodes):
        for place in (*above(node.steps), node.steps):
            found = refused.setdefault(place, {})
            found.update(dict.fromkeys(axis for axis in names_in([node]) if (place, axis) not in allowed))
    labels = {place: f"^scope_({'|'.join(found)})$" for place, found in refused.items() if found}
    yield from _of_nodes(
        [
            (place, {"properties": {"attributes": {"propertyNames": {"not": {"pattern": label}}}}})
            for place, label in labels.items()
        ]
    )


def _sizes(checks: Sequence[Check], table: Table) -> Iterator[Schema]:
    one = {"maxProperties": 1}
    sizes = {check.target: str(table.sizes[check.target]) for check in checks}
    if sizes:
        fixed = {f"^{axis}(@|$)": {"if": one, "then": {"propertyNames": {"const": sizes[axis]}}} for axis in sizes}
        yield {"properties": {"axes": {"patternProperties": fixed}}}


def _closed(table: Table) -> Iterator[Schema]:
    """That the nodes are those of the table, or coordinates of its axes in its groups."""
    arrays = [node.steps for node in table.all_nodes()]
    groups = groups_of(arrays)
    tops = [*(shown(group)[1:] for group in groups if len(group) == 1 and is_fixed(group)), "extra", "metadata"]
    known = ["/", MISNAMED, f"/({'|'.join(tops)})", "/(extra|metadata)/.*"]
    inner = [group for group in groups if len(group) > 1 or not is_fixed(group)]
    free = _coordinates(arrays, groups, names_in(table.all_nodes()))
    names = {"pattern": f"^({'|'.join([*known, *closed(arrays, inner), *closed_within(free)])})$"}
    yield {"properties": {"nodes": {"propertyNames": names}}}
    if free:
        coordinate = {"not": {"properties": _NO_COORDINATE}}
        yield {"properties": {"nodes": {"patternProperties": {within(free): coordinate}}}}


def _coordinates(arrays: Sequence[Steps], groups: Sequence[Steps], axes: Sequence[str]) -> list[Within]:
    """Where a coordinate may be that no row has: the root and groups, with the axes that it may be called after."""
    taken = [*arrays, *groups]
    found: dict[tuple[str, ...], list[Steps]] = {}
    for group in ((), *groups):
        beside = {each[-1] for each in taken if overlap(group, each[:-1])}
        names = tuple(axis for axis in axes if not any(overlap((axis,), (name,)) for name in beside))
        found.setdefault(names, []).append(group)
    return [(places, names) for names, places in found.items() if names]
