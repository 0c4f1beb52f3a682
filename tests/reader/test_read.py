"""`vizschema.open`: arrays by path, read when asked for, and nothing followed that the description warns of."""

from __future__ import annotations

import ast
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
import zarr
from support.traces import CONTAINERS, arrays, attributes, hidden

import vizschema
from vizschema import Archive, Damaged, NotAnArchive, UsageError
from vizschema.reader.archive import OTHERS
from vizschema.reader.arrays import StoredArray, StoredGroup

container = pytest.mark.parametrize("container", CONTAINERS)


def written(folder: Path, container: str = "zarr-v3") -> Path:
    path = folder / CONTAINERS[container]
    vizschema.write(path, arrays(), attributes(), profile="trace", container=container)
    return path


@container
def test_what_was_written_is_read_with_axes_and_attributes(container: str, tmp_path: Path) -> None:
    with vizschema.open(written(tmp_path, container)) as archive:
        for path, given in arrays().items():
            stored = archive[path]
            assert isinstance(stored, StoredArray)
            expected = np.asarray(given.data)
            read = stored[...]
            assert isinstance(read, np.ndarray)
            assert (stored.shape, stored.ndim, stored.dtype) == (expected.shape, expected.ndim, read.dtype)
            assert read.dtype == expected.dtype.newbyteorder("=")
            assert np.array_equal(read, expected)
            assert stored.axes == tuple(given.axes)
            assert stored.attributes == dict(given.attributes)


@container
def test_indexing_takes_what_is_asked_for(container: str, tmp_path: Path) -> None:
    with vizschema.open(written(tmp_path, container)) as archive:
        for path in ("/activations/layer_00", "/activations/gates"):
            expected = arrays()[path].data
            assert np.array_equal(archive[path][1, 2:4], expected[1, 2:4])
            assert archive[path][0, 0].dtype == expected.dtype
            assert np.array_equal(np.asarray(archive[path]), expected)
            assert np.asarray(archive[path], dtype=np.float64).dtype == np.float64
        chunked = container not in ("npz", "asdf")
        assert archive["/activations/layer_00"].chunks == ((2, 5, 4) if chunked else None)
        assert archive["/attention/self/layer_00"].chunks == ((1, 1, 5, 5) if chunked else None)


def test_reading_one_part_reads_no_other_chunk(tmp_path: Path) -> None:
    path = written(tmp_path)
    (path / "attention/self/layer_00/c/1/2/0/0").write_bytes(b"damaged")
    with vizschema.open(path) as archive:
        maps = archive["/attention/self/layer_00"]
        assert maps[0, 2].shape == (5, 5)
        with pytest.raises(Damaged, match=r"layer_00: cannot be read: chunk c/1/2/0/0: truncated: ") as damaged:
            maps[1, 2]
    assert damaged.value.path == "/attention/self/layer_00"
    assert (damaged.value.key, damaged.value.reason) == ("c/1/2/0/0", "truncated")


def test_an_array_on_disk_cannot_become_one_without_a_copy(tmp_path: Path) -> None:
    with vizschema.open(written(tmp_path)) as archive, pytest.raises(ValueError, match="without a copy"):
        np.asarray(archive["/activations/layer_00"], copy=False)


@container
def test_groups_show_attributes_and_members(container: str, tmp_path: Path) -> None:
    with vizschema.open(written(tmp_path, container)) as archive:
        group = archive["/activations"]
        assert group == StoredGroup("/activations", {"num_layers": 2}, ("gates", "layer_00", "layer_01"))
        assert archive["/"].members == ("activations", "attention", "extra", "metadata", "outputs")


def test_an_archive_lists_its_paths_and_shows_its_description(tmp_path: Path) -> None:
    path = written(tmp_path)
    with vizschema.open(path) as archive:
        assert isinstance(archive, Archive)
        assert archive.description == vizschema.describe(path)
        assert archive.paths() == list(archive.description["nodes"])
        assert "/outputs/loss" in archive
        assert "/outputs/lost" not in archive


