"""The vectors of "How to judge": this package gets them right, and each wrong reading of a sentence gets one wrong."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from support.plain_judge import WRONG, Plain

from vizschema.conformance.strength import vectors
from vizschema.containers.base import Limits
from vizschema.containers.hdf5.attributes import ATTRIBUTES
from vizschema.containers.zarr.metadata import RANK
from vizschema.description import complete
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.rules.versions import Spec

SPEC = versions.load("1.0.0")
PATHS = {version: versions.load(version).folder / "judging_vectors.json" for version in versions.versions()}
EVERY = {version: json.loads(path.read_bytes()) for version, path in PATHS.items()}
VECTORS = EVERY["1.0.0"]
JUDGED = pytest.mark.parametrize(
    ("spec", "vector"),
    [
        pytest.param(versions.load(version), vector, id=f"{version} {vector['about']}: {vector['why']}")
        for version, vectors_of in EVERY.items()
        for vector in vectors_of["judged"]
    ],
)
DESCRIPTION = jsonschema.Draft202012Validator(versions.read_json(versions.root() / "description.schema.json"))


def expected(vector: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return sorted((each["severity"], each["rule"], each["path"], each["instance"]) for each in vector["findings"])


@pytest.mark.parametrize("version", PATHS)
def test_the_file_is_what_the_command_makes(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    vectors.main(version)
    assert capsys.readouterr().out == PATHS[version].read_text(encoding="utf-8")


@pytest.mark.parametrize("version", EVERY)
def test_the_file_is_as_its_schema_says(version: str) -> None:
    schema = versions.read_json(versions.root() / "judging_vectors.schema.json")
    found = EVERY[version]
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(found)) == []
    for vector in (*found["judged"], *found["derived"]):
        assert list(DESCRIPTION.iter_errors(vector["description"])) == []


@JUDGED
def test_the_package_comes_to_the_findings(spec: Spec, vector: dict[str, Any]) -> None:
    found = judge(vector["description"], spec.profile(vector["profile"]))
    assert sorted((each.severity, each.rule, each.path, each.instance) for each in found) == expected(vector)


@JUDGED
def test_the_chapter_written_down_once_more_comes_to_them(spec: Spec, vector: dict[str, Any]) -> None:
    assert Plain(spec.profile(vector["profile"])).findings(vector["description"]) == expected(vector)


@pytest.mark.parametrize(("about", "wrong"), [(about, each) for about, readings in WRONG.items() for each in readings])
def test_a_wrong_reading_of_a_sentence_fails_a_vector_about_it(about: str, wrong: str) -> None:
    told = [vector for vector in VECTORS["judged"] if vector["about"] == about]
    assert any(
        Plain(SPEC.profile(vector["profile"]), wrong).findings(vector["description"]) != expected(vector)
        for vector in told
    )


@pytest.mark.parametrize("vector", VECTORS["derived"], ids=lambda vector: vector["why"])
def test_what_is_derived_follows_from_the_nodes(vector: dict[str, Any]) -> None:
    description = vector["description"]
    derived = {"members", "roles", "references", "coordinate", "unused_scopes"}
    nodes = {
        path: {key: value for key, value in node.items() if key not in derived}
        for path, node in description["nodes"].items()
    }
    assert complete(description["container"], nodes) == description


def test_the_package_accepts_at_least_what_every_validator_accepts() -> None:
    least = versions.read_json(SPEC.folder / "limits.json")
    own = {**{name: getattr(Limits(), name) for name in Limits.__slots__}, "rank": RANK, "attributes": ATTRIBUTES}
    assert {name for name, size in least.items() if own.get(name, size) < size} == set()
    prose = (SPEC.folder / "judging.md").read_text(encoding="utf-8")
    units = {20: "MiB"}
    for name, size in least.items():
        shown = f"{size >> 20} {units[20]}" if name.endswith("bytes") else f"{size:,}"
        assert f"| `{name}` | {shown} |" in prose
