"""1.1.0: a minor version that refers to 1.0.0, copies nothing of it, and judges by the same verdicts."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.corpus.breaks import all_breaks
from vizschema.conformance.corpus.cases import Case, base, corpus
from vizschema.conformance.corpus.documents import write_document
from vizschema.conformance.corpus.freeze import Refused, cases_of
from vizschema.conformance.examples import write_example
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.rules.profiles import built_at, table_at, words_of
from vizschema.rules.tables.build import texts
from vizschema.rules.tables.prose import lines_of

FIRST, MINOR = versions.load("1.0.0"), versions.load("1.1.0")
LM = MINOR.folder / "lm"
OWN = {"spec-version", "profile-known"}
"""Rules that say what version and profiles there are, and are stated by each version."""

ABOUT_VERSIONS = {"spec-version/later-minor"}
"""Cases of 1.0.0 with another verdict under 1.1.0: an archive that declares 1.1.0."""

SAMPLE = 24
CASES = [
    case
    for case in corpus("1.0.0")
    if case.made is None
    and case.encoding is None
    and (zlib.crc32(case.name.encode()) % SAMPLE == 0 or case.rule in OWN)
]


def found(case: Case, spec: versions.Spec) -> set[tuple[str, str, str]]:
    """(rule, severity, path) of each finding of a version in a case."""
    findings = judge(case.description(case.containers[0]), spec.profile(case.profile))
    return {(finding.rule, finding.severity, finding.path) for finding in findings}


class TestVerdicts:
    @pytest.mark.parametrize(
        "case", [case for case in CASES if case.name not in ABOUT_VERSIONS], ids=lambda case: case.name
    )
    def test_a_case_of_1_0_0_has_the_same_findings(self, case: Case) -> None:
        assert found(case, MINOR) == found(case, FIRST)

    def test_cases_about_versions_are_those_that_are_listed(self) -> None:
        differing = {
            case.name for case in CASES if case.rule == "spec-version" and found(case, MINOR) != found(case, FIRST)
        }
        assert differing == ABOUT_VERSIONS

    def test_the_difference_is_a_minor_step(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["spec", "diff", "1.0.0", "1.1.0"]) == 0
        out = capsys.readouterr().out
        assert "minor  added      profile lm" in out
        assert "a minor step, which is enough" in out
        assert "major" not in out

    def test_a_row_more_in_a_table_that_is_inherited_is_compared_as_a_table(self) -> None:
        from vizschema.rules.diff import side

        old, new = side("1.0.0"), side("1.1.0")
        assert set(old.tables) == {"mnist", "vit", "openfold", "classifier"}
        assert set(new.tables) == {*old.tables, "lm"}


class TestReferences:
    def test_no_rule_of_1_0_0_is_stated_again(self) -> None:
        stated = [
            rule
            for path in MINOR.folder.rglob("*.schema.json")
            for rule in re.findall('"\\$anchor": "([^"]+)"', path.read_text("utf-8"))
        ]
        assert {rule for rule in stated if not rule.startswith("lm-")} == OWN
        assert len(stated) == len(set(stated))

    def test_no_file_of_1_0_0_is_there_again(self) -> None:
        sums = {digest: name for name, digest in FIRST.files.items()}
        assert [name for name, digest in MINOR.files.items() if digest in sums] == []

    @pytest.mark.parametrize("profile", FIRST.profiles)
    def test_facts_views_and_words_are_those_of_1_0_0(self, profile: str) -> None:
        old, new = FIRST.profile(profile), MINOR.profile(profile)
        assert (new.facts, new.views, new.recognized_by) == (old.facts, old.views, old.recognized_by)
        assert set(new.rules) == set(old.rules)

    def test_it_is_exported_with_what_it_refers_to(self, tmp_path: Path) -> None:
        assert main(["spec", "export", str(tmp_path / "all"), "1.1.0"]) == 0
        assert {path.name for path in (tmp_path / "all").iterdir() if path.is_dir()} == {"1.0.0", "1.1.0"}
        assert set(versions.profiles_in(tmp_path / "all" / "1.1.0")) == set(MINOR.profiles)
        assert main(["spec", "export", str(tmp_path / "first"), "1.0.0"]) == 0
        assert not (tmp_path / "first" / "1.1.0").exists()

    def test_lm_is_what_its_table_builds(self) -> None:
        for name, text in texts(built_at(LM, "1.1.0")).items():
            assert (LM / name).read_text("utf-8") == text, name

    def test_the_prose_has_the_table_and_names_each_rule_once(self) -> None:
        prose = (MINOR.folder / "spec.md").read_text("utf-8")
        assert "\n".join(lines_of(table_at(LM, "1.1.0"), words_of("1.1.0"))) in prose
        assert sorted(re.findall(r"\(`([a-z-]+)`\)", prose)) == sorted(
            {*OWN, *(r for r in MINOR.profile("lm").rules if r.startswith("lm-"))}
        )


class TestChoice:
    def test_both_are_installed_and_the_first_is_the_default_which_both_accept(self) -> None:
        assert versions.versions() == ("1.0.0", "1.1.0")
        assert versions.default().version == "1.0.0"
        assert [versions.version_for(None, profile).version for profile in ("vit", "lm", None, "own")] == [
            *("1.0.0", "1.1.0", "1.0.0", "1.0.0")
        ]

    def test_a_profile_that_only_1_1_0_has_chooses_it(self, tmp_path: Path) -> None:
        report = write_example("lm", tmp_path / "a.zarr")
        assert (report.spec_version, report.profile) == ("1.1.0", "lm")
        assert vizschema.validate(tmp_path / "a.zarr").spec_version == "1.1.0"
        assert vizschema.validate(tmp_path / "a.zarr", spec="1.0.0").profile == "trace"

    @pytest.mark.parametrize("profile", ["vit", "openfold"])
    def test_an_archive_of_1_0_0_is_judged_by_either(self, profile: str, tmp_path: Path) -> None:
        write_example(profile, tmp_path / "a.npz")
        for spec in ("1.0.0", "1.1.0"):
            report = vizschema.validate(tmp_path / "a.npz", spec=spec)
            assert (report.verdict, report.spec_version, report.profile) == ("conforms", spec, profile)

    def test_it_can_be_pinned(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["pin", "1.1.0"]) == 0
        assert MINOR.digest in (tmp_path / "vizschema.toml").read_text("utf-8")
        write_example("vit", tmp_path / "a.npz")
        assert main(["validate", "a.npz"]) == 0
        assert "vit 1.1.0" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("above", "rules"), [("lm", {"lm-axes", "own-axes", "own-known-nodes"}), ("vit", {"classifier-axes"})]
    )
    def test_a_table_may_build_on_a_profile_of_it(self, above: str, rules: set[str], tmp_path: Path) -> None:
        row = '"/probe" = {axes = "class", dtype = "floats"}'
        text = f'profile = "own"\nspec = "1.1.0"\nextends = "{above}"\n[nodes]\n{row}\n'
        (tmp_path / "own.toml").write_text(text, "utf-8")
        assert rules <= set(MINOR.profile(str(tmp_path / "own.toml")).rules)


class TestCorpus:
    @pytest.mark.parametrize(("container", "suffix"), [("zarr-v3", ".zarr"), ("hdf5", ".h5"), ("npz", ".npz")])
    def test_the_base_of_lm_conforms_without_a_finding(self, container: str, suffix: str, tmp_path: Path) -> None:
        write_document(base("1.1.0", "lm"), container, tmp_path / f"a{suffix}")
        report = vizschema.validate(tmp_path / f"a{suffix}")
        assert (report.verdict, report.spec_version, report.profile, report.findings) == ("conforms", "1.1.0", "lm", ())

    def test_breaks_of_lm_become_cases(self) -> None:
        every = all_breaks("1.1.0")
        assert {each.rule for each in every if each.kind == "broken"} >= {
            rule for rule in MINOR.profile("lm").rules if rule.startswith("lm-")
        }
        made: list[Any] = [case for each in every[::6] for case in cases_of(each, "1.1.0", wanted=frozenset())]
        assert [each for each in made if isinstance(each, Refused)] == []
        assert {case.spec for case in made} == {"1.1.0"}
        assert json.dumps([case.name for case in made]).count("lm-axes") > 2
