"""`vizschema export`: by the mapping that migrates a layout, an archive is in that layout again, but for its losses."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.generator.mappings import Case, cases, checked, faults
from vizschema.conformance.migrations.layouts import LAYOUTS, softmax
from vizschema.containers.values import dtype_of
from vizschema.errors import NotAnArchive, Refused, Unanswered, UsageError
from vizschema.migration.drafting.draft import suggest
from vizschema.migration.exporting import undo
from vizschema.migration.exporting.export import export
from vizschema.migration.exporting.layouts import LAYOUTS as CONTAINERS
from vizschema.migration.exporting.spelling import groups_of, spelled
from vizschema.migration.mapping import installed
from vizschema.migration.migrate import migrate
from vizschema.migration.proof import RECORD
from vizschema.sources.folder import opened
from vizschema.sources.views import Kept, View, blocks, digest, view_of

DEMANDED = {"config_version": "run 1", "num_recycles": "3"}


def digests(path: Path) -> dict[str, str]:
    with opened(str(path)) as tree:
        return {place: digest(item.values()) for place, item in tree.items() if item.kind == "array"}


def attributes(path: Path) -> dict[str, Any]:
    with opened(str(path)) as tree:
        return {f"{place}@{name}": value for place, item in tree.items() for name, value in item.attributes.items()}


def example(profile: str, folder: Path) -> Path:
    assert main(["example", profile, str(folder / "run.zarr")]) == 0
    return folder / "run.zarr"


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_export_of_a_migration_is_the_source_but_for_its_losses(name: str, tmp_path: Path) -> None:
    old = LAYOUTS[name]
    source = old.write(tmp_path)
    back = tmp_path / f"back{source.suffix}"
    there = migrate(str(source), str(tmp_path / "new.h5"), answers=old.answers)
    again = export(str(tmp_path / "new.h5"), str(back), name)
    lost = {loss["what"] for loss in there.losses}
    assert again.losses == there.losses
    assert again.changed == ()
    assert digests(back) == {path: found for path, found in digests(source).items() if path not in lost}
    assert attributes(back) == {path: value for path, value in attributes(source).items() if path not in lost}


@pytest.mark.parametrize(("profile", "name", "count"), [("openfold", "issue40", 19), ("mnist", "mnist-batches", 8)])
def test_an_archive_that_never_was_in_the_layout_can_be_put_into_it(
    profile: str, name: str, count: int, tmp_path: Path
) -> None:
    source = example(profile, tmp_path)
    done = export(str(source), str(tmp_path / "old.zarr"), name, answers=DEMANDED if name == "issue40" else {})
    assert (done.arrays, done.same) == (count, None)
    migrate(str(tmp_path / "old.zarr"), str(tmp_path / "new.zarr"), answers=LAYOUTS[name].answers)
    with vizschema.open(source) as before, vizschema.open(tmp_path / "new.zarr") as after:
        record = after[RECORD].attributes["arrays"]
        for place in record:
            np.testing.assert_array_equal(np.asarray(after[place]), np.asarray(before[place]))
        assert {"/metadata@model_name"} <= {loss["what"] for loss in done.losses}
        lost = {loss["what"] for loss in done.losses}
        assert {path for path, node in before.items() if isinstance(node, vizschema.StoredArray)} == lost & set(
            before
        ) | set(record)


def test_zarr_python_reads_what_is_exported_as_it_reads_the_layout(tmp_path: Path) -> None:
    source = LAYOUTS["issue40"].write(tmp_path)
    migrate(str(source), str(tmp_path / "new.zarr"), answers=LAYOUTS["issue40"].answers)
    export(str(tmp_path / "new.zarr"), str(tmp_path / "back.zarr"), "issue40")
    old, back = (zarr.open_group(str(path), mode="r", zarr_format=2) for path in (source, tmp_path / "back.zarr"))
    names = {name for name, _ in old.members(max_depth=None)}
    assert names == {name for name, _ in back.members(max_depth=None)}
    for name, node in old.members(max_depth=None):
        if isinstance(node, zarr.Array) and "metadata" not in name:
            read = back[name]
            assert isinstance(read, zarr.Array)
            assert (read.dtype, read.shape) == (node.dtype, node.shape)
            np.testing.assert_array_equal(read[...], node[...])


def test_text_files_are_the_same_bytes_again(tmp_path: Path) -> None:
    source = LAYOUTS["openfold-text"].write(tmp_path)
    migrate(str(source), str(tmp_path / "new.zarr"), answers=LAYOUTS["openfold-text"].answers)
    export(str(tmp_path / "new.zarr"), str(tmp_path / "back"), "openfold-text")
    files = {path.relative_to(source): path.read_text().split() for path in source.rglob("*.txt")}
    back = {
        path.relative_to(tmp_path / "back"): path.read_text().split() for path in (tmp_path / "back").rglob("*.txt")
    }
    assert back == files


def test_what_the_layout_demands_and_the_archive_does_not_have_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = example("openfold", tmp_path)
    capsys.readouterr()
    command = ["export", str(source), str(tmp_path / "old.zarr"), "--as", "issue40"]
    assert main(command) == 2
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  --set 'config_version=TEXT'  # the layout demands config_version, and the archive does not have it",
        "  --set 'num_recycles=INTEGER'  # the layout demands num_recycles, and the archive does not have it",
    ]
    answers = ["--set", "config_version=run 1", "--set", "num_recycles=3"]
    assert main([*command, *answers, "--dry-run"]) == 0
    assert "/metadata@num_recycles: /metadata/num_recycles int32 []\n" in capsys.readouterr().out
    assert not (tmp_path / "old.zarr").exists()
    assert main([*command, *answers]) == 0
    out = capsys.readouterr().out
    assert "lost: /inputs/msa: the layout has no place for it\n" in out
    assert "old.zarr: the layout issue40, 19 arrays in zarr-v2, read back and equal\n" in out
    assert main([*command, *answers]) == 2
    assert "exists already" in capsys.readouterr().err


def test_an_archive_without_what_the_layout_is_recognised_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no array of it has a place in issue40") as raised:
        export(str(example("mnist", tmp_path)), str(tmp_path / "old.zarr"), "issue40", answers=DEMANDED)
    assert "/outputs/logits: the layout has no place for it" in raised.value.problems
    with pytest.raises(Refused, match="lacks what vit-hidden-states is recognised by") as raised:
        export(str(tmp_path / "run.zarr"), str(tmp_path / "old.zarr"), "vit-hidden-states")
    assert raised.value.problems[0] == "no node is like /activations/layer_[0-9]+/hidden_states with ndim 3"
    with pytest.raises(Refused, match="several runs"):
        export(str(tmp_path / "run.zarr"), str(tmp_path / "old.zarr"), "openfold-sweep")
    with pytest.raises(UsageError, match="none of this name"):
        export(str(tmp_path / "run.zarr"), str(tmp_path / "old.zarr"), "issue41")


def test_arrays_that_were_changed_since_the_migration_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = LAYOUTS["benchmark-candidates-flat"].write(tmp_path)
    new = tmp_path / "new.zarr"
    migrate(str(source), str(new), answers=LAYOUTS["benchmark-candidates-flat"].answers)
    zarr.open_group(str(new), mode="a")["outputs/confidence"][0] = 7
    assert main(["export", str(new), str(tmp_path / "back.npz"), "--as", "benchmark-candidates-flat"]) == 0
    assert "changed since its migration: /outputs/confidence\n" in capsys.readouterr().out


def test_axes_in_another_order_are_moved_and_other_axes_are_a_loss(tmp_path: Path) -> None:
    weights, metadata = softmax(2, 5, 5), {"/metadata": {"model_name": "m", "model_version": "1"}}
    said = {"normalization": "softmax", "source": "captured"}
    arrays = {
        "/attention/msa_row/layer_00": vizschema.Array(
            np.moveaxis(weights, 0, -1), ["residue:query", "residue:key", "msa_row_head"], said
        ),
        "/attention/ipa/layer_00": vizschema.Array(weights, ["head", "token:query", "token:key"], said),
        "/single/layer_00": vizschema.Array(np.ones((5, 3), "float32"), ["residue", "single_channel"]),
        "/outputs/coordinates": vizschema.Array(np.ones((5, 37, 3), "float32"), ["residue", "atom", "xyz"]),
    }
    vizschema.write(tmp_path / "run.zarr", arrays, metadata, profile="trace")
    done = export(str(tmp_path / "run.zarr"), str(tmp_path / "old.h5"), "issue40", answers=DEMANDED)
    with opened(str(tmp_path / "old.h5")) as tree:
        np.testing.assert_array_equal(tree["/attention/msa_row/layer_00"].values(), weights)
    why = {loss["what"]: loss["why"] for loss in done.losses}
    assert why["/attention/ipa/layer_00"].startswith("its axes are ['head', 'token:query', 'token:key'], and those of")


def forged(folder: Path, **record: Any) -> Path:
    """An archive whose record was not written by `migrate`."""
    arrays = {"/outputs/confidence": vizschema.Array(np.ones(3, "float32"), ["residue"])}
    metadata = {"model_name": "m", "model_version": "1"}
    groups = {"/metadata": metadata, RECORD: {"mapping": "own", **record}}
    vizschema.write(folder / "run.zarr", arrays, groups, profile="trace")
    (folder / "own.toml").write_text(
        'mapping = "1.0"\nname = "own"\nversion = "1"\ntarget = "1.0.0"\ntitle = "any"\n'
        'nodes = [{from = "/.*", to = "/outputs/confidence", axes = ["residue"], do = [{take = [0, 0]}], ndim = 2}]\n'
        'recognise = {all = [{node = "/.*"}]}\n'
    )
    return folder / "run.zarr"


@pytest.mark.parametrize(
    "record",
    [
        {"arrays": {"/outputs/confidence": {"from": "/../../outside", "sha256": "0"}}},
        {"arrays": {"/outputs/confidence": {"from": "/a/../b"}}, "source": {"/a/../b": {"shape": [1, 3]}}},
        {"arrays": [1], "source": 3, "answers": {"x": 1}, "losses": [{"what": 1}, 2]},
        {"arrays": {"/outputs/confidence": {"from": "/a"}}, "source": {"/a": {"shape": [-1, 3], "dtype": "O"}}},
    ],
)
def test_a_forged_record_leads_nowhere(record: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    run = forged(folder, **record)
    with pytest.raises(Refused, match=r"/outputs/confidence: (the layout has no|only entry 0 along|expected)"):
        export(str(run), str(folder / "old.zarr"), str(folder / "own.toml"))
    assert sorted(path.name for path in folder.iterdir()) == ["own.toml", "run.zarr"]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_every_array_rule_of_the_installed_mappings_spells_a_path(tmp_path: Path) -> None:
    for name, dialect in installed().items():
        for rule in dialect.rules("nodes"):
            if "to" in rule and "node" not in rule.get("back", {}):
                groups = dict.fromkeys(("i", "a"), "17") | {"m": "conv1", "place": "inputs/labels", "file": "query"}
                kinds = ("triangle_start", "msa_row", "model_version", "aatype", "start")
                found = [spelled(rule["from"], {**groups, "k": kind}) for kind in kinds]
                assert any(found), (name, rule["from"])


@pytest.mark.parametrize(
    ("template", "text", "groups"),
    [
        ("/a/layer_{i:n}", "/a/layer_07", {"i": "7"}),
        ("/a/layer_{i-1:n}", "/a/layer_00", {"i": "1"}),
        ("/a/layer_{i+1:n}", "/a/layer_00", None),
        ("/{k}/{k}_head", "/x/x_head", {"k": "x"}),
        ("/{k}/{k}_head", "/x/y_head", None),
        ("/a.b/{k}", "/acb/x", None),
    ],
)
def test_a_template_is_read_backwards(template: str, text: str, groups: dict[str, str] | None) -> None:
    assert groups_of(template, text) == groups


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (r"(?:/.*)?/x_(?P<i>[0-9]+)\.npz/attn", "/x_3.npz/attn"),
        (r"/layer_0+/h", "/layer_0/h"),
        (r"/(?P<k>a|b)/[0-9]", None),
        (r"/(a|b)", None),
        (r"/(?P<other>x)", None),
        (r"/(?P<k>b|c)", None),
    ],
)
def test_a_pattern_is_spelled_where_it_leaves_nothing_open(pattern: str, path: str | None) -> None:
    assert spelled(pattern, {"i": "3", "k": "a"}) == path


@pytest.mark.parametrize("container", ["npz", "safetensors", "folder"])
def test_what_a_container_cannot_hold_is_refused(container: str, tmp_path: Path) -> None:
    said = {"/": {}, "/group": {"a": 1}}
    with pytest.raises(UsageError, match="expected"):
        CONTAINERS[container](tmp_path / "x", {"/x": view_of(np.ones(2))}, said)
    with pytest.raises(UsageError, match="a dtype"):
        CONTAINERS["zarr-v2"](tmp_path / "y", {"/x": view_of(np.ones(2, "datetime64[s]"))}, {})


def test_zip_files_and_chunks_are_those_of_zarr_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.migration.exporting.layouts.CHUNK", 100)
    values = np.arange(70, dtype="int32").reshape(7, 10)
    CONTAINERS["zarr-v2-zip"](tmp_path / "x.zip", {"/a/b": view_of(values)}, {"/": {"k": [1]}})
    with zipfile.ZipFile(tmp_path / "x.zip") as file:
        assert json.loads(file.read("a/b/.zarray"))["chunks"] == [2, 10]
        assert {"a/b/3.0", ".zgroup", "a/.zgroup", ".zattrs"} <= set(file.namelist())
    with zarr.storage.ZipStore(tmp_path / "x.zip", mode="r") as store:
        group = zarr.open_group(store, mode="r", zarr_format=2)
        np.testing.assert_array_equal(group["a/b"][...], values)
        assert dict(group.attrs) == {"k": [1]}


def test_an_open_question_of_a_rule_is_asked(tmp_path: Path) -> None:
    run = forged(tmp_path)
    mapping = (tmp_path / "own.toml").read_text().replace("ndim = 2", 'ndim = 1, when = {which = "one"}')
    mapping = mapping.replace("do = [{take = [0, 0]}], ", "").replace('"/.*", to', '"/x", to')
    (tmp_path / "own.toml").write_text(
        f'{mapping}ask = {{which = {{why = "which is it?", choices = ["one", "two"]}}}}\n'
    )
    with pytest.raises(Unanswered, match=r"--set 'which=one\|two'"):
        export(str(run), str(tmp_path / "old.zarr"), str(tmp_path / "own.toml"))
    assert (
        export(str(run), str(tmp_path / "old.zarr"), str(tmp_path / "own.toml"), answers={"which": "one"}).arrays == 1
    )


@given(cases())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_export_after_a_migration_gives_back_what_is_not_lost(case: Case) -> None:
    found: list[str] = []
    checked(case, found.append)
    assert found == []


def test_an_inverse_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {"do": [{"moveaxis": [0, 1]}], "axes": ["row", "column"]}
    rule = {"from": "/a", "ndim": 2, "to": "/activations/a", **steps}
    case = Case(".npz", {"/a": np.arange(4, dtype="float32").reshape(2, 2)}, nodes=[rule])
    monkeypatch.setitem(undo._UNDO, "moveaxis", lambda values, *_: values)
    assert faults(case, tmp_path)[0] == "/a has other values"


@pytest.mark.parametrize("suffix", [".zarr", ".zip", ".h5", ".npz", ".safetensors"])
def test_an_export_reads_and_writes_large_arrays_in_parts(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(size=(90, 8, 5)).astype("float32")
    axes = ["token", "head", "hidden"]
    metadata = {"/metadata": {"model_name": "m", "model_version": "1"}}
    arrays = {"/activations/a": vizschema.Array(values, axes, chunks=(7, 8, 5))}
    vizschema.write(tmp_path / "run.zarr", arrays, metadata, profile="trace")
    (tmp_path / "own.toml").write_text(
        'mapping = "1.0"\nname = "own"\nversion = "1"\ntarget = "1.0.0"\ntitle = "any"\n'
        'nodes = [{from = "/a", to = "/activations/a", do = [{moveaxis = [0, 1]}], '
        'axes = ["token", "head", "hidden"]}]\n'
        'recognise = {all = [{node = "/a"}]}\n'
    )
    largest = 0
    plain = View.__getitem__

    def read(view: View, region: Any) -> Any:
        nonlocal largest
        found = plain(view, region)
        largest = max(largest, found.nbytes)
        return found

    monkeypatch.setattr(View, "__getitem__", read)
    monkeypatch.setattr("vizschema.sources.views.KEPT", 1000)
    monkeypatch.setattr("vizschema.sources.views.REGION", 2000)
    monkeypatch.setattr(blocks, "__defaults__", (None, 2000))
    monkeypatch.setattr("vizschema.migration.exporting.layouts.CHUNK", 500)
    export(str(tmp_path / "run.zarr"), str(tmp_path / f"old{suffix}"), str(tmp_path / "own.toml"))
    assert 0 < largest <= 2000
    with opened(str(tmp_path / f"old{suffix}")) as tree:
        np.testing.assert_array_equal(tree["/a"].values(), np.moveaxis(values, 1, 0))


def test_a_large_array_of_an_npz_file_is_compared_with_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vizschema.sources.views.KEPT", 1000)
    monkeypatch.setattr("vizschema.sources.views.REGION", 2000)
    np.savez(tmp_path / "old.npz", act_0_single=np.ones((64, 32), "float32"))
    raw = bytearray((tmp_path / "old.npz").read_bytes())
    raw[5000] ^= 1
    (tmp_path / "old.npz").write_bytes(raw)
    with opened(str(tmp_path / "old.npz")) as tree, pytest.raises(NotAnArchive, match="checksum"):
        digest(Kept().view(tree["/act_0_single"]))


NARROW = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def narrow_archive(folder: Path) -> Path:
    """An archive made of arrays of dtypes that NumPy lacks, by `own.toml`, and the mapping that casts them again."""
    values = {name: np.linspace(-3, 3, 12).reshape(4, 3).astype(dtype_of(name)) for name in NARROW}
    CONTAINERS["safetensors"](folder / "old.safetensors", {f"/{name}": view_of(values[name]) for name in NARROW}, {})
    for file, step in (("own.toml", ""), ("again.toml", "do = [{{cast = '{name}'}}], ")):
        rules = [
            f'{{from = "/{name}", {step.format(name=name)}to = "/activations/{name}", axes = ["token", "hidden"]}}'
            for name in NARROW
        ]
        (folder / file).write_text(
            'mapping = "1.0"\nname = "own"\nversion = "1"\ntarget = "1.0.0"\ntitle = "any"\n'
            f'nodes = [{", ".join(rules)}]\nrecognise = {{all = [{{node = "/bfloat16"}}]}}\n'
            'set = {"/metadata" = {model_name = "m", model_version = "1"}}\n'
        )
    migrate(folder / "old.safetensors", folder / "run.zarr", mapping=str(folder / "own.toml"))
    return folder / "run.zarr"


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".npz"])
def test_narrow_dtypes_are_refused_with_the_option_that_widens_them_and_come_back(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, back = narrow_archive(tmp_path), tmp_path / f"back{suffix}"
    command = ["export", str(run), str(back), "--as", str(tmp_path / "own.toml")]
    assert main(command) == 2
    assert "add --widen to write it as float32, which has each of its values" in capsys.readouterr().err
    assert main([*command, "--widen"]) == 0
    out = capsys.readouterr().out
    assert "widened: /bfloat16: bfloat16 as float32, which has the same values\n" in out
    assert "3 arrays in" in out
    assert "0 are what the archive was made of" in out
    done = migrate(back, tmp_path / "again.zarr", mapping=str(tmp_path / "again.toml"))
    assert done.proved == 3
    assert {name: digest(view) for name, view in stored(tmp_path / "again.zarr").items()} == {
        name: digest(view) for name, view in stored(run).items()
    }


def stored(archive: Path) -> dict[str, Any]:
    with opened(str(archive)) as tree:
        return {place: item.values() for place, item in tree.items() if item.kind == "array"}


def test_narrow_dtypes_of_safetensors_are_the_same_bytes_again(tmp_path: Path) -> None:
    done = export(narrow_archive(tmp_path), tmp_path / "b.safetensors", str(tmp_path / "own.toml"), widen=True)
    assert (done.same, done.widened) == (3, {})
    assert digests(tmp_path / "b.safetensors") == digests(tmp_path / "old.safetensors")


def test_an_attribute_that_a_container_does_not_give_back_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pkl").write_bytes(
        pickle.dumps({"h": np.ones((4, 3), "float32"), "probabilities": None, "s": {"x": "k"}})
    )
    (tmp_path / "own.toml").write_text(suggest(tmp_path / "a.pkl"), encoding="utf-8")
    who = {"model_name": "m", "model_version": "1"}
    migrate(tmp_path / "a.pkl", tmp_path / "a.zarr", mapping=str(tmp_path / "own.toml"), answers=who)
    command = ["export", str(tmp_path / "a.zarr"), "--as", str(tmp_path / "own.toml")]
    assert main([*command, str(tmp_path / "b.h5")]) == 1
    assert "/@probabilities: read back, None is 'null'; try another container" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "b.npz")]) == 2
    assert "expected no attributes, found /@probabilities; pass --container zarr-v2 or hdf5" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "b.zarr")]) == 0


def test_an_attribute_with_the_number_of_its_group_is_given_back(tmp_path: Path) -> None:
    saved = [{"h": np.full((length, 3), length, "float32"), "text": f"prompt {length}"} for length in (2, 5)]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(saved))
    (tmp_path / "own.toml").write_text(suggest(tmp_path / "a.pkl"), encoding="utf-8")
    who = {"model_name": "m", "model_version": "1"}
    there = migrate(tmp_path / "a.pkl", tmp_path / "a.zarr", mapping=str(tmp_path / "own.toml"), answers=who)
    again = export(tmp_path / "a.zarr", tmp_path / "b.zarr", str(tmp_path / "own.toml"))
    assert list(again.losses) == list(there.losses) == []
    assert attributes(tmp_path / "b.zarr") == {"/0@text": "prompt 2", "/1@text": "prompt 5"}


def test_what_would_not_conform_is_reported_under_the_name_of_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", tokens=np.arange(4))
    (tmp_path / "own.toml").write_text(suggest(tmp_path / "a.npz"), encoding="utf-8")
    who = ["--set", "model_name=m", "--set", "model_version=1"]
    command = ["migrate", str(tmp_path / "a.npz"), str(tmp_path / "a.zarr"), "--mapping", str(tmp_path / "own.toml")]
    assert main([*command, *who]) == 1
    out = "".join(capsys.readouterr())
    assert "a.zarr: does not conform to trace" in out
    assert ".partial" not in out
