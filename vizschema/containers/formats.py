"""Every container format, one record each: how its content is recognised, what opens it and what writes it.

This table is the one place that names them all. It imports none of them: a function is named as `module:name`. Beside
it stand the codecs that are decoded here: of an array with any other codec no value is read, as the rule about codecs
says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import IO, Any, NamedTuple

_HEAD = 2048
_ZIP = rb"PK(?:\x03\x04|\x05\x06)"


class Format(NamedTuple):
    """A container format, in the words of a description (`name`, `store`) and of a person (`shown`).

    `head` is a regular expression of the first bytes, None of a folder; where a `user_block` may stand before it, it is
    looked for at 512, 1024, 2048, … too. Of formats with the same head, the first holds whose `told`, given the path,
    agrees. `open_ranges` takes a file that is read by ranges, here or over a network, its name to be shown, and limits;
    `open` takes a path and limits, and goes first on this machine. `writers` are the forms in which it is written, by
    name, the first of them under each of the `suffixes`; `other_suffixes` are those of files that are only read. The
    `modules` are those that reading values imports beside what opens it.
    """

    name: str
    shown: str
    store: str
    head: bytes | None
    open: str | None = None
    open_ranges: str | None = None
    suffixes: Sequence[str] = ()
    other_suffixes: Sequence[str] = ()
    modules: Sequence[str] = ()
    writers: Mapping[str, str] = {}
    told: str | None = None
    user_block: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        """The `container` block of a description, as far as the format says."""
        return {"format": self.name, "version": None, "store": self.store, "consolidated": False}


FOLDER = Format(
    name="zarr",
    shown="Zarr",
    store="directory",
    head=None,
    open="vizschema.containers.zarr.directory:open_zarr_directory",
    suffixes=(".zarr",),
    modules=("vizschema.containers.zarr.values",),
    writers={
        "zarr-v3": "vizschema.writer.forms.zarr:ZARR_V3",
        "zarr-v2": "vizschema.writer.forms.zarr:ZARR_V2",
        "zarr-v3-sharded": "vizschema.writer.forms.zarr:ZARR_V3_SHARDED",
    },
)

REMOTE = Format(name="zarr", shown="Zarr", store="remote", head=None, open="vizschema.containers.by_url:open_remote")
"""What a URL is taken for until it is opened."""

FORMATS: Sequence[Format] = (
    FOLDER,
    Format(
        name="hdf5",
        shown="HDF5",
        store="file",
        head=rb"\x89HDF\r\n\x1a\n",
        user_block=True,  # HDF5 File Format 3.0, II.A
        open="vizschema.containers.hdf5.account:open_accounted",
        open_ranges="vizschema.containers.hdf5.remote:open_hdf5_ranges",
        suffixes=(".h5", ".hdf5"),
        modules=("vizschema.containers.hdf5.values",),
        other_suffixes=(".hdf", ".he5", ".nc", ".nc4"),
        writers={"hdf5": "vizschema.writer.forms.hdf5:HDF5"},
    ),
    Format(
        name="npz",
        shown="NPZ",
        store="file",
        head=_ZIP,
        told="vizschema.containers.in_zip:holds_no_zarr",
        open_ranges="vizschema.containers.in_zip:open_zip_ranges",
        suffixes=(".npz",),
        writers={"npz": "vizschema.writer.forms.npz:NPZ"},
    ),
    Format(
        name="asdf",
        shown="ASDF",
        store="file",
        head=b"#ASDF ",
        open_ranges="vizschema.containers.asdf.file:open_asdf_ranges",
        suffixes=(".asdf",),
        writers={"asdf": "vizschema.writer.forms.asdf:ASDF"},
    ),
    Format(
        name="safetensors",
        shown="safetensors",
        store="file",
        head=rb"(?s:.{5})\x00\x00\x00\{\s*(?:\"|\})",
        open_ranges="vizschema.containers.safetensors:open_safetensors",
        suffixes=(".safetensors",),
        writers={"safetensors": "vizschema.writer.forms.safetensors:SAFETENSORS"},
    ),
    Format(
        name="zarr",
        shown="Zarr",
        store="zip",
        head=_ZIP,
        open_ranges="vizschema.containers.in_zip:open_zip_ranges",
        suffixes=(".zip",),
        modules=("vizschema.containers.zarr.zip", "vizschema.containers.zarr.values"),
        writers={
            "zarr-v3-zip": "vizschema.writer.forms.zarr_zip:ZARR_V3_ZIP",
            "zarr-v2-zip": "vizschema.writer.forms.zarr_zip:ZARR_V2_ZIP",
        },
    ),
)

SHOWN: Mapping[str, str] = {each.name: each.shown for each in FORMATS}
"""What a person calls a format, by its name."""

SUFFIXES = frozenset(suffix for each in FORMATS for suffix in (*each.suffixes, *each.other_suffixes))
"""How the names of archives end."""

WRITTEN: Mapping[str, str] = {suffix: next(iter(each.writers)) for each in FORMATS for suffix in each.suffixes}
"""The name of the form that a suffix stands for, where a caller names none."""

WRITERS: Mapping[str, str] = {name: place for each in FORMATS for name, place in each.writers.items()}
"""Where a form is that can be written, by its name."""


def loaded(place: str) -> Any:
    """What is at `module:name`, imported."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def modules_of(container: Mapping[str, Any], *, values: bool) -> list[str]:
    """What reading an archive with this `container` block imports, its `values` or none; empty if it is not local."""
    forms = _forms_of(container)
    opening = [place.partition(":")[0] for each in forms for place in (each.open or each.open_ranges,) if place]
    return [*opening, *(module for each in forms if values for module in each.modules)]


