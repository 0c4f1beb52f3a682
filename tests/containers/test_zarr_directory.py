"""Zarr in a directory: what zarr-python writes is described, and every damage is a node at the place where it is."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from vizschema.containers.base import Limits
from vizschema.containers.zarr.directory import open_zarr_directory
from vizschema.errors import NotAnArchive

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part"),
    pytest.mark.filterwarnings("ignore:.*does not have a Zarr V3 specification"),
]

GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {}}
ARRAY: Mapping[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "int32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {},
}
ZARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [4],
    "dtype": "<i4",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}
ZGROUP = {"zarr_format": 2}


def described(path: Path, **limits: int) -> dict[str, dict[str, Any]]:
    """Every node by its path."""
    container = open_zarr_directory(str(path), Limits(**limits))
    try:
        nodes = list(container.nodes())
    finally:
        container.close()
    assert nodes[0][0] == "/"
    assert len(dict(nodes)) == len(nodes)
    return dict(nodes)


NOBODY = 65534


def as_nobody(path: Path) -> dict[str, dict[str, Any]]:
    """Every node by its path, as somebody reads them who is not root, and owns the archive."""
    container = open_zarr_directory(str(path))
    root = os.geteuid() == 0
    if root:
        for place in (path, *path.rglob("*")):
            os.chown(place, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        return dict(container.nodes())
    finally:
        if root:
            os.seteuid(0)
        container.close()


def identity(path: Path) -> dict[str, Any]:
    container = open_zarr_directory(str(path))
    try:
        return container.identity()
    finally:
        container.close()


def reasons(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The reason of every node that is no group and no array."""
    return {path: node["reason"] for path, node in nodes.items() if "reason" in node}


def put(folder: Path, name: str, document: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())


@pytest.fixture
def v3(tmp_path: Path) -> Path:
    """`/`, `/outer` and the array `/outer/data`, with one chunk."""
    put(tmp_path / "a.zarr", "zarr.json", {**GROUP, "attributes": {"a": 1}})
    put(tmp_path / "a.zarr/outer", "zarr.json", GROUP)
    put(tmp_path / "a.zarr/outer/data", "zarr.json", ARRAY)
    put(tmp_path / "a.zarr/outer/data/c", "0", bytes(16))
    return tmp_path / "a.zarr"


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """The same in version 2."""
    put(tmp_path / "b.zarr", ".zgroup", ZGROUP)
    put(tmp_path / "b.zarr", ".zattrs", {"a": 1})
    put(tmp_path / "b.zarr/outer", ".zgroup", ZGROUP)
    put(tmp_path / "b.zarr/outer/data", ".zarray", ZARRAY)
    put(tmp_path / "b.zarr/outer/data", "0", bytes(16))
    return tmp_path / "b.zarr"


@pytest.fixture(params=[2, 3])
def archive(request: pytest.FixtureRequest) -> Path:
    """Either of the two."""
    path: Path = request.getfixturevalue(f"v{request.param}")
    return path


def consolidate(path: Path) -> None:
    zarr.consolidate_metadata(str(path))


