"""Links and names of HDF5: none is followed, and none passes for another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.hdf5_files import RTL, nodes_of, patched

from vizschema.description import Node


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
