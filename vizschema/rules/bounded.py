"""Files of a project, which is not trusted: regular files only, and small, flat and cheap before they are used."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from vizschema.errors import SpecError
from vizschema.rules.documents import Schema, resolve, subschemas
from vizschema.rules.keywords import matches
from vizschema.text import json_size, shorten

CONFIGURATION_BYTES = 1 << 20
SCHEMA_BYTES = 4 << 20
BASELINE_BYTES = 16 << 20

DEPTH = 64
"""Levels of lists and objects in a document."""

VALUES = 500_000
"""Values in a JSON document."""

KEY_PARTS = 64
"""Parts of a dotted key in TOML."""

COST = 50_000
"""Subschemas that an engine may look at for one node, references followed: an installed profile has at most 1,400."""

CHAIN = 200
"""Subschemas, each within the one before or referred to by it."""

PATTERNS = 2_000
PATTERN_LENGTH = 10_000
REPEATED = 20_000
"""Characters of a pattern in which each counted repetition is written out."""

_KEY = r"(?:(?<![\w-])[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_LONG_KEY = re.compile(rf"(?:{_KEY}[ \t]*\.[ \t]*){{{KEY_PARTS}}}", re.ASCII)
_ATOM = re.compile(r"\{\s*([0-9]*)\s*,?\s*([0-9]*)\s*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|.", re.DOTALL)


def read_file(path: Path, most: int, expected: str = "a file") -> bytes:
    """The content of a regular file; raises `SpecError` for another, and for one of more than `most` bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
        with open(fd, "rb") as file:  # noqa: PTH123  (a descriptor)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SpecError(path=path, expected="a regular file", found="another kind of file")
            content = file.read(most + 1)
    except OSError as error:
        raise SpecError(path=path, expected=expected, found=error.strerror or error) from error
    if len(content) > most:
        raise SpecError(path=path, expected=f"at most {most} bytes", found="more", fix="split it, or remove parts")
    return content


def json_text(path: Path, most: int) -> bytes:
    """The content of a file of JSON; raises `SpecError` for one of too many bytes, values or levels."""
    content = read_file(path, most, "a JSON document")
    values, depth = json_size(content)
    for found, limit, what in ((values, VALUES, "JSON values"), (depth, DEPTH, "levels of lists and objects")):
        if found > limit:
            raise SpecError(path=path, expected=f"at most {limit} {what}", found=found)
    return content


def json_at(path: Path) -> Any:
    """The JSON document in a file, a schema or facts; raises `SpecError` for none, and for one beyond the limits."""
    try:
        return orjson.loads(json_text(path, SCHEMA_BYTES))
    except orjson.JSONDecodeError as error:
        raise SpecError(path=path, expected="a JSON document", found=shorten(str(error), 200)) from error


def toml_at(path: Path) -> dict[str, Any]:
    """The TOML document in a file; raises `SpecError` for none, and for one that takes too long to read."""
    try:
        text = read_file(path, CONFIGURATION_BYTES, "TOML").decode()
    except UnicodeDecodeError as error:
        raise SpecError(path=path, expected="UTF-8", found=f"other bytes at {error.start}") from error
    long = _LONG_KEY.search(text)
    if long is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise SpecError(path=path, expected=f"keys of at most {KEY_PARTS} parts", found=f"a longer one in line {line}")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise SpecError(path=path, expected="TOML", found="values nested too deeply") from error
    except ValueError as error:  # an integer of too many digits, besides what is not TOML
        raise SpecError(path=path, expected="TOML", found=shorten(str(error), 200)) from error


def require_cheap(schemas: tuple[str, str], documents: Mapping[str, Schema], place: Path) -> None:
    """Raise `SpecError` where judging by these schemas, `$id`s in `documents`, costs more than an engine may take."""
    costs: dict[int, int | None] = {}
    for url in schemas:
        _cost(url, documents[url], documents, place, costs, 0)
    patterns = {pattern for document in documents.values() for pattern in _patterns(document, place)}
    if len(patterns) > PATTERNS:
        raise SpecError(path=place, expected=f"at most {PATTERNS} patterns", found=len(patterns))
    for pattern in patterns:
        if matches(pattern, "") is None:
            raise SpecError(path=place, expected="a regular expression", found=shorten(repr(pattern), 120))


def _cost(
    url: str, schema: Schema, documents: Mapping[str, Schema], place: Path, costs: dict[int, int | None], depth: int
) -> int:
    """How many subschemas `schema` leads to, itself included; each is counted as often as it is reached."""
    known = costs.get(id(schema), 0)
    if known is None:
        raise SpecError(f"$ref {schema.get('$ref', 'in ' + url)!r} leads back to itself", path=place)
    if known:
        return known
    if depth > CHAIN:
        raise SpecError(path=place, expected=f"at most {CHAIN} schemas, each in the one before", found="more")
    costs[id(schema)] = None
    follow = partial(_cost, documents=documents, place=place, costs=costs, depth=depth + 1)
    total = 1 + sum(follow(url, each) for each in subschemas(schema))
    if "$ref" in schema:
        target_url, tokens = resolve(schema["$ref"], url, documents)
        target: Any = documents[target_url]
        for token in tokens:
            target = target[token]
        total += follow(target_url, target)
    if total > COST:
        raise SpecError(
            f"its references and alternatives lead to more than {COST} schemas",
            path=place,
            fix="refer to fewer schemas from each, or state the rule once",
        )
    costs[id(schema)] = total
    return total


def _patterns(value: Any, place: Path) -> Iterator[str]:
    """Every pattern in a document; raises `SpecError` for one that is too large."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            found = [each["pattern"]] if isinstance(each.get("pattern"), str) else []
            inner = each.get("patternProperties")
            found += inner if isinstance(inner, dict) else ()
            for pattern in found:
                require_pattern(pattern, place)
                yield pattern
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def require_pattern(pattern: str, place: Path) -> None:
    """Raise `SpecError` for a pattern that an engine would need much memory for."""
    repeated = 0 if len(pattern) > PATTERN_LENGTH else _repeated(pattern)
    if len(pattern) > PATTERN_LENGTH or repeated > REPEATED:
        raise SpecError(
            f"the pattern {shorten(repr(pattern), 80)} is too large",
            path=place,
            expected=f"at most {PATTERN_LENGTH} characters, and {REPEATED} with its counted repetitions written out",
            found=f"{len(pattern)} and {repeated}" if repeated else len(pattern),
        )


def _repeated(pattern: str) -> int:
    """The characters of a pattern in which each counted repetition is written out, a class counted as one."""
    sizes, last = [0], 0  # of each open group, and of what a repetition would repeat
    for atom in _ATOM.finditer(pattern):
        counts = [int(count.lstrip("0")[:6] or 0) for count in atom.groups() if count]
        if counts:
            repeated = min(last * max(1, *counts), REPEATED + 1)
            sizes[-1] += repeated - last
            last = repeated
        elif atom[0] == "(":
            sizes.append(1)
        elif atom[0] == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif atom[0] not in "*+?":
            last = 1
            sizes[-1] += 1
    return sum(sizes)


def within(path: Path, folder: Path) -> bool:
    """Whether a file, links followed, is in a folder."""
    return path.resolve().is_relative_to(folder.resolve())
