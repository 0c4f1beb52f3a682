"""Reading Zarr's chunks: every codec of a plain installation, fill values, shards, and damage told apart."""

from __future__ import annotations

import itertools
import json
import os
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import pytest
import zarr
from support import traces
from support.stored_values import CHUNKS, SHAPE, blocks, damage, numbers, whole
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

import vizschema
from vizschema.containers.base import Limits
from vizschema.containers.bytes.sources import BufferPool, Held, opener_of
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block
from vizschema.containers.zarr.folder import DOCUMENTS
from vizschema.containers.zarr.layout import layout_of
from vizschema.containers.zarr.metadata import ZarrArray, parse_v3
from vizschema.containers.zarr.values import ZarrValues


def v2(path: Path, values: Any, **options: Any) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    options = {"chunks": CHUNKS, "compressors": None, "fill_value": 0} | options
    group.create_array("x", shape=values.shape, dtype=values.dtype, **options)[...] = values
    return path


def v3(path: Path, values: Any, **options: Any) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=3)
    options = {"chunks": CHUNKS, "fill_value": 0} | options
    group.create_array("x", shape=values.shape, dtype=values.dtype, **options)[...] = values
    return path


COMPRESSORS = [
    None,
    *(numcodecs.Blosc(name, shuffle=shuffle) for name in ("lz4", "zstd", "zlib", "blosclz") for shuffle in (0, 1, 2)),
    *(numcodecs.Zstd(checksum=True), numcodecs.GZip(), numcodecs.Zlib(), numcodecs.BZ2(), numcodecs.LZ4()),
    *(numcodecs.LZMA(), numcodecs.LZMA(format=2), numcodecs.LZMA(format=3, filters=[{"id": 33, "dict_size": 1 << 16}])),
]
FILTERS = [
    None,
    [numcodecs.Shuffle(4)],
    [numcodecs.Shuffle(6)],
    *([codec()] for codec in (numcodecs.Fletcher32, numcodecs.CRC32, numcodecs.CRC32C, numcodecs.Adler32)),
    [numcodecs.AsType(encode_dtype="<f8", decode_dtype="<f4")],
    [numcodecs.Shuffle(4), numcodecs.CRC32()],
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=str)
def test_every_compressor_of_version_2_is_undone(tmp_path: Path, compressor: Any, order: str) -> None:
    values = numbers()
    assert (whole(v2(tmp_path / "a.zarr", values, compressors=compressor, order=order), values) == values).all()


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_every_filter_of_version_2_is_undone(tmp_path: Path, filters: Any) -> None:
    values = numbers()
    path = v2(tmp_path / "a.zarr", values, filters=filters, compressors=numcodecs.Zstd())
    assert (whole(path, values) == values).all()


@pytest.mark.parametrize("filters", [[numcodecs.Delta("<i4")], [numcodecs.Delta("<i4", astype="<i2")]], ids=str)
def test_differences_are_summed_up(tmp_path: Path, filters: Any) -> None:
    values = numbers("<i4")
    assert (whole(v2(tmp_path / "a.zarr", values, filters=filters), values) == values).all()


def test_a_compressed_block_that_makes_no_sense_is_damage(tmp_path: Path) -> None:
    path = v2(tmp_path / "a.zarr", np.ones(SHAPE, "f4"), compressors=numcodecs.Blosc("zstd"))
    ((_, reason, words),) = changed(path, lambda data: data[:16] + b"\xff" * (len(data) - 16))
    assert reason == "undecodable"
    assert words.startswith("blosc: ")


def unsized(data: bytes, size: int | None = None) -> bytes:
    """A zstd frame of one raw block, which does not say how much it holds."""
    return b"\x28\xb5\x2f\xfd\0\x50" + (1 | (size or len(data)) << 3).to_bytes(3, "little") + data


