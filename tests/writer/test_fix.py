"""`vizschema fix`: what is mechanical is fixed in every container, nothing is lost, and nothing is half done."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import vizschema
from vizschema import NotAnArchive, UsageError, VizschemaError
from vizschema.conformance.corpus.cases import base
from vizschema.conformance.corpus.documents import IDENTITIES, write_document
from vizschema.conformance.corpus.raw import SUFFIXES
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.writer.fixing import fix as fixing
from vizschema.writer.owner import owned
from vizschema.writer.target import Work


def document(*changes: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The smallest trace with the changes."""
    made: dict[str, Any] = deepcopy(base("1.0.0", "trace"))
    for change in changes:
        change(made["nodes"])
    return made


def narrow(nodes: dict[str, Any]) -> None:
    """Number the layers without leading zeros."""
    for index in range(2):
        nodes[f"/activations/layer_{index}"] = nodes.pop(f"/activations/layer_0{index}")


def odd_time(nodes: dict[str, Any]) -> None:
    nodes["/"]["attributes"]["created_at"] = "2026-11-21 09:00:00Z"


def text_count(nodes: dict[str, Any]) -> None:
    nodes["/activations"]["attributes"]["num_layers"] = "2"


def written(folder: Path, container: str, *changes: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / f"broken{SUFFIXES[container]}"
    write_document(document(*changes), container, path)
    return path


def values(path: Path) -> dict[str, Any]:
    """Every array below /activations, by its last letter, and that below /attention."""
    with vizschema.open(path) as archive:
        return {name[-1]: archive[name][...] for name in archive if isinstance(archive[name], vizschema.StoredArray)}


def files(path: Path) -> dict[str, bytes]:
    """The bytes of every file of an archive."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def alone(path: Path) -> bool:
    """Whether nothing of the writer is left beside an archive."""
    return not Work(path).folder.exists() and not list(path.parent.glob(".*"))


@pytest.mark.parametrize("container", IDENTITIES)
def test_mechanical_faults_are_fixed_in_every_container(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container, narrow, odd_time, text_count)
    before, were = files(path), values(path)
    target = tmp_path / f"fixed{SUFFIXES[container]}"
    dry = vizschema.fix(path)
    assert dry.target is None
    assert not target.exists()
    fixed = vizschema.fix(path, target)
    assert {change.fix for change in fixed.changes} == {"index-width", "time-offset", "typed-values"}
    assert dry.changes == fixed.changes
    assert (fixed.after.verdict, fixed.exit_code, fixed.arrays) == ("conforms", 0, 4)
    assert files(path) == before
    assert alone(target)
    found = values(target)
    assert found.keys() == were.keys()
    assert all(np.array_equal(found[name], were[name]) for name in were)
    assert vizschema.describe(target)["container"] == vizschema.describe(path)["container"]
    assert vizschema.fix(target).changes == ()


@pytest.mark.parametrize("container", ["zarr-v3", "zarr-v2", "hdf5", "zarr-v3-zip"])
def test_an_archive_is_fixed_in_place_once(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container, narrow)
    fixed = vizschema.fix(path, in_place=True, isolated=True)
    assert vizschema.validate(path).verdict == fixed.after.verdict == "conforms"
    assert fixed.after.archive == str(path)
    after = files(path)
    assert vizschema.fix(path, in_place=True).changes == ()
    assert files(path) == after
    assert alone(path)


def no_generator(nodes: dict[str, Any]) -> None:
    del nodes["/"]["attributes"]["generator"]


def odd_profile(nodes: dict[str, Any]) -> None:
    nodes["/"]["attributes"]["profile"] = "Trace"


def odd_attribute(nodes: dict[str, Any]) -> None:
    nodes["/metadata"]["attributes"]["Model Name"] = nodes["/metadata"]["attributes"].pop("model_name")


def more_layers(nodes: dict[str, Any]) -> None:
    nodes["/activations"]["attributes"]["num_layers"] = 7


BREAKAGES = [narrow, odd_time, text_count, no_generator, odd_profile, odd_attribute, more_layers]


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.sets(st.sampled_from(BREAKAGES)), st.sampled_from(sorted(IDENTITIES)), st.booleans())
def test_after_a_fix_the_finding_is_gone_or_nothing_has_changed(
    breakages: set[Any], container: str, in_place: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name), container, *sorted(breakages, key=BREAKAGES.index))
        before, were, report = files(path), values(path), vizschema.validate(path)
        target = path if in_place else path.with_name(f"fixed{path.suffix}")
        fixed = vizschema.fix(path, None if in_place else target, in_place=in_place)
        if not in_place or not fixed.changes:
            assert files(path) == before
        if not fixed.changes:
            assert in_place or not target.exists()
            return
        after = vizschema.validate(target)
        found = values(target)
        assert found.keys() == were.keys()
        assert all(np.array_equal(found[each], were[each]) for each in were)
        for rule in {change.rule for change in fixed.changes}:
            counts = [sum(each.rule == rule for each in some.findings) for some in (report, after)]
            assert counts[1] < counts[0], rule
        assert len(after.errors) < len(report.errors)
        assert alone(target)


def test_the_record_says_what_was_changed(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    vizschema.fix(path, in_place=True)
    write = json.loads((path / "activations/zarr.json").read_text())
    write["attributes"]["num_layers"] = "2"
    (path / "activations/zarr.json").write_text(json.dumps(write))
    vizschema.fix(path, in_place=True)
    record = vizschema.describe(path)["nodes"]["/extra/fixes"]["attributes"]
    assert record["run_00"]["changes"] == record["run_01"]["changes"] == 1
    assert record["run_01_changes_00"] == [
        {"fix": "typed-values", "rule": "count-attribute", "path": "/activations", "change": 'num_layers: "2" became 2'}
    ]


def test_an_archive_that_conforms_is_not_touched(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3")
    before = files(path)
    fixed = vizschema.fix(path, tmp_path / "other.zarr")
    assert (fixed.changes, fixed.target, fixed.exit_code) == ((), None, 0)
    assert not (tmp_path / "other.zarr").exists()
    assert files(path) == before


@pytest.mark.parametrize("container", ["zarr-v3", "npz"])
def test_the_archive_stays_where_the_values_would_differ(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, container, narrow)
    before = files(path)
    hashes = fixing._Read.hashes.fget  # type: ignore[attr-defined]
    seen = []

    def wrong(read: Any) -> dict[str, str]:
        seen.append(read)
        found: dict[str, str] = hashes(read)
        return found if len(seen) < 3 else dict.fromkeys(found, "0")

    monkeypatch.setattr(fixing._Read, "hashes", property(wrong))
    with pytest.raises(VizschemaError, match=r"the values of .* would differ"):
        vizschema.fix(path, in_place=True)
    assert files(path) == before
    assert alone(path)


def test_the_archive_stays_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    before = files(path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fixing, "exchange", full)
    with pytest.raises(OSError, match="No space"):
        vizschema.fix(path, in_place=True)
    assert files(path) == before
    assert alone(path)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    with owned(path), pytest.raises(UsageError, match="is being written by"):
        vizschema.fix(path, in_place=True)


def test_a_copy_shares_no_file_with_the_archive(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    (path / "metadata/zarr.json").write_bytes(b"\xef\xbb\xbf" + (path / "metadata/zarr.json").read_bytes())
    vizschema.fix(path, tmp_path / "fixed.zarr")
    inodes = [
        {each.stat().st_ino for each in folder.rglob("*") if each.is_file()}
        for folder in (path, tmp_path / "fixed.zarr")
    ]
    assert not inodes[0] & inodes[1]


def test_chunks_that_stay_are_not_written_again_in_place(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    chunk = next(
        each for each in (path / "activations/layer_0").rglob("*") if each.name not in DOCUMENTS and each.is_file()
    )
    number = chunk.stat().st_ino
    vizschema.fix(path, in_place=True)
    assert number in {each.stat().st_ino for each in (path / "activations/layer_00").rglob("*")}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: vizschema.fix(path, path), "a target outside the archive"),
        (lambda path: vizschema.fix(path, path / "inner.zarr"), "a target outside the archive"),
        (lambda path: vizschema.fix(path, path.with_name("x.zarr"), in_place=True), "found both"),
        (lambda path: vizschema.fix(path, path.with_name("x.h5")), "convert the fixed archive"),
        (lambda path: vizschema.fix(path, path.with_name("there")), "exists already"),
        (lambda _: vizschema.fix("s3://bucket/run.zarr"), "cannot fix an archive at a URL"),
        (lambda path: vizschema.fix(path.with_name("link.zarr"), in_place=True), "is a symbolic link"),
    ],
)
def test_a_wrong_call_is_refused(call: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    path.with_name("there").mkdir()
    path.with_name("link.zarr").symlink_to(path)
    before = files(path)
    with pytest.raises(UsageError, match=words):
        call(path)
    assert files(path) == before


def test_what_is_not_an_archive_cannot_be_fixed(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive, match="no such file"):
        vizschema.fix(tmp_path / "none.zarr", in_place=True)
    (tmp_path / "text.zarr").write_text("text")
    with pytest.raises(NotAnArchive):
        vizschema.fix(tmp_path / "text.zarr", in_place=True)
    assert alone(tmp_path / "text.zarr")


# Files of Zarr.


def edited(path: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((path / name).read_bytes())
    change(content)
    (path / name).write_text(json.dumps(content))


def mark(path: Path) -> None:
    place = path / "metadata/zarr.json"
    place.write_bytes(b"\xef\xbb\xbf" + place.read_bytes())


def wide(path: Path) -> None:
    place = path / "metadata/zarr.json"
    place.write_bytes(place.read_text().encode("utf-16"))


def twice(path: Path) -> None:
    place = path / "metadata/zarr.json"
    place.write_text(place.read_text().replace('"node_type"', '"zarr_format": 3, "node_type"', 1))


def bare_nan(path: Path) -> None:
    edited(path, "activations/layer_00/zarr.json", lambda content: content.update(fill_value=float("nan")))


def bare_encoding(path: Path) -> None:
    edited(path, "activations/layer_00/zarr.json", lambda content: content.update(chunk_key_encoding="default"))


def no_group(path: Path) -> None:
    (path / "attention/zarr.json").unlink()


def stale(path: Path) -> None:
    zarr.consolidate_metadata(zarr.storage.LocalStore(path))
    edited(path, "activations/zarr.json", lambda content: content["attributes"].update(note="later"))


def lost(path: Path) -> None:
    zarr.consolidate_metadata(zarr.storage.LocalStore(path))
    (path / "activations/layer_00/zarr.json").unlink()


def separator(path: Path) -> None:
    encoding = {"name": "default", "configuration": {"separator": "."}}
    edited(path, "activations/layer_00/zarr.json", lambda content: content.update(chunk_key_encoding=encoding))


def finder(path: Path) -> None:
    (path / ".DS_Store").write_bytes(b"x")
    (path / "activations/._layer_00").write_bytes(b"x")


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (mark, ["document-text"]),
        (wide, ["document-text"]),
        (twice, ["document-text"]),
        (bare_nan, ["document-text"]),
        (bare_encoding, ["named-extensions"]),
        (no_group, ["group-documents"]),
        (stale, ["consolidation"]),
        (lost, ["group-documents"]),
        (separator, ["chunk-separator"]),
        (finder, ["system-files", "system-files"]),
    ],
)
@pytest.mark.parametrize("in_place", [True, False])
def test_files_of_zarr_are_fixed(
    damage: Callable[[Path], None], expected: list[str], *, in_place: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, "zarr-v3")
    digest = vizschema.digest(path, values_only=True)
    damage(path)
    report = vizschema.validate(path)
    assert {finding.fixable for finding in report.findings} == {"maybe"}
    assert [change.fix for change in vizschema.fix(path).changes] == expected
    target = path if in_place else tmp_path / "fixed.zarr"
    fixed = vizschema.fix(path, None if in_place else target, in_place=in_place)
    assert [change.fix for change in fixed.changes] == expected
    assert fixed.after.verdict == "conforms"
    assert fixed.after.findings == ()
    assert vizschema.digest(target, values_only=True) == digest
    assert vizschema.fix(target).changes == ()


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_consolidated_copy_is_made_again(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    stale(path)
    vizschema.fix(path, in_place=True)
    copy = json.loads((path / "zarr.json").read_bytes())["consolidated_metadata"]["metadata"]
    assert copy["activations"]["attributes"] == {"num_layers": 2, "note": "later"}
    assert {"activations/layer_00", "extra/fixes"} < copy.keys()
    assert vizschema.validate(path).verdict == "conforms"


def both_keys(path: Path) -> None:
    """Chunks under keys of two encodings."""
    separator(path)
    folder = path / "activations/layer_00"
    shutil.copyfile(folder / "c/0/0", folder / "c.0.0")


def two_counts(path: Path) -> None:
    """A key that is repeated with another value."""
    place = path / "activations/zarr.json"
    place.write_text(place.read_text().replace('"node_type"', '"zarr_format": 2, "node_type"', 1))


def nan_attribute(path: Path) -> None:
    edited(path, "activations/zarr.json", lambda content: content["attributes"].update(note=float("nan")))


def lone_chunks(path: Path) -> None:
    """An array without its document."""
    (path / "activations/layer_00/zarr.json").unlink()


def stray(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def half(path: Path) -> None:
    """A chunk that ends early."""
    chunk = path / "activations/layer_00/c/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-3])


@pytest.mark.parametrize("damage", [both_keys, two_counts, nan_attribute, lone_chunks, stray, half])
def test_what_has_several_readings_is_left(damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3")
    damage(path)
    before = files(path)
    fixed = vizschema.fix(path, in_place=True)
    assert fixed.changes == ()
    assert {finding.rule for finding, _ in fixed.left} == {finding.rule for finding in fixed.before.findings} != set()
    assert all(why for _, why in fixed.left)
    assert files(path) == before


def test_faults_that_are_left_are_kept_beside_fixed_ones(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    stray(path)
    chunk = path / "activations/layer_0/c/0/0"
    chunk.write_bytes(b"half")
    (path / "link").symlink_to("/etc")
    fixed = vizschema.fix(path, in_place=True)
    assert [change.fix for change in fixed.changes] == ["index-width"]
    assert {finding.rule for finding, _ in fixed.left} == {"chunk-readable", "external-link", "stray-file"}
    assert (path / "notes.txt").read_text() == "mine"
    assert (path / "activations/layer_00/c/0/0").read_bytes() == b"half"
    assert os.readlink(path / "link") == "/etc"  # noqa: PTH115


# Zip files.


def repeated(path: Path, *, last: bytes | None = None) -> None:
    """Write the first member of a zip file again at its end, with other bytes if they are given."""
    with zipfile.ZipFile(path) as file:
        name = file.namelist()[0]
        content = file.read(name)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, content if last is None else last)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("container", ["npz", "zarr-v3-zip"])
def test_equal_members_of_a_zip_file_become_one(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container)
    repeated(path)
    assert not vizschema.validate(path).conforms
    fixed = vizschema.fix(path, in_place=True)
    assert [change.fix for change in fixed.changes] == ["equal-members"]
    assert fixed.after.verdict == "conforms"
    assert alone(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("container", ["npz", "zarr-v3-zip"])
def test_different_members_of_one_name_are_left(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container, odd_time)
    repeated(path, last=b"other")
    before = files(path)
    assert vizschema.fix(path, in_place=True).changes == ()
    assert files(path) == before


def test_a_zip_file_keeps_its_folder_and_what_is_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3", narrow)
    packed = tmp_path / "in_folder.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for each in sorted(path.rglob("*")):
            if each.is_file():
                file.write(each, f"run.zarr/{each.relative_to(path).as_posix()}")
        file.writestr("README.txt", "mine")
    fixed = vizschema.fix(packed, in_place=True)
    assert [change.fix for change in fixed.changes] == ["index-width"]
    with zipfile.ZipFile(packed) as file:
        assert file.read("README.txt") == b"mine"
        assert "run.zarr/activations/layer_00/zarr.json" in file.namelist()


# Chunks, codecs, and values.


def test_chunks_and_codecs_are_those_of_the_specification(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3")
    root = zarr.open_group(path, mode="a")
    weights = np.full((2, 2, 4, 4), 0.25, "float32")
    weights[0, 0, 0] = [0.1, 0.2, 0.3, 0.4]
    axes = ["sample", "head", "token:query", "token:key"]
    given = {"normalization": "softmax", "source": "captured", "scope_token": "other", "scope_sample": "other"}
    root.create_array("attention/self/extra", data=weights, dimension_names=axes, chunks=(2, 2, 4, 4), attributes=given)
    assert {each.rule for each in vizschema.validate(path).errors} == {"chunk-one-head", "chunk-one-sample"}
    fixed = vizschema.fix(path, in_place=True)
    assert fixed.after.verdict == "conforms"
    with vizschema.open(path) as archive:
        assert np.array_equal(archive["/attention/self/extra"][...], weights)
        assert dict(archive["/attention/self/extra"].attributes) == given
    storage = vizschema.describe(path)["nodes"]["/attention/self/extra"]["storage"]
    assert (storage["chunks"], storage["codecs"]) == ([1, 1, 4, 4], ["bytes", "zstd"])


def test_an_array_with_a_missing_chunk_is_not_stored_again(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v3")
    root = zarr.open_group(path, mode="a")
    axes = ["sample", "head", "token:query", "token:key"]
    given = {"normalization": "none", "source": "captured"}
    root.create_array(
        "attention/self/extra",
        shape=(3, 2, 5, 5),
        dtype="float32",
        dimension_names=axes,
        chunks=(3, 2, 5, 5),
        attributes=given,
    )
    assert vizschema.fix(path, in_place=True).changes == ()


@pytest.mark.parametrize("container", ["zarr-v2", "hdf5"])
def test_arrays_of_metadata_become_attributes(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container)
    opened = h5py.File(path, "r+") if container == "hdf5" else zarr.open_group(path, mode="a", zarr_format=2)
    group = opened["metadata"]
    text = {"dtype": h5py.string_dtype()} if container == "hdf5" else {"dtype": "U9"}
    arrays = {"sequence": np.array("MQIFV", **text), "flags": np.array([True, False]), "rate": np.float32(0.1)}
    for name, values_ in arrays.items():
        if container == "hdf5":
            group[name] = values_
        else:
            group.create_array(name, data=np.asarray(values_))
    if container == "hdf5":
        opened.close()
    fixed = vizschema.fix(path, in_place=True, isolated=True)
    assert [change.fix for change in fixed.changes] == ["metadata-arrays"] * 3
    found = vizschema.describe(path)["nodes"]["/metadata"]["attributes"]
    assert (found["sequence"], found["flags"], found["rate"]) == ("MQIFV", [True, False], float(np.float32(0.1)))


def test_text_that_no_attribute_may_hold_stays_an_array(tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5")
    with h5py.File(path, "r+") as file:
        file["metadata/note"] = "two\nlines"
    before = files(path)
    fixed = vizschema.fix(path, in_place=True)
    assert fixed.changes == ()
    assert files(path) == before


def test_a_file_that_would_lose_something_is_left(tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5", narrow)
    with h5py.File(path, "r+") as file:
        file["extra/alias"] = h5py.SoftLink("/activations")
    fixed = vizschema.fix(path, in_place=True)
    assert fixed.changes == ()
    assert {finding.fixable for finding in fixed.before.findings} == {"no"}
    assert any("/extra/alias cannot be: soft link" in why for _, why in fixed.left)


def test_a_reference_follows_the_array_that_it_names(tmp_path: Path) -> None:
    def sink(nodes: dict[str, Any]) -> None:
        nodes["/inputs/Mask"] = {
            "kind": "array",
            "dtype": "bool",
            "axes": ["token"],
            "contents": {"pattern": "constant", "value": 1},
            "attributes": {},
        }
        nodes["/activations/layer_00"]["attributes"]["mask"] = "/inputs/Mask"

    path = written(tmp_path, "zarr-v3", sink)
    fixed = vizschema.fix(path, in_place=True)
    assert [change.fix for change in fixed.changes] == ["node-name"]
    assert fixed.after.verdict == "conforms"
    assert vizschema.describe(path)["nodes"]["/activations/layer_00"]["attributes"]["mask"] == "/inputs/mask"


def test_a_change_that_values_speak_against_is_not_made(tmp_path: Path) -> None:
    def masked(nodes: dict[str, Any]) -> None:
        nodes["/inputs/mask"] = {
            "kind": "array",
            "dtype": "bool",
            "axes": ["token"],
            "contents": {"pattern": "listed", "values": [1, 1, 0, 0, 0]},
            "attributes": {},
        }
        nodes["/attention/self/layer_00"]["attributes"]["mask"] = "inputs/mask"

    path = written(tmp_path, "zarr-v3", masked, narrow)
    assert {each.fixable for each in vizschema.validate(path).findings if each.rule == "reference-path"} == {"maybe"}
    fixed = vizschema.fix(path, in_place=True)
    assert [change.fix for change in fixed.changes] == ["index-width"]
    assert [finding.rule for finding, _ in fixed.left] == ["reference-path"]


def test_real_archives_get_no_worse(real: Path, tmp_path: Path) -> None:
    kinds = set()
    for path in sorted((real / "published").iterdir()):
        before = files(path)
        fixed = vizschema.fix(path, tmp_path / path.name)
        kinds |= {change.fix for change in fixed.changes}
        assert len(fixed.after.errors) <= len(fixed.before.errors)
        assert files(path) == before
        if fixed.target is not None:
            assert vizschema.fix(fixed.target).changes == ()
    assert {"index-width", "metadata-arrays"} <= kinds
