"""One archive in all eight forms: one description but for container and storage, the same findings, one digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.stored_values import portable
from support.traces import CONTAINERS, arrays, attributes

import vizschema
from vizschema import Array
from vizschema.conformance.corpus.materialise import materialise
from vizschema.conformance.examples import example, profiles
from vizschema.conformance.fixtures import openfold
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.writer.forms import FORMS
from vizschema.writer.write import plan_whole, write_planned

CREATED = "2026-11-21T09:00:00Z"
STORAGE = ("chunk-", "shard-", "portable-codec", "chunks-")
"""How the names of the rules about storage begin."""


Logical = tuple[dict[str, Array], dict[str, dict[str, Any]], str]


def sound() -> Iterator[tuple[str, Any]]:
    yield from ((profile, lambda profile=profile: (*materialise(example(profile)), profile)) for profile in profiles())


SOUND = dict(sound())


def broken() -> Logical:
    """A fault of every kind that each container can carry: sizes, names, dtypes, attributes, values, bfloat16."""
    given = arrays()
    softmax = np.full((2, 3, 5, 5), 0.2, np.float32)
    softmax[0, 0, 0] = 0.3
    given["/attention/self/layer_00"] = Array(
        softmax, ["sample", "head", "token:query", "token:key"], {"normalization": "softmax", "source": "captured"}
    )
    given["/activations/layer_03"] = Array(np.full((2, 4, 4), np.nan, np.float16), ["sample", "token", "hidden"])
    given["/activations/Odd"] = Array(np.array([1, np.inf], ml_dtypes.bfloat16), ["Sample"])
    given["/outputs/coordinates"] = Array(np.zeros((2, 3), np.float16), ["atom", "xyz"])
    groups = {**attributes(), "/": {"created_at": "yesterday"}, "/empty": {}, "/activations": {"num_layers": 2.5}}
    return given, groups, "trace"


def written(folder: Path, logical: Logical) -> dict[str, Path]:
    """The archive in every form, written without being judged."""
    given, groups, profile = logical
    groups = {**groups, "/": {"created_at": CREATED, **groups.get("/", {})}}
    paths = {}
    for container, name in CONTAINERS.items():
        paths[container] = folder / container / name
        paths[container].parent.mkdir()
        planned = plan_whole(given, groups, FORMS[container], versions.version_for(None, profile), profile)
        write_planned(paths[container], FORMS[container], *planned)
    return paths


def findings(report: Report) -> set[tuple[str, str, str]]:
    assert report.error is None
    return {
        (finding.rule, finding.path, finding.found)
        for finding in report.findings
        if not finding.rule.startswith(STORAGE)
    }


def same_in_all(paths: Mapping[str, Path]) -> Report:
    """The report on one of them, after they were found to be the same."""
    first, *others = paths.values()
    expected, report = portable(first), vizschema.validate(first, digest=True)
    for other in others:
        assert portable(other) == expected, other
        theirs = vizschema.validate(other, digest=True)
        assert findings(theirs) == findings(report), other
        assert (theirs.verdict, theirs.digest) == (report.verdict, report.digest), other
    return report


@pytest.mark.parametrize("profile", SOUND)
def test_an_example_is_the_same_in_every_container(profile: str, tmp_path: Path) -> None:
    paths = written(tmp_path, SOUND[profile]())
    report = same_in_all(paths)
    assert (report.verdict, report.findings, report.profile) == ("conforms", (), profile)
    assert report.digest is not None
    assert {container: identity(path) for container, path in paths.items()} == {
        "zarr-v2": ("zarr", 2, "directory"),
        "zarr-v3": ("zarr", 3, "directory"),
        "zarr-v3-sharded": ("zarr", 3, "directory"),
        "hdf5": ("hdf5", None, "file"),
        "npz": ("npz", None, "file"),
        "asdf": ("asdf", None, "file"),
        "zarr-v2-zip": ("zarr", 2, "zip"),
        "zarr-v3-zip": ("zarr", 3, "zip"),
    }


def identity(path: Path) -> tuple[str, int | None, str]:
    container = vizschema.describe(path)["container"]
    return container["format"], container["version"], container["store"]


def test_the_sharded_form_is_sharded(tmp_path: Path) -> None:
    nodes = vizschema.describe(written(tmp_path, SOUND["openfold"]())["zarr-v3-sharded"])["nodes"]
    assert any(node["storage"]["shards"] for node in nodes.values() if node["kind"] == "array")


def test_faults_are_the_same_findings_in_every_container(tmp_path: Path) -> None:
    report = same_in_all(written(tmp_path, broken()))
    assert {finding.rule for finding in report.errors} >= {
        *("attention-row-sum", "axis-name", "axis-one-size", "coordinate-dtype", "creation-time", "empty-group"),
        *("finite", "node-name", "series-gap"),
    }


def test_the_real_pass_is_the_same_in_every_container(real: Path, tmp_path: Path) -> None:
    given, groups = openfold.read(real / "openfold")
    report = same_in_all(written(tmp_path, (given, groups, "openfold")))
    assert report.verdict == "conforms"


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_value_comes_back(container: str, tmp_path: Path) -> None:
    path = tmp_path / CONTAINERS[container]
    vizschema.write(path, arrays(), attributes(), profile="trace", container=container)
    with vizschema.open(path) as archive:
        for name, item in arrays().items():
            stored = archive[name][...]
            assert stored.tobytes() == np.ascontiguousarray(item.data, stored.dtype).tobytes()
