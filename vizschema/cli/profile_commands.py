"""What the commands about profiles of one's own do, up to their exit codes: profile build, profile infer."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vizschema.cli.drafting import printed_or_written
from vizschema.cli.hints import hints
from vizschema.cli.progress import bar
from vizschema.errors import SpecError, UsageError, reads, writes
from vizschema.text import archive_name, count, escape_text, local_path

if TYPE_CHECKING:
    from vizschema.bounds import Reading
    from vizschema.description import Description


def build(path: str, version: str | None, *, check: bool) -> int:
    """0 after what a table builds was written beside it, or compared with what is there; 1 where that differs.

    A table that is a file of its own (`gpt2.toml`) is built in memory, and nothing is written.
    """
    from vizschema.rules import versions
    from vizschema.rules.tables.build import stale, texts

    place = Path(path)
    documents = versions.built_at(place, (versions.default() if version is None else versions.load(version)).version)
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


_NAME = re.compile("[a-z][a-z0-9_]{0,63}", re.ASCII)


def infer(paths: Sequence[str], name: str | None, out: str | None, reading: Reading) -> int:
    """0 after the draft of a table was printed, or written to a new file; values are not read.

    Raises `NotAnArchive` where an archive cannot be read, and `SpecError` where nothing can be drafted.
    """
    from vizschema.rules import versions

    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(
            path="--name", expected="a name of lower-case letters, digits and underscores", found=repr(name)
        )
    descriptions = {archive_name(path): _described(local_path(path), reading) for path in paths}
    declared = {node["nodes"]["/"].get("attributes", {}).get("profile") for node in descriptions.values()}
    known = [each for each in declared if isinstance(each, str) and _NAME.fullmatch(each)]
    own = [each for each in known if each not in versions.default().profiles]
    text = versions.draft(descriptions, name or (own[0] if len(own) == 1 else "own"), versions.default().version)
    if not printed_or_written(text, out):
        return 0
    print(f"{escape_text(str(out))}: a draft from {count(len(paths), 'archive')}; look at each row and comment")
    return 0


def _described(path: str, reading: Reading) -> Description:
    from vizschema.validation import read

    with reads(archive_name(path)), hints(path), bar(path) as begin:
        return read(path, replace(reading, progress=begin), values=False).description


def _rules(documents: Mapping[str, Any]) -> list[str]:
    stated = [
        *documents.values(),
        *(document["$defs"]["own"] for document in documents.values() if "$defs" in document),
    ]
    return [str(each["$anchor"]) for schema in stated for each in schema.get("allOf", ()) if "$anchor" in each]


def _write(folder: Path, documents: Mapping[str, str]) -> None:
    """Write each document in place of the one that is there, in the folder alone: a link is replaced, not followed."""
    for name, text in documents.items():
        path = folder / name
        with writes(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(folder.resolve()):
                raise SpecError(path=path.parent, expected=f"a folder within {folder}", found="a link out of it")
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(path)
