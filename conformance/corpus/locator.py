"""From the error of any engine to its rule: the nearest enclosing `$anchor` of the absolute keyword location.

`vizschema.rules.judge` needs no such path: it asks its engine place by place. This is for engines that report errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vizschema.errors import SpecError
from vizschema.findings import Rule
from vizschema.rules.judge import Fault, Tokens, entry_of
from vizschema.rules.versions import NAMED_MEMBERS, Profile, Schema, resolve


class Locator:
    """Finds the rule behind an error of any engine, whose keyword path may or may not show the `$ref` steps."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._entry = entry_of(profile)
        self._known: dict[Tokens, tuple[Rule, str, Any]] = {}

    def fault(self, keyword_path: Iterable[str | int], instance: Iterable[str | int], name: str | None) -> Fault:
        """The fault at `instance` that the assertion at `keyword_path` found."""
        path = tuple(keyword_path)
        if path not in self._known:
            self._known[path] = self._assertion(path)
        rule, keyword, value = self._known[path]
        return Fault(rule, tuple(instance), name, keyword, value)

    def _assertion(self, path: Tokens) -> tuple[Rule, str, Any]:
        walk = _Walk(self._profile, self._entry)
        for token in path:
            walk.step(token)
        if walk.anchor is None:
            raise SpecError(f"{walk.base}: an assertion that no rule holds, at {'/'.join(map(str, path))}")
        return self._profile.rules[walk.anchor], str(path[-1]), walk.value


class _Walk:
    """A walk along an evaluation path, which keeps the nearest anchor of the absolute location."""

    def __init__(self, profile: Profile, entry: Schema) -> None:
        self.profile = profile
        self.base = ""
        self.value: Any = entry
        self.anchor: str | None = None
        self._names = False

    def step(self, token: str | int) -> None:
        """Go one token further, through references where the path does not name them."""
        if not self._names:
            self._follow()
        if token == "$ref" and not self._names:
            return
        self._enter(token)

    def _follow(self) -> None:
        while isinstance(self.value, dict) and "$ref" in self.value:
            self.base, place = resolve(self.value["$ref"], self.base, self.profile.documents)
            self.value, self.anchor, self._names = self.profile.documents[self.base], None, False
            for token in place:
                self._enter(token)

    def _enter(self, token: str | int) -> None:
        self.value = self.value[token]
        self._names = not self._names and token in NAMED_MEMBERS
        if not self._names and isinstance(self.value, dict) and "$anchor" in self.value:
            self.anchor = self.value["$anchor"]
