"""Damage that is done to an archive after it was written, by name: what no writer does, and copies and strangers do.

The same name means the same kind of thing in each container; `DAMAGE` says which containers can suffer it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.damage.hdf5 import HDF5
from vizschema.conformance.corpus.damage.packed import AROUND, ASDF, NPZ, unpacked, zip_document
from vizschema.errors import UsageError

Damage = Callable[[Path, Mapping[str, Any]], None]


def inflict(archive: Path, container: str, damage: Mapping[str, Any]) -> None:
    """Do `damage` (`kind`, `at`, and more) to `archive`; raises `UsageError` where the container cannot suffer it."""
    maker = DAMAGE[container].get(damage["kind"])
    if maker is None:
        raise UsageError(f"damage {damage['kind']!r}: not known in {container}")
    maker(archive, damage)


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


def _stray_file(archive: Path, damage: Mapping[str, Any]) -> None:
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


def _zarr_chunks(archive: Path, damage: Mapping[str, Any]) -> list[Path]:
    folder = _place(archive, damage)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (*_DOCUMENTS, ".zattrs"))


def _remove_chunk(archive: Path, damage: Mapping[str, Any]) -> None:
    _zarr_chunks(archive, damage)[-1].unlink()


def _cut_chunk(archive: Path, damage: Mapping[str, Any]) -> None:
    chunk = _zarr_chunks(archive, damage)[-1]
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])


def _move_chunk(archive: Path, damage: Mapping[str, Any]) -> None:
    """The last chunk under a key of the other separator."""
    chunk = _zarr_chunks(archive, damage)[-1]
    folder = _place(archive, damage)
    key = chunk.relative_to(folder).as_posix()
    target = folder / (key.replace("/", ".") if "/" in key else key.replace(".", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    chunk.rename(target)


def _shard_grown(archive: Path, damage: Mapping[str, Any]) -> None:
    """A shard of 1.25 GiB that was never written, of inner chunks as they were."""
    document = _document(archive, damage)
    metadata = json.loads(document.read_bytes())
    inner = metadata["codecs"][0]["configuration"]["chunk_shape"]
    grown = [inner[0] * -(-(5 << 28) // math.prod(inner)), *inner[1:]]  # of one byte an entry, or more
    metadata["shape"] = grown
    metadata["chunk_grid"]["configuration"]["chunk_shape"] = grown
    document.write_text(json.dumps(metadata), encoding="utf-8")
    shutil.rmtree(document.parent / "c")


FOLDER: Mapping[str, Damage] = {
    "document-removed": _remove_document,
    "document-cut": _cut_document,
    "negative-shape": _negative_shape,
    "other-account": _other_account,
    "deep-attribute": _deep_attribute,
    "stray-file": _stray_file,
    "link-outside": _link_outside,
    "link-inside": _link_inside,
    "special-file": _fifo,
    "chunk-removed": _remove_chunk,
    "chunk-cut": _cut_chunk,
    "chunk-moved": _move_chunk,
}
"""What Zarr of either version in a folder can suffer."""

V3: Mapping[str, Damage] = {**FOLDER, "unknown-extension": _unknown_extension, "shard-grown": _shard_grown}
V2: Mapping[str, Damage] = {**FOLDER, "pickled": _pickled}


def _zipped(kinds: Mapping[str, Damage]) -> Mapping[str, Damage]:
    of_zip = {
        "header-overwritten": zip_document(crc=1),
        "encrypted": zip_document(flags=0x801),
        "second-reading": zip_document(local_crc=1),
    }
    return {**{kind: unpacked(damage) for kind, damage in kinds.items()}, **of_zip, **AROUND}


DAMAGE: Mapping[str, Mapping[str, Damage]] = {
    "zarr-v3": V3,
    "zarr-v2": V2,
    "hdf5": {**HDF5, **AROUND},
    "npz": NPZ,
    "asdf": ASDF,
    "zarr-v3-zip": _zipped(V3),
    "zarr-v2-zip": _zipped(V2),
    "zarr-v3-sharded": V3,
}
"""What does each kind of damage, by container."""