def test_a_path_that_is_not_there_names_those_near_it(tmp_path: Path) -> None:
    with vizschema.open(written(tmp_path)) as archive:
        with pytest.raises(
            KeyError, match=r"/activations/layer_0 is not in trace\.zarr; there is /activations/layer_0"
        ):
            archive["/activations/layer_0"]
        with pytest.raises(KeyError, match=r"there is /activations/layer_01, /activations/layer_00"):
            archive["/activations/layer_1"]
        with pytest.raises(KeyError, match=r"/activatoins is not in trace\.zarr; there is /activations"):
            archive.tree("/activatoins")
        with pytest.raises(KeyError, match=r"is not in trace\.zarr'$"):
            archive["?"]


def test_what_is_no_archive_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive):
        vizschema.open(tmp_path / "nothing.zarr")


def test_what_is_damaged_is_not_opened(tmp_path: Path) -> None:
    path = written(tmp_path)
    (path / "activations/layer_00/zarr.json").write_text("{", encoding="utf-8")
    with vizschema.open(path) as archive:
        with pytest.raises(NotAnArchive, match="/activations/layer_00: cannot be read: metadata-malformed: "):
            archive["/activations/layer_00"]
        assert np.array_equal(archive["/activations/layer_01"][...], hidden(1).data)


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5")
    with h5py.File(path, "r+") as file:
        file["outside"] = h5py.ExternalLink("other.h5", "/data")
    with vizschema.open(path) as archive, pytest.raises(NotAnArchive, match="/outside: cannot be read: external-link"):
        archive["/outside"]


RECORD = np.dtype(
    {
        "names": ["a", "b", "c", "d"],
        "formats": [">i4", np.dtype([("x", "<c8"), ("y", "?")]), ("<f8", (2, 3)), "S5"],
        "offsets": [4, 10, 24, 72],
        "itemsize": 80,
    }
)


def _bitfields(file: h5py.File, kind: object, options: object) -> None:
    space, creation = h5py.h5s.create_simple((4,)), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if options:
        creation.set_chunk((3,))
        creation.set_deflate(4)
    dataset = h5py.h5d.create(file.id, b"x", kind, space, creation)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(8, dtype=np.uint8), kind)


