"""`fix`: measure, plan, write a copy, measure that, and only then put it in the place of the archive."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vizschema.bounds import MEMORY, Begin, Bounds, Reading
from vizschema.canonical import canonical
from vizschema.containers.formats import FORMATS, WRITTEN
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.description import Description
from vizschema.digests import ENTRY
from vizschema.errors import Interrupted, NotAnArchive, UsageError, VizschemaError
from vizschema.findings import Finding, Report
from vizschema.measure import Measured, closed_in, measured
from vizschema.rules.fixes.draft import Change, Draft
from vizschema.rules.fixes.plan import FIXES, Plan, again, is_worse, marked, plan
from vizschema.rules.fixes.table import table
from vizschema.rules.verdict import Chosen, choose, report_of
from vizschema.rules.versions import Profile, version_for
from vizschema.scan.facts import HASH
from vizschema.text import archive_name, local_path, masked, scheme_of
from vizschema.writer.fixing.files import Files, files_of, store
from vizschema.writer.fixing.record import add_record
from vizschema.writer.fixing.staging import staged
from vizschema.writer.fixing.values import planned, small_values
from vizschema.writer.fixing.zarr import Writing
from vizschema.writer.fixing.zips import equal_members, has_duplicates, pack, top_of, unpack
from vizschema.writer.forms import FORMS
from vizschema.writer.forms.base import Form
from vizschema.writer.target import Work, exchange, reserved

_ROUNDS = 3
"""How often files are fixed, since what can be read after one fix may need another."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The result of `fix`.

    Attributes:
        archive: The path of the archive.
        target: Where the fixed archive is, or None where nothing was written.
        changes: What was changed, or would be.
        before: The report on the archive as it was.
        after: The report on the fixed archive; where nothing was written, on what it would be.
        left: Pairs of a finding of `after` and why it is left.
        arrays: The number of arrays of which the values were compared before and after.

    Examples:
        >>> fixed = vizschema.fix("unfixed.zarr")
        >>> len(fixed.before.errors), len(fixed.after.errors), fixed.target
        (1, 0, None)
    """

    archive: str
    target: str | None
    changes: tuple[Change, ...]
    before: Report
    after: Report
    left: tuple[tuple[Finding, str], ...]
    arrays: int = 0

    @property
    def exit_code(self) -> int:
        """0 where the fixed archive conforms, else 1."""
        return 0 if self.after.conforms else 1


def fix(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    in_place: bool = False,
    spec: str | None = None,
    profile: str | None = None,
    jobs: int | None = None,
    memory: int = MEMORY,
    progress: Begin | None = None,
    isolated: bool = False,
    bounds: Bounds | None = None,
) -> Fixed:
    """Fix what can be fixed without a loss, in a copy or in place; without either, say what would be.

    The archive is replaced only once the fixed one was read again: the hash of the values of every array is the same,
    and no rule is broken in more places.

    Parameters:
        path: A file or a folder.
        target: Where to write the fixed archive, in the same container; nothing may be there.
        in_place: Replace the archive.
        spec: A released version (None: the one that the archive declares, else the first that has its profile).
        profile: A profile (None: the one that the archive declares, else `trace`).
        jobs: Threads that read values (None: one per CPU that this process may use).
        memory: Maximum bytes of decoded values in memory.
        progress: Called with the number of bytes to read; returns a function that is called with every number of
            bytes that was read.
        isolated: Read the archive in a sandboxed process, for untrusted archives.
        bounds: Limits on that process (None: the defaults, with `memory`).

    Returns:
        What was changed, the reports before and after, and what is left.

    Raises:
        NotAnArchive: The archive cannot be read.
        UsageError: The target exists, or an argument does not fit.

    Examples:
        >>> vizschema.fix("unfixed.zarr", "fixed.zarr").after.verdict
        'conforms'
    """
    reading = Reading(jobs, bounds or Bounds(memory=memory), isolated, progress=progress)
    return fix_by(path, target, reading, spec, profile, in_place=in_place)


def fix_by(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    reading: Reading,
    spec: str | None = None,
    profile: str | None = None,
    *,
    in_place: bool = False,
) -> Fixed:
    """As `fix`, of an archive that is read by `reading`."""
    place = local_path(os.fspath(path))
    if scheme_of(place) is not None:
        raise UsageError("cannot fix an archive at a URL; download it", path=masked(place))
    source = Path(place)
    if not os.path.lexists(source):
        raise NotAnArchive("no such file or folder", path=archive_name(os.fspath(path)))
    destination = _destination(source, target, in_place=in_place)
    asked = None if profile is None else version_for(spec, profile).profile(profile)
    with ExitStack() as stack:
        if destination is None:
            work, folder = None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vizschema-")))
        else:
            work = stack.enter_context(reserved(destination, overwrite=in_place, whole=in_place))
            folder = work.stage
            folder.mkdir()
        job = _Job(source, reading, spec, asked, folder, link=in_place)
        return job.run(stack, work)


def _destination(source: Path, target: str | os.PathLike[str] | None, *, in_place: bool) -> Path | None:
    """Where the fixed archive goes, None for nowhere; raises `UsageError`."""
    shown = archive_name(os.fspath(source))
    if in_place and target is not None:
        raise UsageError(path=shown, expected="a target or --in-place", found="both")
    if in_place:
        if source.is_symlink():
            raise UsageError("is a symbolic link; pass the archive that it leads to", path=shown)
        return source
    if target is None:
        return None
    place = Path(target)
    if os.path.lexists(place) and place.resolve() != source.resolve():
        raise UsageError("exists already; choose another name, or remove it yourself", path=place)
    if place.resolve().is_relative_to(source.resolve()):
        fix = "pass --in-place to replace the archive"
        raise UsageError(path=place, expected="a target outside the archive", found="one within it", fix=fix)
    return place


@dataclass(frozen=True, slots=True)
class _Stored:
    """The files of a Zarr archive; in a zip file, below the folder `top` and with the files `beside` it.

    `copies` are the folders of which the consolidated copy is to be made again.
    """

    files: Files
    top: str = ""
    beside: Files = field(default_factory=dict)
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """An archive as it was measured: open, its description with facts and hashes, and what it is judged by."""

    archive: Measured
    description: Description
    chosen: Chosen
    report: Report

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of the values of each array that has one."""
        nodes = self.description["nodes"].items()
        return {path: node["facts"][HASH] for path, node in nodes if node.get("facts", {}).get(HASH)}


