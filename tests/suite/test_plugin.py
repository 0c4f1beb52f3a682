"""The plug-in for pytest: the suite in the run of somebody else, an item a case, and the fixture for a writer alone."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import fake_implementations

from vizschema.conformance import plugin
from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.examples import write_example

pytest_plugins = ["pytester"]

FAKES = Path(fake_implementations.__file__)
SUITE = ("--pyargs", "vizschema.conformance", "--vz-timeout", "60")
SMALL = ("--vz-only", "stray-file", "--vz-only", "generator/absent")


def fake(name: str) -> tuple[str, str]:
    return "--vz-command", f"'{sys.executable}' '{FAKES}' {name}"


def cases_of(*names: str) -> set[str]:
    """The node ids of these cases and rules."""
    return {
        f"vizschema.conformance::{case.name}/{container}"
        for case in corpus()
        if {case.name, case.rule} & set(names)
        for container in case.containers
    }


def test_the_plug_in_is_registered() -> None:
    (entry,) = {entry.value for entry in importlib.metadata.entry_points(group="pytest11", name="vizschema")}
    assert entry == plugin.__name__


def test_loading_the_plug_in_imports_nothing_but_pytest() -> None:
    script = (
        "import sys, pytest; old = {*sys.modules}; import vizschema.conformance.plugin; print(*{*sys.modules} - old)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in loaded if not name.startswith("vizschema")} == set()
    assert sorted(loaded) == ["vizschema", "vizschema.conformance", "vizschema.conformance.plugin"]


def test_a_run_without_our_options_is_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(passed=1)
    assert "vizschema" not in result.stdout.str()
    assert result.stderr.str() == ""


def test_the_suite_without_an_implementation_says_what_to_give(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--pyargs", "vizschema.conformance")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected the implementation that is to be tested, found none; pass --vz-command*"])


def test_the_suite_passes_for_this_package_an_item_a_case(pytester: pytest.Pytester) -> None:
    own = f"'{sys.executable}' -m vizschema.conformance.harness.serve"
    result = pytester.runpytest_subprocess(*SUITE, "-v", "--vz-command", own, *SMALL)
    wanted = cases_of("stray-file", "generator/absent")
    result.assert_outcomes(passed=len(wanted))
    passed = {line.split()[0] for line in result.outlines if " PASSED" in line}
    assert passed == wanted


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_a_role_has_cases_of_its_own(pytester: pytest.Pytester, role: str) -> None:
    own = "vizschema.conformance.harness.serve:Own"
    result = pytester.runpytest_subprocess(*SUITE, "--vz-python", own, "--vz-role", role, "--vz-only", "axis-one-size")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] > 0


def test_a_wrong_implementation_fails_with_what_it_did_and_no_traceback(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*SUITE, *fake("NoWarnings"), *SMALL)
    alone = ("note", "note-in-extra", "hostile-zarr-v3-files-beside-chunks")  # a warning, and nothing else
    wrong, right = len(cases_of(*(f"stray-file/{name}" for name in alone))), len(cases_of("generator/absent"))
    neighbours = len(cases_of("stray-file")) - wrong
    result.assert_outcomes(failed=wrong, passed=right + neighbours)
    result.stdout.fnmatch_lines(
        [
            "stray-file/note in zarr-v3, as validator: fail: expected stray-file, found nothing",
            "  the case: A note in a group.",
            "  to look at it: vizschema conformance export DIR --only stray-file/note",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "items.py" not in result.stdout.str()


def test_the_process_is_started_once_for_all_cases(pytester: pytest.Pytester) -> None:
    counting = pytester.makepyfile(
        counting=f"""
        import sys
        sys.path.insert(0, {str(FAKES.parent)!r})
        open("starts", "a").write("x")
        from vizschema.conformance.harness.serve import main
        sys.exit(main())
        """
    )
    result = pytester.runpytest_subprocess(*SUITE, "--vz-command", f"'{sys.executable}' '{counting}'", *SMALL)
    assert result.ret == 0
    assert (pytester.path / "starts").read_text("utf-8") == "x"


def test_a_process_that_dies_fails_its_cases_and_is_started_again(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*SUITE, *fake("Crashes"), "--vz-only", "generator/absent")
    result.assert_outcomes(failed=len(cases_of("generator/absent")))
    result.stdout.fnmatch_lines(["*crash: the process ended with exit code 5"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--vz-command", "/nonexistent/program"), "no conversation with the implementation"),
        (("--vz-command", "'unbalanced"), "--vz-command: cannot be split into words"),
        (("--vz-command", "a", "--vz-python", "b:c"), "expected either --vz-command or --vz-python, found both"),
        (("--vz-python", "fake_implementations:NoContainers"), "no case at all"),
        (("--vz-command", "a", "--vz-known", "missing.txt"), "missing.txt: cannot be read"),
    ],
)
def test_where_there_is_nobody_to_ask_the_reason_is_given_and_no_traceback(
    pytester: pytest.Pytester, arguments: tuple[str, ...], words: str
) -> None:
    pytester.syspathinsert(FAKES.parent)
    shutil.copy(FAKES, pytester.path)
    result = pytester.runpytest_subprocess(*SUITE, *arguments, *SMALL)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*vizschema.conformance: *{words}*"])
    assert "items.py" not in result.stdout.str()


class TestKnownFailures:
    def run(self, pytester: pytest.Pytester, name: str, entries: str, *more: str) -> pytest.RunResult:
        (pytester.path / "known.txt").write_text(entries, encoding="utf-8")
        return pytester.runpytest_subprocess(*SUITE, *fake(name), *SMALL, "--vz-known", "known.txt", *more)

    def test_they_are_expected_with_their_reason(self, pytester: pytest.Pytester) -> None:
        result = self.run(pytester, "NoWarnings", "stray-file * # no warnings yet\n", "-rx")
        assert result.ret == 0
        assert result.parseoutcomes()["xfailed"] > 0
        result.stdout.fnmatch_lines(["XFAIL vizschema.conformance::stray-file/note/* - no warnings yet (fail: *"])

    def test_an_entry_that_explains_no_failure_any_more_fails_the_run(self, pytester: pytest.Pytester) -> None:
        result = self.run(pytester, "NoWarnings", "generator * # fixed\nstray-file * # no warnings yet\n")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "failed" not in result.parseoutcomes()
        result.stdout.fnmatch_lines(["generator [*] is listed as known, and explains no failure; take it out"])
        assert "stray-file * is listed" not in result.stdout.str()

    def test_an_entry_of_which_only_a_part_was_run_is_left_alone(self, pytester: pytest.Pytester) -> None:
        result = self.run(pytester, "NoWarnings", "stray-file * # no warnings yet\n", "-k", "not note")
        assert result.ret == 0

    def test_an_entry_for_no_case_is_refused(self, pytester: pytest.Pytester) -> None:
        (pytester.path / "known.txt").write_text("no-such-rule * # why\n", encoding="utf-8")
        result = pytester.runpytest_subprocess(
            *SUITE, *fake("AlwaysValid"), "--vz-known", "known.txt", "--collect-only"
        )
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*no-such-rule [*] is listed as known, and explains no case"])

    def test_with_several_processes_the_book_is_kept_in_one(self, pytester: pytest.Pytester) -> None:
        entries = "generator * # fixed\nstray-file * # no warnings yet\n"
        result = self.run(pytester, "NoWarnings", entries, "-n", "2")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["generator [*] is listed as known, and explains no failure; take it out"])


class TestAssertConforms:
    @pytest.fixture
    def archive(self, pytester: pytest.Pytester) -> Path:
        path = pytester.path / "run.h5"
        write_example("mnist", path)
        return path

    def test_it_passes_where_the_archive_conforms(self, pytester: pytest.Pytester, archive: Path) -> None:
        pytester.makepyfile(
            f"""
            def test_mine(assert_conforms):
                report = assert_conforms({str(archive)!r}, profile="mnist", spec="1.0.0")
                assert report.verdict == "conforms"
                assert assert_conforms({str(archive)!r}, values=False).verdict == "structure conforms"
            """
        )
        pytester.runpytest_subprocess().assert_outcomes(passed=1)

    def test_it_fails_with_the_findings_of_the_text_report(self, pytester: pytest.Pytester, archive: Path) -> None:
        import h5py

        with h5py.File(archive, "r+") as file:
            del file.attrs["generator"]
            file["metadata"].attrs["size_sample"] = 9
        pytester.makepyfile(f"def test_mine(assert_conforms):\n    assert_conforms({str(archive)!r})\n")
        result = pytester.runpytest_subprocess()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">*assert_conforms(*",
                "E*run.h5: does not conform to mnist 1.0.0 (structure and values) — 2 errors",
                "E*error axis-one-size (1 place): *",
                "E*error generator (1 place): *",
                "E*fix: *",
            ]
        )
        assert "plugin.py" not in result.stdout.str()

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            ("assert_conforms('nowhere.zarr')", "nowhere.zarr: no such file or folder"),
            ("assert_conforms('run.h5', profile='nothing')", "nothing"),
            ("assert_conforms('run.h5', spec='7.0.0')", "7.0.0"),
        ],
    )
    def test_it_fails_in_a_line_where_nothing_can_be_judged(
        self, pytester: pytest.Pytester, archive: Path, call: str, words: str
    ) -> None:
        pytester.makepyfile(f"def test_mine(assert_conforms):\n    {call}\n")
        result = pytester.runpytest_subprocess()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E*Failed: *{words}*"])
