"""Which wrong implementations the corpus kills, and by how many distinct cases.

Each unit is described once, and judged again only where a fault changes its description; what readers and writers do is
compared in memory, once for all containers of a case. Faults of decoding are asked of the encodings, and of archives
that a generator makes.
"""

from __future__ import annotations

import hashlib
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
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.harness.protocol import Trouble
from vizschema.conformance.harness.roles import (
    Item,
    check,
    contents_of,
    difference,
    items_of,
    prepare,
    verdict_problem,
)
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.subjects import InProcess
from vizschema.conformance.wrong.implementation import EVERY, Implementation, verdict
from vizschema.conformance.wrong.kinds import Wrong
from vizschema.conformance.wrong.remeasuring import differing, remeasured
from vizschema.description import Description
from vizschema.errors import NotAnArchive
from vizschema.measure import measured

LEAST = 3
"""How many distinct cases have to kill each."""


@dataclass
class Kills:
    """What kills a wrong implementation: units, and how many of them by the verdict alone.

    `whole` says whether it was asked all that concerns it, rather than until enough cases killed it.
    """

    units: list[Item] = field(default_factory=list)
    by_verdict: int = 0
    whole: bool = True

    @property
    def cases(self) -> list[str]:
        """The names of the distinct cases, in order."""
        return list(dict.fromkeys(item.case.name for item in self.units))

    def suffices(self, enough: int | None) -> bool:
        """Whether as many cases as are `enough` killed it; notes that it was not asked everything."""
        if enough is None or len(self.cases) < enough:
            return False
        self.whole = False
        return True


def score(
    cases: Sequence[Case], chosen: Iterable[str] = EVERY, *, enough: int | None = None, first: Iterable[str] = ()
) -> dict[str, Kills]:
    """What kills each of the chosen wrong implementations.

    With `enough`, each is asked until so many distinct cases killed it. The units (`rule/case [container]`) named in
    `first` are asked first, then the others in an order that does not depend on what is asked of them.
    """
    hello = Own().hello({})
    every = [EVERY[name] for name in chosen]
    kills = {wrong.name: Kills() for wrong in every}
    ahead = frozenset(first)
    for role, ask in (("validator", _validators), ("reader", _others), ("writer", _others)):
        of = [wrong for wrong in every if wrong.role == role]
        items = sorted(items_of(role, cases, hello) if of else (), key=lambda item: _turn(item, ahead))
        ask(of, items, kills, enough)
    return kills


def _turn(item: Item, ahead: frozenset[str]) -> tuple[bool, bytes]:
    return item.name not in ahead, hashlib.sha256(item.name.encode()).digest()


def _others(every: Sequence[Wrong], items: Sequence[Item], kills: Mapping[str, Kills], enough: int | None) -> None:
    """Readers and writers, who are asked the same of a case in every container."""
    containers: dict[str, list[Item]] = {}
    for item in items:
        containers.setdefault(item.case.name, []).append(item)
    for same in containers.values():
        left = [wrong for wrong in every if not kills[wrong.name].suffices(enough)]
        if not left:
            return
        case = same[0].case
        raw = case.nodes() if any(wrong.nodes is not None for wrong in left) else {}
        for wrong in left:
            if _loses(wrong, case, raw):
                kills[wrong.name].units += [
                    item for item in same if wrong.archive is None or item.container in _FOLDERS
                ]


_FOLDERS = ("zarr-v3", "zarr-v2")
"""The containers of which a fault can change the documents."""


def _loses(wrong: Wrong, case: Case, raw: Mapping[str, RawNode]) -> bool:
    """Whether what a wrong reader reads, or a wrong writer writes, is not what the case holds."""
    if wrong.written is not None:
        return wrong.written is (case.verdict == "invalid")
    if wrong.nodes is None or (wrong.role == "writer" and case.verdict == "invalid"):
        return False
    made = wrong.nodes(raw)
    if made.keys() != raw.keys():
        return True
    changed = [path for path, node in made.items() if node is not raw[path]]
    found = json.loads(json.dumps({path: contents_of(made[path]) for path in changed}))
    return difference({path: raw[path] for path in changed}, found, added=wrong.role == "writer") is not None


def _validators(every: Sequence[Wrong], items: Sequence[Item], kills: Mapping[str, Kills], enough: int | None) -> None:
    for item in items:
        left = [wrong for wrong in every if not kills[wrong.name].suffices(enough)]
        if not left:
            return
        for wrong, description in _described(item, left):
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