def test_zstd_frames_are_counted_together(tmp_path: Path) -> None:
    values = numbers()
    zstd = numcodecs.Zstd()
    raw = values[:3, :4, :5].tobytes()
    path = v2(tmp_path / "a.zarr", values, compressors=zstd)
    skipped = b"\x52\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    for good in (zstd.encode(raw[:99]) + zstd.encode(raw[99:]), unsized(raw)):
        first_chunk(path).write_bytes(good)
        assert (whole(path, values) == values).all()
    for bad, reason in (
        (unsized(raw[:-1]), "undecodable"),
        (unsized(raw + b"x"), "undecodable"),
        (unsized(raw, 1000), "truncated"),
        (unsized(raw[:9]) + zstd.encode(raw[9:]), "undecodable"),
        (zstd.encode(raw) + zstd.encode(b"more"), "wrong-length"),
        (zstd.encode(raw) + skipped[:-1], "truncated"),
        (zstd.encode(raw[:-1]), "wrong-length"),
    ):
        first_chunk(path).write_bytes(bad)
        assert [found for _, found, _ in damage(path)] == [reason], bad


def test_quantised_values_and_packed_booleans_come_back(tmp_path: Path) -> None:
    values = numbers()
    path = v2(tmp_path / "a.zarr", values, filters=[numcodecs.Quantize(digits=2, dtype="<f4")])
    assert np.abs(whole(path, values) - values).max() < 0.01
    flags = numbers() > 0
    assert (whole(v2(tmp_path / "b.zarr", flags, filters=[numcodecs.PackBits()]), flags) == flags).all()


@pytest.mark.parametrize("dtype", ["|b1", "|i1", "<u2", ">i4", ">f8", "<f2", ">c8", "<c16", "<u8"])
def test_every_dtype_comes_back_in_native_order(tmp_path: Path, dtype: str) -> None:
    values = numbers(dtype)
    found = whole(v2(tmp_path / "a.zarr", values), values)
    assert found.dtype.isnative
    assert (found == values).all()


