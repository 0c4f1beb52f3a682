"""ASDF: the tree by its events, blocks by their headers, nothing constructed and no file but the one."""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asdf
import ml_dtypes
import numcodecs.lz4
import numpy as np
import pytest
from support.asdf_files import HEADER, Stored, asdf_file, ndarray

import vizschema
from vizschema.containers.asdf import strided
from vizschema.containers.base import Limits
from vizschema.containers.opening import open_container
from vizschema.containers.values import ChunkDamaged, read_whole
from vizschema.describing import describe
from vizschema.errors import NotAnArchive

SIX = np.arange(6, dtype="<f4").reshape(2, 3)
BLOCK = Stored(SIX.tobytes())


def nodes(folder: Path, tree: str, *blocks: Stored, limits: Limits = Limits(), **more: Any) -> Mapping[str, Any]:  # noqa: B008
    (folder / "a.asdf").write_bytes(asdf_file(tree, *blocks, **more))
    return describe(folder / "a.asdf", limits=limits)["nodes"]


def reasons(found: Mapping[str, Any]) -> dict[str, str]:
    return {path: node["reason"] for path, node in found.items() if "reason" in node}


def read(path: Path, array: str) -> Any:
    """The whole array, or the damage."""
    container = open_container(str(path))
    values = container.values(array)
    damage = [b for piece in values.pieces() for b in values.read(piece) if isinstance(b, ChunkDamaged)]
    whole = read_whole(values, 1 << 30)
    container.close()
    return damage[0] if damage else whole


