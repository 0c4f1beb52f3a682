"""What names mean in layouts without a mapping, read from the data of the specification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from vizschema.errors import SpecError
from vizschema.rules.documents import root
from vizschema.rules.keywords import misfits
from vizschema.rules.tables.read import parsed

_NOT_A_WORD = re.compile(r"[^a-z0-9]+", re.ASCII)


@cache
def hints() -> Mapping[str, Any]:
    """The installed hints, checked against their schema; raises `SpecError`."""
    folder = root() / "dialects" / "drafting"
    path = folder / "hints.toml"
    document = parsed(path.read_bytes(), path)
    for fault in misfits(document, folder / "hints.schema.json"):
        raise SpecError(fault, path=path)
    return document


def plain(text: str) -> str:
    """`text` as a name of lower-case letters, digits and underscores that begins with a letter; may be empty."""
    found = _NOT_A_WORD.sub("_", text.lower()).strip("_")
    return f"x_{found}" if found[:1].isdigit() else found


def names(text: str, words: Iterable[str]) -> bool:
    """Whether one of `words` is in a plain name, between underscores."""
    return any(f"_{word}_" in f"_{text}_" for word in words)


def meaning(text: str, named: Mapping[str, Sequence[str]]) -> str | None:
    """The key of the first list in which `text` is, or None."""
    return next((key for key, words in named.items() if text in words), None)