class _Job:
    """One archive that is being fixed; what is unpacked goes to `folder`."""

    def __init__(
        self, source: Path, reading: Reading, spec: str | None, profile: Profile | None, folder: Path, *, link: bool
    ) -> None:
        self._source = source
        self._reading = reading
        self._asked = spec, profile
        self._folder = folder
        self._link = link

    def run(self, stack: ExitStack, work: Work | None) -> Fixed:
        """Fix the archive, or say what would be fixed where there is no `work`."""
        first = self._read(stack, self._source)
        self._container = first.description["container"]
        now, source, changes = self._unique(stack, first)
        stored, blocked, structure = None, None, False
        if now.description["container"].get("readings"):
            blocked = "readers of the container disagree about it: which reading is right is unknown"
        elif now.description["container"]["format"] == "zarr":
            try:
                stored = self._stored(source, whole=work is not None)
            except UsageError as error:
                blocked = error.reason
        if stored is not None:
            now, stored, structure = self._staged(stack, now, stored, changes, whole=work is not None)
        without = frozenset(FIXES) if blocked else frozenset[str]()
        values = small_values(now.archive, now.description)
        while True:
            closed = closed_in(now.description)
            planning = plan(now.description, again(now.chosen), closed, values, structure=structure, without=without)
            planning.blocked = blocked or planning.blocked
            made = [*changes, *planning.changes]
            if work is None or not made:
                return self._result(first, planning, made)
            add_record(planning.draft, made, f"vizschema {version('vizschema')}")
            self._write(work, now, planning.draft, stored)
            bad = self._worse(stack, work, now, planning)
            if not bad:
                return self._replace(work, first, now, planning, made)
            without |= bad
            _remove(work.made)

    def _unique(self, stack: ExitStack, first: _Read) -> tuple[_Read, Path, list[Change]]:
        """The archive without equal members of a zip file, where it is, and that change."""
        container, source = first.description["container"], self._source
        zipped = source.is_file() and (container["format"] == "npz" or container["store"] == "zip")
        if not zipped or not has_duplicates(source):
            return first, source, []
        copy = self._folder / f"unique{source.suffix}"
        changes = equal_members(source, copy)
        return (self._read(stack, copy), copy, changes) if changes else (first, source, [])

    def _staged(
        self, stack: ExitStack, now: _Read, stored: _Stored, changes: list[Change], *, whole: bool
    ) -> tuple[_Read, _Stored, bool]:
        """The archive after fixes of its files, which are added to `changes`; whether facts of it are lacking.

        With `whole`, the files are written and measured again; else what their documents say is described.
        """
        for number in range(_ROUNDS):
            found = staged(stored.files, now.description, self._reading)
            if not found.changes:
                break
            changes += found.changes
            stored = replace(stored, files=found.files, copies=(*stored.copies, *found.copies))
            if not whole:
                return self._as_staged(now, found.description), stored, found.structure
            folder = self._folder / f"staged_{number}.zarr"
            store(stored.files, folder, link=self._link, own=self._folder)
            stored = replace(stored, files=files_of(folder))
            now = self._read(stack, folder)
        return now, stored, False

    def _read(self, stack: ExitStack, path: Path) -> _Read:
        archive = stack.enter_context(measured(path, self._reading))
        chosen = choose(archive.description, *self._asked)
        description = archive.with_values((*chosen.profile.facts, ENTRY))
        if description["values"] == "partial":
            raise Interrupted("interrupted: nothing was written", path=path)
        if description["values"] != "read":
            raise NotAnArchive(f"its values cannot be read: {'; '.join(archive.notes)}", path=self._source)
        report = report_of(description, archive_name(os.fspath(self._source)), chosen)
        report = replace(report, notes=(*report.notes, *archive.notes))
        return _Read(archive, description, chosen, report)

    def _stored(self, source: Path, *, whole: bool) -> _Stored:
        """The files of a Zarr archive; of one in a zip file, `whole` with those of chunks."""
        if source.is_dir():
            return _Stored(files_of(source))
        folder = self._folder / "unpacked"
        unpack(source, folder, lambda name: whole or name.rpartition("/")[2] in DOCUMENTS)
        files = files_of(folder)
        top = top_of(files)
        inner = {name.removeprefix(top): content for name, content in files.items() if name.startswith(top)}
        return _Stored(inner, top, {name: content for name, content in files.items() if not name.startswith(top)})

    def _as_staged(self, now: _Read, description: Description) -> _Read:
        """The archive as its documents would describe it."""
        chosen = choose(description, *self._asked)
        return _Read(now.archive, description, chosen, report_of(description, now.report.archive, chosen))

    def _write(self, work: Work, now: _Read, draft: Draft, stored: _Stored | None) -> None:
        """Write the draft to where it is made."""
        form = self._form(work.target)
        if stored is None:
            _write_whole(work.made, now, draft, form)
        else:
            zipped = self._source.is_file()
            scratch = Path(tempfile.mkdtemp(dir=self._folder))
            packed = scratch / "written"
            folder = packed / stored.top if zipped else work.made
            folder.parent.mkdir(parents=True, exist_ok=True)
            writing = Writing(stored.files, now.description, draft, stored.copies, self._link, self._folder, scratch)
            writing.to(folder, lambda path: planned(now.archive, now.description, draft, path, form))
            if zipped:
                store(stored.beside, packed, link=False, own=self._folder)
                pack(packed, work.made)
        if self._link and self._source.is_file():
            shutil.copymode(self._source, work.made)

    def _form(self, target: Path) -> Form:
        """The form of the container that the archive is in; raises `UsageError` for a target of another one."""
        container = self._container
        format_ = next(each for each in FORMATS if (each.name, each.store) == (container["format"], container["store"]))
        suffixes = (*format_.suffixes, *format_.other_suffixes)
        others = {each for each in WRITTEN if each not in suffixes} - {self._source.suffix.lower()}
        if target.suffix.lower() in others:
            fix = "convert the fixed archive with `vizschema convert`"
            raise UsageError(path=target, expected=f"a target like *{suffixes[0]}", found=target.suffix, fix=fix)
        names = list(format_.writers)
        return FORMS[next((name for name in names if f"v{container['version']}" in name), names[0])]

    def _worse(self, stack: ExitStack, work: Work, now: _Read, planning: Plan) -> frozenset[str]:
        """The fixes after which the archive that was made is worse than before; none where it is not."""
        self._made = self._read(stack, work.made)
        before, after = now.report.findings, self._made.report.findings
        if not is_worse(before, after):
            return frozenset()
        known = {(finding.rule, finding.path) for finding in before}
        places = {finding.path for finding in after if (finding.rule, finding.path) not in known}
        origins = {planning.draft.origin.get(place, place) for place in places}
        near = frozenset(change.fix for change in planning.changes if change.path in origins)
        return near or frozenset(change.fix for change in planning.changes)

    def _replace(self, work: Work, first: _Read, now: _Read, planning: Plan, changes: list[Change]) -> Fixed:
        """Prove what was made, and put it at the target."""
        made = self._made
        arrays = _prove(first, now, made, planning.draft)
        exchange(work, work.made)
        after = replace(made.report, archive=archive_name(os.fspath(work.target)))
        return Fixed(
            first.report.archive,
            os.fspath(work.target),
            tuple(changes),
            self._marked(first),
            after,
            _left(after, None),
            arrays,
        )

    def _result(self, first: _Read, planning: Plan, changes: list[Change]) -> Fixed:
        """What is said where nothing is written."""
        description = planning.draft.description(structure=planning.structure)
        after = report_of(description, first.report.archive, planning.choose(description)) if changes else first.report
        return Fixed(
            first.report.archive, None, tuple(changes), self._marked(first), after, _left(after, planning.blocked)
        )

    @staticmethod
    def _marked(first: _Read) -> Report:
        return marked(first.report, first.description, first.chosen, closed_in(first.description))


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _left(report: Report, blocked: str | None) -> tuple[tuple[Finding, str], ...]:
    entries = table()
    return tuple(
        (finding, blocked if blocked and entries.of(finding.rule) else entries.why_left(finding.rule))
        for finding in report.findings
    )


