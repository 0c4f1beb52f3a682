"""Files and folders of other formats, named as what they are, with the way in that there is. Opens none of them."""

from __future__ import annotations

import os
import re
from codecs import getincrementaldecoder
from collections.abc import Collection, Mapping, Sequence
from typing import IO

_WRITE = "and write its arrays with vizschema.write"
_TORCH = f"open it with torch, {_WRITE}"
_PICKLE = "a Python pickle, which is never read: it can execute anything; where you trust it, load it, " + _WRITE
_UNPACK = "not an archive of arrays; unpack it first"

HEADS: Sequence[tuple[bytes, str]] = (
    (rb"\Z", "an empty file"),
    (rb"\x93NUMPY(?s:.{0,60})'descr': *'\|O'", f"a single array (.npy) of Python objects: {_PICKLE}"),
    (rb"\x93NUMPY", f"a single array (.npy), not an archive; load it with numpy, {_WRITE}"),
    (rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.", f"a PyTorch checkpoint, a pickle of torch before 1.6; {_TORCH}"),
    (rb"\x80[\x02-\x05]", _PICKLE),
    (rb"ZF0x[0-9a-f]+ ", f"a file of joblib, which is compressed and holds {_PICKLE}"),
    (rb"\(?(?:[dl]p0\n|[}\]]q\x00|c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n(?:p0\n|q\x00|\())", _PICKLE),
    (rb"\((?:[IFL][-+.\w]+\n|(?s:K.)|(?s:G.{8}))+t", _PICKLE),
    (rb"GGUF|lmgg|tjgg|fmgg", f"a model of ggml (GGUF), whose tensors are quantised; read it with gguf, {_WRITE}"),
    (rb"CDF[\x01\x02\x05]", "a netCDF classic file, not a Zarr or HDF5 archive; copy it with nccopy -k netCDF-4"),
    (rb"\x0e\x03\x13\x01", "an HDF4 file, not HDF5; convert it with h4toh5"),
    (rb"(?s:.{124})(?:\x00\x01IM|\x01\x00MI)", "a MATLAB file before version 7.3; save it with -v7.3, which is HDF5"),
    (rb"(?s:.{4})TFL3", f"a TensorFlow Lite model; open it with tensorflow, {_WRITE}"),
    (rb"\x08\x01\x12[\x80-\xff]", f"a TensorFlow SavedModel (.pb); open it with tensorflow, {_WRITE}"),
    (
        rb"\x08[\x01-\x20](?:\x12[\x00-\x3f][ -~]{0,63}[\x1a\x22\x2a\x32\x3a\x42]|\x3a)",
        f"an ONNX model; open it with onnx, {_WRITE}",
    ),
    (rb"(?s:.{12})brain\.Event|(?s:.{14})brain\.Event", "an event file of TensorBoard, not an archive of arrays"),
    (rb"PAR1", f"a Parquet file; read it with pyarrow, {_WRITE}"),
    (
        rb"ARROW1|FEA1|\xff{4}(?s:..)\x00\x00\x10\x00\x00\x00",
        f"an Arrow or Feather file; read it with pyarrow, {_WRITE}",
    ),
    (rb"ORC|Obj\x01", f"a table of ORC or Avro; read it with pyarrow or fastavro, {_WRITE}"),
    (rb"SIMPLE  =", f"a FITS file; read it with astropy, {_WRITE}"),
    (rb"SQLite format 3\x00", "an SQLite database, not an archive of arrays"),
    (rb"(?s:.{16})\xde\xc0\xef\xbe", "an LMDB database, not an archive of arrays"),
    (rb"RDX[23]\n", "a file of R, not an archive of arrays"),
    (
        rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF(?s:....)WEBP|II[*+]\x00|MM\x00[*+]|BM(?s:.{4})\x00{4}",
        "an image, not an archive",
    ),
    (rb"%PDF-", "a PDF document, not an archive"),
    (rb"\x7fELF|MZ(?s:.{58})", "a program, not an archive"),
    (rb"\x1f\x8b", "a gzip file, not a Zarr or HDF5 archive; unpack it first"),
    (rb"BZh[1-9]1AY&SY", f"a bzip2 file, {_UNPACK}"),
    (rb"\xfd7zXZ\x00", f"an xz file, {_UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"a Zstandard file, {_UNPACK}"),
    (rb"\x04\x22\x4d\x18", f"an LZ4 file, {_UNPACK}"),
    (rb"x[\x9c\xda]|x[\x01\x5e](?![\t-~]{16})", f"a zlib stream, as joblib compresses pickles, {_UNPACK}"),
    (rb"7z\xbc\xaf\x27\x1c", f"a 7-Zip file, {_UNPACK}"),
    (rb"Rar!\x1a\x07", f"a RAR file, {_UNPACK}"),
    (rb"(?s:.{257})ustar", f"a tar file, {_UNPACK}"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file; fetch it with git lfs pull"),
    (rb"/annex/objects/|\.git/annex/objects/", "a pointer of git-annex, not the file; fetch it with git annex get"),
    (rb"\s*<(?i:!doctype html|html)", "a web page, not an archive; fetch the file itself"),
    (rb"\s*\{(?s:.*)\"zarr_format\"", "a metadata document of Zarr, not the archive; give the folder that holds it"),
    (
        rb"(?:[\x81-\x8f]|\xde(?s:..)|\xdf(?s:.{4}))(?:[\xa1-\xbf]|\xd9(?s:.))[A-Za-z_]",
        f"a MessagePack file, as Flax writes; open it with flax, {_WRITE}",
    ),
    (rb"model_checkpoint_path: ", f"the list of TensorFlow's checkpoints; open it with tensorflow, {_WRITE}"),
)
"""What a file begins with, as a regular expression, and what that is in words; the first that matches wins."""

MEMBERS: Mapping[str, str] = {
    r"(?:[^/]+/)?data\.pkl": f"a PyTorch checkpoint; {_TORCH}",
    r"model\.weights\.h5": "a Keras model (.keras); unpack it: model.weights.h5 in it is an HDF5 archive",
    r"\[Content_Types\]\.xml": "an Office document, not an archive of arrays",
    r"META-INF/MANIFEST\.MF": "a Java archive, not one of arrays",
    r"[^/]+\.dist-info/WHEEL": "a Python wheel, not an archive of arrays",
}
"""A name within a zip file, as a regular expression, and what shows by it."""

FOLDERS: Mapping[str, str] = {
    r"data\.pkl": f"an unpacked PyTorch checkpoint; {_TORCH}",
    r"saved_model\.pb": f"a TensorFlow SavedModel; open it with tensorflow, {_WRITE}",
    r".*\.data-[0-9]{5}-of-[0-9]{5}": f"a TensorFlow checkpoint; open it with tensorflow, {_WRITE}",
    r"manifest\.ocdbt|_CHECKPOINT_METADATA": f"a checkpoint of Orbax; open it with orbax, {_WRITE}",
    r".*\.safetensors(?:\.index\.json)?": "a folder of safetensors files; pass one of them",
    r"pytorch_model.*\.bin": f"a folder of PyTorch checkpoints; open them with torch, {_WRITE}",
    r".*\.parquet": f"a folder of Parquet files; read them with pyarrow, {_WRITE}",
    r"__tiledb.*|__meta": f"an array of TileDB; read it with tiledb, {_WRITE}",
}
"""What a folder is, by a name within it."""

TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""The last bytes of a table of LevelDB, which the index of a TensorFlow checkpoint is."""

TABLE = f"the index of a TensorFlow checkpoint; open it with tensorflow, {_WRITE}"


def by_file(file: IO[bytes], head: bytes) -> str:
    """What a file that begins with `head` and is not an archive is, in words."""
    for pattern, words in HEADS:
        if re.match(pattern, head):
            return words
    file.seek(max(0, file.seek(0, os.SEEK_END) - len(TABLE_END)))
    if file.read() == TABLE_END:
        return TABLE
    return "a text file, not an archive" if _is_text(head) else "a file of no format that is known here"


def _is_text(head: bytes) -> bool:
    try:
        getincrementaldecoder("utf-8")().decode(head)  # does not mind a last character that is cut
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


def by_names(names: Collection[str], known: Mapping[str, str]) -> str | None:
    """What a folder or zip file with these members is, by `FOLDERS` or `MEMBERS`; None where that is not known."""
    for pattern, words in known.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return words
    return None
