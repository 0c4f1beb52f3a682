"""Which wrong implementations the corpus kills, and by how many distinct cases.

Each unit is described once, and judged again only where a fault changes its description; what readers and writers do is
compared in memory. Faults of decoding are asked of the encodings, and of archives that a generator makes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vizschema.bounds import Reading
from vizschema.conformance.corpus.cases import FOLDER, Case
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.harness.roles import (
    Item,
    contents_of,
    difference,
    items_of,
    prepare,
    verdict_problem,
)
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.wrong.implementation import EVERY, verdict
from vizschema.conformance.wrong.kinds import Wrong
from vizschema.description import Description
from vizschema.errors import NotAnArchive
from vizschema.measure import measured

LEAST = 3
"""How many distinct cases have to kill each."""


@dataclass
class Kills:
    """What kills a wrong implementation: units, and how many of them by the verdict alone."""

    units: list[Item] = field(default_factory=list)
    by_verdict: int = 0

    @property
    def cases(self) -> list[str]:
        """The names of the distinct cases, in order."""
        return list(dict.fromkeys(item.case.name for item in self.units))


def score(cases: Sequence[Case], chosen: Iterable[str] = EVERY) -> dict[str, Kills]:
    """What kills each of the chosen wrong implementations."""
    hello = Own().hello({})
    every = [EVERY[name] for name in chosen]
    kills = {wrong.name: Kills() for wrong in every}
    _validators(
        [wrong for wrong in every if wrong.role == "validator"], list(items_of("validator", cases, hello)), kills
    )
    for role in ("reader", "writer"):
        of = [wrong for wrong in every if wrong.role == role]
        for item in items_of(role, cases, hello) if of else ():
            for wrong in of:
                if _loses(wrong, item):
                    kills[wrong.name].units.append(item)
    return kills


def _loses(wrong: Wrong, item: Item) -> bool:
    """Whether what a wrong reader reads, or a wrong writer writes, is not what the case holds."""
    if wrong.written is not None:
        return wrong.written is (item.case.verdict == "invalid")
    if wrong.nodes is None or (wrong.role == "writer" and item.case.verdict == "invalid"):
        return False
    raw = item.case.nodes()
    found = json.loads(json.dumps({path: contents_of(node) for path, node in wrong.nodes(raw).items()}))
    return difference(raw, found, added=wrong.role == "writer") is not None


def _validators(every: Sequence[Wrong], items: Sequence[Item], kills: Mapping[str, Kills]) -> None:
    on_disk = [wrong for wrong in every if wrong.archive is not None]
    for item in items if every else ():
        for wrong, description in _described(item, [wrong for wrong in every if wrong.archive is None], on_disk):
            reply = _reply(wrong, description, item)
            if reply is not None and verdict_problem(item.case, reply) is not None:
                kills[wrong.name].units.append(item)
                kills[wrong.name].by_verdict += reply["verdict"] != item.case.verdict


def _reply(wrong: Wrong, description: Description | None, item: Item) -> dict[str, Any] | None:
    """The reply; None where the fault changes nothing. A description of None is that of what is not an archive."""
    if description is None:
        reply: dict[str, Any] = {"verdict": "refused", "findings": []}
        return reply if wrong.findings is None else wrong.findings(reply)
    changed = description if wrong.description is None else wrong.description(description)
    if changed is description and wrong.description is not None:
        return None
    reply = verdict(changed, item.case.loaded_profile)
    return reply if wrong.findings is None else wrong.findings(reply)


def _described(
    item: Item, by_description: Sequence[Wrong], on_disk: Sequence[Wrong]
) -> Iterator[tuple[Wrong, Description | None]]:
    """Each wrong implementation with what it judges."""
    case = item.case
    if case.has_document:
        description = case.description(item.container)
        yield from ((wrong, description) for wrong in by_description)
        return
    with tempfile.TemporaryDirectory(prefix="vizschema-score-", dir=scratch()) as folder:
        path = prepare("validator", item, Path(folder))
        found = _measured(path, case)
        yield from ((wrong, found) for wrong in by_description)
        if case.encoding is None and "copy" not in (case.made or ""):
            return  # what a decoder takes for granted says nothing about other faults; some are sparse giants
        for number, wrong in enumerate(on_disk):
            copy = Path(folder) / f"copy-{number}" / path.name
            copy.parent.mkdir()
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, copy, symlinks=True)
            elif path.suffix == ".npz" and path.is_file():
                shutil.copy(path, copy)
            else:
                continue
            if wrong.archive is not None and wrong.archive(copy):
                yield wrong, _measured(copy, case)
            shutil.rmtree(copy.parent)


def _measured(path: Path, case: Case) -> Description | None:
    try:
        with measured(path, Reading(jobs=1)) as archive:
            found: Description = archive.with_values(case.loaded_profile.facts) if case.values else archive.description
            return found
    except NotAnArchive:
        return None


def recorded(spec: str) -> dict[str, list[str]]:
    """The units (`rule/case [container]`) that are recorded to kill each, by its name."""
    found: dict[str, list[str]] = json.loads((FOLDER / spec / "killers.json").read_text("utf-8"))
    return found


def record(kills: Mapping[str, Kills], spec: str) -> None:
    """Write down units of three distinct cases that kill each, spread over those that do."""
    chosen = {}
    for name, each in sorted(kills.items()):
        units = list({item.case.name: item.name for item in each.units}.values())
        chosen[name] = units[:: max(1, len(units) // LEAST)][:LEAST]
    (FOLDER / spec / "killers.json").write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


def table(kills: Mapping[str, Kills]) -> Iterator[str]:
    """The table in Markdown: role, fault, kills as units and as cases, and by the verdict alone."""
    yield "| role | wrong implementation | name | units | cases | by verdict alone |"
    yield "|---|---|---|---|---|---|"
    for name, each in kills.items():
        wrong = EVERY[name]
        verdicts = each.by_verdict if wrong.role == "validator" else ""
        yield f"| {wrong.role} | {wrong.fault} | `{name}` | {len(each.units)} | {len(each.cases)} | {verdicts} |"


BEGIN = "<!-- implementations: written by the command above -->"
END = "<!-- implementations: end -->"


def paged(text: str, kills: Mapping[str, Kills]) -> str:
    """`text` with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = "\n".join(table(kills))
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"
