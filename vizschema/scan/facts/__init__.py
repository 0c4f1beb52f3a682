"""What values hold: small accumulators over blocks, merged in any order to the same facts. Their table is here.

A fact is asked for by name in `facts.json` of a profile, for the paths that a pattern names. Every accumulator is
exact, so that neither the chunk grid nor the order of merging can be seen in its result. Knows no container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from vizschema.description import ITEM_BYTES, NIBBLES, Node
from vizschema.errors import SpecError
from vizschema.scan.facts.base import Accumulator, Context
from vizschema.scan.facts.hashes import ValuesHash
from vizschema.scan.facts.numbers import Constant, LeftOutNonzero, NonFinite, Range
from vizschema.scan.facts.pairs import ArgmaxDiffers, BeyondAxis, DecodeDiffers, MaskedNonzero, StartsDiffer
from vizschema.scan.facts.rows import RowSum, cuts_rows
from vizschema.scan.facts.slices import DuplicateSlices
from vizschema.scan.hashing.array import ArrayHash

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_FLOATS_8 = frozenset(name for name in ITEM_BYTES if name.startswith("float8"))
_COMPLEX = frozenset({"complex64", "complex128"})
_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_BOOLEANS = frozenset({"bool"})
_ALL = frozenset(ITEM_BYTES)

HASH = "values_hash"
"""The fact of which the digest of an archive is made."""


Entry = Mapping[str, Any]
"""An entry of `facts.json`: which facts are measured where, and what they need."""


class Subject(Protocol):
    """The array that a fact is about, and what its archive has beside it."""

    @property
    def node(self) -> Node:
        """The array's node of the description."""

    @property
    def hashed(self) -> ArrayHash | None:
        """What all blocks are hashed into; None where no hash is asked for."""

    def axis_size(self, name: str) -> int | None:
        """The size of an axis; None where it has none, or more than one."""

    def partner(self, path: str) -> Any:
        """The values of the array at `path`; None where they cannot be read."""

    def share(self, attribute: str | None, along: int | None) -> Any:
        """The values that an attribute names, beside the rows along an axis; None where there are none that fit."""


class Fact(NamedTuple):
    """How one fact is measured: an accumulator from a context, of arrays with these dtypes.

    `needs` are the keys that its entry must have, and `context` makes fields of `Context` from them; `applies` says
    whether the entry fits an array. `whole` says of which blocks, by their shape, the parts may not come one by one.
    With `masked`, an entry may have it measured where the array that an attribute names is true: blocks come with the
    entries that count alone, unless it `looks` at the mask itself.
    """

    start: Callable[[Context], Accumulator]
    dtypes: frozenset[str]
    needs: tuple[str, ...] = ()
    context: Callable[[Entry, Subject], dict[str, Any]] = lambda _, __: {}
    applies: Callable[[Entry, Node], bool] = lambda _, __: True
    whole: Callable[[Context, Sequence[int]], bool] = lambda _, __: False
    masked: bool = False
    looks: bool = False


def _along(entry: Entry, array: Subject) -> dict[str, Any]:
    return {"along": axis_along(entry, array.node)} if "along" in entry else {}


def _rows(entry: Entry, array: Subject) -> dict[str, Any]:
    along = _along(entry, array)
    return {**along, "share": array.share(entry.get("share_attribute"), along.get("along"))}


def _has_mask(entry: Entry, node: Node) -> bool:
    return entry["with_attribute"] in node.get("attributes", {})


def _has_axis(entry: Entry, node: Node) -> bool:
    return "along" not in entry or axis_along(entry, node) is not None


def _always(_: Context, __: Sequence[int]) -> bool:
    return True


def _axis(entry: Entry, array: Subject) -> dict[str, Any]:
    return {"axis_size": array.axis_size(entry["axis"])}


def _partner(entry: Entry, array: Subject) -> dict[str, Any]:
    return {"partner": array.partner(entry["with"]), "table": entry.get("table", "")}


def _starts(entry: Entry, array: Subject) -> dict[str, Any]:
    return {"partner": array.partner(array.node["attributes"][entry["starts_attribute"]])}


