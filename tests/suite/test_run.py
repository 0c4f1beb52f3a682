"""The runner: this package passes in every role, every fake is caught, a broken harness is told from wrong programs."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from support import fake_implementations

from vizschema.cli.main import main
from vizschema.conformance.corpus.cases import Case, corpus
from vizschema.conformance.corpus.raw import CONTAINERS
from vizschema.conformance.harness import runner
from vizschema.conformance.harness.outcomes import Run, known_failures
from vizschema.conformance.harness.protocol import Process, Refusal, Rubbish, Silence, conforms
from vizschema.conformance.harness.reports import FORMATS
from vizschema.conformance.harness.roles import items_of
from vizschema.conformance.harness.runner import Order, run
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.subjects import InProcess, OneShot, entry_point
from vizschema.errors import UsageError
from vizschema.rules import versions

FAKES = Path(fake_implementations.__file__)
REPORT = jsonschema.Draft202012Validator(versions.read_json(versions.root() / "conformance_report.schema.json"))


def few(cases: list[Case]) -> tuple[str, ...]:
    """One broken case and one neighbour of each rule."""
    first: dict[tuple[str, str], str] = {}
    for case in cases:
        first.setdefault((case.rule, case.kind), case.name)
    return tuple(first.values())


CORPUS = corpus()
FEW = few(CORPUS)[::4]
SMALL = ("generator", "axis-one-size", "capture-complete", "stray-file")


def outcome_of(fake: type[Own], role: str = "validator", only: tuple[str, ...] = FEW) -> Run:
    return run(InProcess(fake()), Order(role, only=only))


def process(name: str, timeout: float = 20.0) -> Process:
    return Process([sys.executable, str(FAKES), name], timeout)


@pytest.mark.parametrize("role", ["reader", "writer"])
def ends(pid: int) -> bool:
    """Whether a process has ended, or does so soon."""
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("one_shot", [True, False])
def test_all_of_an_implementation_is_ended(one_shot: bool, tmp_path: Path) -> None:
    script = tmp_path / "fork.sh"
    script.write_text(f"#!/bin/sh\nsleep 97 &\necho $! > {tmp_path}/pid\nsleep 97\n")
    script.chmod(0o755)
    subject = OneShot([str(script)], 0.5) if one_shot else Process([str(script)], 0.5)
    asked = {"path": "x", "profile": "trace", "spec": "1.0.0"}
    ask = (
        partial(subject._ask, fields={}, timeout=0.5) if isinstance(subject, Process) else partial(subject.ask, **asked)
    )
    with pytest.raises(Silence, match="within"):
        ask("validate", "verdict")
    assert ends(int((tmp_path / "pid").read_text()))


def test_output_without_an_end_is_bounded(tmp_path: Path) -> None:
    script = tmp_path / "endless.sh"
    script.write_text("#!/bin/sh\nexec yes '{\"seq\": 0}'\n")
    script.chmod(0o755)
    subject = Process([str(script)], 5.0)
    with pytest.raises(Rubbish, match="with seq"):
        subject._ask("validate", "verdict", {}, 5.0)
    with pytest.raises(Silence, match="within"):
        OneShot([str(script)], 0.5).ask("validate", "verdict", path="x", profile="trace", spec="1.0.0")


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_this_package_reads_and_writes_as_it_should(role: str) -> None:
    result = outcome_of(Own, role)
    assert [outcome for outcome in result.outcomes if not outcome.passed] == []
    assert len(result.outcomes) > 20
    assert result.exit_code == 0


def test_this_package_passes_a_sample_of_the_corpus() -> None:
    """Every eighth case; `.ci/run` asks all of them."""
    hostile = [case.name for case in CORPUS if case.made is not None]  # test_hostile.py judges each of these archives
    others = [case.name for case in CORPUS if case.made is None and case.base != "hashes"]  # these are for readers
    result = run(InProcess(Own()), Order(only=(*others[::8], *hostile[::12])))
    assert [outcome for outcome in result.outcomes if not outcome.passed] == []
    assert (result.exit_code, result.not_asked) == (0, 0)
    assert {outcome.verdict for outcome in result.outcomes} == {"valid", "invalid", "refused"}
    assert {outcome.container for outcome in result.outcomes} - {"safetensors"} == set(CONTAINERS)


def test_this_package_passes_through_the_pipe_with_one_process() -> None:
    subject = Process([sys.executable, "-m", "vizschema.conformance.harness.serve"])
    result = run(subject, Order(only=SMALL))
    assert (result.exit_code, result.unexpected, subject.starts) == (0, (), 1)
    assert result.implementation["name"] == "vizschema"


@pytest.mark.parametrize("fake", [fake_implementations.AlwaysValid, fake_implementations.AlwaysInvalid])
def test_a_constant_passes_less_than_half_and_the_report_says_so(fake: type[Own]) -> None:
    result = outcome_of(fake)
    passed = sum(outcome.passed for outcome in result.outcomes) / len(result.outcomes)
    assert result.exit_code == 1
    name = "always valid" if fake is fake_implementations.AlwaysValid else "always invalid"
    assert passed == result.constants[name]
    assert f"{name} would pass {passed:.0%}" in FORMATS["text"](result)


def test_constants_pass_less_than_half_of_the_whole_corpus() -> None:
    items = list(runner.items_of("validator", corpus(), Own().hello({})))
    assert all(share < 0.5 for share in runner.constants(items, rules_count=True).values())
    assert all(share < 0.5 for share in runner.constants(items, rules_count=False).values())


CAUGHT: list[tuple[type[Own], str, str]] = [
    (fake_implementations.WrongRule, "validator", "axis-one-size/layer"),
    (fake_implementations.NoWarnings, "validator", "stray-file/note"),
    (fake_implementations.WrongPlace, "validator", "axis-one-size/layer"),
    (fake_implementations.HeadsLast, "reader", "attention-normalization/valid-softmax"),
    (fake_implementations.DropsMinusZero, "reader", "finite/valid-minus-zero"),
    (fake_implementations.Int64ThroughFloat, "reader", "portable-dtype/extremes-int64"),
    (fake_implementations.ForgetsTheLastChunk, "writer", "attention-normalization/valid-softmax"),
    (fake_implementations.Lenient, "writer", "axis-one-size/layer"),
    (fake_implementations.LeavesTraces, "writer", "axis-one-size/layer"),
]


@pytest.mark.parametrize(("fake", "role", "case"), CAUGHT, ids=[fake.__name__ for fake, _, _ in CAUGHT])
def test_a_wrong_implementation_is_caught_by_the_case_for_it(fake: type[Own], role: str, case: str) -> None:
    result = outcome_of(fake, role, (case, "generator/one-character"))
    assert {outcome.case for outcome in result.unexpected} >= {case}
    assert {outcome.status for outcome in result.unexpected} == {"fail"}
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Hangs", "timeout"),
        ("Crashes", "crash"),
        ("Rubbish", "rubbish"),
        ("WrongSeq", "rubbish"),
        ("WrongForm", "rubbish"),
    ],
)
def test_what_goes_wrong_is_an_outcome_and_the_process_is_started_again(name: str, status: str) -> None:
    subject = process(name, timeout=2.0 if name == "Hangs" else 60.0)
    result = run(subject, Order(only=("generator/number", "generator/list")))
    assert {outcome.status for outcome in result.outcomes} == {status}
    assert len(result.outcomes) >= 2
    assert result.exit_code == 1
    assert subject.starts > 1 or name in ("WrongForm",)


@pytest.mark.parametrize("role", ["reader", "writer"])
@pytest.mark.parametrize(("name", "status"), [("Hangs", "timeout"), ("Crashes", "crash"), ("Rubbish", "rubbish")])
def test_a_reader_or_writer_that_goes_wrong_is_caught_as_well(name: str, status: str, role: str) -> None:
    subject = process(name, timeout=2.0 if name == "Hangs" else 60.0)
    result = run(subject, Order(role, only=("axis-one-size/layer", "finite/valid-minus-zero")))
    assert {outcome.status for outcome in result.outcomes} == {status}
    assert result.exit_code == 1


def test_no_case_at_all_is_a_failure() -> None:
    result = outcome_of(fake_implementations.NoContainers)
    assert (result.outcomes, result.exit_code) == ((), 1)
    assert "no case at all" in FORMATS["text"](result)


def test_a_broken_harness_is_told_from_a_wrong_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Own", fake_implementations.AlwaysValid)
    result = outcome_of(Own)
    assert result.exit_code == 3
    assert "the harness is broken" in result.trouble


@pytest.mark.parametrize("command", [["/nonexistent/program"], [sys.executable, "-c", "print('hello')"]])
def test_no_conversation_is_exit_code_three(command: list[str]) -> None:
    result = run(Process(command, 5.0), Order(only=SMALL))
    assert result.exit_code == 3
    assert "no conversation" in result.trouble


def test_several_processes_are_asked_at_a_time_and_outcomes_stay_in_order() -> None:
    alone, several = (run(process("AlwaysValid"), Order(only=SMALL, jobs=jobs)) for jobs in (1, 3))
    assert several.outcomes == alone.outcomes
    assert several.outcomes


def test_each_process_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Process] = []

    def another(self: Process) -> Process:
        started.append(Process(self.command, self.timeout, _greetings=self._greetings))
        return started[-1]

    monkeypatch.setattr(Process, "another", another)
    run(process("AlwaysValid"), Order(only=SMALL, jobs=3))
    assert [each.starts for each in started] == [1, 1]
    assert all(each._process is None for each in started)


@pytest.mark.parametrize("given", [["--jobs", "0", "--", "true"], ["--jobs", "2", "--python", "x:y"]])
def test_only_a_command_has_several_processes(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "run", *given]) == 2
    assert "expected 1 or more processes of a COMMAND" in capsys.readouterr().err


def test_a_budget_that_runs_out_is_exit_code_four() -> None:
    result = run(InProcess(Own()), Order(budget=0.0, only=SMALL))
    assert (result.outcomes, result.left > 0) == ((), True)
    result = run(process("AlwaysValid"), Order(budget=0.0, only=SMALL))
    assert result.exit_code in (1, 4)


def test_known_failures_are_expected_and_stale_entries_are_not(tmp_path: Path) -> None:
    file = tmp_path / "known.txt"
    file.write_text("# ours\n\nstray-file * # warnings are not reported yet\n", encoding="utf-8")
    known = known_failures(file)
    only = ("stray-file", "generator")
    result = run(InProcess(fake_implementations.NoWarnings()), Order(known=known, only=only))
    assert (result.exit_code, result.unexpected, result.stale) == (0, (), ())
    assert any(outcome.known for outcome in result.outcomes)
    fixed = run(InProcess(Own()), Order(known=known, only=only))
    assert (fixed.exit_code, [entry.rule for entry in fixed.stale]) == (1, ["stray-file"])
    file.write_text("stray-file without a reason\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"known.txt:1: expected `rule container # reason`"):
        known_failures(file)


def test_a_command_is_judged_by_its_exit_code(tmp_path: Path) -> None:
    for code, status in ((0, "fail"), (1, "pass"), (7, "error")):
        dishonest = OneShot(["sh", "-c", f"exit {code}"])
        outcomes = run(dishonest, Order(only=("generator/absent",))).outcomes
        assert {outcome.status for outcome in outcomes} == {status}
    slow = OneShot(["sh", "-c", "sleep 60"], timeout=0.5)
    assert {outcome.status for outcome in run(slow, Order(only=("generator/empty",))).outcomes} == {"timeout"}


def test_what_a_process_that_ends_wrote_is_in_the_message() -> None:
    noise = "i=0; while [ $i -lt 9999 ]; do echo noise >&2; i=$((i+1)); done"
    loud = f"{noise}; echo 'Error: no such module' >&2; echo v1 >&2"
    result = run(Process(["sh", "-c", f"{loud}; exit 5"], 20.0), Order(only=SMALL))
    assert result.trouble.endswith("the process ended with exit code 5; it wrote: Error: no such module")
    with pytest.raises(Refusal, match=r"expected exit code 0 .* found 7; it wrote: bad luck$"):
        OneShot(["sh", "-c", "echo bad luck >&2; exit 7"]).ask("validate", "verdict", path="x", profile="trace")


def test_paths_do_not_reveal_the_verdict() -> None:
    seen: list[str] = []

    class Watches(Own):
        def validate(self, request: Any) -> dict[str, Any]:
            seen.append(request["path"])
            return super().validate(request)

    outcome_of(Watches, only=SMALL)
    names = [Path(path).name for path in seen]
    assert len(set(names)) == len(names)
    assert not any(word in path for path in seen for word in ("valid", "broken", "neighbour", *SMALL))
    assert not any(Path(path).exists() for path in seen)


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_is_reported_in_every_format(form: str) -> None:
    for fake in (Own, fake_implementations.NoWarnings):
        result = outcome_of(fake, only=SMALL)
        report = FORMATS[form](result)
        if form == "json":
            assert [error.message for error in REPORT.iter_errors(json.loads(report))] == []
        elif form == "junit":
            suite = ElementTree.fromstring(report)  # noqa: S314  (our own text)
            assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) == len(result.unexpected)
            assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        elif form == "badge":
            assert json.loads(report)["color"] == ("brightgreen" if fake is Own else "red")
        elif form == "markdown":
            assert "| stray-file |" in report
            assert ("✗" in report) == (fake is not Own)
        else:
            assert ("as expected" in report) or fake is not Own


def test_the_messages_of_a_session_are_those_of_the_schema() -> None:
    own = Own()
    for cmd, kind, fields in (
        ("hello", "hello", {"protocol": 1}),
        ("spec", "done", {"version": "1.0.0"}),
        ("judge", "verdict", {"profile": "trace", "description": corpus()[0].description(corpus()[0].containers[0])}),
    ):
        assert conforms({"seq": 1, "cmd": cmd, **fields}, "request")
        assert conforms({"seq": 1, **getattr(own, cmd)(fields)}, kind)
    assert not conforms({"seq": 1, "cmd": "sing"}, "request")
    assert not conforms({"seq": 1, "verdict": "perhaps", "findings": []}, "verdict")


def test_the_command_line_runs_reports_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "vizschema.conformance.harness.serve"]
    arguments = ["conformance", "run", "--only", "generator", "--report", f"junit={report}", "--", *command]
    assert main(arguments) == 0
    assert "as expected" in capsys.readouterr().out
    assert report.read_text("utf-8").startswith("<?xml")
    own = "vizschema.conformance.harness.serve:Own"
    assert main(["conformance", "run", "--python", own, "--only", "generator"]) == 0
    capsys.readouterr()
    for wrong, message in (
        (["conformance", "run"], "expected either"),
        (["conformance", "run", "--python", "nowhere:Own"], "expected module:attribute"),
        (["conformance", "run", "--report", "junit", "--", *command], "expected FORMAT=FILE"),
        (["conformance", "export", str(tmp_path)], "already exists"),
        (["conformance", "freeze", "--into", str(tmp_path)], "expected the folder of cases"),
    ):
        assert main(wrong) == 2
        assert message in capsys.readouterr().err


def test_cases_are_exported_with_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out"
    assert main(["conformance", "export", str(target), "--only", "generator", "--only", "root-group"]) == 0
    assert "cases, 0 left out, written to" in capsys.readouterr().out
    index = json.loads((target / "index.json").read_text("utf-8"))
    assert {entry["level"] for entry in index["cases"]} == {"archive", "description"}
    assert all((target / entry["path"]).exists() for entry in index["cases"])


def test_an_entry_point_may_be_an_object_or_a_class() -> None:
    assert entry_point("vizschema.conformance.harness.serve:Own").ask("hello", "hello")["name"] == "vizschema"


def test_what_is_beyond_the_least_limits_is_asked_only_of_those_that_refuse_it() -> None:
    least = Own().hello({})
    larger = {name: value for name, value in least.items() if name != "limits"}
    asked, fewer = (list(items_of("validator", CORPUS, hello)) for hello in (least, larger))
    left = [item.case for item in asked if item not in fewer]
    assert left == [item.case for item in asked if item.case.level == "archive" and "over-limit" in item.case.expected]
    assert len(left) > 20