def _described(item: Item, every: Sequence[Wrong]) -> Iterator[tuple[Wrong, Description | None]]:
    """Each wrong implementation with what it judges; none whose fault is about something that the case is not about."""
    case = item.case
    by_facts = [wrong for wrong in every if wrong.facts is not None and case.values and case.level == "archive"]
    on_disk = [wrong for wrong in every if wrong.archive is not None]
    others = [wrong for wrong in every if wrong.facts is None and wrong.archive is None]
    if case.has_document:
        description = case.description(item.container)
        yield from ((wrong, description) for wrong in others)
        yield from _by_facts(by_facts, description, case.nodes() if by_facts else {}, case)
        return
    with tempfile.TemporaryDirectory(prefix="vizschema-score-", dir=scratch()) as folder:
        path = prepare("validator", item, Path(folder))
        found = _measured(path, case)
        yield from ((wrong, found) for wrong in others)
        if case.encoding is not None and found is not None and case.base != "spoiled":
            yield from _by_facts(by_facts, found, case.nodes() if by_facts else {}, case)
        if case.encoding is None and (case.made is None or _size(path) > _LARGE):
            return  # what a decoder takes for granted says nothing about other faults; some are sparse giants
        yield from _decoded(on_disk, path, Path(folder), case)


def _by_facts(
    every: Sequence[Wrong], description: Description, nodes: Mapping[str, RawNode], case: Case
) -> Iterator[tuple[Wrong, Description]]:
    for wrong in every:
        changed = remeasured(description, differing(wrong, nodes, case.loaded_profile.facts))
        if changed is not description:
            yield wrong, changed


_LARGE = 1 << 22
"""Bytes of the largest archive that is copied for each fault of decoding."""


def _size(path: Path) -> int:
    """The bytes of the files of an archive."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())


def _decoded(
    every: Sequence[Wrong], path: Path, folder: Path, case: Case
) -> Iterator[tuple[Wrong, Description | None]]:
    """Each fault that changes a copy of the archive, with what is measured of that."""
    for number, wrong in enumerate(every):
        copy = folder / f"copy-{number}" / path.name
        copy.parent.mkdir()
        if path.is_dir() and not path.is_symlink():
            try:
                shutil.copytree(path, copy, symlinks=True)
            except shutil.Error:  # a pipe or a device
                return
        elif path.suffix == ".npz" and path.is_file():
            shutil.copy(path, copy)
        else:
            return
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
    """The units (`rule/case [container]`) that are recorded to kill each, by its name; none before the first record."""
    path = FOLDER / spec / "killers.json"
    found: dict[str, list[str]] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def fails(own: Own, role: str, item: Item) -> bool:
    """Whether an implementation does not do what a unit expects, run as any other one is."""
    own.spec({"version": item.case.spec})
    with tempfile.TemporaryDirectory(prefix="vizschema-score-", dir=scratch()) as folder:
        try:
            return check(role, InProcess(own), item, prepare(role, item, Path(folder))) is not None
        except Trouble:
            return True


def survived(cases: Sequence[Case], chosen: Iterable[str], spec: str) -> Iterator[tuple[str, str]]:
    """Each wrong implementation with a unit that is recorded to kill it, and does not."""
    units = {item.name: item for case in cases for item in (Item(case, each) for each in case.containers)}
    known = recorded(spec)
    for name in chosen:
        for unit in known.get(name, [f"{name}: nothing recorded"]):
            if unit not in units or not fails(Implementation(EVERY[name]), EVERY[name].role, units[unit]):
                yield name, unit


def record(kills: Mapping[str, Kills], spec: str) -> None:
    """Write down units of three distinct cases that kill each, spread over those that do; others keep theirs."""
    chosen = {name: units for name, units in recorded(spec).items() if name in EVERY}
    for name, each in sorted(kills.items()):
        units = list({item.case.name: item.name for item in each.units}.values())
        chosen[name] = units[:: max(1, len(units) // LEAST)][:LEAST]
    text = json.dumps(dict(sorted(chosen.items())), indent=1)
    (FOLDER / spec / "killers.json").write_text(text + "\n", encoding="utf-8")


def table(kills: Mapping[str, Kills]) -> Iterator[str]:
    """The table in Markdown: role, fault, how many cases kill it, and whether one does by the verdict alone."""
    yield "| role | wrong implementation | name | cases | by verdict alone |"
    yield "|---|---|---|---|---|"
    for name, each in kills.items():
        wrong = EVERY[name]
        alone = "yes" if each.by_verdict else "no" if each.whole else "none of these"
        verdicts = alone if wrong.role == "validator" else ""
        count = f"{len(each.cases)}{'' if each.whole else ' or more'}"
        yield f"| {wrong.role} | {wrong.fault} | `{name}` | {count} | {verdicts} |"


BEGIN = "<!-- implementations: written by the command above -->"
END = "<!-- implementations: end -->"


def paged(text: str, kills: Mapping[str, Kills]) -> str:
    """`text` with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = "\n".join(table(kills))
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"
