"""What a scan is measured beside: the usual library with NumPy's checks, the bare decode of the same chunks, memcpy.

The bare decode is written here from scratch: read, decompress into a buffer that is used again, and nothing else; no
size and no checksum is looked at.
"""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc, lz4, zstd
from numcodecs.shuffle import Shuffle

from vizschema.describing import describe

deflate: Any
try:
    from isal import isal_zlib as deflate
except ImportError:
    deflate = zlib

_LOCAL = threading.local()
_STEP = 4 << 20


def usual(path: Path, _: int) -> int:
    """The decoded bytes of all arrays, each read whole by the usual library and checked by NumPy."""
    return sum(_checked(values) for values in _LIBRARIES[path.suffix](path))


def _checked(values: Any) -> int:
    if not np.isfinite(values).all():
        raise ValueError("not finite")
    values.min(), values.max()
    sums = values.sum(axis=-1, dtype=np.float64)
    sums.min(), sums.max()
    return int(values.nbytes)


def _by_zarr(path: Path) -> Iterator[Any]:
    import zarr

    group = zarr.open_group(zarr.storage.ZipStore(path, mode="r") if path.suffix == ".zip" else path, mode="r")
    for _, kind in sorted(group.groups()):
        for _, precision in sorted(kind.groups()):
            for _, array in sorted(precision.arrays()):
                yield array[...]


def _by_h5py(path: Path) -> Iterator[Any]:
    import h5py
    import hdf5plugin  # noqa: F401  (registers the filters)

    with h5py.File(path) as file:
        for kind in file.values():
            for precision in kind.values():
                for dataset in precision.values():
                    yield dataset[...]


def _by_numpy(path: Path) -> Iterator[Any]:
    with np.load(path) as archive:
        for name in archive:
            yield archive[name]


def _by_asdf(path: Path) -> Iterator[Any]:
    import asdf

    with asdf.open(path) as file:
        for kind in ("attention", "activations"):
            for precision in file[kind].values():
                for array in precision.values():
                    yield np.asarray(array)


_LIBRARIES: Mapping[str, Callable[[Path], Iterator[Any]]] = {
    ".zarr": _by_zarr,
    ".zip": _by_zarr,
    ".h5": _by_h5py,
    ".npz": _by_numpy,
    ".asdf": _by_asdf,
}


def bare(path: Path, jobs: int) -> int:
    """The decoded bytes of all chunks, read and decompressed and nothing else, by `jobs` threads."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            return sum(pool.map(lambda work: work(), _DECODES[path.name](path, handle)))
    finally:
        os.close(handle)


def _buffer(size: int) -> Any:
    held = getattr(_LOCAL, "buffer", None)
    if held is None or held.size < size:
        held = _LOCAL.buffer = np.empty(size, np.uint8)
    return held[:size]


def _chunk_files(path: Path) -> Iterator[Path]:
    return (file for file in sorted(path.rglob("*")) if file.is_file() and file.name[0].isdigit())


def _zarr_v2(path: Path, _: int) -> Iterator[Callable[[], int]]:
    def decode(file: Path) -> int:
        raw = file.read_bytes()
        size = int.from_bytes(raw[4:8], "little")
        blosc.decompress(raw, _buffer(size))
        return size

    return ((lambda file=file: decode(file)) for file in _chunk_files(path))  # type: ignore[misc]


def _decoded_zstd(raw: Any) -> int:
    width = (1, 2, 4, 8)[raw[4] >> 6]
    start = 5 + (not raw[4] & 0x20)  # a frame of more than one segment says its window first (RFC 8878)
    size = int.from_bytes(bytes(raw[start : start + width]), "little") + (256 if width == 2 else 0)
    zstd.decompress(raw, _buffer(size))
    return size


def _zarr_v3(path: Path, _: int) -> Iterator[Callable[[], int]]:
    return ((lambda file=file: _decoded_zstd(file.read_bytes())) for file in _chunk_files(path))  # type: ignore[misc]


def _shards(path: Path, _: int) -> Iterator[Callable[[], int]]:
    import orjson

    def decode(file: Path, entries: int) -> int:
        raw = memoryview(file.read_bytes())
        index = np.frombuffer(raw[-16 * entries - 4 : -4], np.uint64).reshape(entries, 2)
        return sum(_decoded_zstd(raw[int(offset) : int(offset + length)]) for offset, length in index)

    for document in sorted(path.rglob("zarr.json")):
        array = orjson.loads(document.read_bytes())
        if array["node_type"] == "array":
            inner = array["codecs"][0]["configuration"]["chunk_shape"]
            shard = array["chunk_grid"]["configuration"]["chunk_shape"]
            entries = int(np.prod([-(-size // length) for size, length in zip(shard, inner, strict=True)]))
            for file in _chunk_files(document.parent):
                yield lambda file=file, entries=entries: decode(file, entries)  # type: ignore[misc]


def _hdf5(path: Path, _: int) -> Iterator[Callable[[], int]]:
    import h5py

    lock = threading.Lock()
    file = h5py.File(path)

    def decode(dataset: Any, offset: Any, size: int, unshuffle: Any) -> int:
        with lock:
            raw = dataset.id.read_direct_chunk(offset)[1]
        if unshuffle is None:
            blosc.decompress(raw, _buffer(size))
        else:
            unshuffle.decode(deflate.decompress(raw), _buffer(size))
        return size

    def read(dataset: Any) -> int:
        return _plain(file.id.get_vfd_handle(), dataset.id.get_offset(), int(dataset.nbytes), 0)

    for kind in file.values():
        for precision in kind.values():
            for dataset in precision.values():
                if dataset.chunks is None:
                    yield lambda dataset=dataset: read(dataset)  # type: ignore[misc]
                    continue
                unshuffle = Shuffle(dataset.dtype.itemsize) if dataset.shuffle else None
                size = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
                for part in dataset.iter_chunks():
                    offset = tuple(each.start for each in part)
                    yield lambda d=dataset, o=offset, s=size, u=unshuffle: decode(d, o, s, u)  # type: ignore[misc]


def _preadv(handle: int, buffer: Any, offset: int) -> None:
    if os.preadv(handle, [buffer.data], offset) != buffer.size:
        raise OSError("a short read")


def _members(path: Path) -> Iterator[tuple[zipfile.ZipInfo, int]]:
    """The members of a zip file, and where the bytes of each begin."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset + 26)
            yield info, info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))


