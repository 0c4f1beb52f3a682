"""The writer of each container that has encodings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from vizschema.conformance.corpus.encodings import asdf, hdf5, npz, safetensors, zarr2, zarr3
from vizschema.conformance.corpus.encodings.putting import write_folder, write_zip
from vizschema.conformance.corpus.encodings.table import Encoding, plain
from vizschema.conformance.corpus.raw.nodes import RawNode

Nodes = Mapping[str, RawNode]
_PLAIN_ZARR = {"zarr-v3-zip": ("zarr-v3", zarr3.files), "zarr-v2-zip": ("zarr-v2", zarr2.files)}


def _zarr_zip(container: str) -> Callable[[Path, Nodes, Encoding], None]:
    inner, files = _PLAIN_ZARR[container]
    return lambda path, nodes, encoding: write_zip(path, files(nodes, plain(inner)), encoding, encoding["packing"])


def _new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


WRITERS: Mapping[str, Callable[[Path, Nodes, Encoding], None]] = {
    "zarr-v3": lambda path, nodes, encoding: write_folder(path, zarr3.files(nodes, encoding)),
    "zarr-v2": lambda path, nodes, encoding: write_folder(path, zarr2.files(nodes, encoding)),
    "hdf5": hdf5.write,
    "npz": lambda path, nodes, encoding: write_zip(path, npz.files(nodes, encoding), {}, encoding["zip"]),
    "asdf": asdf.write,
    "safetensors": lambda path, nodes, encoding: _new(path, safetensors.content(nodes, encoding)),
    "zarr-v3-zip": _zarr_zip("zarr-v3-zip"),
    "zarr-v2-zip": _zarr_zip("zarr-v2-zip"),
}
"""Each writes nodes in an encoding to a path, which must not exist."""
