"""The suite as pytest runs it: an item for each case in each container; one implementation for all of them.

Loaded by `plugin`, when it is asked for.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vizschema import validate
from vizschema.conformance.corpus.identity import identity, short
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.harness.outcomes import Known, excuse, known_failures
from vizschema.conformance.harness.protocol import Process
from vizschema.conformance.harness.roles import Item, items_of, prepare
from vizschema.conformance.harness.runner import NotReady, Order, chosen, greeted, outcome_of
from vizschema.conformance.harness.share import share
from vizschema.conformance.harness.subjects import OneShot, Subject, entry_point
from vizschema.conformance.plugin import CORPUS, ENTRY
from vizschema.errors import UsageError, VizschemaError
from vizschema.findings import Report
from vizschema.report import text
from vizschema.report.options import Options


class Unexpected(Exception):
    """The implementation did not do what the case expects; the message says what it did."""


class Suite(pytest.File):
    """Every case that concerns the implementation, in its role."""

    def collect(self) -> Iterator[pytest.Item]:
        """The cases, once the implementation has greeted."""
        given = self.config.getoption
        known = known_failures(Path(given("vz_known")) if given("vz_known") else None)
        part = share(given("vz_sample"), given("vz_shard"))
        order = Order(given("vz_role"), given("vz_spec"), known=known, only=tuple(given("vz_only")), share=part)
        folder = Path(self._held(tempfile.TemporaryDirectory(prefix="vizschema-suite-", dir=scratch())))
        subject = self._subject()
        self.config.add_cleanup(subject.stop)
        concerned = items_of(order.role, chosen(order), greeted(subject, order, folder))
        items = [item for item in concerned if part.has(item.name)]
        if not items:
            raise NotReady("no case at all: none concerns the implementation, by what it says it can do")
        covered = {entry: sum(_covers(entry, item) for item in items) for entry in known}
        for entry, count in covered.items():
            if not count and not order.part:
                raise UsageError(f"{entry.rule} {entry.container} is listed as known, and explains no case")
        for item in items:
            yield CaseItem.from_parent(
                self, name=f"{item.case.name}/{item.container}", item=item, suite=(subject, order, folder, covered)
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The reason alone, where it is not a fault of ours."""
        if isinstance(excinfo.value, NotReady | VizschemaError):
            return f"vizschema.conformance: {excinfo.value}"
        return super().repr_failure(excinfo)

    def _subject(self) -> Subject:
        given = self.config.getoption
        command, python, timeout = given("vz_command"), given("vz_python"), given("vz_timeout")
        if command and python:
            raise UsageError("expected either --vz-command or --vz-python, found both")
        if python:
            return entry_point(python)
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--vz-command: cannot be split into words: {error}; found {command!r}") from None
        return OneShot(words, timeout) if given("vz_one_shot") else Process(words, timeout)

    def _held(self, folder: tempfile.TemporaryDirectory[str]) -> str:
        self.config.add_cleanup(folder.cleanup)
        return folder.name


class CaseItem(pytest.Item):
    """One case in one container."""

    def __init__(self, *, item: Item, suite: tuple[Subject, Order, Path, dict[Known, int]], **more: Any) -> None:
        super().__init__(**more)
        self._item = item
        self._subject, self._order, self._folder, covered = suite
        self.user_properties.append((CORPUS, short(identity(self._order.spec))))
        self.user_properties += [
            (ENTRY, f"{entry.rule} {entry.container} of {count}")
            for entry, count in covered.items()
            if _covers(entry, item) and self._order.share.is_whole
        ]

    def runtest(self) -> None:
        """Ask the implementation; raises `Unexpected`, and skips what is known to fail."""
        own = Path(tempfile.mkdtemp(dir=self._folder))
        path = prepare(self._order.role, self._item, own)
        outcome = outcome_of(self._subject, self._order.role, self._item, path)
        (marked,), _ = excuse([outcome], self._order.known)
        if marked.known:
            pytest.xfail(f"{marked.known} ({marked.status}: {marked.detail})")
        if not marked.passed:
            raise Unexpected(f"{marked.status}: {marked.detail}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected and found, why the case is there, and how to get at its archive."""
        if not isinstance(excinfo.value, Unexpected):
            return super().repr_failure(excinfo, style)
        case = self._item.case
        return "\n".join(
            [
                f"{case.name} in {self._item.container}, as {self._order.role}: {excinfo.value}",
                f"  the case: {case.why}",
                f"  to look at it: vizschema conformance export DIR --only {case.name}",
            ]
        )

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item is from."""
        return self.path, None, self.name


def _covers(entry: Known, item: Item) -> bool:
    return entry.rule == item.case.rule and entry.container in ("*", item.container)


def verdict(path: Any, profile: str | None, spec: str | None, *, values: bool) -> tuple[Report | None, str]:
    """The report on an archive, and the text of a failure: empty where it conforms."""
    try:
        report = validate(path, spec=spec, profile=profile, values=values)
    except VizschemaError as error:
        return None, str(error)
    if report.conforms:
        return report, ""
    return report, "\n".join(text.render([report], Options(every_place=True))).strip()
