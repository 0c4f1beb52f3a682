"""`diff`: what differs between two archives, as text with a table of arrays, or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vizschema.cli.hints import hints
from vizschema.cli.plain import plain
from vizschema.cli.progress import bar
from vizschema.errors import reads
from vizschema.outline.picture import BARS
from vizschema.text import archive_name, count, escape_text, local_path, shorten

if TYPE_CHECKING:
    from vizschema.bounds import Reading
    from vizschema.difference.diff import Comparison
    from vizschema.difference.values import Tolerance

_BARS = 64
"""Bars of a plot at most."""

_COLUMNS = ("array", "differing", "largest", "mean", "first at", "a", "b")


def diff(
    first: str, second: str, reading: Reading, tolerance: Tolerance, ignore: Collection[str], *, as_json: bool
) -> int:
    """Return 0 if two archives are equal, 1 if they differ, 3 if values could not be compared; print what differs."""
    from vizschema.difference.diff import diff_by

    paths = [local_path(path) for path in (first, second)]
    names = [archive_name(path) for path in paths]
    with reads(" or ".join(names)), hints(paths[0]), hints(paths[1]), bar(f"{paths[0]} and {paths[1]}") as begin:
        found = diff_by(paths[0], paths[1], replace(reading, progress=begin), tolerance, ignore)
    if as_json:
        told = {"absolute": tolerance.absolute, "relative": tolerance.relative, "ulp": tolerance.ulp}
        parts = {name: list(getattr(found, name)) for name in ("structure", "values", "series", "unread")}
        document = {"archives": [escape_text(name) for name in names], "equal": found.equal, "tolerance": told, **parts}
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        for line in _lines(names, found):
            print(plain(escape_text(line)))
    return found.exit_code


def _lines(names: list[str], found: Comparison) -> Iterator[str]:
    for each in found.structure:
        name = f" {each['name']}" if "name" in each else ""
        yield f"{each['path']}: {each['what']}{name}: {_shown(each['a'])} in A, {_shown(each['b'])} in B"
    if found.values:
        yield from _table(found.values)
    for series in found.series:
        yield from _plot(series)
    for each in found.unread:
        yield f"{each['path']}: not compared: {each['reason']}"
    numbers = f"{count(len(found.structure), 'difference')} of structure, values of {count(len(found.values), 'array')}"
    differ = "differ" if found.structure or found.values else "equal"
    verdict = "equal" if found.equal else f"{differ}: {numbers}, {count(len(found.unread), 'array')} not compared"
    yield f"{names[0]} and {names[1]}: {verdict}"


def _table(values: Collection[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each array whose values differ, in columns."""
    rows = [_COLUMNS, *map(_row, values)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _plot(series: Mapping[str, Any]) -> Iterator[str]:
    """The largest distances by member as bars, in steps of powers of ten; of many members, the largest of several."""
    numbers, distances = series["numbers"], [_finite(each) for each in series["largest"]]
    above = [each for each in distances if 0 < each < math.inf]
    if not above:
        return
    low, high = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    at_once = -(-len(distances) // _BARS)
    most = [max(distances[at : at + at_once]) for at in range(0, len(distances), at_once)]
    levels = [0 if each == 0 else 8 if each == math.inf else _level(each, low, high) for each in most]
    bars = "".join(BARS[level] for level in levels)
    yield f"{series['series']}: largest by number, {numbers[0]} to {numbers[-1]} ({len(numbers)})"
    yield f"  |{bars}|  1e{low:+03} to 1e{high:+03}"


def _level(distance: float, low: int, high: int) -> int:
    """The height of a bar, from 1 to 8."""
    return 1 + round(7 * (math.log10(distance) - low) / max(1, high - low))


def _finite(distance: Any) -> float:
    """A distance as a number; infinite for one that is not finite, 0 for none."""
    if isinstance(distance, str):
        return math.inf
    return float(distance or 0)


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    place = ", ".join(f"{axis} {step}" for axis, step in zip(each["axes"], each["index"], strict=True))
    numbers = ["" if each[name] is None else _number(each[name]) for name in ("largest", "mean")]
    ends = [_number(each[name]) for name in ("a", "b")]
    return (each["path"], f"{each['count']} of {each['of']}", *numbers, place or "the value", *ends)


def _number(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else shorten(str(value), 40)


def _shown(value: Any) -> str:
    return "nothing" if value is None else shorten(json.dumps(value, ensure_ascii=False), 60)
