"""Decoders of frames whose headers say how much they decode to: compared with what was declared before decoding."""

from __future__ import annotations

import struct

from numcodecs import blosc, lz4, zstd

from vizschema.containers.sources import Buffer, Bytes, Undecoded
from vizschema.containers.stages import claimed_size, require_size


def decode_zstd(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that a zstd frame decodes to, in `out`; its header is read first."""
    claimed = _zstd_size(data)
    if claimed is not None and (exact is None or claimed > exact):
        claimed_size("zstd", claimed, exact, most)
    size = claimed if exact is None else exact
    if size is None:
        raise Undecoded("undecodable", "zstd: two compressors in a row, and the inner one does not say its size")
    target = out.sized(size)
    try:
        zstd.decompress(data, target)
    except (RuntimeError, ValueError):
        if _zstd_cut(data):
            raise Undecoded("truncated", f"its zstd frame ends after {data.size} bytes") from None
        if claimed is not None and claimed != size:
            raise Undecoded("wrong-length", f"its zstd header claims {claimed} bytes, expected {size}") from None
        raise
    return target


def _zstd_header(data: Bytes) -> tuple[int, int | None, bool]:
    """Length of a frame's header, the content size that it claims, and whether a checksum ends the frame (RFC 8878)."""
    head = data[:18].tobytes()
    if len(head) < 6 and b"\x28\xb5\x2f\xfd".startswith(head[:4]):
        raise Undecoded("truncated", f"its zstd frame ends after {data.size} bytes")
    if not head.startswith(b"\x28\xb5\x2f\xfd"):
        raise Undecoded("undecodable", "zstd: it is no zstd frame")
    flags = head[4]
    single = bool(flags & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (int(single), 2, 4, 8)[flags >> 6]
    if not width:
        return start, None, bool(flags & 4)
    size = int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0)
    return start + width, size, bool(flags & 4)


def _zstd_size(data: Bytes) -> int | None:
    return _zstd_header(data)[1]


def _zstd_cut(data: Bytes) -> bool:
    """Whether the first frame ends before its last block does."""
    at, _, checksum = _zstd_header(data)
    last = False
    while not last:
        if at + 3 > data.size:
            return True
        head = int.from_bytes(data[at : at + 3].tobytes(), "little")
        last, kind, length = bool(head & 1), head >> 1 & 3, head >> 3
        at += 3 + (1 if kind == 1 else length)
    return at + 4 * checksum > data.size


def decode_blosc(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that a blosc frame decodes to, in `out`; its header is read first."""
    if data.size < 16:
        raise Undecoded("truncated", f"its blosc header has {data.size} of 16 bytes")
    decoded, block, encoded = struct.unpack("<III", data[4:16].tobytes())
    # The decoder trusts this length: it must never see a frame that is shorter.
    require_size(data.size, encoded, "its blosc frame")
    size = claimed_size("blosc", decoded, exact, most)
    if size and not 0 < block <= max(size, 1 << 16):
        raise Undecoded("undecodable", f"blosc: blocks of {block} bytes in {size}")
    target = out.sized(size)
    if size:
        blosc.decompress(data, target)
    return target


def decode_lz4(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that an lz4 frame decodes to, in `out`; its header is read first."""
    if data.size < 4:
        raise Undecoded("truncated", f"its lz4 header has {data.size} of 4 bytes")
    (claimed,) = struct.unpack("<I", data[:4].tobytes())
    target = out.sized(claimed_size("lz4", claimed, exact, most))
    if claimed:
        lz4.decompress(data, target)
    return target