V3 = [
    {},
    {"compressors": None},
    {"compressors": None, "filters": [TransposeCodec(order=(2, 0, 1))]},
    {"compressors": [BloscCodec(cname="zstd")]},
    {"compressors": [GzipCodec(), Crc32cCodec()]},
    {"serializer": BytesCodec(endian="big")},
    {"chunks": (2, 3, 5), "shards": (4, 9, 10)},
    {"chunks": (2, 3, 5), "shards": (4, 9, 10), "compressors": [ZstdCodec(), Crc32cCodec()]},
    {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
    {"chunk_key_encoding": {"name": "default", "separator": "."}},
]


@pytest.mark.parametrize("options", V3, ids=[f"{number}-{'-'.join(options)}" for number, options in enumerate(V3)])
def test_every_codec_of_version_3_is_undone(tmp_path: Path, options: dict[str, Any]) -> None:
    values = numbers()
    assert (whole(v3(tmp_path / "a.zarr", values, **options), values) == values).all()


@pytest.mark.filterwarnings("ignore:Combining a `sharding_indexed` codec")
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("outer", [(), (TransposeCodec(order=(1, 2, 0)),)])
@pytest.mark.parametrize("after", [(), (Crc32cCodec(),), (ZstdCodec(), Crc32cCodec())])
def test_shards_are_read_wherever_their_index_is_and_whatever_is_around_them(
    tmp_path: Path, location: str, outer: tuple[Any, ...], after: tuple[Any, ...]
) -> None:
    values = numbers()
    path = tmp_path / "a.zarr"
    codec = ShardingCodec(chunk_shape=(2, 3, 2), codecs=[BytesCodec(), ZstdCodec()], index_location=location)
    zarr.create(
        store=path / "x", shape=SHAPE, chunks=(4, 6, 6), dtype="f4", codecs=[*outer, codec, *after], zarr_format=3
    )[...] = values
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    assert (whole(path, values) == values).all()


def test_shards_within_shards(tmp_path: Path) -> None:
    values = numbers()
    path = tmp_path / "a.zarr"
    deepest = ShardingCodec(chunk_shape=(1, 3, 5), codecs=[BytesCodec()])
    codec = ShardingCodec(chunk_shape=(2, 3, 10), codecs=[deepest])
    zarr.create(store=path / "x", shape=SHAPE, chunks=(4, 9, 10), dtype="f4", codecs=[codec], zarr_format=3)[...] = (
        values
    )
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    assert (whole(path, values) == values).all()
    with closing(open_container(str(path))) as container:
        pieces = list(container.values("/x").pieces())
    assert sum(piece.chunks for piece in pieces) == 7 * 3 * 2


# Chunks that were never written

FILLS: list[tuple[str, Any, Any]] = [
    ("float32", 2.5, 2.5),
    ("float32", "NaN", np.nan),
    ("float64", "-Infinity", -np.inf),
    ("float32", "0x7fc00001", None),
    ("float16", "0x3c00", 1.0),
    ("int8", -3, -3),
    ("uint64", 2**64 - 1, 2**64 - 1),
    ("bool", True, True),
    ("complex64", [1.0, "NaN"], complex(1, np.nan)),
]


@pytest.mark.parametrize(("name", "fill", "value"), FILLS)
def test_a_chunk_that_was_never_written_is_its_fill_value(tmp_path: Path, name: str, fill: Any, value: Any) -> None:
    path = v3(tmp_path / "a.zarr", np.zeros(SHAPE, name))
    metadata = path / "x" / "zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"fill_value": fill}))
    found = blocks(path)
    assert sum(block.absent for block in found if isinstance(block, Block)) == 18
    for block in found:
        assert isinstance(block, Block)
        assert block.absent
        assert block.stored_bytes == 0
    first = found[0].values  # type: ignore[union-attr]
    assert first.dtype == np.dtype(name)
    if value is None:
        assert first.view(np.uint32).reshape(-1)[0] == 0x7FC00001
    else:
        np.testing.assert_array_equal(first, np.full(first.shape, value, name))


def test_no_fill_value_of_version_2_is_zero(tmp_path: Path) -> None:
    path = v2(tmp_path / "a.zarr", np.ones(SHAPE, "f4"))
    metadata = path / "x" / ".zarray"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"fill_value": None}))
    (path / "x" / "0.0.0").unlink()
    absent = [block for block in blocks(path) if isinstance(block, Block) and block.absent]
    assert [block.start for block in absent] == [(0, 0, 0)]
    assert not absent[0].values.any()


@pytest.mark.parametrize("fill", ["fast", [1, 2], {"a": 1}, "0x123456789", None])
def test_a_fill_value_that_is_none_is_no_array(tmp_path: Path, fill: Any) -> None:
    path = v3(tmp_path / "a.zarr", np.zeros(SHAPE, "f4"))
    metadata = path / "x" / "zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"fill_value": fill}))
    node = vizschema.describe(path)["nodes"]["/x"]
    assert (node["kind"], node["reason"]) == ("unreadable", "metadata-invalid")
    assert "the fill_value" in node["detail"]


def test_chunks_missing_in_a_shard_are_counted_in_few_blocks(tmp_path: Path) -> None:
    values = numbers()
    values[:4, :3] = 0
    path = v3(tmp_path / "a.zarr", values, chunks=(2, 3, 5), shards=(4, 9, 10))
    found = blocks(path)
    absent = [block for block in found if isinstance(block, Block) and block.absent]
    assert sum(block.absent for block in absent) == 4
    assert (whole(path, values) == values).all()


# Damage


def first_chunk(path: Path) -> Path:
    return next(file for file in (path / "x" / "0.0.0", path / "x" / "c" / "0" / "0" / "0") if file.exists())


