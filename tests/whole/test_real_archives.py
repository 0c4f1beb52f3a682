"""Archives that others wrote: each gets a verdict that names what is wrong with it, and only that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vizschema.findings import Report
from vizschema.validation import validate

UNDECLARED = {"spec-version": 1, "profile-declared": 1, "creation-time": 1, "generator": 1}
BENCHMARK = {
    "axes-named": 11,
    "attention-normalization": 3,
    "attention-source": 3,
    "index-width": 2,
    "metadata-group": 1,
    "series-declared": 2,
}
FLAT = {"axes-named": 11, "metadata-group": 1}
RESTORED = {
    "axes-named": 6,
    "attention-normalization": 1,
    "attention-source": 1,
    "metadata-group": 1,
    "coordinate-dtype": 1,
    "series-declared": 3,
}
VIT = {
    "series-declared": 2,
    "axes-named": 28,
    "attention-normalization": 12,
    "attention-source": 12,
    "index-width": 2,
    "metadata-attributes-only": 1,
    "model-identity": 1,
}
EMPTY = {"metadata-attributes-only": 8, "empty-group": 4, "data-present": 1, "model-identity": 2}
TRACED = {
    "axes-named": 9,
    "attention-normalization": 6,
    "attention-source": 6,
    "index-width": 1,
    "model-identity": 2,
    "series-declared": 1,
}

# archive → the profile that it looks like, what trace finds, what that profile finds besides
VERDICTS = {
    "published/vit_mnist_trace.zarr": (
        "vit",
        {**UNDECLARED, **TRACED, "recommended-metadata": 9},
        {"classifier-nodes": 2, "embedding-present": 1, "vit-known-nodes": 7, "vit-layers-present": 2},
    ),
    "published/metadata_only_run.zarr": (
        "openfold",
        {**UNDECLARED, **EMPTY, "recommended-metadata": 9},
        {"openfold-known-nodes": 2, "openfold-nodes": 5, "representations-present": 2, "attention-present": 1},
    ),
    "published/1ubq_metadata_lost.zarr": ("openfold", {"metadata-missing": 13}, {"openfold-known-nodes": 2}),
    "published/1ubq_metadata_restored.zarr": (
        "openfold",
        {**UNDECLARED, **RESTORED},
        {
            **{"openfold-known-nodes": 2, "openfold-nodes": 5, "representations-present": 2},
            "triangle-attention-anchor": 1,
        },
    ),
    "writers/vit.zarr": (
        "vit",
        {**UNDECLARED, **VIT, "series-undeclared": 1, "recommended-metadata": 9},
        {
            **{"array-node": 13, "classifier-nodes": 2, "embedding-present": 1, "vit-known-nodes": 14},
            **{"vit-layers-present": 1, "labels-recommended": 1},
        },
    ),
    "writers/mnist_cnn.zarr": (
        "mnist",
        {**UNDECLARED, "axes-named": 4, "metadata-group": 1},
        {"labels-recommended": 1},
    ),
    "writers/benchmark.npz": (
        "openfold",
        {**UNDECLARED, **FLAT},
        {
            **{"openfold-known-nodes": 11, "openfold-nodes": 5, "representations-present": 2},
            "attention-present": 1,
        },
    ),
    **{
        f"writers/benchmark.{suffix}": (
            "openfold",
            {**UNDECLARED, **BENCHMARK},
            {
                **{"openfold-known-nodes": 6, "openfold-nodes": 5, "representations-present": 2},
                "attention-present": 1,
            },
        )
        for suffix in ("zarr", "h5")
    },
}


def rules(report: Report) -> Counter[str]:
    return Counter(finding.rule for finding in report.findings)


def places(report: Report, rule: str) -> dict[str, str]:
    return {finding.path: finding.found for finding in report.findings if finding.rule == rule}


@pytest.mark.parametrize("archive", VERDICTS)
def test_without_a_declared_profile_the_trace_rules_apply_and_the_report_says_so(real: Path, archive: str) -> None:
    likely, expected, _ = VERDICTS[archive]
    report = validate(real / archive)
    assert rules(report) == expected
    assert not report.conforms
    assert (report.spec_version, report.spec_chosen) == ("1.0.0", "first")
    assert (report.profile, report.profile_chosen, report.likely_profile) == ("trace", "default", likely)
    assert any(f"--profile {likely}" in note for note in report.notes)


@pytest.mark.parametrize("archive", VERDICTS)
def test_the_profile_that_it_should_have_finds_more(real: Path, archive: str) -> None:
    likely, expected, besides = VERDICTS[archive]
    report = validate(real / archive, spec="1.0.0", profile=likely)
    assert rules(report) == {**expected, **besides}
    assert (report.spec_chosen, report.profile_chosen) == ("requested", "requested")


@pytest.mark.parametrize("archive", [archive for archive in VERDICTS if "lost" not in archive])
def test_every_finding_says_where_what_was_expected_and_what_was_found(real: Path, archive: str) -> None:
    for finding in validate(real / archive).findings:
        assert finding.path.startswith("/")
        assert finding.expected
        assert finding.found
        assert finding.fix


def test_lost_metadata_are_named_with_their_likely_cause(real: Path) -> None:
    found = places(validate(real / "published/1ubq_metadata_lost.zarr"), "metadata-missing")
    assert "/attention/triangle_start/layer_00" in found
    assert all("zarr.json" in text and ".gitignore" in text and "*.json" in text for text in found.values())


def test_thirteen_activations_against_twelve_layers_are_named(real: Path) -> None:
    found = places(validate(real / "writers/vit.zarr"), "series-undeclared")
    assert found == {"/activations/layer_*": "13 members, with number 12"}


def test_coordinates_in_half_precision_are_named(real: Path) -> None:
    found = places(validate(real / "published/1ubq_metadata_restored.zarr"), "coordinate-dtype")
    assert found == {"/structure/atom_positions": '"float16"'}


def test_text_arrays_where_attributes_belong_are_named(real: Path) -> None:
    found = places(validate(real / "published/metadata_only_run.zarr"), "metadata-attributes-only")
    assert found["/metadata/sequence"] == "string array of shape []"
    assert found["/metadata/representation_names"] == "string array of shape [48]"


def test_names_outside_the_standard_are_named(real: Path) -> None:
    found = places(validate(real / "writers/benchmark.h5", profile="openfold"), "openfold-known-nodes")
    assert {"/outputs/coords", "/outputs/conf"} <= set(found)
