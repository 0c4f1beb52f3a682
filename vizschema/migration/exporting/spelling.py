"""Patterns and templates the other way: from a path of the result to the groups, and from the groups to a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from vizschema.migration.mapping import filled

MAX_NUMBER = 10**9
"""Numbers in names are below this."""

_PART = re.compile(r"\{(\w+)([+-]\d+)?(:n)?\}", re.ASCII)
_STEP = re.compile(
    r"\\(?P<escaped>\W)|\(\?P<(?P<group>\w+)>|(?P<skipped>\(\?:)|(?P<plain>[^\\.^$*+?{}\[\]|()])|(?P<other>.)",
    re.DOTALL,
)


def groups_of(template: str, text: str) -> dict[str, str] | None:
    """The groups with which `template` gives `text`, numbers of a series as plain numbers; None where none do."""
    expression, plus = _expression(template)
    match = re.fullmatch(expression, text, re.DOTALL)
    if match is None:
        return None
    found = dict(match.groupdict())
    for name, added in plus.items():
        number = int(found[name]) - added
        if not 0 <= number < MAX_NUMBER:
            return None
        found[name] = str(number)
    return found


@cache
def _expression(template: str) -> tuple[str, Mapping[str, int]]:
    """A regular expression for what a template gives, and what is added to each number in it."""
    parts, start = [], 0
    plus: dict[str, int] = {}
    seen: set[str] = set()
    for match in _PART.finditer(template):
        name, added, series = match.groups()
        parts.append(re.escape(template[start : match.start()]))
        is_number = bool(added or series)
        pattern = "[0-9]{1,9}" if is_number else ".+"
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{pattern})")
        if is_number:
            plus[name] = int(added or 0)
        seen.add(name)
        start = match.end()
    return "".join([*parts, re.escape(template[start:])]), plus


def spelled(pattern: str, groups: Mapping[str, str]) -> str | None:
    """The text that matches `pattern` and has these groups; None where the pattern leaves that open.

    What may be left out is left out, and a character that may be repeated is there once.
    """
    found, place = [], 0
    while place < len(pattern):
        step = _STEP.match(pattern, place)
        if step is None or step["other"]:
            return None
        end = step.end()
        if step["group"]:
            if step["group"] not in groups:
                return None
            end = _closed(pattern, end)
            text = groups[step["group"]]
        elif step["skipped"]:
            end = _closed(pattern, end)
            text = ""
            if pattern[end : end + 1] not in ("?", "*"):
                return None
        else:
            text = step["escaped"] or step["plain"]
        if pattern[end : end + 1] in ("?", "*", "+") and not step["group"]:
            text = text if pattern[end] == "+" else ""
            end += 1
        found.append(text)
        place = end
    spelt = "".join(found)
    return spelt if re.fullmatch(pattern, spelt) else None


def _closed(pattern: str, start: int) -> int:
    """The place after the parenthesis that closes the one before `start`; the end where none does."""
    depth, place = 1, start
    while place < len(pattern) and depth:
        if pattern[place] == "\\":
            place += 1
        elif pattern[place] == "[":
            place = max(place, pattern.find("]", place + 2))
        else:
            depth += {"(": 1, ")": -1}.get(pattern[place], 0)
        place += 1
    return place


def path_of(pattern: str, template: str | None, groups: Mapping[str, str]) -> str | None:
    """The path in the other layout: by its template, else by the pattern; None where it is left open."""
    names = {name for name, *_ in _PART.findall(template or "")}
    if template is not None and names <= groups.keys():
        found = filled(template, groups, {})
        return found if re.fullmatch(pattern, found) else None
    return spelled(pattern, groups)
