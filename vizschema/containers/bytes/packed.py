"""Runs of bytes within a file, raw or packed: streamed in steps of bounded size, and held against what was declared.

Owns the decoders of zip members and ASDF blocks. Knows nothing of arrays.
"""

from __future__ import annotations

import bz2
import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vizschema.containers.base import Unreadable
from vizschema.containers.bytes.deflating import deflate
from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.bytes.sources import Buffer, Bytes, as_bytes
from vizschema.containers.values import ChunkDamaged, Damage

STEP = 4 << 20
"""Bytes that are fetched, and handed on, at once."""

LZ4_BLOCK = 64 << 20
"""The most that one block of lz4 may decode to; the asdf library writes blocks of 4 MiB."""


@dataclass(frozen=True, slots=True)
class Run:
    """`packed` bytes at `offset` of `file`, which decode to `size` bytes; `key` is what the container calls it.

    `codec` is empty for raw bytes. `start` holds the first of the packed bytes, where they were read already.
    """

    file: Ranges
    key: str
    offset: int
    packed: int
    size: int
    codec: str = ""
    crc: int | None = None
    md5: bytes | None = None
    start: bytes = b""

    def stream(self) -> Iterator[Bytes]:
        """All decoded bytes in parts of at most `STEP`, or one block of lz4; raises `ChunkDamaged`.

        A part holds until the next one is asked for.
        """
        left, crc = self.size, 0
        # Of packed blocks the standard sums what is stored; the asdf library before 3 summed what that decodes to.
        known = self.md5 is None or (bool(self.codec) and self._packed_md5() == self.md5)
        md5 = hashlib.md5(usedforsecurity=False)
        for decoded in _DECODERS[self.codec](self):
            part = as_bytes(decoded)
            left -= part.size
            if left < 0:
                raise self.damaged("wrong-length", f"decodes to more than the {self.size} bytes that are declared")
            crc = deflate.crc32(part, crc) if self.crc is not None else 0
            if not known:
                md5.update(part.data)
            yield part
        if left:
            raise self.damaged("wrong-length", f"decodes to {self.size - left} of {self.size} bytes that are declared")
        self._agrees(crc)
        if not known and md5.digest() != self.md5:
            raise self.damaged("checksum", "the MD5 checksum is not the declared one")

    def head(self, length: int) -> bytes:
        """The first decoded bytes, at most `length`, with nothing checked; raises `ChunkDamaged`."""
        if not self.codec:
            length = min(length, self.packed)
            return self.start[:length] if len(self.start) >= length else self.fetch(0, length)
        if self.codec == "deflate" and self.start:
            try:
                found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.start, length)
            except zlib.error as error:
                raise self.damaged("undecodable", str(error)) from None
            if len(found) == length or len(self.start) >= self.packed:
                return found
        head = b""
        for part in _DECODERS[self.codec](self):
            head += bytes(part[: length - len(head)])
            if len(head) == length:
                break
        return head

    def checked(self) -> bytes:
        """All decoded bytes, whose size the caller has checked; raises `ChunkDamaged`."""
        return b"".join([part.tobytes() for part in self.stream()])

    def stored(self, buffer: Buffer) -> Bytes:
        """All bytes of a run that is not packed, in `buffer`, checked; raises `ChunkDamaged`."""
        part = self.fill(0, buffer.sized(self.size))
        self._agrees(deflate.crc32(part) if self.crc is not None else 0)
        return part

    def whole(self) -> bytes:
        """Return the bytes of a packed document; raises `Unreadable`."""
        try:
            return self.checked()
        except ChunkDamaged as damaged:
            raise Unreadable("damaged", f"{damaged.key}: {damaged.detail}") from None

    def fetch(self, start: int, length: int) -> bytes:
        """Exactly `length` stored bytes from `start`; raises `ChunkDamaged`."""
        try:
            raw = self.file.read(self.offset + start, length)
        except OSError as error:
            raise self._unread(error) from None
        self._long(len(raw), length)
        return raw

    def fill(self, start: int, part: Bytes) -> Bytes:
        """The stored bytes from `start` that fill `part`, in it; raises `ChunkDamaged`."""
        try:
            found = self.file.fill(self.offset + start, part.data)
        except OSError as error:
            raise self._unread(error) from None
        self._long(found, part.size)
        return part

    def damaged(self, reason: Damage, detail: str) -> ChunkDamaged:
        """A `ChunkDamaged` of this run."""
        return ChunkDamaged(reason, detail, self.key)

    def _unread(self, error: OSError) -> ChunkDamaged:
        return self.damaged("undecodable", f"cannot be read: {error.strerror or error}")

    def _long(self, found: int, length: int) -> None:
        if found < length:
            raise self.damaged("truncated", f"the file ends {length - found} bytes early")

    def _agrees(self, crc: int) -> None:
        if self.crc is not None and crc != self.crc:
            raise self.damaged("checksum", f"CRC-32 {crc:08x} is not the declared {self.crc:08x}")

    def _packed_md5(self) -> bytes:
        """The MD5 of the stored bytes."""
        md5 = hashlib.md5(usedforsecurity=False)
        for part in _stored(self):
            md5.update(part.data)
        return md5.digest()


