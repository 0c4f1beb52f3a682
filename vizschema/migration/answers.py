"""Answers to what no file says: given, measured, or a default. What has no answer is a question, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vizschema.errors import UsageError
from vizschema.migration.refusal import Question
from vizschema.migration.tree import Values
from vizschema.text import suggestion

MISSING = object()
"""No answer."""

CREATED = "created_at"
LOSE = "lose"

_TOLERANCE = {"float16": 0.005, "bfloat16": 0.01}
_HIGHEST = 1.01
_KINDS: Mapping[str, type] = {"integer": int, "number": float, "boolean": bool}


class Answers:
    """The answers that a mapping asks for, by key, and by key and place: `key:/group`, of which the longest counts."""

    def __init__(self, asks: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> None:
        self._asks = asks
        self._given = {name: self._checked(name, value) for name, value in given.items()}
        self.questions: dict[tuple[str, str], Question] = {}
        self.used: dict[str, dict[str, Any]] = {}

    def lost(self, place: str) -> str | None:
        """Why the user gives up the node or attribute at `place`, or None."""
        why = self._given.get(f"{LOSE}:{place}")
        return None if why is None else str(why)

    def created(self) -> str | None:
        """The time that the user gives for the source, or None: then it is the time of the migration."""
        value = self._given.get(CREATED)
        if value is None:
            self.used.setdefault(CREATED, {"by": "default", "value": "the time of the migration"})
            return None
        self.used[CREATED] = {"by": "given", "value": value}
        return str(value)

    def answer(self, key: str, place: str, measured: tuple[str, str] | None = None, counted: Any = MISSING) -> Any:
        """The answer for what is at `place` in the result; `MISSING` where there is none, with a question kept.

        `measured` is the word that was measured and its figures, `counted` what was counted in the source; an answer
        that was given counts before them.
        """
        ask = self._asks[key]
        given = self._nearest(key, place)
        if given is not None:
            return self._use(key, place, "given", given)
        if counted is not MISSING:
            return counted
        word, found = measured or ("", "")
        if word in ask.get("means", {}):
            return self._use(key, place, "measured", ask["means"][word])
        if "default" in ask:
            return self._use(key, place, "default", ask["default"])
        if not ask.get("optional"):
            group = place.rpartition("/")[0] if measured else ""
            kind = "|".join([*ask.get("words", ()), ask.get("type", "text").upper()])
            question = Question(key, ask["why"], tuple(ask.get("choices", ())), kind, group, found)
            self.questions.setdefault((key, group), question)
        return MISSING

    def _nearest(self, key: str, place: str) -> Any:
        """The answer that was given for the nearest place at or above `place`, or for all; None where none was."""
        while place:
            if f"{key}:{place}" in self._given:
                return self._given[f"{key}:{place}"]
            place = place.rpartition("/")[0]
        return self._given.get(key)

    def _use(self, key: str, place: str, by: str, value: Any) -> Any:
        name = key if self._given.get(key, MISSING) is value or by == "default" else f"{key}:{place}"
        if by == "measured" or name != key:
            name = f"{key}:{place.rpartition('/')[0] or '/'}"
            if self.used.get(name, {"value": value})["value"] != value:
                name = f"{key}:{place}"
        self.used[name] = {"by": by, "value": value}
        return value

    def _checked(self, name: str, value: Any) -> Any:
        """An answer as its question wants it; raises `UsageError`."""
        key, _, place = name.partition(":")
        known = [*self._asks, CREATED, LOSE]
        if key not in known or (key == LOSE) != (bool(place) and key == LOSE):
            hint = suggestion(key, known)
            raise UsageError(path=f"--set {name}", expected=f"one of {', '.join(known)}", found=f"{key}{hint}")
        ask = self._asks.get(key, {})
        kind = _KINDS.get(ask.get("type", "text"))
        try:
            found = value if value in ask.get("words", ()) else _typed(value, kind)
        except ValueError:
            raise UsageError(path=f"--set {name}", expected=ask["type"], found=repr(value)) from None
        choices: Sequence[Any] = ask.get("choices", ())
        if choices and found not in choices:
            raise UsageError(path=f"--set {name}", expected=", ".join(map(str, choices)), found=repr(value))
        return found


def _typed(value: Any, kind: type | None) -> Any:
    if kind is bool:
        if str(value).lower() not in ("true", "false"):
            raise ValueError(value)
        return str(value).lower() == "true"
    if kind is None:
        text = str(value)
        return int(text) if text.isascii() and text.isdecimal() and isinstance(value, int) else text
    return kind(value)


def measured_rows(values: Values, axes: Sequence[str]) -> tuple[str, str]:
    """What the sums along the axis with the role key are, in a word, and the figures in words.

    one: every row sums to 1; one_or_zero: or to 0; at_most_one: no sum is above 1; within: some sums are above 1;
    outside: some values are below 0, above 1, or not finite. Tolerances are those of the specification.
    """
    keys = [number for number, name in enumerate(axes) if name.endswith(":key")]
    if len(keys) != 1 or not values.size or values.dtype.kind not in "fV":
        return "", ""
    plain = values.astype(np.float64)
    lowest, highest = float(plain.min()), float(plain.max())
    if not (lowest >= 0 and highest <= _HIGHEST):
        return "outside", f"values from {lowest:.3g} to {highest:.3g}"
    sums = plain.sum(axis=keys[0])
    found = f"row sums from {sums.min():.4g} to {sums.max():.4g}"
    tolerance = _TOLERANCE.get(values.dtype.name, 0.001)
    ones = np.abs(sums - 1) <= tolerance
    if ones.all():
        return "one", found
    if (ones | (sums == 0)).all():
        return "one_or_zero", found
    return ("at_most_one" if sums.max() <= 1 + tolerance else "within"), found
