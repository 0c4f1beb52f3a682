"""Types and axes of HDF5: every one has a name, or says why it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t
from support.hdf5_files import ENUM, TEXT, Fill

from vizschema.description import Node

# Types

PLAIN = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", [*PLAIN, "complex64", "complex128"])
def test_a_dtype_has_one_name_in_both_byte_orders(
    name: str, order: str, described: Callable[..., dict[str, Node]]
) -> None:
    dtype = np.dtype(name).newbyteorder(order)
    node = described(lambda file: file.create_dataset("x", (3,), dtype))["/x"]
    assert (node["dtype"], node["bytes"]) == (name, 3 * dtype.itemsize)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.bool_, "bool"),
        (ENUM, "enum"),
        (h5py.enum_dtype({"FALSE": 0, "TRUE": 1, "MAYBE": 2}, basetype="i1"), "enum"),
        (TEXT, "string"),
        (h5py.string_dtype("ascii", 5), "string"),
        (h5py.vlen_dtype("i4"), "vlen"),
        ([("a", "i4"), ("b", "f8")], "compound"),
        ([("r", "i4"), ("i", "i4")], "compound"),
        ([("r", "f4"), ("i", "f8")], "compound"),
        (h5py.ref_dtype, "reference"),
        (h5py.regionref_dtype, "reference"),
        (np.dtype("V5"), "opaque"),
        (h5py.opaque_dtype(np.dtype("M8[s]")), "datetime"),
        (h5py.opaque_dtype(np.dtype("m8[s]")), "timedelta"),
        (np.dtype(("f4", (2,))), "array"),
    ],
)
def test_a_dtype_that_is_no_number_has_a_name_too(
    dtype: Any, name: str, described: Callable[..., dict[str, Node]]
) -> None:
    node = described(lambda file: file.create_dataset("x", (3,), dtype))["/x"]
    assert (node["kind"], node["dtype"]) == ("array", name)


def _low(kind: Any) -> Fill:
    return lambda file: h5d.create(file.id, b"x", kind, h5s.create_simple((3,)))


def _custom_float(bias: int, *fields: int) -> Any:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(*fields)
    kind.set_ebias(bias)
    kind.set_precision(16)
    kind.set_size(2)
    return kind


def _changed(kind: Any, change: Callable[[Any], Any]) -> Any:
    kind = kind.copy()
    change(kind)
    return kind


def _padded_booleans() -> Any:
    base = _changed(h5t.STD_I8LE, lambda kind: kind.set_precision(4))
    kind = h5t.enum_create(base)
    kind.enum_insert(b"FALSE", 0)
    kind.enum_insert(b"TRUE", 1)
    return kind


def _complex_of(kind: Any) -> Any:
    both = h5t.create(h5t.COMPOUND, 2 * kind.get_size())
    both.insert(b"r", 0, kind)
    both.insert(b"i", kind.get_size(), kind)
    return both


MSBSET = _changed(h5t.IEEE_F32LE, lambda kind: kind.set_norm(h5t.NORM_MSBSET))


def _twelve_bits() -> Any:
    kind = h5t.STD_I16LE.copy()
    kind.set_precision(12)
    return kind


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (_custom_float(127, 15, 7, 8, 0, 7), "bfloat16"),
        (_custom_float(126, 15, 7, 8, 0, 7), "float16of16"),
        (_twelve_bits(), "int12of16"),
        (MSBSET, "float32of32"),
        (_complex_of(MSBSET), "compound"),
        (_changed(h5t.IEEE_F64BE, lambda kind: kind.set_norm(h5t.NORM_NONE)), "float64of64"),
        (_changed(h5t.IEEE_F32LE, lambda kind: kind.set_ebias(126)), "float32of32"),
        (_changed(h5t.IEEE_F32BE, lambda kind: (kind.set_size(8), kind.set_offset(16))), "float32of64"),
        (_changed(h5t.STD_I16BE, lambda kind: (kind.set_precision(12), kind.set_offset(4))), "int12of16"),
        (_changed(h5t.STD_U32LE, lambda kind: kind.set_size(8)), "uint32of64"),
        (_padded_booleans(), "enum"),
        (h5t.STD_B16LE, "bitfield"),
        (h5t.UNIX_D32LE, "time"),
        (h5t.array_create(h5t.IEEE_F32LE, (2,)), "array"),
        (h5t.IEEE_F128LE if hasattr(h5t, "IEEE_F128LE") else h5t.NATIVE_LDOUBLE, "float128of128"),
    ],
)
def test_a_type_of_hdf5_alone_never_passes_for_a_number(
    kind: Any, name: str, described: Callable[..., dict[str, Node]]
) -> None:
    assert described(_low(kind))["/x"]["dtype"] == name


@pytest.mark.skipif(
    not hasattr(h5t, "COMPLEX_IEEE_F32LE"), reason="this h5py is older than HDF5 2.0's complex numbers (2026-11-21)"
)
def test_the_complex_class_of_hdf5_2_is_complex(described: Callable[..., dict[str, Node]]) -> None:
    assert described(_low(h5t.COMPLEX_IEEE_F32LE))["/x"]["dtype"] == "complex64"
    assert described(_low(h5t.COMPLEX_IEEE_F64BE))["/x"]["dtype"] == "complex128"
    assert described(_low(h5t.COMPLEX_IEEE_F16LE))["/x"]["dtype"] == "complex"


def test_bfloat16_is_uint16_that_says_so(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        for name, dtype, said in (("yes", "u2", "bfloat16"), ("no", "u2", "float16"), ("wide", "f4", "bfloat16")):
            file.create_dataset(name, (3,), dtype).attrs["stored_dtype"] = said

    nodes = described(fill)
    assert (nodes["/yes"]["dtype"], nodes["/yes"]["bytes"], nodes["/yes"]["attributes"]) == ("bfloat16", 6, {})
    assert (nodes["/no"]["dtype"], nodes["/no"]["attributes"]) == ("uint16", {"stored_dtype": "float16"})
    assert (nodes["/wide"]["dtype"], nodes["/wide"]["attributes"]) == ("float32", {"stored_dtype": "bfloat16"})


def test_a_scalar_has_no_dimension_and_no_axis(described: Callable[..., dict[str, Node]]) -> None:
    node = described(lambda file: file.create_dataset("x", data=1.5))["/x"]
    assert (node["shape"], node["axes"], node["bytes"], node["storage"]) == ([], [], 8, None)


def test_a_null_dataspace_holds_no_value(described: Callable[..., dict[str, Node]]) -> None:
    node = described(lambda file: file.create_dataset("x", data=h5py.Empty("f4")))["/x"]
    assert node == {"kind": "unreadable", "reason": "unsupported", "detail": "a null dataspace holds no value"}


def test_a_shape_past_63_bits_is_no_array(described: Callable[..., dict[str, Node]]) -> None:
    node = described(lambda file: file.create_dataset("x", (2**40, 2**40), "f8", chunks=(1, 1)))["/x"]
    assert node["reason"] == "metadata-invalid"
    assert node["detail"] == "the shape [1099511627776, 1099511627776] is one of 2^63 bytes or more"


def test_a_huge_array_costs_nothing_to_describe(described: Callable[..., dict[str, Node]]) -> None:
    node = described(lambda file: file.create_dataset("x", (2**30, 2**20), "f4", chunks=(2**15, 2**14)))["/x"]
    assert (node["bytes"], node["storage"]["chunk_count"]) == (2**52, 2**21)


def test_more_chunks_than_anybody_reads_are_over_limit(described: Callable[..., dict[str, Node]]) -> None:
    node = described(lambda file: file.create_dataset("x", (2**30, 2**20), "f4", chunks=(1024, 1024)))["/x"]
    assert (node["reason"], node["detail"]) == (
        "over-limit",
        "the array has 1073741824 chunks, more than 10000000",
    )


# Axes


@pytest.mark.parametrize(
    ("labels", "axes"),
    [(["a", "b"], ["a", "b"]), (["a", ""], ["a", None]), (["", ""], None), (None, None)],
)
def test_axes_are_the_dimension_labels(
    labels: list[str] | None, axes: list[str | None] | None, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        x = file.create_dataset("x", (2, 3), "f4")
        for dimension, label in enumerate(labels or ()):
            x.dims[dimension].label = label

    node = described(fill)["/x"]
    assert (node["axes"], node["attributes"]) == (axes, {})
    assert "axes_detail" not in node


def test_labels_of_fixed_length_are_labels(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", (2, 3), "f4").attrs["DIMENSION_LABELS"] = np.array([b"a", b"bc"])

    assert described(fill)["/x"]["axes"] == ["a", "bc"]


@pytest.mark.parametrize(
    ("labels", "detail"),
    [
        (["a", "b", "c"], "DIMENSION_LABELS has 3 entries for 2 dimensions"),
        ("a", "DIMENSION_LABELS is not a list of text"),
        ([1, 2], "DIMENSION_LABELS is not a list of text"),
        (h5py.Empty("f4"), "DIMENSION_LABELS cannot be read: null"),
    ],
)
def test_labels_that_do_not_fit_name_no_axis_and_say_why(
    labels: Any, detail: str, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", (2, 3), "f4", chunks=(1, 3)).attrs["DIMENSION_LABELS"] = labels

    node = described(fill)["/x"]
    assert (node["axes"], node["axes_detail"], node["attributes"]) == (None, detail, {})


def test_a_hostile_label_is_escaped_and_marked(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        x = file.create_dataset("x", (2,), "f4", chunks=(1,))
        x.dims[0].label = "\x1b[2J"

    node = described(fill)["/x"]
    assert (node["axes"], node["escaped"]) == ([r"\u001b[2J"], ["axes"])
    assert node["storage"]["split"] == [r"\u001b[2J"]