def _write_whole(target: Path, now: _Read, draft: Draft, form: Form) -> None:
    """Write every node of a draft, in a container that is one file."""
    nodes = dict(sorted(draft.nodes.items()))  # a group before what is in it
    groups = {path: node["attributes"] for path, node in nodes.items() if node["kind"] == "group"}
    paths = [path for path, node in nodes.items() if node["kind"] == "array"]
    arrays = {path: planned(now.archive, now.description, draft, path, form) for path in paths}
    with closing(form.begin(target)) as writer:
        writer.outline(groups, arrays)
        for path in groups:
            writer.group(path, groups[path])
        for path in arrays:
            writer.array(path, arrays[path])
        writer.finish()


def _prove(first: _Read, now: _Read, made: _Read, draft: Draft) -> int:
    """How many arrays have the values that they had, which are all; raises `VizschemaError` where one has others."""
    hashes, found = {**now.hashes, **first.hashes}, made.hashes
    nodes = made.description["nodes"]
    compared = 0
    for path, origin in draft.origin.items():
        if draft.nodes[path]["kind"] != "array":
            continue
        if path not in nodes or found.get(path) != hashes.get(origin):
            raise VizschemaError(
                f"not fixed: the values of {origin} would differ; please report it", path=first.report.archive
            )
        compared += path in found
    for path, node in draft.nodes.items():
        if node["kind"] in ("group", "array") and _attributes(node) != _attributes(nodes.get(path, {})):
            raise VizschemaError(
                f"not fixed: the attributes of {path} would differ; please report it", path=first.report.archive
            )
    return compared


def _attributes(node: Any) -> Any:
    return canonical(node["attributes"]) if "attributes" in node else None
