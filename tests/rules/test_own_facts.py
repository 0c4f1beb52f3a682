"""Profiles by hand: a slip in `facts.json` is an error, and no rule is switched off by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vizschema.errors import SpecError
from vizschema.rules import versions
from vizschema.scan.facts import FACTS, HASH

SPEC = versions.default()
TRACE = "https://vizschema.org/spec/1.0.0/trace/must.schema.json"
RIGHT = '{"extends": ["trace"], "facts": [{"at": "^/inputs/token$", "measure": ["beyond_axis"], "axis": "vocabulary"}]}'


def profile_of(folder: Path, facts: str | None, nodes: dict[str, Any] | None = None) -> versions.Profile:
    """A profile that judges `beyond_axis` of the tokens, with the text of its `facts.json`."""
    judged = {"properties": {"facts": {"properties": {"beyond_axis": {"maximum": 0}}}}}
    logits = {"properties": {"axes": {"if": {"type": "array"}, "then": {"const": ["token:query", "vocabulary"]}}}}
    asserted = nodes or {"properties": {"/inputs/token": judged, "/outputs/logits": logits}}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/own/must.schema.json",
        "title": "own",
        "description": "own",
        "allOf": [
            {"$ref": TRACE},
            {"$anchor": "own-rule", "title": "So.", "description": "Why. Fix: it.", "properties": {"nodes": asserted}},
        ],
    }
    versions.clear()
    folder.mkdir(exist_ok=True)
    (folder / "must.schema.json").write_text(json.dumps(document), encoding="utf-8")
    if facts is not None:
        (folder / "facts.json").write_text(facts, encoding="utf-8")
    return SPEC.profile(str(folder))


def test_a_profile_measures_what_its_rules_judge(tmp_path: Path) -> None:
    assert profile_of(tmp_path / "own", RIGHT).facts[-1]["measure"] == ["beyond_axis"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("measure", "meassure", "facts 0: 'meassure' is not one of the keys of an entry; did you mean measure?"),
        ('"facts"', '"fact"', "'fact' is not one of the keys of facts.json; did you mean facts?"),
        ("vocabulary", "vocab", "no rule has the axis 'vocab'; did you mean vocabulary?"),
        ("/inputs/token", "/input/token", "no rule judges beyond_axis at ^/input/token$; did you mean /inputs/token?"),
        ("beyond_axis", "beyond_axes", "expected a fact, found 'beyond_axes'; did you mean beyond_axis?"),
        ('["trace"]', '"trace"', "extends: expected a list of profiles"),
        ('"^/inputs', '"(/inputs', "expected a pattern of paths, found '(/inputs/token$'"),
        ('"beyond_axis"', '"argmax_differs"', "no rule judges argmax_differs"),
    ],
)
def test_a_slip_is_an_error_that_says_what_is_meant(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        profile_of(tmp_path / "own", RIGHT.replace(old, new))
    assert str(raised.value).startswith(str(tmp_path / "own" / "facts.json"))
    assert said in str(raised.value)


@pytest.mark.parametrize("facts", [None, "{}", '{"facts": []}'])
def test_a_rule_of_which_nothing_is_measured_is_an_error(facts: str | None, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nothing measures beyond_axis, which a rule judges at /inputs/token"):
        profile_of(tmp_path / "own", facts)


@pytest.mark.parametrize("name", ["patternProperties", "additionalProperties"])
def test_facts_are_seen_wherever_a_rule_judges_them(name: str, tmp_path: Path) -> None:
    inner: dict[str, Any] = {"properties": {"facts": {"required": ["masked_nonzero"]}}}
    nested = {"allOf": [{"if": {"properties": {"kind": {"const": "array"}}}, "then": inner}]}
    with pytest.raises(SpecError, match="nothing measures masked_nonzero"):
        profile_of(tmp_path / "own", None, {name: {"^/x$": nested} if name == "patternProperties" else nested})


def test_what_trace_measures_needs_no_entry(tmp_path: Path) -> None:
    judged = {"properties": {"facts": {"properties": {"minimum": {"minimum": 0}, "damaged_chunks": {"maxItems": 0}}}}}
    assert profile_of(tmp_path / "own", None, {"properties": {"/inputs/token": judged}})


def test_the_schema_of_facts_knows_every_fact() -> None:
    schema = versions.read_json(versions.root() / "facts.schema.json")
    entry = schema["properties"]["facts"]["items"]["properties"]
    assert set(entry["measure"]["items"]["enum"]) == set(FACTS) - {HASH}
    assert {key for fact in FACTS.values() for key in fact.needs} <= set(entry)
