"""Zarr v2 and v3 in a directory, through zarr-python but for whole chunks. Each is written: an absent one was lost.

Metadata are consolidated here: zarr-python would do it, but warns for v3 and cannot read arrays of bfloat16 and float8.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.codecs import ZstdCodec
from zarr.core.sync import sync
from zarr.storage import LocalStore

from vizschema.containers.attributes import CONVENTIONS, registered
from vizschema.description import ITEM_BYTES, NIBBLES, STORED_AS, Node, storage
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.forms.zarr_chunks import BLOSC, ZSTD_LEVEL, write_chunks
from vizschema.writer.forms.zarr_documents import consolidate, read_document, replace_document, set_attributes

SHARD_BYTES = 32 << 20
"""Default maximum shard size in bytes."""

AXES_ATTRIBUTE = "_ARRAY_DIMENSIONS"
"""Where xarray and its peers look for the names of dimensions in Zarr v2."""

_SETTLING = 60.0
"""Seconds that are waited for what goes on after an error; beside it there may be work of others, which never ends."""


@contextmanager
def settled() -> Iterator[None]:
    """Within the block, an error leaves nothing of zarr-python running.

    It writes many files at once, and continues with the others after one failed or Ctrl-C came: files would appear in
    a folder that is being removed.
    """
    try:
        yield
    except BaseException:
        sync(_rest(), timeout=_SETTLING + 1)
        raise


async def _rest() -> None:
    """End once nothing else runs in this loop."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _SETTLING
    while (running := asyncio.all_tasks() - {asyncio.current_task()}) and loop.time() < end:
        await asyncio.wait(running, timeout=end - loop.time())


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
        with settled():
            zarr.create_group(
                self._store, path=path.strip("/"), zarr_format=self._version, attributes=given, overwrite=False
            )

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array, its metadata first."""
        array = self.empty(path, planned)
        if planned.shards is None:
            write_chunks(self._path / path.strip("/"), planned, self._version)
            return
        for region in planned.regions():
            part = planned.part(region)
            with settled():
                array[region] = part

    def empty(self, path: str, planned: PlannedArray) -> Any:
        """Write the metadata of an array; a zarr array that takes its values as `stored_dtype`."""
        with settled():
            array: Any = zarr.create_array(
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
        return array

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        set_attributes(self._path / path.strip("/"), self._version, annotated(path, attributes))

    def finish(self) -> None:
        """Consolidate the metadata: `.zmetadata` in v2, inline in the root document in v3."""
        consolidate(self._path, self._version)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    @staticmethod
    def _v2(planned: PlannedArray) -> dict[str, Any]:
        axes = {} if planned.axes is None else {AXES_ATTRIBUTE: list(planned.axes)}
        return {
            "attributes": {**planned.marked, **axes},
            "compressors": BLOSC,
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
        content = read_document(document)
        replace_document(document, {**content, "data_type": dtype, "fill_value": 0 if dtype in NIBBLES else 0.0})


def annotated(path: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return further attributes of a node as they are stored: the root stays registered."""
    return registered(attributes) if path == "/" and CONVENTIONS in attributes else dict(attributes)


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
    captured=2,
    in_place=True,
)
ZARR_V3 = Form(
    name="zarr-v3",
    identity={"format": "zarr", "version": 3, "store": "directory", "consolidated": True},
    shards=True,
    storage=_storage_v3,
    begin=partial(ZarrWriter, version=3),
    captured=3,
    in_place=True,
)


def _whole_shards(shape: Sequence[int], chunks: Sequence[int], item_bytes: int) -> tuple[int, ...] | None:
    """Shards of as many chunks as `SHARD_BYTES` allows, the last axes first; none where there is one chunk."""
    shards = list(chunks)
    for axis in reversed(range(len(shape))):
        times = SHARD_BYTES // max(1, math.prod(shards) * item_bytes)
        shards[axis] *= max(1, min(times, -(-shape[axis] // chunks[axis])))
    return None if shards == list(chunks) else tuple(shards)


ZARR_V3_SHARDED = replace(ZARR_V3, name="zarr-v3-sharded", default_shards=_whole_shards)
