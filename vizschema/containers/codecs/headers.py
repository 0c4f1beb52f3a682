"""Decoders of frames whose headers say how much they decode to: compared with what was declared before decoding."""

from __future__ import annotations

import struct

from numcodecs import blosc, lz4, zstd

from vizschema.containers.bytes.sources import Buffer, Bytes
from vizschema.containers.codecs.stages import claimed_size, require_size
from vizschema.containers.values import ChunkDamaged


def decode_zstd(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that zstd frames decode to, in `out`; their headers and block lengths are read first."""
    claimed = _zstd_size(data)
    size = exact if claimed is None else claimed_size("zstd", claimed, exact, most)
    if size is None:
        raise ChunkDamaged("undecodable", "zstd: two compressors in a row, and the inner one does not say its size")
    target = out.sized(size)
    zstd.decompress(data, target)
    return target


def _zstd_size(data: Bytes) -> int | None:
    """What the headers of all frames claim together, null where the only one claims nothing (RFC 8878)."""
    at, claimed, frames = 0, 0, 0
    while at < data.size or not frames:
        end, size = _zstd_frame(data, at)
        frames += size != 0
        if size is None:
            if frames > 1 or end < data.size:
                raise ChunkDamaged("undecodable", "zstd: several frames, of which one does not say its size")
            return None
        claimed += size
        at = end
        if at >= data.size:
            break
    return claimed


def _zstd_frame(data: Bytes, at: int) -> tuple[int, int | None]:
    """Where the frame at `at` ends, and the size that it claims; none of it is decoded."""
    head = data[at : at + 18].tobytes()
    if at and not _begins_frame(head):
        raise ChunkDamaged("wrong-length", f"{data.size - at} bytes follow its zstd frame")
    if len(head) < 8:
        raise ChunkDamaged("truncated", f"its zstd frame ends after {data.size} bytes")
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        at += 8 + int.from_bytes(head[4:8], "little")  # what decoders skip
        if at > data.size:
            raise ChunkDamaged("truncated", f"its zstd frame ends after {data.size} bytes")
        return at, 0
    if head[:4] != b"\x28\xb5\x2f\xfd":
        raise ChunkDamaged("undecodable", "zstd: it is no zstd frame")
    flags = head[4]
    single = bool(flags & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (int(single), 2, 4, 8)[flags >> 6]
    size = int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0) if width else None
    at += start + width
    view, end = data.data, data.size
    last = 0
    while not last and at + 3 <= end:
        block = view[at] | view[at + 1] << 8 | view[at + 2] << 16
        last = block & 1
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
    at += 4 * bool(flags & 4) if last else 3
    if at > data.size:
        raise ChunkDamaged("truncated", f"its zstd frame ends after {data.size} bytes")
    return at, size


def _begins_frame(head: bytes) -> bool:
    skipped = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return skipped or head[:4] == b"\x28\xb5\x2f\xfd"


def decode_blosc(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that a blosc frame decodes to, in `out`; its header is read first."""
    if data.size < 16:
        raise ChunkDamaged("truncated", f"its blosc header has {data.size} of 16 bytes")
    decoded, block, encoded = struct.unpack("<III", data[4:16].tobytes())
    # The decoder trusts this length: it must never see a frame that is shorter.
    require_size(data.size, encoded, "its blosc frame")
    size = claimed_size("blosc", decoded, exact, most)
    if size and not 0 < block <= max(size, 1 << 16):
        raise ChunkDamaged("undecodable", f"blosc: blocks of {block} bytes in {size}")
    target = out.sized(size)
    if size:
        blosc.decompress(data, target)
    return target


def decode_lz4(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that an lz4 frame decodes to, in `out`; its header is read first."""
    if data.size < 4:
        raise ChunkDamaged("truncated", f"its lz4 header has {data.size} of 4 bytes")
    (claimed,) = struct.unpack("<I", data[:4].tobytes())
    target = out.sized(claimed_size("lz4", claimed, exact, most))
    if claimed:
        lz4.decompress(data, target)
    return target
