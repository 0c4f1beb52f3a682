"""Dimension scales: axis names of netCDF-4 files, hostile references, and what our writer attaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from support.hdf5_files import nodes_of

import vizschema
from vizschema.description import Node
from vizschema.writer.forms import hdf5_scales
from vizschema.writer.forms.hdf5 import HDF5

PURE = "This is a netCDF dimension but not a netCDF variable.%10d"
ROOT = {"spec_version": "1.0.0", "profile": "trace", "created_at": "2026-01-01T00:00:00Z", "generator": "x 1"}


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("f4")


def tree(**coordinates: Any) -> xarray.DataTree:
    layers = {f"layer_{i:02}": (("sample", "token", "hidden"), numbers(2, 6, 8)) for i in range(2)}
    parts = {
        "/": xarray.Dataset(attrs=ROOT),
        "/metadata": xarray.Dataset(attrs={"model_name": "m", "model_version": "1"}),
        "/activations": xarray.Dataset(layers, coords=coordinates, attrs={"num_layers": 2}),
    }
    return xarray.DataTree.from_dict(parts)


def rules(path: Path) -> list[str]:
    return sorted({finding.rule for finding in vizschema.validate(str(path)).findings})


def scaled(file: h5py.File, path: str, size: int = 2, name: str = "") -> Any:
    """A scale in a file, with values where no other name says that it is no variable."""
    scale = file.create_dataset(path, data=np.arange(size))
    scale.make_scale(name)
    return scale


def test_a_file_of_xarray_conforms_and_its_dimensions_are_no_nodes(tmp_path: Path) -> None:
    tree().to_netcdf(tmp_path / "a.h5", engine="netcdf4")
    nodes = nodes_of(tmp_path / "a.h5")
    assert vizschema.validate(str(tmp_path / "a.h5")).verdict == "conforms"
    assert sorted(nodes) == ["/", "/activations", "/activations/layer_00", "/activations/layer_01", "/metadata"]
    assert nodes["/activations/layer_00"]["axes"] == ["sample", "token", "hidden"]
    assert nodes["/activations/layer_00"]["attributes"] == {}
    assert nodes["/activations"]["attributes"] == {"num_layers": 2}
    assert nodes["/"]["attributes"] == ROOT


def test_a_coordinate_is_an_array_with_its_own_name_for_an_axis(tmp_path: Path) -> None:
    tree(token=np.arange(6)).to_netcdf(tmp_path / "a.h5", engine="netcdf4")
    node = nodes_of(tmp_path / "a.h5")["/activations/token"]
    assert (node["kind"], node["axes"], node["attributes"]) == ("array", ["token"], {})


def test_a_dimension_of_netcdf_is_found_in_a_group_around(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.h5", "w") as file:
        file.createDimension("row", 2)
        file.createDimension("grown", None)
        group = file.createGroup("one").createGroup("two")
        group.createVariable("x", "f4", ("row", "grown"))[:] = numbers(2, 3)
        group.setncattr("few", np.array([1, 2]))
    nodes = nodes_of(tmp_path / "a.h5")
    assert nodes["/one/two/x"]["axes"] == ["row", "grown"]
    assert nodes["/one/two"]["attributes"] == {"few": [1, 2]}
    assert set(nodes) == {"/", "/one", "/one/two", "/one/two/x"}


def test_a_variable_beside_a_dimension_of_its_name_has_its_name(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.h5", "w") as file:
        file.createDimension("row", 2)
        file.createDimension("column", 3)
        file.createVariable("row", "f4", ("column",))[:] = [1, 2, 3]
    assert nodes_of(tmp_path / "a.h5")["/row"]["axes"] == ["column"]
    vizschema.convert(str(tmp_path / "a.h5"), str(tmp_path / "a.npz"))
    assert vizschema.digest(str(tmp_path / "a.npz")) == vizschema.digest(str(tmp_path / "a.h5"))


def test_scales_name_the_axes_of_any_hdf5_file_wherever_they_lie(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        x = file.create_dataset("a/x", data=numbers(2, 2, 2))
        scaled(file, "z/deep/far")
        scaled(file, "near")
        x.dims[0].attach_scale(file["z/deep/far"])
        x.dims[2].attach_scale(file["near"])

    nodes = described(fill)
    assert nodes["/a/x"]["axes"] == ["far", None, "near"]
    assert nodes["/a/x"]["attributes"] == nodes["/near"]["attributes"] == {}
    assert nodes["/z/deep/far"]["axes"] == ["far"]


@pytest.mark.parametrize(("netcdf", "axes"), [(False, ["label", "b"]), (True, ["scale", "b"])])
def test_labels_hold_but_in_files_of_netcdf_scales_do_and_a_difference_is_told(
    described: Callable[..., dict[str, Node]], netcdf: bool, axes: list[str]
) -> None:
    def fill(file: h5py.File) -> None:
        x = file.create_dataset("x", data=numbers(2, 2))
        x.dims[0].label = "label"
        scaled(file, "scale")
        scaled(file, "b")
        x.dims[0].attach_scale(file["scale"])
        x.dims[1].attach_scale(file["b"])
        if netcdf:
            file.attrs["_NCProperties"] = "version=2"

    node = described(fill)["/x"]
    holds = "scale" if netcdf else "label"
    assert node["axes"] == axes
    assert node["axes_detail"] == f"dimension 0 has the label label and the scale scale: the {holds} holds"


def deleted(file: h5py.File, x: h5py.Dataset) -> None:
    x.dims[0].attach_scale(scaled(file, "scale"))
    del file["scale"]


def group(file: h5py.File, x: h5py.Dataset) -> None:
    listed(x, [file.create_group("g").ref])


def plain(file: h5py.File, x: h5py.Dataset) -> None:
    listed(x, [file.create_dataset("plain", data=1).ref])


def itself(_: h5py.File, x: h5py.Dataset) -> None:
    listed(x, [x.ref])


def null(_: h5py.File, x: h5py.Dataset) -> None:
    listed(x, [h5py.Reference()])


def listed(x: h5py.Dataset, *references: Any) -> None:
    lists = np.empty(len(references), object)
    for number, each in enumerate(references):
        lists[number] = np.array(each, h5py.ref_dtype)
    x.attrs.create("DIMENSION_LIST", lists, dtype=h5py.vlen_dtype(h5py.ref_dtype))


HOSTILE: list[tuple[Callable[[h5py.File, h5py.Dataset], None], str]] = [
    (deleted, "DIMENSION_LIST of dimension 0 refers to no dimension scale: "),
    (group, "DIMENSION_LIST of dimension 0 refers to no dimension scale: it is none"),
    (plain, "DIMENSION_LIST of dimension 0 refers to no dimension scale: it is none"),
    (itself, "DIMENSION_LIST of dimension 0 refers to no dimension scale: it is none"),
    (null, "DIMENSION_LIST of dimension 0 refers to no dimension scale: "),
    (lambda _, x: x.attrs.create("DIMENSION_LIST", "text"), "DIMENSION_LIST is not a list of references"),
    (lambda _, x: x.attrs.create("DIMENSION_LIST", [1]), "DIMENSION_LIST is not a list of references"),
    (lambda _, x: listed(x, [], []), "DIMENSION_LIST has the shape [2] for 1 dimensions"),
]


@pytest.mark.parametrize(("fill", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_references_to_no_scale_name_no_axis_and_say_why(
    fill: Callable[[h5py.File, h5py.Dataset], None], words: str, described: Callable[..., dict[str, Node]]
) -> None:
    node = described(lambda file: fill(file, file.create_dataset("x", data=numbers(2))))["/x"]
    assert node["axes"] is None
    assert node["axes_detail"].startswith(words)


def test_a_list_of_ten_thousand_scales_costs_one_name(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        listed(file.create_dataset("x", data=numbers(2)), [scaled(file, "a").ref] * 10_000)

    assert described(fill)["/x"]["axes"] == ["a"]


def test_a_hostile_name_of_a_scale_is_escaped(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", data=numbers(2)).dims[0].attach_scale(scaled(file, "\x1b[2J"))

    node = described(fill)["/x"]
    assert (node["axes"], node["escaped"]) == ([r"\u001b[2J"], ["axes"])


# What is written


@pytest.fixture
def example(tmp_path: Path) -> Path:
    source = tmp_path / "source.h5"
    tree().to_netcdf(source, engine="netcdf4")
    vizschema.convert(str(source), str(tmp_path / "a.h5"))
    return tmp_path / "a.h5"


def test_xarray_and_netcdf4_see_the_axes_of_what_we_write(example: Path) -> None:
    with xarray.open_dataset(example, group="activations", engine="netcdf4") as dataset:
        assert dict(dataset.sizes) == {"sample": 2, "token": 6, "hidden": 8}
    with netCDF4.Dataset(example) as file:
        assert file["activations/layer_00"].dimensions == ("sample", "token", "hidden")


def test_scales_are_no_nodes_and_in_no_digest(example: Path, tmp_path: Path) -> None:
    with h5py.File(example) as file:
        assert {"sample", "token", "hidden"} <= set(file)
        assert h5py.h5ds.is_attached(file["activations/layer_00"].id, file["token"].id, 1)
    assert sorted(nodes_of(example)) == sorted(nodes_of(tmp_path / "source.h5"))
    assert vizschema.digest(str(example)) == vizschema.digest(str(tmp_path / "source.h5"))


def test_a_file_that_xarray_saves_again_has_no_finding_that_it_lacked(example: Path, tmp_path: Path) -> None:
    with xarray.open_datatree(example, engine="netcdf4") as opened:
        opened.to_netcdf(tmp_path / "again.h5", engine="netcdf4")
    assert rules(tmp_path / "again.h5") == rules(example)
    assert vizschema.digest(str(tmp_path / "again.h5")) == vizschema.digest(str(example))


def labelled(file: h5py.File, path: str, *axes: str, size: int = 2) -> None:
    dataset = file.create_dataset(path, data=numbers(*[size] * len(axes)))
    for axis, name in enumerate(axes):
        dataset.dims[axis].label = name


def test_an_axis_of_two_sizes_has_two_scales_and_a_name_that_is_taken_moves_inwards(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        labelled(file, "taken", "row")
        labelled(file, "a/x", "row", "taken", "token:query")
        labelled(file, "b/x", "row", size=3)
        labelled(file, "taken_here/row", "row", size=4)
        labelled(file, "z", "a/b", "")
        hdf5_scales.attach_scales(file)
        assert file["a/x"].dims[1][0].name == "/a/taken"
        assert [file[path].dims[0][0].name for path in ("a/x", "b/x")] == ["/row", "/b/row"]
        assert "DIMENSION_LIST" not in file["taken_here/row"].attrs
    nodes = nodes_of(tmp_path / "a.h5")
    assert nodes["/a/x"]["axes"] == ["row", "taken", "token:query"]
    assert set(nodes) == {"/", "/a", "/a/x", "/b", "/b/x", "/taken", "/taken_here", "/taken_here/row", "/z"}
    with netCDF4.Dataset(tmp_path / "a.h5") as opened:
        assert opened["a/x"].dimensions == ("row", "taken", "token:query")
        assert opened["b/x"].dimensions == ("row",)


def test_the_scale_of_an_axis_lies_within_its_scope(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for group in ("p/one", "p/two"):
            labelled(file, f"{group}/deep/x", "row:query", "column")
            file[group].attrs["scope_row"] = group[2:]
        labelled(file, "q/x", "row:query", "column")
        hdf5_scales.attach_scales(file)
        found = {path: [each[0].name for each in file[path].dims] for path in ("p/one/deep/x", "p/two/deep/x", "q/x")}
    assert found == {
        "p/one/deep/x": ["/p/one/row:query", "/column"],
        "p/two/deep/x": ["/p/two/row:query", "/column"],
        "q/x": ["/row:query", "/column"],
    }


def test_scales_that_were_half_attached_are_attached_anew(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        labelled(file, "a/x", "row")
        hdf5_scales.attach_scales(file)
        labelled(file, "a/y", "row")
        hdf5_scales.attach_scales(file)
        assert [file[path].dims[0][0].name for path in ("a/x", "a/y")] == ["/row", "/row"]
        assert len(file["row"].attrs["REFERENCE_LIST"]) == 2


def test_more_uses_than_one_scale_takes_have_another_one_or_labels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_scales, "USES", 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(5):
            labelled(file, f"a/x{number}", "row")
        hdf5_scales.attach_scales(file)
        found = [file[f"a/x{number}"].dims[0] for number in range(5)]
        assert [scales[0].name if len(scales) else None for scales in found] == [
            "/row",
            "/row",
            "/a/row",
            "/a/row",
            None,
        ]
    assert {node["axes"][0] for node in nodes_of(tmp_path / "a.h5").values() if node["kind"] == "array"} == {"row"}


def test_as_many_uses_as_one_scale_takes_fit_its_list(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        scale = scaled(file, "row")
        uses = [(scale.ref, 0)] * hdf5_scales.USES
        scale.attrs.create("REFERENCE_LIST", np.array(uses, hdf5_scales._REFERENCES))


@pytest.mark.parametrize("name", ["CLASS", "NAME", "REFERENCE_LIST", "_Netcdf4Dimid", "_NCProperties", "_FillValue"])
def test_an_attribute_that_the_libraries_keep_is_not_written(name: str) -> None:
    assert HDF5.refusal("/x", {name: "text"}) == (
        f"attribute {name}: the name is reserved by the libraries of HDF5 and netCDF; choose another name"
    )
