"""Reading HDF5's values: every layout and filter of a plain installation, fill values, and damage told apart."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import ml_dtypes
import numpy as np
import pytest
from support.hdf5_files import patched, unfiltered_edges
from support.stored_values import CHUNKS, SHAPE, blocks, damage, numbers, whole

import vizschema
from vizschema.containers.hdf5 import chunks
from vizschema.containers.hdf5.file import OPEN_DATASETS
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, ChunkDamaged, Placed
from vizschema.describing import describe_open
from vizschema.scan.coverage import describe_scanned
from vizschema.scan.threads import scan

DTYPES = ["bool", "|i1", "<u2", ">i4", "<i8", ">u8", "<f2", ">f4", "<f8", ">f8", "<c8", ">c16"]


def measured(path: Path) -> dict[str, Any]:
    """The description of a file, with the ranges and hashes of all values."""
    entries = [{"at": "^/", "measure": ["range", "values_hash"]}]
    with closing(open_container(str(path))) as container:
        description = describe_open(container)
        return describe_scanned(description, scan(container, description, entries))


def written(path: Path, values: Any, **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, **options)
    return path


LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks": {"chunks": CHUNKS},
    "deflate": {"chunks": CHUNKS, "compression": "gzip"},
    "deflate-shuffle-fletcher32": {"chunks": CHUNKS, "compression": "gzip", "shuffle": True, "fletcher32": True},
    "fletcher32": {"chunks": CHUNKS, "fletcher32": True},
    "shuffle": {"chunks": CHUNKS, "shuffle": True},
    "lzf": {"chunks": CHUNKS, "compression": "lzf"},
    "blosc": {"chunks": CHUNKS, **hdf5plugin.Blosc("zstd")},
    "zstd": {"chunks": CHUNKS, **hdf5plugin.Zstd()},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_and_filter_comes_back_in_native_order(tmp_path: Path, layout: str, dtype: str) -> None:
    values = numbers(dtype)
    found = whole(written(tmp_path / "a.h5", values, **LAYOUTS[layout]), values)
    assert found.dtype.isnative
    assert (found == values).all()


def test_integers_that_libhdf5_packs_are_read_by_it(tmp_path: Path) -> None:
    values = numbers("<i4")
    assert (whole(written(tmp_path / "a.h5", values, chunks=CHUNKS, scaleoffset=0), values) == values).all()


@pytest.mark.parametrize("dtype", ["<f4", ">i2", ">f8"])
def test_values_in_the_header_of_a_dataset_are_read(tmp_path: Path, dtype: str) -> None:
    values = numbers(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(values.shape)
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(values.dtype, logical=True), space, creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    assert (whole(tmp_path / "a.h5", values) == values).all()


def test_a_scalar_an_empty_array_and_bfloat16(tmp_path: Path) -> None:
    values = numbers().astype(ml_dtypes.bfloat16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scalar"] = 2.5
        file.create_dataset("none", shape=(0, 3), dtype="f4")
        file.create_dataset("x", data=values.view(np.uint16), chunks=CHUNKS).attrs["stored_dtype"] = "bfloat16"
    assert whole(tmp_path / "a.h5", np.zeros(()), "/scalar") == 2.5
    assert blocks(tmp_path / "a.h5", "/none") == []
    assert whole(tmp_path / "a.h5", values).tobytes() == values.tobytes()


def test_a_file_behind_a_user_block_is_read_by_the_library(tmp_path: Path) -> None:
    values = numbers()
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file.create_dataset("x", data=values)
        file.create_dataset("y", data=values, chunks=CHUNKS, compression="gzip")
    assert (whole(tmp_path / "a.h5", values) == values).all()
    assert (whole(tmp_path / "a.h5", values, "/y") == values).all()


def test_a_large_contiguous_array_comes_in_ranges_of_rows(tmp_path: Path) -> None:
    values = np.arange(5 * 700 * 1000, dtype=np.float32).reshape(5, 700, 1000)
    path = written(tmp_path / "a.h5", values)
    found = blocks(path)
    assert max(block.values.nbytes for block in found if isinstance(block, Block)) <= 4 << 20
    assert (whole(path, values) == values).all()
    with closing(open_container(str(path))) as container:
        pieces = list(container.values("/x").pieces())
    assert sum(piece.chunks for piece in pieces) == 1 < len(pieces)


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 2)}], ids=["contiguous", "chunked"])
@pytest.mark.parametrize(("fill", "value"), [(None, 0), (2.5, 2.5), (float("nan"), float("nan"))])
def test_what_was_never_written_is_the_fill_value(
    tmp_path: Path, options: dict[str, Any], fill: float | None, value: float
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", shape=(4, 3), dtype=">f4", fillvalue=fill, **options)
    found = blocks(tmp_path / "a.h5")
    assert all(isinstance(block, Block) and block.absent and not block.stored_bytes for block in found)
    assert [block.absent for block in found if isinstance(block, Block)] == [4 if options else 1]
    np.testing.assert_array_equal(found[0].values, np.full(found[0].values.shape, value, "f4"))  # type: ignore[union-attr]


def test_a_chunk_that_was_never_written_is_told_from_the_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", shape=SHAPE, dtype="f4", chunks=CHUNKS)[:3, :4, :5] = 1
    found = [block for block in blocks(tmp_path / "a.h5") if isinstance(block, Block)]
    assert [(block.start, block.absent) for block in found] == [
        ((0, 0, 0), 0),
        ((0, 0, 5), 1),
        ((0, 4, 0), 4),
        ((3, 0, 0), 12),
    ]


def rewritten(path: Path, change: Any, mask: int = 0, **options: Any) -> Path:
    """A file whose first chunk holds what `change` makes of its stored bytes."""
    written(path, numbers(), **options)
    with h5py.File(path, "r+") as file:
        dataset = file["x"].id
        _, data = dataset.read_direct_chunk((0, 0, 0))
        dataset.write_direct_chunk((0, 0, 0), change(data), mask)
    return path


CUTS: list[tuple[dict[str, Any], Any, str, str]] = [
    ({"shuffle": True}, lambda data: data[:-1], "truncated", "what shuffle decodes has 239 bytes, expected 240"),
    ({"compression": "gzip"}, lambda data: data[:-1], "truncated", "its zlib stream ends after"),
    ({"compression": "gzip"}, lambda _: b"no stream", "undecodable", "zlib: "),
    ({"fletcher32": True}, lambda data: b"\xff" + data[1:], "checksum", "its fletcher32 is not that of its bytes"),
    ({"fletcher32": True}, lambda data: data[:-1], "truncated", "what fletcher32 decodes has 243 bytes"),
    ({"compression": "gzip"}, lambda _: bytes(1 << 20), "wrong-length", "more than 240 bytes can take in any encoding"),
    (dict(hdf5plugin.Blosc("zstd")), lambda data: data[:-1], "truncated", "its blosc frame has"),
]


@pytest.mark.parametrize(("options", "change", "reason", "detail"), CUTS)
def test_damage_is_told_apart_and_the_others_are_read(
    tmp_path: Path, options: dict[str, Any], change: Any, reason: str, detail: str
) -> None:
    path = rewritten(tmp_path / "a.h5", change, chunks=CHUNKS, **options)
    ((key, found, words),) = damage(path)
    assert (key, found) == ("/x[0, 0, 0]", reason)
    assert detail in words
    assert sum(isinstance(block, Block) for block in blocks(path)) == 17


def test_a_filter_that_a_chunk_was_written_without_is_not_undone(tmp_path: Path) -> None:
    values = numbers()
    raw = np.ascontiguousarray(values[:3, :4, :5]).tobytes()
    path = rewritten(tmp_path / "a.h5", lambda _: raw, mask=1, chunks=CHUNKS, compression="gzip")
    assert (whole(path, values) == values).all()


def test_a_chunk_behind_the_end_of_the_file_is_truncated(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", numbers(), chunks=CHUNKS, compression="gzip")
    with h5py.File(path) as file:
        last = max(file["x"].id.get_chunk_info(number).byte_offset for number in range(18))
    with closing(open_container(str(path))) as container:
        values = container.values("/x")
        pieces = list(values.pieces())
        with path.open("r+b") as file:
            file.truncate(last + 1)
        found = [found for piece in pieces for found in values.read(piece) if isinstance(found, ChunkDamaged)]
    assert [problem.reason for problem in found] == ["truncated"]
    assert found[0].detail.endswith("found 1")


def test_raw_chunks_that_are_gone_or_too_short_are_damage_in_every_part(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", np.arange(1, 21), chunks=(2,))
    whole = path.read_bytes()
    key = whole.rindex(b"TREE") + 24 + 3 * 32  # of the fourth chunk: its size, its filters, its first entry
    for at, number in ((key, 15), (key + 8, 4)):  # too short; in the place of another
        path.write_bytes(whole[:at] + bytes([number]) + whole[at + 1 :])
        with vizschema.open(path) as archive:
            for part in (np.s_[...], np.s_[6:8]):
                with pytest.raises(vizschema.Damaged):
                    archive["/x"][part]
    path.write_bytes(whole)
    with vizschema.open(path) as archive:
        assert archive["/x"][0] == 1
        with path.open("r+b") as file:
            file.truncate(whole.index(bytes([20, *bytes(7)])))
        with pytest.raises(vizschema.Damaged, match="truncated"):
            archive["/x"][...]


def test_a_contiguous_array_that_is_cut_off_is_truncated(tmp_path: Path) -> None:
    values = np.ones((3, 1 << 20), np.float32)
    path = written(tmp_path / "a.h5", values)
    with h5py.File(path) as file:
        offset = file["x"].id.get_offset()
    with closing(open_container(str(path))) as container:
        with path.open("r+b") as file:
            file.truncate(offset + (5 << 20))
        opened = container.values("/x")
        found = [found for piece in opened.pieces() for found in opened.read(piece)]
    assert [problem.reason for problem in found if isinstance(problem, ChunkDamaged)] == ["truncated", "truncated"]
    assert sum(isinstance(block, Block) for block in found) == 1


def test_a_filter_without_a_decoder_of_ours_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", numbers(), chunks=CHUNKS, **hdf5plugin.LZ4())
    assert damage(path)[0][1:] == ("undecodable", "codec hdf5-32004 is not part of a plain installation")


def test_names_that_a_description_escapes_are_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["odd\\name/\u202ex"] = numbers()
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        paths = [path for path, node in container.nodes() if node["kind"] == "array"]
        assert paths == ["/odd\\\\name/\\u202ex"]
        values = container.values(paths[0])
        assert values.shape == SHAPE


def test_what_is_gone_or_no_array_of_numbers_is_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("lists", (1,), h5py.ref_dtype)
        file.create_group("group")
        file["type"] = np.dtype("<f4")
    said = dict.fromkeys(("/", "/group", "/type"), "not a dataset") | {"/missing": "undecodable"}
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        for path, words in {"/lists": "of no fixed size", **said}.items():
            with pytest.raises(ChunkDamaged, match=words):
                container.values(path)


@pytest.mark.parametrize("options", [hdf5plugin.Blosc("zstd"), hdf5plugin.Zstd()], ids=["blosc", "zstd"])
def test_filters_are_undone_though_nobody_has_the_plug_ins(tmp_path: Path, options: Any) -> None:
    path = written(tmp_path / "a.h5", numbers(), chunks=CHUNKS, **options)
    script = (
        "import sys; sys.modules['hdf5plugin'] = None; import numpy, vizschema; "
        "print(vizschema.validate(sys.argv[1]).coverage['bytes_read']); "
        "archive = vizschema.open(sys.argv[1]); numpy.save(sys.argv[2], archive['/x'][1:, 2]); archive.close()"
    )
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "part.npy")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(numbers().nbytes)]
    assert np.array_equal(np.load(tmp_path / "part.npy"), numbers()[1:, 2], equal_nan=True)


FILTERS: dict[str, Any] = {
    "shuffle": lambda creation: creation.set_shuffle(),
    "deflate": lambda creation: creation.set_deflate(5),
    "fletcher32": lambda creation: creation.set_fletcher32(),
    "lzf": lambda creation: creation.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL),
    "scaleoffset": lambda creation: creation.set_scaleoffset(h5py.h5z.SO_INT, 0),
    "zstd": lambda creation: creation.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,)),
}


def with_unfiltered_edges(path: Path, values: Any, chunks: tuple[int, ...], filters: list[str], growing: bool) -> Path:
    with h5py.File(path, "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk(chunks)
        for name in filters:
            FILTERS[name](creation)
        unfiltered_edges(creation)
        most = (h5py.h5s.UNLIMITED,) * values.ndim if growing else values.shape
        space = h5py.h5s.create_simple(values.shape, most)
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(values.dtype), space, creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return path


@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "growing"])
@pytest.mark.parametrize("shape", [(23,), (7, 9), (8, 9), (7, 8), (7, 9, 10)], ids=str)
@pytest.mark.parametrize(
    "filters",
    [[name] for name in FILTERS] + [["shuffle", "deflate"], ["shuffle", "deflate", "fletcher32"]],
    ids="-".join,
)
def test_chunks_over_an_edge_are_read_as_they_were_stored_without_filters(
    tmp_path: Path, filters: list[str], shape: tuple[int, ...], growing: bool
) -> None:
    values = np.arange(np.prod(shape), dtype=">i4").reshape(shape)
    path = with_unfiltered_edges(tmp_path / "a.h5", values, (4, 4, 5)[: len(shape)], filters, growing)
    with h5py.File(path) as file:
        assert (file["x"][...] == values).all()
    assert (whole(path, values) == values).all()


def test_chunks_over_an_edge_are_read_by_libhdf5_where_it_cannot_be_asked_how_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    values = numbers()
    filtered = written(tmp_path / "a.h5", values, chunks=CHUNKS, compression="gzip", shuffle=True)
    assert (whole(filtered, values) == values).all()
    monkeypatch.undo()
    plain = with_unfiltered_edges(tmp_path / "b.h5", values, CHUNKS, ["shuffle"], growing=False)
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert (whole(plain, values) == values).all()


def test_a_chunk_over_an_edge_that_is_filtered_is_undone_as_ever(tmp_path: Path) -> None:
    values = numbers()
    path = written(tmp_path / "a.h5", values, chunks=CHUNKS, shuffle=True, fletcher32=True)
    assert (whole(path, values) == values).all()


@pytest.mark.parametrize("chunks", [None, (2, 6, 1 << 14)], ids=["contiguous", "chunked"])
def test_terabytes_that_were_never_written_are_a_few_blocks(tmp_path: Path, chunks: tuple[int, ...] | None) -> None:
    shape = (2, 6, 1 << 35)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", shape, "<f4", chunks=chunks, fillvalue=2)
        if chunks:
            dataset[:, :, 1 << 20] = 1
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        values = container.values("/x")
        pieces = list(values.pieces())
        found = [block for piece in pieces for block in values.read(piece) if isinstance(block, Block)]
    assert sum(block.values.size for block in found) == 12 << 35
    assert sum(block.absent for block in found) == sum(piece.chunks for piece in pieces) - (chunks is not None)
    assert len(found) == (3 if chunks else 1)
    assert max(piece.decoded_bytes for piece in pieces) <= 4 * 2 * 6 << 14


def test_an_array_of_terabytes_that_was_never_written_has_facts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (2, 6, 1 << 35), "<f4", fillvalue=2)
        file.create_dataset("y", (2, 6, 1 << 35), "<f4", chunks=(2, 6, 1 << 14))
    nodes = measured(tmp_path / "a.h5")["nodes"]
    assert [nodes[path]["facts"]["absent_chunks"] for path in ("/x", "/y")] == [1, 1 << 21]
    assert nodes["/x"]["facts"]["absent_keys"] == ["/x[0, 0, 0]"]
    assert nodes["/y"]["facts"]["absent_keys"][1] == "/y[0, 0, 1]"


@pytest.mark.parametrize("written_chunks", [(), (5,), (0, 1, 2, 7, 8, 35), tuple(range(36))], ids=len)
@pytest.mark.parametrize("box", [((0, 9), (0, 9), (0, 10)), ((3, 4), (2, 3), (9, 10)), ((1, 8), (0, 5), (4, 6))])
def test_the_pieces_that_touch_a_box_hold_all_of_it(
    tmp_path: Path, written_chunks: tuple[int, ...], box: tuple[tuple[int, int], ...]
) -> None:
    shape, counts = (9, 9, 10), (3, 3, 4)
    part = tuple(slice(*side) for side in box)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", shape, "<f4", chunks=(3, 3, 3), fillvalue=-1)
        for number in written_chunks:
            start = [3 * at for at in np.unravel_index(number, counts)]
            dataset[tuple(slice(at, at + 3) for at in start)] = number
        expected = dataset[part]
    seen, found = np.zeros(shape, int), np.zeros(shape, np.float32)
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        values = container.values("/x")
        assert isinstance(values, Placed)
        pieces = list(values.touching(box))
        assert [piece.index for piece in pieces] == sorted({piece.index for piece in pieces})
        assert set(pieces) <= set(values.pieces())
        for block in (block for piece in pieces for block in values.read(piece)):
            assert isinstance(block, Block)
            place = tuple(slice(at, at + size) for at, size in zip(block.start, block.values.shape, strict=True))
            seen[place] += 1
            found[place] = block.values
    assert seen.max() == 1
    assert (seen[part] == 1).all()
    assert (found[part] == expected).all()


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(
    "most", [(None, 9, 10), (7, None, 10), (8, 15, None), (7, None, None), (None,) * 3, (8, 15, 20)], ids=str
)
def test_chunks_lie_where_libhdf5_reads_them_whatever_their_index(
    tmp_path: Path, most: Any, libver: str, compression: str | None
) -> None:
    values = numbers()
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        options = {"chunks": CHUNKS, "maxshape": most, "compression": compression}
        file.create_dataset("x", data=values, **options)
        part = file.create_dataset("y", (3, 5, 6), values.dtype, fillvalue=7, **options)
        part.resize((7, 9, 10))
        part[4:, 3:5, 6:] = values[4:, 3:5, 6:]
        expected = part[...]
    assert (whole(tmp_path / "a.h5", values) == values).all()
    assert (whole(tmp_path / "a.h5", values, "/y") == expected).all()
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        order = [piece.index for piece in container.values("/x").pieces()]
    assert order == list(range(18))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_dataset_that_was_made_smaller_has_the_chunks_that_are_left(tmp_path: Path, libver: str) -> None:
    values = numbers()
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        dataset = file.create_dataset("x", data=values, chunks=CHUNKS, maxshape=(None, None, None))
        dataset.resize((4, 3, 10))
    assert (whole(tmp_path / "a.h5", values[:4, :3]) == values[:4, :3]).all()


def test_an_index_of_chunks_that_cannot_be_read_is_one_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", numbers(), chunks=CHUNKS, compression="gzip")
    content = path.read_bytes()
    at = max(place for place in range(len(content)) if content.startswith(b"TREE\x01", place))
    path.write_bytes(content[:at] + b"EERT" + content[at + 4 :])
    ((key, reason, detail),) = damage(path)
    assert (key, reason) == ("/x[0, 0, 0]", "undecodable")
    assert detail.startswith("the index of its chunks: ")
    description = measured(path)
    assert description["nodes"]["/x"]["facts"]["damaged_chunks"][0]["key"] == key
    assert description["coverage"]["chunks_read"] == 0


def test_an_index_that_names_a_chunk_twice_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", np.arange(8, dtype="<i4"), chunks=(4,))
    patched(path, (4).to_bytes(8, "little") + bytes(8), bytes(16))
    ((_, reason, detail),) = damage(path)
    assert (reason, detail) == ("undecodable", "the index of its chunks names one of them twice")


def test_no_dataset_stays_open_for_its_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(50):
            file.create_dataset(f"x{number}", data=numbers(), chunks=CHUNKS, compression="lzf")
    before = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_DATASET)
    with closing(open_container(str(tmp_path / "a.h5"))) as container:
        held = [container.values(f"/x{number}") for number in range(50)]
        for values in held:
            assert [block for piece in values.pieces() for block in values.read(piece)]
        assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_DATASET) - before <= OPEN_DATASETS


def test_a_tree_of_chunks_that_is_damaged_is_read_as_the_library_reads_it_or_not_at_all(tmp_path: Path) -> None:
    """No checksum guards this index: libhdf5 may list a chunk that it does not find when it reads."""
    path = tmp_path / "tree.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(1, 21), chunks=(2,))
    whole = path.read_bytes()
    start = whole.rindex(b"TREE")
    readable = 0
    for at in range(start + 24, start + 24 + 10 * 32 + 24):
        for bit in (0x01, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            try:
                with vizschema.open(path) as archive:
                    found = archive["/x"][...]
            except vizschema.NotAnArchive:
                continue
            with h5py.File(path) as file:
                assert found.tolist() == file["x"][...].tolist(), (at - start, bit)
            readable += 1
    assert readable > 10


def test_chunks_of_a_part_that_are_all_there_are_read_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = numbers()
    written(tmp_path / "a.h5", values, chunks=CHUNKS, compression="gzip")
    asked: list[str] = []
    monkeypatch.setattr(chunks, "read_index", lambda *_: asked.append("index"))
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert np.array_equal(archive["/x"][1:, ::2], values[1:, ::2])
    assert not asked


def test_a_list_of_one_text_says_in_netcdf_what_integers_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        file["x"] = np.array([0x3F80, 0x4000], "<u2")
        file["x"].attrs["stored_dtype"] = ["bfloat16"]
    with vizschema.open(tmp_path / "a.h5") as archive:
        assert archive["/x"].dtype.name == "bfloat16"
        assert archive["/x"][...].astype(float).tolist() == [1, 2]


def test_what_was_described_last_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.h5", numbers(), chunks=CHUNKS)
    with vizschema.open(path) as archive:
        monkeypatch.setattr("vizschema.containers.hdf5.file.h5o", None)
        assert (archive["/x"][...] == numbers()).all()
