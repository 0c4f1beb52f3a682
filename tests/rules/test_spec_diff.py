"""`spec diff`: every kind of change of a rule is named, and makes the step that it makes to archives."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vizschema.cli.main import main
from vizschema.rules import versions
from vizschema.rules.assertions import profiles_of
from vizschema.rules.diff import STEPS, Change, claimed, compare, side, step

Edit = Callable[[Path], None]


def rule_in(document: Any, anchor: str) -> dict[str, Any]:
    """The schema of a rule, wherever it stands in a document."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict) and value.get("$anchor") == anchor:
            return value
        pending.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    raise AssertionError(anchor)


def edit(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    path = folder / name
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A working copy of the newest version."""
    return Path(shutil.copytree(versions.default().folder, tmp_path / "copy"))


def changes(copy: Path) -> list[Change]:
    return compare(side(versions.default().version), side(str(copy)))


def test_a_version_does_not_differ_from_itself_nor_from_its_copy(copy: Path) -> None:
    assert changes(copy) == []


def test_every_rule_is_flattened_with_an_assertion() -> None:
    for name, flat in profiles_of(versions.default().folder).items():
        rules = versions.default().profile(name).rules
        assert set(flat.rules) == set(rules)
        assert {each.rule for each in flat.assertions} == set(rules)
        for each in flat.assertions:
            assert each.severity == rules[each.rule].severity


def test_the_order_of_keys_and_branches_is_no_difference(copy: Path) -> None:
    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turn(value[key]) for key in reversed(value)}
        return value if not isinstance(value, list) else [turn(item) for item in value]

    def turned(document: dict[str, Any]) -> None:
        document["allOf"] = turn(document["allOf"][::-1])

    edit(copy, "trace/must.schema.json", turned)
    assert changes(copy) == []


MUST, SHOULD = "trace/must.schema.json", "trace/should.schema.json"


def set_in(anchor: str, *places: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        target = rule_in(document, anchor)
        for place in places[:-1]:
            target = target[place]
        target[places[-1]] = value

    return change


def add(rule: dict[str, Any], name: str = "new-rule") -> Callable[[Any], None]:
    stated = {"$anchor": name, "title": "So.", "description": "Why. Fix: it."}
    return lambda document: document["allOf"].append({**stated, **rule})


def drop(anchor: str) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for item in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
            change(item)
        if isinstance(value, dict) and isinstance(value.get("allOf"), list):
            value["allOf"] = [item for item in value["allOf"] if item.get("$anchor") != anchor]

    return change


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (MUST, set_in("model-identity", "title", value="Another."), ("reworded", "model-identity", "patch")),
        (MUST, add({"maxProperties": 9}), ("added", "new-rule", "major")),
        (SHOULD, add({"maxProperties": 9}), ("added", "new-rule", "minor")),
        (MUST, drop("capture-complete"), ("dropped", "capture-complete", "minor")),
        (
            MUST,
            set_in("model-identity", "required", value=["model_name", "model_version", "x"]),
            ("tightened", "model-identity", "major"),
        ),
        (MUST, set_in("model-identity", "required", value=["model_name"]), ("loosened", "model-identity", "minor")),
        (MUST, set_in("model-identity", "maxProperties", value=3), ("tightened", "model-identity", "major")),
        (
            MUST,
            set_in("spec-version", "properties", "spec_version", "enum", value=["1.0.0", "1.1.0"]),
            ("loosened", "spec-version", "minor"),
        ),
        (
            MUST,
            set_in("spec-version", "properties", "spec_version", "enum", value=["1.1.0"]),
            ("tightened", "spec-version", "major"),
        ),
        (
            MUST,
            set_in("profile-declared", "properties", "profile", "pattern", value="^.*$"),
            ("tightened", "profile-declared", "major"),
        ),
        (
            SHOULD,
            set_in("recommended-metadata", "maxProperties", value=3),
            ("tightened", "recommended-metadata", "minor"),
        ),
    ],
)
def test_a_change_of_one_rule_is_one_difference(
    copy: Path, name: str, change: Callable[[Any], None], expected: tuple[str, str, str]
) -> None:
    edit(copy, name, change)
    assert [(each.kind, each.subject, each.step) for each in changes(copy)] == [expected]


@pytest.mark.parametrize(
    ("keyword", "old", "new", "kind"),
    [
        ("minimum", 1, 2, "tightened"),
        ("minimum", 2, 1, "loosened"),
        ("maximum", 2, 1, "tightened"),
        ("maximum", 1, 2, "loosened"),
        ("minLength", 2, 1, "loosened"),
        ("maxItems", 2, 1, "tightened"),
        ("const", 1, 2, "tightened"),
        ("enum", [1, 2], [2], "tightened"),
        ("enum", [2], [1, 2], "loosened"),
        ("type", "integer", "number", "loosened"),
        ("type", ["string", "null"], "string", "tightened"),
        ("required", ["a", "b"], ["b"], "loosened"),
        ("uniqueItems", None, True, "tightened"),
        ("uniqueItems", True, None, "loosened"),
        ("not", {"const": 1}, {"const": 2}, "tightened"),
        ("anyOf", [{"const": 1}], [{"const": 1}, {"const": 2}], "tightened"),
    ],
)
def test_the_direction_of_each_keyword(tmp_path: Path, keyword: str, old: Any, new: Any, kind: str) -> None:
    for name, value in (("old", old), ("new", new)):
        own_profile(tmp_path / name, {} if value is None else {keyword: value})
    found = compare(side(str(tmp_path / "old")), side(str(tmp_path / "new")))
    assert [(each.kind, each.subject) for each in found] == [(kind, "own-rule")]


def own_profile(folder: Path, assertion: dict[str, Any]) -> None:
    folder.mkdir()
    rule = {"$anchor": "own-rule", "title": "So.", "description": "Why. Fix: it.", "minItems": 0}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/own/must.schema.json",
        "title": "own",
        "description": "own",
        "allOf": [{"properties": {"values": {**rule, **assertion}}}],
    }
    (folder / "must.schema.json").write_text(json.dumps(document))


def test_a_rule_whose_condition_changed_is_not_called_looser(copy: Path) -> None:
    def change(document: Any) -> None:
        condition = rule_in(document, "all-equal")["if"]["properties"]["attributes"]
        condition["required"] = ["all_equal", "other"]

    edit(copy, MUST, change)
    assert ("all-equal", "major") in {(each.subject, each.step) for each in changes(copy)}


def test_a_must_that_becomes_a_should_is_looser_and_the_other_way_round_tighter(copy: Path) -> None:
    moved = json.loads((copy / MUST).read_bytes())
    rule = rule_in(moved, "root-group")
    edit(copy, MUST, drop("root-group"))
    edit(copy, SHOULD, lambda document: document["allOf"].append({"properties": {"nodes": {"allOf": [rule]}}}))
    found = {(each.kind, each.subject, each.detail, each.step) for each in changes(copy)}
    assert ("loosened", "root-group", "error → warning", "minor") in found
    other = compare(side(str(copy)), side(versions.default().version))
    assert ("tightened", "root-group", "warning → error", "major") in {
        (each.kind, each.subject, each.detail, each.step) for each in other
    }


def test_a_profile_that_is_new_is_a_minor_step_and_one_that_is_gone_a_major_one(copy: Path) -> None:
    shutil.rmtree(copy / "vit")
    found = {(each.kind, each.subject, each.step) for each in changes(copy)}
    assert ("dropped", "profile vit", "major") in found
    back = compare(side(str(copy)), side(versions.default().version))
    assert ("added", "profile vit", "minor") in {(each.kind, each.subject, each.step) for each in back}


def test_prose_is_a_patch_and_a_measurement_is_not(copy: Path) -> None:
    (copy / "spec.md").write_text("another")
    assert [(each.kind, each.subject, each.step) for each in changes(copy)] == [("reworded", "spec.md", "patch")]
    edit(copy, "trace/facts.json", lambda document: document["facts"].append({"at": "^/", "measure": ["nan"]}))
    assert ("tightened", "facts.json", "major") in {(each.kind, each.subject, each.step) for each in changes(copy)}


def test_a_rule_on_a_node_that_was_not_allowed_before_is_a_minor_step(copy: Path) -> None:
    def rule(path: str) -> dict[str, Any]:
        return {"properties": {"nodes": {"properties": {path: {"required": ["axes"]}}}}}

    edit(copy, "openfold/must.schema.json", add(rule("/outputs/brand_new")))
    assert [(each.subject, each.step) for each in changes(copy)] == [("new-rule", "minor")]
    edit(copy, "openfold/must.schema.json", add(rule("/outputs/ptm"), "known-node"))
    assert ("known-node", "major") in {(each.subject, each.step) for each in changes(copy)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.0.0", "2.0.0", "major"),
        ("1.0.0", "1.1.0", "minor"),
        ("1.9.0", "1.10.0", "minor"),
        ("1.0.0", "1.0.1", "patch"),
    ],
)
def test_numbers_claim_steps(old: str, new: str, expected: str) -> None:
    assert claimed(old, new) == expected
    assert claimed(old, old) == "none"
    with pytest.raises(ValueError, match="comes before"):
        claimed(new, old)


@pytest.mark.parametrize(
    ("number", "change", "code"),
    [
        ("1.0.1", set_in("model-identity", "title", value="Another."), 0),
        ("1.0.0", set_in("model-identity", "title", value="Another."), 1),
        ("1.0.1", set_in("model-identity", "required", value=["model_name"]), 1),
        ("1.1.0", set_in("model-identity", "required", value=["model_name"]), 0),
        ("1.1.0", set_in("model-identity", "maxProperties", value=3), 1),
        ("2.0.0", set_in("model-identity", "maxProperties", value=3), 0),
        ("0.9.0", set_in("model-identity", "maxProperties", value=3), 2),
    ],
)
def test_a_number_that_claims_less_is_1(
    copy: Path, number: str, change: Callable[[Any], None], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy.rename(copy.parent / number)
    edit(folder, MUST, change)
    assert main(["spec", "diff", "1.0.0", str(folder)]) == code
    captured = capsys.readouterr()
    if code < 2:
        assert "model-identity (trace)" in captured.out
        assert captured.out.splitlines()[-1].endswith("too little" if code else "enough")


def test_a_folder_without_number_claims_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_profile(tmp_path / "old", {"minimum": 1})
    own_profile(tmp_path / "new", {"minimum": 2})
    assert main(["spec", "diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "major  tightened  own-rule (own): minimum 1 → 2 at values" in out.replace("(example.org)", "(own)")
    assert "without version numbers to check" in out


@pytest.mark.parametrize("profile_first", [True, False])
def test_a_version_and_a_profile_are_not_compared(profile_first: bool, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ["1.0.0", str(versions.root() / "1.0.0" / "vit")]
    assert main(["spec", "diff", *(sides[::-1] if profile_first else sides)]) == 2
    assert "expected two versions or two profiles, found " in capsys.readouterr().err


def test_what_is_no_spec_is_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "diff", "1.0.0", str(tmp_path)]) == 4
    assert "expected an installed version, the folder of a version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("released", "expected"),
    [
        ((), "no version is released yet: 1.0.0 and 1.1.0 are drafts, without guarantees\n"),
        (
            ("1.0.0",),
            "7 differences: a minor step; the number goes from 1.0.0 to 1.1.0, a minor step, which is enough\n",
        ),
        (("1.0.0", "1.1.0"), "1.1.0, the newest version, is released: nothing to compare\n"),
    ],
)
def test_without_arguments_the_last_release_is_compared(
    released: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded = versions.load
    monkeypatch.setattr(versions, "load", lambda name: replace(loaded(name), released=name in released))
    assert main(["spec", "diff"]) == 0
    assert capsys.readouterr().out.endswith(expected)


def test_every_version_follows_the_one_before_with_a_number_that_claims_enough() -> None:
    assert versions.versions()
    for old, new in itertools.pairwise(versions.versions()):
        assert STEPS.index(claimed(old, new)) >= STEPS.index(step(compare(side(old), side(new))))
