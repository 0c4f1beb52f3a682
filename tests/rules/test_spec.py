"""The schemas as data: their keywords, their rules, and profiles built on profiles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vizschema.description import REASONS
from vizschema.errors import SpecError
from vizschema.rules import versions

SPEC = versions.load("1.0.0")
SCHEMAS = sorted(SPEC.folder.rglob("*.schema.json"))
KEYWORDS = jsonschema.Draft202012Validator(json.loads((versions.root() / "keywords.schema.json").read_text()))
ASSERTIONS = {
    *("type", "const", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "pattern"),
    *("minItems", "maxItems", "uniqueItems", "required", "maxProperties", "anyOf", "not"),
}


def schema_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def walk(schema: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every subschema of a document, with its place."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for keyword, value in schema.items():
        if keyword in versions.NAMED_MEMBERS:
            for name, member in value.items():
                yield from walk(member, (*place, keyword, name))
        elif keyword not in ("const", "enum"):
            for index, item in enumerate(value) if isinstance(value, list) else ():
                yield from walk(item, (*place, keyword, str(index)))
            if isinstance(value, dict):
                yield from walk(value, (*place, keyword))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
class TestEverySchema:
    def test_is_json_schema_2020_12(self, path: Path) -> None:
        jsonschema.Draft202012Validator.check_schema(schema_of(path))

    def test_uses_allowed_keywords(self, path: Path) -> None:
        assert [error.message for error in KEYWORDS.iter_errors(schema_of(path))] == []

    def test_has_the_id_under_which_it_is_found(self, path: Path) -> None:
        relative = path.relative_to(versions.root()).as_posix()
        assert schema_of(path)["$id"] == f"https://vizschema.org/spec/{relative}"

    def test_makes_every_assertion_inside_a_rule(self, path: Path) -> None:
        document = schema_of(path)
        anchored = {place for place, schema in walk(document) if "$anchor" in schema}
        for place, schema in walk(document):
            if not ASSERTIONS & set(schema) or {"if", "not", "anyOf"} & set(place):
                continue
            assert any(place[:length] in anchored for length in range(len(place) + 1)), place

    def test_refers_only_to_rules_where_a_rule_refers(self, path: Path) -> None:
        """A reference inside a rule would move the absolute location out of it."""
        document = schema_of(path)
        for _, schema in walk(document):
            if "$anchor" in schema:
                assert not [inner for place, inner in walk(schema) if "$ref" in inner and place]

    def test_states_no_rule_within_a_rule(self, path: Path) -> None:
        for _, schema in walk(schema_of(path)):
            if "$anchor" in schema:
                assert not [place for place, inner in walk(schema) if "$anchor" in inner and place]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_a_misspelt_keyword_is_refused(path: Path) -> None:
    document = schema_of(path)
    places = [(place, keyword) for place, schema in walk(document) for keyword in schema if keyword[0] != "$"]
    assert places
    for place, keyword in places[:: max(1, len(places) // 60)]:
        copy = schema_of(path)
        target: Any = copy
        for token in place:
            target = target[int(token) if isinstance(target, list) else token]
        target[f"{keyword}s"] = target.pop(keyword)
        assert not KEYWORDS.is_valid(copy), (place, keyword)


@pytest.mark.parametrize("pattern", [r"\d+", r"\w", r"\s", r"\pL", "(?=a)", "(?:a)", "a*?", "é", r"(a)\1"])
def test_a_pattern_that_engines_read_differently_is_refused(pattern: str) -> None:
    document = schema_of(SCHEMAS[0])
    document["allOf"].append({"propertyNames": {"pattern": pattern}})
    assert not KEYWORDS.is_valid(document)


def test_every_rule_has_an_id_of_its_own_in_the_whole_version() -> None:
    anchors = [schema["$anchor"] for path in SCHEMAS for _, schema in walk(schema_of(path)) if "$anchor" in schema]
    assert len(anchors) == len(set(anchors))
    assert set(anchors) == {rule for name in SPEC.profiles for rule in SPEC.profile(name).rules}


def test_every_rule_says_its_clause_its_reason_and_how_to_mend_a_breach() -> None:
    for name in SPEC.profiles:
        for rule in SPEC.profile(name).rules.values():
            assert rule.title.endswith("."), rule.id
            assert rule.reason, rule.id
            assert rule.fix, rule.id


def test_every_reason_of_a_faulty_node_has_a_rule() -> None:
    assert set(REASONS) <= set(SPEC.profile("trace").rules)


def test_severity_is_the_file_that_states_the_rule() -> None:
    rules = SPEC.profile("trace").rules
    assert rules["axes-named"].severity == "error"
    assert rules["recommended-metadata"].severity == "warning"


def test_facts_are_asked_for_by_patterns_that_compile_and_fields_that_descriptions_know() -> None:
    described = json.loads((versions.root() / "description.schema.json").read_text())
    known = set(described["$defs"]["node"]["allOf"][1]["then"]["properties"]["facts"]["properties"])
    groups = {
        "range": {"minimum", "maximum"},
        "row_sum": {"row_length", "row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum"},
    }
    for name in SPEC.profiles:
        facts = SPEC.profile(name).facts
        assert facts
        for fact in facts:
            re.compile(fact["at"])
            for measure in fact["measure"]:
                assert groups.get(measure, {measure}) <= known


def test_the_digest_covers_every_file_of_the_version() -> None:
    assert set(SPEC.files) == {
        path.relative_to(SPEC.folder).as_posix() for path in SPEC.folder.rglob("*") if path.is_file()
    }
    assert re.fullmatch("[0-9a-f]{64}", SPEC.digest)


class TestOwnProfiles:
    def write(self, folder: Path, **documents: dict[str, Any]) -> Path:
        folder.mkdir(exist_ok=True)
        for name, document in documents.items():
            (folder / f"{name}.schema.json").write_text(json.dumps(document))
        return folder

    def document(self, name: str, *rules: dict[str, Any], level: str = "must") -> dict[str, Any]:
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"https://example.org/{name}/{level}.schema.json",
            "title": name,
            "description": name,
            "allOf": list(rules),
        }

    def test_a_missing_schema_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path / "own", must=self.document("own", {"$ref": "gone/must.schema.json"}))
        with pytest.raises(
            SpecError, match=r"gone/must\.schema\.json.*not a schema of an installed version or beside it"
        ):
            SPEC.profile(str(tmp_path / "own"))

    def test_a_reference_to_nothing_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path / "own", must=self.document("own", {"$ref": "#/$defs/nothing"}))
        with pytest.raises(SpecError, match="leads to nothing"):
            SPEC.profile(str(tmp_path / "own"))

    def test_a_rule_stated_twice_is_named(self, tmp_path: Path) -> None:
        rule = {"$anchor": "finite", "title": "x.", "description": "y. Fix: z.", "properties": {}}
        trace = {"$ref": "https://vizschema.org/spec/1.0.0/trace/must.schema.json"}
        self.write(tmp_path / "own", must=self.document("own", trace, rule))
        with pytest.raises(SpecError, match="rule 'finite' is stated twice"):
            SPEC.profile(str(tmp_path / "own"))

    def test_a_misspelt_keyword_is_named(self, tmp_path: Path) -> None:
        misspelt = {"properties": {"nodes": {"requierd": ["/inputs/token"]}}}
        self.write(tmp_path / "own", must=self.document("own", misspelt))
        said = "nodes: 'requierd' is not one of the keywords that schemas may use; did you mean required"
        with pytest.raises(SpecError, match=said):
            SPEC.profile(str(tmp_path / "own"))

    def test_a_word_like_no_keyword_gets_the_list_of_them(self, tmp_path: Path) -> None:
        self.write(tmp_path / "own", must=self.document("own", {"zzz": 1}))
        with pytest.raises(
            SpecError, match=r"'zzz' is not one of the keywords that schemas may use: expected one of .*, maxProperties"
        ):
            SPEC.profile(str(tmp_path / "own"))

    @pytest.mark.parametrize(
        ("title", "description", "said"),
        [
            ("x", "y. Fix: z.", "allOf/0/title: expected a sentence that ends with a full stop, found 'x'"),
            ("x.", "y.", "allOf/0/description: expected the reason for the rule, then how to fix a breach"),
        ],
    )
    def test_the_texts_of_a_rule_say_what_is_expected_of_them_and_no_pattern(
        self, title: str, description: str, said: str, tmp_path: Path
    ) -> None:
        rule = {"$anchor": "own-rule", "title": title, "description": description, "properties": {}}
        self.write(tmp_path / "own", must=self.document("own", rule))
        with pytest.raises(SpecError, match=re.escape(said)):
            SPEC.profile(str(tmp_path / "own"))

    def test_an_unknown_profile_lists_the_known_ones(self) -> None:
        with pytest.raises(SpecError, match="mnist, openfold, trace, vit"):
            SPEC.profile("gpt2")

    def test_a_version_that_is_not_installed_lists_the_installed_ones(self) -> None:
        with pytest.raises(SpecError, match=r"'9\.9\.9' is not installed; found 1\.0\.0"):
            versions.load("9.9.9")


def test_a_profile_of_ones_own_measures_what_the_rules_that_it_builds_on_are_about(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/own/must.schema.json",
        "title": "own",
        "description": "A profile of one's own.",
        "allOf": [{"$ref": "https://vizschema.org/spec/1.0.0/trace/must.schema.json"}],
    }
    (folder / "must.schema.json").write_text(json.dumps(schema))
    assert SPEC.profile(str(folder)).facts == SPEC.profile("trace").facts
    (folder / "facts.json").write_text(json.dumps({"facts": [{"at": "^/extra/", "measure": ["range"]}]}))
    versions.load_profile.cache_clear()
    assert SPEC.profile(str(folder)).facts[-1]["at"] == "^/extra/"
    assert len(SPEC.profile(str(folder)).facts) == len(SPEC.profile("trace").facts) + 1
    (folder / "facts.json").write_text(json.dumps({"extends": []}))
    versions.load_profile.cache_clear()
    assert SPEC.profile(str(folder)).facts == ()


def test_a_profile_is_shown_without_its_schemas() -> None:
    assert all(len(repr(SPEC.profile(name))) < 1000 for name in SPEC.profiles)
