"""How to break what is asked of attributes: by a value that breaks this rule and no other, or by taking one away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.conformance.corpus.breaks.attributes import nested
from vizschema.conformance.corpus.breaks.edits import attribute, no_attribute
from vizschema.conformance.generator.changes import Breaker, Change, Target, change
from vizschema.conformance.generator.constraints import holds
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.values import PLAIN
from vizschema.containers.attributes import DEPTH

POOL: tuple[Any, ...] = (
    *(3, -1, 0, 2.5, True, False, "text", "", "Text", "elsewhere", ["a"], ["a", 1], [1, 1], [-1], [2.5], ["/tmp/x"]),  # noqa: S108
    *(None, {"nested": 1}),
)
"""Values of every kind, among which there is one that breaks an assertion."""


def _pool(keyword: str, value: Any) -> Iterator[Any]:
    yield from POOL
    if keyword in ("minimum", "exclusiveMinimum"):
        yield from (value - 1, [value - 1])
    if keyword in ("maximum", "exclusiveMaximum"):
        yield from (value + 1, [value + 1])
    if keyword == "pattern":
        yield from (text for text in (_shortest(PLAIN & Language((), (value,))),) if text is not None)
    if keyword == "not" and "pattern" in value:
        text = _shortest(PLAIN & Language((value["pattern"],)))
        yield from () if text is None else (text, [text])


def _shortest(language: Language) -> str | None:
    return None if language.empty else language.shortest()


def _value(target: Target) -> Iterator[Change]:
    """Another value: one for which this rule alone is broken, by this assertion."""
    place = target.at.place[:4]
    inside = len(target.at.place) > 4
    for value in _pool(target.at.keyword, target.at.value):
        broken = _breaks(target, value, inside=inside)
        if broken and _rules(target, place, value) == {target.at.rule}:
            yield change(attribute(target.path, place[3], value))


def _breaks(target: Target, value: Any, *, inside: bool) -> bool:
    schema = {target.at.keyword: target.at.value}
    if not inside:
        return holds(schema, value) is False
    return isinstance(value, list) and any(holds(schema, item) is False for item in value)


def _rules(target: Target, place: tuple[str, ...], value: Any) -> set[str]:
    found: set[str] = target.base.violated(place, value)
    for item in value if isinstance(value, list) else ():
        found |= target.base.violated((*place, "[]"), item)
    whole = {**target.described["attributes"], place[3]: value}
    found |= target.base.violated(place[:3], whole)
    return found


def _required(target: Target) -> Iterator[Change]:
    if target.node is not None:
        for name in target.at.value:
            if name in target.node["attributes"]:
                also = target.values if target.is_array else ()
                yield change(no_attribute(target.path, name), also=also)


def _name(target: Target) -> Iterator[Change]:
    if target.at.keyword == "pattern":
        yield change(attribute(target.path, "Name", 1))
    else:
        yield change(attribute(target.path, Language((target.at.value["pattern"],)).shortest(), "elsewhere"))


def _unused_scope(target: Target) -> Iterator[Change]:
    """A label for an axis that no array has."""
    if target.node is not None:
        yield change(attribute(target.path, "scope_made_up", "elsewhere"))


def _escaped(target: Target) -> Iterator[Change]:
    if target.node is not None:
        yield change(attribute(target.path, "made_up", "bell\u0007"))
        yield change(attribute(target.path, "made_up", ["two\nlines"]))


def _too_deep(target: Target) -> Iterator[Change]:
    """An attribute with more levels than any container has to store."""
    if target.node is not None:
        yield change(attribute(target.path, "made_up", nested(DEPTH + 1)))
        yield change(attribute(target.path, "made_up", {"nested": nested(DEPTH)}))


def _nowhere(target: Target) -> Iterator[Change]:
    """An attribute that names an array leads nowhere."""
    if target.is_array:
        yield change(attribute(target.path, target.at.place[3], "/nowhere"))


VALUE = "nodes/*/attributes/*"
BREAKS: dict[tuple[str, str], Breaker] = {
    **{(VALUE, word): _value for word in ("anyOf", "const", "enum", "minLength", "minimum", "not", "pattern", "type")},
    **{(VALUE, word): _value for word in ("uniqueItems", "maximum", "exclusiveMinimum", "exclusiveMaximum")},
    **{(VALUE, word): _value for word in ("minItems", "maxItems", "maxProperties", "required")},
    **{(f"{VALUE}/[]", word): _value for word in ("minimum", "not", "type", "pattern", "enum", "const")},
    **{(f"{VALUE}/[]", word): _value for word in ("maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength")},
    ("nodes/*/attributes", "required"): _required,
    **{("nodes/*/attributes/(names)", word): _name for word in ("pattern", "not")},
    ("nodes/*/unused_scopes", "maxItems"): _unused_scope,
    ("nodes/*/escaped", "maxItems"): _escaped,
    ("nodes/*/references/*", "anyOf"): _nowhere,
    ("nodes/*/unsupported/*", "not"): _too_deep,
}