def _has_starts(entry: Entry, node: Node) -> bool:
    return isinstance(node.get("attributes", {}).get(entry["starts_attribute"]), str)


FACTS: Mapping[str, Fact] = {
    "non_finite": Fact(NonFinite, FLOATS | _FLOATS_8 | _COMPLEX, masked=True),
    "range": Fact(Range, FLOATS | _FLOATS_8 | _INTEGERS | NIBBLES | _BOOLEANS, masked=True),
    "row_sum": Fact(RowSum, FLOATS, context=_rows, applies=_has_axis, whole=cuts_rows, masked=True, looks=True),
    "left_out_nonzero": Fact(LeftOutNonzero, FLOATS, ("with_attribute",), applies=_has_mask, masked=True, looks=True),
    "constant": Fact(Constant, FLOATS | _FLOATS_8, masked=True),
    "duplicate_slices": Fact(
        DuplicateSlices,
        FLOATS,
        ("along",),
        _along,
        applies=_has_axis,
        whole=_always,
    ),
    "beyond_axis": Fact(BeyondAxis, _INTEGERS, ("axis",), _axis),
    "argmax_differs": Fact(ArgmaxDiffers, _INTEGERS, ("with",), _partner),
    "decode_differs": Fact(DecodeDiffers, _INTEGERS, ("with", "table"), _partner),
    "masked_nonzero": Fact(MaskedNonzero, FLOATS, ("with",), _partner),
    "starts_differ": Fact(StartsDiffer, _ALL, ("starts_attribute",), _starts, applies=_has_starts),
    HASH: Fact(ValuesHash, _ALL, context=lambda _, array: {"hash": array.hashed}, whole=_always),
}
"""Every fact that can be asked for; `absent_chunks` and `damaged_chunks` are always measured, by `scan`."""


class Asked(NamedTuple):
    """One fact of one array: its name, and the entry of `facts.json` that asks for it."""

    name: str
    entry: Entry

    @property
    def fact(self) -> Fact:
        """How it is measured."""
        return FACTS[self.name]


def asks_for_hash(entries: Sequence[Entry]) -> bool:
    """Whether the hash of an array's values is among what `entries` ask for."""
    return any(HASH in entry.get("measure", ()) for entry in entries)


def asked_of(entries: Sequence[Entry], path: str, node: Node) -> tuple[Asked, ...]:
    """The facts that `entries` of `facts.json` ask of the array at `path`, each once; a later entry wins.

    Raises `SpecError` for an entry that names no fact, no pattern, or not what the fact needs.
    """
    asked: dict[str, Asked] = {}
    for entry in entries:
        if not _matches(entry, path) or node["dtype"] not in entry.get("dtypes", (node["dtype"],)):
            continue
        for name in entry.get("measure", ()):
            if name not in FACTS:
                raise SpecError(path="facts.json", expected=f"facts among {', '.join(FACTS)}", found=repr(name))
            missing = [key for key in FACTS[name].needs if key not in entry]
            if missing:
                raise SpecError(f"{name} needs {' and '.join(missing)}, and the entry has none", path="facts.json")
            if "with_attribute" in entry and not FACTS[name].masked:
                raise SpecError(
                    f"{name} is not measured by a mask, and the entry has with_attribute", path="facts.json"
                )
            if node["dtype"] in FACTS[name].dtypes and FACTS[name].applies(entry, node):
                asked[name] = Asked(name, entry)
    return tuple(asked.values())


def axis_along(entry: Entry, node: Node) -> int | None:
    """The number of the first axis whose name the pattern `along` matches; None where there is none."""
    names = node["axes"] or ()
    pattern = _compiled(entry["along"])
    return next((number for number, name in enumerate(names) if name is not None and pattern.search(name)), None)


def _matches(entry: Entry, path: str) -> bool:
    if "at" not in entry:
        raise SpecError(path="facts.json", expected="a pattern of paths as `at` in every entry", found="none")
    return _compiled(entry["at"]).search(path) is not None


def _compiled(pattern: Any) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, TypeError) as error:
        raise SpecError(path="facts.json", expected="a regular expression", found=f"{pattern!r}: {error}") from None
