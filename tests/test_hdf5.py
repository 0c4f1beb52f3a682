"""The HDF5 container: every kind of object, link, type, attribute and damage is a node, and nothing is followed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5a, h5d, h5p, h5s, h5t, h5z

from vizschema.containers.base import Limits
from vizschema.containers.hdf5 import open_hdf5
from vizschema.description import Node
from vizschema.errors import NotAnArchive

Fill = Callable[[h5py.File], Any]

RTL = "\u202e"
TEXT = h5py.string_dtype()


def nodes_of(path: Path, limits: Limits = Limits()) -> dict[str, Node]:  # noqa: B008  (frozen)
    container = open_hdf5(str(path), limits)
    try:
        pairs = list(container.nodes())
    finally:
        container.close()
    nodes = dict(pairs)
    assert len(nodes) == len(pairs), "a path came twice"
    assert pairs[0][0] == "/"
    return nodes


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., dict[str, Node]]:
    """Nodes of a file that `fill` fills."""

    def describe(fill: Fill, limits: Limits = Limits(), libver: str = "earliest") -> dict[str, Node]:  # noqa: B008
        path = tmp_path / "archive.h5"
        with h5py.File(path, "w", libver=libver) as file:
            fill(file)
        return nodes_of(path, limits)

    return describe


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The file with every `old` replaced: damage that no library writes."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


# The file


def test_the_identity_is_that_of_one_hdf5_file(tmp_path: Path) -> None:
    h5py.File(tmp_path / "a.h5", "w").close()
    container = open_hdf5(str(tmp_path / "a.h5"))
    assert container.identity() == {"format": "hdf5", "version": None, "store": "file", "consolidated": False}
    container.close()
    container.close()


@pytest.mark.parametrize("block", [0, 512, 1024, 4096])
def test_the_signature_may_stand_behind_a_user_block(block: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=block) as file:
        file["x"] = np.zeros(3)
    assert list(nodes_of(tmp_path / "a.h5")) == ["/", "/x"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"This is no HDF5 file.", "no HDF5 signature; found 21 bytes that begin with This is no HDF5"),
        (b"\x1b[31m" + RTL.encode(), r"found 8 bytes that begin with \u001b[31m\u202e"),
        (b"", "found an empty file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file that cannot be opened: "),
        (b"\x89HDF\r\n\x1a\n" + bytes(2000), "an HDF5 file that cannot be opened: "),
    ],
)
def test_what_is_no_hdf5_file_is_no_archive(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "text.h5"
    path.write_bytes(content)
    with pytest.raises(NotAnArchive) as raised:
        open_hdf5(str(path))
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert message.isprintable()


def test_a_truncated_file_is_no_archive_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(10_000)
    os.truncate(path, 5_000)
    with pytest.raises(NotAnArchive, match="cannot be opened: truncated file: eof = 5000"):
        open_hdf5(str(path))


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_no_archive(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "a.h5")
    with pytest.raises(NotAnArchive, match=r"not a regular file|No such file"):
        open_hdf5(str(tmp_path / "a.h5"))


def test_a_file_that_its_writer_holds_open_is_described(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["x"] = np.zeros(3)
        file.swmr_mode = True
        script = (
            f"from vizschema.containers.hdf5 import open_hdf5; print(dict(open_hdf5({file.filename!r}).nodes()).keys())"
        )
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "dict_keys(['/', '/x'])\n"


def test_a_file_that_its_writer_never_closed_is_no_archive_and_says_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["x"] = np.zeros(3)
        file.flush()
        (tmp_path / "left.h5").write_bytes((tmp_path / "a.h5").read_bytes())
    with pytest.raises(NotAnArchive, match=r"cannot be opened: file is already open for write .*h5clear"):
        open_hdf5(str(tmp_path / "left.h5"))


def test_a_file_without_leave_to_write_is_described_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert list(nodes_of(path)) == ["/", "/x"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_groups_and_arrays_are_nodes_whichever_way_the_file_is_laid_out(
    libver: str, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["spec_version"] = "1.0.0"
        for i in range(40):  # past what one node of a B-tree, or the compact form, holds
            file[f"pair/layer_{i:02d}"] = np.zeros((2, 3), "f4")
            file["pair"].attrs[f"key_{i:02d}"] = i

    nodes = described(fill, libver=libver)
    assert nodes["/"] == {"kind": "group", "members": 0, "attributes": {"spec_version": "1.0.0"}}
    assert nodes["/pair"]["attributes"] == {f"key_{i:02d}": i for i in range(40)}
    assert set(nodes) == {"/", "/pair"} | {f"/pair/layer_{i:02d}" for i in range(40)}
    assert nodes["/pair/layer_07"] == {
        "kind": "array",
        "dtype": "float32",
        "shape": [2, 3],
        "bytes": 24,
        "axes": None,
        "storage": None,
        "attributes": {},
    }


# Types

ENUM = h5py.enum_dtype({"RED": 0, "BLUE": 1}, basetype="i1")
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


# Chunks and filters


def test_chunks_are_named_by_axis_and_filters_in_order(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        x = file.create_dataset(
            "x", (4, 8, 8), "f4", chunks=(1, 8, 8), compression="gzip", shuffle=True, fletcher32=True
        )
        for dimension, label in enumerate(("head", "residue:query", "residue:key")):
            x.dims[dimension].label = label

    assert described(fill)["/x"]["storage"] == {
        "chunks": [1, 8, 8],
        "chunk_of": {"head": 1, "residue:query": 8, "residue:key": 8},
        "split": ["head"],
        "chunk_bytes": 256,
        "chunk_count": 4,
        "shards": None,
        "codecs": ["shuffle", "deflate", "fletcher32"],
    }


@pytest.mark.parametrize(
    ("options", "codecs"),
    [
        ({}, []),
        ({"compression": "lzf"}, ["lzf"]),
        ({"scaleoffset": 2}, ["scaleoffset"]),
        ({"maxshape": (None, None)}, []),
    ],
)
def test_a_chunked_array_has_the_filters_it_was_written_with(
    options: dict[str, Any], codecs: list[str], described: Callable[..., dict[str, Node]]
) -> None:
    node = described(lambda file: file.create_dataset("x", (4, 4), "i4", chunks=(2, 4), **options))["/x"]
    assert node["storage"]["codecs"] == codecs
    assert (node["storage"]["chunk_of"], node["storage"]["split"]) == (None, None)


def test_a_filter_that_is_not_installed_is_named_by_its_number(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((2,))
        creation.set_filter(32001, h5z.FLAG_OPTIONAL, (5,))
        h5d.create(file.id, b"x", h5t.IEEE_F32LE, h5s.create_simple((4,)), creation)

    assert described(fill)["/x"]["storage"]["codecs"] == ["hdf5-32001"]


def test_compact_and_contiguous_arrays_have_no_chunks(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        file["contiguous"] = np.zeros(5)
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_layout(h5d.COMPACT)
        h5d.create(file.id, b"compact", h5t.IEEE_F32LE, h5s.create_simple((4,)), creation)

    nodes = described(fill)
    assert nodes["/contiguous"]["storage"] is None
    assert (nodes["/compact"]["kind"], nodes["/compact"]["storage"]) == ("array", None)


def test_chunks_of_another_rank_than_the_shape_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (6, 8), "f4", chunks=(3, 4))
    # A layout message: version 3, chunked, 3 = rank + 1; with 2 the chunk's last length passes for the item's size.
    node = nodes_of(patched(path, b"\x03\x02\x03", b"\x03\x02\x02"))["/x"]
    assert (node["reason"], node["detail"]) == ("damaged", "chunks of 1 dimensions for a shape of 2")


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


# Attributes


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (3, 3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.int8(-128), -128),
        (np.array(7, ">i4"), 7),
        (0.5, 0.5),
        (np.float16(1.5), 1.5),
        (np.array(2.5, ">f8"), 2.5),
        (True, True),
        ("é", "é"),
        (np.bytes_(b"abc"), "abc"),
        ("", ""),
        ([1, 2, 3], [1, 2, 3]),
        (np.array([5]), [5]),
        ([0.5, 1.0], [0.5, 1.0]),
        (np.array([True, False]), [True, False]),
        (["a", "bb", ""], ["a", "bb", ""]),
        (np.array([b"a", b"bb"]), ["a", "bb"]),
        (np.zeros(0, "i4"), []),
        (float("nan"), {"unsupported": "number that is not finite"}),
        (1j, {"unsupported": "complex128"}),
        (np.zeros((2, 2)), {"unsupported": "2-dimensional"}),
        (np.zeros((0, 2)), {"unsupported": "2-dimensional"}),
        (np.zeros(2, [("a", "i4")]), {"unsupported": "compound"}),
        (np.array(b"\0ab", "V3"), {"unsupported": "opaque"}),
        (h5py.Empty("f4"), {"unsupported": "null"}),
        (np.longdouble(1), {"unsupported": "number of more than 64 bits"}),
    ],
)
def test_an_attribute_is_a_plain_value_or_says_what_it_is(
    given: Any, value: Any, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["key"] = given

    found = described(fill)["/"]["attributes"]["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("value", "dtype", "reason"),
    [
        (1, ENUM, "enum"),
        (np.array([1, 2], "i4"), h5py.vlen_dtype("i4"), "vlen"),
        (None, h5py.ref_dtype, "reference"),
    ],
)
def test_an_attribute_of_a_type_of_hdf5_is_not_carried(
    value: Any, dtype: Any, reason: str, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        held = np.empty((), object)
        held[()] = file.ref if value is None else value
        file.attrs.create("key", held if reason != "enum" else value, (), dtype)

    assert described(fill)["/"]["attributes"] == {"key": {"unsupported": reason}}


def test_an_integer_past_64_bits_is_not_carried(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        kind = h5t.STD_I64LE.copy()
        kind.set_size(16)
        h5a.create(file.id, b"key", kind, h5s.create(h5s.SCALAR))

    assert described(fill)["/"]["attributes"] == {"key": {"unsupported": "integer of more than 64 bits"}}


@pytest.mark.parametrize(
    ("padding", "raw", "text"),
    [
        (h5t.STR_NULLPAD, b"ab\0c\0\0", r"ab\u0000c"),
        (h5t.STR_NULLTERM, b"ab\0c\0\0", "ab"),
        (h5t.STR_SPACEPAD, b"ab c  ", "ab c"),
    ],
)
def test_text_of_fixed_length_loses_its_padding(
    padding: int, raw: bytes, text: str, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        kind = h5t.C_S1.copy()
        kind.set_size(6)
        kind.set_strpad(padding)
        attribute = h5a.create(file.id, b"key", kind, h5s.create(h5s.SCALAR))
        attribute.write(np.array(raw, "S6"), kind)

    assert described(fill)["/"]["attributes"]["key"] == text


def test_bytes_that_are_not_utf8_are_escaped_and_marked(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["latin"] = np.bytes_(b"caf\xe9")
        file.attrs["line\nbreak"] = RTL
        h5a.create(file.id, b"\xff", h5t.STD_I8LE, h5s.create(h5s.SCALAR)).write(np.array(1, "i1"))

    node = described(fill)["/"]
    assert node["attributes"] == {"latin": r"caf\udce9", r"line\u000abreak": r"\u202e", r"\udcff": 1}
    assert node["escaped"] == [r"attributes/\udcff", "attributes/latin", r"attributes/line\u000abreak"]


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ("x" * 101, "x" * 100),
        (np.bytes_(b"x" * 101), np.bytes_(b"x" * 100)),
        (np.zeros(101, "i1"), np.zeros(100, "i1")),
        (["x"] * 7, ["x"] * 6),
        (["x" * 60, "x" * 41], ["x" * 60, "x" * 40]),
    ],
)
def test_an_attribute_past_the_limit_is_not_shown(
    given: Any, fits: Any, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["given"], file.attrs["fits"] = given, fits

    attributes = described(fill, Limits(attribute_bytes=100))["/"]["attributes"]
    assert attributes["given"] == {"unsupported": "larger than 100 bytes"}
    assert isinstance(attributes["fits"], str | list)


def test_attributes_of_one_node_have_a_limit_together(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        group = file.create_group("g")
        for i in range(20):
            group.attrs[f"{i}"] = "x" * 80
        file.create_group("h")

    nodes = described(fill, Limits(document_bytes=1000, attribute_bytes=100))
    assert nodes["/g"] == {
        "kind": "unreadable",
        "reason": "over-limit",
        "detail": "attributes of more than 1000 bytes",
    }
    assert nodes["/h"]["kind"] == "group"


def test_too_many_attributes_to_look_up_are_over_the_limit(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        x, space = file.create_dataset("x", (2,), "f4"), h5s.create(h5s.SCALAR)
        for i in range(4097):
            h5a.create(x.id, str(i).encode(), h5t.STD_I8LE, space)

    node = described(fill)["/x"]
    assert (node["reason"], node["detail"]) == ("over-limit", "more than 4096 attributes")


def test_a_damaged_attribute_is_a_value_and_the_others_stay(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["text"], file.attrs["number"] = "abc", 3
        x = file.create_dataset("x", (2,), "f4")
        x.dims[0].label = "a"
    nodes = nodes_of(patched(tmp_path / "a.h5", b"GCOL", b"XCOL"))
    assert nodes["/"]["attributes"]["number"] == 3
    assert nodes["/"]["attributes"]["text"]["unsupported"].startswith("damaged: ")
    assert nodes["/x"]["axes_detail"].startswith("DIMENSION_LABELS cannot be read: damaged: ")


def test_attributes_that_cannot_be_listed_are_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        x = file.create_dataset("x", (2,), "f4")
        for i in range(20):  # past 8 they lie in a heap of their own
            x.attrs[f"{i}"] = i
    node = nodes_of(patched(tmp_path / "a.h5", b"FRHP", b"XRHP"))["/x"]
    assert node["reason"] == "damaged"
    assert node["detail"].startswith("its attributes cannot be listed: ")


# Links


def test_soft_and_external_links_are_named_and_not_followed(
    tmp_path: Path, described: Callable[..., dict[str, Node]]
) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = 1

    def fill(file: h5py.File) -> None:
        file["x"] = 1
        file["soft"] = h5py.SoftLink("/x")
        file["cycle"] = h5py.SoftLink("/")
        file["nowhere"] = h5py.SoftLink(f"/a{RTL}b")
        file["external"] = h5py.ExternalLink("other.h5", "/x")

    nodes = described(fill)
    assert nodes["/soft"] == {"kind": "link", "reason": "internal-link", "detail": "soft link to /x"}
    assert nodes["/cycle"]["detail"] == "soft link to /"
    assert nodes["/nowhere"]["detail"] == r"soft link to /a\u202eb"
    assert nodes["/external"] == {
        "kind": "link",
        "reason": "external-link",
        "detail": "link to /x in the file other.h5",
    }


def test_a_second_hard_link_is_an_alias_and_a_cycle_ends(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        group = file.create_group("a")
        group["x"] = 1
        group["y"] = group["x"]
        group["up"] = group
        group["root"] = file["/"]

    nodes = described(fill)
    assert set(nodes) == {"/", "/a", "/a/x", "/a/y", "/a/up", "/a/root"}
    assert nodes["/a/x"]["kind"] == "array"
    aliases = {path: nodes[f"/a/{path}"] for path in ("y", "up", "root")}
    assert {node["reason"] for node in aliases.values()} == {"internal-link"}
    assert [node["detail"] for node in aliases.values()] == [f"second hard link to {p}" for p in ("/a/x", "/a", "/")]


def test_a_user_defined_link_is_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["ext"] = h5py.ExternalLink("other.h5", "/x")
    # A link message: …, link type, length of the name, name, … (HDF5 File Format 3.0, IV.A.2.g).
    node = nodes_of(patched(path, b"\x40\x03ext", b"\xc8\x03ext"))["/ext"]
    assert (node["reason"], node["detail"]) == ("unsupported", "a link of the user-defined type 200")


def test_an_external_link_without_an_end_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["ext"] = h5py.ExternalLink("other.h5", "/x")
    node = nodes_of(patched(path, b"h5\0/x\0", b"h5\0/xx"))["/ext"]
    assert node["reason"] == "damaged"
    assert node["detail"].startswith("a link whose target cannot be read: ")


def test_a_link_to_nothing_is_damaged_and_the_walk_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = np.arange(3), np.arange(4)
        address = h5py.h5o.get_info(file["x"].id).addr
    content = bytearray(path.read_bytes())
    content[address] = 99  # the version of the object's header
    path.write_bytes(content)
    nodes = nodes_of(path)
    assert nodes["/x"]["reason"] == "damaged"
    assert nodes["/x"]["detail"]
    assert nodes["/y"]["shape"] == [4]


def test_members_that_cannot_be_listed_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["g/x"] = 1
    nodes = nodes_of(patched(path, b"SNOD", b"XNOD"))
    assert nodes["/"]["reason"] == "damaged"
    assert nodes["/"]["detail"].startswith("its members cannot be listed: ")


def test_a_root_that_cannot_be_opened_is_one_damaged_node(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["x"] = 1
    nodes = nodes_of(patched(path, b"OHDR", b"OHXX"))
    assert list(nodes) == ["/"]
    assert nodes["/"]["reason"] == "damaged"


@pytest.mark.parametrize(
    ("written", "found", "path"),
    [
        ("aQb", b"a/b", r"/\u0000a\u0000b"),
        ("Q", b".", r"/\u0000."),
    ],
)
def test_a_name_that_stands_for_another_place_is_damage(written: str, found: bytes, path: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[f"{written}"] = 1
        file["a_group/b"] = 1
    name = written.encode() + b"\0"
    nodes = nodes_of(patched(tmp_path / "a.h5", name, found + b"\0"))
    assert nodes[path]["reason"] == "damaged"
    assert nodes[path]["detail"] == f"a member named {found.decode()}, which stands for another place"
    assert nodes[path]["escaped"] == ["name"]


def test_two_members_of_one_name_are_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["first"], file["other"] = 1, 2
    nodes = nodes_of(patched(tmp_path / "a.h5", b"other\0", b"first\0"))
    assert nodes["/first"]["detail"] == "more than one member of the group has this name"
    assert set(nodes) == {"/", "/first"}


def test_hostile_names_are_escaped_and_kept_apart(described: Callable[..., dict[str, Node]]) -> None:
    names = [b"\x1b[2J", RTL.encode(), b"line\nbreak", rb"\u001b[2J", b"caf\xe9", "é".encode()]

    def fill(file: h5py.File) -> None:
        for name in names:
            file[name] = 1

    nodes = described(fill)
    shown = {r"/\u001b[2J", r"/\u202e", r"/line\u000abreak", r"/\\u001b[2J", r"/caf\udce9", "/é"}
    assert set(nodes) == {"/"} | shown
    assert {path for path, node in nodes.items() if node.get("escaped") == ["name"]} == shown - {"/é"}


# Objects whose values are elsewhere


def test_external_storage_is_named_and_not_opened(tmp_path: Path, described: Callable[..., dict[str, Node]]) -> None:
    os.mkfifo(tmp_path / "raw.bin")  # whoever opens it waits for ever

    def fill(file: h5py.File) -> None:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_external(str(tmp_path / "raw.bin").encode(), 0, 16)
        h5d.create(file.id, b"x", h5t.IEEE_F32LE, h5s.create_simple((4,)), creation)

    node = described(fill)["/x"]
    assert (node["kind"], node["reason"]) == ("object", "external-storage")
    assert "values in the file /" in node["detail"]


@pytest.mark.parametrize("maximum", [4, None])
def test_a_virtual_dataset_is_named_and_its_sources_are_not_opened(
    maximum: int | None, tmp_path: Path, described: Callable[..., dict[str, Node]]
) -> None:
    os.mkfifo(tmp_path / "source.h5")
    layout = h5py.VirtualLayout((4,), "f4", maxshape=(maximum,))
    source = h5py.VirtualSource(tmp_path / "source.h5", "x", (4,), maxshape=(maximum,))
    layout[: h5s.UNLIMITED if maximum is None else 4] = source[: h5s.UNLIMITED if maximum is None else 4]
    node = described(lambda file: file.create_virtual_dataset("x", layout), libver="latest")["/x"]
    assert node == {"kind": "object", "reason": "virtual-dataset", "detail": "values assembled from 1 sources"}


def test_a_committed_datatype_is_an_object(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        file["t"] = np.dtype("f4")
        file.create_dataset("x", (2,), dtype=file["t"])

    nodes = described(fill)
    assert nodes["/t"] == {"kind": "object", "reason": "named-type", "detail": "a committed datatype"}
    assert nodes["/x"]["dtype"] == "float32"


# Limits


def chain(depth: int) -> Fill:
    def fill(file: h5py.File) -> None:
        group = file
        for _ in range(depth):
            group = group.create_group("g")

    return fill


def test_past_the_limit_on_nodes_there_is_one_more_node_and_no_other(
    described: Callable[..., dict[str, Node]],
) -> None:
    def fill(file: h5py.File) -> None:
        for i in range(50):
            file[f"a/x_{i:02d}"] = 1

    nodes = described(fill, Limits(nodes=10))
    assert [node.get("reason") for node in nodes.values()] == [None] * 10 + ["over-limit"]
    assert nodes["/a/x_08"]["detail"] == "more than 10 nodes"
    assert "over-limit" not in {node.get("reason") for node in described(fill, Limits(nodes=52)).values()}


def test_past_the_limit_on_depth_a_group_is_not_entered(described: Callable[..., dict[str, Node]]) -> None:
    nodes = described(chain(5), Limits(path_depth=3))
    assert [node.get("reason") for node in nodes.values()] == [None, None, None, "over-limit"]
    assert "/g/g/g" in nodes
    assert len(described(chain(3), Limits(path_depth=3))) == 4


def test_a_path_past_the_limit_is_not_made_longer(described: Callable[..., dict[str, Node]]) -> None:
    nodes = described(lambda file: file.create_dataset(f"a/{'n' * 4096}/b/c", (2,), "f4"))
    assert [node.get("reason") for node in nodes.values()] == [None, None, "over-limit"]


# Damage at large

_FUZZ = """
import random, sys
from pathlib import Path
from vizschema.containers.base import Limits
from vizschema.containers.hdf5 import open_hdf5
from vizschema.errors import NotAnArchive

