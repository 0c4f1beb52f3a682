"""What was typed nearly right: the message names what was meant, and what is wrong there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.errors import NotConforming, UsageError

SHARES = """
profile = "shares"
spec = "1.0.0"
[nodes]
"/outputs/importance" = {axes = "token:to token:from", dtype = "floats", row_sum = [0.999, 1.001]}
"""
METADATA = {"/metadata": {"model_name": "m", "model_version": "1"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shares.toml").write_text(SHARES, encoding="utf-8")
    Path("accepted.toml").write_text('[[supress]]\nrule = "finite"\n', encoding="utf-8")
    np.savez(
        "old.npz",
        **{"activations/layer_0/single": np.ones((4, 8)), "attention/layer_0": np.ones((2, 4, 4))},
    )
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("example vitt x.zarr", "there is one of mnist, openfold, trace, vit, lm; did you mean vit?"),
        ("spec show v1.0.0", "spec version 'v1.0.0' is not installed; found 1.0.0, 1.1.0; did you mean 1.0.0?"),
        ("spec show openfold", "openfold: expected a version before the profile, found none; write 1.0.0 openfold"),
        ("validate x.zarr --config accepted.toml", "found the key 'supress'; did you mean suppress?"),
        ("conformance run --only genrator -- x", "expected a case or a rule, found none; did you mean generator?"),
        ("conformance export out --only genrator", "expected a case or a rule, found none; did you mean generator?"),
        ("export old.npz y.zarr --as isue40", "found none of this name; did you mean issue40?"),
        ("migrate old.npz new.zarr --with x", "--with: expected PATH=FILE, found 'x'"),
        ("profile build shares.toml --spec 7", "spec version '7' is not installed"),
    ],
)
def test_what_was_meant_is_named(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) in (2, 3, 4)
    assert said in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "typed", ["example vit run.zarr/x.h5", "demo --into run.zarr", "convert run.zarr run.zarr/x.h5"]
)
def test_nothing_is_written_within_an_archive(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_example("trace", "run.zarr")
    before = sorted(Path("run.zarr").rglob("*"))
    assert main(typed.split()) == 2
    assert "expected a place outside of every archive, found one within the archive" in capsys.readouterr().err
    assert sorted(Path("run.zarr").rglob("*")) == before


def test_a_row_sums_to_what_its_table_says() -> None:
    rows = np.random.default_rng(0).random((4, 4))
    rows /= rows.sum(-1, keepdims=True)
    given = {"/outputs/importance": vizschema.Array(rows.astype("float32"))}
    assert vizschema.write("right.zarr", given, METADATA, profile="shares.toml").conforms
    given = {"/outputs/importance": vizschema.Array(rows.T.astype("float32"))}
    with pytest.raises(NotConforming) as raised:
        vizschema.write("wrong.zarr", given, METADATA, profile="shares.toml")
    assert {finding.rule for finding in raised.value.report.errors} == {"shares-values"}


def test_an_array_that_is_none_of_ours_is_refused_by_its_path() -> None:
    with pytest.raises(UsageError, match=r"expected a vizschema[.]Array, found ndarray; write vizschema[.]Array"):
        vizschema.write("x.zarr", {"/outputs/x": np.ones(3)}, METADATA, profile="trace")  # type: ignore[dict-item]


def test_a_path_that_the_table_does_not_list_has_the_one_that_it_lists() -> None:
    with pytest.raises(UsageError, match=r"pass axes; did you mean /outputs/importance[?]"):
        vizschema.write("x.zarr", {"/outputs/importances": vizschema.Array(np.ones((2, 2)))}, {}, profile="shares.toml")
