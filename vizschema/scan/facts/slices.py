"""Slices that are copies of one another: by fingerprints of their parts, which every slice is cut into alike."""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from itertools import accumulate, pairwise
from typing import Any

import google_crc32c
import numpy as np

from vizschema.scan.facts.base import Context, Seen, Values

_CRC = 4
_MODULUS = 1 << 128
_SAMPLES = 64


class DuplicateSlices:
    """Counts slices along an axis that equal an earlier one bit for bit; those of which a part is missing do not count.

    A part's fingerprint is of its place, the CRC-32C of its bytes, and some values; those of a slice are added. Two
    slices that differ have the same one with a probability of about 2^-32 a pair at most; those that differ everywhere,
    or within 32 bits, never. A part that holds nothing but the fill value counts as 0, so that chunks which were never
    written, however many of them come at once, are those that hold it.
    """

    def __init__(self, context: Context) -> None:
        self._along = context.along or 0
        whole = list(context.shape)
        del whole[self._along]
        self._size = int(np.prod(whole, dtype=object)) if whole else 1
        self._fill = None if context.fill is None else np.array(context.fill)
        self._slices: dict[int, tuple[int, int]] = {}
        self._absent: dict[tuple[int, int], int] = {}

    def add(self, seen: Seen) -> None:
        """Take in one block; of a uniform one, which is of the fill value, only how many values it has."""
        values, along = seen.values, self._along
        place = [*zip(seen.start, values.shape, strict=True)]
        first, count = place.pop(along)
        if seen.uniform:
            self._leave((first, first + count), values.size // count)
            return
        for number in range(count):
            part = np.ascontiguousarray(values[(slice(None),) * along + (number,)])
            self._take(first + number, self._fingerprint(part, repr(place)), part.size)

    def merge(self, other: DuplicateSlices) -> None:
        """Take in what `other` has seen."""
        for number, (fingerprint, size) in other._slices.items():
            self._take(number, fingerprint, size)
        for ends, size in other._absent.items():
            self._leave(ends, size)

    def result(self) -> dict[str, Any]:
        """The count."""
        whole: list[int] = []
        empty = 0
        left = self._left_out()
        for first, end in pairwise(left):
            fingerprint, size = self._slices.get(first, (0, 0))
            if size + left[first] == self._size and fingerprint:
                whole.append(fingerprint)
            elif size + left[first] == self._size:
                empty += end - first
        return {"duplicate_slices": len(whole) - len(set(whole)) + max(empty - 1, 0)}

    def _left_out(self) -> dict[int, int]:
        """How many values of a slice were never written, by the number of the slice from which on it is so many."""
        changes: dict[int, int] = defaultdict(int)
        for (first, end), size in self._absent.items():
            changes[first] += size
            changes[end] -= size
        places = sorted(changes.keys() | self._slices.keys() | {number + 1 for number in self._slices})
        return dict(zip(places, accumulate(changes.get(place, 0) for place in places), strict=True))

    def _take(self, number: int, fingerprint: int, size: int) -> None:
        held, seen = self._slices.get(number, (0, 0))
        self._slices[number] = (held + fingerprint) % _MODULUS, seen + size

    def _leave(self, ends: tuple[int, int], size: int) -> None:
        self._absent[ends] = self._absent.get(ends, 0) + size

    def _fingerprint(self, part: Values, place: str) -> int:
        content = _content(part)
        fill = self._fill
        if fill is not None and _repeats(content, fill) and content == _content(np.full(part.size, fill)):
            return 0
        return int.from_bytes(hashlib.blake2b(place.encode() + content, digest_size=16).digest(), "little")


def _repeats(content: bytes, value: Values) -> bool:
    """Whether all samples in `content` are this value."""
    samples = content[_CRC:]
    return samples == value.tobytes() * (len(samples) // value.itemsize)


def _content(part: Values) -> bytes:
    values = part.reshape(-1)
    crc = struct.pack("<I", google_crc32c.value(values.view(np.uint8)))
    return crc + values[:: max(1, values.size // _SAMPLES)].tobytes()
