"""Tables of a recorder: from a file or a list of rows to checked data, and which table fits a model. No torch here."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vizschema.errors import SpecError, UsageError
from vizschema.rules.documents import root
from vizschema.rules.keywords import misfits
from vizschema.rules.tables.read import parsed
from vizschema.text import suggestion

MAX_BYTES = 1 << 20
"""Maximum bytes of a table."""

LANGUAGE = "1.0"
"""The version of the language of tables."""

_PATTERNS = ("module", "type", "each")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Target:
    """An array that a row fills: its path and its axes, both with placeholders."""

    node: str
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: which value of which modules becomes which array. `spec/recorders/` says what each means."""

    module: str
    value: str
    target: Target
    type: str | None = None
    each: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: str | None = None
    default: bool = True
    always: bool = False
    whole: bool = False
    last: bool = False
    cast: str | None = None
    letters: str | None = None
    generated: Target | None = None
    output: str | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A class of models that a table is for: the profile, its version (None: the first with it), and what it lacks."""

    name: str
    profile: str
    spec: str | None = None
    not_captured: Mapping[str, str] = field(default_factory=dict)
    has: str | None = None
    without: str | None = None

    def fits(self, name: str, kinds: Collection[str]) -> bool:
        """Whether it is for a model of the class `name` that has modules of the classes `kinds`."""
        if re.fullmatch(self.name, name) is None:
            return False
        has = self.has is None or any(re.fullmatch(self.has, kind) for kind in kinds)
        return has and not any(re.fullmatch(self.without, kind) for kind in kinds if self.without is not None)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a recorder."""

    name: str
    version: str
    title: str
    library: str | None
    fits: tuple[Fit, ...]
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """Name and version, as an archive has them: `gpt2 1`."""
        return f"{self.name} {self.version}"

    def fit(self, name: str, library: str, kinds: Collection[str] = ()) -> Fit | None:
        """The entry for the class `name` of the package `library`; None where there is none.

        `kinds` are the classes of the model's modules.
        """
        if self.library is not None and self.library != library:
            return None
        return next((fit for fit in self.fits if fit.fits(name, kinds)), None)


def schema() -> Path:
    """The schema of tables."""
    return root() / "recorders" / "recorder.schema.json"


def read(path: Path) -> Table:
    """Return the table in the file at `path`; raise `SpecError` for what is not a table."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(path=path, expected="a table of a recorder", found=error.strerror or error) from error
    if len(data) > MAX_BYTES:
        raise SpecError(f"exceeds the limit of {MAX_BYTES} bytes", path=path)
    return table_of(parsed(data, path), path)


def table_of(document: Mapping[str, Any], place: object) -> Table:
    """Return the table that `document` is; `place` is named in the `SpecError` for what is not one."""
    faults = misfits(document, schema()) or list(_faults(document))
    if faults:
        raise SpecError(faults[0], path=place)
    fits = tuple(
        Fit(
            each["class"],
            each["profile"],
            each.get("spec"),
            each.get("not_captured", {}),
            each.get("has"),
            each.get("without"),
        )
        for each in document["models"]
    )
    rows = tuple(_row(row) for row in document["rows"])
    return Table(document["name"], document["version"], document["title"], document.get("library"), fits, rows)


@functools.cache
def installed() -> Mapping[str, Table]:
    """The tables that are installed, by name."""
    found = (read(path) for path in sorted((root() / "recorders").glob("*.toml")))
    return {table.name: table for table in found}


def chosen(asked: Any, name: str, library: str, kinds: Collection[str] = ()) -> tuple[Table, Fit] | None:
    """Return the table for a model of the class `name` of the package `library`, and its entry there.

    Parameters:
        asked: The name of an installed table, the path of a file, a list of rows, or None: what fits the class.
        name: The name of the model's class.
        library: The package of the model's class.
        kinds: The classes of the model's modules.

    Raises `UsageError` where several tables fit, or the one asked for is not there; None where no table fits.
    """
    if isinstance(asked, list | tuple):
        own = own_table(asked)
        return own, own.fits[0]
    if asked is not None:
        table = _named(os.fspath(asked))
        return table, table.fit(name, library, kinds) or table.fits[0]
    found = [(table, fit) for table in installed().values() if (fit := table.fit(name, library, kinds)) is not None]
    exact = [each for each in found if each[0].library is not None] or found
    if len(exact) > 1:
        names = ", ".join(table.name for table, _ in exact)
        raise UsageError(f"several tables fit {name}: {names}; choose one with table=NAME")
    return exact[0] if exact else None


def own_table(
    rows: Sequence[Mapping[str, Any]],
    profile: str = "trace",
    name: str = "own",
    absent: Mapping[str, str] | None = None,
) -> Table:
    """Return a table of these rows, for any model; raise `SpecError` for a row that is malformed.

    `absent` has what is not captured: the path of a node, and why.
    """
    document = {"recorder": LANGUAGE, "name": name, "version": "1", "title": "rows of the caller"}
    fit = {"class": ".*", "profile": profile, "not_captured": dict(absent or {})}
    return table_of({**document, "models": [fit], "rows": list(rows)}, "table")


def _named(asked: str) -> Table:
    if asked.endswith(".toml") or "/" in asked or os.sep in asked:
        return read(Path(asked))
    known = installed()
    if asked not in known:
        listed = ", ".join(known)
        raise UsageError(
            path=f"table {asked}",
            expected=f"a table of a recorder ({listed})",
            found=f"none of this name{suggestion(asked, known)}",
            fix="pass the path of a file as NAME.toml, or a list of rows",
        )
    return known[asked]


def _row(row: Mapping[str, Any]) -> Row:
    generated = row.get("generated")
    given = {key: value for key, value in row.items() if key not in ("node", "axes", "generated")}
    given["read"] = {key: _places(read) for key, read in row.get("read", {}).items()}
    target = Target(row["node"], tuple(row["axes"].split()))
    other = None if generated is None else Target(generated["node"], tuple(generated["axes"].split()))
    return Row(**given, target=target, generated=other)


def _places(read: str | Sequence[str]) -> tuple[str, ...]:
    return (read,) if isinstance(read, str) else tuple(read)


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Patterns that are none, and placeholders that nothing fills."""
    for fit in document["models"]:
        for key in ("class", "has", "without"):
            yield from _pattern_faults("models", key, fit.get(key, ""))
    for row in document["rows"]:
        place = f"the row of {row['node']}"
        for key in _PATTERNS:
            yield from _pattern_faults(place, key, row.get(key, ""))
        known = _known_placeholders(row)
        places = [place for read in row.get("read", {}).values() for place in _places(read)]
        for text in (*_texts(row), row["value"], *places):
            for name in _PLACEHOLDER.findall(text):
                if known is not None and name not in known:
                    yield f"{place}: {{{name}}}: expected one of {', '.join(sorted(known))}, found none of them"


def _texts(row: Mapping[str, Any]) -> Sequence[str]:
    generated = row.get("generated", {})
    keys = ("node", "axes")
    return [row[key] for key in keys] + [generated[key] for key in keys if key in generated]


def _pattern_faults(place: str, key: str, pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"{place}: {key}: not a regular expression: {error}"


def _known_placeholders(row: Mapping[str, Any]) -> set[str] | None:
    """What the placeholders of a row may be; None where a pattern is malformed, which another fault says."""
    try:
        groups = re.compile(row.get("each", row["module"])).groups
    except re.error:
        return None
    return {str(number) for number in range(groups)} | {"module", "call"}
