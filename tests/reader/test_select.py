"""Parts by name, position and label: what is read for them, what it costs, and what other libraries get."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import traces
from support.servers import static
from support.traces import READABLE

import vizschema
from vizschema import Array, UsageError
from vizschema.containers.zarr.directory import FileChunks

SHAPE = (4, 12, 12)
HEADS = np.arange(6 * 576, dtype="float32").reshape(6, *SHAPE)
RESIDUES = np.arange(101, 113)


def written(path: Path, **more: Any) -> Path:
    """Six layers of attention, one head a chunk, without the fourth, and coordinates of numbers and of text."""
    arrays = {
        f"/extra/triangle/layer_{index:02}": Array(HEADS[index], ["head", "residue:i", "residue:j"], chunks=[1, 12, 12])
        for index in range(6)
        if index != 3
    }
    arrays["/extra/triangle/residue"] = Array(RESIDUES, ["residue"])
    arrays["/activations/layer_00"] = Array(np.arange(24.0).reshape(2, 12), ["time", "residue"], {"unit": "s"})
    arrays["/activations/time"] = Array(np.array([0.5, 0.25]), ["time"])
    attributes = {"/metadata": traces.METADATA, "/extra/triangle": {"partial": True}}
    vizschema.write(path, arrays | more, attributes, profile="trace", values=False)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[vizschema.Archive]:
    with vizschema.open(written(tmp_path / "a.zarr")) as found:
        yield found


def array_of(archive: vizschema.Archive, path: str) -> vizschema.StoredArray:
    found = archive[path]
    assert isinstance(found, vizschema.StoredArray)
    return found


@pytest.fixture
def opened_chunks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the chunks that are opened from now on."""
    keys: list[str] = []
    before = FileChunks.__call__
    monkeypatch.setattr(FileChunks, "__call__", lambda self, key: keys.append(key) or before(self, key))
    return keys


# By position


def test_a_part_is_read_when_it_is_indexed_and_only_the_chunks_that_it_needs(
    archive: vizschema.Archive, opened_chunks: list[str]
) -> None:
    head = array_of(archive, "/extra/triangle/layer_05").isel(head=2)
    part = head.isel({"residue:i": slice(10, None, -2)}, residue_j=-1)
    assert (head.axes, head.shape, part.axes, part.shape) == (
        ("residue:i", "residue:j"),
        (12, 12),
        ("residue:i",),
        (6,),
    )
    assert opened_chunks == []
    assert np.array_equal(part[1:], HEADS[5, 2, 10::-2, -1][1:])
    assert opened_chunks == ["c/2/0/0"]


@pytest.mark.parametrize(
    "key", [(), 1, (slice(None), 2), (..., slice(None, None, -1)), (np.array([0, 1]),), ([True] * 12,)]
)
def test_a_part_is_indexed_as_an_array_is(archive: vizschema.Archive, key: Any) -> None:
    part = array_of(archive, "/extra/triangle/layer_00").isel(head=slice(3, 0, -1), residue_j=slice(2, 11, 3))
    expected = HEADS[0, 3:0:-1, :, 2:11:3]
    key = (slice(None), *key) if isinstance(key, tuple) and key and isinstance(key[0], list) else key
    assert np.array_equal(part[key], expected[key])
    assert np.array_equal(np.asarray(part), expected)
    assert (len(part), part.size, part.nbytes) == (3, expected.size, expected.nbytes)


def test_a_position_outside_is_an_index_error_that_names_the_axis(archive: vizschema.Archive) -> None:
    with pytest.raises(IndexError, match=r"out of bounds for axis 0 with size 4 \(head\)"):
        array_of(archive, "/extra/triangle/layer_00").isel(head=4)


# By label


@pytest.mark.parametrize(
    ("label", "key"),
    [
        (105, 4),
        (slice(103, 105), slice(2, 5)),
        (slice(0, 102), slice(0, 2)),
        (slice(110, None), slice(9, 12)),
        (slice(105, 103), slice(0, 0)),
        (slice(None, None, 5), slice(0, 12, 5)),
        (np.int64(101), 0),
    ],
)
def test_labels_are_those_of_the_coordinate_and_both_ends_are_included(
    archive: vizschema.Archive, label: Any, key: Any
) -> None:
    array = array_of(archive, "/extra/triangle/layer_00")
    assert np.array_equal(array.sel({"residue:j": label})[...], HEADS[0][:, :, key])
    assert np.array_equal(array.isel(residue_j=slice(4, 8)).sel(residue_j=106)[...], HEADS[0][:, :, 5])
    frame = array.to_xarray()
    assert np.array_equal(frame.sel({"residue:j": label}).values, HEADS[0][:, :, key])


