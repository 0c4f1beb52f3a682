"""`migrate --verify`: the proof of a migration, at any later time, of its result and its source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from vizschema.errors import Refused, UsageError
from vizschema.migration.answers import LOSE, Answers
from vizschema.migration.mapping import chosen
from vizschema.migration.migrate import MEMORY
from vizschema.migration.plan import Plan
from vizschema.migration.proof import RECORD, is_source
from vizschema.reader.archive import Archive
from vizschema.reader.archive import open as open_archive
from vizschema.sources.item import digest_of_source
from vizschema.sources.views import digest, view_of
from vizschema.worker.source import opened

GIVEN_UP = "given up by the user: "
"""How the reason of a loss begins that the user asked for."""


def verify(
    target: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    mapping: str | None = None,
    memory: int = MEMORY,
    isolated: bool = False,
) -> int:
    """How many arrays of a result, undone, are those of its source; values that were linked are read too.

    Parameters:
        target: The result of a migration.
        source: What it was made of, as it is now.
        mapping: The file of the mapping, if it is not an installed one.
        memory: Most bytes of one array of the source.
        isolated: Read the source in a sandboxed process, for untrusted sources.

    Raises:
        Refused: The source, the mapping or the result is another one.
        NotAnArchive: One of the two cannot be read.
        UsageError: The result has no record of a migration.
    """
    place = os.fspath(target)
    with open_archive(place) as archive, partial(opened, isolated=isolated, memory=memory)(os.fspath(source)) as tree:
        if RECORD not in archive:
            raise UsageError(path=place, expected=f"the result of a migration, with {RECORD}", found="none")
        record: Mapping[str, Any] = archive[RECORD].attributes
        try:
            dialect = chosen(mapping or str(record["mapping"]), tree)
            if dialect.sha256 != record["mapping_sha256"]:
                raise Refused(
                    [f"the mapping {dialect.name} is another one than that of the result: pass --mapping FILE"]
                )
            plan = Plan(dialect, tree, Answers(dialect.asks, dict(_answers(record))))
            problems = [*plan.problems, *map(str, plan.answers.questions.values())]
            problems += list(_differences(archive, plan, record))
            whole = all("sha256" in each for each in record["arrays"].values())
            if whole and digest_of_source(tree, plan.digests) != record["source_sha256"]:
                problems.append("the source has other nodes, attributes or values than when it was migrated")
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused([f"{RECORD}: not a record of a migration: {error}"]) from error
    if problems:
        raise Refused(problems, "it is not what this source gives")
    return len(plan.arrays)


def _answers(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The answers that were given."""
    yield from ((name, each["value"]) for name, each in record["answers"].items() if each["by"] == "given")
    for loss in record["losses"]:
        if loss["why"].startswith(GIVEN_UP):
            yield f"{LOSE}:{loss['what']}", loss["why"].removeprefix(GIVEN_UP)


def _differences(archive: Archive, plan: Plan, record: Mapping[str, Any]) -> Iterator[str]:
    """What is another thing in the result, or in its record, than in the source."""
    arrays = record["arrays"]
    yield from (f"{place}: the record has no such array" for place in plan.arrays.keys() - arrays.keys())
    for place, each in arrays.items():
        planned = plan.arrays.get(place)
        if planned is None or place not in archive:
            yield f"{place}: it is not in the {'source' if planned is None else 'result'}"
        elif planned.source != each["from"] or each.get("sha256", planned.sha256) != planned.sha256:
            yield f"{place}: {planned.source} of the source has other values than when it was migrated"
        elif not is_source(planned, archive[place]):
            yield f"{place}: read back and undone, it is not {planned.source}"
    for place, each in record.get("added", {}).items():
        if place not in archive or digest(view_of(archive[place])) != each["sha256"]:
            yield f"{place}: it is not the array that was added from {each['file']}"
    if list(plan.losses) != list(record["losses"]):
        yield f"{RECORD}: its losses are not those of the source"