def suffix_of(container: Mapping[str, Any]) -> str | None:
    """The first suffix of the format of an archive with this `container` block; None if it is not local."""
    return next((form.suffixes[0] for form in _forms_of(container)), None)


def _forms_of(container: Mapping[str, Any]) -> list[Format]:
    return [each for each in FORMATS if (each.name, each.store) == (container["format"], container.get("store"))]


def found_in(file: IO[bytes]) -> Sequence[Format] | str:
    """The formats that the content of a file may be of; where it is of none, what it is in words."""
    head = file.read(_HEAD)
    found = [each for each in FORMATS if each.head is not None and _begins(file, head, each.head, each.user_block)]
    if found:
        return found
    from vizschema.containers.others import by_file

    return by_file(file, head)


def _begins(file: IO[bytes], head: bytes, pattern: bytes, user_block: bool) -> bool:
    """Whether a file begins so, or what is behind its user block; the first file in a tar file begins at 512, too."""
    if re.match(pattern, head):
        return True
    offset = 1024 if head[257:262] == b"ustar" else 512
    size = file.seek(0, os.SEEK_END) if user_block else 0
    while offset < size:
        file.seek(offset)
        if re.match(pattern, file.read(_HEAD)):
            return True
        offset *= 2
    return False


DECODED: Mapping[tuple[str, int | None], frozenset[str]] = {
    ("zarr", 3): frozenset(
        (
            *("bytes", "transpose", "sharding_indexed", "crc32c", "blosc", "zstd", "gzip"),
            *(f"numcodecs.{name}" for name in ("blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma", "shuffle")),
            *(f"numcodecs.{name}" for name in ("crc32", "crc32c", "adler32", "fletcher32", "bitround")),
            *(f"numcodecs.{name}" for name in ("delta", "packbits", "fixedscaleoffset", "quantize", "astype")),
        )
    ),
    ("zarr", 2): frozenset(
        (
            *("blosc", "zstd", "gzip", "zlib", "bz2", "lzma", "lz4", "shuffle", "crc32", "crc32c", "adler32"),
            *("fletcher32", "delta", "packbits", "fixedscaleoffset", "quantize", "astype", "bitround"),
        )
    ),
    ("hdf5", None): frozenset(
        (
            *("deflate", "shuffle", "fletcher32", "szip", "nbit", "scaleoffset", "lzf"),
            *("hdf5-32001", "hdf5-32015"),  # blosc and zstd, as the HDF Group registered them
        )
    ),
}
"""By format and version, as descriptions name them. None of them executes what an archive says, or loads a plug-in."""


def undecoded(container: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """The codecs of an array that are not decoded here; `container` is the block of that name of the description."""
    decoded = DECODED.get((container.get("format", ""), container.get("version")))
    storage = node["storage"]
    return [] if decoded is None or storage is None else [name for name in storage["codecs"] if name not in decoded]
