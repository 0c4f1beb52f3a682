"""From a table to the schemas and the facts of a profile, deterministic; every slip in the table is an error here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vizschema.errors import SpecError
from vizschema.rules.tables import axes, changes, fragments, needs, rows
from vizschema.rules.tables.judges import Judge, judges_of
from vizschema.rules.tables.layout import laid_out
from vizschema.rules.tables.paths import Steps, pattern
from vizschema.rules.tables.relations import RELATIONS
from vizschema.rules.tables.schemas import asserted, structure
from vizschema.rules.tables.table import Part, Table
from vizschema.rules.tables.vocabulary import Vocabulary
from vizschema.rules.tables.words import texts_of

if TYPE_CHECKING:
    from vizschema.rules.versions import Schema

Built = Mapping[str, "Schema"]
"""The documents that are built from a table, by their paths below its folder."""

LEVELS = ("must", "should")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def built(table: Table, words: Vocabulary) -> Built:
    """What is built from `table` and from the parts in its folder; raises `SpecError` for a slip."""
    documents = dict(_documents(table, words, ""))
    for part in table.all_parts():
        if not part.is_shipped:
            documents |= _documents(part.table, words, f"parts/{part.name}/")
    return documents


def _documents(table: Table, words: Vocabulary, folder: str) -> Iterator[tuple[str, Schema]]:
    _check(table, words)
    judges = judges_of(table, words)
    for level in LEVELS:
        yield f"{folder}{level}.schema.json", _schema(table, level, judges, words)
    yield f"{folder}facts.json", _facts(table)


def texts(documents: Built) -> dict[str, str]:
    """The documents as they are written."""
    return {name: laid_out(document) for name, document in documents.items()}


def stale(folder: Path, documents: Built) -> list[str]:
    """The names of the documents that are not in `folder` as they are written, or are missing there."""
    return [name for name, text in texts(documents).items() if _content(folder / name) != text.encode()]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _check(table: Table, words: Vocabulary) -> None:
    try:
        rows.check(table, words)
        changes.require_tighter(table, words)
        axes.check(table.all_nodes(), table.all_sizes(), words)
        needs.check(table.all_nodes())
        fragments.check(table, words)
    except SpecError as error:
        raise SpecError(f"{error}", path=table.path) from None


def _schema(table: Table, level: str, judges: list[Judge], words: Vocabulary) -> Schema:
    trace = f"https://vizschema.org/spec/{words.version}/trace/{level}.schema.json"
    own = [{"$ref": _reference(part, table, level)} for part in table.parts]
    own += [structure(table, words)] if level == "must" else []
    own += [_rule(judge, table, words) for judge in judges if judge.level == level]
    own += table.also.get(level, ())
    opening = (
        "What every trace of {} obeys." if level == "must" else "What traces of {} do unless there is a reason not to."
    )
    stated = {
        "$schema": DIALECT,
        "$id": f"{table.base}{level}.schema.json",
        "title": f"{table.name} {words.version}, {level}",
        "description": opening.format(table.of if level == "must" else table.of.rstrip(",")),
    }
    if table.is_part:
        return {**stated, "allOf": own}
    if level == "should":
        return {**stated, "allOf": [{"$ref": f"{trace}#/$defs/common"}, *own]}
    if table.is_own:
        return {**stated, "allOf": [{"$ref": trace}, *own]}
    # A later version refers to what is the profile's own.
    return {**stated, "allOf": [{"$ref": trace}, {"$ref": "#/$defs/own"}], "$defs": {"own": {"allOf": own}}}


def _reference(part: Part, table: Table, level: str) -> str:
    return f"{part.table.base if part.is_shipped else f'{part.folder(table)}/'}{level}.schema.json"


def _rule(judge: Judge, table: Table, words: Vocabulary) -> Schema:
    title, why, fix = texts_of(judge, table)
    stated = {"$anchor": judge.rule.id, "title": title, "description": f"{why} Fix: {fix}"}
    return {**stated, **asserted(judge, table, words)}


def _facts(table: Table) -> dict[str, Any]:
    inherited = [] if table.is_part else ["trace"]
    inherited += [part.folder(table) for part in table.parts]
    entries = [{"at": pattern(steps), "measure": [fact], **more} for fact, more, steps in _entries(table)]
    words = {"recognized_by": list(table.recognized_by)} if table.recognized_by else {}
    views = [{"at": pattern(steps), "view": view} for view, steps in _views(table).items()]
    return {"extends": inherited, "facts": entries, **words, **({"views": views} if views else {})}


def _views(table: Table) -> dict[str, list[Steps]]:
    """The nodes that are drawn in each way."""
    found: dict[str, list[Steps]] = {}
    for node in table.nodes:
        if "view" in node.row.columns:
            found.setdefault(node.row.columns["view"], []).append(node.steps)
    return found


def _entries(table: Table) -> Iterator[tuple[str, Mapping[str, Any], list[Any]]]:
    """(fact, what else it needs, nodes) of each entry of `facts.json`."""
    found: list[tuple[str, Mapping[str, Any], list[Any]]] = []
    for node in table.nodes:
        for column, relation in RELATIONS.items():
            if relation.fact is None or column not in node.row.columns:
                continue
            more = relation.entry(node.row.columns[column])
            same = next((steps for fact, needs_, steps in found if (fact, needs_) == (relation.fact, more)), None)
            if same is None:
                found.append((relation.fact, more, [node.steps]))
            else:
                same.append(node.steps)
    yield from found