def changed(path: Path, change: Callable[[bytes], bytes]) -> list[tuple[str, str, str]]:
    """The damage once the first chunk is changed; every other chunk is read."""
    file = first_chunk(path)
    file.write_bytes(change(file.read_bytes()))
    found = damage(path)
    good = [block for block in blocks(path) if isinstance(block, Block)]
    assert len(good) + len(found) == 18
    return found


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def with_blosc_size(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", 1 << 31) + data[8:]


def with_zstd_size(data: bytes) -> bytes:
    """The same frame with a content size of a terabyte."""
    return data[:4] + bytes([data[4] & 0x1F | 0xE0]) + struct.pack("<Q", 1 << 40) + data[6:]


CUTS: list[tuple[Any, Callable[[bytes], bytes], str, str]] = [
    (None, lambda data: data[:-1], "truncated", "239 bytes, expected 240"),
    (None, lambda data: data + b"x", "wrong-length", "241 bytes, expected 240"),
    (None, lambda _: b"", "truncated", "0 bytes, expected 240"),
    (numcodecs.Blosc("zstd"), lambda data: data[:-1], "truncated", "its blosc frame has"),
    (numcodecs.Blosc("zstd"), lambda data: data[:9], "truncated", "its blosc header has 9 of 16 bytes"),
    (numcodecs.Blosc("zstd"), lambda data: data + b"x", "wrong-length", "its blosc frame has"),
    (
        numcodecs.Blosc("zstd"),
        with_blosc_size,
        "wrong-length",
        "its blosc header claims 2147483648 bytes, expected 240",
    ),
    (numcodecs.Zstd(), lambda data: data[:-1], "truncated", "its zstd frame ends after"),
    (numcodecs.Zstd(), lambda data: data[:3], "truncated", "its zstd frame ends after 3 bytes"),
    (numcodecs.Zstd(), lambda _: b"", "truncated", "it is empty"),
    (numcodecs.Zstd(), lambda data: data + b"abc", "wrong-length", "3 bytes follow its zstd frame"),
    (numcodecs.Zstd(), lambda data: data + bytes(50), "wrong-length", "50 bytes follow its zstd frame"),
    (numcodecs.Zstd(), with_zstd_size, "wrong-length", "its zstd header claims 1099511627776 bytes, expected 240"),
    (
        numcodecs.Zstd(),
        lambda _: numcodecs.Zstd().encode(b"short"),
        "wrong-length",
        "its zstd header claims 5 bytes",
    ),
    (numcodecs.Zstd(), lambda _: b"no frame at all", "undecodable", "zstd: it is not a zstd frame"),
    (numcodecs.Zstd(checksum=True), flipped, "undecodable", "zstd: "),
    (numcodecs.LZ4(), lambda data: data[:2], "truncated", "its lz4 header has 2 of 4 bytes"),
    (numcodecs.LZ4(), lambda data: b"\xff\xff\xff\x7f" + data[4:], "wrong-length", "its lz4 header claims 2147483647"),
    (numcodecs.LZ4(), lambda data: data[:-2], "undecodable", "lz4: "),
    (numcodecs.GZip(), lambda data: data[:-1], "truncated", "its gzip stream ends after"),
    (numcodecs.GZip(), lambda data: data + b"x", "wrong-length", "1 bytes follow its gzip stream"),
    (numcodecs.GZip(), lambda data: data * 2, "wrong-length", "its gzip stream gives more than the expected bytes"),
    (numcodecs.GZip(), flipped, "undecodable", "gzip: "),
    (numcodecs.GZip(), lambda _: numcodecs.GZip().encode(bytes(10**6)), "wrong-length", "gives more than"),
    (numcodecs.Zlib(), lambda _: numcodecs.Zlib().encode(b"short"), "truncated", "what zlib gives has 5 bytes"),
    (numcodecs.Zlib(), lambda data: data * 2, "wrong-length", "bytes follow its zlib stream"),
    (numcodecs.BZ2(), lambda data: data[:-1], "truncated", "its bz2 stream ends after"),
    (numcodecs.BZ2(), lambda _: numcodecs.BZ2().encode(bytes(10**6)), "wrong-length", "gives more than 240 bytes"),
    (numcodecs.LZMA(), lambda data: data[:-1], "truncated", "its lzma stream ends after"),
    (numcodecs.LZMA(), lambda _: numcodecs.LZMA().encode(bytes(10**6)), "wrong-length", "gives more than 240 bytes"),
    (numcodecs.LZMA(), lambda _: b"\0" * 50, "undecodable", "lzma: "),
]


@pytest.mark.parametrize(("compressor", "change", "reason", "detail"), CUTS)
def test_damage_is_told_apart(
    tmp_path: Path, compressor: Any, change: Callable[[bytes], bytes], reason: str, detail: str
) -> None:
    path = v2(tmp_path / "a.zarr", numbers(), compressors=compressor)
    ((key, found, words),) = changed(path, change)
    assert (key, found) == ("0.0.0", reason)
    assert detail in words


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(
    "codec", [numcodecs.CRC32(), numcodecs.CRC32C(), numcodecs.Adler32(), numcodecs.Fletcher32()], ids=str
)
def test_a_wrong_checksum_is_named(tmp_path: Path, codec: Any) -> None:
    path = v2(tmp_path / "a.zarr", numbers(), filters=[codec])
    ((_, reason, words),) = changed(path, lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert reason == "checksum"
    assert codec.codec_id in words


def test_a_wrong_checksum_of_version_3_is_named(tmp_path: Path) -> None:
    path = v3(tmp_path / "a.zarr", numbers(), compressors=[Crc32cCodec()])
    ((key, reason, _),) = changed(path, flipped)
    assert (key, reason) == ("c/0/0/0", "checksum")


def shard(tmp_path: Path) -> Path:
    return v3(tmp_path / "a.zarr", numbers(), chunks=(2, 3, 5), shards=(4, 9, 10), compressors=None)


def test_a_shard_whose_index_is_damaged_is_one_damaged_chunk(tmp_path: Path) -> None:
    path = shard(tmp_path)
    file = first_chunk(path)
    file.write_bytes(flipped(file.read_bytes()))
    assert [(key, reason) for key, reason, _ in damage(path)] == [("c/0/0/0", "checksum")]
    file.write_bytes(b"short")
    assert [(key, reason) for key, reason, _ in damage(path)] == [("c/0/0/0", "truncated")]
    assert len([block for block in blocks(path) if isinstance(block, Block)]) == 12


@pytest.mark.parametrize(
    ("offset", "length", "reason"),
    [(10**9, 120, "truncated"), (0, 119, "truncated"), (2**64 - 1, 120, "truncated"), (120, 2**64 - 1, "truncated")],
)
def test_an_index_that_leads_nowhere_damages_its_chunk_alone(
    tmp_path: Path, offset: int, length: int, reason: str
) -> None:
    path = shard(tmp_path)
    file = first_chunk(path)
    data = file.read_bytes()
    index = struct.pack("<QQ", offset, length) + data[-196 + 16 : -4]
    file.write_bytes(data[:-196] + index + struct.pack("<I", google_crc32c.value(index)))
    assert [(key, found) for key, found, _ in damage(path)] == [("c/0/0/0[0, 0, 0]", reason)]


def test_an_unsupported_codec_is_never_decoded(tmp_path: Path) -> None:
    path = v2(tmp_path / "a.zarr", numbers())
    metadata = path / "x" / ".zarray"
    document = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(document | {"filters": [{"id": "pcodec"}]}))
    found = damage(path)
    assert len(found) == 18
    assert {reason for _, reason, _ in found} == {"undecodable"}
    assert found[0][2] == "codec pcodec is not part of a plain installation"


def test_no_link_is_followed_and_nothing_but_files_is_read(tmp_path: Path) -> None:
    path = v2(tmp_path / "a.zarr", numbers())
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(240))
    for make in (
        lambda file: file.symlink_to(outside),
        lambda file: file.symlink_to("0.0.1"),
        lambda file: file.mkdir(),
        lambda file: os.mkfifo(file),
    ):
        file = path / "x" / "0.0.0"
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink()
        make(file)
        ((key, reason, _),) = damage(path)
        assert (key, reason) == ("0.0.0", "undecodable")


