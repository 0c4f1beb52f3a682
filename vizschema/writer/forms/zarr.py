"""Zarr v2 and v3 through zarr-python, in a directory. Every chunk is written, so that an absent one was lost.

Metadata are consolidated here: zarr-python would do it, but warns for v3 and cannot read arrays of bfloat16 and float8.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import zarr
from numcodecs import Blosc
from zarr.codecs import ZstdCodec
from zarr.storage import LocalStore

from vizschema.containers.attributes import CONVENTIONS, registered
from vizschema.description import ITEM_BYTES, NIBBLES, STORED_AS, Node, storage
from vizschema.writer.forms.base import Form, PlannedArray

ZSTD_LEVEL = 3
SHARD_BYTES = 32 << 20
"""Default maximum shard size in bytes."""

AXES_ATTRIBUTE = "_ARRAY_DIMENSIONS"
"""Where xarray and its peers look for the names of dimensions in Zarr v2."""


class ZarrWriter:
    """A directory at `path`: a new one, which must not exist, unless it is to `resume` one."""

    def __init__(self, path: Path, version: Literal[2, 3], *, resume: bool = False) -> None:
        if not resume:
            path.mkdir()
        self._path = path
        self._version = version
        self._store = LocalStore(path)

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Do nothing: documents and chunks are separate files."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Write a group; the root registers itself as one that follows this specification."""
        given = registered(attributes) if path == "/" else dict(attributes)
        zarr.create_group(
            self._store, path=path.strip("/"), zarr_format=self._version, attributes=given, overwrite=False
        )

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array, its metadata first."""
        array = zarr.create_array(
            self._store,
            name=path.strip("/"),
            shape=planned.shape,
            dtype=planned.stored_dtype,
            chunks=planned.chunks,
            shards=planned.shards,
            zarr_format=self._version,
            config={"write_empty_chunks": True},
            **(self._v2(planned) if self._version == 2 else self._v3(planned)),
        )
        if self._version == 3 and planned.dtype in STORED_AS:
            self._rename(path, planned.dtype)  # before any value: whatever happens, none of them is taken for its bits
        for region in planned.regions():
            array[region] = planned.part(region)

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        group = zarr.open_group(
            self._store, path=path.strip("/"), mode="r+", zarr_format=self._version, use_consolidated=False
        )
        registers = path == "/" and CONVENTIONS in attributes
        group.update_attributes(registered(attributes) if registers else dict(attributes))

    def finish(self) -> None:
        """Consolidate the metadata: `.zmetadata` in v2, inline in the root document in v3."""
        consolidate = consolidate_v2 if self._version == 2 else consolidate_v3
        consolidate(self._path)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    @staticmethod
    def _v2(planned: PlannedArray) -> dict[str, Any]:
        axes = {} if planned.axes is None else {AXES_ATTRIBUTE: list(planned.axes)}
        return {
            "attributes": {**planned.marked, **axes},
            "compressors": Blosc(cname="zstd", clevel=ZSTD_LEVEL, shuffle=Blosc.SHUFFLE),
            "filters": None,
            "chunk_key_encoding": {"name": "v2", "separator": "."},
            "order": "C",
        }

    @staticmethod
    def _v3(planned: PlannedArray) -> dict[str, Any]:
        return {
            "attributes": dict(planned.attributes),
            "dimension_names": None if planned.axes is None else list(planned.axes),
            "compressors": ZstdCodec(level=ZSTD_LEVEL, checksum=False),
        }

    def _rename(self, path: str, dtype: str) -> None:
        """Name a dtype that zarr-python lacks: its bits are written as integers of the same size and byte order."""
        document = self._path / path.strip("/") / "zarr.json"
        content = json.loads(document.read_bytes())
        replace_document(document, {**content, "data_type": dtype, "fill_value": 0 if dtype in NIBBLES else 0.0})


def _discard(root: Path, places: Iterable[str]) -> None:
    """Remove the folders of these nodes, files that were not renamed to what they are of, and folders of nothing."""
    for place in places:
        shutil.rmtree(root / place.strip("/"))
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            if name.endswith(".partial"):
                Path(folder, name).unlink()
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def _storage_v2(planned: PlannedArray) -> Node:
    return _storage(planned, ["blosc"])


def _storage_v3(planned: PlannedArray) -> Node:
    codecs = ["bytes", "zstd"]
    return _storage(planned, ["sharding_indexed", *codecs, "bytes", "crc32c"] if planned.shards else codecs)


def _storage(planned: PlannedArray, codecs: list[str]) -> Node:
    return storage(
        planned.shape,
        planned.axes,
        ITEM_BYTES[planned.dtype],
        chunks=planned.chunks,
        shard=planned.shards,
        codecs=codecs,
    )


ZARR_V2 = Form(
    name="zarr-v2",
    identity={"format": "zarr", "version": 2, "store": "directory", "consolidated": True},
    shards=False,
    storage=_storage_v2,
    begin=partial(ZarrWriter, version=2),
    resume=partial(ZarrWriter, version=2, resume=True),
    discard=_discard,
)
ZARR_V3 = Form(
    name="zarr-v3",
    identity={"format": "zarr", "version": 3, "store": "directory", "consolidated": True},
    shards=True,
    storage=_storage_v3,
    begin=partial(ZarrWriter, version=3),
    resume=partial(ZarrWriter, version=3, resume=True),
    discard=_discard,
)


def _whole_shards(shape: Sequence[int], chunks: Sequence[int], item_bytes: int) -> tuple[int, ...] | None:
    """Shards of as many chunks as `SHARD_BYTES` allows, the last axes first; none where there is one chunk."""
    shards = list(chunks)
    for axis in reversed(range(len(shape))):
        times = SHARD_BYTES // max(1, math.prod(shards) * item_bytes)
        shards[axis] *= max(1, min(times, -(-shape[axis] // chunks[axis])))
    return None if shards == list(chunks) else tuple(shards)


ZARR_V3_SHARDED = replace(ZARR_V3, name="zarr-v3-sharded", default_shards=_whole_shards)


_V2_DOCUMENTS = (".zarray", ".zattrs", ".zgroup")


def consolidate_v2(root: Path) -> None:
    """Write `.zmetadata`: every `.zgroup`, `.zarray` and `.zattrs` under its key."""
    documents = {path.relative_to(root).as_posix(): _read(path) for path in _documents(root, _V2_DOCUMENTS)}
    replace_document(root / ".zmetadata", {"metadata": documents, "zarr_consolidated_format": 1})


def consolidate_v3(root: Path) -> None:
    """Write every other `zarr.json` into that of the root."""
    document = root / "zarr.json"
    members = {
        path.parent.relative_to(root).as_posix(): _read(path)
        for path in _documents(root, ("zarr.json",))
        if path != document
    }
    consolidated = {"kind": "inline", "must_understand": False, "metadata": members}
    replace_document(document, {**_read(document), "consolidated_metadata": consolidated})


def replace_document(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old or the new document, and never half of one."""
    temporary = path.with_name(f"{path.name}.partial")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def _documents(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(files) if name in names)


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())
