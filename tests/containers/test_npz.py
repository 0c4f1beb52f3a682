"""NPZ: headers and `vizschema.json` to nodes, values in ranges or streamed, and what no NPZ should hold."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.zip_files import headed, npy, told

import vizschema
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.containers.base import Limits, Unreadable
from vizschema.containers.bytes.flat import FlatValues
from vizschema.containers.bytes.packed import crc32_combine
from vizschema.containers.npz.npy import literal
from vizschema.containers.opening import open_container
from vizschema.containers.values import ChunkDamaged
from vizschema.describing import describe
from vizschema.errors import NotAnArchive

ONES = npy(np.ones((2, 3), np.float32))


def nodes(folder: Path, *entries: Entry, limits: Limits = Limits(), **changes: Any) -> Mapping[str, Any]:  # noqa: B008
    path = folder / "a.npz"
    path.write_bytes(zipped(entries, **changes))
    return describe(path, limits=limits)["nodes"]


def faults(found: Mapping[str, Any]) -> dict[str, str]:
    return {path: node["reason"] for path, node in found.items() if "reason" in node}


def values(path: Path, array: str) -> Any:
    """The whole array by its blocks, or the damage."""
    container = open_container(str(path))
    read = container.values(array)
    whole = np.empty(read.shape, read.dtype)
    seen = np.zeros(read.shape, int)
    for piece in read.pieces():
        for block in read.read(piece):
            if isinstance(block, ChunkDamaged):
                return block
            place = tuple(slice(at, at + n) for at, n in zip(block.start, block.values.shape, strict=True))
            assert block.values.flags.c_contiguous
            assert block.values.dtype.isnative
            assert block.values.nbytes <= piece.decoded_bytes
            whole[place] = block.values
            seen[place] += 1
    container.close()
    assert (seen == 1).all()
    return whole


class TestNodes:
    def test_members_are_arrays_and_the_groups_above_them_are_implied(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", **{"pair/layer_00": np.zeros((2, 3)), "loss": np.float32(1), "ids": np.arange(2)})
        description = describe(tmp_path / "a.npz")
        assert description["container"] == {"format": "npz", "version": None, "store": "file", "consolidated": False}
        found = {path: (n["kind"], n.get("dtype"), n.get("axes")) for path, n in description["nodes"].items()}
        assert found == {
            "/": ("group", None, None),
            "/ids": ("array", "int64", None),
            "/loss": ("array", "float32", []),
            "/pair": ("group", None, None),
            "/pair/layer_00": ("array", "float64", None),
        }
        assert description["nodes"]["/pair/layer_00"]["storage"] is None
        assert description["nodes"]["/pair/layer_00"]["bytes"] == 48

    @pytest.mark.parametrize(
        ("array", "dtype", "size"),
        [
            (np.zeros(2, ">f4"), "float32", 8),
            (np.zeros(2, bool), "bool", 2),
            (np.zeros(2, "U3"), "string", 24),
            (np.zeros(2, "S3"), "bytes", 6),
            (np.zeros(2, "M8[s]"), "datetime", 16),
            (np.zeros(2, [("a", "<i2"), ("b", "<f8", (2,))]), "compound", 36),
            (np.zeros(2, np.dtype([(("title", "a"), "<i2")])), "compound", 4),
            (np.zeros(2, ml_dtypes.bfloat16), "opaque", 4),
            (np.zeros(2, np.complex64), "complex64", 16),
        ],
    )
    def test_dtypes_have_canonical_names(self, array: Any, dtype: str, size: int, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", a=array)
        node = describe(tmp_path / "a.npz")["nodes"]["/a"]
        assert (node["dtype"], node["bytes"], node["shape"]) == (dtype, size, [2])

    def test_the_document_gives_axes_and_attributes(self, tmp_path: Path) -> None:
        document = told(
            {
                "/": {"kind": "group", "attributes": {"profile": "trace"}},
                "/empty": {"kind": "group", "attributes": {"num_layers": 3}},
                "/g/a": {"kind": "array", "axes": ["x", None], "attributes": {"source": "proxy"}},
                "/g/b": {"kind": "array", "axes": ["x"], "attributes": {"stored_dtype": "bfloat16"}},
                "/g/c": {"kind": "array", "axes": ["x", "y", "z"]},
                "/g/d": {"kind": "array", "axes": None, "attributes": {"stored_dtype": "bfloat16"}},
            }
        )
        entries = [Entry(f"g/{name}.npy", ONES) for name in "acd"]
        entries += [Entry("vizschema.json", document, 8), Entry("g/b.npy", npy(np.zeros(2, np.uint16)))]
        found = nodes(tmp_path, *entries)
        assert found["/"]["attributes"] == {"profile": "trace"}
        assert found["/empty"] == {"kind": "group", "members": 0, "attributes": {"num_layers": 3}}
        assert (found["/g/a"]["axes"], found["/g/a"]["attributes"]) == (["x", None], {"source": "proxy"})
        assert (found["/g/b"]["dtype"], found["/g/b"]["attributes"], found["/g/b"]["bytes"]) == ("bfloat16", {}, 4)
        assert (found["/g/c"]["axes"], "3 names for 2" in found["/g/c"]["axes_detail"]) == (None, True)
        assert (found["/g/d"]["axes"], found["/g/d"]["dtype"]) == (None, "float32")
        assert found["/g/d"]["attributes"] == {"stored_dtype": "bfloat16"}

    def test_names_are_made_safe(self, tmp_path: Path) -> None:
        found = nodes(tmp_path, Entry("a\x1bb/c.npy", ONES), Entry("d.npy", ONES, flags=0))
        assert found["/a\\u001bb"]["escaped"] == ["name"]
        assert found["/a\\u001bb/c"]["kind"] == "array"
        assert found["/d"]["kind"] == "array"

    def test_attributes_and_axes_are_made_safe(self, tmp_path: Path) -> None:
        document = {"/a": {"kind": "array", "axes": ["x\x1b", "y"], "attributes": {"k\n": "v\x1b", "large": "x" * 99}}}
        entries = [Entry("a.npy", ONES), Entry("vizschema.json", told(document))]
        node = nodes(tmp_path, *entries, limits=Limits(attribute_bytes=50))["/a"]
        assert node["attributes"] == {"k\\u000a": "v\\u001b"}
        assert node["unsupported"] == {"large": "larger than 50 bytes"}
        assert node["escaped"] == ["axes", "attributes/k\\u000a"]

    def test_other_members_are_stray(self, tmp_path: Path) -> None:
        found = nodes(
            tmp_path, Entry("g/a.npy", ONES), Entry("g/notes.txt", b"x"), Entry("README", b""), Entry("g/", b"")
        )
        assert (found["/"]["stray"], found["/g"]["stray"]) == (["README"], ["notes.txt"])
        assert not faults(found)

    def test_a_limit_on_nodes_is_kept(self, tmp_path: Path) -> None:
        entries = [Entry(f"a{number}.npy", ONES) for number in range(6)]
        document = told({f"/g{number}": {"kind": "group"} for number in range(6)})
        found = nodes(tmp_path, *entries, Entry("vizschema.json", document), limits=Limits(nodes=8))
        assert len(found) == 9
        assert faults(found) == {"/g1": "over-limit"}


class TestFaults:
    @pytest.mark.parametrize(
        ("entry", "reason", "words"),
        [
            (Entry("a.npy", ONES, flags=0x801), "unsupported", "encrypted"),
            (Entry("a.npy", ONES, method=12), "unsupported", "method 12"),
            (Entry("a.npy", ONES, mode=stat.S_IFLNK | 0o777), "internal-link", "symbolic link"),
            (Entry("a.npy", ONES, mode=stat.S_IFIFO | 0o777), "special-file", "FIFO"),
            (Entry("a.npy", ONES, size=10**9), "damaged", "takes"),
            (Entry("a.npy", ONES, method=8, size=10**9), "damaged", "deflate cannot stand for"),
            (Entry("a.npy", ONES[:-1]), "metadata-invalid", "24 bytes of values, and the member holds 23"),
            (Entry("a.npy", ONES + b"0"), "metadata-invalid", "the member holds 25"),
            (Entry("a.npy", ONES[:9]), "metadata-malformed", "truncated"),
            (Entry("a.npy", ONES[:50]), "metadata-malformed", "truncated"),
            (Entry("a.npy", b"no array at all"), "metadata-malformed", "does not begin like"),
            (Entry("a.npy", b"\x93NUMPY\x04\x00" + bytes(50)), "unsupported", "version 4.0"),
            (Entry("a.npy", headed("{}", version=(2, 0))), "metadata-invalid", "descr, fortran_order and shape"),
            (Entry("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(50)), "over-limit", "4294967307 bytes"),
        ],
    )
    def test_a_member_that_cannot_be_read_is_a_node(
        self, entry: Entry, reason: str, words: str, tmp_path: Path
    ) -> None:
        found = nodes(tmp_path, entry, Entry("fine.npy", ONES))
        assert faults(found) == {"/a": reason}
        assert words in found["/a"]["detail"]

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ("'descr': '|O', 'fortran_order': False, 'shape': (1,)", "pickle"),
            ("'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)", "pickle"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': (-1,)", "metadata-invalid"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)", "metadata-malformed"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)", "metadata-invalid"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': [1]", "metadata-invalid"),
            ("'descr': '<f4', 'fortran_order': 0, 'shape': (1,)", "metadata-invalid"),
            ("'descr': '<f5', 'fortran_order': False, 'shape': (1,)", "metadata-invalid"),
            ("'descr': 4, 'fortran_order': False, 'shape': (1,)", "metadata-invalid"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1", "metadata-invalid"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (2,)", "metadata-malformed"),
            ("'descr': __import__('os').system('touch /tmp/marker')", "metadata-malformed"),
            ("'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 99 + ")" * 99, "over-limit"),
            (f"'descr': '<f4', 'fortran_order': False, 'shape': ({'1,' * 65})", "over-limit"),
        ],
    )
    def test_a_header_that_lies_is_a_node(self, fields: str, reason: str, tmp_path: Path) -> None:
        found = nodes(tmp_path, Entry("a.npy", headed(f"{{{fields}}}\n", b"1234")), Entry("fine.npy", ONES))
        assert faults(found) == {"/a": reason}

    def test_names_that_lead_elsewhere_or_are_taken_twice_are_nodes(self, tmp_path: Path) -> None:
        names = ["../evil.npy", "/etc/evil.npy", "twice.npy", "twice.npy", "fine.npy", "x", "x.npy", "g.npy", "g/h.npy"]
        found = nodes(tmp_path, *(Entry(name, ONES) for name in names))
        assert faults(found) == {
            "/../evil": "metadata-invalid",
            "/\\empty/etc/evil": "metadata-invalid",
            "/twice": "metadata-conflict",
            "/x": "metadata-conflict",
            "/g": "metadata-conflict",
        }
        assert found["/g/h"]["kind"] == "array"

    def test_members_that_share_bytes_are_nodes(self, tmp_path: Path) -> None:
        found = nodes(tmp_path, Entry("a.npy", ONES), Entry("b.npy", ONES, offset=10), Entry("c.npy", ONES))
        assert faults(found) == {"/a": "damaged", "/b": "damaged"}
        found = nodes(tmp_path, Entry("a.npy", ONES), Entry("b.npy", ONES, packed=10**6, size=10**6))
        assert faults(found) == {"/b": "damaged"}
        assert "shares its bytes" in found["/b"]["detail"]

    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            (b"{", {"/": "metadata-malformed"}),
            (b'{"nodes": {"/a": {"kind": "array"}, "/a": {"kind": "array"}}}', {"/": "metadata-malformed"}),
            (b'{"nodes": []}', {"/": "metadata-invalid"}),
            (b'{"nodes": {}, "more": 1}', {"/": "unsupported"}),
            (told({"a": {"kind": "array"}}), {"/": "metadata-invalid"}),
            (told({"/../a": {"kind": "array"}}), {"/": "metadata-invalid"}),
            (told({"/a": {"kind": "table"}}), {"/a": "metadata-invalid"}),
            (told({"/a": {"kind": "array", "axes": "xy"}}), {"/a": "metadata-invalid"}),
            (told({"/a": {"kind": "array", "attributes": 1}}), {"/a": "metadata-invalid"}),
            (told({"/a": {"kind": "array", "more": 1}}), {"/a": "unsupported"}),
            (told({"/a": {"kind": "group"}}), {"/a": "metadata-conflict"}),
            (told({"/lost": {"kind": "array"}}), {"/lost": "metadata-conflict"}),
            (told({"/lost/inner": {"kind": "array"}}), {"/lost/inner": "metadata-conflict"}),
            (told({"/": {"kind": "array"}}), {"/": "metadata-conflict"}),
            (b'{"nodes": ' + b"[" * 99, {"/": "metadata-malformed"}),
        ],
    )
    def test_a_document_that_is_wrong_is_a_node(
        self, document: bytes, expected: dict[str, str], tmp_path: Path
    ) -> None:
        found = nodes(tmp_path, Entry("a.npy", ONES), Entry("vizschema.json", document))
        assert faults(found) == expected

    def test_a_document_past_the_limit_is_not_read(self, tmp_path: Path) -> None:
        entries = [
            Entry("a.npy", ONES),
            Entry("vizschema.json", told({"/a": {"kind": "array", "attributes": {"k": "x" * 200}}})),
        ]
        assert faults(nodes(tmp_path, *entries, limits=Limits(consolidated_bytes=200))) == {"/": "over-limit"}

    def test_a_document_that_is_damaged_is_the_root(self, tmp_path: Path) -> None:
        document = told({"/a": {"kind": "array"}})
        for entry in (Entry("vizschema.json", document, crc=1), Entry("vizschema.json", document, 8, packed=20)):
            assert faults(nodes(tmp_path, Entry("a.npy", ONES), entry)) == {"/": "damaged"}


class TestNoArchive:
    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (zipped([]), "an empty zip file"),
            (zipped([Entry("notes.txt", b"x")]), "it holds notes.txt"),
            (zipped([Entry("a.npy", ONES)])[:-30], "no directory at its end"),
            (zipped([Entry("a.npy", ONES)], count=2), "lists another number"),
            (zipped([Entry("a.npy", ONES), Entry("b.npy", ONES)], count=1), "lists another number"),
            (zipped([Entry("a.npy", ONES)], shift=3), "not where its end says"),
            (zipped([Entry("a.npy", ONES)]).replace(b"PK\x01\x02", b"PK\x01\x09"), "truncated"),
        ],
    )
    def test_a_zip_without_a_sound_directory_or_without_arrays_is_none(
        self, raw: bytes, words: str, tmp_path: Path
    ) -> None:
        (tmp_path / "a.npz").write_bytes(raw)
        with pytest.raises(NotAnArchive, match=words):
            describe(tmp_path / "a.npz")

    def test_limits_on_the_directory_are_kept(self, tmp_path: Path) -> None:
        with pytest.raises(NotAnArchive, match="2 members, more than 1"):
            nodes(tmp_path, Entry("a.npy", ONES), Entry("b.npy", ONES), limits=Limits(members=1))
        with pytest.raises(NotAnArchive, match="directory of the zip file has"):
            nodes(tmp_path, Entry("a.npy", ONES), limits=Limits(consolidated_bytes=9))

    def test_a_comment_that_holds_an_end_of_its_own_is_not_taken_for_it(self, tmp_path: Path) -> None:
        assert "/a" in nodes(tmp_path, Entry("a.npy", ONES), comment=b"PK\x05\x06 and more" + bytes(30))


class TestLiteral:
    @pytest.mark.parametrize(
        "text", ["(1, 2)", "(1,)", "()", "[]", "{}", "{'a': True, \"b\": None}", "['x', ('y', [3])]", "(3)", "12345"]
    )
    def test_it_reads_what_python_reads(self, text: str) -> None:
        assert literal(text) == eval(text)  # noqa: S307

    def test_it_reads_the_long_integers_of_python_2(self) -> None:
        assert literal("(3L, 4L)", long=True) == (3, 4)
        with pytest.raises(Unreadable):
            literal("(3L, 4L)")

    @pytest.mark.parametrize(
        "text", ["", "(1 2)", "(1,,)", "{1: 2}", "{'a' 1}", "(1", "'a\\n'", "1 2", "f()", "1+1", "{'a': 1 'b': 2}", "]"]
    )
    def test_it_refuses_the_rest(self, text: str) -> None:
        with pytest.raises(Unreadable):
            literal(text)


class TestValues:
    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize(
        "array",
        [
            np.arange(24, dtype=">i4").reshape(2, 3, 4),
            np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
            np.float64(3.5),
            np.zeros((3, 0), np.float32),
            np.array([True, False]),
            np.arange(3 * 1024 * 1024, dtype=np.float32).reshape(3, 1024, 1024),
            np.asfortranarray(np.arange(3 * 1024 * 1024, dtype=">u2").reshape(1024, 3, 1024)),
            np.arange(5 * 1024 * 1024 // 2, dtype=np.uint32),
            np.ones(2, np.complex64),
            np.zeros((4 << 20) - 128, np.uint8),
        ],
    )
    def test_values_come_back_in_blocks(self, array: Any, compressed: bool, tmp_path: Path) -> None:
        (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", a=array)
        read = values(tmp_path / "a.npz", "/a")
        assert read.dtype == np.asarray(array).dtype.newbyteorder("=")
        assert np.array_equal(read, array)

    def test_bfloat16_is_its_bits(self, tmp_path: Path) -> None:
        array = np.array([1.5, -2], ml_dtypes.bfloat16)
        document = told({"/a": {"kind": "array", "axes": ["x"], "attributes": {"stored_dtype": "bfloat16"}}})
        nodes(tmp_path, Entry("a.npy", npy(array.view(np.uint16))), Entry("vizschema.json", document))
        read = values(tmp_path / "a.npz", "/a")
        assert read.dtype == ml_dtypes.bfloat16
        assert np.array_equal(read, array)

    def test_large_raw_members_are_independent_ranges_and_packed_ones_one_stream(self, tmp_path: Path) -> None:
        array = np.zeros((9, 1 << 20), np.float32)
        for save, pieces in ((np.savez, 9), (np.savez_compressed, 1)):
            save(tmp_path / "a.npz", a=array)
            read = open_container(str(tmp_path / "a.npz")).values("/a")
            assert isinstance(read, FlatValues)
            found = list(read.pieces())
            assert len(found) == pieces
            assert read.extent(found[-1]) == (((8, 0), (1, 1 << 20)) if pieces > 1 else ((0, 0), array.shape))
            blocks = [block for piece in reversed(found) for block in read.read(piece)]
            assert len(blocks) == 9
            assert sum(block.stored_bytes for block in blocks if not isinstance(block, ChunkDamaged)) > 0

    @pytest.mark.parametrize(
        ("method", "changes", "reason"),
        [
            (0, {"crc": 1}, "checksum"),
            (8, {"crc": 1}, "checksum"),
            (8, {"packed": 900}, "truncated"),
        ],
    )
    def test_damage_is_a_value(self, method: int, changes: dict[str, int], reason: str, tmp_path: Path) -> None:
        data = npy(np.arange(999, dtype=np.int16))
        raw = zipped([Entry("a.npy", data, method, **changes), Entry("b.npy", ONES)])
        (tmp_path / "a.npz").write_bytes(raw)
        damage = values(tmp_path / "a.npz", "/a")
        assert isinstance(damage, ChunkDamaged)
        assert (damage.key, damage.reason) == ("a.npy", reason)
        assert np.array_equal(values(tmp_path / "a.npz", "/b"), np.ones((2, 3)))

    def test_a_stream_longer_or_shorter_than_declared_is_damage(self, tmp_path: Path) -> None:
        data = npy(np.arange(999, dtype=np.int16))
        for real in (data + b"more", data[:-100]):
            entry = Entry("a.npy", real, 8, size=len(data), crc=zlib.crc32(data))
            (tmp_path / "a.npz").write_bytes(zipped([entry]))
            damage = values(tmp_path / "a.npz", "/a")
            assert isinstance(damage, ChunkDamaged)
            assert damage.reason == "wrong-length"

    def test_a_flipped_byte_is_damage(self, tmp_path: Path) -> None:
        raw = bytearray(zipped([Entry("a.npy", npy(np.random.default_rng(0).normal(size=4000)), 8)]))
        raw[9000] ^= 0x40
        (tmp_path / "a.npz").write_bytes(raw)
        damage = values(tmp_path / "a.npz", "/a")
        assert isinstance(damage, ChunkDamaged)
        assert damage.reason in ("undecodable", "checksum", "truncated", "wrong-length")


def test_checksums_of_parts_make_that_of_the_whole() -> None:
    parts = [np.random.default_rng(seed).bytes(length) for seed, length in enumerate((0, 1, 77, 4096, 0, 100_000))]
    total = 0
    for part in parts:
        total = crc32_combine(total, zlib.crc32(part), len(part))
    assert total == zlib.crc32(b"".join(parts))


def test_the_real_archive_in_npz_has_flat_names_and_no_axes(real: Path) -> None:
    found = describe(real / "writers" / "benchmark.npz")["nodes"]
    assert {"/coords", "/conf", "/attn_0", "/act_0_single"} <= set(found)
    assert all(node["axes"] is None for node in found.values() if node["kind"] == "array")
    assert not faults(found)


def test_a_description_is_json(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(2))
    assert json.loads(json.dumps(describe(tmp_path / "a.npz"), allow_nan=False))


def test_a_file_of_2_to_4_gib_as_python_writes_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2 GiB on, zipfile writes a zip64 record after the directory, and what fits into 32 bits as it is."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 300)
    np.savez(tmp_path / "a.npz", x=np.arange(100.0), y=np.arange(3))
    raw = (tmp_path / "a.npz").read_bytes()
    assert b"PK\x06\x06" in raw
    end = raw.rindex(b"PK\x05\x06")
    assert b"\xff\xff\xff\xff" not in raw[end:]
    report = vizschema.validate(tmp_path / "a.npz")
    assert report.error is None
    assert report.coverage is not None
    assert report.coverage["bytes_read"] == report.coverage["bytes"] == 824
    cut = raw[: end - 20] + raw[end:]  # without the locator of that record
    (tmp_path / "b.npz").write_bytes(cut)
    error = vizschema.validate(tmp_path / "b.npz").error
    assert "the directory of the zip file is not where its end says" in str(error)
