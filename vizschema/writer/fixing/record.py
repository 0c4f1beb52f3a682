"""The record of what was fixed: the group /extra/fixes of the archive, one attribute for each run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from vizschema.errors import UsageError
from vizschema.rules.fixes.draft import Change, Draft

RECORD = "/extra/fixes"
MOST_BYTES = 900_000
"""Bytes of one attribute: an attribute has at most 1 MiB."""


def add_record(draft: Draft, changes: Sequence[Change], generator: str) -> None:
    """Add what is changed to the record of the archive; raise `UsageError` where something else has its place."""
    for path in ("/extra", RECORD):
        if draft.nodes.get(path, {"kind": "group"})["kind"] != "group":
            raise UsageError("is not a group, so that no record of the changes can be kept there", path=path)
    draft.add_group(RECORD)
    taken = draft.nodes[RECORD]["attributes"]
    run = next(number for number in range(1_000_000) if f"run_{number:02}" not in taken)
    draft.set(RECORD, f"run_{run:02}", {"generator": generator, "changes": len(changes)})
    for number, part in enumerate(_parts(changes)):
        draft.set(RECORD, f"run_{run:02}_changes_{number:02}", part)


def _parts(changes: Sequence[Change]) -> Iterator[list[dict[str, Any]]]:
    """The changes in lists that fit an attribute each."""
    part: list[dict[str, Any]] = []
    size = 0
    for change in changes:
        entry = {"fix": change.fix, "rule": change.rule, "path": change.path, "change": change.words}
        length = len(json.dumps(entry))
        if part and size + length > MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += length + 2
    yield part