class TestNodes:
    def test_what_the_library_writes_has_groups_arrays_axes_and_attributes(self, tmp_path: Path) -> None:
        layer = {"data": SIX, "axes": ["x", "y"], "attributes": {"source": "proxy", "share": 1e-7, "yes": "yes"}}
        tree = {
            "attributes": {"profile": "trace", "created_at": "2026-11-21T09:00:00Z", "large": 1e20, "flags": [True]},
            "pair": {"layer_00": layer, "attributes": {"num_layers": 1}},
            "plain": np.arange(3, dtype=">i2"),
            "half": np.zeros(2, np.float16),
            "mask": np.array([True]),
            "words": np.array(["ab"]),
            "table": np.zeros(2, [("a", "i4"), ("b", "f8", (2,))]),
            "listed": [np.zeros(1), {"data": np.zeros(2), "axes": ["z"]}],
            "title": "hello",
            "numbers": [1, 2],
        }
        asdf.AsdfFile(tree).write_to(tmp_path / "a.asdf")
        description = describe(tmp_path / "a.asdf")
        assert description["container"] == {"format": "asdf", "version": None, "store": "file", "consolidated": False}
        found = description["nodes"]
        assert found["/"]["attributes"] == tree["attributes"]
        assert found["/"]["stray"] == ["numbers", "title"]
        assert found["/pair"]["attributes"] == {"num_layers": 1}
        array = found["/pair/layer_00"]
        assert (array["dtype"], array["shape"], array["axes"]) == ("float32", [2, 3], ["x", "y"])
        assert (array["attributes"], array["storage"], array["bytes"]) == (layer["attributes"], None, 24)
        kinds = {path: node.get("dtype", node["kind"]) for path, node in found.items()}
        assert kinds == {
            **{"/": "group", "/pair": "group", "/listed": "group", "/pair/layer_00": "float32", "/plain": "int16"},
            **{"/half": "float16", "/mask": "bool", "/words": "string", "/table": "compound"},
            **{"/listed/0": "float64", "/listed/1": "float64"},
        }
        assert found["/table"]["bytes"] == 40
        assert found["/listed/1"]["axes"] == ["z"]

    def test_a_list_is_a_group_where_there_is_a_node_in_it_or_in_a_list_in_it(self, tmp_path: Path) -> None:
        found = nodes(
            tmp_path, f"a: &a [x]\nb: [*a, *a]\nc: [[1], [2, [3]]]\nd: [[{ndarray()}], 1]\ne: [[{{}}]]", BLOCK
        )
        assert found["/"]["stray"] == ["a", "b", "c"]
        kinds = {path: node["kind"] for path, node in found.items() if path != "/"}
        groups = {"/d": "group", "/d/0": "group", "/e": "group", "/e/0": "group", "/e/0/0": "group"}
        assert kinds == {**groups, "/d/0/0": "array"}
        assert found["/d"]["stray"] == ["1"]

    def test_axes_that_do_not_fit_leave_a_reason(self, tmp_path: Path) -> None:
        data = ndarray()
        found = nodes(
            tmp_path, f"a: {{data: {data}, axes: [x]}}\nb: {{data: {data}, axes: x, attributes: {{}}}}", BLOCK
        )
        assert (found["/a"]["axes"], found["/a"]["axes_detail"]) == (None, "axes has 1 names for 2 dimensions")
        assert (found["/b"]["axes"], found["/b"]["axes_detail"]) == (None, "axes is not a list of names")

    def test_bfloat16_is_marked(self, tmp_path: Path) -> None:
        array = np.array([[1.5, -2]], ml_dtypes.bfloat16)
        data = ndarray(datatype="uint16", shape="[1, 2]")
        tree = f"a: {{data: {data}, axes: [x, y], attributes: {{stored_dtype: bfloat16}}}}"
        node = nodes(tmp_path, tree, Stored(array.tobytes()))["/a"]
        assert (node["dtype"], node["attributes"]) == ("bfloat16", {})
        assert np.array_equal(read(tmp_path / "a.asdf", "/a"), array)

    def test_names_and_attributes_are_made_safe(self, tmp_path: Path) -> None:
        tree = f'"a\\eb": {{attributes: {{"k\\n": "v\\e", n: .nan, i: {2**64}}}, c: {ndarray()}, "": {ndarray()}}}'
        found = nodes(tmp_path, tree, BLOCK)
        assert found["/a\\u001bb"]["escaped"] == ["name", "attributes/k\\u000a"]
        assert found["/a\\u001bb"]["attributes"] == {"k\\u000a": "v\\u001b"}
        assert found["/a\\u001bb"]["unsupported"] == {
            "n": "number that is not finite",
            "i": "integer of more than 64 bits",
        }
        assert "/a\\u001bb/\\empty" in found

    def test_scalars_are_those_of_yaml_1_1(self, tmp_path: Path) -> None:
        tree = (
            "attributes: {a: yes, b: 0x10, c: 1e5, d: 1.0e+5, e: ~, "
            "f: 2026-11-21, g: '1', h: !!str 1, i: 1_000, j: 1:30}"
        )
        assert nodes(tmp_path, tree)["/"]["attributes"] == {
            **{"a": True, "b": 16, "c": "1e5", "d": 1e5, "e": None, "f": "2026-11-21", "g": "1", "h": "1", "i": 1000},
            "j": 90,
        }

    def test_what_attributes_cannot_carry_is_named(self, tmp_path: Path) -> None:
        tree = (
            "attributes: {a: !core/complex-1.0.0 1+2j, b: &x {c: 1}, d: *x, e: [[1], {f: 2}], f: {1: 2, '1': 3}, "
            "g: [1, *x]}"
        )
        node = nodes(tmp_path, tree)["/"]
        assert node["attributes"] == {"b": {"c": 1}, "e": [[1], {"f": 2}]}
        assert node["unsupported"] == {
            "a": "tag tag:stsci.edu:asdf/core/complex-1.0.0",
            "d": "alias",
            "f": "the tree repeats the key 1",
            "g": "alias",
        }

    def test_an_alias_of_a_flat_list_is_that_list(self, tmp_path: Path) -> None:
        data = ndarray()
        tree = f"a: {{data: {data}, axes: &axes [x, y]}}\nb: {{data: {data}, axes: *axes}}"
        assert nodes(tmp_path, tree, BLOCK)["/b"]["axes"] == ["x", "y"]

    def test_limits_are_kept(self, tmp_path: Path) -> None:
        tree = "\n".join(f"a{number}: {ndarray()}" for number in range(9))
        assert reasons(nodes(tmp_path, tree, BLOCK, limits=Limits(nodes=4))) == {"/a3": "over-limit"}
        assert reasons(nodes(tmp_path, tree, BLOCK, limits=Limits(tree_bytes=100))) == {"/": "over-limit"}
        deep = "".join(f"{' ' * n}a:\n" for n in range(70)) + " " * 70 + f"b: {ndarray()}"
        assert reasons(nodes(tmp_path, deep, BLOCK)) == {"/" + "/".join("a" * 65): "over-limit"}
        found = nodes(tmp_path, f"attributes: {{a: '{'x' * 99}'}}", limits=Limits(attribute_bytes=50))
        assert found["/"]["unsupported"] == {"a": "larger than 50 bytes"}


