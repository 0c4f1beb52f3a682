"""The codecs from bytes to bytes that containers share, by name: compressors, checksums and the byte shuffle."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import google_crc32c
from numcodecs.fletcher32 import Fletcher32
from numcodecs.shuffle import Shuffle

from vizschema.containers.bytes.deflating import deflate
from vizschema.containers.bytes.sources import Buffer, Bytes
from vizschema.containers.codecs.headers import decode_blosc, decode_lz4, decode_zstd
from vizschema.containers.codecs.stages import Decode, Stage
from vizschema.containers.values import ChunkDamaged

_LZMA_MEMORY = 128 << 20


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
    "zstd": _plain("zstd", decode_zstd),
    "blosc": _plain("blosc", decode_blosc),
    "lz4": _plain("lz4", decode_lz4),
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