def test_a_linked_folder_of_chunks_is_not_entered(tmp_path: Path) -> None:
    path = v3(tmp_path / "a.zarr", numbers())
    (path / "x" / "c" / "0").rename(tmp_path / "away")
    (path / "x" / "c" / "0").symlink_to(tmp_path / "away")
    ((key, reason, words),) = damage(path)
    assert (key, reason) == ("c/0", "undecodable")
    assert "a symbolic link, which is never followed" in words


def test_a_chunk_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = v2(tmp_path / "a.zarr", numbers(), compressors=numcodecs.Zstd())
    with (path / "x" / "0.0.0").open("r+b") as file:
        file.truncate(1 << 40)
    ((_, reason, words),) = damage(path)
    assert reason == "wrong-length"
    assert "more than 240 bytes can take in any encoding" in words


def array_of(document: Any) -> ZarrArray:
    array = parse_v3(document, Limits(chunks=1 << 62)).array
    assert array is not None
    return array


def test_a_grid_of_more_chunks_than_fit_in_memory_is_lazy(tmp_path: Path) -> None:
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [1 << 40, 1 << 20],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }
    values = ZarrValues(layout_of(array_of(document)), opener_of(lambda _: None), BufferPool())
    pieces = list(itertools.islice(values.pieces(), 3))
    assert [piece.key for piece in pieces] == ["c/0/0", "c/0/1", "c/0/2"]
    (block,) = values.read(pieces[2])
    assert isinstance(block, Block)
    assert (block.start, block.absent) == ((0, 2), True)


