"""From the file of a table to a `Table`: bounded, within its folder, checked against the schema of tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from vizschema.errors import SpecError
from vizschema.rules.keywords import misfits
from vizschema.rules.tables.axes import axes_of
from vizschema.rules.tables.extended import extended
from vizschema.rules.tables.paths import MAX_NODES, choices
from vizschema.rules.tables.table import Node, Part, Row, Rule, Table
from vizschema.text import shorten

MAX_BYTES = 1 << 20
"""Most bytes of a file of a table."""

MAX_DOTS = 200
"""Most dots on a line of a table: reading a key of many parts takes time with the square of their number."""

MAX_DEPTH = 64
"""Most levels of what is in a file of a table: rules in JSON Schema are the deepest."""

MAX_ABOVE = 16
"""Most tables that one builds on, each on the next."""

_HOME = "https://example.org/profiles/"
"""Where the `$id`s of a profile begin that names no address of its own."""


@dataclass(frozen=True, slots=True)
class Specification:
    """What reading a table takes from the specification: where its `$id`s begin, the schema of tables, its parts.

    `part` gives the table of a part of a version, and where its `$id`s begin, `profile` that of a profile; None where
    there is none.
    """

    home: str
    schema: Path
    part: Callable[[str, str], tuple[Path, str] | None]
    profile: Callable[[str, str], Path | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table is: its file, the version that it builds on, and where its `$id`s begin (None: by its name).

    `part` is the name as which it is a part, `within` the files of the tables that it is a part of.
    """

    path: Path
    version: str
    base: str | None
    part: str | None = None
    within: tuple[Path, ...] = ()
    text: bytes | None = None


def read(path: Path, version: str, base: str | None, specification: Specification, text: bytes | None = None) -> Table:
    """The table in the file at `path`, with its parts; it builds on `version` unless it says otherwise.

    `base` is where its `$id`s begin, None for a user's own; `text` is what the file says, where it is not read.
    Raises `SpecError` for what is not a table.
    """
    return _Reader(specification).table(_Place(path, version, base, text=text))


class _Reader:
    """Reads each file once."""

    def __init__(self, specification: Specification) -> None:
        self._spec = specification
        self._parts: dict[str, Part] = {}

    def table(self, place: _Place) -> Table:
        """The table at a place."""
        path = place.path
        document = _parsed(path) if place.text is None else parsed(place.text, path)
        for misfit in misfits(document, self._spec.schema):
            raise SpecError(f"{misfit}", path=path)
        name, is_part = _name(document, place)
        base = place.base or document.get("id") or f"{_HOME}{name}/"
        if place.base is None and base.startswith(self._spec.home):
            raise SpecError(
                "id", path=path, expected="an address of your own", found=f"one of the specification, {base}"
            )
        sets = {key: words.split(" ") for key, words in document.get("sets", {}).items()}
        here = replace(place, base=base, version=place.version if place.part else document.get("spec", place.version))
        above = self._extended(document["extends"], here) if "extends" in document else None
        sets = {**(above.sets if above else {}), **sets}
        try:
            nodes = _nodes(document["nodes"], sets, name)
        except SpecError as error:
            raise SpecError(f"{error}", path=path) from None
        table = Table(
            name=name,
            path=path,
            version=here.version,
            is_part=is_part,
            is_own=not base.startswith(self._spec.home),
            base=base,
            of=document.get("of", name),
            recognized_by=tuple(document.get("recognized_by", "").split()),
            sets=sets,
            sizes=document.get("sizes", {}),
            nodes=nodes,
            rules=tuple(_rule(key, value) for key, value in document.get("rules", {}).items()),
            parts=tuple(self._part(each, here) for each in document.get("parts", ())),
            also=_also(document.get("also", ()), path),
        )
        return table if above is None else extended(above, table, is_named="of" in document)

    def _extended(self, name: str, place: _Place) -> Table:
        """The table of the profile that one at a place builds on, as if it were in the same folder."""
        is_file = name.endswith(".toml")
        path = beside(place.path, name) if is_file else self._spec.profile(place.version, name)
        if path is None:
            raise SpecError(
                f"extends: {name!r} is not a table of the specification {place.version}; a file is {name}.toml",
                path=place.path,
            )
        within = (*place.within, place.path.resolve())
        if path.resolve() in within:
            raise SpecError(f"extends: {name} builds on itself", path=place.path)
        if len(within) > MAX_ABOVE:
            raise SpecError(f"exceeds the limit of {MAX_ABOVE} tables that build on one another", path=place.path)
        return self.table(_Place(path, place.version, place.base, within=within))

    def _part(self, name: str, place: _Place) -> Part:
        bare, is_file, _ = name.partition(".toml")
        shipped = None if is_file else self._spec.part(place.version, name)
        if not is_file and shipped is None:
            raise SpecError(
                f"parts: {name!r} is not a part of the specification; a file is {name}.toml", path=place.path
            )
        top = str(place.base).partition("parts/")[0] if place.part else place.base
        path, base = shipped or (beside(place.path, name), f"{top}parts/{bare}/")
        above = (*place.within, place.path.resolve())
        if path.resolve() in above:
            raise SpecError(f"parts: {name} is a part of itself", path=place.path)
        if base not in self._parts:
            table = self.table(_Place(path, place.version, base, bare, above))
            self._parts[base] = Part(bare, not is_file, table)
        return self._parts[base]


