"""One archive with a finding of every kind, in every format, beside files that a person has looked at.

`VIZSCHEMA_GOLDEN=write pytest tests/report/test_golden.py` writes them again: look at the difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from support.broken_archive import write_broken

import vizschema
from vizschema.cli.main import main
from vizschema.report import FORMATS
from vizschema.rules import versions

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {
    "text": "txt",
    "json": "json",
    "jsonl": "jsonl",
    "sarif": "sarif",
    "junit": "xml",
    "github": "log",
    "html": "html",
}
SARIF = jsonschema.Draft202012Validator(json.loads((Path(__file__).parent / "sarif-2.1.0.schema.json").read_bytes()))
ARCHIVES = ("good.zarr", "run.zarr", "no.h5")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the broken archive in it."""
    write_broken(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path


def printed(form: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(["validate", *ARCHIVES, "--trust", "--no-timestamp", "--format", form, *arguments])
    assert code == 3
    return capsys.readouterr().out


def settled(text: str) -> str:
    """`text` without what changes with every edit of the draft and every release of the package."""
    digest = versions.load("1.0.0").digest
    text = text.replace(digest, "0" * 64).replace(digest[:12], "0" * 12)
    return text.replace(vizschema.__version__, "VERSION") if vizschema.__version__ != "1.0.0" else text


def compared(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("VIZSCHEMA_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(settled(text), encoding="utf-8")
    assert settled(text) == path.read_text(encoding="utf-8"), "look at it; VIZSCHEMA_GOLDEN=write writes it again"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_as_it_was_looked_at(folder: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    compared(f"report.{SUFFIX[form]}", printed(form, capsys))


def test_the_summary_of_a_job_is_as_it_was_looked_at_and_is_added_to(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "summary.md").write_text("before\n")
    printed("github", capsys)
    first, _, rest = (folder / "summary.md").read_text(encoding="utf-8").partition("\n")
    assert first == "before"
    compared("summary.md", rest)


def found(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """(rule, path) of every finding that counts, by the JSON report."""
    document = json.loads(printed("json", capsys))
    return [(each["rule"], each["path"]) for archive in document["archives"] for each in archive["findings"]]


def test_the_archive_has_findings_of_many_kinds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed("json", capsys))
    archive = document["archives"][1]
    assert {each["counts_as"] for each in archive["findings"]} == {"error", "warning"}
    assert any(each["severity"] == "warning" and each["counts_as"] == "error" for each in archive["findings"])
    assert set(archive["counts"]["accepted"]) == {"suppression", "level"}
    assert len({each["rule"] for each in archive["findings"]}) >= 10
    pointers = {each["instance"].split("/")[1] for each in archive["findings"]}
    assert pointers == {"nodes", "series", "axes"}
    assert [each["verdict"] for each in document["archives"]] == [
        "conforms",
        "does not conform",
        "not judged",
    ]


def test_lines_hold_what_the_document_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed("json", capsys))
    *archives, rest = map(json.loads, printed("jsonl", capsys).splitlines())
    assert {**rest, "archives": archives} == document


def test_every_format_says_in_how_many_archives_a_rule_is_broken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(printed("json", capsys))
    summary = document["summary"]
    assert [summary[key] for key in ("archives", "passed", "failed", "not_judged")] == [3, 1, 1, 1]
    places = {each["rule"]: each["places"] for each in summary["rules"]}
    rules = [each["rule"] for archive in document["archives"] for each in archive["findings"]]
    assert places == {rule: rules.count(rule) for rule in rules}
    assert json.loads(printed("sarif", capsys))["runs"][0]["properties"]["summary"] == summary
    suite = ET.fromstring(printed("junit", capsys)).find("testsuite[@name='summary']/properties")  # noqa: S314
    assert suite is not None
    said = {each.get("name"): each.get("value") for each in suite}
    assert said["passed"] == "1"
    assert all(said[f"archives that break {rule}"] == "1" for rule in places)
    page = printed("html", capsys)
    assert "1 of 3 archives passed, 1 failed, 1 could not be judged" in page
    assert all(f'<th scope="row">{rule}</th>' in page for rule in places)


def test_every_format_holds_the_same_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = found(folder, capsys)
    results = json.loads(printed("sarif", capsys))["runs"][0]["results"]
    sarif = [
        (each["ruleId"], each["locations"][0]["logicalLocations"][0]["fullyQualifiedName"])
        for each in results
        if "suppressions" not in each
    ]
    assert sarif == findings
    names = [case.get("name") for case in ET.fromstring(printed("junit", capsys)).iter("testcase")]  # noqa: S314
    assert all(f"{rule} {path}" in names for rule, path in findings)
    for form in ("text", "github"):
        # Lines are wrapped, and commands escaped: what is compared is letters and digits.
        shown = re.sub(r"[\s%]|0A|u003a|u0023", "", printed(form, capsys, "--all"))
        for rule, path in findings:
            assert rule in shown
            assert re.sub(r"[\s%]", "", path).split("error")[0].removesuffix("::") in shown


def test_the_bytes_are_the_same_from_run_to_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in FORMATS:
        assert printed(form, capsys) == printed(form, capsys)


def test_the_time_is_that_of_the_source_where_it_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for form in ("sarif", "junit", "html"):
        main(["validate", "good.zarr", "--format", form])
        assert "2023-11-14T22:13:20" in capsys.readouterr().out


def test_reports_are_written_to_files_besides(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [option for form in FORMATS for option in ("--report", f"{form}:out.{form}")]
    assert main(["validate", *ARCHIVES, "--no-timestamp", *files]) == 3
    out = capsys.readouterr().out
    assert (folder / "out.text").read_text(encoding="utf-8") == out
    for form in ("json", "sarif", "junit", "html"):
        assert (folder / f"out.{form}").read_text(encoding="utf-8") == printed(form, capsys)
    assert main(["validate", "good.zarr", "--report", "sarif:none/out.sarif"]) == 2
    assert main(["validate", "good.zarr", "--report", "pdf:out.pdf"]) == 2


class TestSarif:
    """Against the OASIS schema of SARIF 2.1.0 (errata 01), which allows no property that it lacks."""

    def test_it_obeys_the_oasis_schema(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for extra in ((), ("--strict",), ("--no-config",)):
            SARIF.validate(json.loads(printed("sarif", capsys, *extra)))

    def test_without_archives_that_can_be_read_it_does_too(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        main(["validate", "https:", "::error::x", "a b%\udcff.zarr", "--format", "sarif"])
        document = json.loads(capsys.readouterr().out)
        SARIF.validate(document)
        assert document["runs"][0]["invocations"][0]["executionSuccessful"] is False

    @pytest.mark.parametrize(
        "change", [{"version": "2.2"}, {"runs": [{}]}, {"runs": [{"tool": {"driver": {"name": "a", "nothing": 1}}}]}]
    )
    def test_the_schema_turns_down_what_is_no_sarif(self, change: dict[str, object]) -> None:
        document = {"version": "2.1.0", "runs": []} | change
        assert list(SARIF.iter_errors(document))

    def test_every_result_has_a_fingerprint_and_a_rule(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = json.loads(printed("sarif", capsys))["runs"][0]
        fingerprints = [each["partialFingerprints"]["vizschemaFinding/v1"] for each in run["results"]]
        assert len(fingerprints) == len(set(fingerprints))
        rules = run["tool"]["driver"]["rules"]
        assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
        assert len(run["invocations"][0]["toolConfigurationNotifications"]) == 2


class TestHostileText:
    """Whatever a name or a text holds, no line of a log becomes a command, no document breaks."""

    @pytest.mark.parametrize("form", FORMATS)
    def test_no_line_is_a_command_but_our_own(
        self, folder: Path, form: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "::error::x.zarr").mkdir()
        main(["validate", "::error::x.zarr", *ARCHIVES, "--all", "--format", form])
        out = capsys.readouterr().out
        assert "##[" not in out
        assert "\x1b" not in out
        assert "\u202e" not in out
        commands = [line for line in out.splitlines() if line.lstrip().startswith("::")]
        assert all(re.match(r"::(error|warning) file=[^:,]+,title=[^:,]+::[^\r\n]*$", line) for line in commands)
        assert bool(commands) is (form == "github")

    def test_a_property_of_a_command_cannot_end_it(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        main(["validate", "a,title=x::y%0A.zarr", "--format", "github"])
        command = capsys.readouterr().out.splitlines()[1]
        assert command.startswith("::error file=a%2Ctitle=x%3A%3Ay%250A.zarr,title=not judged::")

    def test_the_summary_holds_no_markup_of_theirs(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        printed("github", capsys)
        summary = (folder / "summary.md").read_text(encoding="utf-8")
        assert "<" not in summary
        assert "alert(1)" in summary
        assert not re.search(r"(?<!\*)\*(?!\*)|`", summary)
