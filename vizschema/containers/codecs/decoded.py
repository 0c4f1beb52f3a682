"""Which codecs are decoded here, for each container, by the names that a description has for them. Imports no codec.

Of an array with any other codec no value is read: the rule about codecs says so, and nothing more is known of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DECODED: Mapping[tuple[str, int | None], frozenset[str]] = {
    ("zarr", 3): frozenset(
        (
            *("bytes", "transpose", "sharding_indexed", "crc32c", "blosc", "zstd", "gzip"),
            *(f"numcodecs.{name}" for name in ("blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma", "shuffle")),
            *(f"numcodecs.{name}" for name in ("crc32", "crc32c", "adler32", "fletcher32", "bitround")),
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
"""By format and version. None of them executes what an archive says, or loads a plug-in."""


def undecoded(container: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """The codecs of an array that are not decoded here; `container` is the block of that name of the description."""
    decoded = DECODED.get((container.get("format", ""), container.get("version")))
    storage = node["storage"]
    return [] if decoded is None or storage is None else [name for name in storage["codecs"] if name not in decoded]
