"""Zarr in a zip file: the same nodes and values as in a folder, root at the top or one folder down."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import arrays, attributes

import vizschema
from vizschema import Array
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.containers.base import Limits
from vizschema.containers.opening import open_container
from vizschema.containers.values import ChunkDamaged, read_whole
from vizschema.describing import describe
from vizschema.errors import NotAnArchive

GROUP = b'{"zarr_format": 3, "node_type": "group"}'


def packed(folder: Path, target: Path, prefix: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(target, "w", method) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def described(folder: Path, *entries: Entry, limits: Limits = Limits()) -> Mapping[str, Any]:  # noqa: B008
    (folder / "a.zip").write_bytes(zipped(entries))
    return describe(folder / "a.zip", limits=limits)["nodes"]


def reasons(nodes: Mapping[str, Any]) -> dict[str, str]:
    return {path: node["reason"] for path, node in nodes.items() if "reason" in node}


@pytest.mark.parametrize("prefix", ["", "run.zarr/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("container", ["zarr-v2", "zarr-v3"])
def test_a_zip_is_described_and_read_like_its_folder(container: str, method: int, prefix: str, tmp_path: Path) -> None:
    more = {"/extra/cut": Array(np.arange(60.0).reshape(6, 10), ["row", "column"], chunks=[3, 5])}
    if container == "zarr-v3":
        more["/extra/shards"] = Array(np.arange(64.0).reshape(8, 8), ["r", "c"], chunks=[2, 8], shards=[4, 8])
    vizschema.write(tmp_path / "a", {**arrays(), **more}, attributes(), profile="trace", container=container)
    expected = describe(tmp_path / "a")
    found = describe(packed(tmp_path / "a", tmp_path / "a.zip", prefix, method))
    assert found["container"] == {**expected.pop("container"), "store": "zip"}
    assert {**found, "container": None} == {**expected, "container": None}
    folder, file = open_container(str(tmp_path / "a")), open_container(str(tmp_path / "a.zip"))
    for path in {**arrays(), **more}:
        theirs = read_whole(folder.values(path), 1 << 20)
        assert theirs is not None
        assert np.array_equal(read_whole(file.values(path), 1 << 20), theirs), path
    file.close()
    folder.close()


def test_what_stands_beside_the_folder_of_the_archive_is_stray(tmp_path: Path) -> None:
    entries = [
        Entry("run/zarr.json", GROUP),
        Entry("run/g/zarr.json", GROUP),
        Entry("__MACOSX/x", b""),
        Entry("g", b""),
    ]
    nodes = described(tmp_path, *entries)
    assert nodes["/"]["stray"] == ["__MACOSX"]
    assert nodes["/g"]["kind"] == "group"


def test_entries_for_folders_are_no_nodes(tmp_path: Path) -> None:
    assert list(described(tmp_path, Entry("run/", b""), Entry("run/zarr.json", GROUP))) == ["/"]
    nodes = described(tmp_path, Entry("zarr.json", GROUP), Entry("g/", b""))
    assert nodes["/"]["stray"] == ["g"]


def test_members_that_are_dangerous_or_contradict_each_other_are_nodes(tmp_path: Path) -> None:
    nodes = described(
        tmp_path,
        Entry("zarr.json", GROUP),
        Entry("../evil/zarr.json", GROUP),
        Entry("/etc/zarr.json", GROUP),
        Entry("twice/zarr.json", GROUP),
        Entry("twice/zarr.json", GROUP),
        Entry("both", b""),
        Entry("both/zarr.json", GROUP),
        Entry("file/zarr.json", GROUP),
        Entry("file", b""),
        Entry("secret/zarr.json", GROUP, flags=0x801),
        Entry("link", b"/etc/passwd", mode=0o120777),
        Entry("crc/zarr.json", GROUP, crc=1),
        Entry("folder/zarr.json/x", b""),
    )
    assert reasons(nodes) == {
        "/../evil/zarr.json": "metadata-invalid",
        "//etc/zarr.json": "metadata-invalid",
        "/twice": "metadata-conflict",
        "/both": "metadata-conflict",
        "/file": "metadata-conflict",
        "/secret": "unsupported",
        "/link": "internal-link",
        "/crc": "damaged",
        "/folder": "metadata-invalid",
    }


def test_a_document_past_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    large = GROUP[:-1] + b" " * 5000 + b"}"
    nodes = described(
        tmp_path, Entry("zarr.json", GROUP), Entry("g/zarr.json", large, 8), limits=Limits(document_bytes=1000)
    )
    assert reasons(nodes) == {"/g": "over-limit"}


def test_chunks_that_lost_their_metadata_are_named(real: Path, tmp_path: Path) -> None:
    source = real / "published" / "1ubq_metadata_lost.zarr"
    nodes = describe(packed(source, tmp_path / "lost.zip"))["nodes"]
    assert nodes == describe(source)["nodes"]


def test_real_archives_are_the_same_in_a_zip(real: Path, tmp_path: Path) -> None:
    for name in ("vit_mnist_trace.zarr", "1ubq_metadata_restored.zarr"):
        source = real / "published" / name
        found = describe(packed(source, tmp_path / f"{name}.zip", f"{name}/", zipfile.ZIP_DEFLATED))
        assert found["nodes"] == describe(source)["nodes"]


def test_several_archives_in_one_zip_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive, match=r"a zip file with a\.zarr, b\.zarr in it; unpack it, and pass one of them"):
        described(tmp_path, Entry("a.zarr/zarr.json", GROUP), Entry("b.zarr/zarr.json", GROUP))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"crc": 1}, "checksum"), ({"flags": 0x801}, "undecodable"), ({"method": 8, "crc": 1}, "checksum")],
)
def test_a_damaged_chunk_is_a_value(changes: dict[str, int], reason: str, tmp_path: Path) -> None:
    vizschema.write(tmp_path / "a", arrays(), attributes(), profile="trace", container="zarr-v3")
    entries = [
        Entry(path.relative_to(tmp_path / "a").as_posix(), path.read_bytes(), **(changes if path.name == "0" else {}))
        for path in sorted((tmp_path / "a").rglob("*"))
        if path.is_file()
    ]
    assert not reasons(described(tmp_path, *entries))
    values = open_container(str(tmp_path / "a.zip")).values("/activations/layer_00")
    blocks = [block for piece in values.pieces() for block in values.read(piece)]
    assert [block.reason for block in blocks if isinstance(block, ChunkDamaged)] == [reason]
