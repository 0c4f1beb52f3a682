"""Damage that is done to an archive after it was written, by name: what no writer does, and copies and strangers do.

The same name means the same thing in each container; `DAMAGE` says which containers can suffer it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.errors import UsageError

Damage = Callable[[Path, Mapping[str, Any]], None]


def inflict(archive: Path, container: str, damage: Mapping[str, Any]) -> None:
    """Do `damage` (`kind`, `at`, and more) to `archive`; raises `UsageError` where the container cannot suffer it."""
    makers = DAMAGE.get(damage["kind"], {})
    if container not in makers:
        raise UsageError(f"damage {damage['kind']!r}: not known in {container}")
    makers[container](archive, damage)


def _place(archive: Path, damage: Mapping[str, Any]) -> Path:
    return archive.joinpath(*[name for name in damage["at"].split("/") if name])


_DOCUMENTS = ("zarr.json", ".zarray", ".zgroup")


def _document(archive: Path, damage: Mapping[str, Any]) -> Path:
    folder = _place(archive, damage)
    return next(folder / name for name in _DOCUMENTS if (folder / name).exists())


def _remove_document(archive: Path, damage: Mapping[str, Any]) -> None:
    _document(archive, damage).unlink()


def _cut_document(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _document(archive, damage)
    document.write_bytes(document.read_bytes()[:-2])


def _negative_shape(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _document(archive, damage)
    metadata = json.loads(document.read_bytes())
    metadata["shape"][0] = -1
    document.write_text(json.dumps(metadata), encoding="utf-8")


def _other_account(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _document(archive, damage)
    other = (
        {"zarr_format": 3, "node_type": "group", "attributes": {}}
        if document.name != "zarr.json"
        else {"zarr_format": 2}
    )
    target = document.with_name(".zgroup" if document.name == "zarr.json" else "zarr.json")
    target.write_text(json.dumps(other), encoding="utf-8")


def _deep_attribute(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _place(archive, damage) / (
        ".zattrs" if not (_place(archive, damage) / "zarr.json").exists() else "zarr.json"
    )
    depth = 1000
    nested = '{"deep": ' + "[" * depth + "]" * depth + "}"
    if document.name == "zarr.json":
        metadata = json.loads(document.read_bytes())
        metadata["attributes"] = "HERE"
        nested = json.dumps(metadata).replace('"HERE"', nested)
    document.write_text(nested, encoding="utf-8")


def _unknown_extension(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _document(archive, damage)
    metadata = json.loads(document.read_bytes())
    metadata["an_extension"] = {"must_understand": True}
    document.write_text(json.dumps(metadata), encoding="utf-8")


def _foreign_file(archive: Path, damage: Mapping[str, Any]) -> None:
    (_place(archive, damage) / "README.txt").write_text("a note", encoding="utf-8")


def _link_outside(archive: Path, damage: Mapping[str, Any]) -> None:
    _place(archive, damage).symlink_to(Path(os.sep) / "nonexistent" / "elsewhere")


def _link_inside(archive: Path, damage: Mapping[str, Any]) -> None:
    target = archive.joinpath(*[name for name in damage["to"].split("/") if name])
    link = _place(archive, damage)
    link.symlink_to(os.path.relpath(target, link.parent))


def _fifo(archive: Path, damage: Mapping[str, Any]) -> None:
    os.mkfifo(_place(archive, damage))


def _pickled(archive: Path, damage: Mapping[str, Any]) -> None:
    document = _document(archive, damage)
    metadata = json.loads(document.read_bytes())
    metadata.update(dtype="|O", filters=[{"id": "pickle", "protocol": 5}], fill_value=0)
    document.write_text(json.dumps(metadata), encoding="utf-8")


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
    layout = h5py.VirtualLayout((4,), "i1")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", (4,))
    with h5py.File(archive, "r+") as file:
        file.create_virtual_dataset(damage["at"], layout)


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


def _zarr_chunks(archive: Path, damage: Mapping[str, Any]) -> list[Path]:
    folder = _place(archive, damage)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (*_DOCUMENTS, ".zattrs"))


def _remove_chunk(archive: Path, damage: Mapping[str, Any]) -> None:
    _zarr_chunks(archive, damage)[-1].unlink()


def _cut_chunk(archive: Path, damage: Mapping[str, Any]) -> None:
    chunk = _zarr_chunks(archive, damage)[-1]
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])


def _both(damage: Damage) -> Mapping[str, Damage]:
    return {"zarr-v3": damage, "zarr-v2": damage}


DAMAGE: Mapping[str, Mapping[str, Damage]] = {
    "document-removed": _both(_remove_document),
    "document-cut": _both(_cut_document),
    "negative-shape": _both(_negative_shape),
    "other-account": _both(_other_account),
    "deep-attribute": _both(_deep_attribute),
    "unknown-extension": {"zarr-v3": _unknown_extension, "hdf5": _hdf5_null},
    "foreign-file": _both(_foreign_file),
    "link-outside": {**_both(_link_outside), "hdf5": _hdf5_external_link},
    "link-inside": {**_both(_link_inside), "hdf5": _hdf5_soft_link},
    "special-file": _both(_fifo),
    "pickled": {"zarr-v2": _pickled},
    "external-storage": {"hdf5": _hdf5_external_storage},
    "virtual-dataset": {"hdf5": _hdf5_virtual},
    "named-type": {"hdf5": _hdf5_named_type},
    "header-overwritten": {"hdf5": _hdf5_header},
    "chunk-removed": _both(_remove_chunk),
    "chunk-cut": _both(_cut_chunk),
}
"""Every kind of damage, and what does it in each container that can suffer it."""
