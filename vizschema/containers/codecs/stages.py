"""The codecs from bytes to bytes that containers share, as stages, undone within the sizes that were declared.

A `Stage` is one codec, ready to decode: into a buffer of the size that the metadata declare, or, where that is not
known (two compressors in a row), of at most a bound. Where a frame claims how much it decodes to, that is compared
before anything is decoded.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import google_crc32c
from numcodecs import blosc, lz4, zstd
from numcodecs.fletcher32 import Fletcher32
from numcodecs.shuffle import Shuffle

from vizschema.containers.bytes.deflating import deflate
from vizschema.containers.bytes.sources import Buffer, Bytes, as_bytes
from vizschema.containers.values import ChunkDamaged
from vizschema.text import escape_text

_LZMA_MEMORY = 128 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"

Decode = Callable[[Bytes, int | None, int, Buffer], Any]
"""(encoded, size of what it decodes to where known, bound on it, buffer) → bytes in any form."""

_ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    RuntimeError,
    OverflowError,
    BufferError,
    EOFError,
    OSError,
    zlib.error,
    deflate.error,
    lzma.LZMAError,
)
"""What decoders raise for bytes that are not theirs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One codec: its name, how to decode, and how many bytes it makes of so many (None where that depends on them)."""

    name: str
    decode: Decode
    encoded: Callable[[int | None], int | None] = lambda size: size


def run(
    stages: list[Stage], data: Bytes, size: int, free: Callable[[Bytes], Buffer], last: Buffer | None = None
) -> Bytes:
    """`size` bytes decoded from `data` by `stages`, which are in the order of encoding.

    `free` gives a buffer in which what it is called with does not lie; `last` is for the result. Raises `ChunkDamaged`.
    """
    sizes: list[int | None] = [size]
    for stage in stages:
        sizes.append(stage.encoded(sizes[-1]))
    for stage, exact, stored in zip(reversed(stages), sizes[-2::-1], sizes[::-1], strict=False):
        if stored is not None:
            _require_size(data.size, stored, f"what {stage.name} decodes")
        out = last if last is not None and stage is stages[0] else free(data)
        data = _decoded(stage, data, exact, bound_of(size), out)
        if exact is not None:
            _require_size(data.size, exact, f"what {stage.name} gives")
    _require_size(data.size, size, "it")
    return data


def unwrap(stages: list[Stage], data: Bytes, most: int) -> Bytes:
    """What `stages` made `data` of, of which is known that it has at most `most` bytes; raises `ChunkDamaged`."""
    for stage in reversed(stages):
        data = _decoded(stage, data, None, most, Buffer())
    return data


def _decoded(stage: Stage, data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    try:
        return as_bytes(stage.decode(data, exact, most, out))
    except _ERRORS as error:
        said = escape_text(str(error)) or type(error).__name__
        raise ChunkDamaged("undecodable", f"{stage.name}: {said}") from None


def bound_of(size: int) -> int:
    """More bytes than any sound encoding of `size` bytes takes."""
    return 2 * size + (1 << 16)


def _require_size(found: int, expected: int, what: str) -> None:
    """Raise `ChunkDamaged` for fewer bytes than expected, and for more."""
    if found != expected:
        raise ChunkDamaged(
            "truncated" if found < expected else "wrong-length", f"{what} has {found} bytes, expected {expected}"
        )


def _claimed_size(name: str, claimed: int, exact: int | None, most: int) -> int:
    """The size to decode to, once what a header claims is what was declared."""
    if exact is not None and claimed != exact:
        raise ChunkDamaged("wrong-length", f"its {name} header claims {claimed} bytes, expected {exact}")
    if claimed > most:
        raise ChunkDamaged("over-limit", f"its {name} header claims {claimed} bytes, more than {most}")
    return claimed


def _decode_zstd(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that zstd frames decode to, in `out`; their headers and block lengths are read first."""
    claimed = _zstd_size(data)
    size = exact if claimed is None else _claimed_size("zstd", claimed, exact, most)
    if size is None:
        raise ChunkDamaged("undecodable", "zstd: two compressors in a row, and the inner one does not say its size")
    target = out.sized(size)
    zstd.decompress(data, target)
    return target