class TestWhatZarrPythonWrites:
    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("consolidated", [False, True])
    def test_groups_arrays_and_attributes_are_described(
        self, tmp_path: Path, zarr_format: Any, consolidated: bool
    ) -> None:
        root = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=zarr_format, attributes={"a": [1, 2]})
        array = root.create_array("deep/er/data", shape=(4, 6), chunks=(1, 3), dtype="f4")
        array[:] = 1
        array.attrs["unit"] = "Å"
        if consolidated:
            consolidate(tmp_path / "x.zarr")
        nodes = described(tmp_path / "x.zarr")
        assert sorted(nodes) == ["/", "/deep", "/deep/er", "/deep/er/data"]
        assert reasons(nodes) == {}
        assert nodes["/"]["attributes"] == {"a": [1, 2]}
        found = nodes["/deep/er/data"]
        assert (found["dtype"], found["shape"], found["storage"]["chunks"]) == ("float32", [4, 6], [1, 3])
        assert found["attributes"] == {"unit": "Å"}
        assert identity(tmp_path / "x.zarr") == {
            "format": "zarr",
            "version": zarr_format,
            "store": "directory",
            "consolidated": consolidated,
        }

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("separator", ["/", "."])
    def test_chunks_are_no_nodes_whatever_separates_their_keys(
        self, tmp_path: Path, zarr_format: Any, separator: Any
    ) -> None:
        root = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=zarr_format)
        name = "v2" if zarr_format == 2 else "default"
        encoding = {"name": name, "separator": separator}
        root.create_array("data", shape=(4, 6), chunks=(1, 3), dtype="f4", chunk_key_encoding=encoding)[:] = 1
        assert sorted(described(tmp_path / "x.zarr")) == ["/", "/data"]

    def test_shards_have_their_inner_chunks(self, tmp_path: Path) -> None:
        root = zarr.open_group(tmp_path / "x.zarr", mode="w")
        root.create_array("data", shape=(4, 6), chunks=(1, 3), shards=(2, 6), dtype="f4", dimension_names=["a", "b"])
        storage = described(tmp_path / "x.zarr")["/data"]["storage"]
        assert storage["chunk_of"] == {"a": 1, "b": 3}
        assert storage["shards"] == {"shape": [2, 6], "bytes": 48, "count": 2}
        assert storage["codecs"][0] == "sharding_indexed"

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "complex128", ">f8", "M8[ns]", "U3", "S3"])
    def test_dtypes_are_those_of_numpy_by_one_name(self, tmp_path: Path, zarr_format: Any, dtype: str) -> None:
        zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=zarr_format).create_array(
            "data", shape=(4,), dtype=dtype
        )
        node = described(tmp_path / "x.zarr")["/data"]
        kind = np.dtype(dtype)
        names = {"M": "datetime", "U": "string", "S": "bytes"}
        assert node["dtype"] == names.get(kind.kind, kind.name)
        assert node["bytes"] == 4 * kind.itemsize

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_an_array_may_be_the_root(self, tmp_path: Path, zarr_format: Any) -> None:
        zarr.create_array(tmp_path / "x.zarr", shape=(4,), dtype="i2", zarr_format=zarr_format)[:] = 1
        assert described(tmp_path / "x.zarr")["/"]["dtype"] == "int16"

    def test_a_link_that_the_user_names_as_the_root_is_followed(self, v3: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(v3)
        assert described(tmp_path / "link") == described(v3)

    def test_names_of_hidden_folders_and_of_numbers_are_names_of_nodes(self, v3: Path) -> None:
        put(v3 / ".hidden", "zarr.json", GROUP)
        put(v3 / "0", "zarr.json", GROUP)
        put(v3 / "c/0", "zarr.json", ARRAY)
        put(v3 / "c", "zarr.json", GROUP)
        nodes = described(v3)
        assert reasons(nodes) == {}
        assert {"/.hidden", "/0", "/c", "/c/0"} <= nodes.keys()


class TestDocuments:
    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (b"", "metadata-malformed"),
            (b"{]", "metadata-malformed"),
            (b'\xef\xbb\xbf{"zarr_format": 3}', "metadata-malformed"),
            (b'{"zarr_format": 3, "zarr_format": 3}', "metadata-malformed"),
            (b'{"zarr_format": 3}', "metadata-invalid"),
            (b'{"zarr_format": 3, "node_type": "group", "new": 1}', "unsupported"),
            (b"[" * 5000, "over-limit"),
        ],
    )
    def test_a_document_that_is_damaged_leaves_the_nodes_below(self, v3: Path, raw: bytes, reason: str) -> None:
        put(v3 / "outer", "zarr.json", raw)
        nodes = described(v3)
        assert reasons(nodes) == {"/outer": reason}
        assert nodes["/outer/data"]["kind"] == "array"

    def test_an_array_whose_document_is_damaged_has_no_nodes_for_its_chunks(self, archive: Path) -> None:
        for name in ("zarr.json", ".zarray"):
            if (archive / "outer/data" / name).exists():
                put(archive / "outer/data", name, b"{")
        assert reasons(described(archive)) == {"/outer/data": "metadata-malformed"}

    @pytest.mark.parametrize("name", [".zarray", ".zattrs"])
    def test_both_documents_of_a_version_2_array_count(self, v2: Path, name: str) -> None:
        put(v2 / "outer/data", name, b"[]")
        assert reasons(described(v2)) == {"/outer/data": "metadata-malformed"}

    @pytest.mark.parametrize("name", [".zgroup", ".zattrs"])
    def test_both_documents_of_a_version_2_group_count(self, v2: Path, name: str) -> None:
        put(v2 / "outer", name, b"\xff")
        assert reasons(described(v2)) == {"/outer": "metadata-malformed"}

    def test_a_document_past_the_limit_is_not_read(self, v3: Path) -> None:
        put(v3 / "outer/data", "zarr.json", {**ARRAY, "attributes": {"a": "x" * 2000}})
        nodes = described(v3, document_bytes=1000, consolidated_bytes=1000)
        assert reasons(nodes) == {"/outer/data": "over-limit"}
        assert "more than 1000" in nodes["/outer/data"]["detail"]

    def test_the_limit_of_consolidated_metadata_counts_at_the_root_alone(self, v3: Path) -> None:
        put(v3, "zarr.json", {**GROUP, "attributes": {"a": "x" * 2000}})
        assert reasons(described(v3, document_bytes=1000, consolidated_bytes=9000)) == {}

    @pytest.mark.parametrize(
        ("place", "name"),
        [("outer", ".zgroup"), ("outer", ".zarray"), ("outer/data", ".zarray"), ("outer/data", ".zgroup")],
    )
    def test_version_2_beside_version_3_is_a_conflict(self, v3: Path, place: str, name: str) -> None:
        put(v3 / place, name, ZGROUP if name == ".zgroup" else ZARRAY)
        nodes = described(v3)
        assert reasons(nodes) == {f"/{place}": "metadata-conflict"}
        assert nodes[f"/{place}"]["detail"] == f"zarr.json stands beside {name}: two accounts of one node"

    def test_version_3_beside_version_2_is_a_conflict(self, v2: Path) -> None:
        put(v2 / "outer", "zarr.json", GROUP)
        put(v2 / "outer/data", "zarr.json", ARRAY)
        assert reasons(described(v2)) == dict.fromkeys(["/outer", "/outer/data"], "metadata-conflict")

    def test_an_array_beside_a_group_is_a_conflict(self, v2: Path) -> None:
        put(v2 / "outer/data", ".zgroup", ZGROUP)
        assert reasons(described(v2)) == {"/outer/data": "metadata-conflict"}

    def test_the_root_can_be_in_conflict_too(self, v3: Path) -> None:
        put(v3, ".zgroup", ZGROUP)
        nodes = described(v3)
        assert reasons(nodes) == {"/": "metadata-conflict"}
        assert "/outer/data" in nodes

    def test_a_node_of_another_version_is_a_conflict_with_its_archive(self, v3: Path) -> None:
        put(v3 / "old", ".zgroup", ZGROUP)
        assert reasons(described(v3)) == {"/old": "metadata-conflict"}

    def test_attributes_alone_make_no_node(self, v2: Path) -> None:
        put(v2 / "outer/lost", ".zattrs", {"a": 1})
        assert reasons(described(v2)) == {"/outer/lost": "metadata-missing"}

    def test_a_folder_in_the_place_of_a_document_is_invalid(self, v3: Path) -> None:
        (v3 / "outer/odd/zarr.json").mkdir(parents=True)
        assert reasons(described(v3)) == {"/outer/odd": "metadata-invalid"}


