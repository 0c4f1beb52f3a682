"""The generator: what it draws conforms, what it breaks is found, and both shrink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vizschema import specs, validate, write
from vizschema.conformance.cases import FOLDER
from vizschema.conformance.generator import Archive, archives
from vizschema.conformance.generator.constraints import holds
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.values import BUILDERS
from vizschema.conformance.raw import CONTAINERS, SUFFIXES
from vizschema.judge import judge

VERSION = "1.0.0"
PROFILES = specs.load(VERSION).profiles
WORDS = {"$schema", "$id", "$ref", "$anchor", "$defs", "$comment", "title", "description"}
Test = Callable[..., Any]


def bounded(examples: int, *, shrink: bool = False) -> Callable[[Test], Test]:
    """Few examples, the same in every run, and no waiting for them."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    made: Callable[[Test], Test] = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=phases,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return made


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_drawn_conforms(profile: str) -> None:
    seen = []

    @bounded(30)
    @given(archives(profile))
    def conforms(archive: Archive) -> None:
        seen.append(archive)
        assert judge(archive.description(), archive.profile) == ()
        assert judge(archive.description(values=False), archive.profile) == ()

    conforms()
    assert len(seen) == 30


@bounded(12)
@given(st.sampled_from(PROFILES).flatmap(archives), st.sampled_from(sorted(CONTAINERS)))
def test_what_is_drawn_conforms_in_every_container(
    tmp_path_factory: pytest.TempPathFactory, archive: Archive, container: str
) -> None:
    path = tmp_path_factory.mktemp("drawn") / f"archive{SUFFIXES[container]}"
    archive.write(path, container)
    report = validate(path, jobs=1)
    assert (report.profile, report.findings) == (archive.profile.name, ())


def test_an_array_in_the_place_of_attention_is_cut_and_measured(tmp_path: Path) -> None:
    archive = Archive(specs.read_json(FOLDER / VERSION / "bases" / "trace.json"), specs.load(VERSION).profile("trace"))
    arrays, attributes = archive.arrays()
    arrays["/attention"] = arrays.pop("/attention/self/layer_00")
    groups = {path: given for path, given in attributes.items() if not path.startswith("/attention")}
    write(tmp_path / "archive.zarr", arrays, groups, profile="trace")
    assert validate(tmp_path / "archive.zarr", jobs=1).findings == ()


def test_every_keyword_of_the_dialect_has_a_builder() -> None:
    dialect = specs.read_json(specs.root() / "dialect.schema.json")
    keywords = set(dialect["$defs"]["schema"]["propertyNames"]["enum"])
    assert keywords - WORDS == set(BUILDERS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (Language(("^[a-z]+$",), ("^a",)), "b"),
        (Language(("b.*c",)), "bc"),
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
        ({"contains": {"const": 2}}, [1], False),
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
