"""The plug-in for pytest: options, `--pyargs vizschema.conformance`, and the fixture `assert_conforms`.

Every run of pytest of everybody who installs the package loads this module: it imports pytest and the standard library,
and does nothing unless it is asked. What is asked for is in `harness.items`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vizschema.findings import Report

PACKAGE = "vizschema.conformance"
ROLES = ("validator", "reader", "writer")

ENTRY = "vizschema_known"
"""The property of a test by which an entry of the file of known failures, and how many cases it covers, are told."""

CORPUS = "vizschema_corpus"
"""The property of a test that names the corpus: its version, and the first digits of its digest."""

AssertConforms = Callable[..., "Report | None"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the suite."""
    group = parser.getgroup("vizschema", f"the conformance suite (pytest --pyargs {PACKAGE})")
    group.addoption("--vz-command", metavar="COMMAND", help="the implementation: a command that speaks the protocol")
    group.addoption("--vz-python", metavar="MODULE:NAME", help="a Python object in this process, in place of a command")
    group.addoption("--vz-one-shot", action="store_true", help="COMMAND is run for each archive: exit 0 valid, 1 not")
    group.addoption("--vz-role", choices=ROLES, default="validator", help="what it is (default: validator)")
    group.addoption("--vz-known", metavar="FILE", help="known failures: `rule container # reason`, one a line")
    group.addoption("--vz-only", action="append", default=[], metavar="CASE", help="a case or a rule (repeatable)")
    group.addoption("--vz-sample", type=int, default=1, metavar="N", help="run one of N cases (default: 1, all)")
    group.addoption("--vz-shard", metavar="I/N", help="run the part I of N, like 1/8")
    group.addoption("--vz-timeout", type=float, default=20.0, metavar="S", help="seconds for one reply (default: 20)")
    group.addoption("--vz-spec", default="1.0.0", metavar="V", help="the version of the spec (default: 1.0.0)")


def pytest_configure(config: pytest.Config) -> None:
    """Keep book of known failures where the suite is run; raises `UsageError` where it is not said on what."""
    asked = config.getoption("pyargs") and any(arg.partition("::")[0] == PACKAGE for arg in config.args)
    if is_wanted(config):
        config.pluginmanager.register(Book(), "vizschema-known-failures")
    elif asked:
        raise pytest.UsageError(
            f"{PACKAGE}: expected the implementation that is to be tested, found none; pass "
            '--vz-command "COMMAND …" for a program that speaks the protocol, with --vz-one-shot for one that is '
            "judged by its exit code, or --vz-python MODULE:NAME"
        )


def is_wanted(config: pytest.Config) -> bool:
    """Whether there is an implementation to test."""
    return bool(config.getoption("vz_command") or config.getoption("vz_python"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The suite, in place of this file."""
    if file_path.name != "plugin.py" or not is_wanted(parent.config) or not file_path.samefile(__file__):
        return None
    from vizschema.conformance.harness.items import Suite

    suite: pytest.Collector = Suite.from_parent(parent, path=file_path, nodeid=PACKAGE)
    return suite


class Book:
    """Which entries of the file of known failures still explain a failure; in the process that gets every report."""

    def __init__(self) -> None:
        self._cases: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._stale: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what came of a case that an entry covers."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == ENTRY:
                    entry, _, cases = str(value).rpartition(" of ")
                    self._cases[entry] = int(cases)
                    self._passed[entry] = self._passed.get(entry, 0) + (report.outcome == "passed")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for an entry of which every case was run and passed."""
        if hasattr(session.config, "workerinput"):
            return
        self._stale = [entry for entry, cases in self._cases.items() if self._passed[entry] == cases]
        if self._stale and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name these entries."""
        if self._stale:
            terminalreporter.section("vizschema: known failures", red=True)
            for entry in self._stale:
                terminalreporter.line(f"{entry} is listed as known, and explains no failure; take it out")


@pytest.fixture(scope="session")
def assert_conforms() -> AssertConforms:
    """`assert_conforms(path, profile=None, spec=None, values=True)`: fail the test unless this archive conforms."""

    def assert_conforms(
        path: Any, profile: str | None = None, spec: str | None = None, values: bool = True
    ) -> Report | None:
        """The report on the archive at `path`; fails the test, with the findings, where it does not conform.

        Without `profile` and `spec` the ones that the archive declares, without `values` its structure alone.
        Warnings do not fail the test: they are in the report.
        """
        __tracebackhide__ = True
        from vizschema.conformance.harness import items

        judged: tuple[Report | None, str] = items.verdict(path, profile, spec, values=values)
        report, failure = judged
        if failure:
            pytest.fail(failure)
        return report

    return assert_conforms
