"""Attributes of HDF5: plain values, or what they are instead; within limits, and whatever is damaged beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5a, h5s, h5t
from support.hdf5_files import ENUM, RTL, nodes_of, patched

from vizschema.containers.base import Limits
from vizschema.description import Node


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
    ],
)
def test_an_attribute_of_a_plain_type_is_a_plain_value(
    given: Any, value: Any, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["key"] = given

    found = described(fill)["/"]["attributes"]["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (float("nan"), "number that is not finite"),
        (1j, "complex128"),
        (np.zeros((2, 2)), "2-dimensional"),
        (np.zeros((0, 2)), "2-dimensional"),
        (np.zeros(2, [("a", "i4")]), "compound"),
        (np.array(b"\0ab", "V3"), "opaque"),
        (h5py.Empty("f4"), "null"),
        (np.longdouble(1), "number of more than 64 bits"),
    ],
)
def test_an_attribute_that_is_no_json_value_says_what_it_is(
    given: Any, kind: str, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["key"] = given

    node = described(fill)["/"]
    assert (node["attributes"], node["unsupported"]) == ({}, {"key": kind})


NESTED = {"a": {"b": [1, 2.5, None, {"": []}]}, "none": None, "empty": [], "mixed": [1, "a", True], "table": [[1], []]}


def test_json_texts_whose_names_are_listed_are_nested_values(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        for key, value in NESTED.items():
            file.attrs[key] = json.dumps(value)
        file.attrs["text"] = "{}"
        file.attrs["json_attributes"] = list(NESTED)

    assert described(fill)["/"]["attributes"] == {**NESTED, "text": "{}"}


@pytest.mark.parametrize(
    ("given", "names", "unsupported"),
    [
        ("{", ["key"], {"key": "key is not JSON: "}),
        ('{"a": 1, "a": 2}', ["key"], {"key": "key repeats the key a"}),
        ("[" * 40 + "]" * 40, ["key"], {"key": "key is nested deeper than 32 levels"}),
        ("[" * 17 + "]" * 17, ["key"], {"key": "nested deeper than 16 levels"}),
        (3, ["key"], {"key": "listed in json_attributes, and not a JSON text"}),
        ("1", ["key", "other"], {"other": "listed in json_attributes, and not a JSON text"}),
        ("1", 7, {"json_attributes": "no list of the names of attributes"}),
        ("1", [7], {"json_attributes": "no list of the names of attributes"}),
    ],
)
def test_what_is_no_json_text_says_so(
    given: Any, names: Any, unsupported: dict[str, str], described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["key"], file.attrs["json_attributes"] = given, names

    found = described(fill)["/"]["unsupported"]
    assert found.keys() == unsupported.keys()
    assert all(found[key].startswith(words) for key, words in unsupported.items())


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

    assert described(fill)["/"]["unsupported"] == {"key": reason}


def test_an_integer_past_64_bits_is_not_carried(described: Callable[..., dict[str, Node]]) -> None:
    def fill(file: h5py.File) -> None:
        kind = h5t.STD_I64LE.copy()
        kind.set_size(16)
        h5a.create(file.id, b"key", kind, h5s.create(h5s.SCALAR))

    assert described(fill)["/"]["unsupported"] == {"key": "integer of more than 64 bits"}


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
        (np.zeros(101, "i1"), np.zeros(49, "i1")),
        (["x"] * 7, ["x"] * 6),
        (["x" * 60, "x" * 41], ["x" * 60, "x" * 30]),
    ],
)
def test_an_attribute_past_the_limit_is_not_shown(
    given: Any, fits: Any, described: Callable[..., dict[str, Node]]
) -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["given"], file.attrs["fits"] = given, fits

    node = described(fill, Limits(attribute_bytes=100))["/"]
    assert node["unsupported"] == {"given": "larger than 100 bytes"}
    assert isinstance(node["attributes"]["fits"], str | list)


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
    assert nodes["/"]["unsupported"]["text"].startswith("damaged: ")
    assert nodes["/x"]["axes_detail"].startswith("DIMENSION_LABELS cannot be read: damaged: ")


def test_attributes_that_cannot_be_listed_are_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        x = file.create_dataset("x", (2,), "f4")
        for i in range(20):  # past 8 they lie in a heap of their own
            x.attrs[f"{i}"] = i
    node = nodes_of(patched(tmp_path / "a.h5", b"FRHP", b"XRHP"))["/x"]
    assert node["reason"] == "damaged"
    assert node["detail"].startswith("its attributes cannot be listed: ")
