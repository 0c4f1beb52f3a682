"""The metadata of a large capture, written without our own writer: as zarr-python and h5py would, and no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

KINDS = ("msa_row", "msa_column", "triangle_start", "triangle_end", "ipa")
"""The arrays of one block in one recycle."""

BLOCKS = 40
RESIDUES = 256
HEADS = 8

_ROOT = {
    "spec_version": "1.0.0",
    "profile": "trace",
    "created_at": "2026-01-01T00:00:00+00:00",
    "generator": "vizschema benchmark",
}
_METADATA = {
    "model_name": "openfold",
    "model_version": "benchmark",
    "size_residue": RESIDUES,
    **dict.fromkeys(("framework", "task", "dataset", "license", "checkpoint_sha256", "git_commit"), "none"),
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
}


class Member(NamedTuple):
    """A group (no axes) or an array of the capture."""

    path: str
    attributes: Mapping[str, Any]
    axes: Sequence[str] = ()


def capture(arrays: int) -> Iterator[Member]:
    """The members of a capture with so many arrays: recycles, blocks in them, five arrays a block."""
    yield Member("", _ROOT)
    yield Member("metadata", _METADATA)
    yield Member("attention", {"num_recycles": -(-arrays // (BLOCKS * len(KINDS)))})
    for index in range(arrays):
        place, kind = divmod(index, len(KINDS))
        recycle, block = divmod(place, BLOCKS)
        if index % (BLOCKS * len(KINDS)) == 0:
            yield Member(f"attention/recycle_{recycle:02}", {"num_layers": BLOCKS})
        if kind == 0:
            yield Member(f"attention/recycle_{recycle:02}/layer_{block:02}", {})
        yield _array(recycle, block, KINDS[kind])


def _array(recycle: int, block: int, kind: str) -> Member:
    attributes = {
        "normalization": "softmax",
        "source": "captured",
        "anchor": "mean",
        "module": f"evoformer.blocks.{block}.{kind}",
        "recycle": recycle,
        "head_count": HEADS,
        "temperature": 1.0,
    }
    line = "sequence" if kind == "msa_column" else "residue"
    axes = (f"{kind}_head", f"{line}:query", f"{line}:key")
    return Member(f"attention/recycle_{recycle:02}/layer_{block:02}/{kind}", attributes, axes)


def write_zarr(folder: Path, members: Sequence[Member]) -> list[str]:
    """The paths of the `zarr.json` files, written as zarr-python writes them."""
    paths = []
    for member in members:
        path = folder / member.path / "zarr.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"attributes": dict(member.attributes), "zarr_format": 3, "node_type": "group"}
        if member.axes:
            document = {**_layout(), **document, "dimension_names": list(member.axes), "node_type": "array"}
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        paths.append(str(path))
    return paths


def _layout() -> dict[str, Any]:
    return {
        "shape": [HEADS, RESIDUES, RESIDUES],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, RESIDUES, RESIDUES]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
        ],
        "storage_transformers": [],
    }


def write_hdf5(path: Path, members: Sequence[Member]) -> None:
    """Nothing; the same members as one HDF5 file, its datasets chunked and empty."""
    import h5py

    shape, chunks = (HEADS, RESIDUES, RESIDUES), (1, RESIDUES, RESIDUES)
    with h5py.File(path, "w") as file:
        for member in members:
            if member.axes:
                node = file.create_dataset(member.path, shape, "f4", chunks=chunks, compression="gzip")
            else:
                node = file.require_group(member.path or "/")
            for dimension, name in enumerate(member.axes):
                node.dims[dimension].label = name
            for key, value in member.attributes.items():
                node.attrs[key] = value


def write(folder: Path, arrays: int) -> int:
    """How many nodes the capture has that is now in `folder`."""
    members = list(capture(arrays))
    documents = write_zarr(folder / "capture.zarr", members)
    write_hdf5(folder / "capture.h5", members)
    (folder / "documents.json").write_bytes(orjson.dumps(documents))
    return len(members)