class TestFaults:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("!!python/object/apply:os.system ['touch marker']", "pickle"),
            ("!!python/name:os.system", "pickle"),
            ("!<tag:example.org:thing-1.0.0> {a: 1}", "unsupported"),
            ("!core/complex-1.0.0 1+2j", "unsupported"),
            ("!core/ndarray-2.0.0 {source: 0}", "unsupported"),
            ("!core/ndarray-1.1.0 [1, null, 3]", "unsupported"),
            ("!core/ndarray-1.1.0 [[1, 2], [3]]", "metadata-invalid"),
            ("!core/ndarray-1.1.0 [[1, 2], 3]", "metadata-invalid"),
            ("!core/ndarray-1.1.0 [{a: 1}]", "unsupported"),
            ("!core/ndarray-1.1.0 {data: 1, datatype: int8}", "unsupported"),
            ("!core/ndarray-1.1.0 {data: [1, 300], datatype: int8}", "metadata-invalid"),
            ("!core/ndarray-1.1.0 {data: [1, 2.5], datatype: int8}", "metadata-invalid"),
            ("!core/ndarray-1.1.0 {data: [1, a], datatype: int8}", "metadata-invalid"),
            ("!core/ndarray-1.1.0 {data: [1, 2], shape: [3]}", "metadata-invalid"),
            ("!core/ndarray-1.1.0 {data: [1, 2], mask: 1}", "unsupported"),
            ("!core/ndarray-1.1.0 {data: [1, 2], strides: [8]}", "unsupported"),
            (f"!core/ndarray-1.1.0 {'[' * 70}{']' * 70}", "over-limit"),
            ("!core/ndarray-1.0.0 [1, 2, 3]", "unsupported"),
            ("!core/ndarray-1.1.0 {source: 0, datatype: int8, shape: [1]}", "metadata-invalid"),
            (ndarray(shape="[1, 3]", more=", strides: [0, 4]"), "metadata-invalid"),
            ("!core/ndarray-1.1.0 scalar", "metadata-invalid"),
            (ndarray("other.asdf"), "external-storage"),
            (ndarray("'http://example.org/x.asdf'"), "external-storage"),
            (ndarray("1"), "damaged"),
            (ndarray("-2"), "damaged"),
            (ndarray("1.5"), "metadata-invalid"),
            (ndarray(datatype="float128"), "unsupported"),
            (ndarray(datatype="[ascii, -1]"), "metadata-invalid"),
            (ndarray(datatype="~"), "metadata-invalid"),
            (ndarray(shape="[2, 4]"), "metadata-invalid"),
            (ndarray(shape="[-1]"), "metadata-invalid"),
            (ndarray(shape="[1.5]"), "metadata-invalid"),
            (ndarray(shape="[4611686018427387904, 4611686018427387904]"), "metadata-invalid"),
            (ndarray(shape=f"[{', '.join('1' * 65)}]"), "over-limit"),
            (ndarray(shape="6"), "metadata-invalid"),
            (ndarray(more=", offset: 1"), "metadata-invalid"),
            (ndarray(more=", offset: -1"), "metadata-invalid"),
            (ndarray(more=", strides: [24, 4]"), "unsupported"),
            (ndarray(more=", strides: [-12, 4]"), "unsupported"),
            (ndarray(more=", strides: [4]"), "metadata-invalid"),
            (ndarray(shape="[2, 2]", more=", strides: [4, 4]"), "unsupported"),
            (ndarray(shape="[3]", more=", strides: [2]"), "unsupported"),
            (ndarray(shape="[2, 3]", more=", offset: 8, strides: [-12, 4]"), "unsupported"),
            (ndarray(more=", mask: 1"), "unsupported"),
            (ndarray(more=", more: 1"), "unsupported"),
            (ndarray(more=", shape: [6]"), "metadata-malformed"),
            ("{a: 1, a: 2}", "metadata-malformed"),
            ("{[1]: 2}", "metadata-invalid"),
        ],
    )
    def test_a_value_that_is_no_array_of_ours_is_a_node(
        self, value: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        found = nodes(tmp_path, f"x: {value}\nfine: {ndarray()}", BLOCK)
        assert reasons(found) == {"/x": reason}
        assert not (tmp_path / "marker").exists()

    @pytest.mark.parametrize(
        ("tree", "reason"),
        [
            ("a: [", "metadata-malformed"),
            ("a: 1\n--- b", "metadata-malformed"),
            ("a: 1\na: 2", "metadata-malformed"),
            ("<<: {a: 1}", "unsupported"),
            ("a: \udcff", "metadata-malformed"),
            ("a: " + "[" * 200, "over-limit"),
            ("- 1", "metadata-invalid"),
        ],
    )
    def test_a_tree_that_cannot_be_read_is_the_root(self, tree: str, reason: str, tmp_path: Path) -> None:
        found = nodes(tmp_path, tree)
        assert list(found) == ["/"]
        assert reasons(found) == {"/": reason}

    def test_a_second_mention_of_an_array_or_group_is_a_link(self, tmp_path: Path) -> None:
        tree = f"a: &x {ndarray()}\nb: *x\nc: &y {{d: 1}}\ne: *y\nf: {{data: *x, axes: [x, y]}}\ng: &g [*g]\nh: *lost"
        found = nodes(tmp_path, tree, BLOCK)
        links = {"/b", "/e", "/f", "/g/0", "/h"}
        assert reasons(found) == dict.fromkeys(links, "internal-link")

    def test_a_laugh_is_not_multiplied(self, tmp_path: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
        assert len(nodes(tmp_path, "\n".join(lines))) < 400


class TestBlocks:
    @pytest.mark.parametrize(
        ("block", "reason"),
        [
            (Stored(SIX.tobytes(), allocated=10**9), "damaged"),
            (Stored(SIX.tobytes(), used=30), "damaged"),
            (Stored(SIX.tobytes(), size=10**9), "damaged"),
            (Stored(SIX.tobytes(), header_size=20), "damaged"),
            (Stored(SIX.tobytes(), compression=b"zstd"), "unsupported"),
            (Stored(SIX.tobytes(), compression=b"\xff\xff\xff\xff"), "unsupported"),
        ],
    )
    def test_a_block_that_lies_is_a_fault_of_its_array(self, block: Stored, reason: str, tmp_path: Path) -> None:
        found = nodes(tmp_path, f"a: {ndarray()}\nb: {ndarray(1, shape='[1]')}", block, BLOCK)
        assert reasons(found)["/a"] == reason

    def test_a_file_that_was_cut_loses_the_blocks_behind_the_cut(self, tmp_path: Path) -> None:
        raw = asdf_file(f"a: {ndarray()}\nb: {ndarray(1)}", BLOCK, BLOCK)
        for cut in (1, 24, 25, 60, 78):
            (tmp_path / "a.asdf").write_bytes(raw[:-cut])
            assert reasons(describe(tmp_path / "a.asdf")["nodes"]) == {"/b": "damaged"}
        (tmp_path / "a.asdf").write_bytes(raw[: raw.index(b"\n...")])
        assert reasons(describe(tmp_path / "a.asdf")["nodes"]) == {"/": "damaged"}

    @pytest.mark.parametrize("padding", [b"", b"\0" * 300, b" \n" * 7])
    def test_padding_before_the_blocks_is_passed_over(self, padding: bytes, tmp_path: Path) -> None:
        nodes(tmp_path, f"a: {ndarray()}", BLOCK, padding=padding)
        assert np.array_equal(read(tmp_path / "a.asdf", "/a"), SIX)

    def test_a_limit_on_blocks_is_kept(self, tmp_path: Path) -> None:
        found = nodes(tmp_path, f"a: {ndarray()}", *[BLOCK] * 9, limits=Limits(nodes=5))
        assert reasons(found) == {"/": "over-limit"}

    @pytest.mark.parametrize("raw", [HEADER.encode(), HEADER.encode() + b"\xd3BLK", b"#ASDF 1.0.0"])
    def test_a_file_without_a_tree_is_no_archive(self, raw: bytes, tmp_path: Path) -> None:
        (tmp_path / "a.asdf").write_bytes(raw.ljust(12))
        with pytest.raises(NotAnArchive, match="without a tree"):
            describe(tmp_path / "a.asdf")


class TestValues:
    @pytest.mark.parametrize("compression", [None, "zlib", "bzp2", "lz4"])
    @pytest.mark.parametrize(
        "array",
        [
            np.arange(24, dtype=">i4").reshape(2, 3, 4),
            np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
            np.array([True, False]),
            np.arange(3 * 1024 * 1024, dtype=np.float32).reshape(3, 1024, 1024),
            np.ones(2, np.complex64),
            np.zeros((2, 0)),
        ],
    )
    def test_what_the_library_writes_comes_back(self, array: Any, compression: str | None, tmp_path: Path) -> None:
        asdf.AsdfFile({"a": array, "b": array[..., :1]}).write_to(
            tmp_path / "a.asdf", all_array_compression=compression, all_array_storage="internal"
        )
        node = describe(tmp_path / "a.asdf")["nodes"]["/a"]
        assert (node["kind"], node["dtype"]) == ("array", array.dtype.newbyteorder("=").name)
        found = read(tmp_path / "a.asdf", "/a")
        assert found.dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(found, array)

    def test_a_streamed_block_ends_with_the_file(self, tmp_path: Path) -> None:
        block = Stored(SIX.tobytes(), flags=1, allocated=0, used=0, size=0)
        node = nodes(tmp_path, f"a: {ndarray(-1, shape=chr(91) + repr('*') + ', 3]')}", block)["/a"]
        assert node["shape"] == [2, 3]
        assert np.array_equal(read(tmp_path / "a.asdf", "/a"), SIX)

    def test_an_array_may_begin_within_its_block(self, tmp_path: Path) -> None:
        nodes(tmp_path, f"a: {ndarray(shape='[3]', more=', offset: 12')}", BLOCK)
        assert np.array_equal(read(tmp_path / "a.asdf", "/a"), SIX[1])

    def test_raw_blocks_without_a_checksum_are_independent_ranges(self, tmp_path: Path) -> None:
        array = np.zeros((3, 1 << 20), np.float32)
        for checksum, pieces in ((b"\0" * 16, 3), (None, 1)):
            nodes(tmp_path, f"a: {ndarray(shape='[3, 1048576]')}", Stored(array.tobytes(), checksum=checksum))
            container = open_container(str(tmp_path / "a.asdf"))
            assert len(list(container.values("/a").pieces())) == pieces
            container.close()
            assert np.array_equal(read(tmp_path / "a.asdf", "/a"), array)

    @pytest.mark.parametrize(
        ("block", "reason"),
        [
            (Stored(SIX.tobytes(), checksum=b"x" * 16), "checksum"),
            (Stored(zlib.compress(SIX.tobytes()), 24, b"zlib", checksum=b"x" * 16), "checksum"),
            (Stored(zlib.compress(SIX.tobytes())[:-6], 24, b"zlib"), "truncated"),
            (Stored(zlib.compress(SIX.tobytes()) + b"more", 24, b"zlib"), "wrong-length"),
            (Stored(b"no zlib", 24, b"zlib"), "undecodable"),
            (Stored(zlib.compress(SIX.tobytes() * 9), 24, b"zlib"), "wrong-length"),
            (Stored(zlib.compress(SIX.tobytes()[:9]), 24, b"zlib"), "wrong-length"),
            (Stored(bz2.compress(SIX.tobytes())[:-6], 24, b"bzp2"), "truncated"),
            (Stored(bz2.compress(SIX.tobytes()) + b"more", 24, b"bzp2"), "wrong-length"),
            (Stored(b"no bzip2", 24, b"bzp2"), "undecodable"),
            (Stored(struct.pack(">II", 99, 24), 24, b"lz4\0"), "truncated"),
            (Stored(struct.pack(">I", 5) + struct.pack("<I", 24) + b"x", 24, b"lz4\0"), "undecodable"),
            (Stored(struct.pack(">I", 5) + struct.pack("<I", 99) + b"x", 24, b"lz4\0"), "wrong-length"),
            (Stored(struct.pack(">I", 5) + b"\xff\xff\xff\x7f" + b"x", 24, b"lz4\0"), "over-limit"),
            (Stored(b"lz4", 24, b"lz4\0"), "truncated"),
        ],
    )
    def test_damage_is_a_value(self, block: Stored, reason: str, tmp_path: Path) -> None:
        assert not reasons(nodes(tmp_path, f"a: {ndarray()}", block))
        damage = read(tmp_path / "a.asdf", "/a")
        assert isinstance(damage, ChunkDamaged)
        assert (damage.key, damage.reason) == ("block 0", reason)

    def test_lz4_is_what_the_library_writes(self, tmp_path: Path) -> None:
        part = numcodecs.lz4.compress(SIX.tobytes())
        nodes(tmp_path, f"a: {ndarray()}", Stored(struct.pack(">I", len(part)) + part, 24, b"lz4\0"))
        assert np.array_equal(read(tmp_path / "a.asdf", "/a"), SIX)


WHOLE = np.arange(2 * 3 * 4, dtype="<f4").reshape(2, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        WHOLE[:, ::2],
        WHOLE[:, ::-1, 1:3],
        WHOLE[::-1, ::-1, ::-1],
        WHOLE.transpose(1, 0, 2),
        WHOLE.transpose(2, 0, 1)[::2],
        WHOLE[1, 2, ::3],
        WHOLE[:, 1:2, 3:],
    ],
    ids=str,
)
def test_values_with_gaps_and_in_another_order_are_those_that_asdf_reads(
    part: Any, packed: bool, tmp_path: Path
) -> None:
    offset = part.__array_interface__["data"][0] - WHOLE.__array_interface__["data"][0]
    more = f", offset: {offset}, strides: {list(part.strides)}"
    raw = WHOLE.tobytes()
    block = Stored(zlib.compress(raw), len(raw), b"zlib", checksum=None) if packed else Stored(raw, checksum=None)
    tree = f"x: {ndarray(shape=list(part.shape), more=more)}"
    (tmp_path / "a.asdf").write_bytes(asdf_file(tree, block))
    with asdf.open(tmp_path / "a.asdf") as file:
        assert np.array_equal(np.asarray(file["x"]), part)
    with vizschema.open(tmp_path / "a.asdf") as archive:
        found = archive["/x"]
        assert np.array_equal(found[...], part)
        assert np.array_equal(found[-1], part[-1])
    assert reasons(describe(tmp_path / "a.asdf")["nodes"]) == {}


def test_a_block_with_gaps_between_values_is_held_within_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strided, "MOST", 23)
    found = nodes(tmp_path, f"x: {ndarray(shape='[3]', more=', strides: [8]')}\nfine: {ndarray()}", BLOCK)
    assert reasons(found) == {"/x": "unsupported"}


def test_a_checksum_of_a_block_with_gaps_between_values_is_compared(tmp_path: Path) -> None:
    tree = f"x: {ndarray(shape='[3]', more=', strides: [8]')}"
    (tmp_path / "a.asdf").write_bytes(asdf_file(tree, BLOCK._replace(checksum=b"1" * 16)))
    assert read(tmp_path / "a.asdf", "/x").reason == "checksum"
