"""What `fix` proposes, on descriptions: one reading only, and never for the worse."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from zoneinfo import available_timezones

import pytest
from support.sample_reports import finding

from vizschema.conformance.corpus.cases import base, described
from vizschema.description import Description
from vizschema.findings import Finding
from vizschema.rules import versions
from vizschema.rules.fixes.attributes import _rfc3339
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.fixes.plan import FIXES, Plan, is_better, is_worse, marked, plan
from vizschema.rules.fixes.proposal import snake
from vizschema.rules.fixes.table import table
from vizschema.rules.verdict import choose, report_of
from vizschema.writer.fixing.documents import FILE_FIXES

OTHERS = {"spec-digest", "profile-digest", "expected-digest"}
"""Rules that no schema states."""


def description(**nodes: dict[str, Any] | None) -> Description:
    """The smallest trace, in Zarr v3, with other nodes; None removes one."""
    document = deepcopy(base("1.0.0", "trace"))
    for name, node in nodes.items():
        path = "/" + name.replace("__", "/")
        if node is None:
            del document["nodes"][path]
        else:
            document["nodes"][path] = {**document["nodes"].get(path, {}), **node}
    found: Description = described(document, "zarr-v3", (), versions.load("1.0.0").profile("trace"))
    return found


def with_attributes(path: str, **attributes: Any) -> Description:
    document = deepcopy(base("1.0.0", "trace"))
    document["nodes"][path]["attributes"].update(attributes)
    found: Description = described(document, "zarr-v3", (), None)
    return found


def planned(given: Description) -> Plan:
    return plan(given, choose, frozenset())


def array(axes: list[str] | None, shape: list[int], **attributes: Any) -> dict[str, Any]:
    contents = {"pattern": "smooth", "seed": 9}
    return {
        "kind": "array",
        "dtype": "float32",
        "axes": axes,
        "shape": shape,
        "contents": contents,
        "attributes": attributes,
    }


def test_every_fix_of_the_table_is_there_and_no_other() -> None:
    by_files = {entry.name for entry in table().fixes.values() if entry.files}
    assert by_files == FILE_FIXES.keys() | {"equal-members"}
    assert table().fixes.keys() - by_files == FIXES.keys()


def test_every_rule_has_a_fix_or_a_reason_why_it_has_none() -> None:
    rules = {
        rule
        for version in versions.versions()
        for profile in versions.load(version).profiles
        for rule in versions.load(version).profile(profile).rules
    }
    named = {rule for entry in table().fixes.values() for rule in entry.rules}
    assert rules | OTHERS == named | table().left.keys()


def test_words_are_for_rules_of_the_fixes_that_use_them() -> None:
    words = table().words
    assert words["types"].keys() == set(table().fixes["typed-values"].rules)
    assert words["spelling"].keys() == set(table().fixes["spelling"].rules)


@pytest.mark.parametrize(
    ("value", "zones", "expected"),
    [
        ("2026-03-08T20:21:03", ["UTC"], "2026-03-08T20:21:03Z"),
        ("2026-03-08T20:21:03", ["+01:00"], "2026-03-08T20:21:03+01:00"),
        ("2026-03-08T20:21:03", ["-0930"], "2026-03-08T20:21:03-09:30"),
        ("2026-03-08T20:21:03", ["UTC+02:00"], "2026-03-08T20:21:03+02:00"),
        ("2026-03-08T20:21:03", ["Europe/Berlin"], "2026-03-08T20:21:03+01:00"),
        ("2026-07-08T20:21:03", ["Europe/Berlin"], "2026-07-08T20:21:03+02:00"),
        ("2026-07-08T20:21:03", ["Europe/Berlin", "+02:00"], "2026-07-08T20:21:03+02:00"),
        ("2026-07-08T20:21:03", ["Europe/Berlin", "+01:00"], None),  # two offsets
        ("2026-10-25T02:30:00", ["Europe/Berlin"], None),  # an hour that comes twice
        ("2026-03-29T02:30:00", ["Europe/Berlin"], None),  # an hour that there is not
        ("2026-03-08T20:21:03", ["Nowhere/Atlantis"], None),
        ("2026-03-08T20:21:03", ["../../etc/passwd"], None),
        ("2026-03-08T20:21:03", ["CET"], None),  # an abbreviation stands for several
        ("2026-03-08T20:21:03", [], None),
        ("2026-03-08 20:21:03 +0100", [], "2026-03-08T20:21:03+01:00"),
        ("2026-03-08 20:21:03,25 UTC", ["+05:00"], "2026-03-08T20:21:03.25Z"),
        ("2026-03-08T20:21Z", [], None),
        ("8 March 2026", ["UTC"], None),
        (1_772_000_000, ["UTC"], None),
    ],
)
def test_a_time_has_the_offset_that_the_archive_gives(value: Any, zones: list[str], expected: str | None) -> None:
    if "Europe/Berlin" in zones and "Europe/Berlin" not in available_timezones():
        pytest.skip("this system has no database of time zones")
    assert _rfc3339(value, zones) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Layer-0", "layer_0"),
        ("hiddenState", "hidden_state"),
        ("n res", "n_res"),
        ("blocks.0", "blocks_0"),
        ("0th", None),
        ("Größe", None),
        ("layer_0", None),
        ("a/b", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_name_is_changed_only_where_it_differs_in_case_and_separators(name: str, expected: str | None) -> None:
    assert snake(name) == expected


@pytest.mark.parametrize(
    ("path", "attributes", "expected"),
    [
        ("/activations", {"num_layers": "2"}, {"num_layers": 2}),
        ("/activations", {"num_layers": "two"}, None),
        ("/activations", {"num_layers": "-2"}, None),
        ("/activations", {"num_layers": "3"}, None),  # then one would be missing
        ("/activations", {"partial": "True"}, {"partial": True}),
        ("/activations", {"partial": 0}, {"partial": False}),
        ("/activations", {"partial": "maybe"}, None),
        ("/activations", {"present": ["0", 1]}, {"present": [0, 1]}),
        ("/activations", {"present": [0, 1.5]}, None),
        ("/metadata", {"size_token": "5"}, {"size_token": 5}),
        ("/metadata", {"model_version": 2}, {"model_version": "2"}),
        ("/metadata", {"model_version": True}, None),
        ("/", {"spec_version": "v1.0.0"}, {"spec_version": "1.0.0"}),
        ("/", {"profile": "Trace"}, {"profile": "trace"}),
        ("/", {"complete": "true"}, {"complete": True}),
        ("/", {"complete": "false"}, None),
        ("/", {"spec_digest": "A" * 64}, {"spec_digest": f"sha256:{'a' * 64}"}),
        ("/", {"spec_digest": "A" * 63}, None),
        ("/attention/self/layer_00", {"normalization": "Softmax"}, {"normalization": "softmax"}),
        ("/attention/self/layer_00", {"normalization": "soft max"}, None),
        ("/attention/self/layer_00", {"source": "top-k"}, {"source": "top_k"}),
        ("/attention/self/layer_00", {"mask": "inputs/none"}, None),
        ("/", {"notCaptured": "x"}, {"not_captured_": None}),
    ],
)
def test_an_attribute_is_changed_only_where_it_has_one_reading(
    path: str, attributes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    given = with_attributes(path, **attributes)
    found = planned(given)
    now = found.draft.nodes[path]["attributes"]
    if expected is None:
        assert found.changes == []
        assert found.draft.nodes[path]["attributes"] == given["nodes"][path]["attributes"]
    elif "not_captured_" in expected:
        assert found.changes == []  # not_captured: "x" would break another rule
    else:
        assert {key: now[key] for key in expected} == expected
        assert {key: value for key, value in now.items() if key not in expected}.keys() <= given["nodes"][path][
            "attributes"
        ].keys()


def broken_in_many_places(count: int) -> Description:
    """Arrays with index widths, axes, chunks and attributes that fixes are for, and that hinder each other."""
    odd = array(["Query", "key_"], [4, 3], Normalization="Softmax", scale="/inputs/none", source="capture")
    return description(**{f"attention__self__Layer_{number}": deepcopy(odd) for number in range(count)})


def test_a_report_judges_few_nodes_to_say_what_is_fixed_and_says_maybe_of_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = broken_in_many_places(40)
    chosen = choose(given)
    report = report_of(given, "a", chosen)
    nodes = []

    def counted(judged: Description, *others: Any) -> Any:
        nodes.append(len(judged["nodes"]))
        return report_of(judged, *others)

    monkeypatch.setattr("vizschema.rules.fixes.plan.report_of", counted)
    monkeypatch.setattr("vizschema.rules.fixes.plan.EFFORT", 300)
    said = {each.fixable for each in marked(report, given, chosen, frozenset()).findings}
    assert "maybe" in said
    assert sum(nodes) <= 300 + 2 * len(given["nodes"])
    monkeypatch.setattr("vizschema.rules.fixes.plan.EFFORT", len(given["nodes"]) - 1)
    marks = {each.rule: each.fixable for each in marked(report, given, chosen, frozenset()).findings}
    assert {marks[rule] for rule in marks.keys() & table().rules(files=False)} == {"maybe"}


def test_an_attribute_of_the_root_moves_there_from_metadata_and_back() -> None:
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    nodes["/metadata"]["attributes"]["generator"] = nodes["/"]["attributes"].pop("generator")
    nodes["/"]["attributes"]["model_name"] = nodes["/metadata"]["attributes"].pop("model_name")
    found = planned(described(document, "npz", (), None))
    assert {change.fix for change in found.changes} == {"misplaced-attributes"}
    assert found.after == ()
    assert "generator" not in found.draft.nodes["/metadata"]["attributes"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activations": {"attributes": {}}, "metadata": {"num_layers": 2}}, 2),
        ({"activations": {"attributes": {}}, "metadata": {"num_layers": 3}}, None),
        ({"activations": {"attributes": {}}, "metadata": {}}, None),
        ({"activations": {"attributes": {"n_layers": 2}}, "metadata": {}}, 2),
        ({"activations": {"attributes": {"n_layers": 2}}, "metadata": {"num_layers": 4}}, None),
        ({"activations": {"attributes": {"partial": True}}, "metadata": {"num_layers": 2}}, None),
    ],
)
def test_a_count_is_declared_only_where_the_archive_has_it(changes: dict[str, Any], expected: int | None) -> None:
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    nodes["/activations"]["attributes"] = changes["activations"]["attributes"]
    nodes["/metadata"]["attributes"].update(changes["metadata"])
    for path in ("/attention", "/attention/self", "/attention/self/layer_00"):
        del nodes[path]
    found = planned(described(document, "zarr-v3", (), None))
    assert found.draft.nodes["/activations"]["attributes"].get("num_layers") == expected


def test_members_with_one_number_are_not_renamed() -> None:
    given = description(activations__layer_0=array(["token", "hidden"], [5, 8]))
    assert planned(given).changes == []


def test_numbers_get_as_many_digits_as_the_widest_has() -> None:
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    layer = nodes.pop("/activations/layer_01")
    nodes["/activations/layer_002"] = layer
    nodes["/activations/layer_1"] = layer
    nodes["/activations"]["attributes"] = {"num_layers": 3}
    found = planned(described(document, "zarr-v3", (), None))
    layers = sorted(path for path in found.draft.nodes if path.startswith("/activations/"))
    assert layers == ["/activations/layer_000", "/activations/layer_001", "/activations/layer_002"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (array(None, [5, 8], dims="token, hidden"), ["token", "hidden"]),
        (array(None, [5, 8], axis_names=["Tokens", "hidden"]), ["token", "hidden"]),
        (array(None, [5, 8], axis_names=["token"]), ["token", "hidden"]),  # as its siblings
        (array(None, [5, 8], axis_names=["token", "hidden"], dims=["hidden", "token"]), ["token", "hidden"]),
        (array(None, [8, 5]), None),
        (array(None, [5, 8, 1]), None),
    ],
)
def test_axes_are_named_only_where_one_reading_is_left(node: dict[str, Any], expected: list[str] | None) -> None:
    found = planned(description(activations__layer_01=node))
    assert found.draft.nodes["/activations/layer_01"]["axes"] == expected
    assert bool(found.changes) is (expected is not None)


def test_axes_of_one_size_are_not_named_after_siblings() -> None:
    square = {"activations__layer_00": array(["token", "hidden"], [5, 5]), "activations__layer_01": array(None, [5, 5])}
    assert planned(description(**square)).draft.nodes["/activations/layer_01"]["axes"] is None


def test_an_axis_is_renamed_with_all_that_bears_its_name() -> None:
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    for node in nodes.values():
        node["axes"] = [name.replace("token", "tokens") for name in node.get("axes", ())]
    document["sizes"]["tokens"] = document["sizes"].pop("token")
    metadata = nodes["/metadata"]["attributes"]
    metadata["size_tokens"] = metadata.pop("size_token")
    found = planned(described(document, "zarr-v3", (), None))
    assert [change.fix for change in found.changes] == ["axis-term"]
    assert found.draft.nodes["/attention/self/layer_00"]["axes"][2:] == ["token:query", "token:key"]
    assert "size_token" in found.draft.nodes["/metadata"]["attributes"]
    assert found.after == ()


@pytest.mark.parametrize(
    ("before", "after", "better", "worse"),
    [
        (["error a", "error b"], ["error a"], True, False),
        (["error a"], ["error a"], False, False),
        (["error a", "error a"], ["error b"], False, True),
        (["error a"], ["warning b"], True, False),
        (["warning a"], [], True, False),
        (["warning a"], ["warning b"], False, True),
        (["warning a", "warning a"], ["warning a"], True, False),
    ],
)
def test_no_rule_may_be_broken_in_more_places(
    before: list[str], after: list[str], *, better: bool, worse: bool
) -> None:
    def made(texts: list[str]) -> list[Finding]:
        pairs = (text.split() for text in texts)
        return [finding(rule, "/", severity=severity) for severity, rule in pairs]

    assert is_better(made(before), made(after)) is better
    assert is_worse(made(before), made(after)) is worse


def test_a_report_says_which_findings_are_fixed() -> None:
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    del nodes["/"]["attributes"]["generator"]
    nodes["/activations/layer_0"] = nodes.pop("/activations/layer_00")
    nodes["/activations/layer_1"] = nodes.pop("/activations/layer_01")
    given = described(document, "zarr-v3", (), None)
    report = marked(report_of(given, "x", choose(given)), given, choose(given), frozenset())
    assert {each.rule: each.fixable for each in report.findings} == {"generator": "no", "index-width": "yes"}
    nodes["/"]["attributes"]["spec_version"] = "9"
    far = {**given, "container": {**given["container"], "store": "remote"}}
    report = marked(report_of(far, "x", choose(far)), far, choose(far), frozenset())
    assert {each.fixable for each in report.findings} == {"no"}


def test_a_draft_of_a_description_is_that_description() -> None:
    given = description()
    assert Draft.of(given).description()["nodes"] == given["nodes"]
