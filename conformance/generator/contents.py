"""What an array is filled with, so that the facts about it are those that are asked for: named patterns of the cases.

A table says which pattern gives which fact. Patterns that draw from a random generator are used only where an array is
large enough that its values cannot all be one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from vizschema.conformance.generator.values import Wanted
from vizschema.description import NIBBLES

Contents = dict[str, Any]
FLOATS_8: Mapping[str, tuple[float, ...]] = {
    "float8_e4m3fn": (-0.0, 2.0**-9, 448.0),
    "float8_e5m2": (-0.0, 2.0**-16, 57344.0),
    "float8_e4m3fnuz": (2.0**-10, 240.0),
    "float8_e5m2fnuz": (2.0**-17, 57344.0),
}
FLOATS = ("float16", "bfloat16", "float32", "float64", *FLOATS_8)
COMPLEX = ("complex64", "complex128")
SPECIAL: Mapping[str, tuple[float, ...]] = {
    "float16": (-0.0, 6e-08, 65504.0),
    "bfloat16": (-0.0, 1e-40, 3.0e38),
    "float32": (-0.0, 1e-45, 3.4028234e38),
    "float64": (-0.0, 5e-324, 1.7976931348623157e308),
    **FLOATS_8,
    "complex64": (-0.0, 1e-45),
    "complex128": (-0.0, 5e-324),
}
"""Zero below zero, the least subnormal, the largest number."""
_LARGE = 16
_FEW = 200
"""Whole numbers from 0 on that every dtype of floats holds, so many of them."""


@dataclass(frozen=True, repr=False)
class Ask:
    """An array to be filled: what is wanted of each of its facts, and the entries of `facts.json` about it.

    Rows run along the axis with the number `along`.
    """

    path: str
    dtype: str
    shape: tuple[int, ...]
    facts: Mapping[str, Wanted]
    entries: Mapping[str, Mapping[str, Any]]
    partners: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, int]
    along: int | None = None

    def __repr__(self) -> str:
        return f"<{self.dtype} {self.shape} at {self.path}>"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))

    @property
    def count(self) -> int:
        """How many values it has."""
        return int(np.prod(self.shape, dtype=np.int64))


def fillable(facts: Mapping[str, Wanted], shape: Sequence[int], along: int | None) -> bool:
    """Whether rows along the axis `along` can sum to 1 and still vary: not where each is one entry long."""
    alike = bool(shape) and along is not None and shape[along] == 1 and max(shape) > 1
    return not (alike and "constant" in facts and any(PATTERNS.get(name) is _rows for name in facts))


@st.composite
def contents(draw: st.DrawFn, ask: Ask) -> Contents:
    """Contents that give the facts that are wanted."""
    for fact, fill in PATTERNS.items():
        made = fill(draw, ask) if fact in ask.facts else None
        if made is not None:
            return made
    made = _plain(draw, ask)
    if "masked_nonzero" in ask.facts:
        mask = ask.entries["masked_nonzero"]["with"]
        if ask.partners.get(mask) == ask.shape[: len(ask.partners.get(mask, ()))]:
            made["where"] = mask
    return made


def _argmax(_: st.DrawFn, ask: Ask) -> Contents | None:
    other = ask.entries["argmax_differs"]["with"]
    partner = ask.partners.get(other)
    fits = partner is not None and partner[:-1] == ask.shape and len(partner) > 0
    return {"pattern": "argmax_of", "of": other} if fits else None


def _codes(_: st.DrawFn, ask: Ask) -> Contents | None:
    entry = ask.entries["decode_differs"]
    if ask.partners.get(entry["with"]) != ask.shape:
        return None
    return {"pattern": "codes_of", "of": entry["with"], "table": entry["table"]}


def _below(draw: st.DrawFn, ask: Ask) -> Contents | None:
    axis = ask.entries["beyond_axis"]["axis"]
    if axis not in ask.sizes:
        return None
    return {"pattern": "classes", "axis": axis, "seed": draw(st.integers(0, 9), label="seed")}


def _rows(_: st.DrawFn, ask: Ask) -> Contents | None:
    if ask.along is None or not ask.shape or not ask.shape[ask.along]:
        return {"pattern": "constant", "value": 1}
    return {"pattern": "shares", "along": ask.along}


def _slices(_: st.DrawFn, ask: Ask) -> Contents | None:
    low, high = bounds(ask)
    if not ask.count:
        return {"pattern": "zeros"}
    return _ramp(ask, 0, ask.count) if low <= 0 and high >= ask.count else _ramp(ask, low, high)


PATTERNS: Mapping[str, Callable[[st.DrawFn, Ask], Contents | None]] = {
    "argmax_differs": _argmax,
    "decode_differs": _codes,
    "beyond_axis": _below,
    "row_sum_minimum": _rows,
    "row_sum_maximum": _rows,
    "nonzero_row_sum_minimum": _rows,
    "duplicate_slices": _slices,
}
"""Facts that one pattern alone gives; the others follow from the range that values are drawn from."""


def bounds(ask: Ask) -> tuple[float, float]:
    """The least and the greatest value, as the facts and the dtype allow them."""
    wanted = [ask.facts[name] for name in ("minimum", "maximum") if name in ask.facts]
    lows = [each for fact in wanted for each in (fact.low,) if each is not None]
    lows += [fact.above + 1 for fact in wanted[-1:] if fact.above is not None]
    highs = [each for fact in wanted for each in (fact.high,) if each is not None]
    low, high = limits(ask.dtype)
    return max([low, *lows]), min([high, *highs])


def limits(dtype: str) -> tuple[float, float]:
    """What a dtype holds, and for floats a range that all of them hold."""
    if dtype == "bool":
        return 0, 1
    if dtype in FLOATS_8:
        return -240, 240
    if dtype in FLOATS or dtype in COMPLEX:
        return -4096, 4096
    if dtype in NIBBLES:
        return (0, 15) if dtype.startswith("u") else (-8, 7)
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _ramp(ask: Ask, low: float, high: float) -> Contents:
    """From `high` down, without ever being at `low`."""
    return {"pattern": "ramp", "start": high, "step": -(high - low) / max(1, ask.count)}


def _plain(draw: st.DrawFn, ask: Ask) -> Contents:
    low, high = bounds(ask)
    if ask.dtype in FLOATS:
        return _floating(draw, ask, low, high)
    if ask.dtype in COMPLEX:
        return {
            "pattern": "listed",
            "values": [1.5, 0.5, *draw(st.lists(st.sampled_from(SPECIAL[ask.dtype]), max_size=2))],
        }
    if "decode_differs" in ask.entries:
        return {"pattern": "listed", "values": [ord(letter) for letter in ask.entries["decode_differs"]["table"]]}
    if "masked_nonzero" in ask.entries:
        return {
            "pattern": "listed",
            "values": [1, 1, *draw(st.lists(st.sampled_from([1, 0]), max_size=3), label="mask")],
        }
    some = st.integers(int(low), int(high)) | st.sampled_from([int(low), int(high)])
    values = draw(st.lists(some, min_size=1, max_size=4), label="values")
    return {"pattern": "listed", "values": [str(each) if abs(each) >= 1 << 53 else each for each in values]}


def _floating(draw: st.DrawFn, ask: Ask, low: float, high: float) -> Contents:
    free = (low, high) == limits(ask.dtype)
    names = ["ramp", "listed"]
    if ask.count >= _LARGE:
        names += ["uniform", *(["smooth", "normal"] if free else [])]
    name, seed = draw(st.sampled_from(names), label="pattern"), draw(st.integers(0, 9), label="seed")
    if name == "ramp":
        small = free and ask.count <= _FEW
        return {"pattern": "ramp", "start": seed, "step": 1} if small else _ramp(ask, low, high)
    if name == "uniform":
        return {"pattern": name, "seed": seed, "low": low, "high": high}
    if name == "listed":
        special = [each for each in SPECIAL[ask.dtype] if free or low <= each <= high]
        chosen = draw(st.lists(st.sampled_from(special), max_size=2), label="special") if special else []
        return {"pattern": "listed", "values": [high, (low + high) / 2 if not free else 0.5, *chosen]}
    return {"pattern": name, "seed": seed}