path = Path(sys.argv[1])
content = path.read_bytes()
for seed in range(400):
    draw = random.Random(seed)
    mutant = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        mutant[draw.randrange(len(mutant))] ^= draw.randrange(1, 256)
    path.write_bytes(mutant[: draw.randrange(len(mutant))] if seed % 10 == 9 else mutant)
    print(seed, end=" ", flush=True)
    try:
        container = open_hdf5(str(path), Limits(nodes=100))
    except NotAnArchive:
        print("none", flush=True)
        continue
    nodes = list(container.nodes())
    container.close()
    assert nodes[0][0] == "/" and len(dict(nodes)) == len(nodes) <= 101
    print("damaged" if any(node.get("reason") == "damaged" for _, node in nodes) else "nodes", flush=True)
"""


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_flipped_bytes_end_in_nodes_or_in_no_archive(libver: str, tmp_path: Path) -> None:
    # Of fixed length only: on a damaged heap of texts of variable length libhdf5 2.0 loops for ever, which is for the
    # worker process to end.
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["number"], file.attrs["text"] = 1, np.bytes_(b"abc")
        file["soft"], file["external"] = h5py.SoftLink("/x"), h5py.ExternalLink("other.h5", "/x")
        file["values"] = np.arange(1000.0)
        for i in range(4):
            x = file.create_dataset(f"g/x_{i}", (2, 4), "f4", chunks=(1, 4), compression="gzip")
            x.attrs["DIMENSION_LABELS"] = np.array([b"a", b"b"])
    script = [sys.executable, "-W", "error", "-c", _FUZZ, str(path)]
    run = subprocess.run(script, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-40:] + run.stderr
    outcomes = [line.split()[1] for line in run.stdout.splitlines()]
    assert len(outcomes) == 400
    assert {"none", "damaged", "nodes"} == set(outcomes)


# A real file


def test_the_archive_that_a_benchmark_wrote_is_described_in_full(real: Path) -> None:
    path = real / "writers" / "benchmark.h5"
    nodes = nodes_of(path)
    with h5py.File(path) as file:
        expected: dict[str, Any] = {"/": None}
        file.visititems(lambda name, item: expected.__setitem__(f"/{name}", getattr(item, "shape", None)))
        attributes = sum(len(item.attrs) for item in [file, *(file[path] for path in expected if path != "/")])
    assert {path: tuple(node["shape"]) if "shape" in node else None for path, node in nodes.items()} == expected
    assert sum(len(node["attributes"]) for node in nodes.values()) == attributes
    assert {node["kind"] for node in nodes.values()} == {"group", "array"}
