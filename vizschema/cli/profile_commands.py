"""What the commands about profiles of one's own do, up to their exit codes: profile build."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vizschema.errors import SpecError, UsageError
from vizschema.report.text import count
from vizschema.text import escape_text


def build(path: str, version: str | None, *, check: bool) -> int:
    """0 after what a table builds was written beside it, or compared with what is there; 1 where that differs.

    A table that is a file of its own (`gpt2.toml`) is built in memory, and nothing is written.
    """
    from vizschema.rules import versions
    from vizschema.rules.tables.build import stale, texts

    place = Path(path)
    documents = versions.built_at(place, versions.newest().version if version is None else version)
    named = escape_text(path)
    rules = count(len(_rules(documents)), "rule")
    if not place.is_dir():
        print(f"{named}: builds {rules} of its own; nothing is written for a table that is not in a folder of its own")
        return 0
    differing = stale(place, documents)
    if check:
        if differing:
            print(f"{named}: expected what the table builds, found other documents: {', '.join(differing)}")
            return 1
        print(f"{named}: {count(len(documents), 'document')}, as the table builds them, with {rules} of its own")
        return 0
    _write(place, {name: text for name, text in texts(documents).items() if name in differing})
    print(f"{named}: {len(differing)} of {count(len(documents), 'document')} written, with {rules} of its own")
    return 0


def _rules(documents: Mapping[str, Mapping[str, object]]) -> list[str]:
    found = [document.get("allOf", ()) for document in documents.values()]
    return [str(each["$anchor"]) for parts in found if isinstance(parts, list) for each in parts if "$anchor" in each]


def _write(folder: Path, documents: Mapping[str, str]) -> None:
    """Write each document in place of the one that is there, in the folder alone: a link is replaced, not followed."""
    for name, text in documents.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(folder.resolve()):
                raise SpecError(f"{path.parent}: expected a folder within {folder}, found a link out of it")
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
