"""`vizschema show`: the tree, in which series are one line, one array with its picture, and the same as JSON."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import numpy as np
import pytest
from support import traces

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.outline.picture import BARS, RAMP, bar_line, map_lines
from vizschema.outline.tree import Tree, tree_lines
from vizschema.rules import versions
from vizschema.text import size_words

SCHEMA = json.loads((versions.root() / "show.schema.json").read_bytes())


def array(dtype: str = "float32", size: int = 4) -> dict[str, Any]:
    """The node of an array of this dtype with one axis of this size."""
    node = {"kind": "array", "dtype": dtype, "shape": [size], "bytes": 4 * size, "axes": ["token"], "roles": {}}
    return {**node, "storage": None, "attributes": {}}


def group(members: int = 1) -> dict[str, Any]:
    return {"kind": "group", "attributes": {}, "members": members}


def tree_of(*named: tuple[str, dict[str, Any]]) -> list[str]:
    return list(tree_lines({"/": group(len(named)), **dict(sorted(named))}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of the profile trace with a known slope."""
    path = tmp_path_factory.mktemp("show") / "run.zarr"
    slope = np.linspace(0, 1, 600, dtype="float32").reshape(20, 30)
    slope[19, 29] = np.nan
    attributes = {"/metadata": traces.METADATA, "/activations": {"num_layers": 12}}
    arrays = {f"/activations/layer_{index:02}": vizschema.Array(slope, ["token", "hidden"]) for index in range(12)}
    vizschema.write(path, arrays, attributes, profile="trace", values=False)
    return str(path)


# The tree


def test_a_series_of_alike_members_is_one_line() -> None:
    lines = tree_of(*((f"/layer_{index}", array()) for index in range(12)))
    assert lines == ["└── layer_0 … layer_11 (12)  float32 · (token 4) · 16 B each"]


def test_a_member_that_differs_has_a_line_of_its_own() -> None:
    lines = tree_of(*((f"/layer_{index}", array(size=5 if index == 3 else 4)) for index in range(6)))
    assert [line.split("  ")[0] for line in lines] == ["├── layer_0 … layer_5 (5, without 3)", "└── layer_3"]


def test_many_gaps_are_counted() -> None:
    lines = tree_of(*((f"/layer_{index:02}", array()) for index in range(0, 40, 2)))
    assert lines[0].startswith("└── layer_00 … layer_38 (20 of the numbers 0 to 38)")


def test_groups_of_a_series_are_one_when_all_below_is_alike() -> None:
    named = [(f"/step_{index}", group()) for index in range(3)]
    named += [(f"/step_{index}/layer_{layer}", array()) for index in range(3) for layer in range(2)]
    assert [line.split("  f")[0] for line in tree_of(*named)] == [
        "└── step_0 … step_2 (3)",
        "    └── layer_0 … layer_1 (2)",
    ]
    named[-1] = ("/step_2/layer_1", array("int32"))
    assert len(tree_of(*named)) == 5


def test_every_node_is_in_a_row_of_the_tree(real: Path) -> None:
    for path in (*(real / "published").iterdir(), *(real / "writers").iterdir()):
        nodes = vizschema.describe(path)["nodes"]
        flat = {each: node | {"kind": "object", "reason": each} for each, node in nodes.items() if each != "/"}
        assert [row.path for row in Tree({"/": nodes["/"], **flat}).rows()] != []
        assert sum(len(row.paths) for row in Tree({"/": nodes["/"], **flat}).rows()) == len(nodes) - 1


