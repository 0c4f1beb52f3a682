"""The generator: what it draws conforms, what it breaks is found, and both shrink."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vizschema import validate, write
from vizschema.conformance.corpus.cases import FOLDER
from vizschema.conformance.corpus.raw import CONTAINERS, SUFFIXES
from vizschema.conformance.generator import Archive, Broken, archives, broken_archives
from vizschema.conformance.generator.__main__ import breadth, check, main
from vizschema.conformance.generator.applied import pairs
from vizschema.conformance.generator.breaking import BREAKS, can_be_broken, changes
from vizschema.conformance.generator.broad import MOST
from vizschema.conformance.generator.changes import Base, Change
from vizschema.conformance.generator.constraints import holds
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.values import BUILDERS
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.rules.versions import Profile

VERSION = "1.0.0"
PROFILES = versions.load(VERSION).profiles
WORDS = {"$schema", "$id", "$ref", "$anchor", "$defs", "$comment", "title", "description"}
Test = Callable[..., Any]


def bounded(examples: int) -> Callable[[Test], Test]:
    """Few examples, the same in every run, and no waiting for them."""
    made: Callable[[Test], Test] = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return made


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_drawn_conforms(profile: str) -> None:
    seen = []

    @bounded(20)
    @given(archives(profile))
    def conforms(archive: Archive) -> None:
        seen.append(archive)
        assert judge(archive.description(), archive.profile) == ()

    conforms()
    assert len(seen) == 20


def test_what_is_drawn_is_as_broad_as_it_aims_to_be() -> None:
    found = breadth("trace", VERSION, bounded(150))
    assert found.missed == [], "\n".join(found.lines())
    assert found.nodes[len(found.nodes) // 2] >= 12
    assert 100 <= found.nodes[-1] <= MOST + 30


def test_the_example_of_the_docs_runs_in_the_repository_of_a_third_party(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    text = page.partition('```python title="tests/test_archives.py"\n')[2].partition("\n```\n")[0]
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_archives.py").write_text(text.replace("max_examples=5", "max_examples=2"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_long_archive_is_shown_in_a_screenful() -> None:
    nodes = {f"/a/layer_{number:03}": _array(f"layer_{number}") for number in range(120)}
    nodes |= {f"/b/x{chr(97 + number)}": _array("x" * 90) for number in range(26)}
    shown_lines = repr(Archive({"sizes": {"token": 3}, "nodes": {"/": _GROUP, **nodes}}, _trace())).splitlines()
    assert len(shown_lines) <= 26
    assert max(map(len, shown_lines)) <= 112
    assert "  /a/layer_# (120) float32 ['token'] (3) ramp note='layer_0'" in shown_lines
    assert shown_lines[-1] == "  and 4 more (archive.document has all)"


_GROUP: dict[str, Any] = {"kind": "group", "attributes": {"profile": "trace"}}


def _array(note: str) -> dict[str, Any]:
    contents = {"pattern": "ramp"}
    return {"kind": "array", "dtype": "float32", "axes": ["token"], "contents": contents, "attributes": {"note": note}}


def _trace() -> Profile:
    return versions.load(VERSION).profile("trace")


@bounded(12)
@given(st.sampled_from(PROFILES).flatmap(archives), st.sampled_from(sorted(CONTAINERS)))
def test_what_is_drawn_conforms_in_every_container(
    tmp_path_factory: pytest.TempPathFactory, archive: Archive, container: str
) -> None:
    path = tmp_path_factory.mktemp("drawn") / f"archive{SUFFIXES[container]}"
    archive.write(path, container)
    report = validate(path, jobs=1)
    assert report.profile == archive.profile.name
    assert [each for each in report.findings if each.rule in archive.profile.rules] == []


def test_an_array_in_the_place_of_attention_is_cut_and_measured(tmp_path: Path) -> None:
    base = versions.read_json(FOLDER / VERSION / "bases" / "trace.json")
    archive = Archive(base, versions.load(VERSION).profile("trace"))
    arrays, attributes = archive.arrays()
    arrays["/attention"] = arrays.pop("/attention/self/layer_00")
    groups = {path: given for path, given in attributes.items() if not path.startswith("/attention")}
    write(tmp_path / "archive.zarr", arrays, groups, profile="trace")
    assert validate(tmp_path / "archive.zarr", jobs=1).findings == ()


def test_every_allowed_keyword_has_a_builder() -> None:
    dialect = versions.read_json(versions.root() / "keywords.schema.json")
    keywords = set(dialect["$defs"]["schema"]["propertyNames"]["enum"])
    assert keywords - WORDS == set(BUILDERS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (Language(("^[a-z]+$",), ("^a",)), "b"),
        (Language(("b.*c",)), "bc"),
        (Language(("b.*c", "^aa")), "aabc"),
        (Language(("^(/|/x(/.*)?)$", "^/.")), "/x"),
        (Language(("^/attention(/|$)", "^.{11,}$")), "/attention/"),
        (Language(("^[^a-z/]{2}$",)), "00"),
    ],
)
def test_a_language_is_drawn_from_its_patterns(language: Language, text: str) -> None:
    assert language.shortest() == text

    @bounded(50)
    @given(language.texts())
    def matches(drawn: str) -> None:
        assert language.holds(drawn)

    matches()


def test_a_language_may_be_empty() -> None:
    assert Language(("^a$",), ("a",)).empty
    with pytest.raises(ValueError, match="no text matches"):
        Language(("^a$",), ("a",)).texts()


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, 5.0, True),
        ({"type": "integer"}, True, False),
        ({"const": 1}, True, False),
        ({"prefixItems": [{"const": 1}], "items": {"const": 2}}, [1, 2, 2], True),
        ({"not": {"items": {"not": {"const": 2}}}}, [1], False),
        ({"if": {"type": "string"}, "then": {"minLength": 1}}, 3, True),
        ({"if": {"type": "string"}, "then": {"minLength": 1}}, "", False),
        ({"additionalProperties": {"const": 1}, "properties": {"a": {}}}, {"a": 2, "b": 1}, True),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, False),
        ({"maxProperties": 0}, {"b": 1}, False),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, 2, True),
        ({"exclusiveMaximum": 1}, 1, False),
    ],
)
def test_a_schema_is_evaluated_as_an_engine_does(schema: dict[str, Any], value: Any, expected: bool) -> None:
    import jsonschema_rs

    assert holds(schema, value) is expected
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(value) is expected


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_broken_raises_its_rule_and_no_undeclared_one(profile: str) -> None:
    seen = []

    @bounded(15)
    @given(broken_archives(profile))
    def raises(broken: Broken) -> None:
        seen.append(broken.rule)
        assert check(broken) is None

    raises()
    assert len(seen) == 15


@pytest.mark.parametrize("rule", sorted(versions.load(VERSION).profile("trace").rules))
def test_every_rule_can_be_broken_by_name(rule: str) -> None:
    @bounded(1)
    @given(broken_archives("trace", rule=rule))
    def raises(broken: Broken) -> None:
        assert broken.rule == rule
        assert check(broken) is None

    raises()


def test_what_a_profile_cannot_break_is_known() -> None:
    cannot = {
        name: {rule for rule in profile.rules if not can_be_broken(profile, rule)}
        for name in PROFILES
        for profile in (versions.load(VERSION).profile(name),)
    }
    assert cannot["trace"] == set()
    assert cannot["vit"] == {"coordinate-dtype", "series-alike"}
    assert {"attention-source", "heads-differ"} <= cannot["mnist"]
    assert {rule for rule in cannot["openfold"] if "axis" in rule or "axes" in rule} == set()


def test_there_is_no_break_of_an_unknown_rule() -> None:
    with pytest.raises(ValueError, match="no-such-rule: expected a rule of trace"):
        broken_archives("trace", rule="no-such-rule")


def test_a_wrong_finding_is_a_failure_of_the_long_run() -> None:
    @bounded(1)
    @given(broken_archives("trace", rule="model-identity"))
    def judged(broken: Broken) -> None:
        assert check(broken) is None
        assert "did not raise model-identity" in str(check(replace(broken, change=Change(()))))
        mistaken = replace(broken, at=replace(broken.at, rule="generator"))
        assert "did not raise generator: ['model-identity']" in str(check(mistaken))

    judged()


@pytest.mark.parametrize("rule", [None, "generator"])
def test_the_simplest_base_is_small_whatever_breaks_it(rule: str | None) -> None:
    """What is shrunk ends at the simplest choices, which Hypothesis tries first."""

    @bounded(1)
    @given(broken_archives("trace", rule=rule))
    def small(broken: Broken) -> None:
        nodes = broken.archive.document["nodes"]
        assert len(nodes) <= 4
        assert nodes["/"]["attributes"]["created_at"].startswith("0000-01-01")

    small()


def test_every_field_and_keyword_of_the_released_schemas_has_a_break() -> None:
    used = {pair for name in PROFILES for pair in pairs(versions.load(VERSION).profile(name))}
    assert not used - set(BREAKS)
    assert len(used) > 60


def test_every_allowed_keyword_has_a_break() -> None:
    """Those that lead elsewhere are broken where they lead: names and items have steps of their own."""
    dialect = versions.read_json(versions.root() / "keywords.schema.json")
    keywords = set(dialect["$defs"]["schema"]["propertyNames"]["enum"]) - WORDS
    leading = {"allOf", "if", "then", "properties", "patternProperties", "additionalProperties"}
    steps = {"propertyNames": "(names)", "items": "[]", "prefixItems": "[0]"}
    assert keywords - leading - set(steps) == {keyword for _, keyword in BREAKS}
    for step in steps.values():
        assert any(field.endswith(step) for field, _ in BREAKS)


OWN = {
    "title": "own",
    "description": "Of a test.",
    "allOf": [
        {"$ref": "https://vizschema.org/spec/1.0.0/trace/must.schema.json"},
        {
            "$anchor": "own-score",
            "title": "There is a score.",
            "description": "It is what we look for. Fix: write it.",
            "properties": {
                "nodes": {
                    "required": ["/outputs/score"],
                    "properties": {
                        "/outputs/score": {
                            "properties": {
                                "kind": {"not": {"const": "group"}},
                                "dtype": {"enum": ["float16", "int8"]},
                                "axes": {"enum": [["sample", "class"], ["class"]]},
                                "facts": {"properties": {"minimum": {"minimum": -2}, "maximum": {"maximum": 7}}},
                                "attributes": {
                                    "required": ["unit", "levels"],
                                    "properties": {
                                        "unit": {"type": "string", "pattern": "^(bit|nat)s?$"},
                                        "levels": {
                                            "type": "array",
                                            "minItems": 2,
                                            "maxItems": 3,
                                            "uniqueItems": True,
                                            "not": {"items": {"not": {"const": 4}}},
                                            "items": {"type": "integer", "minimum": 0, "exclusiveMaximum": 9},
                                        },
                                    },
                                },
                            }
                        }
                    },
                }
            },
        },
    ],
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A profile of a user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/own/must.schema.json",
    }
    (folder / "must.schema.json").write_text(json.dumps({**head, **OWN}), encoding="utf-8")
    return folder


def test_a_profile_of_ones_own_is_enough(own: Path) -> None:
    @bounded(10)
    @given(archives(str(own)))
    def conforms(archive: Archive) -> None:
        assert judge(archive.description(), archive.profile) == ()
        assert "/outputs/score" in archive.document["nodes"]

    conforms()

    @bounded(10)
    @given(broken_archives(str(own), rule="own-score"))
    def raises(broken: Broken) -> None:
        assert check(broken) is None

    raises()


def test_a_field_that_no_table_knows_is_refused(own: Path) -> None:
    schema = json.loads((own / "must.schema.json").read_text(encoding="utf-8"))
    score = schema["allOf"][1]["properties"]["nodes"]["properties"]["/outputs/score"]["properties"]
    score["bytes"] = {"maximum": 100000}
    (own / "must.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    assert ("nodes/*/bytes", "maximum") in pairs(versions.load(VERSION).profile(str(own)))

    @bounded(1)
    @given(archives(str(own)))
    def refused(archive: Archive) -> None:
        base = Base(archive)
        base_changes = partial(changes, base)
        with pytest.raises(ValueError, match=r"no break for 'maximum' of nodes/\*/bytes"):
            list(map(base_changes, base.applied))

    refused()


def later_versions() -> list[str]:
    """The installed versions after 1.0.0 that promise to accept what it accepts."""
    return [version for version in versions.versions() if version.startswith("1.") and version != VERSION]


def refused(profile: str, later: Profile, examples: int) -> list[str]:
    """The rules of `later` that archives which conform under 1.0.0 break; recommendations may be new."""
    rules: set[str] = set()

    @bounded(examples)
    @given(archives(profile, VERSION))
    def judged(archive: Archive) -> None:
        findings = judge(archive.description(), later)
        rules.update(finding.rule for finding in findings if finding.severity == "error")

    judged()
    return sorted(rules)


@pytest.mark.parametrize("profile", PROFILES)
def test_later_versions_accept_what_1_0_0_accepts(profile: str) -> None:
    for version in later_versions():
        assert refused(profile, versions.load(version).profile(profile), 30) == []


def test_a_stricter_version_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "1.1.0" / "trace"
    shutil.copytree(versions.load(VERSION).folder / "trace", folder)
    for path in folder.glob("*.schema.json"):
        path.write_text(path.read_text(encoding="utf-8").replace("spec/1.0.0/", "spec/1.1.0/"), encoding="utf-8")
    same = versions.load(VERSION).profile(str(folder))
    assert same.must.endswith("spec/1.1.0/trace/must.schema.json")
    assert refused("trace", same, 5) == []
    must = folder / "must.schema.json"
    text = must.read_text(encoding="utf-8")
    wanted = '"model_name": {"type": "string", "minLength": 1}'
    stricter = text.replace(wanted, '"model_name": {"type": "string", "minLength": 40}')
    assert stricter != text
    shutil.copytree(folder, tmp_path / "1.2.0" / "trace")
    (tmp_path / "1.2.0" / "trace" / "must.schema.json").write_text(stricter, encoding="utf-8")
    assert refused("trace", versions.load(VERSION).profile(str(tmp_path / "1.2.0" / "trace")), 5) == ["model-identity"]


def test_the_long_run_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--examples", "4", "--profile", "trace", "--rule", "generator", "--rule", "finite"]) == 0
    assert "4 broke their rule and no undeclared one; 0 did not" in capsys.readouterr().out
