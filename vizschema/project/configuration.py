"""What a project asks of `vizschema validate`: `[tool.vizschema]` of `pyproject.toml`, or `vizschema.toml`.

Reads and checks; applies nothing. A key that is not known is an error: a misspelt one must not switch anything off.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from vizschema.errors import SpecError
from vizschema.text import shorten, suggestion

Level = Literal["off", "warning", "error"]

OWN_FILE = "vizschema.toml"
SHARED_FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Findings that a project accepts: of `rule`, at places and in archives that match the globs `path` and `archive`.

    It holds to the end of the day `until`, and for at most `maximum` findings in an archive; None: no such bound.
    """

    rule: str
    path: str
    archive: str
    reason: str
    until: datetime.date | None
    maximum: int | None
    number: int
    """Which one of its file it is, from 1."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of a project, and the file it stands in; without one everything is empty."""

    source: Path | None = None
    spec: str | None = None
    sha256: str | None = None
    profile: str | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    suppressions: tuple[Suppression, ...] = ()

    @property
    def name(self) -> str | None:
        """The file as seen from the working directory, where that is shorter."""
        if self.source is None:
            return None
        return min(os.path.relpath(self.source), str(self.source), key=len)


def find(folder: Path) -> Path | None:
    """The file with the configuration for `folder`: in it, or in the nearest folder above that has one."""
    for place in (folder, *folder.parents):
        own, shared = place / OWN_FILE, place / SHARED_FILE
        has_table = shared.is_file() and _table(shared) is not None
        if own.is_file() and has_table:
            raise SpecError(
                path=own, expected="one configuration", found=f"another in {shared}", fix="remove one of them"
            )
        if own.is_file() or has_table:
            return own if own.is_file() else shared
    return None


def load(path: Path) -> Configuration:
    """The configuration in `path`; raises `SpecError` for what is not a configuration."""
    table = _table(path)
    if table is None:
        raise SpecError(path=path, expected="a table [tool.vizschema]", found="none", fix="`vizschema pin` writes it")
    _require_known(path, "", table, _KEYS)
    spec, digest, profile = (_text(path, key, table.get(key)) for key in ("spec", "sha256", "profile"))
    if digest is not None and (spec is None or not re.fullmatch("[0-9a-f]{64}", digest)):
        raise SpecError(
            "sha256",
            path=path,
            expected="64 hexadecimal digits beside a version in spec",
            found=f"{shorten(digest, 80)!r} beside {spec!r}",
            fix="`vizschema pin` writes both",
        )
    return Configuration(path, spec, digest, _place(path, profile), _levels(path, table), _suppressions(path, table))


def _place(path: Path, profile: str | None) -> str | None:
    """The profile that a configuration names: a path seen from the configuration, where there is one, else a name."""
    from vizschema.rules.versions import is_profile

    beside = path.parent / (profile or "")
    return str(beside) if profile is not None and is_profile(beside) else profile


def _table(path: Path) -> dict[str, Any] | None:
    """Return the table of vizschema in a file; None if a shared file has none."""
    from vizschema.rules.bounded import toml_at

    document: Any = toml_at(path)
    for key in ("tool", "vizschema") if path.name == SHARED_FILE else ():
        document = document.get(key) if isinstance(document, dict) else None
    if document is not None and not isinstance(document, dict):
        raise SpecError(path=path, expected="a table [tool.vizschema]", found=_shown(document))
    return document


_KEYS = ("spec", "sha256", "profile", "level", "suppress")


def _levels(path: Path, table: Mapping[str, Any]) -> dict[str, Level]:
    levels = table.get("level", {})
    if not isinstance(levels, dict):
        raise SpecError("level", path=path, expected="a table of rules", found=_shown(levels))
    for rule, level in levels.items():
        if level not in ("off", "warning", "error"):
            raise SpecError(f"level.{rule}", path=path, expected='"off", "warning" or "error"', found=_shown(level))
    return cast(dict[str, Level], levels)


def _suppressions(path: Path, table: Mapping[str, Any]) -> tuple[Suppression, ...]:
    entries = table.get("suppress", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SpecError("suppress", path=path, expected="tables [[suppress]]", found=_shown(entries))
    return tuple(_suppression(path, number, entry) for number, entry in enumerate(entries, 1))


def _suppression(path: Path, number: int, entry: Mapping[str, Any]) -> Suppression:
    place = f"suppress number {number}"
    _require_known(path, place, entry, tuple(_FIELDS))
    if "rule" not in entry:
        raise SpecError(place, path=path, expected="the rule that is suppressed", found="none")
    for key, value in entry.items():
        expected, fits = _FIELDS[key]
        if not fits(value):
            raise SpecError(f"suppress number {number}: {key}", path=path, expected=expected, found=_shown(value))
    return Suppression(
        entry["rule"],
        entry.get("path", "/**"),
        entry.get("archive", "**"),
        entry.get("reason", "").strip(),
        entry.get("until"),
        entry.get("max"),
        number,
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_date(value: Any) -> bool:
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "rule": ("the id of a rule", _is_text),
    "path": ("a glob of places, like /extra/**", _is_text),
    "archive": ("a glob of archives, like runs/**", _is_text),
    "reason": ("a sentence", _is_text),
    "until": ("a date without quotes, like 2027-01-31", _is_date),
    "max": ("a whole number, 1 or more", _is_count),
}


def _require_known(path: Path, place: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            found = f"the key {_shown(key)}{suggestion(key, known)}"
            raise SpecError(place, path=path, expected=f"one of {', '.join(known)}", found=found)


def _text(path: Path, key: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SpecError(key, path=path, expected="a text", found=_shown(value))
    return value


def _shown(value: Any) -> str:
    return shorten(repr(value), 80)