@pytest.mark.parametrize(
    ("label", "key"),
    [(0.25, 1), (slice(0.5, 0.25), slice(0, 2)), (slice(0.3, None), slice(1, 2)), (slice(None, 0.4), slice(0, 1))],
)
def test_labels_may_descend(archive: vizschema.Archive, label: Any, key: Any) -> None:
    array = array_of(archive, "/activations/layer_00")
    assert np.array_equal(array.sel(time=label)[...], np.arange(24.0).reshape(2, 12)[key])
    assert np.array_equal(array.to_xarray().sel(time=label).values, array.sel(time=label)[...])


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ({"head": 0}, "expected an axis with a coordinate .an array named head with the only axis head., found none"),
        ({"residue:i": 99}, "expected a label of residue:i .101, 102, 103, …., found 99"),
        ({"residue:i": "A"}, "found 'A'"),
        ({"residue:i": slice("A", None)}, "found 'A'"),
        ({"residue:i": [101]}, "expected a label or a slice of labels for residue:i, found .101."),
        ({"residue:i": slice(101, 102, 0.5)}, "expected an integer as the step"),
        ({"residue": 101}, "expected one index for one axis among head, residue:i, residue:j"),
    ],
)
def test_a_label_that_is_not_there_is_refused(archive: vizschema.Archive, by: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        array_of(archive, "/extra/triangle/layer_00").sel(by)


def test_labels_may_be_text_in_any_order_and_occur_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["token"] = np.array(["the", "cat", "the", "sat"], dtype="S3")
        file["x"] = np.arange(4)
        for name in ("token", "x"):
            file[name].dims[0].label = "token"
    with vizschema.open(tmp_path / "a.h5") as archive:
        array = array_of(archive, "/x")
        assert (int(array.sel(token="cat")[...]), array.sel(token=slice("cat", "sat"))[...].tolist()) == (1, [1, 2, 3])
        with pytest.raises(UsageError, match="found 2, the first two at positions 0 and 2; select by position"):
            array.sel(token="the")
        with pytest.raises(UsageError, match="did you mean cat"):
            array.sel(token="cats")


def test_a_coordinate_is_the_nearest_of_the_scope_and_the_size() -> None:
    from vizschema.description import array as node
    from vizschema.description import complete, coordinate_of, coordinates_of, group

    def found(scope: str) -> str | None:
        nodes = {path: group({}) for path in ("/", "/a", "/a/b", "/c")}
        nodes["/a"] = group({"scope_token": scope} if scope else {})
        for path, size in (("/token", 5), ("/a/token", 3), ("/a/b/token", 4), ("/a/b/x", 3), ("/c/head", 3)):
            nodes[path] = node("int64", [size], [path.rpartition("/")[2].replace("x", "token:query")], {}, None)
        nodes = complete({}, nodes)["nodes"]
        assert coordinate_of(nodes, coordinates_of(nodes), "/c/head", "head", 3) == "/c/head"
        return coordinate_of(nodes, coordinates_of(nodes), "/a/b/x", "token:query", 3)

    assert (found(""), found("one")) == ("/a/token", "/a/token")


# A series


def test_a_series_is_stacked_by_its_numbers(archive: vizschema.Archive, opened_chunks: list[str]) -> None:
    part = archive.stack("/extra/triangle", layer=[0, 5], head=2)
    assert (part.axes, part.shape, part.path) == (
        ("layer", "residue:i", "residue:j"),
        (2, 12, 12),
        "/extra/triangle",
    )
    assert np.array_equal(part[1, :3], HEADS[5, 2, :3])
    assert opened_chunks == ["c/2/0/0"]
    assert np.array_equal(part[...], HEADS[[0, 5], 2])
    assert np.array_equal(part.sel(layer=5)[...], HEADS[5, 2])
    assert np.array_equal(part.isel(layer=slice(None, None, -1), residue_i=0)[...], HEADS[[5, 0], 2, 0])
    assert part.cost().requests == 2


@pytest.mark.parametrize(
    ("layer", "numbers"),
    [(slice(None), [0, 1, 2, 4, 5]), (slice(4, None), [4, 5]), (slice(None, None, -2), [5, 1]), (range(2), [0, 1])],
)
def test_a_slice_of_a_series_has_the_numbers_that_are_there(
    archive: vizschema.Archive, layer: Any, numbers: list[int]
) -> None:
    assert np.array_equal(archive.stack("/extra/triangle", layer=layer)[...], HEADS[numbers])
    assert np.array_equal(archive.stack("/extra/triangle")[...], HEADS[[0, 1, 2, 4, 5]])
    assert np.array_equal(archive.stack("/extra/triangle", layer=numbers[0], head=0)[...], HEADS[numbers[0], 0])


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"layer": [0, 3, 9]}, r"expected numbers among layer 0 to 5 \(5\), found \[3, 9\]"),
        ({"layer": []}, "found none"),
        ({"layer": "0"}, "expected numbers of layer"),
        ({"layer": [True]}, "expected whole numbers of layer"),
        ({"layer": 0, "heads": 0}, "expected one index for one axis among"),
    ],
)
def test_numbers_that_are_not_there_are_refused(archive: vizschema.Archive, keywords: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        archive.stack("/extra/triangle", **keywords)


def test_a_series_of_arrays_that_are_not_alike_is_refused(tmp_path: Path) -> None:
    more = {"/activations/layer_01": Array(np.zeros((2, 13)), ["time", "width"])}
    with vizschema.open(written(tmp_path / "a.npz", **more)) as archive:
        with pytest.raises(
            UsageError, match=r"/activations/layer_01: expected the shape \[2, 12\] of /activations/layer_00"
        ):
            archive.stack("/activations")
        with pytest.raises(UsageError, match="expected a group with one numbered series"):
            archive.stack("/metadata")
        with pytest.raises(KeyError):
            archive.stack("/none")


# What it costs


@pytest.mark.parametrize("container", READABLE)
def test_the_cost_of_all_values_is_what_is_stored_of_them(container: str, tmp_path: Path) -> None:
    path = traces.written(tmp_path, container)
    with vizschema.open(path) as archive:
        for each in archive.values():
            if isinstance(each, vizschema.StoredArray):
                cost = each.cost()
                assert cost.exact
                assert (cost.requests > 0) == (cost.bytes > 0) == (each.size > 0), each
                if container == "zarr-v3":
                    files = [file for file in (path / each.path[1:]).rglob("*") if file.is_file()]
                    assert cost.bytes == sum(file.stat().st_size for file in files if file.name != "zarr.json")


def test_the_cost_of_a_part_is_that_of_its_chunks(archive: vizschema.Archive, tmp_path: Path) -> None:
    array = array_of(archive, "/extra/triangle/layer_01")
    chunk = tmp_path / "a.zarr/extra/triangle/layer_01/c/3/0/0"
    assert array.isel(head=3, residue_i=0).cost() == (1, chunk.stat().st_size, True)
    assert array.isel(head=slice(0, 0)).cost() == (0, 0, True)
    assert array.cost().requests == 4


def test_the_cost_of_a_part_of_a_shard_is_its_index_and_those_chunks(tmp_path: Path) -> None:
    import zarr

    store = zarr.create_array(
        tmp_path / "a.zarr", shape=(8, 8), chunks=(2, 8), shards=(8, 8), dtype="f4", compressors=None
    )
    store[:] = 1
    with vizschema.open(tmp_path / "a.zarr") as archive:
        array = array_of(archive, "/")
        assert array[1:3].sum() == 16
        assert array.isel().cost() == (5, 8 * 8 * 4 + 4 * 16 + 4, True)
        assert vizschema.Selection.cost(array._part([range(1, 3), range(8)])) == (3, 2 * 64 + 4 * 16 + 4, True)


def test_the_cost_by_url_is_the_number_of_requests(tmp_path: Path) -> None:
    written(tmp_path / "a.zarr")
    with static(tmp_path) as server, vizschema.open(f"{server.url}/a.zarr") as archive:
        part = archive.stack("/extra/triangle", layer=[0, 1], head=slice(0, 2))
        before = len(server.requests)
        cost = part.cost()
        assert len(server.requests) == before
        assert (cost.requests, cost.bytes, cost.exact) == (4, 4 * 576, False)
        assert np.array_equal(part[...], HEADS[:2, :2])
        assert len(server.requests) == before + cost.requests
        assert "<img" not in part._repr_html_()
        assert "<img" not in archive._repr_html_()
        assert len(server.requests) == before + cost.requests


# Other libraries, and notebooks


def test_an_archive_is_a_tree_of_xarray_that_is_read_when_it_is_used(
    archive: vizschema.Archive, opened_chunks: list[str]
) -> None:
    tree = archive.to_datatree()
    assert set(opened_chunks) == {"c/0"}
    opened_chunks.clear()
    layer = tree["extra/triangle/layer_04"]
    assert layer.dims == ("head", "residue:i", "residue:j")
    assert np.array_equal(layer.isel(head=1).sel({"residue:i": slice(103, 104)}).values, HEADS[4, 1, 2:4])
    assert opened_chunks == ["c/1/0/0"]
    assert tree["activations"].time.values.tolist() == [0.5, 0.25]
    assert tree["activations/layer_00"].attrs["unit"] == "s"
    assert tree["metadata"].attrs["model_name"] == traces.METADATA["model_name"]


@pytest.mark.parametrize("container", READABLE)
def test_every_array_of_every_container_is_in_the_tree(container: str, tmp_path: Path) -> None:
    with vizschema.open(traces.written(tmp_path, container)) as archive:
        tree = archive.to_datatree()
        for each in archive.values():
            if isinstance(each, vizschema.StoredArray):
                assert tree[each.path].values.tobytes() == each[...].tobytes()
                assert each.to_xarray().values.tobytes() == each[...].tobytes()


def test_axes_of_two_sizes_get_names_of_their_own_in_a_tree(tmp_path: Path) -> None:
    arrays = {"token": np.arange(3), "x": np.zeros((3, 2)), "a/x": np.zeros((4, 3)), "a/token": np.zeros((2, 2))}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
            for dim in file[name].dims:
                dim.label = "token"
    with vizschema.open(tmp_path / "a.h5") as archive:
        tree = archive.to_datatree()
        assert {name: tree[name].dims for name in arrays} == {
            "token": ("token",),
            "x": ("token", "token_2"),
            "a/x": ("token_4", "token"),
            "a/token": ("token_2", "token_2_2"),
        }


def test_a_coordinate_below_another_one_keeps_its_labels(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in {"token": [1, 2], "a/token": [3, 4], "a/x": [5, 6], "y": [7, 8]}.items():
            file[name] = values
            file[name].dims[0].label = "token"
    with vizschema.open(tmp_path / "a.h5") as archive:
        tree = archive.to_datatree()
        assert int(array_of(archive, "/a/x").sel(token=4)[...]) == 6
        assert tree["y"].sel(token=2).item() == 8
        assert tree["a/x"].dims == ("token_2",)
        assert tree["a/token_2"].values.tolist() == [3, 4]


def test_a_tensor_shares_the_memory_that_was_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with (
            vizschema.open(written(tmp_path / "a.zarr")) as archive,
            pytest.raises(UsageError, match="the package torch, found none"),
        ):
            array_of(archive, "/activations/time").to_torch()
        return
    import torch

    half = Array(np.arange(4).astype(ml_dtypes.bfloat16), ["n"])
    with vizschema.open(written(tmp_path / "a.zarr", **{"/extra/half": half})) as archive:
        assert array_of(archive, "/extra/half").to_torch().dtype == torch.bfloat16
        found = archive.stack("/extra/triangle", head=slice(None, None, -1)).to_torch()
        assert torch.equal(found, torch.from_numpy(HEADS[[0, 1, 2, 4, 5], ::-1].copy()))


def test_reading_imports_neither_torch_nor_xarray(tmp_path: Path) -> None:
    import subprocess

    program = (
        "import sys, vizschema; archive = vizschema.open(sys.argv[1]); "
        "archive['/activations/layer_00'].isel(time=0)[...]; "
        "print({'torch', 'xarray', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(written(tmp_path / "a.zarr"))]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"


def test_a_notebook_shows_arrays_parts_and_archives_with_pictures(archive: vizschema.Archive, tmp_path: Path) -> None:
    array = array_of(archive, "/activations/layer_00")
    assert repr(array).startswith(
        "<StoredArray /activations/layer_00: float64 · (time 2, residue 12) · 192 B · 1 chunk"
    )
    assert repr(array.isel(time=0)) == "<Selection /activations/layer_00: float64 · (residue 12) · 96 B>"
    for shown in (array, archive.stack("/extra/triangle", head=1), archive):
        page = shown._repr_html_()
        assert "<img src=" in page
        assert "<svg" in page
    assert "<th>unit</th><td>&quot;s&quot;</td>" in array._repr_html_()
    assert archive._repr_html_().count("<img ") == 2


def test_hostile_names_and_attributes_are_escaped_in_a_notebook(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e"
    np.savez(tmp_path / "a.npz", **{hostile: np.zeros((2, 2))})
    with vizschema.open(tmp_path / "a.npz") as archive:
        page = archive._repr_html_() + archive.to_datatree()._repr_html_()[:0]
        assert "<script" not in page
        assert "\u202e" not in page


def test_a_damaged_chunk_leaves_out_the_picture(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr")
    (path / "extra/triangle/layer_00/c/0/0/0").write_bytes(b"")
    with vizschema.open(path) as archive:
        part = array_of(archive, "/extra/triangle/layer_00").isel(head=0)
        assert "<img" not in part._repr_html_()
        with pytest.raises(vizschema.Damaged):
            part.to_numpy()
