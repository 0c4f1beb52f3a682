"""Damage to HDF5 files, done with h5py, or to their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Damage = Callable[[Path, Mapping[str, Any]], None]


def _hdf5_external_link(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        file[damage["at"]] = h5py.ExternalLink("elsewhere.h5", "/data")


def _hdf5_soft_link(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        file[damage["at"]] = h5py.SoftLink(damage["to"])


def _hdf5_external_storage(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        file.create_dataset(damage["at"], (4,), "i1", external=[("elsewhere.bin", 0, 4)])


def _hdf5_virtual(archive: Path, damage: Mapping[str, Any]) -> None:
    creation, space = h5py.h5p.create(h5py.h5p.DATASET_CREATE), h5py.h5s.create_simple((4,))
    creation.set_obj_track_times(False)
    creation.set_virtual(space, b"elsewhere.h5", b"data", h5py.h5s.create_simple((4,)))
    with h5py.File(archive, "r+") as file:
        h5py.h5d.create(file.id, damage["at"].encode(), h5py.h5t.STD_I8LE, space, creation)


def _hdf5_named_type(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        file[damage["at"]] = np.dtype("f4")


def _hdf5_null(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        del file[damage["at"]]
        file[damage["at"]] = h5py.Empty("f4")


def _hdf5_header(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r") as file:
        address = h5py.h5o.get_info(file[damage["at"]].id).addr
    with archive.open("r+b") as file:
        file.seek(address)
        file.write(b"\xff" * 16)


def _hdf5_too_large(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        del file[damage["at"]]
        file.create_dataset(damage["at"], (1 << 62,), "f4", chunks=(1 << 10,))


def _hdf5_chunk_removed(archive: Path, damage: Mapping[str, Any]) -> None:
    """Written again but for the last rows: what lies there was never allocated."""
    with h5py.File(archive, "r+") as file:
        old = file[damage["at"]]
        values, attributes = old[...], dict(old.attrs)
        labels = [dimension.label for dimension in old.dims]
        chunks = old.chunks
        del file[damage["at"]]
        new = file.create_dataset(damage["at"], values.shape, values.dtype, chunks=chunks, compression="gzip")
        new[: len(values) - chunks[0]] = values[: len(values) - chunks[0]]
        for dimension, label in zip(new.dims, labels, strict=True):
            dimension.label = label
        new.attrs.update(attributes)


def _hdf5_chunk_overwritten(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r") as file:
        chunk = file[damage["at"]].id.get_chunk_info(0)
    with archive.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def _hdf5_user_block(archive: Path, _: Mapping[str, Any]) -> None:
    """A block in front that begins like a zip file."""
    archive.write_bytes(b"PK\3\4" + bytes(508) + archive.read_bytes())


def _hdf5_deep_tree(archive: Path, damage: Mapping[str, Any]) -> None:
    with h5py.File(archive, "r+") as file:
        file.create_group(damage["at"] + "/x" * 100)


HDF5: Mapping[str, Damage] = {
    "deep-tree": _hdf5_deep_tree,
    "negative-shape": _hdf5_too_large,
    "unknown-extension": _hdf5_null,
    "link-outside": _hdf5_external_link,
    "link-inside": _hdf5_soft_link,
    "external-storage": _hdf5_external_storage,
    "virtual-dataset": _hdf5_virtual,
    "named-type": _hdf5_named_type,
    "header-overwritten": _hdf5_header,
    "second-reading": _hdf5_user_block,
    "chunk-removed": _hdf5_chunk_removed,
    "chunk-cut": _hdf5_chunk_overwritten,
}
"""What an HDF5 file can suffer."""
