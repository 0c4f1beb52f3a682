"""`migrate`: read a source by a mapping, write what conforms, prove it by undoing every operation, and record it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.canonical import canonical
from vizschema.errors import NotConforming, UsageError
from vizschema.findings import Report
from vizschema.migration.answers import Answers
from vizschema.migration.beside import Beside, added
from vizschema.migration.mapping import Dialect, chosen
from vizschema.migration.operations import digest
from vizschema.migration.plan import Plan
from vizschema.migration.refusal import Refused, Unanswered
from vizschema.migration.tree import Tree, opened
from vizschema.reader.archive import open as open_archive
from vizschema.writer.plan import Array
from vizschema.writer.write import write

RECORD = "/extra/migration"
"""Where the result says what it was made of."""

MEMORY = 4 << 30
"""Most bytes of all decoded arrays of a source, which are in memory together."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` did.

    Attributes:
        mapping: The name of the mapping.
        report: The report on the result, values read; None after a dry run.
        profile: The profile that the result declares; empty after a dry run.
        refused: The reports of the profiles that were tried before it.
        proved: How many arrays of the source were read back from the result, undone, and found equal.
        losses: What was left out: `what` and `why`.
        answers: The answers by key: `value`, and `by`: given, measured, default.
        lines: What happens to each node and attribute, in words.
    """

    mapping: str
    report: Report | None
    profile: str
    refused: tuple[Report, ...]
    proved: int
    losses: tuple[Mapping[str, str], ...]
    answers: Mapping[str, Mapping[str, Any]]
    lines: tuple[str, ...]


def migrate(
    source: str,
    target: str,
    *,
    mapping: str | None = None,
    answers: Mapping[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
    container: str | None = None,
    dry_run: bool = False,
    memory: int = MEMORY,
) -> Migrated:
    """Write the source at `target` as an archive of the specification, and prove that its values are there.

    Parameters:
        source: An archive of any container, or a folder of archives and files; opened to be read only.
        target: Where to write; nothing may be there.
        mapping: The name of an installed mapping, or a file (None: the one that recognises the source).
        answers: What the source does not say, by the key that the mapping asks for, or by `key:/group`.
        beside: Arrays that the source never had: the path, with axes in brackets where the profile names none, and
            the file, as `--with` takes them.
        container: The container of the result (None: by the suffix of `target`).
        dry_run: Plan only, and write nothing.
        memory: Most bytes of all decoded arrays of the source together.

    Raises:
        Refused: Something in the source is neither mapped nor lost with a reason, or the proof failed.
        Unanswered: Questions are open.
        NotConforming: The result would not conform.
        NotAnArchive: The source cannot be read.
        UsageError: The target exists, or an answer is none.
        SpecError: The mapping is malformed.
    """
    _require_free(Path(source), Path(target))
    with opened(source) as tree:
        _require_new(tree)
        _require_size(tree, memory)
        dialect = chosen(mapping, tree)
        if "refuse" in dialect.document:
            raise Refused([f"{dialect.name}: {dialect.document['refuse']}"])
        plan = Plan(dialect, tree, Answers(dialect.asks, answers or {}))
        created = plan.answers.created()
        if created is not None:
            plan.attributes.setdefault("/", {})["created_at"] = created
        extra = added(beside or {})
        if plan.problems:
            raise Refused(plan.problems)
        if plan.answers.questions:
            raise Unanswered(list(plan.answers.questions.values()))
        refused: list[Report] = []
        report, profile, proved = None, "", 0
        if not dry_run:
            attributes = {**plan.attributes, RECORD: record(plan, dialect, tree, extra)}
            with _beside(Path(target)) as temporary:
                report, profile = _written(temporary, plan, attributes, extra, dialect, container, refused)
                proved = prove(temporary, plan)
        losses = tuple(plan.losses)
        return Migrated(
            dialect.name, report, profile, tuple(refused), proved, losses, plan.answers.used, tuple(plan.lines)
        )


def record(plan: Plan, dialect: Dialect, tree: Tree, extra: Mapping[str, Beside]) -> dict[str, Any]:
    """The attributes of `/extra/migration`: where everything is from. Times and paths of a machine are not in it."""
    nodes = {
        path: {
            "kind": item.kind,
            "dtype": item.dtype,
            "shape": list(item.shape),
            "attributes": dict(item.attributes),
            "sha256": plan.digests.get(path),
        }
        for path, item in tree.items()
    }
    arrays = {
        place: {"from": planned.source, "sha256": planned.sha256, "do": list(planned.steps)}
        for place, planned in plan.arrays.items()
    }
    found = {
        "mapping": dialect.name,
        "mapping_version": dialect.document["version"],
        "mapping_sha256": dialect.sha256,
        "source_sha256": hashlib.sha256(canonical(nodes)).hexdigest(),
        "answers": plan.answers.used,
        "arrays": arrays,
        "losses": plan.losses,
        "added": {place: {"sha256": each.sha256, "file": each.name} for place, each in extra.items()},
    }
    return {name: value for name, value in found.items() if value or name in ("losses", "answers")}


def prove(path: Path, plan: Plan) -> int:
    """How many arrays of the result, undone, are the source's by their SHA-256; raises `Refused` where one is not."""
    with open_archive(path) as archive:
        for place, planned in plan.arrays.items():
            if digest(planned.done.undone(np.asarray(archive[place]))) != planned.sha256:
                raise Refused([f"{place}: read back and undone, it is not {planned.source}"])
    return len(plan.arrays)


def _written(
    path: Path,
    plan: Plan,
    attributes: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, Beside],
    dialect: Dialect,
    container: str | None,
    refused: list[Report],
) -> tuple[Report, str]:
    """The report on what was written, and the first profile that it conforms to; `refused` gets those before."""
    arrays = {
        place: Array(planned.done.values, planned.axes, planned.attributes) for place, planned in plan.arrays.items()
    }
    for place, each in extra.items():
        if place in arrays:
            raise UsageError(path=f"--with {place}", expected="an array that the source does not have", found=place)
        arrays[place] = Array(each.values, each.axes)
    for profile in dialect.document.get("profiles", ["trace"]):
        try:
            spec = dialect.document["target"]
            return write(
                path, arrays, attributes, profile=profile, container=container, spec=spec, values=True
            ), profile
        except NotConforming as error:
            refused.append(error.report)
            last = error
    raise last


def _require_free(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise UsageError("exists already; choose another name, or remove it yourself", path=target)
    if not target.parent.is_dir():
        raise UsageError(path=target, expected="a folder to write in", found=f"no {target.parent}", fix="make it first")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise UsageError(path=target, expected="a target outside the source", found=f"one within {source}")


def _require_new(tree: Tree) -> None:
    if RECORD in tree:
        raise Refused([f"{RECORD}: it is the result of a migration already; validate it"])
    root = tree.get("/")
    if root is not None and "spec_version" in root.attributes and "profile" in root.attributes:
        raise Refused(["/: it declares spec_version and profile, and needs no migration; validate it"])


def _require_size(tree: Tree, memory: int) -> None:
    size = sum(item.size for item in tree.values())
    if size > memory:
        raise Refused([f"its arrays have {size} bytes, more than the limit of {memory}; raise --memory"])


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to, which becomes `target` at the end of the block; removed after any fault."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield folder / target.name
        if os.path.lexists(target):
            raise UsageError("was made by someone else in the meantime", path=target)
        (folder / target.name).rename(target)
    finally:
        shutil.rmtree(folder)
