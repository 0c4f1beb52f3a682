"""Mutations of bytes: what disks, networks and ill will do to a file. Seeded, so that each can be had again."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_NUMBER = re.compile(rb"[0-9]+")
_ODD_NUMBERS = (
    b"-1",
    b"0",
    b"1e400",
    b"2.5",
    b"4294967296",
    b"4611686018427387904",
    b"18446744073709551616",
    b"NaN",
    b"null",
    b'"x"',
)
_ODD_BYTES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_WIDTHS = (1, 2, 4, 8)

Mutation = Callable[[random.Random, bytearray], None]


def mutated(chance: random.Random, raw: bytes) -> bytes:
    """`raw` after one to four mutations."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        if data:
            chance.choice(_MUTATIONS)(chance, data)
    return bytes(data)


def _flip(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _noise(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    for place in range(start, min(len(data), start + chance.randint(1, 16))):
        data[place] = chance.randrange(256)


def _extreme(chance: random.Random, data: bytearray) -> None:
    """A field of 1, 2, 4 or 8 bytes at the edge of what it holds."""
    width = chance.choice(_WIDTHS)
    start = chance.randrange(max(1, len(data) - width))
    fill = bytes([chance.choice(_ODD_BYTES)]) * width
    data[start : start + width] = fill if chance.random() < 0.7 else fill[:-1] + b"\x7f"


def _small(chance: random.Random, data: bytearray) -> None:
    """A byte a little larger or smaller."""
    place = chance.randrange(len(data))
    data[place] = (data[place] + chance.choice((-2, -1, 1, 2))) % 256


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def _remove(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, 32)]


def _repeat(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    part = data[start : start + chance.randint(1, 64)]
    data[start:start] = part * chance.choice((1, 1, 8))


def _copy(chance: random.Random, data: bytearray) -> None:
    """A part of the file over another part: valid structures in the wrong place."""
    source, target = chance.randrange(len(data)), chance.randrange(len(data))
    part = data[source : source + chance.choice((4, 8, 24, 64))]
    data[target : target + len(part)] = part


def _number(chance: random.Random, data: bytearray) -> None:
    """A number written out, replaced by an odd one."""
    found = list(_NUMBER.finditer(data))
    if found:
        match = chance.choice(found)
        data[match.start() : match.end()] = chance.choice(_ODD_NUMBERS)


def _zeros(chance: random.Random, data: bytearray) -> None:
    """What a file system leaves of a block that was never written."""
    start = chance.randrange(len(data))
    length = min(chance.choice((16, 512, 4096)), len(data) - start)
    data[start : start + length] = bytes(length)


_MUTATIONS: Sequence[Mutation] = (
    _flip, _flip, _noise, _extreme, _extreme, _small, _cut, _remove, _repeat, _copy, _number, _number, _zeros,
)  # fmt: skip
