"""A place in what a module takes or returns, such as `.cache.layers[0].keys`. No torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_STEP = re.compile(r"\.(\w+)|\[(-?[0-9]+)\]")

ABSENT = object()
"""What is at a place that a value does not have."""


def at(value: Any, place: str) -> Any:
    """Return what is at a place of `value`, or `ABSENT`: `.name` is a key or an attribute, `[0]` an entry."""
    for name, number in _STEP.findall(place):
        value = _entry(value, int(number)) if number else _member(value, name)
        if value is ABSENT:
            return ABSENT
    return value


def first(value: Any, alternatives: Sequence[str]) -> Any:
    """Return what is at the first of these places that `value` has, or `ABSENT`.

    `.a if .b[0] = text` is there only if what is at `.b[0]` is that text, or nothing.
    """
    for alternative in alternatives:
        place, _, condition = alternative.partition(" if ")
        other, _, text = condition.partition(" = ")
        found = at(value, place)
        if found is not ABSENT and (not condition or at(value, other) in (ABSENT, None, text)):
            return found
    return ABSENT


def argument(place: str, given: tuple[Any, ...], named: Mapping[str, Any], order: tuple[str, ...]) -> Any:
    """Return an argument of a call, or `ABSENT`: by its name or number, then a place in it; of no place, the first one.

    `order` are the names of the positional arguments.
    """
    match = _STEP.match(place)
    if match is None:
        return given[0] if given else next(iter(named.values()), ABSENT)
    name, number = match.groups()
    if number:
        value = _entry(given, int(number))
    elif name in named:
        value = named[name]
    else:
        value = _entry(given, order.index(name)) if name in order else ABSENT
    return at(value, place[match.end() :])


def _entry(value: Any, number: int) -> Any:
    if isinstance(value, Mapping):
        value = list(value.values())
    try:
        return value[number]
    except (TypeError, IndexError, KeyError):
        return ABSENT


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, ABSENT)
    return getattr(value, name, ABSENT)
