"""describe: a path is recognised by its content, and each real archive gives the description of what it holds."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import zarr

from vizschema import description
from vizschema.describing import describe
from vizschema.errors import NotAnArchive


def kinds(description: dict[str, Any]) -> dict[str, int]:
    """How many nodes there are of each kind, or reason."""
    counts: dict[str, int] = {}
    for node in description["nodes"].values():
        key = node.get("reason", node["kind"])
        counts[key] = counts.get(key, 0) + 1
    return counts


def arrays(description: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    return {
        path: (node["dtype"], node["shape"]) for path, node in description["nodes"].items() if node["kind"] == "array"
    }


class TestRealArchives:
    @pytest.mark.parametrize(
        ("name", "version", "expected"),
        [
            ("published/vit_mnist_trace.zarr", 2, {"group": 4, "array": 9}),
            ("published/metadata_only_run.zarr", 2, {"group": 8, "array": 8}),
            ("published/1ubq_metadata_lost.zarr", 3, {"metadata-missing": 13}),
            ("published/1ubq_metadata_restored.zarr", 3, {"group": 7, "array": 6}),
            ("writers/benchmark.zarr", 2, {"group": 7, "array": 11}),
            ("writers/mnist_cnn.zarr", 2, {"group": 4, "array": 4}),
            ("writers/vit.zarr", 2, {"group": 32, "array": 28}),
        ],
    )
    def test_every_node_is_there_once_and_nothing_is_made_up(
        self, real: Path, name: str, version: int, expected: dict[str, int]
    ) -> None:
        description = describe(real / name)
        assert kinds(description) == expected
        assert description["container"] == {
            "format": "zarr",
            "version": version,
            "store": "directory",
            "consolidated": False,
        }
        assert description["values"] == "not_read"
        assert list(description["nodes"]) == sorted(description["nodes"])
        assert json.loads(json.dumps(description)) == description

    def test_none_of_them_names_an_axis(self, real: Path) -> None:
        for path in (*(real / "published").glob("*.zarr"), *(real / "writers").glob("*.zarr")):
            description = describe(path)
            assert description["axes"] == {}
            for node in description["nodes"].values():
                assert not node.get("axes")

    def test_the_restored_archive_has_its_coordinates_in_half_precision(self, real: Path) -> None:
        assert arrays(describe(real / "published/1ubq_metadata_restored.zarr")) == {
            "/attention/triangle_start/layer_00": ("float32", [8, 76, 76]),
            "/representations/pair/layer_00": ("float16", [76, 76, 128]),
            "/representations/single/layer_00": ("float16", [76, 256]),
            "/structure/atom_mask": ("float16", [76, 37]),
            "/structure/atom_positions": ("float16", [76, 37, 3]),
            "/structure/ptm": ("float32", [1]),
        }

    def test_the_trained_vit_has_six_layers_of_one_digit(self, real: Path) -> None:
        description = describe(real / "published/vit_mnist_trace.zarr")
        series = description["series"]["/attention/layer"]
        assert (series["indices"], series["digits"], series["missing"]) == ([0, 1, 2, 3, 4, 5], [1], [])
        assert description["nodes"]["/attention/layer_0"]["storage"]["chunks"] == [1, 4, 50, 50]
        assert description["nodes"]["/metadata"]["attributes"]["depth"] == 6

    def test_metadata_in_arrays_of_text_are_arrays_of_text(self, real: Path) -> None:
        found = arrays(describe(real / "published/metadata_only_run.zarr"))
        assert found["/metadata/sequence"] == ("string", [])
        assert found["/metadata/representation_names"] == ("string", [48])

    def test_every_folder_that_lost_its_metadata_says_so(self, real: Path) -> None:
        for node in describe(real / "published/1ubq_metadata_lost.zarr")["nodes"].values():
            assert "zarr.json is missing" in node["detail"]
            assert "a .gitignore with *.json is a likely cause" in node["detail"]

    def test_hdf5_is_recognised(self, real: Path) -> None:
        assert describe(real / "writers/benchmark.h5")["container"]["format"] == "hdf5"


class TestForm:
    """The form of every description is that of `spec/description.schema.json`."""

    def schema(self) -> jsonschema.Draft202012Validator:
        path = Path(__file__).resolve().parents[2] / "spec" / "description.schema.json"
        return jsonschema.Draft202012Validator(json.loads(path.read_bytes()))

    def test_of_real_archives(self, real: Path) -> None:
        for path in (*(real / "published").glob("*.zarr"), *(real / "writers").glob("*.zarr")):
            self.schema().validate(describe(path))

    def test_of_every_kind_of_damage(self, tmp_path: Path) -> None:
        root = zarr.open_group(tmp_path / "a.zarr", mode="w")
        for name in ("missing", "malformed", "invalid", "conflict", "deep", "unsupported", "pickle", "fine", "e\x1b"):
            root.create_array(f"group/{name}", shape=(4, 6), shards=(4, 6), chunks=(2, 3), dtype="f4")[:] = 1
        folder = tmp_path / "a.zarr/group"
        fine = json.loads((folder / "fine/zarr.json").read_bytes())
        (folder / "missing/zarr.json").unlink()
        (folder / "malformed/zarr.json").write_bytes(b"{")
        (folder / "invalid/zarr.json").write_bytes(json.dumps({**fine, "shape": [-1]}).encode())
        (folder / "unsupported/zarr.json").write_bytes(json.dumps({**fine, "new": 1}).encode())
        (folder / "pickle/zarr.json").write_bytes(json.dumps({**fine, "codecs": ["pickle"]}).encode())
        (folder / "e\x1b/zarr.json").write_bytes(
            json.dumps(
                {**fine, "dimension_names": ["a\n", None], "attributes": {"": "\x1b", "b": [{"c": None}]}}
            ).encode()
        )
        (folder / "deep/zarr.json").write_bytes(b"[" * 2000)
        (folder / "conflict/.zgroup").write_bytes(b"{}")
        (folder / "stray").write_bytes(b"")
        (folder / "external").symlink_to(tmp_path)
        (folder / "internal").symlink_to("fine")
        os.mkfifo(folder / "special")
        description = describe(tmp_path / "a.zarr")
        assert kinds(description) == {
            "group": 2,
            "array": 2,
            "metadata-missing": 1,
            "metadata-malformed": 1,
            "metadata-invalid": 1,
            "metadata-conflict": 1,
            "over-limit": 1,
            "unsupported": 1,
            "pickle": 1,
            "external-link": 1,
            "internal-link": 1,
            "special-file": 1,
        }
        assert description["nodes"]["/group/e\\u001b"]["escaped"] == ["name", "attributes/\\empty", "axes"]
        assert description["nodes"]["/group"]["stray"] == ["stray"]
        self.schema().validate(description)


class TestNoArchive:
    def message(self, path: Path) -> str:
        with pytest.raises(NotAnArchive) as caught:
            describe(path)
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value).removeprefix(f"{path}: ")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "an empty file"),
            (b"residue,score\n1,0.5\n", "a text file, not an archive"),
            ("Å" * 4000, "a text file, not an archive"),
            (b"PK\x03\x04\x14", "the zip file has no directory at its end: it was cut, or never finished"),
            (b"#ASDF 1.0.0\n", "an ASDF file without a tree, which names no array"),
            (b"\x93NUMPY\x01\x00", "a single array (.npy), not an archive"),
            (b"CDF\x01\x00", "a netCDF classic file, not a Zarr or HDF5 archive"),
            (b"\x1f\x8b\x08", "a gzip file, not a Zarr or HDF5 archive; unpack it first"),
            (b"\x80\x04\x95", "a Python pickle, which is never read"),
            (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
            (bytes(5000), "a file of no format that is known here"),
            (b"\xff" * 100, "a file of no format that is known here"),
        ],
    )
    def test_a_file_is_recognised_by_its_content_whatever_its_name(
        self, tmp_path: Path, content: bytes | str, words: str
    ) -> None:
        path = tmp_path / "run.h5"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert self.message(path).startswith(words)

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        assert self.message(tmp_path / "no") == "no such file or folder"
        (tmp_path / "file").write_bytes(b"x")
        assert self.message(tmp_path / "file/below") == "no such file or folder"

    def test_a_fifo_is_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        assert self.message(tmp_path / "fifo") == "neither a file nor a folder"

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert self.message(tmp_path) == "an empty folder"

    def test_a_path_with_a_null_character(self) -> None:
        with pytest.raises(NotAnArchive, match="null"):
            describe("a\0b")

    def test_nothing_in_the_path_is_expanded_and_the_message_is_escaped(self) -> None:
        with pytest.raises(NotAnArchive, match=r"~/\\u001b\[31m: no such file"):
            describe("~/\x1b[31m")


class TestCall:
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Path:
        zarr.open_group(tmp_path / "a.zarr", mode="w").create_array("data", shape=(2,), dtype="f4")
        return tmp_path / "a.zarr"

    def test_a_path_may_be_text_or_a_path(self, archive: Path) -> None:
        assert describe(archive) == describe(str(archive))

    @pytest.mark.parametrize("enabled", [True, False])
    def test_the_garbage_collector_is_left_as_it_was(self, archive: Path, tmp_path: Path, enabled: bool) -> None:
        was = gc.isenabled()
        try:
            (gc.enable if enabled else gc.disable)()
            describe(archive)
            assert gc.isenabled() is enabled
            with pytest.raises(NotAnArchive):
                describe(tmp_path / "no")
            assert gc.isenabled() is enabled
            assert gc.get_freeze_count() == 0
        finally:
            (gc.enable if was else gc.disable)()

    def test_an_hdf5_file_may_begin_behind_a_user_block(self, tmp_path: Path) -> None:
        import h5py

        with h5py.File(tmp_path / "x", "w", userblock_size=1024) as file:
            file.create_dataset("data", data=[1, 2])
        assert "/data" in describe(tmp_path / "x")["nodes"]


def test_names_that_other_systems_confuse_are_listed_by_their_group() -> None:
    names = ["Layer", "layer", "straße", "STRASSE", "e\u0301", "é", "n\u0303", "ß", "größe", "日本"]
    nodes = {"/": description.group({}), **{f"/{name}": description.group({}) for name in names}}
    found = description.complete({}, nodes)["nodes"]["/"]["ambiguous"]
    assert sorted(found) == sorted(["Layer", "layer", "straße", "STRASSE", "e\u0301", "é", "n\u0303"])
    alone = {"/": description.group({}), "/A": description.group({})}
    assert "ambiguous" not in description.complete({}, alone)["nodes"]["/"]
