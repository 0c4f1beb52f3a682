"""The table of fixes, `spec/fixes.toml`: which fix is for which rules, the words they know, what is left and why."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vizschema.rules.documents import root
from vizschema.rules.tables.read import parsed

FILE = "fixes.toml"


@dataclass(frozen=True, slots=True)
class Entry:
    """A fix: its name, the rules that it is for, what it changes and only where.

    `files` is set where it changes files, `values` where values decide afterwards whether the archive is better.
    """

    name: str
    rules: tuple[str, ...]
    change: str
    only: str
    files: bool
    values: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Every fix by its name, in order; the words that fixes know; and why a rule is not fixed, or not always."""

    fixes: Mapping[str, Entry]
    words: Mapping[str, Any] = field(repr=False)
    left: Mapping[str, str] = field(repr=False)

    def of(self, rule: str) -> list[Entry]:
        """The fixes for a rule."""
        return [entry for entry in self.fixes.values() if rule in entry.rules]

    def rules(self, *, files: bool) -> frozenset[str]:
        """The rules of the fixes that change files, or of those that do not."""
        return frozenset(rule for entry in self.fixes.values() if entry.files is files for rule in entry.rules)

    def why_left(self, rule: str) -> str:
        """Why a finding of the rule is left, in a sentence without its full stop."""
        if rule in self.left:
            return self.left[rule]
        only = "; or ".join(entry.only for entry in self.of(rule))
        return f"it is fixed only {only}" if only else "no fix is known for this rule"


@functools.cache
def table() -> Table:
    """The installed table; raises `SpecError` where it is not TOML."""
    path = root() / FILE
    document = parsed(path.read_bytes(), path)
    entries = [
        Entry(
            each["name"],
            tuple(each["rules"]),
            each["change"],
            each["only"],
            each.get("stage") == "files",
            each.get("values", False),
        )
        for each in document["fix"]
    ]
    return Table({entry.name: entry for entry in entries}, document["words"], document["left"])
