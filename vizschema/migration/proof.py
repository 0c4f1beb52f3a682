"""What shows that a result is its source: the record in it, and every array read back and undone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizschema.errors import Refused
from vizschema.migration.mapping import Dialect
from vizschema.migration.operations import Unfit
from vizschema.migration.plan import Plan, Planned
from vizschema.reader.archive import open as open_archive
from vizschema.sources.beside import Beside
from vizschema.sources.item import Tree, digest_of_source
from vizschema.sources.views import digest

RECORD = "/extra/migration"
"""Where the result says what it was made of."""


def record(plan: Plan, dialect: Dialect, tree: Tree, extra: Mapping[str, Beside]) -> dict[str, Any]:
    """The attributes of `/extra/migration`: where everything is from. Times and paths of a machine are not in it."""
    arrays = {
        place: {
            "from": planned.source,
            **({"sha256": planned.sha256} if planned.link is None else {"linked": True}),
            "do": list(planned.steps),
        }
        for place, planned in plan.arrays.items()
    }
    found = {
        "mapping": dialect.name,
        "mapping_version": dialect.document["version"],
        "mapping_sha256": dialect.sha256,
        "source_sha256": digest_of_source(tree, plan.digests),
        "answers": plan.answers.used,
        "arrays": arrays,
        "source": {path: {"dtype": each.dtype, "shape": list(each.shape)} for path, each in tree.items() if each.dtype},
        "losses": plan.losses,
        "added": {place: {"sha256": each.sha256, "file": each.name} for place, each in extra.items()},
    }
    return {name: value for name, value in found.items() if value or name in ("losses", "answers")}


def prove(path: Path, plan: Plan) -> int:
    """How many arrays of the result, undone, are the source's by their SHA-256; raises `Refused` where one is not.

    Those that are linked are not read.
    """
    read = {place: planned for place, planned in plan.arrays.items() if planned.link is None}
    with open_archive(path) as archive:
        for place, planned in read.items():
            if not is_source(planned, archive[place]):
                raise Refused([f"{place}: read back and undone, it is not {planned.source}"])
    return len(read)


def is_source(planned: Planned, stored: Any) -> bool:
    """Whether an array of a result, undone, has the values that it was made of."""
    try:
        return digest(planned.done.undone(stored)) == planned.sha256
    except Unfit:
        return False
