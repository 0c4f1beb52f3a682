"""Answers to what no file says: given, measured, or a default. What has no answer is a question, never a guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vizschema.errors import UsageError
from vizschema.findings import Question
from vizschema.text import suggestion

MISSING = object()
"""No answer."""

CREATED = "created_at"
LOSE = "lose"

_KINDS: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "integer": int,
    "number": float,
    "boolean": lambda text: ("false", "true").index(text.lower()) == 1,
}


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
        value: str | None = self._given.get(CREATED)
        self._use(CREATED, "given" if value else "default", value or "the time of the migration")
        return value

    def answer(self, key: str, place: str, measured: tuple[str, str] | None = None, counted: Any = MISSING) -> Any:
        """The answer for what is at `place` in the result; `MISSING` where there is none, with a question kept.

        `measured` is the word that was measured and its figures, `counted` what was counted in the source; an answer
        that was given counts before them.
        """
        ask = self._asks[key]
        above = place
        while above and f"{key}:{above}" not in self._given:
            above = above.rpartition("/")[0]
        name = f"{key}:{above}" if above else key
        if name in self._given:
            return self._use(name, "given", self._given[name])
        if counted is not MISSING:
            return counted
        word, found = measured or ("", "")
        group = place.rpartition("/")[0] if measured else ""
        if word in ask.get("means", {}):
            value = ask["means"][word]
            same = self.used.get(f"{key}:{group}", {"value": value})["value"] == value
            return self._use(f"{key}:{group if same else place}", "measured", value)
        if "default" in ask:
            return self._use(key, "default", ask["default"])
        if not ask.get("optional"):
            kind = "|".join([*ask.get("words", ()), ask.get("type", "text").upper()])
            question = Question(key, ask["why"], tuple(ask.get("choices", ())), kind, group, found)
            self.questions.setdefault((key, group), question)
        return MISSING

    def _use(self, name: str, by: str, value: Any) -> Any:
        self.used[name] = {"by": by, "value": value}
        return value

    def _checked(self, name: str, value: Any) -> Any:
        """An answer as its question wants it; raises `UsageError`."""
        key, colon, _ = name.partition(":")
        known = [*self._asks, CREATED, LOSE]
        if key not in known or (key == LOSE and not colon):
            hint = suggestion(key, known)
            raise UsageError(path=f"--set {name}", expected=f"one of {', '.join(known)}", found=f"{key}{hint}")
        ask = self._asks.get(key, {})
        kind, choices, words = ask.get("type", "text"), ask.get("choices", ()), ask.get("words", ())
        try:
            found = value if value in words else _KINDS[kind](str(value))
        except ValueError:
            raise UsageError(path=f"--set {name}", expected=" or ".join([*words, kind]), found=repr(value)) from None
        if choices and found not in choices:
            texts = [str(choice) for choice in choices]
            hint = suggestion(str(value), texts)
            raise UsageError(path=f"--set {name}", expected=f"one of {', '.join(texts)}", found=f"{value!r}{hint}")
        return found