@pytest.mark.parametrize("options", [{}, {"chunks": (3,), "compression": "gzip"}], ids=["contiguous", "chunks"])
@pytest.mark.parametrize(
    "dtype",
    [
        h5py.enum_dtype({"low": -2, "high": 300}, basetype=">i2"),
        h5py.h5t.STD_B16LE,
        h5py.h5t.STD_B16BE,
        RECORD,
        np.dtype([("on", "?"), ("kind", h5py.enum_dtype({"a": 1}, basetype="u1"))]),
        np.dtype(np.longdouble),
        h5py.opaque_dtype(np.dtype("<M8[ns]")),
        h5py.opaque_dtype(np.dtype("<m8[D]")),
        np.dtype("V5"),
    ],
    ids=["enum", "bits-le", "bits-be", "record", "flags", "longdouble", "time", "duration", "opaque"],
)
def test_types_of_a_fixed_size_are_read_as_h5py_reads_them(
    dtype: object, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        if isinstance(dtype, np.dtype):
            raw = np.frombuffer(np.random.default_rng(0).bytes(4 * dtype.itemsize), np.uint8) & 1
            file.create_dataset("x", data=raw.view(dtype), dtype=dtype, **options)
        else:
            _bitfields(file, dtype, options)
    with h5py.File(path) as file, vizschema.open(path) as archive:
        expected, stored = file["x"][...], archive["/x"]
        assert stored.dtype == expected.dtype.newbyteorder("=") == stored[...].dtype
        for key in (np.s_[...], np.s_[1:3], np.s_[2]):
            found, wanted = stored[key], expected[key].astype(stored.dtype)
            if stored.dtype.names is None:
                assert found.tobytes() == wanted.tobytes()
            for name in stored.dtype.names or ():  # what lies between the fields is nobody's
                assert np.array_equal(found[name], wanted[name])
        assert archive.description["nodes"]["/x"]["dtype"] in OTHERS.keys() | {"float80of128"}


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (h5py.vlen_dtype(h5py.vlen_dtype("i4")), "vlen .lists of any length."),
        (h5py.ref_dtype, "reference .references to other objects."),
        (np.dtype([("a", h5py.vlen_dtype("i4")), ("b", h5py.ref_dtype)]), "compound .records with fields."),
        (np.dtype([("a", h5py.string_dtype(), (65,))]), "compound .records with fields."),
        (np.dtype(("f4", (2,))), "array .each value an array itself."),
    ],
    ids=["vlen", "reference", "compound", "many texts", "array"],
)
def test_what_is_not_read_is_said_to_be_what_it_is(dtype: np.dtype[Any], words: str, tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("lists", (2,), dtype)
    words = (
        f"/lists: cannot be read: expected numbers, booleans or text, found {words}, which vizschema does not read: "
    )
    with vizschema.open(path) as archive, pytest.raises(NotAnArchive, match=words):
        archive["/lists"]


def test_a_codec_that_would_execute_is_never_run(tmp_path: Path) -> None:
    path = written(tmp_path, "zarr-v2")
    document = path / "activations/layer_00/.zarray"
    metadata = json.loads(document.read_bytes())
    metadata["filters"] = [{"id": "pickle"}]
    document.write_text(json.dumps(metadata), encoding="utf-8")
    (path / ".zmetadata").unlink()
    with (
        vizschema.open(path) as archive,
        pytest.raises(NotAnArchive, match=r"/layer_00: cannot be read: .*pickle"),
    ):
        archive["/activations/layer_00"]


def test_a_name_that_is_shown_escaped_is_not_opened(tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5")
    with h5py.File(path, "r+") as file:
        file["odd\x1bname"] = [1, 2]
        file["odd\x1bgroup/inner"] = [1, 2]
    with vizschema.open(path) as archive:
        for name in ("/odd\\u001bname", "/odd\\u001bgroup/inner"):
            with pytest.raises(NotAnArchive, match="its name holds characters that are shown escaped"):
                archive[name]


def test_a_closed_archive_is_not_read(tmp_path: Path) -> None:
    for container in CONTAINERS:
        folder = tmp_path / container
        folder.mkdir()
        with vizschema.open(written(folder, container)) as archive:
            stored = archive["/activations/layer_00"]
            stored[0]
        with pytest.raises(UsageError, match=r"/activations/layer_00: expected an open archive, found a closed one"):
            stored[0]


@pytest.mark.parametrize(
    ("fill", "expected"), [(1.5, 1.5), (0, 0.0), ("0x3fc0", 1.5), ("Infinity", np.inf), ("-Infinity", -np.inf)]
)
def test_a_chunk_of_bfloat16_that_is_absent_has_the_fill_value(fill: object, expected: float, tmp_path: Path) -> None:
    path = written(tmp_path)
    document = path / "activations/gates/zarr.json"
    document.write_text(json.dumps({**json.loads(document.read_bytes()), "fill_value": fill}), encoding="utf-8")
    root = json.loads((path / "zarr.json").read_bytes())
    root.pop("consolidated_metadata")
    (path / "zarr.json").write_text(json.dumps(root), encoding="utf-8")
    (path / "activations/gates/c/0/0").unlink()
    with vizschema.open(path) as archive:
        read = archive["/activations/gates"][...]
    assert read.dtype == ml_dtypes.bfloat16
    assert (read == ml_dtypes.bfloat16(expected)).all()


def test_archives_of_others_are_read_too(real: Path) -> None:
    with vizschema.open(real / "published" / "vit_mnist_trace.zarr") as archive:
        maps = archive["/attention/layer_0"]
        assert (maps.shape, maps.axes, maps.dtype) == ((8, 4, 50, 50), None, np.float32)
        theirs = zarr.open_array(real / "published" / "vit_mnist_trace.zarr", path="attention/layer_0", mode="r")
        assert np.array_equal(maps[2, 1], theirs[2, 1])
    with vizschema.open(real / "writers" / "benchmark.h5") as archive:
        arrays = [path for path in archive.paths() if archive.description["nodes"][path]["kind"] == "array"]
        assert all(archive[path][...].shape == archive[path].shape for path in arrays)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_members_in_any_order_of_bytes_and_axes_are_read(save: object, tmp_path: Path) -> None:
    given = {
        "swapped": np.arange(6, dtype=">i4").reshape(2, 3),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3)),
        "one": np.float32(2),
    }
    save(tmp_path / "a.npz", **given)  # type: ignore[operator]
    with vizschema.open(tmp_path / "a.npz") as archive:
        for name, expected in given.items():
            assert np.array_equal(archive[f"/{name}"][...], expected)
            assert archive[f"/{name}"][...].dtype.isnative
        assert archive["/turned"][1, 2] == 5


