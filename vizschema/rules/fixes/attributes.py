"""Fixes of attributes: their types, their words, their places, counts, and times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from vizschema.description import parent_of
from vizschema.findings import Finding
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.fixes.proposal import Context, Proposal, attribute_of, tokens_of
from vizschema.text import shorten

_IDENTITY = {"/": "/metadata", "/metadata": "/"}
"""The two nodes that have the attributes of the whole archive, each with the other one."""

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,](?P<part>[0-9]+))?"
    r" ?(?P<offset>.*)",
    re.ASCII,
)
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})?", re.ASCII | re.IGNORECASE)
_ZULU = frozenset({"z", "utc", "gmt", "utc+0", "etc/utc", "zulu"})
_ZONE = re.compile(r"[A-Za-z_]{1,32}(?:/[A-Za-z_+\-0-9]{1,32}){1,2}", re.ASCII)


def _replaced(path: str, name: str, value: Any, new: Any) -> Proposal:
    words = f"{name}: {_shown(value)} became {_shown(new)}"
    return Proposal(f"{path}@{name}", path, words, lambda draft: draft.set(path, name, new))


def _shown(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 60)


def typed_values(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Give a value the JSON type that the rule asks for."""
    place = attribute_of(finding)
    if place is None:
        return
    path, name = place
    value = context.nodes[path]["attributes"].get(name)
    new = _TYPES[context.words["types"][finding.rule]](value)
    if new is not None:
        yield _replaced(path, name, value, new)


def _integer(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value.strip()) else None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if type(value) is int and value in (0, 1) else None


def _integers(value: Any) -> list[int] | None:
    if not isinstance(value, list):
        return None
    found = [_integer(item) if isinstance(item, str) else item for item in value]
    whole = [item for item in found if type(item) is int]
    return whole if len(whole) == len(found) else None


def _text(value: Any) -> str | None:
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_TYPES = {"integer": _integer, "boolean": _boolean, "integers": _integers, "text": _text}


def spelling(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Write a word as the rule has it."""
    place = attribute_of(finding)
    value = None if place is None else context.nodes[place[0]]["attributes"].get(place[1])
    if place is None or not isinstance(value, str):
        return
    pattern, replacement = context.words["spelling"][finding.rule]
    new = re.sub(pattern, replacement, value.strip().lower())
    if new != value:
        yield _replaced(*place, value, new)


def misplaced_attributes(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Move an attribute from the other one of the root and /metadata."""
    place = attribute_of(finding)
    if place is None or place[0] not in _IDENTITY:
        return
    path, name = place
    other = _IDENTITY[path]
    found = context.nodes.get(other, {}).get("attributes", {})
    if name in context.nodes[path]["attributes"] or name not in found:
        return

    def apply(draft: Draft) -> None:
        draft.set(path, name, found[name])
        draft.unset(other, name)

    yield Proposal(f"{path}@{name}", path, f"moved the attribute {name} here from {other}", apply)


def reference_slash(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Put a slash before the path of an array."""
    place = attribute_of(finding)
    value = None if place is None else context.nodes[place[0]]["attributes"].get(place[1])
    if place is None or not isinstance(value, str):
        return
    if context.nodes.get(f"/{value}", {}).get("kind") == "array":
        yield _replaced(*place, value, f"/{value}")


def declared_count(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Declare the number of members of a series on its group."""
    _, key, *_ = tokens_of(finding)
    series = context.description["series"][key]
    group, name = parent_of(key), f"num_{series['stem']}s"
    attributes = context.nodes[group]["attributes"]
    indices: list[int] = series["indices"]
    whole = bool(indices) and indices == list(range(len(indices)))
    if name in attributes or not whole or series["partial"] or series["present"] is not None or group == "/":
        return
    if len(indices) in _counts(context, group, series["stem"], name):
        words = f"declared {name}: {len(indices)}"
        yield Proposal(key, group, words, lambda draft: draft.set(group, name, len(indices)))


def _counts(context: Context, group: str, stem: str, name: str) -> set[int]:
    """The one count of members of this stem that the archive has elsewhere; none where it has several."""
    names = [each.format(stem=stem) for each in context.words["count_attributes"]]
    here = [context.nodes[group]["attributes"].get(each) for each in names]
    everywhere = [context.nodes.get("/metadata", {}).get("attributes", {}).get(each) for each in (name, *names)]
    if "counts" not in context.memo:
        declared: dict[str, set[Any]] = {}
        for key, other in context.description["series"].items():
            if other["declared_by"] == parent_of(key):
                declared.setdefault(other["stem"], set()).add(other["declared"])
        context.memo["counts"] = declared
    others = context.memo["counts"].get(stem, ())
    found = {value for value in (*here, *everywhere, *others) if type(value) is int}
    return found if len(found) == 1 else set()


def time_offset(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Write a time in RFC 3339, with the offset that it has, or that another attribute gives."""
    place = attribute_of(finding)
    if place is None:
        return
    path, name = place
    value = context.nodes[path]["attributes"].get(name)
    new = _rfc3339(value, list(_zones(context)))
    if new is not None and new != value:
        yield _replaced(path, name, value, new)


def _zones(context: Context) -> Iterator[str]:
    """The offsets or time zones that the root and /metadata name."""
    for path in _IDENTITY:
        attributes: Mapping[str, Any] = context.nodes.get(path, {}).get("attributes", {})
        for name in context.words["time_attributes"]:
            if isinstance(attributes.get(name), str):
                yield attributes[name].strip()


def _rfc3339(value: Any, zones: list[str]) -> str | None:
    """`value` as a time of RFC 3339; None where its offset is unknown, or not one."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    part = f".{match['part']}" if match["part"] else ""
    clock = f"{match['date']}T{match['time']}{part}"
    if match["offset"]:
        offset = _offset(match["offset"], clock)
    else:
        offsets = {_offset(zone, clock) for zone in zones}
        offset = offsets.pop() if len(offsets) == 1 else None
    return None if offset is None else clock + offset


def _offset(zone: str, clock: str) -> str | None:
    """The offset from UTC that a text gives at a time; None where it gives none, or two."""
    if zone.lower() in _ZULU:
        return "Z"
    match = _OFFSET.fullmatch(zone)
    if match is not None:
        return f"{match['sign']}{match['hour']}:{match['minute'] or '00'}"
    if _ZONE.fullmatch(zone) is None:
        return None
    try:
        local = datetime.fromisoformat(clock[:19]).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, OSError, KeyError):  # no time, or no such zone
        return None
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    back = local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None)
    if first is None or first != second or back != local.replace(tzinfo=None):
        return None  # an hour that the change of clocks repeats, or leaves out
    minutes = int(first.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