def _zipped_chunks(path: Path, handle: int) -> Iterator[Callable[[], int]]:
    def decode(offset: int, size: int) -> int:
        return _decoded_zstd(os.pread(handle, size, offset))

    for info, offset in _members(path):
        if info.filename.rpartition("/")[2].isdigit():
            yield lambda offset=offset, size=info.compress_size: decode(offset, size)  # type: ignore[misc]


def _npz(path: Path, handle: int) -> Iterator[Callable[[], int]]:
    for info, offset in _members(path):
        step = _plain if info.compress_type == zipfile.ZIP_STORED else _inflated
        # The header of an .npy has 128 bytes; it is decoded with the rest, and not counted.
        yield lambda step=step, o=offset, i=info: step(handle, o, i.compress_size, i.file_size) - 128  # type: ignore[misc]


def _plain(handle: int, offset: int, stored: int, _: int) -> int:
    for start in range(0, stored, _STEP):
        _preadv(handle, _buffer(min(_STEP, stored - start)), offset + start)
    return stored


def _inflated(handle: int, offset: int, stored: int, size: int) -> int:
    decoder, done = deflate.decompressobj(-zlib.MAX_WBITS), 0
    for start in range(0, stored, _STEP):
        pending = os.pread(handle, min(_STEP, stored - start), offset + start)
        while pending and done < size:
            done += len(decoder.decompress(pending, _STEP))
            pending = decoder.unconsumed_tail
    return done


def _asdf_blocks(path: Path, handle: int) -> Iterator[Callable[[], int]]:
    """The blocks: a token, then lengths as the ASDF standard lays them out, then bytes."""
    size = path.stat().st_size
    at = os.pread(handle, 1 << 20, 0).index(b"\n...\n\xd3BLK") + 5  # the tree of this archive is smaller than that
    while at + 54 <= size:
        header = os.pread(handle, 54, at)
        if header[:4] != b"\xd3BLK":
            return
        length, (allocated, used, data) = int.from_bytes(header[4:6], "big"), struct.unpack(">QQQ", header[14:38])
        step = _unpacked if header[10:14] == b"lz4\0" else _plain
        yield lambda step=step, o=at + 6 + length, u=used, d=data: step(handle, o, u, d)  # type: ignore[misc]
        at += 6 + length + allocated


def _unpacked(handle: int, offset: int, stored: int, _: int) -> int:
    at, done = 0, 0
    while at < stored:
        (length,) = struct.unpack(">I", os.pread(handle, 4, offset + at))
        raw = os.pread(handle, length, offset + at + 4)
        size = int.from_bytes(raw[:4], "little")
        lz4.decompress(raw, _buffer(size))
        at, done = at + 4 + length, done + size
    return done


_DECODES: Mapping[str, Callable[[Path, int], Iterator[Callable[[], int]]]] = {
    "v2.zarr": _zarr_v2,
    "v3.zarr": _zarr_v3,
    "sharded.zarr": _shards,
    "v3.zip": _zipped_chunks,
    "gzip.h5": _hdf5,
    "blosc.h5": _hdf5,
    "contiguous.h5": _hdf5,
    "stored.npz": _npz,
    "compressed.npz": _npz,
    "plain.asdf": _asdf_blocks,
    "lz4.asdf": _asdf_blocks,
}


def memcpy(path: Path, _: int) -> int:
    """As many bytes as the archive decodes to, copied MiB by MiB from one place in memory to others."""
    total = sum(node.get("bytes", 0) for node in describe(path)["nodes"].values())
    source, target = np.ones(1 << 20, np.uint8), np.empty(1 << 20, np.uint8)
    for _step in range(total >> 20):
        np.copyto(target, source)
    return int(total)
