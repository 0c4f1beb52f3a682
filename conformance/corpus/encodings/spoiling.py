"""Archives of which a checksum is wrong, and nothing else: who does not look at it finds nothing."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py

from vizschema.conformance.corpus.encodings.table import Encoding

_LAYER = "attention/self/layer_00"

_ENDS: Mapping[str, int] = {"crc32c": -1, "zstd-checksum": -1, "gzip": -5, "zlib": -1, "bz2": -2, "lzma": -12}
"""Where, from the end, a byte of the checksum lies that a codec writes."""

_FILTERS: Mapping[str, int] = {"crc32c": -1, "fletcher32": -1, "crc32": 0, "adler32": 0}
"""Where a byte of the checksum lies that a filter of Zarr v2 writes."""

_DEFLATED = frozenset({"deflate", "shuffle-deflate", "unfiltered-edges"})


def spoiled(path: Path, container: str, encoding: Encoding) -> bool:
    """Whether a checksum of a stored chunk of the attention was there, and was made wrong."""
    if container in ("zarr-v3", "zarr-v2"):
        return _folder(path, _place_v3(encoding) if container == "zarr-v3" else _place_v2(encoding))
    if container == "hdf5":
        return _hdf5(path, encoding)
    if container == "asdf":
        return encoding["checksum"] == "set" and _asdf(path)
    if container == "safetensors":
        return False
    return _member(path)


def _place_v3(encoding: Encoding) -> int | None:
    if encoding["shards"] in ("none", "unchecked"):
        return None if encoding["shards"] == "unchecked" else _ENDS.get(encoding["compression"])
    return (16 << 3) + 3 if encoding["shards"] == "start" else -1  # that of the index


def _place_v2(encoding: Encoding) -> int | None:
    if encoding["compressor"] == "none":
        return _FILTERS.get(encoding["filters"])
    return _ENDS.get(encoding["compressor"])


def _folder(path: Path, place: int | None) -> bool:
    documents = ("zarr.json", ".zarray", ".zattrs")
    chunks = sorted(file for file in (path / _LAYER).rglob("*") if file.is_file() and file.name not in documents)
    if place is None or not chunks:
        return False
    raw = bytearray(chunks[-1].read_bytes())
    raw[place] ^= 0x55
    chunks[-1].write_bytes(raw)
    return True


def _hdf5(path: Path, encoding: Encoding) -> bool:
    with h5py.File(path, "r+") as file:
        dataset = file[_LAYER]
        checked = encoding["filters"] in _DEFLATED or encoding["filters"] == "fletcher32"
        if dataset.chunks is None or not checked or not dataset.id.get_num_chunks():
            return False
        found = dataset.id.get_chunk_info(0)
        mask, raw = dataset.id.read_direct_chunk(found.chunk_offset)
        if mask or (encoding["filters"] == "unfiltered-edges" and encoding["grid"] == "over"):
            return False
        dataset.id.write_direct_chunk(found.chunk_offset, raw[:-1] + bytes([raw[-1] ^ 0x55]), mask)
    return True


def _asdf(path: Path) -> bool:
    """The checksum of the last block that has values."""
    raw = path.read_bytes()
    place = raw.rindex(b"\xd3BLK") + 6 + 4 + 4 + 24
    path.write_bytes(raw[:place] + hashlib.md5(b"another", usedforsecurity=False).digest() + raw[place + 16 :])
    return True


def _member(path: Path) -> bool:
    """The CRC-32 of a member, in the directory, in its own header, and where it has one in the descriptor behind it."""
    with zipfile.ZipFile(path) as file:
        names = [name for name in file.namelist() if f"{_LAYER}." in name or f"{_LAYER}/c" in name]
        names += [name for name in file.namelist() if f"{_LAYER}/" in name and name[-1].isdecimal()]
        if not names:
            return False
        crc = file.getinfo(names[-1]).CRC
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", crc), struct.pack("<I", crc ^ 0x55)))
    return True
