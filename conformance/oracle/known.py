"""The reasons that are listed: differences that are a library's own. One that explains nothing any more is an error."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from vizschema.conformance.oracle.compare import Difference
from vizschema.errors import UsageError

FILE = Path(__file__).with_name("known.toml")


@dataclass(frozen=True, slots=True)
class Known:
    """One reason: the library and its versions, where it occurs, and why the fault is the library's."""

    library: str
    since: str
    before: str
    containers: tuple[str, ...]
    field: str
    why: str
    dtypes: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    ours: str = ""
    theirs: str = ""
    elsewhere: bool = False

    def applies(self, library: str, version: str) -> bool:
        """Whether it speaks of this version of a library."""
        return library == self.library and _order(self.since) <= _order(version) < _order(self.before)

    def explains(self, difference: Difference) -> bool:
        """Whether this difference is what it speaks of."""
        return (
            self.applies(difference.library, difference.version)
            and difference.container in self.containers
            and difference.field == self.field
            and (not self.dtypes or not set(self.dtypes).isdisjoint(difference.dtype.split()))
            and (not self.codecs or not set(self.codecs).isdisjoint(difference.codecs))
            and re.search(self.ours, difference.ours) is not None
            and re.search(self.theirs, difference.theirs) is not None
        )


def known(file: Path = FILE) -> tuple[Known, ...]:
    """The table; raises `UsageError` where the file is none."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: expected a table of reasons: {error}") from error
    schema = json.loads(FILE.with_name("known.schema.json").read_bytes())
    wrong = next(jsonschema_rs.Draft202012Validator(schema).iter_errors(content), None)
    if wrong is not None:
        raise UsageError(f"{file}: expected a table of reasons: {wrong.message} at {list(wrong.instance_path)}")
    return tuple(_known(entry) for entry in content["known"])


def _known(entry: Mapping[str, Any]) -> Known:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return Known(**fields)


def first(reasons: Sequence[Known], difference: Difference) -> Known | None:
    """The reason for a difference, null where none is listed."""
    return next((each for each in reasons if each.explains(difference)), None)


def _order(version: str) -> tuple[int, ...]:
    """A version as numbers, up to the first part that is not a number."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^0-9.]", version)[0]))
