"""What a scan is measured beside: the usual library with NumPy's checks, the bare decode of the same chunks, memcpy.

The bare decode of Zarr folders and HDF5 is written here from scratch: read, decompress into a buffer that is used
again, and nothing else, no size checked. Of the other forms it is our own reader, drained, with no fact measured.
"""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc, zstd
from numcodecs.shuffle import Shuffle

deflate: Any
try:
    from isal import isal_zlib as deflate
except ImportError:
    deflate = zlib

_LOCAL = threading.local()


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
    decode = {"v2.zarr": _zarr_v2, "v3.zarr": _zarr_v3, "sharded.zarr": _shards}.get(path.name, _drained)
    if path.suffix == ".h5":
        decode = _hdf5
    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(lambda work: work(), decode(path)))


def _buffer(size: int) -> Any:
    held = getattr(_LOCAL, "buffer", None)
    if held is None or held.size < size:
        held = _LOCAL.buffer = np.empty(size, np.uint8)
    return held[:size]


def _chunk_files(path: Path) -> Iterator[Path]:
    return (file for file in sorted(path.rglob("*")) if file.is_file() and file.name[0].isdigit())


def _zarr_v2(path: Path) -> Iterator[Callable[[], int]]:
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


def _zarr_v3(path: Path) -> Iterator[Callable[[], int]]:
    return ((lambda file=file: _decoded_zstd(file.read_bytes())) for file in _chunk_files(path))  # type: ignore[misc]


def _shards(path: Path) -> Iterator[Callable[[], int]]:
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


def _hdf5(path: Path) -> Iterator[Callable[[], int]]:
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
        handle, step = file.id.get_vfd_handle(), 4 << 20
        for start in range(0, dataset.nbytes, step):
            _preadv(handle, _buffer(min(step, dataset.nbytes - start)), dataset.id.get_offset() + start)
        return int(dataset.nbytes)

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
    import os

    if os.preadv(handle, [buffer.data], offset) != buffer.size:
        raise OSError("a short read")


def _drained(path: Path) -> Iterator[Callable[[], int]]:
    from vizschema.containers import open_container
    from vizschema.containers.values import Block

    def drain(values: Any, piece: Any) -> int:
        return sum(found.values.nbytes for found in values.read(piece) if isinstance(found, Block))

    container = open_container(str(path))  # open as long as its pieces are read, which is until the process ends
    for array in [place for place, node in container.nodes() if node["kind"] == "array"]:
        values = container.values(array)
        for piece in values.pieces():
            yield lambda values=values, piece=piece: drain(values, piece)  # type: ignore[misc]


def memcpy(path: Path, _: int) -> int:
    """As many bytes as the archive decodes to, copied MiB by MiB from one place in memory to others."""
    total = sum(info.file_size for info in zipfile.ZipFile(path).infolist()) if path.suffix == ".npz" else _total(path)
    source, target = np.ones(1 << 20, np.uint8), np.empty(1 << 20, np.uint8)
    for _step in range(total >> 20):
        np.copyto(target, source)
    return total >> 20 << 20


def _total(path: Path) -> int:
    from vizschema.describe import describe

    return int(sum(node.get("bytes", 0) for node in describe(path)["nodes"].values()))
