"""A table drafted from archives: its rows are theirs, doubts are comments, and it builds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.examples import write_example
from vizschema.description import array, complete, group
from vizschema.errors import SpecError
from vizschema.rules import versions
from vizschema.rules.profiles import built, table_at

SPEC = versions.default()
CONTAINER = {"format": "npz", "version": None, "store": "file", "consolidated": False}


def values(axes: str | None, dtype: str = "float32", ndim: int = 0) -> dict[str, Any]:
    names = None if axes is None else [None if axis == "-" else axis for axis in axes.split()]
    return array(dtype, [4] * (ndim if names is None else len(names)), names, {}, None)


def described(**arrays: dict[str, Any]) -> dict[str, Any]:
    nodes = {"/": group({}), "/metadata": group({})}
    for name, node in arrays.items():
        path = "/" + name.replace("__", "/")
        nodes[path] = node
        while path := path.rpartition("/")[0]:
            nodes.setdefault(path, group({}))
    return complete(CONTAINER, nodes)


def drafted(*descriptions: dict[str, Any]) -> str:
    return versions.draft({f"archive {number}": each for number, each in enumerate(descriptions)}, "own", SPEC.version)


def rows(*descriptions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(drafted(*descriptions))["nodes"]
    return found


def test_the_rows_are_those_of_the_table_by_which_the_archives_were_made() -> None:
    cases = [
        case for case in corpus(SPEC.version) if case.profile == "vit" and case.verdict == "valid" and not case.made
    ]
    found = rows(*(case.description(case.containers[0]) for case in cases))
    nodes = {node.row.path: node for node in table_at(SPEC.folder / "vit", SPEC.version).all_nodes()}
    coordinates = {path for path, row in found.items() if row["axes"] == path.rpartition("/")[2]}
    assert set(found) - coordinates == set(nodes)
    found = {path: row for path, row in found.items() if path not in coordinates}
    for path, row in found.items():
        assert row["axes"] == nodes[path].row.columns["axes"], path
    needed = {path for path, node in nodes.items() if node.row.need == "yes"}
    assert {path for path, row in found.items() if "need" in row} <= needed | {"/inputs/labels"}


def test_an_archive_conforms_to_what_was_drafted_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example("openfold", tmp_path / "run.zarr")
    out = tmp_path / "own.toml"
    assert main(["profile", "infer", str(tmp_path / "run.zarr"), "--out", str(out)]) == 0
    assert main(["profile", "infer", str(tmp_path / "run.zarr"), "--out", str(out)]) == 2
    report = vizschema.validate(tmp_path / "run.zarr", profile=str(out))
    assert report.conforms, report.findings
    assert "own-axes" in SPEC.profile(str(out)).rules
    capsys.readouterr()


def test_members_of_a_series_are_one_row_and_ordinary_names_are_not() -> None:
    found = rows(
        described(
            activations__layer_00=values("token hidden"),
            activations__layer_01=values("token hidden"),
            activations__block_00__ln_1=values("token hidden"),
            activations__head_0__x=values("token"),
            activations__head_1__x=values("token"),
        )
    )
    assert list(found) == [
        "/activations/block_NN/ln_1",
        "/activations/head_NN/x",
        "/activations/layer_NN",
    ]


def test_what_is_not_in_every_archive_is_not_needed_and_says_so() -> None:
    both, one = values("token"), values("token", "int64")
    text = drafted(described(inputs__x=both, inputs__y=one), described(inputs__x=both))
    assert '"/inputs/x" = {axes = "token", dtype = "floats", need = "yes"}\n' in text
    assert '"/inputs/y" = {axes = "token", dtype = "integers"}  # in 1 of 2\n' in text


def test_axes_and_dtypes_that_differ_are_alternatives() -> None:
    found = rows(
        described(activations__x=values("token hidden"), outputs__coordinates=values("atom xyz")),
        described(activations__x=values("sample token hidden", "uint8"), outputs__coordinates=values("atom xyz")),
    )
    assert found["/activations/x"]["axes"] == ["token hidden", "sample token hidden"]
    assert found["/activations/x"]["dtype"] == "float32 uint8"
    assert found["/outputs/coordinates"]["dtype"] == "coordinates"


@pytest.mark.parametrize(
    ("axes", "found", "said"),
    [
        (None, "axis_0 axis_1", "an axis without a name"),
        ("token -", "token axis_1", "an axis without a name"),
        ("batch seq_len", "sample token", "batch is called sample; seq_len is called token"),
        ("Token hidden", "axis_0 hidden", "Token is called axis_0"),
        ("residue residue", "residue residue:axis_1", "residue is called residue:axis_1"),
        ("hidden hiden", "hidden axis_1", "hiden is called axis_1"),
        ("x\\u000ay hidden", "axis_0 hidden", "is called axis_0"),
    ],
)
def test_an_axis_that_no_table_may_have_gets_another_name_and_a_comment(
    axes: str | None, found: str, said: str
) -> None:
    text = drafted(described(activations__x=values(axes, ndim=2)))
    assert tomllib.loads(text)["nodes"]["/activations/x"]["axes"] == found
    assert said in text


def test_a_row_that_a_table_cannot_have_is_a_comment_with_the_reason() -> None:
    text = drafted(
        described(input__x=values("token"), activations__Odd=values("token"), activations__x=values("token")),
        described(activations__x__y=values("token")),
    )
    assert "did you mean inputs?" in text
    assert "# left out: /activations/Odd: a name is not lower-case letters" in text
    assert len(tomllib.loads(text)["nodes"]) == 1
    assert built(table_at(Path("own.toml"), SPEC.version, text=text.encode()))


def test_archives_of_which_nothing_can_be_listed_are_an_error() -> None:
    with pytest.raises(SpecError, match="expected arrays with names"):
        drafted(described(extra__x=values("token")))
    many = {f"activations__name{number}x": values("token") for number in range(501)}
    with pytest.raises(SpecError, match="expected at most 500 different nodes, found 501"):
        drafted(described(**many))


def test_an_archive_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.zarr").write_text("no archive", encoding="utf-8")
    assert main(["profile", "infer", str(tmp_path / "x.zarr")]) == 3
    assert "x.zarr" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Own", "", "own profile", "x" * 1000 + "!"])
def test_a_name_that_no_profile_may_have_is_an_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example("mnist", tmp_path / "run.zarr")
    assert main(["profile", "infer", str(tmp_path / "run.zarr"), "--name", name]) == 2
    assert "a name of lower-case letters" in capsys.readouterr().err
