"""Texts as bytes with starts: which arrays may say where parts begin, and which of them do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    fact,
    group,
    put,
    unmeasured,
    valid,
)

# A table reads better with a case a line.
# fmt: off

BYTES, START = "/inputs/text/bytes", "/inputs/text/start"
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
LISTED = {"pattern": "listed", "values": [72, 101, 108, 108, 111, 10]}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _references()
    for each in (*_values(), *_measured()):
        yield replace(each, values=True)


def _text(starts: Sequence[int], dtype: str = "int64") -> tuple[Edit, ...]:
    """Six bytes, and where the texts begin."""
    return add(BYTES, array("byte", "uint8", LISTED, starts=START)), add(START, _starts(starts, dtype))


def _starts(starts: Sequence[int], dtype: str = "int64") -> dict[str, Any]:
    return {**array("byte_edge", dtype, {"pattern": "listed", "values": list(starts)}), "shape": [len(starts)]}


def _references() -> Iterator[Break]:
    text = _text([0, 3, 5, 6])
    of_each = [edit for dtype in INTEGERS for edit in (add(f"/inputs/text/of_{dtype}", array("byte", "uint8", LISTED, starts=f"/inputs/text/start_{dtype}")), add(f"/inputs/text/start_{dtype}", _starts([0, 3, 5, 6], dtype)))]
    yield valid("text-starts", "trace", "of-each-dtype", "Starts of every dtype of integers.", *of_each)
    yield valid("text-starts", "trace", "of-group", "A group may have an attribute of that name.", attribute("/activations", "starts", "/nowhere"), attribute("/attention", "starts", 3))
    yield broken("text-starts", "trace", "absent", "The array of starts is absent.", text[0])
    yield broken("text-starts", "trace", "group", "The starts are a group.", *text, attribute(BYTES, "starts", "/activations"))
    yield broken("text-starts", "trace", "absent-in-extra", "The array of starts is absent, below /extra.", add("/extra/text", array("byte", "uint8", LISTED, starts="/extra/start")))
    for dtype in ("bool", "float32"):
        yield broken("text-starts", "trace", dtype, f"Starts as {dtype}.", *text, put(START, "dtype", dtype), put(START, "contents", {"pattern": "ramp"}))


def _values() -> Iterator[Break]:
    for slug, starts in {"three": (0, 3, 5, 6), "one": (0, 6), "empty-parts": (0, 0, 4, 4, 6, 6)}.items():
        yield valid("text-starts", "trace", slug, f"Parts that begin at {', '.join(map(str, starts))}.", *_text(starts))
    for slug, starts in {
        "first-is-one": (1, 3, 5, 6),
        "first-is-negative": (-1, 3, 5, 6),
        "falls": (0, 4, 3, 6),
        "falls-from-past-the-end": (0, 9, 6),
        "last-is-short": (0, 3, 5),
        "last-is-past-the-end": (0, 3, 7),
        "zero-alone": (0,),
    }.items():
        yield broken("text-starts", "trace", slug, f"Starts {', '.join(map(str, starts))} of 6 bytes.", *_text(starts))
    large = add(START, _starts([0, 5, 3, 6], "uint64"))
    yield broken("text-starts", "trace", "falls-without-sign", "Starts without a sign that fall.", *_text([0, 6]), large)
    flat = {"pattern": "listed", "values": [0, 3, 5, 6]}
    yield broken("text-starts", "trace", "table", "Starts of two dimensions.", *_text([0, 6]), add(START, {**array("row column", "int64", flat), "shape": [2, 2]}))
    yield broken("text-starts", "trace", "scalar-starts", "Starts that are one number.", *_text([0, 6]), add(START, array("", "int64", {"pattern": "constant", "value": 6})))
    yield broken("text-starts", "trace", "no-starts", "Starts without an entry.", *_text([0, 6]), add(START, {**array("byte_edge", "int64", flat), "shape": [0]}))
    packed = array("position hidden", "float32", {"pattern": "smooth", "seed": 4}, starts="/inputs/offsets")
    offsets = {**array("part_edge", "int32", {"pattern": "listed", "values": [0, 2, 6]}), "shape": [3]}
    rows = (add("/outputs/packed", {**packed, "shape": [6, 4], "axes": ["position", "unit"]}), add("/inputs/offsets", offsets))
    yield valid("text-starts", "trace", "packed", "Prompts of different length, one behind another along the first axis.", *rows)
    yield broken("text-starts", "trace", "packed-along-second", "Starts that end with the size of the second axis.", *rows, add("/inputs/offsets", {**offsets, "contents": {"pattern": "listed", "values": [0, 2, 4]}}))
    yield valid("text-starts", "trace", "nothing", "No text at all.", add(BYTES, {**array("byte", "uint8", LISTED, starts=START), "shape": [0]}), add(START, _starts([0])))
    yield valid("text-starts", "trace", "scalar", "A number is one part.", add("/outputs/loss", array("", "float32", {"pattern": "constant", "value": 0.5}, starts=START)), add(START, _starts([0, 1])))


def _measured() -> Iterator[Break]:
    text = _text([0, 3, 5, 6])
    yield broken("text-starts", "trace", "counted", "Two starts do not fit.", *text, fact(BYTES, starts_differ=2))
    yield valid("text-starts", "trace", "unknown", "The starts could not be read.", *text, fact(BYTES, starts_differ=None))
    yield broken("facts-measured", "trace", "starts", "starts_differ was not measured.", *text, unmeasured(BYTES, "facts", "starts_differ"))
    yield valid("facts-measured", "trace", "starts-of-group", "A group has no facts.", attribute("/activations", "starts", "/nowhere"))
    for slug, value in {"name": "start", "number": 3, "list": ["/inputs/text/start"], "within": "see /inputs/text/start"}.items():
        yield broken("reference-path", "trace", f"starts-{slug}", f"starts is {value!r}.", *text, attribute(BYTES, "starts", value))
    yield valid("reference-path", "trace", "starts-of-group", "A group may have an attribute of that name.", add("/inputs/text", group(starts=3)), *text)