def test_a_large_packed_member_is_decoded_once_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.reader.selection.IN_MEMORY", 100)
    large = np.arange(999.0).reshape(9, 111)
    np.savez_compressed(tmp_path / "a.npz", a=large)
    with vizschema.open(tmp_path / "a.npz") as archive:
        stored = archive["/a"]
        assert all(np.array_equal(stored[row], large[row]) for row in range(9))


def test_a_damaged_member_is_said_so(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(999.0))
    raw = bytearray((tmp_path / "a.npz").read_bytes())
    raw[900] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(raw)
    with (
        vizschema.open(tmp_path / "a.npz") as archive,
        pytest.raises(NotAnArchive, match=r"/a: cannot be read: chunk a\.npy"),
    ):
        archive["/a"][...]


@pytest.mark.parametrize("container", CONTAINERS)
def test_reading_imports_no_library_but_the_one_that_finds_chunks(container: str, tmp_path: Path) -> None:
    path = written(tmp_path, container)
    program = (
        "import sys, vizschema\n"
        "with vizschema.open(sys.argv[1]) as archive:\n"
        "    archive['/activations/layer_00'][...]\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'zarr', 'h5py', 'asdf', 'fsspec'}))"
    )
    found = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
    assert found.stdout.split() == (["h5py"] if container == "hdf5" else [])


def test_what_reads_values_uses_only_the_low_level_of_h5py() -> None:
    sources = (Path(vizschema.__file__).parent / "containers").rglob("*.py")
    names = {
        (node.module, name.name)
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ("h5py", "zarr")
        for name in node.names
    }
    assert names
    assert {(module, name[:2]) for module, name in names} == {("h5py", "h5")}


@pytest.mark.parametrize("version", [2, 3])
def test_a_codec_without_a_decoder_is_named_and_is_no_damage(version: int, tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=version)
    group.create_array("x", data=np.zeros(4), compressors=None)
    document = tmp_path / "a.zarr/x" / ("zarr.json" if version == 3 else ".zarray")
    metadata = json.loads(document.read_bytes())
    if version == 3:
        metadata["codecs"].append({"name": "zlib", "configuration": {"level": 1}})
    else:
        metadata["compressor"] = {"id": "zfpy"}
    document.write_text(json.dumps(metadata), encoding="utf-8")
    with vizschema.open(tmp_path / "a.zarr") as archive, pytest.raises(NotAnArchive) as refused:
        archive["/x"]
    name = "zlib" if version == 3 else "zfpy"
    assert (
        str(refused.value)
        == f"/x: cannot be read: expected codecs that are decoded here, found {name}, which vizschema does not read"
    )
    assert not isinstance(refused.value, Damaged)


@pytest.mark.parametrize("library", ["vizschema", "h5py"])
def test_a_file_that_this_process_reads_is_judged_like_any_other(library: str, tmp_path: Path) -> None:
    path = written(tmp_path, "hdf5")
    before = vizschema.validate(path, digest=True)
    with h5py.File(path) if library == "h5py" else vizschema.open(path) as held:
        assert vizschema.validate(path, digest=True) == before
        assert vizschema.digest(path) == before.digest
        with vizschema.open(path) as archive:
            assert np.array_equal(archive["/activations/layer_01"][...], hidden(1).data)
        vizschema.convert(path, tmp_path / "b.zarr")
        assert held["/activations/layer_01"].shape == (2, 5, 4)


def test_an_archive_that_nobody_closed_lets_go_of_its_files(tmp_path: Path) -> None:
    for container in ("zarr-v3", "hdf5", "npz"):
        folder = tmp_path / container
        folder.mkdir()
        path = written(folder, container)
        assert vizschema.open(path)["/outputs/loss"][()] == 3.5
        gc.collect()
        held = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
        assert not [name for name in held if name.startswith(str(path))]