def test_a_store_that_gives_whole_values_can_be_read() -> None:
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [3],
        "data_type": "int16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
        "chunk_key_encoding": {"name": "v2"},
        "fill_value": 7,
        "codecs": [{"name": "bytes", "configuration": {"endian": "big"}}],
    }
    store = {"0": b"\0\1\0\2"}
    values = ZarrValues(layout_of(array_of(document)), opener_of(store.get), BufferPool())
    found = [
        block.values.tolist() for piece in values.pieces() for block in values.read(piece) if isinstance(block, Block)
    ]
    assert found == [[1, 2], [7]]
    assert Held(b"abc").size == 3


def test_handles_of_folders_are_few_and_all_let_go_of(tmp_path: Path) -> None:
    path = v3(tmp_path / "a.zarr", np.arange(200, dtype=np.int16).reshape(100, 2), chunks=(1, 2))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        for piece in values.pieces():
            assert all(isinstance(block, Block) for block in values.read(piece))
        assert len(list(Path("/proc/self/fd").iterdir())) - before < 40
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_folder_that_becomes_a_link_is_not_followed_though_it_was_entered(tmp_path: Path) -> None:
    path = v3(tmp_path / "a.zarr", numbers())
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        pieces = list(values.pieces())
        assert all(isinstance(block, Block) for piece in pieces[:3] for block in values.read(piece))
        (path / "x" / "c" / "0").rename(tmp_path / "away")
        (path / "x" / "c" / "0").symlink_to("1")
        first, last = ([*values.read(piece)] for piece in (pieces[0], pieces[-1]))
        assert isinstance(first[0], Block)  # the folder that was entered, not what the link points at
        assert isinstance(last[0], Block)
    assert damage(path)[0][:2] == ("c/0", "undecodable")


@pytest.mark.parametrize("container", ["zarr-v2", "zarr-v3", "zarr-v3-sharded"])
def test_a_trusted_validation_opens_each_document_once(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = traces.written(tmp_path, container)
    opened: Counter[str] = Counter()
    plain = os.open

    def counting(name: Any, *args: Any, **options: Any) -> int:
        fd = plain(name, *args, **options)
        if os.path.basename(name) in DOCUMENTS:  # noqa: PTH119
            opened[str(Path(f"/proc/self/fd/{fd}").readlink())] += 1
        return fd

    monkeypatch.setattr(os, "open", counting)
    assert vizschema.validate(path, isolated=False).exit_code == 0
    monkeypatch.undo()
    documents = {str(place) for place in path.rglob("*") if place.name in DOCUMENTS}
    assert opened == Counter(documents)
