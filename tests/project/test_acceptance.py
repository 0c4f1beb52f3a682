"""Suppressions, levels and baselines: what a project accepts does not count, is counted, and is itself looked at."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.sample_reports import finding, report

from vizschema.cli.main import main
from vizschema.errors import VizschemaError
from vizschema.project.acceptance import CLAUSES, Acceptance, matches
from vizschema.project.baseline import Baseline, name_of
from vizschema.project.configuration import Configuration, Suppression
from vizschema.rules import versions

TODAY = datetime.date(2026, 11, 21)
FAULTS = report(
    finding("axes-named", "/extra/a"),
    finding("axes-named", "/outputs/b"),
    finding("chunk-small", "/outputs/b", severity="warning"),
)


def suppression(rule: str = "axes-named", **changes: Any) -> Suppression:
    values: dict[str, Any] = {
        "path": "/**",
        "archive": "**",
        "reason": "so",
        "until": None,
        "maximum": None,
        "number": 1,
    }
    return Suppression(rule=rule, **values | changes)


def acceptance(*suppressions: Suppression, **changes: Any) -> Acceptance:
    return Acceptance(Configuration(source=Path("vizschema.toml"), suppressions=suppressions, **changes), TODAY)


def audited(accepted: Acceptance) -> list[str]:
    return [each.rule for each in accepted.audit()]


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("/**", "/", True),
        ("/**", "/a/b", True),
        ("/extra/**", "/extra/a/b", True),
        ("/extra/**", "/extra", False),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a/b/c", False),
        ("/a/layer_0?", "/a/layer_01", True),
        ("/a/layer_*", "/a/layer_*", True),
        ("/a.b", "/axb", False),
        ("/a[1]", "/a[1]", True),
        ("**", "a\nb", True),
    ],
)
def test_a_star_stays_within_a_name_and_two_do_not(glob: str, text: str, expected: bool) -> None:
    assert matches(glob, text) is expected


def test_what_is_suppressed_does_not_count_and_is_kept_apart_with_its_reason() -> None:
    accepted = acceptance(suppression(path="/extra/**", reason="old data"))
    judged = accepted.apply(FAULTS)
    assert [each.path for each in judged.errors] == ["/outputs/b"]
    assert [(each.finding.path, each.by, each.reason) for each in judged.accepted] == [
        ("/extra/a", "suppression", "old data")
    ]
    assert judged.exit_code == 1
    assert accepted.audit() == ()


def test_the_verdict_is_that_of_the_spec_and_the_exit_code_that_of_the_project() -> None:
    judged = acceptance(suppression()).apply(FAULTS)
    assert (judged.exit_code, judged.conforms, judged.verdict) == (0, False, "does not conform")


def test_a_suppression_is_for_one_rule_and_the_archives_that_it_names() -> None:
    assert acceptance(suppression("other")).apply(FAULTS).findings == FAULTS.findings
    elsewhere = acceptance(suppression(archive="runs/**"))
    assert elsewhere.apply(FAULTS).findings == FAULTS.findings
    assert elsewhere.audit() == ()


def test_a_suppression_holds_to_the_end_of_its_day() -> None:
    assert acceptance(suppression(until=TODAY)).apply(FAULTS).errors == ()
    expired = acceptance(suppression(until=TODAY - datetime.timedelta(days=1)))
    assert expired.apply(FAULTS).findings == FAULTS.findings
    assert audited(expired) == ["suppression-expired"]
    assert "until 2026-11-20" in expired.audit()[0].found


def test_one_that_matched_nothing_is_a_warning() -> None:
    unused = acceptance(suppression("generator"))
    unused.apply(FAULTS)
    assert audited(unused) == ["suppression-unused"]
    assert unused.audit()[0].instance == "/suppress/0"


def test_one_that_matched_in_any_archive_is_none() -> None:
    used = acceptance(suppression())
    used.apply(report())
    used.apply(FAULTS)
    assert used.audit() == ()


def test_one_without_a_reason_is_a_warning_and_holds() -> None:
    unreasoned = acceptance(suppression(reason=""))
    assert unreasoned.apply(FAULTS).errors == ()
    assert audited(unreasoned) == ["suppression-unreasoned"]


def test_one_with_too_many_findings_suppresses_none() -> None:
    exceeded = acceptance(suppression(maximum=1))
    assert exceeded.apply(FAULTS).findings == FAULTS.findings
    assert audited(exceeded) == ["suppression-exceeded"]
    assert "2 in run.zarr" in exceeded.audit()[0].found
    assert acceptance(suppression(maximum=2)).apply(FAULTS).errors == ()


def test_a_level_changes_what_a_should_rule_counts_as() -> None:
    raised = acceptance(levels={"chunk-small": "error"}).apply(report(FAULTS.findings[2]))
    assert (raised.exit_code, raised.conforms, raised.findings[0].severity) == (1, True, "warning")
    off = acceptance(levels={"chunk-small": "off"}).apply(report(FAULTS.findings[2]))
    assert (off.findings, [each.by for each in off.accepted]) == ((), ["level"])


def test_what_could_not_be_judged_stays_so() -> None:
    broken = report(error=VizschemaError("why"))
    assert acceptance(suppression()).apply(broken) is broken


def test_a_baseline_takes_what_is_known_and_leaves_what_is_new() -> None:
    known = frozenset({("axes-named", FAULTS.findings[0].instance), ("gone", "/nodes/x")})
    accepted = Acceptance(Configuration(), TODAY, Baseline(Path("known.json"), {"run.zarr": known}))
    judged = accepted.apply(FAULTS)
    assert [each.path for each in judged.errors] == ["/outputs/b"]
    assert [each.by for each in judged.accepted] == ["baseline"]
    assert audited(accepted) == ["baseline-outdated"]


def test_an_archive_has_one_name_in_a_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {name_of(path, Path()) for path in ("a/b.zarr", "./a//b.zarr", str(tmp_path / "a" / "b.zarr"))}
    assert names == {"a/b.zarr"}
    assert name_of("https://example.org/a.zarr", Path()) == "https://example.org/a.zarr"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an archive that breaks many rules."""
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_baseline_is_written_then_lets_pass_then_fails_on_what_is_new(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "bad.zarr"]) == 1
    assert main(["validate", "bad.zarr", "--write-baseline", "known.json"]) == 0
    capsys.readouterr()
    first = (project / "known.json").read_bytes()
    assert main(["validate", "bad.zarr", "--baseline", "known.json", "--strict"]) == 0
    out = capsys.readouterr().out
    assert "does not conform" in out.splitlines()[0]
    assert "in the baseline" in out
    (project / "bad.zarr" / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "group", "attributes": {"spec_version": "1.0.0", "seed_file": '
        + '{"a":' * 17
        + "1"
        + "}" * 17
        + "}}"
    )
    assert main(["validate", "bad.zarr", "--baseline", "known.json"]) == 1
    out = capsys.readouterr().out
    assert "portable-attribute" in out
    assert "warning baseline-outdated" in out
    (project / "bad.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    main(["validate", "bad.zarr", "--write-baseline", "known.json"])
    assert (project / "known.json").read_bytes() == first


@pytest.mark.parametrize("text", [None, "{", "[]", '{"baseline_version": "9", "archives": {}}'])
def test_a_baseline_that_is_none_is_2(project: Path, text: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if text is not None:
        (project / "known.json").write_text(text)
    assert main(["validate", "bad.zarr", "--baseline", "known.json"]) == 2
    said = capsys.readouterr().err
    assert "known.json: expected a baseline" in said
    assert ("found no file; `--write-baseline known.json` writes one" in said) == (text is None)
    assert main(["validate", "bad.zarr", "--write-baseline", "none/known.json"]) == 2


def configured(project: Path, text: str) -> None:
    (project / "vizschema.toml").write_text(text)


def test_the_json_report_counts_what_was_accepted_and_holds_the_audit(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(
        project,
        '[level]\nrecommended-metadata = "off"\n'
        '[[suppress]]\nrule = "generator"\nreason = "old"\nuntil = 2999-01-01\n'
        '[[suppress]]\nrule = "axes-named"\nuntil = 2999-01-01\n',
    )
    assert main(["validate", "bad.zarr", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((versions.root() / "report.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(document)
    archive = document["archives"][0]
    assert archive["counts"]["accepted"]["suppression"] == 1
    assert [
        (each["rule"], each["by"], each["reason"]) for each in archive["accepted"] if each["by"] == "suppression"
    ] == [("generator", "suppression", "old")]
    assert document["configuration"]["source"] == "vizschema.toml"
    assert [each["rule"] for each in document["configuration"]["findings"]] == [
        "suppression-unreasoned",
        "suppression-unused",
    ]


def test_the_audit_counts_where_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vizschema.conformance.examples import write_example

    path = str(tmp_path / "good.zarr")
    write_example("trace", path)
    (tmp_path / "c.toml").write_text('[[suppress]]\nrule = "generator"\nreason = "old"\nuntil = 2999-01-01\n')
    arguments = ["validate", path, "--config", str(tmp_path / "c.toml")]
    assert main(arguments) == 0
    assert "warning suppression-unused (1 place)" in capsys.readouterr().out
    assert main([*arguments, "--strict"]) == 1
    assert main([*arguments, "--strict", "--format", "json"]) == 1


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("generator", "found a must-rule; suppress its findings"),
        ("nothing", "found no rule of this name\n"),
        ("recomended-metadata", "found no rule of this name; did you mean recommended-metadata?"),
    ],
)
def test_a_level_is_for_should_rules_only(
    project: Path, rule: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(project, f'[level]\n{rule} = "off"\n')
    assert main(["validate", "bad.zarr"]) == 4
    assert f"level.{rule}: expected a should-rule, {found}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('rule = "finit"', "rule: expected the id of a rule, found 'finit'; did you mean finite?"),
        ('rule = "zzz"', "rule: expected the id of a rule, found 'zzz'; `vizschema spec show"),
        ('rule = "finite"', "until: expected a date, since finite is a must-rule, found none; add the day"),
        ('rule = "expected-digest"', "until: expected a date, since expected-digest is a must-rule, found none"),
    ],
)
def test_a_suppression_is_of_a_rule_that_exists_and_of_a_must_rule_with_an_end(
    project: Path, entry: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(project, f'[[suppress]]\nrule = "chunk-minimum"\nreason = "x"\n[[suppress]]\n{entry}\nreason = "x"\n')
    assert main(["validate", "bad.zarr"]) == 4
    assert f"vizschema.toml: suppress number 2: {expected}" in capsys.readouterr().err


@pytest.mark.parametrize("profile", ["trace", "vit"])
def test_a_suppression_may_be_of_a_rule_of_any_profile(project: Path, profile: str) -> None:
    rule = "finite" if profile == "trace" else own_rule(profile)
    entry = f'rule = "{rule}"\nuntil = 2999-01-01'
    configured(project, f'[[suppress]]\n{entry}\nreason = "x"\n')
    assert main(["validate", "bad.zarr"]) == 1


def own_rule(profile: str) -> str:
    """A rule that this profile has and `trace` does not."""
    spec = versions.default()
    return min(set(spec.profile(profile).rules) - set(spec.profile("trace").rules))


def test_every_clause_of_the_audit_is_tested_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(source.count(f'"{rule}"') for rule in CLAUSES)