def test_a_line_is_as_wide_as_the_terminal(
    run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["show", run]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert max(map(len, lines)) == 40
    assert any(line.endswith("…") for line in lines)


def test_hostile_names_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a.zarr"
    for place in ("", "bad\x1b[31m"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "zarr.json").write_text(
            '{"zarr_format": 3, "node_type": "group", "attributes": {"a": "\\u202e"}}'
        )
    assert main(["show", str(folder)]) == 0
    assert main(["show", str(folder), "/bad\\u001b[31m"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert r"└── bad\u001b[31m" in out


def test_an_output_that_is_not_utf8_gets_plain_characters(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["show", run, "/activations/layer_00"]) == 0
    out.seek(0)
    assert "\\u" not in out.read()


# Stored bytes


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_stored_bytes_are_added_up_over_series_and_groups(
    run: str, trust: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    files = [each for each in (Path(run) / "activations").rglob("*") if each.is_file() and each.name != "zarr.json"]
    stored = sum(each.stat().st_size for each in files)
    assert main(["show", run, "--sizes", "--json", *trust]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["node"]["stored"] == stored
    assert {row["path"]: row["stored"] for row in document["tree"]} == {
        "/activations": stored,
        "/activations/layer_00": stored,
        "/metadata": 0,
    }
    assert main(["show", run, "--sizes", *trust]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f", stored {size_words(stored)}")
    assert f"each · stored {size_words(stored)} together" in lines[2]
    assert "stored" not in lines[3]


def test_stored_bytes_are_counted_without_a_look_at_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("packed", data=np.zeros(1 << 16), chunks=(1 << 14,), compression="gzip")
        file.create_dataset("never_written", (1 << 40,), "f8", chunks=(1 << 20,))
        file["texts"] = np.array(["a", "bc"], dtype=object)
        stored = sum(file["packed"].id.get_chunk_info(index).size for index in range(4))
    assert main(["show", str(tmp_path / "a.h5"), "--sizes", "--json"]) == 0
    found = {row["path"]: row["stored"] for row in json.loads(capsys.readouterr().out)["tree"]}
    assert found == {"/packed": stored, "/never_written": 0, "/texts": None}
    assert main(["show", str(tmp_path / "a.h5"), "--sizes"]) == 0
    assert "stored unknown" in capsys.readouterr().out


# One array


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_an_array_is_shown_with_facts_and_a_map(run: str, trust: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run, "activations/layer_03/", "--values", *trust]) == 0
    out = capsys.readouterr().out
    for words in ("(token 20, hidden 30)", "non_finite: 1\n", "(all values)", "first slice: token down, hidden across"):
        assert words in out
    box = [line for line in out.splitlines() if line.startswith("  │")]
    assert len(box) == 20
    assert box[0].startswith("  │    ")
    assert box[-2].endswith("@@│")


def test_without_values_there_are_no_facts(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run, "/activations/layer_03", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"] is None


def test_a_map_keeps_the_place_of_what_is_high_and_of_what_is_unknown() -> None:
    levels = bytes([0, 254, 255, 127])
    assert list(map_lines(levels, 2, 80)) == [f"  {2 * RAMP[-1]}", f"??{2 * RAMP[4]}"]
    assert max(len(line) for line in map_lines(bytes(96 * 96), 96, 30)) <= 30
    assert list(map_lines(b"", 0, 30)) == []


def test_every_count_above_zero_shows_in_a_histogram() -> None:
    assert bar_line([0, 1, 1000]) == f" {BARS[1]}{BARS[-1]}"


# As JSON, and what goes wrong


@pytest.mark.parametrize("place", ["/", "/activations", "/activations/layer_00", "/metadata"])
def test_the_json_form_obeys_its_schema(run: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert main(["show", run, place, "--json", "--values"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["path"] == place


def test_what_cannot_be_read_is_in_the_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example("trace", tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "metadata" / "zarr.json").write_text("{")
    path = str(tmp_path / "a.zarr")
    assert main(["show", path]) == 0
    assert "metadata     unreadable: metadata-malformed" in capsys.readouterr().out
    assert main(["show", path, "/metadata", "--json"]) == 0
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(capsys.readouterr().out))


def test_a_path_that_is_not_there_names_one_that_is(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run, "/activations/layer_0"]) == 2
    assert "did you mean /activations/layer_" in capsys.readouterr().err


def test_what_is_no_archive_is_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tmp_path / "none.zarr")]) == 3
    assert "no such file or folder" in capsys.readouterr().err


# In Python


def test_an_open_archive_shows_the_same_tree(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run]) == 0
    shown = capsys.readouterr().out
    with vizschema.open(run) as archive:
        assert archive.tree() == "\n".join(shown.splitlines()[1:])
        assert archive.tree("/metadata") == ""
        assert archive._repr_html_().startswith("<pre>&lt;Archive ")
        with pytest.raises(KeyError, match="/none is not in"):
            archive.tree("/none")


def test_an_open_archive_shows_a_bounded_part_of_a_large_tree(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{f"name{index}x": np.zeros(1) for index in range(100)})
    with vizschema.open(tmp_path / "a.npz") as archive:
        assert len(repr(archive).splitlines()) == 62
        assert repr(archive).endswith("… (archive.tree() has the rest)")
        assert len(archive.tree().splitlines()) == 100
