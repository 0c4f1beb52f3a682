"""`migrate`: read a source by a mapping, write what conforms, prove it by undoing every operation, and record it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vizschema.errors import NotConforming, Refused, Unanswered, UsageError
from vizschema.findings import Report
from vizschema.migration.answers import Answers
from vizschema.migration.linking.source import LinkedSource
from vizschema.migration.linking.write import links_of, prove_linked, require_linkable, write_linked
from vizschema.migration.mapping import chosen
from vizschema.migration.plan import Plan
from vizschema.migration.proof import RECORD, prove, record
from vizschema.migration.result import Migrated
from vizschema.sources.beside import Beside, added
from vizschema.sources.item import Tree
from vizschema.sources.views import require_within
from vizschema.worker.source import opened
from vizschema.writer.axes import axes_of
from vizschema.writer.plan import Array
from vizschema.writer.target import replacing, require_absent
from vizschema.writer.write import write

MEMORY = 4 << 30
"""Most bytes of an array that can only be read as a whole."""


def migrate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    mapping: str | None = None,
    answers: Mapping[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
    container: str | None = None,
    dry_run: bool = False,
    memory: int = MEMORY,
    isolated: bool = False,
    link: bool = False,
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
        dry_run: Plan only, and write nothing; problems and questions are in what is returned, and not raised.
        memory: Most bytes of an array of the source that can only be read as a whole; others are read by regions.
        isolated: Read the source in a sandboxed process, for untrusted sources.
        link: Make hard links to the chunks of a Zarr folder where no value changes, and do not read these.

    Raises:
        Refused: Something in the source is neither mapped nor lost with a reason, or the proof failed.
        Unanswered: Questions are open.
        NotConforming: The result would not conform.
        NotAnArchive: The source cannot be read.
        UsageError: The target exists, or an answer is none.
        SpecError: The mapping is malformed.

    Examples:
        >>> pair = np.random.default_rng(0).normal(size=(4, 4, 8))
        >>> np.savez("old.npz", act_0_single=pair[0], act_0_pair=pair)
        >>> who = {"model_name": "net", "model_version": "1"}
        >>> done = vizschema.migrate("old.npz", "new.zarr", mapping="benchmark-candidates-flat", answers=who)
        >>> done.profile, done.proved, done.report.verdict
        ('trace', 2, 'conforms')
    """
    require_absent(Path(target))
    _require_apart(Path(source), Path(target))
    source = os.fspath(source)
    if link:
        require_linkable(Path(target), container)
    read = partial(opened, isolated=isolated, memory=memory)
    with read(source) as tree, LinkedSource(source) if link else nullcontext() as folder:
        require_fit(tree, sys.maxsize if link else memory)
        dialect = chosen(mapping, tree)
        if "refuse" in dialect.document:
            raise Refused([f"{dialect.name}: {dialect.document['refuse']}"])
        while True:
            plan = Plan(dialect, tree, Answers(dialect.asks, answers or {}), folder.link if folder else None)
            created = plan.answers.created()
            if created is not None:
                plan.attributes.setdefault("/", {})["created_at"] = created
            extra = added(beside or {}, read)
            losses, lines = tuple(plan.losses), tuple(plan.lines)
            questions = tuple(plan.answers.questions.values())
            if dry_run:
                used, problems = plan.answers.used, tuple(plan.problems)
                return Migrated(dialect.name, None, "", (), 0, losses, used, lines, 0, problems, questions)
            if plan.problems:
                raise Refused(plan.problems)
            if questions:
                raise Unanswered(questions)
            attributes = {**plan.attributes, RECORD: record(plan, dialect, tree, extra)}
            try:
                with replacing(Path(target), overwrite=False) as temporary:
                    spec, profiles = dialect.document["target"], dialect.document.get("profiles", ["trace"])
                    writing = _writing(temporary, plan, attributes, extra, spec, profiles, container, folder)
                    report, profile, refused = _written(writing, profiles)
                    proved = prove(temporary, plan)
                    linked = prove_linked(temporary, folder, links_of(plan)) if folder else 0
            except NotConforming as error:
                if folder is None or not folder.copy(links_of(plan), error.report):
                    raise NotConforming(error.reason, replace(error.report, archive=str(target)), path=target) from None
            else:
                used = plan.answers.used
                return Migrated(dialect.name, report, profile, refused, proved, losses, used, lines, linked)


def _writing(
    path: Path,
    plan: Plan,
    attributes: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, Beside],
    spec: str,
    profiles: Sequence[str],
    container: str | None,
    folder: LinkedSource | None,
) -> Callable[[str], Report]:
    """What writes the result by a profile; arrays beside have the axes of the first profile that names some."""
    read = {place: each for place, each in plan.arrays.items() if each.link is None}
    arrays = {place: Array(each.done.values, each.axes, each.attributes) for place, each in read.items()}
    for place, each in extra.items():
        if place in plan.arrays:
            raise UsageError(path=f"--with {place}", expected="an array that the source does not have", found=place)
        arrays[place] = Array(each.values, each.axes or axes_of(place, each.values.ndim, spec, profiles))
    if folder is not None:
        return partial(write_linked, path, folder, links_of(plan), arrays, attributes, spec)
    return lambda profile: write(path, arrays, attributes, profile=profile, container=container, spec=spec)


def _written(writing: Callable[[str], Report], profiles: Sequence[str]) -> tuple[Report, str, tuple[Report, ...]]:
    """The report on what was written, the first profile that it conforms to, and the reports of those before."""
    refused: list[Report] = []
    for profile in profiles:
        try:
            return writing(profile), profile, tuple(refused)
        except NotConforming as error:
            refused.append(error.report)
            last = error
    raise last


def _require_apart(source: Path, target: Path) -> None:
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise UsageError(path=target, expected="a target outside the source", found=f"one within {source}")


def require_fit(tree: Tree, memory: int) -> None:
    """Raise `Refused` for a source that needs no migration, or is too large."""
    root = tree.get("/")
    if RECORD in tree:
        raise Refused([f"{RECORD}: it is the result of a migration already; validate it"])
    if root is not None and root.attributes.keys() >= {"spec_version", "profile"}:
        raise Refused(["/: it declares spec_version and profile, and needs no migration; validate it"])
    require_within(tree, memory)