class TestMissingMetadata:
    def test_every_folder_of_an_archive_without_metadata_says_what_is_missing(self, v3: Path) -> None:
        for document in v3.rglob("zarr.json"):
            document.unlink()
        nodes = described(v3)
        assert reasons(nodes) == dict.fromkeys(["/", "/outer", "/outer/data"], "metadata-missing")
        for node in nodes.values():
            assert "zarr.json is missing" in node["detail"]
            assert ".gitignore with *.json" in node["detail"]
        assert "c/0" in nodes["/outer/data"]["detail"]
        assert identity(v3)["version"] == 3

    def test_of_version_2_too(self, v2: Path) -> None:
        for document in v2.rglob(".z*"):
            document.unlink()
        nodes = described(v2)
        assert reasons(nodes) == dict.fromkeys(["/", "/outer", "/outer/data"], "metadata-missing")
        assert "hidden files" in nodes["/outer/data"]["detail"]
        assert identity(v2)["version"] == 2

    @pytest.mark.parametrize("key", ["c/0/0", "c.0.0", "0.0", "0/0", "c"])
    def test_an_array_without_metadata_is_known_by_its_chunks(self, v3: Path, key: str) -> None:
        put((v3 / "outer/lost" / key).parent, key.rpartition("/")[2], b"")
        nodes = described(v3)
        assert reasons(nodes) == {"/outer/lost": "metadata-missing"}
        assert f"chunks ({key})" in nodes["/outer/lost"]["detail"]

    def test_a_group_without_metadata_is_known_by_the_nodes_below(self, archive: Path) -> None:
        for name in ("zarr.json", ".zgroup"):
            (archive / "outer" / name).unlink(missing_ok=True)
        nodes = described(archive)
        assert reasons(nodes) == {"/outer": "metadata-missing"}
        assert nodes["/outer/data"]["kind"] == "array"
        assert ".gitignore" not in nodes["/outer"]["detail"]

    def test_a_root_without_metadata_is_known_by_the_groups_below(self, archive: Path) -> None:
        for name in ("zarr.json", ".zgroup", ".zattrs"):
            (archive / name).unlink(missing_ok=True)
        assert reasons(described(archive)) == {"/": "metadata-missing"}

    def test_groups_that_are_called_by_numbers_are_not_chunks(self, v3: Path) -> None:
        put(v3 / "outer/lost/0/x/c", "0", b"")
        put(v3 / "outer/lost/1", "zarr.json", ARRAY)
        paths = ["/outer/lost", "/outer/lost/0", "/outer/lost/0/x"]
        assert reasons(described(v3)) == dict.fromkeys(paths, "metadata-missing")

    def test_files_beside_the_chunks_are_stray(self, v3: Path) -> None:
        put(v3 / "outer/lost/c", "0", b"")
        put(v3 / "outer/lost", "notes.txt", b"")
        found = reasons(described(v3))
        assert found == {"/outer/lost": "metadata-missing", "/outer/lost/notes.txt": "stray-file"}


