"""What is no archive is named as what it is, with the way in that there is, and is exit code 3."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import pytest
from support import traces

import vizschema
from vizschema import NotAnArchive
from vizschema.cli import main

DATA = {"weights": np.arange(6.0)}
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
"""How `torch.save` began before torch 1.6: a magic number and a version, each a pickle."""


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return file.getvalue()


def torch(name: str, *tensors: int) -> bytes:
    """As `torch.save` writes it: records below the name of the file, tensors by number."""
    members = {f"{name}/data.pkl": pickle.dumps({}, 2), f"{name}/byteorder": b"little"}
    members |= {f"{name}/data/{tensor}": bytes(40) for tensor in tensors}
    return zipped(**members, **{f"{name}/version": b"3\n", f"{name}/.data/serialization_id": b"123"})


def npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def tarred() -> bytes:
    """A tar file of an HDF5 file, whose signature stands at byte 512: where a user block would end."""
    inner, file = io.BytesIO(), io.BytesIO()
    with h5py.File(inner, "w") as archive:
        archive["x"] = [1.0]
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a.h5")
        member.size = len(inner.getvalue())
        archive.addfile(member, io.BytesIO(inner.getvalue()))
    assert file.getvalue()[512:516] == b"\x89HDF"
    return file.getvalue()


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table x (y)")
    connection.close()


FILES: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "torch": (torch("model", 0, 1), "a PyTorch checkpoint; open it with torch"),
    "torch without tensors": (torch("archive"), "a PyTorch checkpoint"),
    "torch, one tensor": (torch("a", 0), "a PyTorch checkpoint"),
    "legacy torch": (LEGACY, "a PyTorch checkpoint, a pickle of torch before 1.6"),
    **{f"pickle {protocol}": (pickle.dumps(DATA, protocol), "a Python pickle, which is") for protocol in range(6)},
    **{f"pickle {protocol}, array": (pickle.dumps(DATA["weights"], protocol), "a Python") for protocol in range(6)},
    **{f"pickle {protocol}, list": (pickle.dumps([DATA, 1], protocol), "a Python pickle") for protocol in range(6)},
    **{f"pickle {protocol}, tuple": (pickle.dumps((1, 2.5), protocol), "a Python pickle") for protocol in range(6)},
    "joblib, zlib": (zlib.compress(pickle.dumps(DATA), 3), "a zlib stream, as joblib compresses pickles"),
    "npy": (npy(np.arange(3.0)), "a single array (.npy), not an archive; load it with numpy"),
    "npy of objects": (npy(np.array([{}, None])), "a single array (.npy) of Python objects: a Python pickle"),
    "netCDF classic": (
        b"CDF\x01" + bytes(100),
        "a netCDF classic file, not a Zarr or HDF5 archive; copy it with nccopy",
    ),
    "MATLAB 5": (
        b"MATLAB 5.0 MAT-file, Platform".ljust(124) + b"\x00\x01IM" + bytes(64),
        "a MATLAB file before version",
    ),
    "Parquet": (b"PAR1" + bytes(40) + b"PAR1", "a Parquet file; read it with pyarrow"),
    "Arrow": (b"ARROW1\0\0" + bytes(40), "an Arrow or Feather file"),
    "Feather 1": (b"FEA1" + bytes(40), "an Arrow or Feather file"),
    "Arrow stream": (b"\xff\xff\xff\xff\xa8\x01\0\0\x10\0\0\0\0\0\x0a\0" + bytes(40), "an Arrow or Feather file"),
    "GGUF": (b"GGUF\x03\0\0\0" + bytes(40), "a model of ggml (GGUF)"),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x051.13.:\xb2\x8c\x01", "an ONNX model; open it with onnx"),
    "ONNX without a producer": (b"\x08\x0a:\xd1\x02\n\x1f\n\x01x", "an ONNX model"),
    "SavedModel": (b"\x08\x01\x12\xb7\xaa\x0c\n\x1b", "a TensorFlow SavedModel (.pb)"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(40), "a TensorFlow Lite model"),
    "TensorFlow, index": (
        bytes(range(200)) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb",
        "the index of a TensorFlow checkpoint",
    ),
    "Flax": (
        b"\x82\xa6params\x81\xa5Dense\xc7\x10\x01" + bytes(16),
        "a MessagePack file, as Flax writes; open it with flax",
    ),
    "archives below folders": (
        zipped(**{"run/a.zarr/zarr.json": b"{}", "run/a.zarr/x/zarr.json": b"{}", "run/b.h5": b"", "n.txt": b""}),
        "a zip file with run/a.zarr, run/b.h5 in it; unpack it, and pass one of them",
    ),
    "an archive in a zip file": (zipped(**{"x/run.zarr.zip": b""}), "a zip file with x/run.zarr.zip in it; unpack it"),
    "TensorFlow, list": (b'model_checkpoint_path: "model-1"\n', "the list of TensorFlow's checkpoints"),
    "Keras": (
        zipped(**{"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b""}),
        "a Keras model (.keras)",
    ),
    "wheel": (zipped(**{"a/b.py": b"", "a-1.dist-info/WHEEL": b""}), "a Python wheel"),
    "xlsx": (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "an Office document"),
    "tar": (tarred, "a tar file, not an archive of arrays; unpack it first"),
    "gzip": (gzip.compress(b"a"), "a gzip file, not a Zarr or HDF5 archive; unpack it first"),
    "bzip2": (bz2.compress(b"a"), "a bzip2 file"),
    "xz": (lzma.compress(b"a"), "an xz file"),
    "zstd": (bytes(numcodecs.Zstd().encode(b"abc" * 99)), "a Zstandard file"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(40), "a 7-Zip file"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(40), "an image"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(40), "an image"),
    "TIFF": (b"II*\0" + bytes(40), "an image"),
    "FITS": (b"SIMPLE  =                    T".ljust(2880), "a FITS file"),
    "page": (b"<!DOCTYPE html>\n<html></html>", "a web page, not an archive; fetch the file itself"),
    "zarr.json": (b'{\n  "zarr_format": 3, "node_type": "group"}', "a metadata document of Zarr, not the archive"),
    ".zmetadata": (b'{"metadata": {".zgroup": {"zarr_format": 2}}}', "a metadata document of Zarr, not the archive"),
    "JSON": (b'{"a": 1}', "a text file, not an archive"),
    "comma-separated": (b"class,name\nc,d\n", "a text file, not an archive"),
    "text of one word": (b"c\nd\n", "a text file, not an archive"),
}
"""Files by what they are: their bytes, and how the message begins."""


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_format_is_named_as_what_it_is(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = FILES[name]
    path = tmp_path / "given.h5"
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(NotAnArchive) as opened:
        vizschema.open(path)
    assert str(opened.value).startswith(f"{path}: {words}")
    report = vizschema.validate(path)
    assert (report.verdict, report.exit_code, str(report.error)) == ("not judged", 3, str(opened.value))
    assert main.main(["convert", str(path), str(tmp_path / "b.zarr")]) == 3
    assert words in capsys.readouterr().err


def test_a_database_is_named_as_what_it_is(tmp_path: Path) -> None:
    database(tmp_path / "a.h5")
    with pytest.raises(NotAnArchive, match="an SQLite database"):
        vizschema.open(tmp_path / "a.h5")


FOLDERS: dict[str, tuple[tuple[str, ...], str]] = {
    "SavedModel": (("saved_model.pb", "variables/variables.index"), "a TensorFlow SavedModel"),
    "TensorFlow": (("checkpoint", "model.ckpt.index", "model.ckpt.data-00000-of-00001"), "a TensorFlow checkpoint"),
    "PyTorch, unpacked": (("data.pkl", "version", "data/0", "data/1"), "an unpacked PyTorch checkpoint"),
    "safetensors": (("config.json", "model.safetensors"), "a folder of safetensors files"),
    "shards of safetensors": (("model-00001-of-00002.safetensors", "model.safetensors.index.json"), "a folder of safe"),
    "PyTorch": (("config.json", "pytorch_model.bin"), "a folder of PyTorch checkpoints"),
    "Orbax": (("_METADATA", "manifest.ocdbt", "d/0af3"), "a checkpoint of Orbax"),
    "Parquet": (("part-0.parquet",), "a folder of Parquet files"),
    "other": (("config.json",), "a folder without Zarr metadata; it holds config.json"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_another_format_is_named_as_what_it_is(name: str, tmp_path: Path) -> None:
    members, words = FOLDERS[name]
    for member in members:
        (tmp_path / member).parent.mkdir(exist_ok=True)
        (tmp_path / member).write_bytes(b"")
    with pytest.raises(NotAnArchive) as opened:
        vizschema.open(tmp_path)
    assert str(opened.value).startswith(f"{tmp_path}: {words}")


def test_an_archive_beside_a_checkpoint_is_what_is_meant(tmp_path: Path) -> None:
    vizschema.write(tmp_path / "run.zarr", traces.arrays(), traces.attributes(), profile="trace")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(NotAnArchive, match=r"did you mean .*run\.zarr"):
        vizschema.open(tmp_path)


def test_an_archive_that_holds_a_pickle_stays_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as file:
        file.writestr("data.pkl", b"")
    with vizschema.open(tmp_path / "a.npz") as archive:
        assert archive["/x"][1] == 1


def test_matlab_files_of_version_7_3_are_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["x"] = [1.0, 2.0]
    with (tmp_path / "a.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    with vizschema.open(tmp_path / "a.mat") as archive:
        assert archive["/x"][1] == 2
