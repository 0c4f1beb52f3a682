"""`vizschema.write`: what is written, what is refused, and what is left behind."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import asdf
import h5py
import ml_dtypes
import numpy as np
import pytest
import zarr
from support.traces import CONTAINERS, arrays, attributes, hidden, listing, values

import vizschema
from vizschema import Array, NotConforming, SpecError, UsageError
from vizschema.rules.chunking import default_chunks

container = pytest.mark.parametrize("container", CONTAINERS)


def write(folder: Path, container: str = "zarr-v3", **changes: Any) -> Path:
    path = folder / CONTAINERS[container]
    given = {"arrays": arrays(), "attributes": attributes(), "profile": "trace", "container": container, **changes}
    vizschema.write(path, given.pop("arrays"), given.pop("attributes"), **given)
    return path


# What is written


@container
def test_what_was_judged_is_what_is_written(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []
    module = importlib.import_module("vizschema.writer.write")
    judged = vars(module)["report_of"]
    monkeypatch.setattr(
        module, "report_of", lambda description, *a, **k: planned.append(description) or judged(description, *a, **k)
    )
    more = {"/extra/cut": Array(values(9, 4), ["row", "column"], chunks=[4, 4])}
    if container == "zarr-v3":
        more["/extra/sharded"] = Array(values(8, 6), ["line", "column6"], chunks=[2, 6], shards=[4, 6])
    path = write(tmp_path, container, arrays={**arrays(), **more})
    assert planned[0] == vizschema.describe(path)
    nodes = {place: {k: v for k, v in node.items() if k != "facts"} for place, node in planned[1]["nodes"].items()}
    assert nodes == planned[0]["nodes"]


@container
def test_a_written_archive_conforms_and_leaves_nothing_beside_it(container: str, tmp_path: Path) -> None:
    path = write(tmp_path, container)
    assert vizschema.validate(path).errors == ()
    assert listing(tmp_path) == [path.name]


def test_the_report_of_a_write_is_about_the_target(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    report = vizschema.write(path, arrays(), attributes(), profile="trace")
    assert (report.archive, report.profile, report.verdict) == (str(path), "trace", "conforms")


def test_containers_differ_in_container_and_storage_alone(tmp_path: Path) -> None:
    described = []
    for name, file in CONTAINERS.items():
        folder = tmp_path / name
        folder.mkdir()
        fixed = {**attributes(), "/": {"created_at": "2026-11-21T09:00:00Z"}}
        description = vizschema.describe(write(folder, name, attributes=fixed))
        description.pop("container")
        for node in description["nodes"].values():
            node.pop("storage", None)
        described.append(description)
        assert (folder / file).exists()
    assert all(each == described[0] for each in described[1:])


def test_the_root_says_version_profile_time_and_software(tmp_path: Path) -> None:
    root = vizschema.describe(write(tmp_path))["nodes"]["/"]["attributes"]
    assert root["spec_version"] == "1.0.0"
    assert root["profile"] == "trace"
    assert root["created_at"].endswith("+00:00")
    assert root["generator"].startswith("vizschema ")


def test_what_the_caller_says_of_time_and_software_is_kept(tmp_path: Path) -> None:
    said = {"created_at": "2020-01-02T03:04:05Z", "generator": "my_tracer 0.3.1"}
    root = vizschema.describe(write(tmp_path, attributes={**attributes(), "/": said}))["nodes"]["/"]["attributes"]
    assert {key: root[key] for key in said} == said


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("a.zarr", ("zarr", 3)),
        ("a.h5", ("hdf5", None)),
        ("a.hdf5", ("hdf5", None)),
        ("a.npz", ("npz", None)),
        ("a.asdf", ("asdf", None)),
        ("a.zarr.zip", ("zarr", 3)),
    ],
)
def test_the_suffix_picks_the_container(name: str, container: tuple[str, int | None], tmp_path: Path) -> None:
    vizschema.write(tmp_path / name, arrays(), attributes(), profile="trace")
    found = vizschema.describe(tmp_path / name)["container"]
    assert (found["format"], found["version"]) == container


def test_zarr_is_readable_and_consolidated_for_zarr_python(tmp_path: Path) -> None:
    for name in ("zarr-v2", "zarr-v3"):
        folder = tmp_path / name
        folder.mkdir()
        plain = {path: item for path, item in arrays().items() if path != "/activations/gates"}
        group = zarr.open_group(write(folder, name, arrays=plain), mode="r", use_consolidated=True)
        assert np.array_equal(group["activations/layer_01"][...], hidden(1).data)
    assert group["activations/layer_01"].metadata.dimension_names == ("sample", "token", "hidden")


def test_hdf5_carries_labels_and_native_attributes(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path, "hdf5")) as file:
        data = file["attention/self/layer_00"]
        assert [dimension.label for dimension in data.dims] == ["sample", "head", "token:query", "token:key"]
        assert (data.compression, data.shuffle, data.chunks) == ("gzip", True, (1, 1, 5, 5))
        assert file["activations"].attrs["num_layers"] == 2
        assert list(file["extra/mask"].attrs["names"]) == ["a", "é"]


def test_bfloat16_is_stored_as_the_contract_says(tmp_path: Path) -> None:
    for name in CONTAINERS:
        (tmp_path / name).mkdir()
    v3 = (write(tmp_path / "zarr-v3", "zarr-v3") / "activations/gates/zarr.json").read_text(encoding="utf-8")
    assert '"data_type": "bfloat16"' in v3
    v2 = zarr.open_array(write(tmp_path / "zarr-v2", "zarr-v2"), path="activations/gates", mode="r")
    assert (v2.dtype, v2.attrs["stored_dtype"]) == (np.uint16, "bfloat16")
    with h5py.File(write(tmp_path / "hdf5", "hdf5")) as file:
        assert file["activations/gates"].dtype == np.uint16
        assert file["activations/gates"].attrs["stored_dtype"] == "bfloat16"


def test_chunks_of_nothing_but_zeros_are_written_too(tmp_path: Path) -> None:
    path = write(tmp_path, arrays={**arrays(), "/extra/zeros": Array(np.zeros((4, 2)), ["a", "b"], chunks=[2, 2])})
    assert sorted(each.name for each in (path / "extra/zeros/c").iterdir()) == ["0", "1"]


def test_attributes_may_be_numpy_values_and_tuples(tmp_path: Path) -> None:
    given = {"count": np.int64(3), "shares": np.array([0.5, 1.0]), "pair": (1, 2), "flag": np.bool_(True)}
    path = write(tmp_path, attributes={**attributes(), "/extra": given})
    with vizschema.open(path) as archive:
        assert archive["/extra"].attributes == {"count": 3, "shares": [0.5, 1.0], "pair": [1, 2], "flag": True}


def test_attributes_of_an_array_come_from_both_places(tmp_path: Path) -> None:
    path = write(tmp_path, attributes={**attributes(), "/extra/mask": {"why": "test"}})
    with vizschema.open(path) as archive:
        assert archive["/extra/mask"].attributes["why"] == "test"
        assert archive["/extra/mask"].attributes["flags"] == [True, False]


# Chunks by meaning


LAYOUT = {
    "rules": [
        {"paths": "^/maps/", "unit_axes": "^(sample|head)$", "chunk_bytes": 1000},
        {"paths": "^/", "unit_axes": None, "chunk_bytes": 1000},
    ]
}


@pytest.mark.parametrize(
    ("path", "shape", "axes", "chunks"),
    [
        ("/maps/a", (2, 3, 5, 5), ("sample", "head", "token:query", "token:key"), (1, 1, 5, 5)),
        ("/other/a", (2, 3, 5, 5), ("sample", "head", "token:query", "token:key"), (2, 3, 5, 5)),
        ("/maps/a", (2, 20, 20), ("head", "token:query", "token:key"), (1, 10, 20)),
        ("/other/a", (76, 10), ("a", "b"), (19, 10)),
        ("/other/a", (3, 600), ("a", "b"), (1, 200)),
        ("/other/a", (), (), ()),
        ("/other/a", (0, 3), ("a", "b"), (1, 3)),
    ],
)
def test_unit_axes_are_single_and_the_first_of_the_others_are_cut(
    path: str, shape: tuple[int, ...], axes: tuple[str, ...], chunks: tuple[int, ...]
) -> None:
    assert default_chunks(path, shape, axes, 4, LAYOUT) == chunks


def test_a_large_array_is_cut_into_chunks_that_conform_without_a_warning(tmp_path: Path) -> None:
    large = {"/activations/large": Array(np.arange(3 * 1024 * 1024, dtype=np.float64).reshape(6, -1), ["a", "b"])}
    path = write(tmp_path, arrays={**arrays(), **large})
    storage = vizschema.describe(path)["nodes"]["/activations/large"]["storage"]
    assert 65536 <= storage["chunk_bytes"] <= 16777216
    assert not {finding.rule for finding in vizschema.validate(path).findings} & {"chunk-minimum", "chunk-maximum"}


# What is refused


@container
def test_a_refused_write_names_the_faults_and_leaves_nothing_behind(container: str, tmp_path: Path) -> None:
    faulty = {**arrays(), "/activations/layer_01": hidden(tokens=6)}
    with pytest.raises(NotConforming) as refused:
        write(tmp_path, container, arrays=faulty)
    assert {finding.rule for finding in refused.value.report.errors} == {"axis-one-size"}
    message = str(refused.value)
    assert "nothing was written: 1 error by trace 1.0.0" in message
    assert refused.value.report.errors[0].message in message
    assert refused.value.report.errors[0].fix in message
    assert refused.value.exit_code == 1
    assert listing(tmp_path) == []


def test_a_refusal_of_many_faults_counts_them(tmp_path: Path) -> None:
    faulty = {f"/activations/Layer{number}": hidden() for number in range(5)}
    with pytest.raises(NotConforming, match=r"and 2 more; `report.errors` of this exception has all of them"):
        write(tmp_path, arrays={**arrays(), **faulty})


@pytest.mark.parametrize("data", [np.array(["a", "b"]), np.array([b"a", b"b"]), np.array([object(), None])])
def test_text_and_objects_are_refused(data: Any, tmp_path: Path) -> None:
    with pytest.raises(NotConforming) as refused:
        write(tmp_path, arrays={**arrays(), "/activations/text": Array(data, ["two"])})
    assert {finding.rule for finding in refused.value.report.errors} == {"portable-dtype"}


@pytest.mark.parametrize(
    "value",
    [{"a": float("inf")}, [[2**70]], float("nan"), "two\nlines", 2**70, {"a\nb": 1}, "x" * ((1 << 20) + 1)],
)
def test_attributes_that_not_every_container_holds_are_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(NotConforming) as refused:
        write(tmp_path, attributes={**attributes(), "/extra": {"odd": value}})
    assert {finding.rule for finding in refused.value.report.errors} <= {"portable-attribute", "printable-text"}
    assert listing(tmp_path) == []


@container
def test_a_failing_write_leaves_nothing_behind(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vizschema.writer.forms.base import PlannedArray

    def fails(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(PlannedArray, "part", fails)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path, container)
    assert listing(tmp_path) == []


def test_what_a_container_has_no_room_for_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    many = {**attributes(), "/extra": {"numbers": list(range(20_000))}}
    with pytest.raises(UsageError, match="HDF5 supports at most 60000 bytes, found 160000"):
        write(tmp_path, "hdf5", attributes=many)
    for path, why in {"/extra/attributes": "the key attributes", "/history": "reserves the key history"}.items():
        with pytest.raises(UsageError, match=f"{path}: .*{why}"):
            write(tmp_path, "asdf", arrays={**arrays(), path: hidden()})
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"container": "tar"}, "container: expected one of zarr-v3, .*, hdf5, npz, asdf, .*, found 'tar'"),
        ({"attributes": {"/": {"profile": "other"}}}, "expected the attribute profile to be 'trace'"),
        ({"attributes": {"/": {"spec_version": "9.0.0"}}}, "expected the attribute spec_version to be '1.0.0'"),
        (
            {"attributes": {"/extra": {"_ARRAY_DIMENSIONS": ["a"]}}},
            "/extra: the attribute _ARRAY_DIMENSIONS is set by the writer",
        ),
        ({"attributes": {"/extra": {1: 2}}}, "/extra: expected attributes with names, found the key 1"),
        ({"attributes": {"/extra": {"set": {1}}}}, "/extra: attribute set: expected a JSON value: .* found set"),
        ({"attributes": {"/outputs/loss/deep": {"a": 1}}}, "/outputs/loss: expected a group, found an array"),
        ({"arrays": {"/a": hidden(), "a/": hidden()}}, "/a: expected one array under this path, found two"),
        ({"arrays": {"/a": hidden(), "/a/b": hidden()}}, "/a: expected an array or a group, found both"),
        ({"arrays": {"/": hidden()}}, "/: expected a group, found an array"),
        ({"arrays": {"/a//b": hidden()}}, "/a//b: expected names between single slashes"),
        ({"arrays": {"/a/../b": hidden()}}, "expected names between single slashes"),
        ({"arrays": {"/extra/zarr.json": hidden()}}, "none of them reserved"),
        (
            {"arrays": {"/a": Array(values(2, 2), ["x"])}},
            r"/a: expected one axis name per dimension of \(2, 2\), found \['x'\]",
        ),
        ({"arrays": {"/a": Array(values(2), "x")}}, "/a: expected one axis name per dimension"),
        ({"arrays": {"/a": Array(values(2), ["x"], chunks=[0])}}, "/a: expected chunks of 1 or more"),
        ({"arrays": {"/a": Array(values(2), ["x"], chunks=[1, 1])}}, "/a: expected chunks of 1 or more"),
        (
            {"arrays": {"/a": Array(values(4), ["x"], chunks=[2], shards=[3])}},
            "expected shards that are multiples of the chunks",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"arrays": arrays(), "attributes": attributes(), "container": None, **changes}
    with pytest.raises(UsageError, match=message):
        vizschema.write(
            tmp_path / "a.zarr", given["arrays"], given["attributes"], profile="trace", container=given["container"]
        )
    assert listing(tmp_path) == []


def test_a_suffix_that_says_no_container_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.txt: expected one of the suffixes \.zarr \(zarr-v3\).* found \.txt"):
        vizschema.write(tmp_path / "a.txt", arrays(), attributes(), profile="trace")


@pytest.mark.parametrize("container", ["zarr-v2", "hdf5"])
def test_shards_are_for_zarr_v3(container: str, tmp_path: Path) -> None:
    sharded = {"/a": Array(values(4), ["x"], chunks=[2], shards=[4])}
    with pytest.raises(UsageError, match=f"/a: {container} has no shards"):
        write(tmp_path, container, arrays=sharded)


def test_an_unknown_version_or_profile_is_a_problem_of_the_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        write(tmp_path, spec="9.9.9")
    with pytest.raises(SpecError):
        write(tmp_path, profile="nothing")
    assert listing(tmp_path) == []


def test_no_container_of_ours_holds_what_is_no_number(tmp_path: Path) -> None:
    profile = tmp_path / "lax"
    profile.mkdir()
    for level in ("must", "should"):
        name = f"https://example.org/lax/{level}.schema.json"
        dialect = "https://json-schema.org/draft/2020-12/schema"
        schema = {"$schema": dialect, "$id": name, "title": "lax", "description": "No rules.", "allOf": []}
        (profile / f"{level}.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(UsageError, match=r"/text: expected one of bool, .* found string"):
        vizschema.write(tmp_path / "a.zarr", {"/text": Array(np.array(["a"]), ["one"])}, profile=str(profile))


# Targets


@container
def test_an_existing_target_is_not_overwritten(container: str, tmp_path: Path) -> None:
    path = write(tmp_path, container)
    before = vizschema.describe(path)
    with pytest.raises(UsageError, match="exists already; choose another name, or pass overwrite=True"):
        write(tmp_path, container, arrays={"/outputs/other": hidden()})
    assert vizschema.describe(path) == before


@container
def test_an_existing_target_is_replaced_when_asked(container: str, tmp_path: Path) -> None:
    write(tmp_path, container)
    fewer = {"/outputs/other": hidden()}
    path = write(tmp_path, container, arrays=fewer, attributes={"/metadata": attributes()["/metadata"]}, overwrite=True)
    assert list(vizschema.describe(path)["nodes"]) == ["/", "/metadata", "/outputs", "/outputs/other"]
    assert listing(tmp_path) == [path.name]


@container
def test_a_refused_write_leaves_the_old_archive(container: str, tmp_path: Path) -> None:
    path = write(tmp_path, container)
    before = vizschema.describe(path)
    with pytest.raises(NotConforming):
        write(tmp_path, container, arrays={}, overwrite=True)
    assert vizschema.describe(path) == before


def test_a_failed_rename_puts_the_old_archive_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    before = vizschema.describe(path)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == path and self.parent.name == "made":
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr("vizschema.writer.target._renameat2", lambda *_: False)  # another system
    with pytest.raises(OSError, match="no"):
        write(tmp_path, overwrite=True)
    assert vizschema.describe(path) == before
    assert listing(tmp_path) == [path.name]


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "trace.zarr").mkdir()
    (tmp_path / "trace.zarr" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="expected an archive to replace, found a folder with other files"):
        write(tmp_path, overwrite=True)
    assert listing(tmp_path / "trace.zarr") == ["thesis.tex"]


def test_the_folder_of_the_target_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder to write in"):
        write(tmp_path / "nowhere")


def test_bfloat16_values_survive(tmp_path: Path) -> None:
    for name in CONTAINERS:
        (tmp_path / name).mkdir()
        with vizschema.open(write(tmp_path / name, name)) as archive:
            read = archive["/activations/gates"][...]
        assert read.dtype == ml_dtypes.bfloat16
        assert np.array_equal(read, arrays()["/activations/gates"].data)


def test_other_libraries_read_what_is_written(tmp_path: Path) -> None:
    plain = {path: item for path, item in arrays().items() if path != "/activations/gates"}
    with np.load(write(tmp_path, "npz"), allow_pickle=False) as file:
        for path, item in plain.items():
            assert np.array_equal(file[path[1:]], item.data), path
        assert file["activations/gates"].dtype == np.uint16
    with asdf.open(write(tmp_path, "asdf"), validate_checksums=True) as file:
        for path, item in plain.items():
            node = file.tree
            for step in path.strip("/").split("/"):
                node = node[step]
            assert np.array_equal(node["data"], item.data), path
            assert list(node["axes"]) == list(item.axes)
            assert dict(node.get("attributes", {})) == dict(item.attributes)
        assert file["activations"]["attributes"] == {"num_layers": 2}
        assert file["activations"]["gates"]["attributes"]["stored_dtype"] == "bfloat16"
    for container in ("zarr-v2-zip", "zarr-v3-zip"):
        with zarr.storage.ZipStore(write(tmp_path, container, arrays=plain), mode="r") as store:
            group = zarr.open_group(store, mode="r")
            assert np.array_equal(group["activations/layer_01"][...], hidden(1).data)


def test_shards_nobody_chose_hold_as_many_chunks_as_they_may(tmp_path: Path) -> None:
    item = Array(values(6, 4), ["row", "column"], chunks=[2, 4])
    path = write(tmp_path, "zarr-v3-sharded", arrays={**arrays(), "/extra/cut": item})
    nodes = vizschema.describe(path)["nodes"]
    assert nodes["/extra/cut"]["storage"]["shards"] == {"shape": [6, 4], "bytes": 96, "count": 1}
    assert nodes["/extra/mask"]["storage"]["shards"] is None


def test_values_are_measured_as_they_are_written(tmp_path: Path) -> None:
    target = tmp_path / "trace.zarr"
    report = vizschema.write(target, arrays(), attributes(), profile="trace")
    assert (report.verdict, report.values) == ("conforms", "read")
    assert report.coverage is not None
    assert report.coverage["bytes_read"] == report.coverage["bytes"] > 0
    again = vizschema.validate(target)
    assert (again.verdict, again.coverage, again.findings) == (report.verdict, report.coverage, report.findings)


def test_values_that_break_a_rule_are_not_written(tmp_path: Path) -> None:
    given = arrays()
    broken = np.array(given["/activations/layer_00"].data)
    broken[0, 0, 0] = np.nan
    given["/activations/layer_00"] = replace(given["/activations/layer_00"], data=broken)
    target = tmp_path / "trace.zarr"
    with pytest.raises(NotConforming, match="nothing was written: 1 error by trace"):
        vizschema.write(target, given, attributes(), profile="trace")
    assert listing(tmp_path) == []
    report = vizschema.write(target, given, attributes(), profile="trace", values=False)
    assert report.verdict == "structure conforms"