class TestStrayFilesAndLinks:
    def test_a_file_that_is_not_zarrs_is_stray(self, archive: Path) -> None:
        put(archive, ".DS_Store", b"")
        put(archive / "outer", "README.md", b"")
        assert reasons(described(archive)) == {"/.DS_Store": "stray-file", "/outer/README.md": "stray-file"}

    def test_a_folder_with_nothing_of_zarr_is_one_stray_node(self, archive: Path) -> None:
        put(archive / "plots/deep", "a.png", b"")
        put(archive / "plots", "b.png", b"")
        (archive / "empty").mkdir()
        assert reasons(described(archive)) == {"/plots": "stray-file", "/empty": "stray-file"}

    def test_links_are_named_and_never_followed(self, archive: Path, tmp_path: Path) -> None:
        put(tmp_path / "secret", "zarr.json", {**GROUP, "attributes": {"password": "x"}})
        (archive / "absolute").symlink_to(tmp_path / "secret")
        (archive / "relative").symlink_to("../secret")
        (archive / "up").symlink_to("..")
        (archive / "outer/loop").symlink_to("..")
        (archive / "outer/twin").symlink_to(archive / "outer/data")
        (archive / "dangling").symlink_to("nowhere")
        nodes = described(archive)
        assert reasons(nodes) == {
            "/absolute": "external-link",
            "/relative": "external-link",
            "/up": "external-link",
            "/outer/loop": "internal-link",
            "/outer/twin": "internal-link",
            "/dangling": "internal-link",
        }
        assert "secret" not in json.dumps(nodes)

    def test_a_document_that_is_a_link_is_not_read(self, v3: Path, tmp_path: Path) -> None:
        put(tmp_path, "elsewhere.json", {**ARRAY, "attributes": {"password": "x"}})
        (v3 / "outer/data/zarr.json").unlink()
        (v3 / "outer/data/zarr.json").symlink_to(tmp_path / "elsewhere.json")
        nodes = described(v3)
        assert reasons(nodes) == {"/outer/data": "external-link"}
        assert "password" not in json.dumps(nodes)

    def test_fifos_and_sockets_are_named_and_never_opened(self, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.mkfifo(archive / "fifo")
        monkeypatch.chdir(archive)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
            assert reasons(described(archive)) == {"/fifo": "special-file", "/socket": "special-file"}

    @pytest.mark.parametrize("place", ["outer", "outer/data"])
    def test_a_document_that_is_a_fifo_does_not_block(self, v3: Path, place: str) -> None:
        (v3 / place / "zarr.json").unlink()
        os.mkfifo(v3 / place / "zarr.json")
        assert reasons(described(v3)) == {f"/{place}": "special-file"}

    def test_names_with_hostile_characters_are_escaped_and_marked(self, v3: Path) -> None:
        put(v3 / "a\x1b[31m", "zarr.json", GROUP)
        put(v3 / "a\x1b[31m/b\\c", "zarr.json", ARRAY)
        put(v3 / "a\x1b[31m/plain", "zarr.json", ARRAY)
        os.mkdir(os.fsencode(v3) + b"/\xff")  # noqa: PTH102
        nodes = described(v3)
        assert nodes["/a\\u001b[31m"]["escaped"] == ["name"]
        assert nodes["/a\\u001b[31m/b\\\\c"]["escaped"] == ["name"]
        assert "escaped" not in nodes["/a\\u001b[31m/plain"]
        assert nodes["/\\udcff"]["escaped"] == ["name"]

    def test_what_may_not_be_read_is_damaged_with_the_words_of_the_system(self, v3: Path) -> None:
        put(v3 / "shut", "zarr.json", GROUP)
        (v3 / "shut").chmod(0)
        (v3 / "outer/data/zarr.json").chmod(0)
        try:
            nodes = as_nobody(v3)
        finally:
            (v3 / "shut").chmod(0o700)
        assert reasons(nodes) == {"/shut": "damaged", "/outer/data": "damaged"}
        assert "Permission denied" in nodes["/shut"]["detail"]

    def test_what_the_system_refuses_is_damaged_with_its_words(self, v3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        really = os.open

        def refuse(path: Any, *arguments: Any, **keywords: Any) -> int:
            if path == "outer":
                raise PermissionError(13, "Permission denied")
            return really(path, *arguments, **keywords)

        monkeypatch.setattr(os, "open", refuse)
        nodes = described(v3)
        assert reasons(nodes) == {"/outer": "damaged"}
        assert nodes["/outer"]["detail"] == "outer: Permission denied"


class TestConsolidatedMetadata:
    @pytest.fixture
    def consolidated(self, archive: Path) -> Path:
        consolidate(archive)
        return archive

    def change(self, archive: Path, place: str, change: Mapping[str, Any]) -> None:
        for name in ("zarr.json", ".zarray"):
            path = archive / place / name
            if path.exists():
                put(archive / place, name, {**json.loads(path.read_bytes()), **change})

    def test_a_copy_that_agrees_is_no_finding(self, consolidated: Path) -> None:
        assert reasons(described(consolidated)) == {}
        assert identity(consolidated)["consolidated"] is True

    def test_a_copy_of_other_key_order_or_number_format_agrees(self, v3: Path) -> None:
        consolidate(v3)
        document = json.loads((v3 / "outer/data/zarr.json").read_bytes())
        put(v3 / "outer/data", "zarr.json", {**dict(reversed(document.items())), "fill_value": 0.0})
        assert reasons(described(v3)) == {}

    def test_a_copy_that_disagrees_is_a_conflict_that_says_in_what(self, consolidated: Path) -> None:
        self.change(consolidated, "outer/data", {"shape": [5]})
        nodes = described(consolidated)
        assert reasons(nodes) == {"/outer/data": "metadata-conflict"}
        assert "is [5], and [4] in the consolidated copy" in nodes["/outer/data"]["detail"]

    @pytest.mark.parametrize(
        "change",
        [
            {"fill_value": 1},
            {"codecs": [*ARRAY["codecs"], {"name": "zstd", "configuration": {"level": 1}}]},
            {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]},
            {"chunk_key_encoding": {"name": "v2"}},
            {"dimension_names": ["a"]},
            {"attributes": {"a": {}}},
            {"note": {"must_understand": False}},
        ],
    )
    def test_every_setting_counts(self, v3: Path, change: Mapping[str, Any]) -> None:
        consolidate(v3)
        self.change(v3, "outer/data", change)
        assert reasons(described(v3)) == {"/outer/data": "metadata-conflict"}

    def test_a_setting_that_only_one_spells_out_does_not(self, v3: Path) -> None:
        consolidate(v3)
        self.change(v3, "outer/data", {"chunk_key_encoding": {"name": "default"}, "dimension_names": None})
        assert reasons(described(v3)) == {}

    def test_true_is_not_1(self, v3: Path) -> None:
        self.change(v3, "outer/data", {"attributes": {"a": True}})
        consolidate(v3)
        self.change(v3, "outer/data", {"attributes": {"a": 1}})
        assert reasons(described(v3)) == {"/outer/data": "metadata-conflict"}

    def test_attributes_count(self, v2: Path) -> None:
        consolidate(v2)
        put(v2 / "outer", ".zattrs", {"a": 1})
        put(v2, ".zattrs", {"a": 2})
        assert reasons(described(v2)) == {"/": "metadata-conflict", "/outer": "metadata-conflict"}

    def test_a_node_that_the_copy_does_not_list_is_a_conflict(self, consolidated: Path) -> None:
        name, document = ("zarr.json", GROUP) if (consolidated / "zarr.json").exists() else (".zgroup", ZGROUP)
        put(consolidated / "new", name, document)
        nodes = described(consolidated)
        assert reasons(nodes) == {"/new": "metadata-conflict"}
        assert "does not list" in nodes["/new"]["detail"]

    def test_nodes_that_only_the_copy_knows_are_one_conflict(self, consolidated: Path) -> None:
        for folder, _, files in os.walk(consolidated / "outer", topdown=False):
            for name in files:
                Path(folder, name).unlink()
            Path(folder).rmdir()
        nodes = described(consolidated)
        assert reasons(nodes) == {"/outer": "metadata-conflict"}
        assert "1 below it" in nodes["/outer"]["detail"]

    def test_a_folder_that_only_the_copy_describes_is_a_conflict(self, consolidated: Path) -> None:
        for name in ("zarr.json", ".zarray"):
            (consolidated / "outer/data" / name).unlink(missing_ok=True)
        assert reasons(described(consolidated)) == {"/outer/data": "metadata-conflict"}

    def test_a_group_below_may_hold_a_copy_of_its_own(self, archive: Path) -> None:
        consolidate(archive / "outer")
        assert reasons(described(archive)) == {}
        assert identity(archive)["consolidated"] is False
        self.change(archive, "outer/data", {"shape": [5]})
        assert reasons(described(archive)) == {"/outer/data": "metadata-conflict"}

    @pytest.mark.parametrize("key", ["../x", "/x", "a//b", "a/./b", ""])
    def test_a_copy_of_what_is_no_path_is_invalid(self, v3: Path, key: str) -> None:
        copy = {"kind": "inline", "must_understand": False, "metadata": {key: GROUP}}
        put(v3, "zarr.json", {**GROUP, "consolidated_metadata": copy})
        assert reasons(described(v3)) == {"/": "metadata-invalid"}

    @pytest.mark.parametrize(
        "copy",
        [1, {}, {"metadata": []}, {"metadata": {"a": 1}, "kind": "inline"}],
    )
    def test_a_copy_that_holds_no_documents_is_invalid(self, v3: Path, copy: Any) -> None:
        put(v3, "zarr.json", {**GROUP, "consolidated_metadata": copy})
        assert reasons(described(v3)) == {"/": "metadata-invalid"}

    @pytest.mark.parametrize(
        "copy",
        [
            {"metadata": {}},
            {"zarr_consolidated_format": 1},
            {"zarr_consolidated_format": 1, "metadata": {"outer/zarr.json": GROUP}},
            {"zarr_consolidated_format": 1, "metadata": {"../outer/.zgroup": ZGROUP}},
        ],
    )
    def test_a_zmetadata_that_holds_no_documents_is_invalid(self, v2: Path, copy: Any) -> None:
        put(v2, ".zmetadata", copy)
        assert reasons(described(v2)) == {"/": "metadata-invalid"}

    def test_a_pickle_in_the_copy_alone_is_not_passed_over(self, v2: Path) -> None:
        consolidate(v2)
        copy = json.loads((v2 / ".zmetadata").read_bytes())
        copy["metadata"]["outer/data/.zarray"]["filters"] = [{"id": "pickle"}]
        put(v2, ".zmetadata", copy)
        assert reasons(described(v2)) == {"/outer/data": "metadata-conflict"}


class TestLimits:
    def test_past_the_limit_on_nodes_there_is_one_node_that_says_so(self, v3: Path) -> None:
        for number in range(10):
            put(v3 / f"outer/group_{number}", "zarr.json", GROUP)
        nodes = described(v3, nodes=12)
        assert len(nodes) == 13
        assert reasons(nodes) == {"/outer/group_9": "over-limit"}

    def test_files_count_as_nodes_too(self, v3: Path) -> None:
        for number in range(8):
            put(v3 / "outer", f"z_{number}", b"")
        assert list(reasons(described(v3, nodes=11)).values()) == ["stray-file"] * 8
        assert list(reasons(described(v3, nodes=10)).values()) == ["stray-file"] * 7 + ["over-limit"]

    def test_a_folder_with_more_members_than_nodes_may_be_is_over_limit(self, v3: Path) -> None:
        for number in range(10):
            put(v3 / "outer", f"file_{number}", b"")
        assert reasons(described(v3, nodes=8)) == {"/outer": "over-limit"}

    def test_past_the_limit_on_depth_nothing_is_entered(self, v3: Path) -> None:
        place = v3
        for _ in range(5):
            place = place / "x"
            put(place, "zarr.json", GROUP)
        nodes = described(v3, path_depth=3)
        assert reasons(nodes) == {"/x/x/x/x": "over-limit"}
        assert "/x/x/x/x/x" not in nodes


class TestNoArchive:
    def message(self, path: Path) -> str:
        with pytest.raises(NotAnArchive) as caught:
            open_zarr_directory(str(path))
        assert str(path) in str(caught.value)
        return str(caught.value)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert self.message(tmp_path).endswith("an empty folder")

    def test_a_folder_of_other_files(self, tmp_path: Path) -> None:
        for name in ("a.csv", "b.csv", "c.csv", "d.csv"):
            put(tmp_path, name, b"")
        assert self.message(tmp_path).endswith("without Zarr metadata; it holds a.csv, b.csv, c.csv, …")

    def test_a_folder_above_an_archive_names_it(self, v3: Path) -> None:
        assert self.message(v3.parent).endswith(f"did you mean {v3}?")
        put(v3.parent / "up/one/more", "readme.txt", b"")
        v3.rename(v3.parent / "up/one/x.zarr")
        assert self.message(v3.parent).endswith(f"did you mean {v3.parent / 'up/one/x.zarr'}?")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert self.message(tmp_path / "no").endswith("No such file or directory")


def open_handles() -> int:
    """How many file descriptors this process has, 0 where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.is_dir() else 0


def files(folder: Path) -> Iterator[tuple[str, int, bytes | None]]:
    for path in sorted(folder.rglob("*")):
        yield str(path), path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None


def test_the_archive_is_left_as_it_was_and_no_folder_stays_open(archive: Path) -> None:
    before, handles = list(files(archive)), open_handles()
    described(archive)
    container = open_zarr_directory(str(archive))
    next(container.nodes())
    container.close()
    assert list(files(archive)) == before
    assert open_handles() == handles


def test_values_of_many_arrays_hold_no_folder_open(archive: Path) -> None:
    container, handles = open_zarr_directory(str(archive)), open_handles()
    held = [container.values("/outer/data") for _ in range(50)]
    assert open_handles() == handles
    assert [next(values.read(next(values.pieces()))).values.tolist() for values in held] == [[0, 0, 0, 0]] * 50
    container.close()
