"""What a row may say of the values of its array: one entry each, from the column to the facts and the schema of facts.

A new relation is a column of `spec/profile-table.schema.json`, an entry here, and its accumulator in `scan/facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema


@dataclass(frozen=True, slots=True)
class Partner:
    """The node that a relation names: its `path` in the value of the column, and how its axes fit those of the row.

    `fits` takes the axes of the row and of the partner; `expected` says it in words.
    """

    path: Callable[[Any], str]
    fits: Callable[[tuple[str, ...], tuple[str, ...]], bool]
    expected: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A column about values: what of `facts` it asks, and what has to be measured for it.

    `dtypes` is the class of dtypes that it can be said of (None: every one but complex), `fact` what `facts.json` asks
    for and the description carries (None: what `trace` measures anyway), `entry` what else `facts.json` says.
    """

    schema: Callable[[Any], Schema]
    words: Callable[[Any], str]
    dtypes: str | None = None
    fact: str | None = None
    entry: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    axis: Callable[[Any], str] | None = None
    partner: Partner | None = None
    flaw: Callable[[Any], str] = lambda _: ""


def _within(value: Any) -> Schema:
    least: Schema = {"properties": {"minimum": {"minimum": value[0]}}}
    if len(value) == 1:
        return least
    condition = {"properties": {"minimum": {"type": "number", "minimum": value[0]}}}
    return {**least, "if": condition, "then": {"properties": {"maximum": {"maximum": value[1]}}}}


_PADDED = " or -1"
"""The end of `below` where -1 stands for no index."""


def _axis_of(value: str) -> str:
    return value.removesuffix(_PADDED)


def _least(value: str) -> int:
    return -1 if value.endswith(_PADDED) else 0


def _none(fact: str) -> Callable[[Any], Schema]:
    return lambda _: {"properties": {fact: {"maximum": 0}}}


def _range_words(value: Any) -> str:
    return f"from {value[0]:g} to {value[1]:g}" if len(value) == 2 else f"{value[0]:g} or more"


RELATIONS: Mapping[str, Relation] = {
    "range": Relation(
        _within,
        lambda value: f"is {_range_words(value)}",
        flaw=lambda value: "the smallest value is larger than the largest" if value[0] > value[-1] else "",
    ),
    "row_sum": Relation(
        lambda value: {
            "properties": {"row_sum_minimum": {"minimum": value[0]}, "row_sum_maximum": {"maximum": value[-1]}}
        },
        lambda value: f"has rows, along its last axis, whose sum is from {value[0]:g} to {value[1]:g}",
        dtypes="floats",
        fact="row_sum",
        flaw=lambda value: "the smallest sum is larger than the largest" if value[0] > value[1] else "",
    ),
    "reaches": Relation(
        lambda value: {"properties": {"maximum": {"exclusiveMinimum": value}}},
        lambda value: f"is above {value:g} somewhere",
    ),
    "below": Relation(
        lambda value: {"properties": {"minimum": {"minimum": _least(value)}, "beyond_axis": {"maximum": 0}}},
        lambda value: (
            f"is 0 or more, and below the size of the axis {_axis_of(value)}{', or -1' if _least(value) else ''}"
        ),
        dtypes="integers",
        fact="beyond_axis",
        entry=lambda value: {"axis": _axis_of(value)},
        axis=lambda value: _axis_of(value),
    ),
    "argmax_of": Relation(
        _none("argmax_differs"),
        lambda path: f"is the index of the largest value of `{path}`",
        dtypes="integers",
        fact="argmax_differs",
        entry=lambda path: {"with": path},
        partner=Partner(str, lambda own, other: own == other[:-1] and bool(other), "one axis more at the end"),
    ),
    "decodes": Relation(
        _none("decode_differs"),
        lambda value: f"is `{value['with']}` in the letters {value['table']}",
        dtypes="integers",
        fact="decode_differs",
        entry=lambda value: {"with": value["with"], "table": value["table"]},
        partner=Partner(lambda value: str(value["with"]), lambda own, other: own == other, "the same axes"),
        flaw=lambda value: "a letter is in the table twice" if len(set(value["table"])) < len(value["table"]) else "",
    ),
    "masked_by": Relation(
        _none("masked_nonzero"),
        lambda path: f"is 0 where `{path}` is 0",
        dtypes="floats",
        fact="masked_nonzero",
        entry=lambda path: {"with": path},
        partner=Partner(str, lambda own, other: own[: len(other)] == other, "the first of its axes"),
    ),
}

FIELDS: Mapping[str, tuple[str, ...]] = {
    "non_finite": ("non_finite", "nan", "infinite", "positive_infinite"),
    "range": ("minimum", "maximum"),
    "row_sum": ("row_length", "row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum"),
}
"""The fields of a description that a measure makes; every other one makes the field of its own name."""

ALWAYS = ("absent_chunks", "damaged_chunks", "stray")
"""Facts that are measured of every array, whatever `facts.json` says."""
