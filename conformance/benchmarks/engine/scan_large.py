"""Archives of any size for measuring peak memory, made of one head of attention over and over.

Quickly written, and where the form allows it on next to no disk; what they hold is as hard to decode as the other.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from zarr.codecs import BloscCodec

from vizschema.conformance.benchmarks.engine.scan_archives import Values, layers


def _head() -> Values:
    """One head of attention [query, key], a MiB."""
    for _, values in layers(1):
        return np.ascontiguousarray(values[0])
    raise AssertionError("no layer")


def linked(path: Path, size: int) -> None:
    """A Zarr v3 archive of about `size` bytes: one chunk, linked under every key."""
    head = _head()
    count = max(1, size // head.nbytes)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    shape, chunks = (count, *head.shape), (1, *head.shape)
    codec = BloscCodec(cname="zstd")
    array = group.create_array("attention/all", shape=shape, dtype=head.dtype, chunks=chunks, compressors=[codec])
    array[:1] = head[None]
    folder = path / "attention" / "all" / "c"
    for number in range(1, count):
        (folder / str(number) / "0").mkdir(parents=True)
        (folder / str(number) / "0" / "0").hardlink_to(folder / "0" / "0" / "0")


def _hdf5(path: Path, size: int, **options: Any) -> None:
    head = _head()
    shape = (max(1, size // head.nbytes), *head.shape)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("attention/all", shape=shape, dtype=head.dtype, **options)
        if not options:
            for number in range(shape[0]):
                dataset[number] = head
            return
        dataset[0] = head
        file.flush()
        mask, stored = dataset.id.read_direct_chunk((0, 0, 0))
        for number in range(1, shape[0]):
            dataset.id.write_direct_chunk((number, 0, 0), stored, mask)


def _npz(path: Path, size: int, kind: int) -> None:
    head = _head()
    if kind == zipfile.ZIP_DEFLATED:
        head = head.astype(np.float16).astype(np.float32)  # which zlib packs in half the time
    count = max(1, size // head.nbytes)
    header = {"descr": head.dtype.str, "fortran_order": False, "shape": (count, *head.shape)}
    with (
        zipfile.ZipFile(path, "w", kind, compresslevel=1) as archive,
        archive.open("attention/all.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_2_0(member, header)
        for _ in range(count):
            member.write(head.tobytes())


def _asdf(path: Path, size: int, compression: str | None) -> None:
    import asdf

    head = _head()
    values = np.broadcast_to(head, (max(1, size // head.nbytes), *head.shape))
    asdf.AsdfFile({"attention": {"all": np.ascontiguousarray(values)}}).write_to(
        path, all_array_compression=compression
    )


_GZIP: Mapping[str, Any] = {"chunks": (1, 512, 512), "compression": "gzip", "shuffle": True}

LARGE: Mapping[str, tuple[str, Callable[[Path, int], None]]] = {
    "zarr v3 blosc-zstd": ("linked.zarr", linked),
    "hdf5 gzip": ("gzip.h5", lambda path, size: _hdf5(path, size, **_GZIP)),
    "hdf5 contiguous": ("contiguous.h5", _hdf5),
    "npz stored": ("stored.npz", lambda path, size: _npz(path, size, zipfile.ZIP_STORED)),
    "npz compressed": ("compressed.npz", lambda path, size: _npz(path, size, zipfile.ZIP_DEFLATED)),
    "asdf uncompressed": ("plain.asdf", lambda path, size: _asdf(path, size, None)),
    "asdf lz4": ("lz4.asdf", lambda path, size: _asdf(path, size, "lz4")),
}
"""Every form: the name of its file, and what writes about so many bytes into it, as one array."""
