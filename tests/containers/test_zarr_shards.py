"""Shards: indices in every legal encoding, ranges that overlap, and inner chunks that were never written."""

from __future__ import annotations

import itertools
import json
import math
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import tensorstore
import zarr
from support.stored_values import blocks, damage, whole

import vizschema
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC = {"name": "crc32c"}


def turn(*order: int) -> dict[str, Any]:
    return {"name": "transpose", "configuration": {"order": list(order)}}


def sharded(chunk: list[int], codecs: list[Any], index: list[Any], location: str = "end") -> dict[str, Any]:
    configuration = {"chunk_shape": chunk, "codecs": codecs, "index_codecs": index, "index_location": location}
    return {"name": "sharding_indexed", "configuration": configuration}


def written(path: Path, values: Any, shard: list[int], codecs: list[Any]) -> Path:
    """An array as tensorstore writes it, in a group."""
    zarr.open_group(path, mode="w", zarr_format=3)
    metadata = {
        "shape": list(values.shape),
        "data_type": str(values.dtype),
        "codecs": codecs,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
    }
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / "x")}, "metadata": metadata}
    tensorstore.open(spec, create=True).result().write(values).result()
    return path


VALUES = np.arange(1, 8 * 12 + 1, dtype="i4").reshape(8, 12)
INDICES = [
    *([codec] for codec in (LITTLE, BIG)),
    [LITTLE, CRC],
    [BIG, CRC],
    *(
        [turn(*order), endian, CRC]
        for order in ((2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0))
        for endian in (LITTLE, BIG)
    ),
    [turn(2, 1, 0), turn(1, 0, 2), LITTLE],
]


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("index", INDICES)
def test_an_index_is_read_in_every_legal_encoding(tmp_path: Path, index: list[Any], location: str) -> None:
    codecs = [sharded([2, 3], [LITTLE], index, location)]
    path = written(tmp_path / "a.zarr", VALUES, [4, 12], codecs)
    assert (whole(path, VALUES) == VALUES).all()


@pytest.mark.parametrize("location", ["start", "end"])
def test_transpositions_are_undone_within_nested_shards(tmp_path: Path, location: str) -> None:
    inner = sharded([2, 3], [turn(1, 0), BIG], [turn(1, 0, 2), LITTLE, CRC], location)
    codecs = [turn(1, 0), sharded([6, 4], [turn(1, 0), inner], [LITTLE, CRC])]
    path = written(tmp_path / "a.zarr", VALUES, [8, 12], codecs)
    assert (whole(path, VALUES) == VALUES).all()


@pytest.mark.parametrize("codecs", [
    [sharded([2, 3], [LITTLE], [LITTLE])],
    [turn(1, 0), sharded([3, 2], [LITTLE], [LITTLE])],
    [sharded([4, 6], [sharded([2, 3], [LITTLE], [LITTLE])], [LITTLE])],
    [turn(1, 0), sharded([6, 4], [turn(1, 0), sharded([2, 3], [LITTLE], [LITTLE])], [LITTLE])],
])  # fmt: skip
def test_chunks_that_were_never_written_within_a_shard_are_counted(tmp_path: Path, codecs: list[Any]) -> None:
    values = np.zeros((7, 11), "i4")
    values[2:3, 4:5] = 5
    path = written(tmp_path / "a.zarr", values, [8, 12], codecs)
    assert (whole(path, values) == values).all()
    found = [block for block in blocks(path) if isinstance(block, Block)]
    assert sum(block.absent or 1 for block in found) == 16
    assert sum(block.values.size for block in found) == values.size


def one_shard(path: Path, entries: list[tuple[int, int]], *, location: str = "end", checksum: bool = False) -> Path:
    """Four chunks of four bytes each in one shard, with this index over 16 bytes of values."""
    index = np.array(entries, "<u8").tobytes()
    codecs = [LITTLE, CRC] if checksum else [LITTLE]
    index += struct.pack("<I", google_crc32c.value(index)) if checksum else b""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("x", shape=(16,), chunks=(16,), dtype="u1", compressors=None, fill_value=9)
    file = path / "x/zarr.json"
    document = json.loads(file.read_text())
    document["codecs"] = [sharded([4], [{"name": "bytes"}], codecs, location)]
    file.write_text(json.dumps(document))
    (path / "x/c").mkdir()
    data = bytes(range(16))
    (path / "x/c/0").write_bytes(index + data if location == "start" else data + index)
    return path


ABSENT = (2**64 - 1, 2**64 - 1)
OVERLAPS = [
    ([(0, 4), (0, 4), (8, 4), (12, 4)], {0, 1}),
    ([(0, 4), (2, 4), (8, 4), (12, 4)], {0, 1}),
    ([(4, 4), (0, 5), (8, 4), (12, 4)], {0, 1}),
    ([(0, 4), (4, 4), (8, 4), (0, 16)], {0, 1, 2, 3}),
    ([(0, 4), (4, 4), (8, 4), (13, 4)], {3}),
    ([(0, 4), (4, 4), (8, 4), (60, 4)], {3}),
    ([(0, 4), ABSENT, ABSENT, (1, 4)], {0, 3}),
    ([(12, 4), (8, 4), (4, 4), (0, 4)], set()),
    ([(0, 4), ABSENT, ABSENT, ABSENT], set()),
    ([ABSENT, ABSENT, ABSENT, ABSENT], set()),
]


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize(("entries", "wrong"), OVERLAPS)
def test_chunks_of_a_shard_that_share_bytes_are_damaged(
    tmp_path: Path, entries: list[tuple[int, int]], wrong: set[int], checksum: bool
) -> None:
    path = one_shard(tmp_path / "a.zarr", entries, checksum=checksum)
    assert [(key, reason) for key, reason, _ in damage(path)] == [
        (f"c/0[{number}]", "undecodable") for number in sorted(wrong)
    ]
    assert all("another chunk's or the index's" in words for *_, words in damage(path))


def test_a_chunk_over_an_index_at_the_start_is_damaged(tmp_path: Path) -> None:
    path = one_shard(tmp_path / "a.zarr", [(63, 4), (67, 4), (71, 4), (75, 4)], location="start")
    assert [key for key, *_ in damage(path)] == ["c/0[0]"]


@pytest.mark.parametrize("entries", [(2**63, 2**63), (2**64 - 2, 4), (0, 2**64 - 2), (2**64 - 1, 4), (4, 2**64 - 1)])
def test_a_range_beyond_every_file_is_truncated(tmp_path: Path, entries: tuple[int, int]) -> None:
    path = one_shard(tmp_path / "a.zarr", [entries, (4, 4), (8, 4), (12, 4)])
    assert [(key, reason) for key, reason, _ in damage(path)] == [("c/0[0]", "truncated")]


def test_a_shard_of_a_million_absent_chunks_is_few_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    shape = (1 << 10, 1 << 10)
    group.create_array("x", shape=shape, chunks=(1, 1), shards=shape, dtype="u1", compressors=None)
    index = np.full((math.prod(shape), 2), 2**64 - 1, "<u8")
    index[700_000] = (0, 1)
    raw = index.tobytes()
    (path / "x/c/0").mkdir(parents=True)
    (path / "x/c/0/0").write_bytes(b"\x05" + raw + struct.pack("<I", google_crc32c.value(raw)))
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        found = [found for piece in values.pieces() for found in itertools.islice(values.read(piece), 20)]
    assert len(found) == 5
    assert sum(block.absent for block in found if isinstance(block, Block)) == (1 << 20) - 1
    assert vizschema.describe(path)["nodes"]["/x"]["storage"]["chunk_count"] == 1 << 20
