"""The rows of encodings of each container, with what is expected of their cases, certified and frozen as a table.

A row is certified where the written archive reads as its content, where its facts are those of the plain reference, and
where `right` and `hashes` conform, `wrong` breaks what its flip says, and `spoiled` is not readable, and nothing else;
warnings about values and chunks may come with each.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vizschema.bounds import Reading
from vizschema.conformance.corpus.ablation import found, rules_found
from vizschema.conformance.corpus.cases import Case, encoded_case
from vizschema.conformance.corpus.encodings.contents import WHY, flip
from vizschema.conformance.corpus.encodings.table import FACTORS, Encoding, rows
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.corpus.reference_facts import measure
from vizschema.description import Description
from vizschema.errors import UsageError
from vizschema.measure import measured

WARNINGS = frozenset({"chunks-written", "extra-finite"})
"""What may be found in any of these archives."""

BREAKS: Mapping[str, frozenset[str]] = {
    "hashes": frozenset(),
    "right": frozenset(),
    "endian": frozenset({"attention-row-sum"}),
    "order": frozenset({"attention-row-sum"}),
    "fill": frozenset({"finite"}),
    "last": frozenset({"attention-row-sum"}),
    "spoiled": frozenset({"chunk-readable"}),
}
"""What a content, or a flip of `wrong`, breaks."""


def freeze_encodings(spec: str, folder: Path) -> Iterator[str]:
    """Write the table of each container to `folder`; the problems of each row that is not certified, in words."""
    for container in FACTORS:
        frozen = []
        for number, encoding in enumerate(rows(container)):
            cases: dict[str, Any] = {}
            for content in WHY:
                entry = _entry(spec, container, encoding, number, content)
                if entry is None:
                    continue
                if isinstance(entry, str):
                    yield f"{container} {number} {content}: {entry}"
                else:
                    cases[content] = entry
            frozen.append({"encoding": encoding, "cases": cases})
        write_table(container, frozen, folder)


def write_table(container: str, frozen: list[dict[str, Any]], folder: Path) -> None:
    """Write the table of a container, a row a line."""
    folder.mkdir(exist_ok=True)
    lines = ",\n    ".join(json.dumps(row) for row in frozen)
    factors = ",\n    ".join(f"{json.dumps(name)}: {json.dumps(levels)}" for name, levels in FACTORS[container].items())
    text = (
        f'{{\n  "container": "{container}",\n  "factors": {{\n    {factors}\n  }},\n  "rows": [\n    {lines}\n  ]\n}}\n'
    )
    (folder / f"{container}.json").write_text(text, encoding="utf-8")


def _entry(spec: str, container: str, encoding: Encoding, number: int, content: str) -> dict[str, Any] | str | None:
    """What is expected of a case, or why it is not certified; None where the encoding has no such content."""
    draft = encoded_case(spec, container, encoding, number, content, {"verdict": "valid", "expected": {}})
    with tempfile.TemporaryDirectory(prefix="vizschema-freeze-", dir=scratch()) as folder:
        try:
            path = draft.write_in(Path(folder), "archive", container)
        except UsageError:
            return None
        with measured(path, Reading(jobs=1)) as archive:
            description: Description = archive.with_values(draft.loaded_profile.facts)
    flipped = flip(container, encoding, number) if content == "wrong" else content
    problem = _problem(draft, description, BREAKS[flipped])
    if problem is not None:
        return problem
    expected: dict[str, str] = {}
    for rule, place in sorted(found(description, draft.loaded_profile)):
        expected.setdefault(rule, place)
    entry: dict[str, Any] = {"verdict": "invalid" if BREAKS[flipped] else "valid", "expected": expected}
    if len(rules_found(description, draft.loaded_profile)) > len(expected):
        entry["many"] = True
    return {**entry, "flip": flipped} if content == "wrong" else entry


def _problem(draft: Case, description: Description, breaks: frozenset[str]) -> str | None:
    """Why the case is not certified; None where it is."""
    rules = {rule for rule, _ in found(description, draft.loaded_profile)}
    if rules - WARNINGS != breaks:
        return f"expected {sorted(breaks)}, found {sorted(rules)}"
    if draft.base == "spoiled":
        return None
    raw = draft.nodes()
    for path, facts in measure(raw, draft.loaded_profile.facts).items():
        node = description["nodes"][path]
        wanted = {**facts, "absent_chunks": len(raw[path].absent)}
        measured_facts = {key: value for key, value in node["facts"].items() if key != "absent_keys"}
        if measured_facts != wanted:
            return f"{path}: expected the facts {wanted}, found {measured_facts}"
    return None