def _zstd_size(data: Bytes) -> int | None:
    """What the headers of all frames claim together, None where the only one claims nothing (RFC 8878)."""
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
    if at and head[:4] != _ZSTD and not _is_skipped(head):
        raise ChunkDamaged("wrong-length", f"{data.size - at} bytes follow its zstd frame")
    if len(head) < 8:
        raise ChunkDamaged("truncated", f"its zstd frame ends after {data.size} bytes")
    if _is_skipped(head):
        at += 8 + int.from_bytes(head[4:8], "little")  # what decoders skip
        if at > data.size:
            raise ChunkDamaged("truncated", f"its zstd frame ends after {data.size} bytes")
        return at, 0
    if head[:4] != _ZSTD:
        raise ChunkDamaged("undecodable", "zstd: it is not a zstd frame")
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


def _is_skipped(head: bytes) -> bool:
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


def _decode_blosc(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that a blosc frame decodes to, in `out`; its header is read first."""
    if data.size < 16:
        raise ChunkDamaged("truncated", f"its blosc header has {data.size} of 16 bytes")
    decoded, block, encoded = struct.unpack("<III", data[4:16].tobytes())
    # The decoder trusts this length: it must never see a frame that is shorter.
    _require_size(data.size, encoded, "its blosc frame")
    size = _claimed_size("blosc", decoded, exact, most)
    if size and not 0 < block <= max(size, 1 << 16):
        raise ChunkDamaged("undecodable", f"blosc: blocks of {block} bytes in {size}")
    target = out.sized(size)
    if size:
        blosc.decompress(data, target)
    return target


def _decode_lz4(data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    """The bytes that an lz4 frame decodes to, in `out`; its header is read first."""
    if data.size < 4:
        raise ChunkDamaged("truncated", f"its lz4 header has {data.size} of 4 bytes")
    (claimed,) = struct.unpack("<I", data[:4].tobytes())
    target = out.sized(_claimed_size("lz4", claimed, exact, most))
    if claimed:
        lz4.decompress(data, target)
    return target


def _inflated(window: int, name: str, *, members: bool) -> Decode:
    """A decoder of zlib or gzip, streamed and stopped one byte past what is expected."""

    def decode(data: Bytes, exact: int | None, most: int, _: Buffer) -> Any:
        most = most if exact is None else exact
        rest: Any = data
        parts: list[bytes] = []
        while True:
            stream = deflate.decompressobj(wbits=window)
            parts.append(stream.decompress(rest, most + 1))
            most -= len(parts[-1])
            if most < 0:
                raise ChunkDamaged("wrong-length", f"its {name} stream gives more than the expected bytes")
            if not stream.eof:
                raise ChunkDamaged("truncated", f"its {name} stream ends after {data.size} bytes")
            rest = stream.unused_data
            if not rest:
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if not (members and rest.startswith(b"\x1f\x8b")):
                raise ChunkDamaged("wrong-length", f"{len(rest)} bytes follow its {name} stream")

    return decode


def _streamed(name: str, begin: Callable[[], Any], *, ends: bool = True) -> Decode:
    """A decoder of bz2 or lzma, stopped one byte past what is expected; without `ends` a stream may lack its end."""

    def decode(data: Bytes, exact: int | None, most: int, _: Buffer) -> Any:
        most = most if exact is None else exact
        stream = begin()
        decoded = stream.decompress(data, most + 1)
        if len(decoded) > most:
            raise ChunkDamaged("wrong-length", f"its {name} stream gives more than {most} bytes")
        if not stream.eof and (ends or len(decoded) != exact):
            raise ChunkDamaged("truncated", f"its {name} stream ends after {data.size} bytes")
        if stream.eof and stream.unused_data:
            raise ChunkDamaged("wrong-length", f"{len(stream.unused_data)} bytes follow its {name} stream")
        return decoded

    return decode


def _lzma(configuration: Mapping[str, Any]) -> Stage:
    form, filters = configuration.get("format", 1), configuration.get("filters")
    for entry in filters or ():
        if not isinstance(entry, dict) or int(entry.get("dict_size", 0)) > _LZMA_MEMORY:
            raise ValueError("lzma: a dictionary of more than 128 MiB")
    if form == lzma.FORMAT_RAW:
        decode = _streamed("lzma", lambda: lzma.LZMADecompressor(form, filters=filters), ends=False)
    else:
        begin = lambda: lzma.LZMADecompressor(form, memlimit=_LZMA_MEMORY)  # noqa: E731
        decode = _streamed("lzma", begin, ends=form != lzma.FORMAT_ALONE)
    return Stage("lzma", decode, _unknown)


def _checksum(name: str, compute: Callable[[Any], int], default: str) -> Callable[[Mapping[str, Any]], Stage]:
    """A stage that compares four bytes at the start or the end with the checksum of the rest."""

    def stage(configuration: Mapping[str, Any]) -> Stage:
        at_start = configuration.get("location", default) == "start"

        def decode(data: Bytes, *_: Any) -> Bytes:
            if data.size < 4:
                raise ChunkDamaged("truncated", f"its {name} has {data.size} of 4 bytes")
            rest, tail = (data[4:], data[:4]) if at_start else (data[:-4], data[-4:])
            stored, found = int.from_bytes(tail.tobytes(), "little"), compute(rest) & 0xFFFFFFFF
            if stored != found:
                raise ChunkDamaged("checksum", f"its {name} is {found:08x}, expected {stored:08x}")
            return rest

        return Stage(name, decode, _plus_four)

    return stage


def _fletcher32(_: Mapping[str, Any]) -> Stage:
    codec = Fletcher32()

    def decode(data: Bytes, *_: Any) -> Any:
        if data.size < 4:
            raise ChunkDamaged("truncated", f"its fletcher32 has {data.size} of 4 bytes")
        if data.size == 4:
            return data[:0]
        try:
            return codec.decode(data)
        except RuntimeError:
            raise ChunkDamaged("checksum", "its fletcher32 is not that of its bytes") from None

    return Stage("fletcher32", decode, _plus_four)


def _shuffle(configuration: Mapping[str, Any]) -> Stage:
    width = configuration.get("elementsize", 4)
    if type(width) is not int or not 0 < width <= 1 << 16:
        raise ValueError(f"shuffle: elements of {width!r} bytes")
    codec = Shuffle(width)

    def decode(data: Bytes, _: int | None, __: int, out: Buffer) -> Bytes:
        whole = data.size - data.size % width
        target = out.sized(data.size)
        if width == 1 or not whole:
            return data
        codec.decode(data[:whole], target[:whole])
        target[whole:] = data[whole:]
        return target

    return Stage("shuffle", decode)


def _unknown(_: int | None) -> None:
    return None


def _plus_four(size: int | None) -> int | None:
    return None if size is None else size + 4


def _plain(name: str, decode: Decode) -> Callable[[Mapping[str, Any]], Stage]:
    return lambda _: Stage(name, decode, _unknown)


STAGES: Mapping[str, Callable[[Mapping[str, Any]], Stage]] = {
    "zstd": _plain("zstd", _decode_zstd),
    "blosc": _plain("blosc", _decode_blosc),
    "lz4": _plain("lz4", _decode_lz4),
    "gzip": _plain("gzip", _inflated(31, "gzip", members=True)),
    "zlib": _plain("zlib", _inflated(15, "zlib", members=False)),
    "bz2": _plain("bz2", _streamed("bz2", bz2.BZ2Decompressor)),
    "lzma": _lzma,
    "crc32": _checksum("crc32", zlib.crc32, "start"),
    "adler32": _checksum("adler32", zlib.adler32, "start"),
    "crc32c": _checksum("crc32c", google_crc32c.value, "end"),
    "fletcher32": _fletcher32,
    "shuffle": _shuffle,
    "bitround": lambda _: Stage("bitround", lambda data, *_: data),  # what was rounded stays so
}
"""Codecs by their names in Zarr; the value makes a stage of a configuration, and raises `ValueError` for a bad one."""
