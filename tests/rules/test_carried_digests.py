"""Digests that an archive carries, of the specification and of its own profile; a profile that is not available."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import METADATA

import vizschema
from vizschema import Array
from vizschema.cli.main import main
from vizschema.report.options import Options
from vizschema.report.text import first_line
from vizschema.rules import versions

TABLE = """
profile = "gpt2"
spec = "1.0.0"
of = "GPT-2"

[nodes]
"/inputs/token" = {axes = "token", dtype = "integers", need = "yes", below = "vocabulary"}
"/outputs/logits" = {axes = "token vocabulary", dtype = "floats", need = "yes"}
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "gpt2.toml"
    path.write_text(TABLE)
    return path


def written(path: Path, table: Path, **root: Any) -> Path:
    arrays = {
        "/inputs/token": Array(np.arange(3), ["token"]),
        "/outputs/logits": Array(np.eye(3, 5, dtype="float32"), ["token", "vocabulary"]),
    }
    vizschema.write(path, arrays, {"/": root, "/metadata": METADATA}, profile=str(table))
    return path


def rules_of(report: vizschema.Report) -> set[str]:
    return {finding.rule for finding in report.findings} - {"recommended-metadata"}


def test_a_writer_stores_the_digest_of_a_profile_of_ones_own(table: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", table)
    root = vizschema.describe(path)["nodes"]["/"]["attributes"]
    assert root["profile_digest"] == versions.default().profile(str(table)).digest
    assert rules_of(vizschema.validate(path, profile=str(table))) == set()


def test_a_folder_that_is_built_from_a_table_has_its_digest(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gpt2"
    folder.mkdir()
    (folder / "table.toml").write_text(TABLE)
    of_table = versions.default().profile(str(table)).digest
    assert main(["profile", "build", str(folder)]) == 0
    assert versions.default().profile(str(folder)).digest == of_table


def test_a_profile_that_changed_is_a_warning(table: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", table)
    changed = tmp_path / "later" / "gpt2.toml"
    changed.parent.mkdir()
    changed.write_text(TABLE.replace('need = "yes"', 'need = "no"'))
    report = vizschema.validate(path, profile=str(changed))
    assert report.conforms
    assert rules_of(report) == {"profile-digest"}
    (finding,) = (each for each in report.warnings if each.rule == "profile-digest")
    assert finding.path == "/"
    assert versions.default().profile(str(changed)).digest in finding.message


def test_another_digest_of_the_specification_is_a_warning(table: Path, tmp_path: Path) -> None:
    own = f"sha256:{versions.default().digest}"
    path = written(tmp_path / "a.npz", table, spec_digest=own)
    assert rules_of(vizschema.validate(path, profile=str(table))) == set()
    path = written(tmp_path / "b.npz", table, spec_digest=f"sha256:{'0' * 64}")
    assert rules_of(vizschema.validate(path, profile=str(table))) == {"spec-digest"}


@pytest.mark.parametrize("name", ["spec_digest", "profile_digest", "profile_url"])
def test_an_attribute_that_is_no_digest_breaks_a_rule(name: str, table: Path, tmp_path: Path) -> None:
    with pytest.raises(vizschema.NotConforming) as refused:
        written(tmp_path / "a.npz", table, **{name: 7})
    assert {finding.rule for finding in refused.value.report.errors} == {"digest-attributes"}


def test_the_first_line_names_a_profile_that_is_not_available(table: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", table, profile_url="https://example.org/gpt2.toml")
    report = vizschema.validate(path)
    assert (report.profile, report.missing_profile) == ("trace", "gpt2")
    assert "not judged by its own profile gpt2, which is not available" in first_line(report, Options())
    assert any("https://example.org/gpt2.toml" in note for note in report.notes)
    assert vizschema.validate(path, profile=str(table)).missing_profile is None
