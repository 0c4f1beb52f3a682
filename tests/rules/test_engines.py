"""Both engines come to the same findings whatever the strings; profiles build on profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support import descriptions
from support.descriptions import array

from vizschema import description
from vizschema.conformance.strength.second_opinion import second_opinion
from vizschema.containers.attributes import clean_attributes
from vizschema.containers.base import name_node
from vizschema.rules import versions
from vizschema.rules.judge import judge

SPEC = versions.load("1.0.0")
HOSTILE = st.one_of(
    st.text(max_size=12),
    st.text(
        alphabet=st.sampled_from("a_0A/\\\n\r\t\x00\x1b\u202e\u2028\ud800é߀٣ſK~$^.[]\ufeff"), min_size=1, max_size=8
    ),
    st.sampled_from(
        ["layer_00\n", "layer_0", "2026-11-21T09:00:00Z\n", "ſize", "__proto__", "$ref", "\ud83d", "layer_٣٣"]
    ),
)
VALUES = st.one_of(
    HOSTILE, st.integers(-(2**70), 2**70), st.floats(), st.none(), st.lists(HOSTILE, max_size=3), st.booleans()
)


def both(document: description.Description, profile: versions.Profile) -> list[tuple[str, str]]:
    """The findings of both engines, once they are the same."""
    findings = [(finding.rule, finding.instance) for finding in judge(document, profile)]
    assert findings == [(fault.rule.id, fault.pointer) for fault in second_opinion(document, profile)]
    return findings


@settings(deadline=None, max_examples=60)
@given(
    profile=st.sampled_from(SPEC.profiles),
    name=HOSTILE.filter(lambda name: "/" not in name and name not in ("", ".", "..")),
    parent=st.sampled_from(["/", "/metadata", "/activations", "/attention", "/extra", "/outputs"]),
    axis=HOSTILE,
    attributes=st.dictionaries(HOSTILE, VALUES, max_size=3),
    root=st.dictionaries(st.sampled_from(["created_at", "spec_version", "profile", "generator"]), VALUES),
)
def test_engines_agree_on_hostile_strings(
    profile: str, name: str, parent: str, axis: str, attributes: dict[str, Any], root: dict[str, Any]
) -> None:
    nodes = descriptions.PROFILES[profile]()
    cleaned = clean_attributes(attributes)
    safe, node = name_node(cleaned.of(description.array("float32", [5], [axis], {}, None)), name, cleaned.escaped)
    nodes[description.join(parent, safe)] = node
    nodes["/"]["attributes"].update(clean_attributes(root).values)
    both(descriptions.complete(nodes), SPEC.profile(profile))


def own_profile(folder: Path, name: str, base: str, *rules: dict[str, Any]) -> Path:
    """A folder with a profile of one's own, on `base`."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://example.org/profiles/{name}/must.schema.json",
        "title": f"{name}, must",
        "description": f"What every trace of {name} obeys.",
        "allOf": [{"$ref": base}, *rules],
    }
    (folder / "must.schema.json").write_text(json.dumps(document))
    return folder


def rule(anchor: str, **body: Any) -> dict[str, Any]:
    return {"$anchor": anchor, "title": "A clause.", "description": "A reason. Fix: a way.", **body}


def test_a_profile_on_a_profile_on_trace_gives_one_finding_for_one_fault(tmp_path: Path) -> None:
    decoder = own_profile(
        tmp_path / "gpt" / "decoder",
        "gpt/decoder",
        "https://vizschema.org/spec/1.0.0/trace/must.schema.json",
        {"properties": {"nodes": rule("decoder-logits", required=["/outputs/logits"])}},
    )
    known = "^/(|metadata|outputs|outputs/logits|activations|activations/layer_[0-9]+|extra(/.*)?)$"
    gpt = own_profile(
        tmp_path / "gpt",
        "gpt",
        "decoder/must.schema.json",
        {"properties": {"nodes": {"propertyNames": rule("gpt-known-nodes", pattern=known)}}},
    )
    assert decoder.is_dir()
    profile = SPEC.profile(str(gpt))

    def found(**changes: Any) -> list[tuple[str, str]]:
        nodes = {
            **descriptions.root("gpt"),
            "/activations": description.group({"num_layers": 2}),
            "/activations/layer_00": array("token hidden"),
            "/activations/layer_01": array("token hidden"),
            "/outputs": description.group({}),
            "/outputs/logits": array("token class"),
            **changes,
        }
        return both(descriptions.complete({path: node for path, node in nodes.items() if node}), profile)

    assert found() == []
    assert found(**{"/outputs/logits": None, "/outputs": None}) == [("decoder-logits", "/nodes/~1outputs~1logits")]
    stray = {"/weights": description.group({}), "/weights/w": array("hidden"), "/weights/x": array("hidden")}
    assert [name for name, _ in found(**stray)] == ["gpt-known-nodes"]
    wrong = array("token hidden")
    wrong["shape"] = [5, 9]
    assert found(**{"/activations/layer_00": wrong}) == [("axis-one-size", "/axes/hidden")]
    assert found(**{"/activations/layer_01": None}) == [("series-gap", "/series/~1activations~1layer/missing")]
    assert found(**{"/metadata": None}) == [("metadata-group", "/nodes/~1metadata")]


def test_the_profile_of_a_folder_is_named_after_it(tmp_path: Path) -> None:
    folder = own_profile(tmp_path / "gpt2", "gpt2", "https://vizschema.org/spec/1.0.0/trace/must.schema.json")
    profile = SPEC.profile(str(folder))
    assert profile.name == "gpt2"
    assert {rule.severity for rule in profile.rules.values()} == {"error"}
