"""The folder of an array, listed where values are read: what is stored, what hides there, what was never written."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from support.stored_values import damage

import vizschema
from vizschema.bounds import Reading
from vizschema.conformance.examples import write_example
from vizschema.containers.base import Unreadable
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, ChunkDamaged
from vizschema.describing import describe_open
from vizschema.scan.threads import scan

SHAPE = (5, 6)
KEYS_3: list[dict[str, Any]] = [
    {"name": name, "configuration": {"separator": separator}} for name in ("default", "v2") for separator in ("/", ".")
]


def packed(path: Path) -> Path:
    target = path.with_suffix(".zarr.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink():
                archive.write(file, file.relative_to(path))
    return target


def array_3(path: Path, encoding: dict[str, Any], **options: Any) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=3)
    separator = encoding["configuration"]["separator"]
    options = {"chunks": (2, 3), **options}
    array = group.create_array(
        "x",
        shape=SHAPE,
        dtype="i4",
        chunk_key_encoding={"name": encoding["name"], "separator": separator},
        compressors=None,
        **options,
    )
    array[...] = np.arange(30).reshape(SHAPE) + 1
    return path


def array_2(path: Path, separator: str) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    encoding: Any = {"name": "v2", "separator": separator}
    array = group.create_array(
        "x", shape=SHAPE, chunks=(2, 3), dtype="i4", compressors=None, chunk_key_encoding=encoding
    )
    array[...] = np.arange(30).reshape(SHAPE) + 1
    return path


def renamed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    file = next(path / "x" / name for name in ("zarr.json", ".zarray") if (path / "x" / name).exists())
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return path


def measured(path: Path) -> Any:
    """The facts of the array."""
    with closing(open_container(os.fspath(path))) as container:
        return scan(container, describe_open(container), (), Reading(2)).facts["/x"]


def is_refused(path: Path) -> str:
    """The first reason for which the values are damaged; every way of reading agrees."""
    found = measured(path)["damaged_chunks"]
    assert found
    assert "absent_keys" not in measured(path)
    with pytest.raises(vizschema.Damaged):
        vizschema.digest(path)
    return str(found[0]["reason"])


@pytest.mark.parametrize("encoding", KEYS_3)
@pytest.mark.parametrize("named", KEYS_3)
@pytest.mark.parametrize("pack", [False, True])
def test_chunks_under_keys_of_another_encoding_are_never_read_as_fill_values(
    tmp_path: Path, encoding: dict[str, Any], named: dict[str, Any], pack: bool
) -> None:
    path = renamed(array_3(tmp_path / "a.zarr", encoding), lambda document: document.update(chunk_key_encoding=named))
    path = packed(path) if pack else path
    if encoding == named:
        assert measured(path) == {"damaged_chunks": [], "absent_chunks": 0}
        return
    assert is_refused(path) in ("misplaced", "undecodable")
    assert "expected a chunk under this key" in measured(path)["damaged_chunks"][0]["detail"]
    assert "chunk_key_encoding in zarr.json" in measured(path)["damaged_chunks"][0]["detail"]


@pytest.mark.parametrize(("written", "named"), [("/", "."), (".", "/"), ("/", None)])
@pytest.mark.parametrize("pack", [False, True])
def test_mixed_separators_of_version_2_are_one_damage_that_names_the_field(
    tmp_path: Path, written: str, named: str | None, pack: bool
) -> None:
    def change(document: dict[str, Any]) -> None:
        document.pop("dimension_separator", None)
        if named is not None:
            document["dimension_separator"] = named

    path = renamed(array_2(tmp_path / "a.zarr", written), change)
    path = packed(path) if pack else path
    assert is_refused(path) == "misplaced"
    (problem,) = measured(path)["damaged_chunks"]
    assert problem["detail"].endswith("correct dimension_separator in .zarray, or the names of chunks")


def test_one_chunk_of_another_encoding_damages_those_that_are_absent_alone(tmp_path: Path) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    (path / "x/1").mkdir()
    (path / "x/1.1").rename(path / "x/1/1")
    assert [(key, reason) for key, reason, _ in damage(path)] == [("1.1", "misplaced")]
    with vizschema.open(path) as archive:
        assert archive["/x"][0, 0] == 1  # type: ignore[index]


def test_chunks_of_another_encoding_beside_all_that_are_named_are_stray_files(tmp_path: Path) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    (path / "x/1").mkdir()
    shutil.copy(path / "x/1.1", path / "x/1/1")
    assert measured(path) == {"damaged_chunks": [], "stray": ["1/1"], "absent_chunks": 0}


def test_what_hides_in_the_folder_of_an_array_is_named(tmp_path: Path) -> None:
    path = array_3(tmp_path / "a.zarr", KEYS_3[0])
    (path / "x/link").symlink_to("/etc/hostname")
    (path / "x/c/9").symlink_to("/etc")
    (path / "x/c/0/.DS_Store").write_bytes(b"")
    (path / "x/weights.pkl").write_bytes(b"\x80\x04.")
    os.mkfifo(path / "x/c/1/7")
    shutil.copytree(path / "x", path / "x/0", symlinks=True, ignore=shutil.ignore_patterns("7"))
    found = measured(path)
    assert found["stray"] == ["0", "c/0/.DS_Store", "c/1/7", "c/9", "link", "weights.pkl"]
    assert (found["damaged_chunks"], found["absent_chunks"]) == ([], 0)


def test_the_first_sixteen_stray_files_are_named_in_order(tmp_path: Path) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    for number in range(200):
        (path / f"x/note{number:03}").write_bytes(b"")
    assert measured(path)["stray"] == [f"note{number:03}" for number in range(16)]


def test_documents_are_no_stray_files(tmp_path: Path) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    (path / "x/.zattrs").write_text("{}")
    assert "stray" not in measured(path)


def test_stray_files_in_an_array_are_a_warning_and_misplaced_chunks_an_error(tmp_path: Path) -> None:
    write_example("trace", tmp_path / "a.zarr", container="zarr-v2")
    layer = tmp_path / "a.zarr/activations/layer_00"
    (layer / "notes.txt").write_text("")
    report = vizschema.validate(tmp_path / "a.zarr")
    assert [(found.rule, found.severity, found.path) for found in report.findings] == [
        ("stray-file", "warning", "/activations/layer_00")
    ]
    assert "notes.txt" in report.findings[0].found
    (layer / "notes.txt").unlink()
    (layer / "0").mkdir()
    (layer / "0.0.0").rename(layer / "0/0")
    report = vizschema.validate(tmp_path / "a.zarr")
    assert [(found.rule, found.severity) for found in report.findings] == [("chunk-keys", "error")]
    assert "dimension_separator" in report.findings[0].found
    assert vizschema.validate(tmp_path / "a.zarr", values=False).findings == ()


MAKES: list[Callable[[Path], object]] = [
    Path.mkdir,
    os.mkfifo,
    lambda file: file.symlink_to("1"),
    lambda file: file.symlink_to("/etc/hostname"),
    lambda file: file.symlink_to("nothing"),
]


@pytest.mark.parametrize("make", MAKES)
def test_a_chunk_that_is_no_file_is_one_damage(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = array_3(tmp_path / "a.zarr", KEYS_3[0])
    (path / "x/c/0/0").unlink()
    make(path / "x/c/0/0")
    assert [(key, reason) for key, reason, _ in damage(path)] == [("c/0/0", "undecodable")]
    assert is_refused(path) == "undecodable"


@pytest.mark.parametrize("place", ["c", "c/1"])
@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda file: file.symlink_to("/etc")])
def test_a_folder_of_chunks_that_is_none_is_one_damage(
    tmp_path: Path, place: str, make: Callable[[Path], object]
) -> None:
    path = array_3(tmp_path / "a.zarr", KEYS_3[0])
    shutil.rmtree(path / "x" / place)
    make(path / "x" / place)
    assert [(key, reason) for key, reason, _ in damage(path)] == [(place, "undecodable")]
    assert is_refused(path) == "undecodable"


@pytest.mark.parametrize(
    "make", [lambda file: file.write_bytes(bytes(120)), os.mkfifo, lambda file: file.symlink_to("/etc")]
)
def test_the_only_chunk_is_not_read_from_where_its_folder_should_be(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = array_3(tmp_path / "a.zarr", KEYS_3[0], chunks=SHAPE)
    shutil.rmtree(path / "x/c")
    make(path / "x/c")
    assert [(key, reason) for key, reason, _ in damage(path)] == [("c/0/0", "undecodable")]


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize("shards", [None, (4, 6)])
def test_chunks_that_were_never_written_are_few_pieces(tmp_path: Path, separator: str, shards: Any) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = group.create_array(
        "x",
        shape=(40, 60, 50),
        chunks=(2, 3, 5),
        shards=None if shards is None else (4, 6, 10),
        dtype="i4",
        fill_value=7,
        chunk_key_encoding={"name": "default", "separator": separator},
    )
    array[8:12, 12:18, 10:20] = 1
    expected = array[...]
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        pieces = list(values.pieces())
        assert len(pieces) < (8 if shards else 40)
        assert sum(piece.count for piece in pieces) == (10 * 10 * 5 if shards else 20 * 20 * 10)
        whole = np.zeros(values.shape, values.dtype)
        for piece in pieces:
            for block in values.read(piece):
                assert isinstance(block, Block)
                whole[tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))] = (
                    block.values
                )
        assert (whole == expected).all()
        for box in (
            ((0, 1), (0, 1), (0, 1)),
            ((8, 12), (12, 18), (10, 20)),
            ((0, 40), (0, 60), (3, 50)),
            ((3, 3),) * 3,
        ):
            touched = list(values.touching(box))  # type: ignore[attr-defined]
            part = np.full(values.shape, -1, values.dtype)
            for piece in touched:
                for block in values.read(piece):
                    assert isinstance(block, Block)
                    ends = (at + size for at, size in zip(block.start, block.values.shape, strict=True))
                    part[tuple(slice(at, end) for at, end in zip(block.start, ends, strict=True))] = block.values
            inside = tuple(slice(first, end) for first, end in box)
            assert (part[inside] == expected[inside]).all()


@pytest.mark.parametrize("sharded", [False, True])
def test_terabytes_that_were_never_written_take_no_time(tmp_path: Path, sharded: bool) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    shape, chunks = (2, 6, 1 << 37), (2, 6, 1 << 16)
    shards = (2, 6, 1 << 20) if sharded else None
    group.create_array("x", shape=shape, chunks=chunks, shards=shards, dtype="f4", dimension_names=["a", "b", "c"])
    begin = time.perf_counter()
    found = measured(path)
    assert time.perf_counter() - begin < 5
    assert found["absent_chunks"] == 1 << 21
    assert len(found["absent_keys"]) == 16


def test_a_store_that_may_not_be_listed_is_asked_for_every_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> Any:
        raise Unreadable("damaged", "Permission denied")

    path = array_2(tmp_path / "a.zarr", ".")
    (path / "x/1.1").unlink()
    monkeypatch.setattr("vizschema.containers.zarr.values.listing_of", denied)
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        found = [found for piece in values.pieces() for found in values.read(piece)]
    assert not any(isinstance(each, ChunkDamaged) for each in found)
    assert sum(each.absent for each in found if isinstance(each, Block)) == 1
    assert len(found) == 6


def test_running_out_of_handles_says_nothing_of_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    path = array_2(tmp_path / "a.zarr", ".")
    monkeypatch.setattr("vizschema.containers.zarr.values.listing_of", exhausted)
    with closing(open_container(str(path))) as container, pytest.raises(OSError, match="Too many"):
        list(container.values("/x").pieces())


@pytest.mark.parametrize("name", ["00.0", "+1.0", "1.-1", "٣.0", "1.0.0", "2.0"])
def test_a_name_that_no_writer_gives_a_chunk_is_none(tmp_path: Path, name: str) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    (path / "x" / name).write_bytes(b"")
    assert measured(path)["stray" if name != "2.0" else "damaged_chunks"] == ([name] if name != "2.0" else [
        {"key": "2.0", "reason": "truncated", "detail": "0 bytes, expected 24"}
    ])  # fmt: skip


def test_the_chunk_of_a_scalar_is_found(tmp_path: Path) -> None:
    for version, key in ((3, "c"), (2, "0")):
        path = tmp_path / f"{version}.zarr"
        zarr.open_group(path, mode="w", zarr_format=version).create_array("x", shape=(), dtype="i4")[...] = 4
        assert (path / "x" / key).exists()
        assert measured(path)["absent_chunks"] == 0
        (path / "x" / key).rename(path / "x" / ("0" if key == "c" else "c"))
        assert is_refused(path) == "misplaced"


def test_a_box_of_few_chunks_is_found_among_many_without_a_look_at_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = array_2(tmp_path / "a.zarr", ".")
    monkeypatch.setattr("vizschema.containers.zarr.values._ASKED", 0)
    with closing(open_container(str(path))) as container:
        values: Any = container.values("/x")
        assert [piece.key for piece in values.touching(((0, 1), (2, 4)))] == ["0.0", "0.1"]
        assert [piece.key for piece in values.touching(((0, 0), (2, 4)))] == []
        assert len(list(values.touching(((0, 5), (0, 6))))) == 6


def test_a_box_of_an_array_without_entries_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / "x").mkdir()
    document = {"zarr_format": 2, "shape": [0, 3], "chunks": [0, 3], "dtype": "<f4", "compressor": None}
    (path / "x/.zarray").write_text(json.dumps({**document, "fill_value": 0, "order": "C", "filters": None}))
    with closing(open_container(str(path))) as container:
        values: Any = container.values("/x")
        assert list(values.pieces()) == []
        assert list(values.touching(((0, 0), (0, 3)))) == []


@pytest.mark.parametrize(("name", "values", "said"), [("a.zarr", False, 1), ("a.zarr", True, 0), ("a.h5", False, 0)])
def test_a_report_says_where_stray_files_were_not_looked_for(
    name: str, values: bool, said: int, tmp_path: Path
) -> None:
    write_example("trace", tmp_path / name)
    report = vizschema.validate(tmp_path / name, values=values)
    words = "stray files, and chunks under other keys, in the folders of arrays were not looked for:"
    assert len([note for note in report.notes if note.startswith(words)]) == said