def beside(path: Path, name: str) -> Path:
    """The file `name` beside the table at `path`; raises `SpecError` where it leads out of the folder of the table."""
    found = path.parent / name
    if not found.is_file():
        raise SpecError(name, path=path, expected="a file beside the table", found="none")
    if not found.resolve().is_relative_to(path.parent.resolve()):
        raise SpecError(name, path=path, expected="a file in the folder of the table", found="one outside it")
    return found


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise SpecError(path=path, expected="a table", found="no such file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(path=path, expected="a table", found=error.strerror or error) from error
    if len(data) > MAX_BYTES:
        raise SpecError(f"exceeds the limit of {MAX_BYTES} bytes", path=path)
    return data


def _parsed(path: Path) -> dict[str, Any]:
    return parsed(_bytes(path), path)


def parsed(data: bytes, path: Path) -> dict[str, Any]:
    """The values of a table; raises `SpecError` for what is not TOML, or takes too long to read."""
    if any(line.count(b".") > MAX_DOTS for line in data.split(b"\n")):
        raise SpecError(f"exceeds the limit of {MAX_DOTS} dots on a line: values are nested too deep", path=path)
    try:
        document = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise SpecError(path=path, expected="UTF-8", found=f"other bytes at {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"expected TOML, found: {shorten(str(error))}", path=path) from error
    except (RecursionError, ValueError) as error:
        raise SpecError(path=path, expected="TOML", found="values nested too deep, or a number too long") from error
    return _flat(document, path)


def _flat(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """`document`; raises `SpecError` where it is nested deeper than any table or rule is."""
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [item for value in level for item in _inner(value)]
        if not level:
            return document
    raise SpecError(f"exceeds the limit of {MAX_DEPTH} levels: values are nested too deep", path=path)


def _inner(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _name(document: Mapping[str, Any], place: _Place) -> tuple[str, bool]:
    """The name of a table, and whether it is a part."""
    keys = [key for key in ("profile", "part") if key in document]
    if len(keys) != 1 or (place.part is not None and keys != ["part"]):
        wanted = "profile" if place.part is None else "part"
        raise SpecError(path=place.path, expected=f'its name, `{wanted} = "…"`', found=" and ".join(keys) or "none")
    name = document[keys[0]]
    if place.part not in (None, name):
        raise SpecError(path=place.path, expected=f"the part {place.part}", found=name)
    return name, keys == ["part"]


def _nodes(rows: Mapping[str, Any], sets: Mapping[str, Sequence[str]], home: str) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for path, columns in rows.items():
        row = Row(path, columns, home)
        for choice in choices(path, sets):
            nodes.append(Node(row, choice.steps, axes_of(row, choice.chosen)))
            if len(nodes) > MAX_NODES:
                raise SpecError(f"exceeds the limit of {MAX_NODES} nodes: the sets multiply to more", path=path)
    return tuple(nodes)


def _rule(name: str, value: Mapping[str, Any]) -> Rule:
    judges = {column: selectors.split() for column, selectors in value["judges"].items()}
    texts = {key: value.get(key) for key in ("level", "title", "why", "fix")}
    return Rule(name, judges, **texts)


def _also(names: Any, path: Path) -> dict[str, list[Any]]:
    """The rules in JSON Schema that files beside a table state, by level."""
    found: dict[str, list[Any]] = {"must": [], "should": []}
    for name in names:
        place = beside(path, name)
        try:
            document = orjson.loads(_bytes(place))
        except orjson.JSONDecodeError as error:
            raise SpecError(f"expected JSON, found: {shorten(str(error))}", path=place) from error
        if not isinstance(document, dict) or not document.keys() <= found.keys():
            raise SpecError('expected an object of lists of rules, {"must": […], "should": […]}', path=place)
        for level, rules in _flat(document, place).items():
            if not isinstance(rules, list) or not all(isinstance(rule, dict) and "$anchor" in rule for rule in rules):
                raise SpecError(f"{level}: expected a list of rules, each with an $anchor", path=place)
            found[level] += rules
    return found