def _stored(run: Run) -> Iterator[Bytes]:
    buffer = Buffer()
    for start in range(0, run.packed, STEP):
        yield run.fill(start, buffer.sized(min(STEP, run.packed - start)))


def _decompressed(run: Run, decoder: Any, parts: Callable[[Any, Bytes], Iterator[bytes]]) -> Iterator[bytes]:
    for raw in _stored(run):
        if decoder.eof:
            raise run.damaged("wrong-length", "bytes follow the end of the compressed stream")
        try:
            yield from parts(decoder, raw)
        except (zlib.error, deflate.error, OSError) as error:
            raise run.damaged("undecodable", str(error)) from None
    if not decoder.eof or decoder.unused_data:
        what = "bytes follow the end of the compressed stream" if decoder.eof else "the compressed stream has no end"
        raise run.damaged("wrong-length" if decoder.eof else "truncated", what)


def _inflated(decoder: Any, pending: Any) -> Iterator[bytes]:
    while True:
        part = decoder.decompress(pending, STEP)
        stuck = not part and len(decoder.unconsumed_tail) == len(pending)
        pending = decoder.unconsumed_tail
        yield part
        if decoder.eof or stuck or (len(part) < STEP and not pending):
            return


def _deflated(run: Run) -> Iterator[bytes]:
    return _decompressed(run, deflate.decompressobj(-zlib.MAX_WBITS), _inflated)


def _zlib(run: Run) -> Iterator[bytes]:
    return _decompressed(run, deflate.decompressobj(zlib.MAX_WBITS), _inflated)


def _bunzipped(decoder: Any, raw: Any) -> Iterator[bytes]:
    yield decoder.decompress(raw, STEP)
    while not (decoder.eof or decoder.needs_input):
        yield decoder.decompress(b"", STEP)


def _bzip2(run: Run) -> Iterator[bytes]:
    return _decompressed(run, bz2.BZ2Decompressor(), _bunzipped)


def _lz4(run: Run) -> Iterator[Bytes]:
    """Blocks of a big-endian length, then the little-endian decoded length, then lz4 (as the asdf library writes)."""
    import numcodecs.lz4

    start, left = 0, run.size
    packed, unpacked = Buffer(), Buffer()
    while start < run.packed:
        if run.packed - start < 8:
            raise run.damaged("truncated", "the block ends within the lengths of a part of lz4")
        length, decoded = struct.unpack(">I", run.fetch(start, 4)) + struct.unpack("<I", run.fetch(start + 4, 4))
        if not 4 < length <= run.packed - start - 4:
            raise run.damaged(
                "truncated", f"a part of lz4 claims {length} bytes, and {run.packed - start - 4} are left"
            )
        if decoded > LZ4_BLOCK:
            raise run.damaged("over-limit", f"a part of lz4 claims to decode to {decoded} bytes, more than {LZ4_BLOCK}")
        if decoded > left:
            raise run.damaged("wrong-length", f"decodes to more than the {run.size} bytes that are declared")
        part = unpacked.sized(decoded)
        try:
            numcodecs.lz4.decompress(run.fill(start + 4, packed.sized(length)), part)
        except (RuntimeError, ValueError) as error:
            raise run.damaged("undecodable", str(error)) from None
        yield part
        start, left = start + 4 + length, left - decoded


_DECODERS: Mapping[str, Callable[[Run], Iterator[bytes | Bytes]]] = {
    "": _stored,
    "deflate": _deflated,
    "zlib": _zlib,
    "bzp2": _bzip2,
    "lz4": _lz4,
}
CODECS = frozenset(_DECODERS)


def crc32_combine(first: int, second: int, length: int) -> int:
    """The CRC-32 of two runs in a row, from that of each and the length of the second (as zlib's `crc32_combine`)."""
    power, square = 1 << 31, 1 << 30  # 1 and x, in the reflected order of bits of CRC-32
    for _ in range(3):
        square = _multiply(square, square)  # x^8 after three: lengths are bytes
    while length:
        if length & 1:
            power = _multiply(square, power)
        square = _multiply(square, square)
        length >>= 1
    return _multiply(power, first) ^ second


def _multiply(one: int, other: int) -> int:
    """The product of two polynomials over GF(2), modulo that of CRC-32; the highest power in the lowest bit."""
    product, bit = 0, 1 << 31
    while bit:
        if one & bit:
            product ^= other
        other = (other >> 1) ^ 0xEDB88320 if other & 1 else other >> 1
        bit >>= 1
    return product
