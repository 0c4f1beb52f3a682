"""Slices that are copies of one another: by fingerprints of their parts, which every slice is cut into alike."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import google_crc32c
import numpy as np

from vizschema.facts.base import Context, Seen, Values

_MODULUS = 1 << 128
_SAMPLES = 64


class DuplicateSlices:
    """Counts slices along an axis that equal an earlier one bit for bit; those of which a part is missing do not count.

    A part's fingerprint is of its place, the CRC-32C of its bytes, and some values; those of a slice are added. Two
    slices that differ have the same one with a probability of about 2^-32 a pair at most; those that differ everywhere,
    or within 32 bits, never.
    """

    def __init__(self, context: Context) -> None:
        self._along = context.along or 0
        whole = list(context.shape)
        del whole[self._along]
        self._size = int(np.prod(whole, dtype=object)) if whole else 1
        self._slices: dict[int, tuple[int, int]] = {}

    def add(self, seen: Seen) -> None:
        """Take in one block; of slices that are uniform alike, one is looked at."""
        values, along = seen.values, self._along
        place = [*zip(seen.start, values.shape, strict=True)]
        first, count = place.pop(along)
        known = None
        for number in range(count):
            part = values[(slice(None),) * along + (number,)]
            if known is None or not seen.uniform:
                known = _fingerprint(np.ascontiguousarray(part), repr(place))
            self._take(first + number, known, part.size)

    def merge(self, other: DuplicateSlices) -> None:
        """Take in what `other` has seen."""
        for number, (fingerprint, size) in other._slices.items():
            self._take(number, fingerprint, size)

    def result(self) -> dict[str, Any]:
        """The count."""
        whole = [fingerprint for fingerprint, size in self._slices.values() if size == self._size]
        return {"duplicate_slices": len(whole) - len(set(whole))}

    def _take(self, number: int, fingerprint: int, size: int) -> None:
        held, seen = self._slices.get(number, (0, 0))
        self._slices[number] = (held + fingerprint) % _MODULUS, seen + size


def _fingerprint(part: Values, place: str) -> int:
    values = part.reshape(-1)
    digest = hashlib.blake2b(place.encode(), digest_size=16)
    digest.update(struct.pack("<I", google_crc32c.value(values.view(np.uint8))))
    digest.update(values[:: max(1, values.size // _SAMPLES)].tobytes())
    return int.from_bytes(digest.digest(), "little")
