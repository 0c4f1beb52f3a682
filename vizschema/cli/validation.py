"""One run of `vizschema validate`: configuration, archives, what the project accepts, reports, exit code."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vizschema.errors import UsageError, writes
from vizschema.findings import INTERRUPTED
from vizschema.fleet.places import holder
from vizschema.project.choice import Choice, Settings, settings_of
from vizschema.report import FORMATS
from vizschema.report.options import WIDTH, Options, exit_code, overall_exit_code
from vizschema.text import local_path

if TYPE_CHECKING:
    from vizschema.bounds import Reading
    from vizschema.cli.progress import Bars
    from vizschema.findings import Details, Report
    from vizschema.project.acceptance import Acceptance

Judge = Callable[["Order", str | None, str | None, str, "Reading"], "Report"]
"""From a call, a version and a profile (None: what the archive declares), a path, and how it is read, to the report.

A function of a module: a cluster gets it by its name.
"""

Paused = Callable[[], AbstractContextManager[None]]
"""A block in which lines are printed, and no progress is shown."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a call asks for. `files` are further reports, each a format and a file to write it to.

    With `enclosing`, a path within a Zarr folder stands for the archive that contains it. Without `values`, only the
    structure is judged; with them the `digest` is reported, which should be `expect_digest`.
    """

    paths: Sequence[str]
    choice: Choice
    form: str
    options: Options
    baseline: str | None = None
    write_baseline: str | None = None
    files: Sequence[tuple[str, str]] = ()
    enclosing: bool = False
    values: bool = True
    digest: bool = False
    expect_digest: str | None = None


def run(order: Order, judge: Judge, details: Callable[[Report], Details], reading: Reading, shown: Bars) -> int:
    """The exit code after every archive was judged and reported; raises `UsageError` and `SpecError`."""
    from vizschema.fleet.many import judged_in_order

    settings = settings_of(order.choice, Path.cwd())
    acceptance = _acceptance(order, settings)
    options = replace(order.options, configuration=settings.configuration.name, details=details)

    one = partial(judge, order, settings.spec, settings.profile)
    reports = judged_in_order(_archives(order), one, reading, shown.of)
    judged: Iterable[Report] = map(settings.named, _until_interrupted(reports))
    if order.write_baseline is not None:
        judged, acceptance = _rebased(list(judged), order.write_baseline, acceptance, settings)
    if acceptance is not None:
        options = replace(options, audit=acceptance.audit)
        judged = map(acceptance.apply, judged)
    return _reported(order, options, judged, shown.paused)


def _until_interrupted(reports: Iterable[Report]) -> Iterator[Report]:
    """The reports up to the first that was interrupted."""
    for report in reports:
        yield report
        if report.exit_code == INTERRUPTED:
            return


def _reported(order: Order, options: Options, judged: Iterable[Report], paused: Paused) -> int:
    codes: list[int] = []
    seen: list[Report] = []
    summary = os.environ.get("GITHUB_STEP_SUMMARY") if order.form == "github" else None

    def counted() -> Iterator[Report]:
        for report in judged:
            codes.append(exit_code(report, options))
            if order.files or summary:
                seen.append(report)
            yield report

    for line in FORMATS[order.form](counted(), options):
        with paused():
            print(line, flush=True)
    for form, file in order.files:
        _write(form, file, seen, options)
    if summary:
        _summarise(summary, seen, options)
    return overall_exit_code(codes, options)


def _summarise(file: str, reports: Sequence[Report], options: Options) -> None:
    """Add to the summary of a job of GitHub Actions, which several steps may write to."""
    from vizschema.report.github import summary

    with writes(file), Path(file).open("a", encoding="utf-8", newline="\n") as opened:
        opened.writelines(f"{line}\n" for line in summary(reports, options))


def _write(form: str, file: str, reports: Sequence[Report], options: Options) -> None:
    whole = replace(options, colour=False, quiet=False, width=WIDTH)
    text = "".join(f"{line}\n" for line in FORMATS[form](reports, whole))
    with writes(file):
        Path(file).write_text(text, encoding="utf-8", newline="\n")


def _acceptance(order: Order, settings: Settings) -> Acceptance | None:
    """What the project accepts; None, and nothing imported, where it says nothing."""
    configuration = settings.configuration
    if not (configuration.levels or configuration.suppressions or order.baseline or order.write_baseline):
        return None
    from vizschema.project.acceptance import Acceptance, require_levels, require_suppressions
    from vizschema.project.baseline import load
    from vizschema.rules import versions

    version = versions.version_for(settings.spec, settings.profile)
    require_levels(configuration, version, settings.profile)
    require_suppressions(configuration, settings.profile)
    baseline = None if order.baseline is None else load(Path(order.baseline))
    return Acceptance(configuration, _today(), baseline)


def _rebased(
    reports: list[Report], file: str, acceptance: Acceptance | None, settings: Settings
) -> tuple[Iterable[Report], Acceptance | None]:
    """The reports, and what is accepted with the baseline that they make, which is in `file` now."""
    from vizschema.project.acceptance import Acceptance
    from vizschema.project.baseline import load, write

    path = Path(file)
    write(path, (report if acceptance is None else acceptance.apply(report) for report in reports))
    return reports, Acceptance(settings.configuration, _today(), load(path))


def _today() -> datetime.date:
    """The day in UTC, so that a suppression ends everywhere at once."""
    return datetime.datetime.now(datetime.UTC).date()


def _archives(order: Order) -> Iterator[str]:
    """The archives to judge, as they are named, or those that hold what is named, each once."""
    if not order.enclosing:
        yield from _paths(order.paths)
        return
    yield from dict.fromkeys(holder(path) or path for path in _paths(order.paths))


def _paths(paths: Sequence[str]) -> Iterator[str]:
    """`paths`, with those on standard input, one a line, in place of `-`; raises `UsageError` where there is none."""
    named = False
    for path in paths:
        for name in [path] if path != "-" else filter(None, map(_line, sys.stdin.buffer)):
            named = True
            yield local_path(name)
    if not named:
        raise UsageError(expected="paths of archives on standard input, one per line", found="none")


def _line(line: bytes) -> str:
    return os.fsdecode(line.rstrip(b"\r\n"))
